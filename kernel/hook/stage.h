/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Remembering what a thread has given to its TLS library, for the socket object
 * to find in the records that it sends.
 */
#ifndef KLOAK_HOOK_STAGE_H
#define KLOAK_HOOK_STAGE_H

#include "kernel/event.h"

#define STAGE_SIZE sizeof(struct staged)

BPF_MAP(stage_template, BPF_MAP_TYPE_ARRAY, sizeof(u32), sizeof(struct staged), 1, 0);

/* One call of a library's write function. */
struct plaintext {
	u64 buffer;  /* user address */
	u64 size;    /* bytes */
	u64 session; /* the library's connection object */
	u32 workload;
	u32 slot;
	struct staged *staged; /* NULL until a placeholder is found */
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
		__builtin_memcpy(event->head, head, sizeof(event->head));
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	event_end(event);
	return 0;
}

/* The thread's record, made when it writes its first placeholder. */
static inline struct staged *stage_get(void)
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
	return bpf_map_lookup_elem(&staged, &thread);
}

/* Frees a slot, and says what became of placeholders that nobody saw leaving. */
KERNEL_GLOBAL int stage_drop(struct staged *st, u64 slot)
{
	struct staged_write *write;
	u32 i;

	if (!st)
		return -1;
	write = &st->write[slot & (STAGED_WRITES - 1)];
	for (i = 0; i < STAGED_PLACEHOLDERS; i++) {
		struct staged_placeholder *placeholder = &write->placeholder[i];

		if (i >= write->count)
			break;
		if (placeholder->served)
			continue;
		st->pending--;
		if (!write->repeated)
			stage_report(st->workload,
				     (const struct placeholder_head *)placeholder->head,
				     placeholder->size,
				     write->reason ? write->reason : REASON_UNSEEN);
	}
	write->id = 0;
	write->count = 0;
	return 0;
}

/* How many placeholders of the write were served. */
static inline u32 stage_served(const struct staged_write *write)
{
	u32 served = 0;
	u32 i;

	for (i = 0; i < STAGED_PLACEHOLDERS; i++)
		if (i < write->count)
			served += write->placeholder[i].served;
	return served;
}

/* The search for a slot. Lower rank is better: see stage_rank(). */
struct stage_search {
	struct staged *st;
	u64 session;
	u64 size;
	u64 rank;
	u64 now;
	u32 slot;
	u32 like; /* found a write that looks the same */
};

/* Slots to take: first those never used, then the longest served, then the oldest. */
static inline u64 stage_rank(const struct staged_write *write)
{
	if (!write->id)
		return 0;
	return stage_served(write) == write->count ? write->id : write->id | 1ULL << 63;
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
	if (write->id && write->session == search->session && write->size == search->size) {
		search->slot = slot;
		search->like = 1;
		return 1;
	}
	rank = stage_rank(write);
	if (rank < search->rank) {
		search->rank = rank;
		search->slot = slot;
	}
	return slot >= search->st->used;
}

/*
 * Opens a slot for a write. Where a write of the same size on the same
 * connection is there already, it may be the same write: when the transport
 * takes only a part, libraries want the same call again, and send what they
 * have encrypted before. What was served then is staged once more, in vain if
 * it was a retry, rightly if it is a new write; so it is not reported if nobody
 * sees it. The id stays, so that the socket goes on counting where it was.
 */
KERNEL_GLOBAL int stage_open(struct staged *st, u64 session, u64 size)
{
	struct stage_search search = {
		.st = st, .session = session, .size = size, .rank = ~0ULL,
		.now = bpf_ktime_get_ns(),
	};
	struct staged_write *write;
	u32 repeated = 0;
	u64 slot, id = 0;

	if (!st)
		return -1;
	bpf_loop(STAGED_WRITES, stage_search_step, &search, 0);
	slot = search.slot;
	barrier_var(slot);
	if (slot >= STAGED_WRITES)
		return -1;
	write = &st->write[slot];
	if (search.like) {
		repeated = stage_served(write) || write->repeated;
		if (repeated || !write->missed) {
			write->repeated = 1;
			id = write->id;
		}
	}
	stage_drop(st, slot);
	if (slot >= st->used)
		st->used = slot + 1;
	write->id = id ? id : ++st->next_id;
	write->time = search.now;
	write->session = session;
	write->size = size;
	write->reason = REASON_NONE;
	write->attempts = 0;
	write->missed = 0;
	write->repeated = repeated;
	st->last = slot;
	return slot;
}

/* Adds a placeholder that was found at @offset of the write. */
static inline void stage_add(struct plaintext *text, const struct secret *secret, u64 offset)
{
	struct staged_placeholder *placeholder;
	struct staged_write *write;
	u64 index;

	if (!text->staged) {
		text->staged = stage_get();
		if (!text->staged) {
			stage_report(text->workload,
				     (const struct placeholder_head *)secret->placeholder,
				     secret->size, REASON_BUSY);
			return;
		}
		text->staged->workload = text->workload;
		bpf_get_current_comm(text->staged->comm, sizeof(text->staged->comm));
		text->slot = stage_open(text->staged, text->session, text->size);
	}
	write = &text->staged->write[text->slot & (STAGED_WRITES - 1)];
	index = write->count;
	barrier_var(index);
	if (index >= STAGED_PLACEHOLDERS) {
		stage_report(text->workload, (const struct placeholder_head *)secret->placeholder,
			     secret->size, REASON_TOO_MANY);
		return;
	}
	placeholder = &write->placeholder[index];
	placeholder->offset = offset;
	placeholder->size = secret->size;
	placeholder->served = 0;
	__builtin_memcpy(placeholder->head, secret->placeholder, PLACEHOLDER_HEAD);
	write->count = index + 1;
	text->staged->pending++;
}

#endif
