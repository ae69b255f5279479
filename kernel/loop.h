/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf_loop(), also for the host. The verifier looks at the callback once, so
 * long as nothing that changes from turn to turn is kept on the stack: such
 * state belongs into a map value.
 */
#ifndef KLOAK_LOOP_H
#define KLOAK_LOOP_H

#ifdef __bpf__
#include "kernel/bpf.h"
#else
#include "kernel/types.h"

KERNEL_INLINE __attribute__((unused)) long bpf_loop(u32 turns, void *callback, void *context,
						    u64 flags)
{
	long (*step)(u32, void *) = (long (*)(u32, void *))callback;
	u32 i;

	(void)flags;
	for (i = 0; i < turns; i++)
		if (step(i, context))
			return i + 1;
	return turns;
}
#endif

#endif
