/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Remembering what a thread has given to its TLS library, for the socket object
 * to find in the records that it sends.
 */
#ifndef KLOAK_HOOK_STAGE_H
#define KLOAK_HOOK_STAGE_H

#include "kernel/event.h"

#define STAGE_EASY    8 /* slots that are taken into use without need */
#define STAGE_NONE    (~0U)
#define STAGE_ID_BITS 32 /* of a write's id; the thread is above: it has 22 bits at most */

BPF_MAP(stage_template, BPF_MAP_TYPE_ARRAY, sizeof(u32), sizeof(struct staged), 1, 0);

/* Set by a hook before it includes this, if its library's writes may leave by another thread. */
#ifndef STAGE_MOVES
#define STAGE_MOVES 0
#endif

/*
 * Set to 0 by a hook whose library has no retries: each of its writes is a new
 * one, however much it is like another.
 */
#ifndef STAGE_RETRIES
#define STAGE_RETRIES 1
#endif

/* One call of a library's write function. */
struct plaintext {
	u64 buffer;  /* user address */
	u64 size;    /* bytes */
	u64 before;  /* bytes in front of these, which leave together with them */
	u64 until;   /* what begins from this offset on is not looked at */
	u64 session; /* the library's connection object */
	u32 workload;
	u32 slot; /* of its thread's record; STAGE_NONE until a placeholder is found */
};

struct placeholder_head {
	u8 byte[PLACEHOLDER_HEAD];
};

/* A placeholder leaves unchanged; @head may be NULL. The index of the secret is not known here. */
KERNEL_GLOBAL int stage_report(u64 workload, const struct placeholder_head *head, u64 size,
			       u64 reason)
{
	struct event *event = event_begin(VERDICT_REFUSED, reason, workload);

	if (!event)
		return -1;
	event->size = size;
	if (head)
		copy_fours(event->head, head, sizeof(event->head));
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	event_end(event);
	return 0;
}

/* Makes this thread one of those whose writes may be sent by others of its process. */
KERNEL_GLOBAL int stage_note_mover(void)
{
	u64 thread = bpf_get_current_pid_tgid();
	u32 tgid = thread >> 32;
	struct movers *of = bpf_map_lookup_elem(&movers, &tgid);
	struct movers fresh;
	u64 at;
	u32 i;

	if (!of) {
		__builtin_memset(&fresh, 0, sizeof(fresh));
		bpf_map_update_elem(&movers, &tgid, &fresh, BPF_NOEXIST);
		of = bpf_map_lookup_elem(&movers, &tgid);
		if (!of)
			return -1;
	}
	for (i = 0; i < MOVERS; i++)
		if (of->thread[i] == thread)
			return 0;
	at = __sync_fetch_and_add(&of->head, 1);
	barrier_var(at);
	at &= MOVERS - 1;
	of->thread[at] = thread;
	return 0;
}

/* The thread's record, made when it writes its first placeholder. */
KERNEL_INLINE struct staged *stage_get(void)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct staged *staged_thread = bpf_map_lookup_elem(&staged, &thread);
	u32 zero = 0;
	void *template;

	if (staged_thread)
		return staged_thread;
	template = bpf_map_lookup_elem(&stage_template, &zero);
	if (!template)
		return NULL;
	bpf_map_update_elem(&staged, &thread, template, BPF_NOEXIST);
	staged_thread = bpf_map_lookup_elem(&staged, &thread);
	if (staged_thread)
		staged_thread->next_id = (thread & 0xffffffff) << STAGE_ID_BITS;
	return staged_thread;
}

struct stage_rest {
	struct staged *st;
	struct staged_write *write;
};

/* One placeholder of a write that is dropped. */
static long stage_drop_step(u32 i, struct stage_rest *rest)
{
	struct staged_placeholder *placeholder;
	u64 index = i;

	barrier_var(index);
	if (index >= STAGED_PLACEHOLDERS)
		return 1;
	placeholder = &rest->write->placeholder[index];
	if (placeholder->served)
		return 0;
	__sync_fetch_and_add(&rest->st->pending, -1);
	if (!rest->write->repeat)
		stage_report(rest->st->workload, (const struct placeholder_head *)placeholder->head,
			     placeholder->size,
			     rest->write->reason ? rest->write->reason : REASON_UNSEEN);
	return 0;
}

/* Frees a slot, and says what became of placeholders that nobody saw leaving. */
KERNEL_GLOBAL int stage_drop(struct staged *st, u64 slot)
{
	struct stage_rest rest = { .st = st };

	if (!st)
		return -1;
	rest.write = &st->write[slot & (STAGED_WRITES - 1)];
	if (rest.write->served != rest.write->count)
		bpf_loop(rest.write->count, stage_drop_step, &rest, 0);
	rest.write->id = 0;
	rest.write->count = 0;
	rest.write->served = 0;
	return 0;
}

/*
 * The search for a slot. What it finds is in the thread's record: the best slot
 * in .last, its rank in .search_rank (lower is better, see stage_rank()), and in
 * .search_id the id of a like write that was served, or 0.
 */
struct stage_search {
	struct staged *st;
	u64 session;
	u64 size;
	u64 begin;
	u64 now;
};

/*
 * Slots to take: a few that were never used first, so that served writes are
 * remembered for their retries; then those that were served; then more unused
 * ones; then those that are no news; the oldest first in each. Slots in use
 * cost time in every search.
 */
KERNEL_INLINE u64 stage_rank(const struct staged_write *write, u32 used)
{
	if (!write->id)
		return used < STAGE_EASY ? 0 : 1ULL << 61;
	if (write->served == write->count)
		return write->id;
	return write->id | (write->repeat ? 1ULL << 62 : 1ULL << 63);
}

/*
 * A write of the same size on the same connection may be the same write: when
 * the transport takes only a part, or the handshake is not over, libraries want
 * the same call again. Or it is the next one, and the first still waits in a
 * memory BIO. So both stay staged, and only the newer one is reported if nobody
 * sees it; none is, if one was served already.
 */
KERNEL_INLINE void stage_like(struct stage_search *search, struct staged_write *write)
{
	if (write->served)
		write->repeat = REPEAT_OF_SERVED;
	else if (!write->repeat && !write->missed)
		write->repeat = REPEAT_SUPERSEDED;
	if (write->repeat == REPEAT_OF_SERVED)
		search->st->search_id = write->id;
}

/*
 * The library took only the first @taken bytes of a write, as some do with each
 * that is more than a record, or than their buffer, and is given the rest. What
 * lies behind them is the new write's.
 */
KERNEL_INLINE void stage_shorten(struct staged *st, struct staged_write *write, u64 taken)
{
	u32 i;

	for (i = 0; i < STAGED_PLACEHOLDERS; i++) {
		struct staged_placeholder *placeholder = &write->placeholder[i];

		if (i >= write->count)
			break;
		if (placeholder->served || placeholder->offset < taken)
			continue;
		placeholder->served = 1;
		write->served++;
		__sync_fetch_and_add(&st->pending, -1);
	}
}

/* Another write on the same connection. One that begins inside of it, or at its end, goes on. */
KERNEL_INLINE void stage_compare(struct stage_search *search, struct staged_write *write)
{
	u64 taken = (u32)(search->begin - write->begin);

	if (taken && taken <= write->size)
		stage_shorten(search->st, write, taken);
	else if (write->size == search->size)
		stage_like(search, write);
}

static long stage_search_step(u32 i, struct stage_search *search)
{
	struct staged_write *write;
	u64 slot = i;
	u64 rank;

	barrier_var(slot);
	if (slot >= STAGED_WRITES)
		return 1;
	write = &search->st->write[slot];
	if (write->id && search->now - write->time > STAGED_TIMEOUT)
		stage_drop(search->st, slot);
	if (STAGE_RETRIES && write->id && write->session == search->session)
		stage_compare(search, write);
	rank = stage_rank(write, search->st->used);
	if (rank < search->st->search_rank) {
		search->st->search_rank = rank;
		search->st->last = slot;
	}
	return slot >= search->st->used;
}

/*
 * Opens a slot for a write. Where a like one was served, the id stays, so that
 * the socket goes on counting where it was if this is its retry.
 */
KERNEL_GLOBAL int stage_open(struct staged *st, u64 session, u64 size, u64 begin)
{
	struct stage_search search = {
		.st = st,
		.session = session,
		.size = size,
		.begin = begin,
		.now = bpf_ktime_get_ns(),
	};
	struct staged_write *write;
	u64 slot;

	if (!st)
		return -1;
	st->search_rank = ~0ULL;
	st->search_id = 0;
	bpf_loop(STAGED_WRITES, stage_search_step, &search, 0);
	slot = st->last;
	barrier_var(slot);
	if (slot >= STAGED_WRITES)
		return -1;
	write = &st->write[slot];
	stage_drop(st, slot);
	if (slot >= st->used)
		st->used = slot + 1;
	write->id = st->search_id ? st->search_id : ++st->next_id;
	write->time = search.now;
	write->session = session;
	write->size = size;
	write->begin = begin;
	write->reason = REASON_NONE;
	write->attempts = 0;
	write->searches = 0;
	write->missed = 0;
	write->repeat = st->search_id ? REPEAT_OF_SERVED : REPEAT_NONE;
	return slot;
}

/* The thread's record, with a slot for this write. */
KERNEL_INLINE struct staged *stage_begin(struct plaintext *text)
{
	struct staged *st = stage_get();

	if (!st || text->slot != STAGE_NONE)
		return st;
	st->workload = text->workload;
	bpf_get_current_comm(st->comm, sizeof(st->comm));
	text->slot = stage_open(st, text->session, text->before + text->size,
				text->buffer - text->before);
	st->write[text->slot & (STAGED_WRITES - 1)].end = text->buffer + text->size;
	if (STAGE_MOVES)
		stage_note_mover();
	return st;
}

/* Adds a placeholder that was found at @offset of the write. */
KERNEL_INLINE int stage_add(struct plaintext *text, const struct secret *secret, u64 offset)
{
	const struct placeholder_head *head = (const void *)secret->placeholder;
	struct staged *st = stage_begin(text);
	struct staged_placeholder *placeholder;
	struct staged_write *write;
	u64 index;

	if (!st)
		return stage_report(text->workload, head, secret->size, REASON_BUSY);
	write = &st->write[text->slot & (STAGED_WRITES - 1)];
	index = write->count;
	barrier_var(index);
	if (index >= STAGED_PLACEHOLDERS)
		return stage_report(text->workload, head, secret->size, REASON_TOO_MANY);
	placeholder = &write->placeholder[index];
	placeholder->offset = text->before + offset;
	placeholder->size = secret->size;
	placeholder->served = 0;
	copy_fours(placeholder->head, head, PLACEHOLDER_HEAD);
	write->count = index + 1;
	__sync_fetch_and_add(&st->pending, 1);
	return 0;
}

#endif
