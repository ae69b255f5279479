/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bringing records and staged placeholders together.
 *
 * A hook stages "this thread has given its library a write of n bytes with a
 * placeholder at offset o". Where that is in the stream is guessed in up to
 * three ways, each then proved or not:
 *
 *   1. the write began with the first record that this socket sent after it
 *      was staged, and went on without a gap (any record size);
 *   2. this record is the first of the write (writes that waited in a memory
 *      BIO and leave together);
 *   3. the write was cut into full records of 2^14 bytes (the same, large).
 *
 * Where a write may be sent by another thread than the one that staged it (map
 * "movers"), the other threads' writes come after the sender's own, unless one of
 * those is the one in the record. Sockets of several threads may look at the same write
 * then: who proves a placeholder claims it.
 */
#ifndef KLOAK_NET_MATCH_H
#define KLOAK_NET_MATCH_H

#include "kernel/event.h"
#include "kernel/net/patch.h"
#include "kernel/net/policy.h"
#include "kernel/net/prove.h"

#define GUESSES		3
#define STAGED_ATTEMPTS 16  /* searches for a key that are spent on a placeholder of a write */
#define MOVER_SEARCHES	256 /* the same on a write, for records that other threads send */

KERNEL_INLINE u32 record_overhead(const struct tls_socket *s)
{
	if (s->version != TLS_VERSION_12)
		return TLS13_OVERHEAD;
	return s->suite == CIPHER_CHACHA20_POLY1305 ? RECORD_TAG : TLS12_GCM_OVERHEAD;
}

/* Stream offset of the first plaintext byte of the current record. */
KERNEL_INLINE u64 record_plain(const struct tls_socket *s)
{
	return s->record.start + RECORD_HEADER + (nonce_explicit(s, s->suite) ? RECORD_NONCE : 0);
}

KERNEL_GLOBAL int match_report(const struct tls_socket *s, const struct staged *st,
			       const struct secret *secret, u64 verdict, u64 reason)
{
	struct event *event;

	if (!s || !st || !secret)
		return -1;
	event = event_begin(verdict, reason, st->workload);
	if (!event)
		return -1;
	event->secret = secret->index;
	event->size = secret->size;
	event->port = s->port;
	__builtin_memcpy(event->address, s->address, sizeof(event->address));
	__builtin_memcpy(event->comm, st->comm, sizeof(event->comm));
	__builtin_memcpy(event->head, secret->placeholder, sizeof(event->head));
	__builtin_memcpy(event->name, s->sni.name, sizeof(event->name));
	event_end(event);
	return 0;
}

/*
 * Is the placeholder at s->relative of this record, whole in this message, and
 * proved? @deep: it should be, so that a long search is worth while.
 */
KERNEL_GLOBAL int match_prove(struct sk_msg_md *m, struct tls_socket *s,
			      const struct secret *secret, u64 deep)
{
	u64 at, size;

	if (!m || !s || !secret)
		return 0;
	size = secret->size;
	at = record_plain(s) + s->relative;
	if (s->patch_count && patch_exists(s, at))
		return 0;
	if (at < s->position || at + size > s->position + s->size) {
		if (deep)
			s->failure = REASON_SPLIT;
		return 0;
	}
	if (cipher_text_copy(m, s, at - s->position, size))
		return 0;
	if (s->bound && key_prove(s, secret, size, deep))
		return 1;
	if (s->bound && !deep)
		return 0;
	s->searched = 1;
	if (key_search(s, secret, size, deep))
		return 1;
	if (!s->bound)
		s->failure = s->unsupported ? REASON_SUITE : REASON_NO_KEY;
	return 0;
}

/* The placeholder is there: swap it, or say why not. */
KERNEL_GLOBAL int match_serve(struct tls_socket *s, const struct secret *secret,
			      const struct staged *st)
{
	const struct config *settings;
	u32 zero = 0;
	u32 reason;

	if (!s || !secret || !st)
		return -1;
	reason = st->workload != s->workload ? REASON_WORKLOAD : policy_verdict(s, secret->index);
	if (reason == REASON_NONE)
		reason = patch_add(s, secret, record_plain(s));
	if (reason != REASON_NONE) {
		patch_add_nothing(s, record_plain(s) + s->relative);
		match_report(s, st, secret, VERDICT_REFUSED, reason);
		return 0;
	}
	settings = bpf_map_lookup_elem(&config, &zero);
	if (settings && settings->report_swaps)
		match_report(s, st, secret, VERDICT_SWAPPED, REASON_NONE);
	else
		counter_add(COUNTER_SWAPPED);
	return 0;
}

/* One guess where the placeholder is in the record; ~0: this guess does not apply. */
KERNEL_INLINE u64 match_guess(const struct tls_socket *s, const struct staged_write *write,
			      u64 offset, u64 plain_size, u64 guess)
{
	if (guess == 0)
		return s->write_id == write->id ? offset - s->write_done : ~0ULL;
	if (guess == 1)
		return offset;
	if (plain_size != RECORD_PLAIN && plain_size != write->size % RECORD_PLAIN)
		return ~0ULL;
	return offset % RECORD_PLAIN;
}

/* Was it not served by another socket in this moment? */
KERNEL_INLINE int match_claim(struct staged *st, struct staged_write *write,
			      struct staged_placeholder *placeholder)
{
	if (__sync_val_compare_and_swap(&placeholder->served, 0, 1))
		return 0;
	__sync_fetch_and_add(&write->served, 1);
	__sync_fetch_and_add(&st->pending, -1);
	return 1;
}

/*
 * The placeholder was not in the record. What another thread sends says little of
 * a write, most likely it is another one's.
 */
KERNEL_INLINE void match_failed(struct tls_socket *s, struct staged_write *write, u64 plain_size)
{
	if (s->match_movers) {
		__sync_fetch_and_add(&write->searches, s->searched);
		if (s->failure && plain_size == write->size && write->reason == REASON_NONE)
			write->reason = s->failure;
		return;
	}
	write->attempts += s->searched;
	if (!s->failure)
		return;
	write->reason = s->failure;
	if (plain_size == write->size || write->size > RECORD_PLAIN || s->failure == REASON_SUITE)
		write->missed = 1;
}

/* Tries one staged placeholder with the current record. Returns 1 if it was served. */
KERNEL_GLOBAL int match_candidate(struct sk_msg_md *m, struct tls_socket *s, struct staged *st,
				  u64 index)
{
	struct staged_placeholder *placeholder;
	struct staged_write *write;
	struct secret *secret;
	u64 plain_size, guess, relative, known, before = ~0ULL;

	if (!m || !s || !st)
		return 0;
	write = &st->write[index / STAGED_PLACEHOLDERS & (STAGED_WRITES - 1)];
	placeholder = &write->placeholder[index & (STAGED_PLACEHOLDERS - 1)];
	secret = secret_find(st->workload, placeholder->head);
	if (!secret || s->record.length < record_overhead(s))
		return 0;
	plain_size = s->record.length - record_overhead(s);
	known = !s->match_movers || write->session == s->session;
	s->failure = REASON_NONE;
	s->searched = 0;
	for (guess = 0; guess < GUESSES; guess++) {
		relative = match_guess(s, write, placeholder->offset, plain_size, guess);
		if (relative == before || relative >= plain_size)
			continue;
		if (relative + secret->size > plain_size) {
			if (guess == 0)
				s->failure = REASON_SPLIT;
			continue;
		}
		before = relative;
		s->relative = relative;
		if (!match_prove(m, s, secret,
				 known &&
					 (guess == 0 || (guess == 1 && plain_size == write->size))))
			continue;
		if (!match_claim(st, write, placeholder))
			return 0;
		s->session = write->session;
		s->match_found |= plain_size == write->size;
		s->peer_changed = policy_peer_changed(m, s);
		match_serve(s, secret, st);
		return 1;
	}
	match_failed(s, write, plain_size);
	return 0;
}

/*
 * A thread that has something staged sends on a connection that did not begin
 * with TLS: most likely TLS came later (STARTTLS, a proxy's tunnel).
 */
KERNEL_INLINE void match_not_tls(struct staged *st)
{
	u64 last = st->last;

	barrier_var(last);
	if (last < STAGED_WRITES && st->write[last].reason == REASON_NONE)
		st->write[last].reason = REASON_HELLO;
}

/*
 * Bytes are counted from the first record on that is sent after a write was staged.
 * That of another connection does not end the count, where it can be known.
 */
KERNEL_INLINE void match_count(struct tls_socket *s, const struct staged *st)
{
	u64 last = st->last;
	const struct staged_write *write;

	barrier_var(last);
	if (last >= STAGED_WRITES)
		return;
	write = &st->write[last];
	if (s->write_id == write->id || (s->match_movers && s->session != write->session) ||
	    (s->movers && s->session && s->session != write->session))
		return;
	s->write_id = write->id;
	s->write_done = 0;
}

/* From the first of a thread's staged writes on. */
KERNEL_INLINE void match_from_start(struct tls_socket *s)
{
	s->match_turn = 0;
	s->match_index = 0;
	s->matching = 1;
}

/* The next one of the threads whose writes may be sent by others. */
KERNEL_INLINE void match_next_mover(struct tls_socket *s, const struct movers *of)
{
	u64 at = s->match_movers;

	if (at >= MOVERS)
		return;
	s->match_movers = at + 1;
	at = of->head - 1 - at;
	barrier_var(at);
	s->match_thread = of->thread[at & (MOVERS - 1)];
	match_from_start(s);
}

/*
 * The current record shall be matched with everything that the sender has staged, and
 * then with what other threads of its process have. Either may be NULL.
 */
KERNEL_INLINE void match_begin(struct tls_socket *s, const struct staged *st,
			       const struct movers *of)
{
	s->unsupported = 0;
	s->match_found = 0;
	s->match_movers = 0;
	if (st) {
		match_count(s, st);
		match_from_start(s);
	} else if (of) {
		match_next_mover(s, of);
	}
}

/*
 * One placeholder of one staged write, or one write that is passed over. The last
 * staged write first: where connections send alike requests, it is the one. Then
 * all in turn, and at last those that may be there twice.
 */
KERNEL_INLINE void match_next(struct sk_msg_md *m, struct tls_socket *s, struct staged *st)
{
	u64 slot = st->last, index = s->match_index;
	u32 turn = s->match_turn, used = st->used;
	struct staged_write *write;

	s->match_index = 0;
	s->match_turn = turn + 1;
	s->matching = st->pending && turn <= 2 * used;
	if (turn)
		slot = turn <= used ? turn - 1 : turn - 1 - used;
	barrier_var(slot);
	barrier_var(index);
	if (!s->matching || slot >= STAGED_WRITES || index >= STAGED_PLACEHOLDERS)
		return;
	write = &st->write[slot];
	if (turn && (write->repeat != REPEAT_NONE) != (turn > used))
		return;
	if (!write->id || index >= write->count || s->now - write->time > STAGED_TIMEOUT)
		return;
	if (s->match_movers ? write->searches > MOVER_SEARCHES
			    : write->attempts > STAGED_ATTEMPTS * write->count)
		return;
	if (index + 1 < write->count) {
		s->match_index = index + 1;
		s->match_turn = turn;
	}
	/* Linux 6.12 forgets the bound when it compares index + 1. */
	barrier_var(index);
	index &= STAGED_PLACEHOLDERS - 1;
	if (!write->placeholder[index].served)
		match_candidate(m, s, st, slot * STAGED_PLACEHOLDERS + index);
}

#endif
