/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reporting. A wake-up of user space costs more than a swap, so events only
 * wake it when the ring is getting full; user space polls at leisure else.
 */
#ifndef KLOAK_EVENT_H
#define KLOAK_EVENT_H

#include "kernel/maps.h"

#define EVENTS_WAKE (EVENTS_SIZE / 4)

/* A zeroed event with what is known of the current thread, or NULL (and counted). */
KERNEL_INLINE struct event *event_begin(u32 verdict, u32 reason, u32 workload)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct event *event;

	counter_add(verdict == VERDICT_SWAPPED ? COUNTER_SWAPPED : COUNTER_REFUSED);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		counter_add(COUNTER_EVENTS_LOST);
		return NULL;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->time = bpf_ktime_get_ns();
	event->verdict = verdict;
	event->reason = reason;
	event->workload = workload;
	event->pid = thread >> 32;
	event->tid = (u32)thread;
	event->secret = ~0U;
	return event;
}

KERNEL_INLINE void event_end(struct event *event)
{
	u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);

	bpf_ringbuf_submit(event, waiting > EVENTS_WAKE ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

#endif
