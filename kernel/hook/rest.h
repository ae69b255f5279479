/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libraries that make one record of what they are given, and say how much they
 * took: the application calls again with the rest, until nothing is left. Each
 * call shows all of the rest, but only what begins in a record's worth of it is
 * staged.
 *
 * Records may be smaller, if the peer wants that (RFC 8449; RFC 6066, section 4).
 * Then placeholders are staged that this call does not send, and that the next one
 * shows again. So a call that ends at the same address as an earlier one, and
 * is smaller, tells how much that one took: what was staged behind that is
 * forgotten. What began before stays, were it only cut by the end of the record.
 */
#ifndef KLOAK_HOOK_REST_H
#define KLOAK_HOOK_REST_H

#include "kernel/hook/scan.h"

#define REST_RECORD (1 << 14) /* bytes that a record has at most: RFC 8446, section 5.1 */

struct rest {
	struct staged *st;
	u64 session;
	u64 end;
	u64 size;
};

/* Forgets the placeholders of a write from the offset @from on. They are in order. */
KERNEL_GLOBAL int rest_forget(struct staged *st, u64 slot, u64 from)
{
	struct staged_write *write;
	u32 i, kept = 0;

	if (!st)
		return -1;
	write = &st->write[slot & (STAGED_WRITES - 1)];
	for (i = 0; i < STAGED_PLACEHOLDERS && i < write->count; i++) {
		struct staged_placeholder *placeholder = &write->placeholder[i];

		if (placeholder->offset < from)
			kept = i + 1;
		else if (placeholder->served)
			write->served--;
		else
			__sync_fetch_and_add(&st->pending, -1);
	}
	write->count = kept;
	if (!kept)
		write->id = 0;
	return 0;
}

static long rest_step(u32 i, struct rest *rest)
{
	const struct staged_write *write;
	u64 slot = i;

	barrier_var(slot);
	if (slot >= STAGED_WRITES || slot >= rest->st->used)
		return 1;
	write = &rest->st->write[slot];
	if (write->id && write->session == rest->session && write->end == (u32)rest->end &&
	    write->size > rest->size)
		rest_forget(rest->st, slot, write->size - rest->size);
	return 0;
}

/* A write begins that may be the rest of earlier ones of this thread. */
KERNEL_GLOBAL int rest_begin(u64 session, u64 buffer, u64 size)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct rest rest = { .session = session, .end = buffer + size, .size = size };

	rest.st = bpf_map_lookup_elem(&staged, &thread);
	if (rest.st && rest.st->pending)
		bpf_loop(STAGED_WRITES, rest_step, &rest, 0);
	return 0;
}

/* scan_plaintext() for such a library. */
KERNEL_INLINE void scan_record(u64 session, u64 buffer, u64 size)
{
	rest_begin(session, buffer, size);
	scan_plaintext_until(session, buffer, size, size < REST_RECORD ? size : REST_RECORD);
}

#endif
