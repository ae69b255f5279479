/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From messages to records. Messages cut the stream anywhere; what is known of
 * a record that is not complete yet is kept with the socket.
 *
 * The protocol version is told by what comes encrypted first: TLS 1.2 sends
 * its Finished as a handshake record behind ChangeCipherSpec, TLS 1.3 sends
 * application_data records only (RFC 8446, 5.1 and appendix D.4).
 */
#ifndef KLOAK_NET_STREAM_H
#define KLOAK_NET_STREAM_H

#include "kernel/net/match.h"
#include "kernel/net/tail.h"

#define MESSAGE_TURNS (1 << 20) /* records framed in one message, and steps of matching them */

/*
 * Bytes of the next record's head that are wanted: its header, then so much of
 * the fragment that a TLS 1.2 GCM nonce is in it.
 */
KERNEL_INLINE u32 head_wanted(const struct tls_socket *s)
{
	if (s->head_size < RECORD_HEADER)
		return RECORD_HEADER;
	return record_length(s->head) < RECORD_NONCE ? RECORD_HEADER : RECORD_HEAD;
}

struct head_walk {
	struct sk_msg_md *m;
	struct tls_socket *s;
};

static long head_step(u32 i, struct head_walk *walk)
{
	const u8 *data = (const u8 *)walk->m->data;
	struct tls_socket *s = walk->s;
	u64 at = s->head_size;
	u64 from = i;

	barrier_var(at);
	barrier_var(from);
	if (from >= RECORD_HEAD || at >= RECORD_HEAD || at >= head_wanted(s))
		return 1;
	data += from;
	barrier_var(data);
	if (data + 1 > (const u8 *)walk->m->data_end)
		return 1;
	s->head[at] = *data;
	s->head_size = at + 1;
	s->cursor++;
	return 0;
}

/* Reads the head of a record from the cursor on. 0 if it is complete. */
KERNEL_GLOBAL int head_read(struct sk_msg_md *m, struct tls_socket *s)
{
	struct head_walk walk = { .m = m, .s = s };
	const u8 *data;
	u64 from, to;

	if (!m || !s)
		return -1;
	from = s->cursor;
	to = from + RECORD_HEAD - s->head_size;
	if (to > s->size)
		to = s->size;
	if (from >= to || bpf_msg_pull_data(m, from, to, 0))
		return -1;
	data = (const u8 *)m->data;
	if (s->head_size == 0 && data + RECORD_HEAD <= (const u8 *)m->data_end &&
	    record_length(data) >= RECORD_NONCE) {
		store_le64(s->head, load_le64(data));
		store_le64(s->head + RECORD_HEAD - 8, load_le64(data + RECORD_HEAD - 8));
		s->head_size = RECORD_HEAD;
		s->cursor = from + RECORD_HEAD;
		return 0;
	}
	bpf_loop(RECORD_HEAD, head_step, &walk, 0);
	return s->head_size < head_wanted(s);
}

/*
 * A handshake record. Plain ones from the client are ClientHello and, in TLS
 * 1.2, certificate and key exchange; only the first kind matters. An encrypted
 * one is the Finished of TLS 1.2, whose size tells the suite.
 */
KERNEL_INLINE void record_handshake(struct sk_msg_md *m, struct tls_socket *s)
{
	u64 from = s->record.start - s->position;
	u64 to = from + RECORD_HEADER + s->record.length;
	u8 type = s->head[RECORD_HEADER];

	if (s->version) {
		if (!s->protected_records)
			s->hello = HELLO_BAD; /* more handshake than a Finished */
		return;
	}
	if (s->after_ccs && (s->record.length == TLS12_FINISHED_GCM ||
			     s->record.length == TLS12_FINISHED_CHACHA20)) {
		s->version = TLS_VERSION_12;
		s->suite = s->record.length == TLS12_FINISHED_GCM ? CIPHER_AES_GCM
								  : CIPHER_CHACHA20_POLY1305;
		key_hint_take(s);
		return;
	}
	if (!s->after_ccs && s->hello != HELLO_NONE && s->record.length >= 4 &&
	    type != HANDSHAKE_CLIENT_HELLO && type != 0)
		return;
	if (s->record.start < s->position || to > s->size || bpf_msg_pull_data(m, from, to, 0))
		s->hello = HELLO_BAD;
	else
		policy_hello(m);
}

/*
 * A record of type application_data is protected in every version. The first one of
 * TLS 1.3 is the Finished, whose hash is that of the suite: with ChaCha20 SHA-256,
 * with AES-256 SHA-384 (RFC 8446, appendix B.4). It may be something else of the
 * same size: this is a guess.
 */
KERNEL_INLINE void record_protected(struct tls_socket *s)
{
	if (!s->version) {
		s->version = TLS_VERSION_13;
		if (s->record.length == TLS13_FINISHED_SHA256)
			s->suite = CIPHER_CHACHA20_POLY1305;
		if (s->record.length == TLS13_FINISHED_SHA384)
			s->suite = CIPHER_AES_GCM;
		key_hint_take(s);
	}
	s->record.sequence = s->protected_records++;
}

/*
 * A KeyUpdate starts a new key and a new count. So does EndOfEarlyData (RFC 8446,
 * section 4.5), which the Finished follows under a key of its own. Under a bound
 * key they are known for certain: 18 00 00 01 0x, content type 16 (hexadecimal),
 * and 05 00 00 00, content type 16. Else the size is kept in mind for the search.
 */
KERNEL_GLOBAL int record_key_change(struct sk_msg_md *m, struct tls_socket *s)
{
	u64 at, plain, sequence, early;
	struct record_iv iv;

	if (!m || !s)
		return -1;
	early = s->record.length == END_OF_EARLY_DATA_RECORD;
	if (!s->bound) {
		/* Early data come before any KeyUpdate. */
		if (s->protected_records > 1 && !(early && s->update_at))
			s->update_at = s->protected_records + early;
		return 0;
	}
	at = s->record.start + RECORD_HEADER;
	if (at < s->position || at + 8 > s->position + s->size)
		return -1;
	if (cipher_text_copy(m, s, at - s->position, 8))
		return -1;
	sequence = s->record.sequence - s->sequence_base;
	iv = s->iv;
	iv.hi ^= sequence >> 32;
	iv.lo ^= sequence << 32;
	if (s->bound == CIPHER_CHACHA20_POLY1305)
		chacha20_keystream(&s->key.chacha20, &iv, 1, &s->keystream.chacha20[0]);
	else
		aes_encrypt(&s->key.gcm.aes, iv.hi, iv.lo | 2, &s->keystream.aes[0]);
	plain = load_be64(s->cipher_text) ^ load_be64(s->keystream.byte);
	if (early ? plain >> 24 != (0x05000000ULL << 8 | CONTENT_HANDSHAKE)
		  : plain >> 32 != 0x18000001 || (u8)(plain >> 16) != CONTENT_HANDSHAKE)
		return 0;
	s->bound = 0;
	s->update_at = s->protected_records + early;
	key_hint_take(s);
	return 0;
}

/* The head of a record is complete: take it up. -1 if it cannot be one. */
KERNEL_GLOBAL int record_begin(struct sk_msg_md *m, struct tls_socket *s)
{
	if (!m || !s || !record_plausible(s->head))
		return -1;
	s->record.start = s->position + s->cursor - s->head_size;
	s->record.type = s->head[0];
	s->record.legacy_version = s->head[1] | (u32)s->head[2] << 8;
	s->record.length = record_length(s->head);
	s->record.nonce = load_be64(s->head + RECORD_HEADER);
	s->left = RECORD_HEADER + s->record.length - s->head_size;
	s->head_size = 0;
	switch (s->record.type) {
	case CONTENT_APPLICATION_DATA:
		record_protected(s);
		if (s->version == TLS_VERSION_13 && (s->record.length == KEY_UPDATE_RECORD ||
						     s->record.length == END_OF_EARLY_DATA_RECORD))
			record_key_change(m, s);
		break;
	case CONTENT_HANDSHAKE:
		record_handshake(m, s);
		break;
	case CONTENT_CHANGE_CIPHER_SPEC:
		s->after_ccs = 1;
		break;
	}
	return 0;
}

/* Moves the cursor over what this message holds of the current record. */
KERNEL_INLINE void record_skip(struct tls_socket *s)
{
	u32 step = s->size - s->cursor;

	if (step > s->left)
		step = s->left;
	s->cursor += step;
	s->left -= step;
	if (!s->left && s->record.type == CONTENT_APPLICATION_DATA &&
	    s->record.length > record_overhead(s))
		s->write_done += s->record.length - record_overhead(s);
}

struct walk {
	struct sk_msg_md *m;
	struct tls_socket *s;
	struct staged *st; /* the sender's, NULL if there is nothing in it */
	struct movers *of; /* its process', NULL if only the sender counts */
	u64 thread;
};

/*
 * One step of matching: with the sender's staged writes, or those of another thread,
 * which may have ended meanwhile.
 */
KERNEL_INLINE void walk_match(struct walk *walk)
{
	struct tls_socket *s = walk->s;
	struct staged *st = walk->st;

	if (s->match_movers) {
		st = NULL;
		if (s->match_thread != walk->thread)
			st = bpf_map_lookup_elem(&staged, &s->match_thread);
		if (st && st->pending && !s->match_turn && !s->match_index)
			match_count(s, st);
	}
	s->matching = 0;
	if (st)
		match_next(walk->m, s, st);
	if (!s->matching && !s->match_found && walk->of)
		match_next_mover(s, walk->of);
}

/*
 * One record, or what the message holds of it; or one step of matching it. A loop
 * in a loop would be one call deeper than the kernel allows, and far more to
 * verify.
 */
static long stream_step(__attribute__((unused)) u32 i, struct walk *walk)
{
	struct tls_socket *s = walk->s;

	if (s->matching) {
		walk_match(walk);
		if (s->matching)
			return 0;
		record_skip(s);
		return s->cursor >= s->size;
	}
	if (!s->left) {
		if (head_read(walk->m, s))
			return 1;
		if (record_begin(walk->m, s)) {
			s->stream = STREAM_LOST;
			return 1;
		}
	}
	if (s->record.type == CONTENT_APPLICATION_DATA)
		match_begin(s, walk->st, walk->of);
	if (s->matching)
		return 0;
	record_skip(s);
	return s->cursor >= s->size;
}

/* Is the stream between two records? */
KERNEL_INLINE int stream_between(const struct tls_socket *s)
{
	return !s->left && !s->head_size;
}

/*
 * The stream does not just go on with a record: the message goes on with one, it is
 * the rest of a partial send, or something has passed unseen and a record begins
 * here. Returns 0 if the message cannot be framed.
 */
KERNEL_GLOBAL int stream_doubt(struct sk_msg_md *m, struct tls_socket *s)
{
	u32 between, plausible, again;

	if (!m || !s)
		return 0;
	between = stream_between(s);
	plausible = message_record(m, s, 0);
	if (s->stream == STREAM_START) {
		s->stream = plausible ? STREAM_RECORDS : STREAM_NOT_TLS;
		return plausible != 0;
	}
	if (s->tail_armed) {
		again = tail_length(m, s, between ? plausible : 0);
		if (again) {
			s->position = s->tail_end - again;
			s->cursor = again;
			counter_add(COUNTER_TAILS);
			return 1;
		}
		s->tail_armed = 0;
	}
	if (between)
		s->patch_count = 0;
	/* In the middle of a record, yet a whole one comes: its rest passed unseen. */
	if (!between && plausible == s->size)
		s->stream = STREAM_LOST;
	if (s->stream == STREAM_LOST) {
		if (!plausible)
			return 0;
		s->stream = STREAM_RECORDS;
		s->left = 0;
		s->head_size = 0;
		s->patch_count = 0;
		counter_add(COUNTER_RESYNCS);
	}
	return 1;
}

/* Where a message begins. Returns 0 if it cannot be framed. */
KERNEL_INLINE int stream_enter(struct sk_msg_md *m, struct tls_socket *s)
{
	if (!stream_between(s) || s->tail_armed || s->stream != STREAM_RECORDS)
		return stream_doubt(m, s);
	s->patch_count = 0;
	return 1;
}

#endif
