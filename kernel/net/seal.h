/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The new tag of a ChaCha20-Poly1305 record (RFC 8439, section 2.8).
 *
 * The tag of AES-GCM changes by a sum that depends on the change alone
 * (kernel/crypto/ghash.h). That of Poly1305 does so modulo 2^130 - 5, but only
 * its lowest 128 bits are sent, so that the old tag does not tell the new one:
 * the record has to be hashed as it leaves.
 *
 * A record that is whole in a message is hashed if something in it was changed,
 * once that is done. One that goes on in the next message is hashed piece by
 * piece from its beginning on, since something may be changed there. What cannot
 * be served is a change in a record whose beginning has passed before its key
 * was known.
 *
 * A tag becomes a patch like any other, new XOR old, byte by byte as the old one
 * comes along: so its rest can be in the next message, and all of it may come
 * again.
 */
#ifndef KLOAK_NET_SEAL_H
#define KLOAK_NET_SEAL_H

#include "kernel/net/prove.h"

#define SEAL_PIECE (4 * POLY1305_BLOCK) /* hashed in one turn of a loop */

/* Did the current record begin so late that none of it is lost? Its head is kept. */
KERNEL_INLINE int seal_possible(const struct tls_socket *s)
{
	return s->record.start + RECORD_HEAD > s->position;
}

/*
 * The seal of the current record: its one-time key (RFC 8439, section 2.6), and the
 * additional data: the header (RFC 8446, section 5.2), or in TLS 1.2 sequence number
 * and header, with the length of the plaintext (RFC 5246, section 6.2.3.3).
 */
KERNEL_GLOBAL int seal_make(struct tls_socket *s, struct seal *seal)
{
	u64 sequence;
	struct record_iv iv;

	if (!s || !seal)
		return -1;
	sequence = s->record.sequence - s->sequence_base;
	iv = s->iv;
	iv.hi ^= sequence >> 32;
	iv.lo ^= sequence << 32;
	chacha20_keystream(&s->key.chacha20, &iv, 0, &s->keystream.chacha20[0]);
	copy_fours(seal->key, s->keystream.byte, sizeof(seal->key));
	seal->cipher_size = s->record.length - RECORD_TAG;
	seal->head = s->record.type | (u32)s->record.legacy_version << 8;
	seal->counted = s->version == TLS_VERSION_12;
	seal->sequence = sequence;
	return 0;
}

/* Additional data of a record, padded with zeros. */
struct additional {
	u64 low, high;
	u32 size;
};

KERNEL_INLINE struct additional seal_additional(const struct seal *seal)
{
	u64 head = seal->head, size = seal->cipher_size;

	if (seal->counted)
		return (struct additional){
			.low = __builtin_bswap64(seal->sequence),
			.high = head | (u64)__builtin_bswap16(size) << 24,
			.size = 8 + RECORD_HEADER,
		};
	size += RECORD_TAG;
	return (struct additional){
		.low = head | (u64)__builtin_bswap16(size) << 24,
		.size = RECORD_HEADER,
	};
}

/* Hashing begins, with the ciphertext at stream offset @at. */
KERNEL_INLINE void sealing_begin(struct sealing *to, const struct seal *seal,
				 struct additional additional, u64 at)
{
	to->at = at;
	to->end = at + seal->cipher_size;
	to->additional_size = additional.size;
	to->cipher_size = seal->cipher_size;
	to->partial = 0;
	to->done = 0;
	store_le64(to->block, 0);
	store_le64(to->block + 8, 0);
	poly1305_begin(&to->hash, seal->key);
	poly1305_block(&to->hash, additional.low, additional.high, 1);
}

KERNEL_INLINE void sealing_start(struct sealing *to, const struct seal *seal, u64 at)
{
	sealing_begin(to, seal, seal_additional(seal), at);
}

/*
 * The same with the current record. Bytes of its head may have passed in an earlier
 * message.
 */
KERNEL_INLINE void sealing_start_current(struct tls_socket *s, const struct seal *seal)
{
	struct sealing *to = &s->key.sealing;
	u64 passed;

	sealing_start(to, seal, s->record.start + RECORD_HEADER);
	passed = s->position - to->at;
	if (to->at >= s->position || passed > RECORD_NONCE)
		return;
	store_le64(to->block, __builtin_bswap64(s->record.nonce) & (~0ULL >> (64 - 8 * passed)));
	to->partial = passed;
	to->at += passed;
}

struct seal_read {
	struct sk_msg_md *m;
	struct tls_socket *s;
};

static long seal_byte_step(u32 i, struct seal_read *read)
{
	const u8 *data = (const u8 *)read->m->data;
	struct sealing *to = &read->s->key.sealing;
	u64 at = to->partial;
	u64 from = i;

	barrier_var(at);
	barrier_var(from);
	if (at >= POLY1305_BLOCK || from >= POLY1305_BLOCK)
		return 1;
	data += from;
	barrier_var(data);
	if (data + 1 > (const u8 *)read->m->data_end)
		return 1;
	to->block[at] = *data;
	to->partial = at + 1;
	return 0;
}

KERNEL_INLINE void sealing_block(struct sealing *to)
{
	poly1305_block(&to->hash, load_le64(to->block), load_le64(to->block + 8), 1);
	store_le64(to->block, 0);
	store_le64(to->block + 8, 0);
	to->partial = 0;
}

/* Hashes @size bytes that fill no block, or the one that was begun. */
KERNEL_GLOBAL int seal_bytes(struct sk_msg_md *m, struct tls_socket *s, u64 size)
{
	struct seal_read read = { .m = m, .s = s };
	struct sealing *to;
	u64 at;

	if (!m || !s)
		return -1;
	to = &s->key.sealing;
	at = to->at - s->position;
	if (bpf_msg_pull_data(m, at, at + size, 0))
		return -1;
	bpf_loop(size, seal_byte_step, &read, 0);
	to->at += size;
	if (to->partial == POLY1305_BLOCK)
		sealing_block(to);
	return 0;
}

static long seal_blocks_step(u32 i, struct seal_read *read)
{
	const u8 *data = (const u8 *)read->m->data;
	u64 from = (u64)i * SEAL_PIECE;
	u64 k;

	barrier_var(from);
	if (from > RECORD_MAX)
		return 1;
	data += from;
	barrier_var(data);
	for (k = 0; k < SEAL_PIECE; k += POLY1305_BLOCK) {
		if (data + k + POLY1305_BLOCK > (const u8 *)read->m->data_end)
			return 1;
		poly1305_block(&read->s->key.sealing.hash, load_le64(data + k),
			       load_le64(data + k + 8), 1);
	}
	return 0;
}

/* Whole blocks: all that is pulled. */
KERNEL_GLOBAL int seal_blocks(struct sk_msg_md *m, struct tls_socket *s, u64 size)
{
	struct seal_read read = { .m = m, .s = s };
	u64 at;

	if (!m || !s)
		return -1;
	at = s->key.sealing.at - s->position;
	if (bpf_msg_pull_data(m, at, at + size, 0))
		return -1;
	bpf_loop((size + SEAL_PIECE - 1) / SEAL_PIECE, seal_blocks_step, &read, 0);
	s->key.sealing.at += size;
	return 0;
}

/* All of the ciphertext has passed: the tag. */
KERNEL_INLINE void sealing_finish(struct sealing *to)
{
	if (to->partial)
		sealing_block(to);
	poly1305_block(&to->hash, to->additional_size, to->cipher_size, 1);
	poly1305_tag(&to->hash, to->tag);
	to->done = 1;
}

/* Hashes what this message holds of the record. -1 if that is not to be had. */
KERNEL_GLOBAL int seal_absorb(struct sk_msg_md *m, struct tls_socket *s)
{
	struct sealing *to;
	u64 end, size;

	if (!m || !s)
		return -1;
	to = &s->key.sealing;
	end = s->position + s->size;
	if (end > to->end)
		end = to->end;
	if (to->done || to->at >= end)
		return 0;
	if (to->at < s->position)
		return -1;
	if (to->partial) {
		size = POLY1305_BLOCK - to->partial;
		if (size > end - to->at)
			size = end - to->at;
		if (seal_bytes(m, s, size))
			return -1;
	}
	size = (end - to->at) & ~(u64)(POLY1305_BLOCK - 1);
	if (size && seal_blocks(m, s, size))
		return -1;
	size = end - to->at;
	if (size && seal_bytes(m, s, size))
		return -1;
	if (to->at == to->end)
		sealing_finish(to);
	return 0;
}

/*
 * The message ends in the middle of a record: hash that, if it can be from its
 * beginning on.
 */
KERNEL_GLOBAL int seal_follow(struct sk_msg_md *m, struct tls_socket *s)
{
	struct seal seal;

	if (!m || !s || s->record.length < RECORD_TAG)
		return -1;
	if (s->key.sealing.end != record_tag(s)) {
		if (!seal_possible(s))
			return 0;
		__builtin_memset(&seal, 0, sizeof(seal));
		seal_make(s, &seal);
		sealing_start_current(s, &seal);
	}
	if (seal_absorb(m, s))
		s->key.sealing.end = 0;
	return 0;
}

struct seal_tag {
	struct sk_msg_md *m;
	struct tls_socket *s;
	struct patch *patch;
};

static long seal_tag_step(u32 i, struct seal_tag *tag)
{
	const u8 *data = (const u8 *)tag->m->data;
	u64 at = tag->patch->known;
	u64 from = i;

	barrier_var(at);
	barrier_var(from);
	if (at >= RECORD_TAG || from >= RECORD_TAG)
		return 1;
	data += from;
	barrier_var(data);
	if (data + 1 > (const u8 *)tag->m->data_end)
		return 1;
	((u8 *)tag->patch->tag_delta)[at] = *data ^ ((const u8 *)tag->s->key.sealing.tag)[at];
	tag->patch->known = at + 1;
	return 0;
}

/* The change of the tag, as far as this message has the old one. */
KERNEL_GLOBAL int seal_tag(struct sk_msg_md *m, struct tls_socket *s, u64 index)
{
	struct seal_tag tag = { .m = m, .s = s };
	struct patch *patch;
	const u8 *data;
	u64 from, to;

	barrier_var(index);
	if (!m || !s || index >= PATCHES)
		return -1;
	patch = &s->patch[index];
	from = patch->start + patch->known;
	to = patch->start + RECORD_TAG;
	if (to > s->position + s->size)
		to = s->position + s->size;
	if (from >= to)
		return 0;
	if (from < s->position || bpf_msg_pull_data(m, from - s->position, to - s->position, 0))
		return -1;
	data = m->data;
	if (data + RECORD_TAG <= (const u8 *)m->data_end) {
		patch->tag_delta[0] = load_le64(data) ^ load_le64(s->key.sealing.tag);
		patch->tag_delta[1] = load_le64(data + 8) ^ load_le64(s->key.sealing.tag + 2);
		patch->known = RECORD_TAG;
	} else {
		tag.patch = patch;
		bpf_loop(to - from, seal_tag_step, &tag, 0);
	}
	if (patch->known == RECORD_TAG)
		patch->kind = PATCH_TAG;
	return 0;
}

#endif
