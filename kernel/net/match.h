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
 */
#ifndef KLOAK_NET_MATCH_H
#define KLOAK_NET_MATCH_H

#include "kernel/event.h"
#include "kernel/net/patch.h"
#include "kernel/net/policy.h"
#include "kernel/net/prove.h"

#define GUESSES	       3
#define STAGED_TIMEOUT 30000000000ULL /* ns: older writes are not tried any more */
#define STAGED_ATTEMPTS 64	      /* records that a write is tried with in vain */

static inline u32 record_overhead(const struct tls_socket *s)
{
	return s->version == TLS_VERSION_12 ? TLS12_OVERHEAD : TLS13_OVERHEAD;
}

/* Stream offset of the first plaintext byte of the current record. */
static inline u64 record_plain(const struct tls_socket *s)
{
	return s->record.start + RECORD_HEADER + (s->version == TLS_VERSION_12 ? RECORD_NONCE : 0);
}

static inline void match_report(const struct tls_socket *s, const struct staged *st,
				const struct secret *secret, u32 verdict, u32 reason)
{
	struct event *event = event_begin(verdict, reason, st->workload);

	if (!event)
		return;
	event->secret = secret->index;
	event->size = secret->size;
	event->port = s->port;
	__builtin_memcpy(event->address, s->address, sizeof(event->address));
	__builtin_memcpy(event->comm, st->comm, sizeof(event->comm));
	__builtin_memcpy(event->head, secret->placeholder, sizeof(event->head));
	__builtin_memcpy(event->name, s->name, sizeof(event->name));
	event_end(event);
}

/* Is the placeholder at s->relative of this record, whole in this message, and proved? */
static inline int match_prove(struct sk_msg_md *m, struct tls_socket *s,
			      const struct secret *secret, u64 deep)
{
	u64 at, size;

	size = secret->size;
	at = record_plain(s) + s->relative;
	if (at < s->position || at + size > s->position + s->size) {
		s->failure = REASON_SPLIT;
		return 0;
	}
	if (cipher_text_copy(m, s, at - s->position, size))
		return 0;
	if (s->bound && key_prove(s, secret, size, deep))
		return 1;
	if (s->bound && !deep)
		return 0;
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

/* Tries one staged placeholder with the current record. Returns 1 if it was served. */
KERNEL_GLOBAL int match_candidate(struct sk_msg_md *m, struct tls_socket *s, struct staged *st,
				  u64 index)
{
	struct staged_placeholder *placeholder;
	struct staged_write *write;
	struct secret *secret;
	u64 plain_size, guess, relative, before = ~0ULL, deep;

	if (!m || !s || !st)
		return 0;
	write = &st->write[index / STAGED_PLACEHOLDERS & (STAGED_WRITES - 1)];
	placeholder = &write->placeholder[index & (STAGED_PLACEHOLDERS - 1)];
	secret = secret_find(st->workload, placeholder->head);
	if (!secret || s->record.length < record_overhead(s))
		return 0;
	plain_size = s->record.length - record_overhead(s);
	deep = plain_size == write->size || plain_size == RECORD_PLAIN;
	for (guess = 0; guess < GUESSES; guess++) {
		relative = placeholder->offset;
		if (guess == 0 && s->write_id == write->id)
			relative -= s->write_done;
		else if (guess == 2)
			relative %= RECORD_PLAIN;
		if (relative == before || relative > RECORD_PLAIN ||
		    relative + secret->size > plain_size)
			continue;
		before = relative;
		s->relative = relative;
		if (patch_exists(s, record_plain(s) + relative) ||
		    !match_prove(m, s, secret, deep))
			continue;
		placeholder->served = 1;
		st->pending--;
		match_serve(s, secret, st);
		return 1;
	}
	write->reason = s->failure;
	return 0;
}

struct match {
	struct sk_msg_md *m;
	struct tls_socket *s;
	struct staged *st;
	u64 now;
};

/* One staged write. */
static long match_step(u32 i, struct match *match)
{
	struct staged_write *write = &match->st->write[i & (STAGED_WRITES - 1)];
	u32 k;

	if (!write->id || write->attempts > STAGED_ATTEMPTS ||
	    match->now - write->time > STAGED_TIMEOUT)
		return 0;
	for (k = 0; k < STAGED_PLACEHOLDERS; k++) {
		if (k >= write->count)
			break;
		if (!write->placeholder[k].served &&
		    !match_candidate(match->m, match->s, match->st, i * STAGED_PLACEHOLDERS + k))
			write->attempts++;
	}
	return 0;
}

/* Matches the current record with everything that this thread has staged. */
static inline void match_record(struct sk_msg_md *m, struct tls_socket *s, struct staged *st)
{
	struct match match = {.m = m, .s = s, .st = st, .now = bpf_ktime_get_ns()};

	s->failure = REASON_UNSEEN;
	s->unsupported = 0;
	if (s->write_id != st->next_id) {
		s->write_id = st->next_id;
		s->write_done = 0;
	}
	bpf_loop(STAGED_WRITES, match_step, &match, 0);
}

#endif
