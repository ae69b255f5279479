/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changing bytes of the stream, and keeping the tag right.
 *
 * A proved placeholder becomes a patch: the range of the stream that holds its
 * ciphertext, and the range of the record's tag. That of ChaCha20-Poly1305 can be
 * made when the record has passed (kernel/net/seal.h). A message is changed where it
 * overlaps a patch, so that it makes no difference whether the tag is in the
 * same message, in the next, or half in each, nor whether the library has to
 * hand over the rest of a partial send again.
 */
#ifndef KLOAK_NET_PATCH_H
#define KLOAK_NET_PATCH_H

#include "kernel/net/seal.h"

KERNEL_INLINE struct secret *secret_find(u32 workload, const u8 *head)
{
	struct secret_key key = { .workload = workload };

	copy_fours(key.head, head, sizeof(key.head));
	return bpf_map_lookup_elem(&secrets, &key);
}

struct delta_copy {
	struct tls_socket *s;
	const struct secret *secret;
	u64 shift;
	u64 last;
};

KERNEL_INLINE long delta_copy_piece(struct delta_copy *copy, u64 from)
{
	u64 shift = copy->shift & (GCM_BLOCK - 1);
	u64 i;

	barrier_var(from);
	if (from > SECRET_MAX - PIECE)
		return 1;
	for (i = 0; i < PIECE; i += 8) {
		if (from + i >= copy->last)
			return 1;
		store_le64(copy->s->delta + shift + from + i,
			   load_le64(copy->secret->delta + from + i));
	}
	return 0;
}

static long delta_copy_step(u32 i, struct delta_copy *copy)
{
	return delta_copy_piece(copy, (u64)(i + 1) * PIECE);
}

/* s->delta = the change of the secret, beginning at byte @shift (0 to 15), and zeros around it. */
KERNEL_GLOBAL int delta_lay_out(struct tls_socket *s, const struct secret *secret, u64 size,
				u64 shift)
{
	struct delta_copy copy = { .s = s, .secret = secret, .shift = shift, .last = size - 8 };
	u64 last = size - 8;
	u64 end;

	if (!s || !secret || size < SECRET_MIN || size > SECRET_MAX)
		return -1;
	shift &= GCM_BLOCK - 1;
	end = (shift + size + GCM_BLOCK - 1) & ~(u64)(GCM_BLOCK - 1);
	store_le64(s->delta, 0);
	store_le64(s->delta + 8, 0);
	barrier_var(end);
	if (end < GCM_BLOCK || end > SCRATCH_BLOCKS * GCM_BLOCK)
		return -1;
	store_le64(s->delta + end - 16, 0);
	store_le64(s->delta + end - 8, 0);
	barrier_var(last);
	if (last > SECRET_MAX - 8)
		return -1;
	store_le64(s->delta + shift + last, load_le64(secret->delta + last));
	if (!delta_copy_piece(&copy, 0))
		bpf_loop(PIECES(size) - 1, delta_copy_step, &copy, 0);
	return 0;
}

struct tag_delta {
	struct tls_socket *s;
	u64 blocks;
};

/* Adds the blocks of a piece by Horner's rule. */
KERNEL_INLINE long tag_delta_piece(struct tag_delta *delta, u64 piece)
{
	struct tls_socket *s = delta->s;
	u64 from = piece * PIECE;
	u64 i;

	barrier_var(from);
	if (from > SECRET_MAX)
		return 1;
	for (i = 0; i < PIECE_BLOCKS; i++) {
		u64 block = piece * PIECE_BLOCKS + i;

		if (block >= delta->blocks)
			return 1;
		if (block)
			gf_multiply(&s->key.gcm.power[0], &s->z);
		s->z.hi ^= load_be64(s->delta + from + GCM_BLOCK * i);
		s->z.lo ^= load_be64(s->delta + from + GCM_BLOCK * i + 8);
	}
	return 0;
}

static long tag_delta_step(u32 i, struct tag_delta *delta)
{
	return tag_delta_piece(delta, (u64)i + 1);
}

/*
 * s->z = what the change of @size bytes at s->relative does to the tag of a
 * record with @cipher_size bytes of ciphertext. See kernel/crypto/ghash.h.
 */
KERNEL_GLOBAL int tag_delta_make(struct tls_socket *s, const struct secret *secret, u64 size,
				 u64 cipher_size)
{
	struct tag_delta delta = { .s = s };
	u64 first, total;

	if (!s || !secret || size < SECRET_MIN || size > SECRET_MAX)
		return -1;
	delta_lay_out(s, secret, size, s->relative & (GCM_BLOCK - 1));
	delta.blocks = blocks_spanned(s, size);
	first = s->relative / GCM_BLOCK;
	total = (cipher_size + GCM_BLOCK - 1) / GCM_BLOCK;
	s->z.hi = 0;
	s->z.lo = 0;
	if (!tag_delta_piece(&delta, 0))
		bpf_loop(SCRATCH_BLOCKS / PIECE_BLOCKS, tag_delta_step, &delta, 0);
	gcm_power_multiply(&s->key.gcm, &s->z, total - first - delta.blocks + 2);
	return 0;
}

/* The tag of a record is changed once for all placeholders in it: deltas add up. */
KERNEL_INLINE void patch_add_tag(struct tls_socket *s, u64 start)
{
	u64 index = s->tag_patch;
	struct patch *patch;

	barrier_var(index);
	if (index >= PATCHES || index >= s->patch_count || s->patch[index].kind != PATCH_TAG ||
	    s->patch[index].start != start) {
		index = s->patch_count;
		barrier_var(index);
		if (index >= PATCHES)
			return;
		s->patch[index].start = start;
		s->patch[index].size = RECORD_TAG;
		s->patch[index].kind = PATCH_TAG;
		s->patch[index].tag_delta[0] = 0;
		s->patch[index].tag_delta[1] = 0;
		s->tag_patch = index;
		s->patch_count = index + 1;
	}
	patch = &s->patch[index];
	patch->tag_delta[0] ^= __builtin_bswap64(s->z.hi);
	patch->tag_delta[1] ^= __builtin_bswap64(s->z.lo);
}

/*
 * The tag of a ChaCha20-Poly1305 record, at @start, is made anew for a change at @at:
 * once for all in the record. Returns a reason. What is hashed cannot be changed any
 * more: it was seen before, without the bytes behind that make it a placeholder.
 */
KERNEL_INLINE u32 patch_add_seal(struct tls_socket *s, u64 start, u64 at)
{
	u64 index = s->tag_patch;
	struct patch *patch;

	if (s->key.sealing.end == start && s->key.sealing.at > at)
		return REASON_SPLIT;
	barrier_var(index);
	if (index < PATCHES && index < s->patch_count && s->patch[index].kind == PATCH_SEAL &&
	    s->patch[index].start == start)
		return REASON_NONE;
	index = s->patch_count;
	barrier_var(index);
	if (index >= PATCHES)
		return REASON_TOO_MANY;
	patch = &s->patch[index];
	if (s->key.sealing.end != start) {
		if (!seal_possible(s))
			return REASON_SPLIT;
		seal_make(s, &patch->seal);
		if (s->record.start + RECORD_HEADER < s->position)
			sealing_start_current(s, &patch->seal);
	}
	patch->start = start;
	patch->size = RECORD_TAG;
	patch->kind = PATCH_SEAL;
	patch->known = 0;
	s->tag_patch = index;
	s->patch_count = index + 1;
	return REASON_NONE;
}

/*
 * Adds the patches for the placeholder at s->relative of the current record,
 * whose plaintext begins at stream offset @plain. Returns a reason.
 */
KERNEL_INLINE u32 patch_add(struct tls_socket *s, const struct secret *secret, u64 plain)
{
	u64 tag, index, size;
	u32 reason;

	size = secret->size;
	index = s->patch_count;
	barrier_var(index);
	if (index > PATCHES - 2)
		return REASON_TOO_MANY;
	tag = record_tag(s);
	if (s->bound == CIPHER_CHACHA20_POLY1305) {
		reason = patch_add_seal(s, tag, plain + s->relative);
		if (reason != REASON_NONE)
			return reason;
		index = s->patch_count;
		barrier_var(index);
		if (index >= PATCHES)
			return REASON_TOO_MANY;
		delta_lay_out(s, secret, size, s->relative & (GCM_BLOCK - 1));
	} else if (tag_delta_make(s, secret, size, tag - plain)) {
		return REASON_STREAM;
	}
	s->laid_out = index + 1;
	s->shift = s->relative & (GCM_BLOCK - 1);
	s->patch[index].start = plain + s->relative;
	s->patch[index].size = size;
	s->patch[index].kind = PATCH_TEXT;
	copy_fours(s->patch[index].head, secret->placeholder, PLACEHOLDER_HEAD);
	s->patch_count = index + 1;
	if (s->bound == CIPHER_AES_GCM)
		patch_add_tag(s, tag);
	return REASON_NONE;
}

/* Notes a placeholder that stays as it is, so that it is not found once more. */
KERNEL_INLINE void patch_add_nothing(struct tls_socket *s, u64 start)
{
	u64 index = s->patch_count;

	barrier_var(index);
	if (index >= PATCHES)
		return;
	s->patch[index].start = start;
	s->patch[index].size = 0;
	s->patch[index].kind = PATCH_TEXT;
	s->patch_count = index + 1;
}

/*
 * Is what begins at this stream offset changed already? Guesses of several
 * placeholders may lead to the same place, and changing it twice undoes it.
 */
KERNEL_GLOBAL int patch_exists(struct tls_socket *s, u64 start)
{
	u32 i;

	if (!s)
		return 0;
	for (i = 0; i < PATCHES; i++) {
		if (i >= s->patch_count)
			return 0;
		if (s->patch[i].start == start)
			return 1;
	}
	return 0;
}

/*
 * Sees to it that s->delta holds the bytes that a patch adds to the stream.
 * Returns where they begin in it, or -1. Those of a patch that was just made
 * are there already.
 */
KERNEL_INLINE int patch_load(struct tls_socket *s, const struct patch *patch, u32 index)
{
	struct secret *secret;

	if (patch->kind != PATCH_TEXT) {
		store_le64(s->delta + DELTA_TAG, patch->tag_delta[0]);
		store_le64(s->delta + DELTA_TAG + 8, patch->tag_delta[1]);
		return DELTA_TAG;
	}
	if (s->laid_out == index + 1)
		return s->shift & (GCM_BLOCK - 1);
	s->laid_out = 0;
	secret = secret_find(s->workload, patch->head);
	if (!secret)
		return -1;
	return delta_lay_out(s, secret, patch->size, 0);
}

struct patch_bytes {
	struct sk_msg_md *m;
	struct tls_socket *s;
	u64 skip;
};

static long patch_byte_step(u32 i, struct patch_bytes *bytes)
{
	u8 *data = (u8 *)bytes->m->data;
	u64 from = bytes->skip + i;
	u64 to = i;

	barrier_var(from);
	barrier_var(to);
	if (to > 6 || from >= DELTA_SIZE)
		return 1;
	data += to;
	barrier_var(data);
	if (data + 1 > (u8 *)bytes->m->data_end)
		return 1;
	*data ^= bytes->s->delta[from];
	return 0;
}

/* Words from the start of the linear data on. */
KERNEL_INLINE long patch_words_piece(struct patch_bytes *words, u64 from)
{
	u8 *data = (u8 *)words->m->data;
	u64 delta = words->skip + from;
	u64 i;

	barrier_var(from);
	barrier_var(delta);
	if (from > SECRET_MAX - PIECE || delta > DELTA_TAG + RECORD_TAG)
		return 1;
	data += from;
	barrier_var(data);
	for (i = 0; i < PIECE; i += 8) {
		if (data + i + 8 > (u8 *)words->m->data_end)
			return 1;
		store_le64(data + i, load_le64(data + i) ^ load_le64(words->s->delta + delta + i));
	}
	return 0;
}

static long patch_words_step(u32 i, struct patch_bytes *words)
{
	return patch_words_piece(words, (u64)(i + 1) * PIECE);
}

/*
 * Adds s->delta from byte @skip on to @size bytes of the message at @at: the
 * bytes that fill no word first (they are in cut placeholders and tags only).
 */
KERNEL_INLINE int patch_write(struct sk_msg_md *m, struct tls_socket *s, u64 at, u64 size, u64 skip)
{
	struct patch_bytes bytes = { .m = m, .s = s, .skip = skip };
	u64 rest = size & 7;

	if (size > SECRET_MAX)
		return -1;
	if (rest) {
		if (bpf_msg_pull_data(m, at, at + rest, 0))
			return -1;
		bpf_loop(rest, patch_byte_step, &bytes, 0);
	}
	if (size == rest)
		return 0;
	if (bpf_msg_pull_data(m, at + rest, at + size, 0))
		return -1;
	bytes.skip = skip + rest;
	if (!patch_words_piece(&bytes, 0))
		bpf_loop(PIECES(size) - 1, patch_words_step, &bytes, 0);
	return 0;
}

/* Changes the message where patch @index overlaps it. */
KERNEL_GLOBAL int patch_apply(struct sk_msg_md *m, struct tls_socket *s, u64 index)
{
	struct patch *patch;
	u64 from, to;
	int delta;

	if (!m || !s)
		return -1;
	barrier_var(index);
	if (index >= PATCHES)
		return -1;
	patch = &s->patch[index];
	from = patch->start > s->position ? patch->start : s->position;
	to = patch->start + patch->size;
	if (to > s->position + s->size) {
		to = s->position + s->size;
		s->patched = 1; /* what comes behind has to be seen too */
	}
	if (from >= to)
		return 0;
	delta = patch_load(s, patch, index);
	if (delta < 0)
		return -1;
	s->patched = 1;
	return patch_write(m, s, from - s->position, to - from, from - patch->start + delta);
}

/* Hashes the record of which patch @index is the tag, changed as it is now, and changes that. */
KERNEL_GLOBAL int patch_seal(struct sk_msg_md *m, struct tls_socket *s, u64 index)
{
	struct patch *patch;
	struct sealing *to;

	barrier_var(index);
	if (!m || !s || index >= PATCHES)
		return -1;
	patch = &s->patch[index];
	to = &s->key.sealing;
	if (to->end != patch->start)
		sealing_start(to, &patch->seal, patch->start - patch->seal.cipher_size);
	if (seal_absorb(m, s) || (to->done && seal_tag(m, s, index)))
		return -1;
	return patch_apply(m, s, index);
}

#endif
