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

static inline void stage_report(u32 workload, const u8 *head, u32 size, u32 index, u32 reason)
{
	struct event *event = event_begin(VERDICT_REFUSED, reason, workload);

	if (!event)
		return;
	event->size = size;
	event->secret = index;
	if (head)
		__builtin_memcpy(event->head, head, sizeof(event->head));
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	event_end(event);
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
			stage_report(st->workload, placeholder->head, placeholder->size, ~0U,
				     write->reason ? write->reason : REASON_UNSEEN);
	}
	write->id = 0;
	write->count = 0;
	return 0;
}

/* How many placeholders of the write in @slot were served. */
static inline u32 stage_served(const struct staged_write *write)
{
	u32 served = 0;
	u32 i;

	for (i = 0; i < STAGED_PLACEHOLDERS; i++)
		if (i < write->count)
			served += write->placeholder[i].served;
	return served;
}

/*
 * Opens a slot for a write: the oldest, or that of a like write on the same
 * connection. That one may be the same write: when the transport takes only a
 * part, libraries want the same call again, and send what they have encrypted
 * before. What was served then is staged once more, in vain if it was a retry,
 * rightly if it is a new write; so it is not reported if nobody sees it. The id
 * stays, so that the socket goes on counting where it was.
 */
KERNEL_GLOBAL int stage_open(struct staged *st, u64 session, u64 size)
{
	u64 oldest = ~0ULL;
	u64 slot = 0;
	u64 id = 0;
	u32 repeated = 0;
	u32 i;

	if (!st)
		return -1;
	for (i = 0; i < STAGED_WRITES; i++) {
		struct staged_write *write = &st->write[i];

		if (write->id && write->session == session && write->size == size) {
			slot = i;
			if (stage_served(write) || write->repeated)
				repeated = 1;
			if (repeated || !write->attempts) {
				write->repeated = 1;
				id = write->id;
			}
			break;
		}
		if (write->id < oldest) {
			oldest = write->id;
			slot = i;
		}
	}
	stage_drop(st, slot);
	slot &= STAGED_WRITES - 1;
	st->write[slot].id = id ? id : ++st->next_id;
	st->write[slot].time = bpf_ktime_get_ns();
	st->write[slot].session = session;
	st->write[slot].size = size;
	st->write[slot].reason = REASON_NONE;
	st->write[slot].attempts = 0;
	st->write[slot].repeated = repeated;
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
		if (!text->staged)
			return;
		text->staged->workload = text->workload;
		bpf_get_current_comm(text->staged->comm, sizeof(text->staged->comm));
		text->slot = stage_open(text->staged, text->session, text->size);
	}
	write = &text->staged->write[text->slot & (STAGED_WRITES - 1)];
	index = write->count;
	barrier_var(index);
	if (index >= STAGED_PLACEHOLDERS) {
		stage_report(text->workload, secret->placeholder, secret->size, secret->index,
			     REASON_TOO_MANY);
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
