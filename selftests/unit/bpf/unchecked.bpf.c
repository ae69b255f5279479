// SPDX-License-Identifier: GPL-2.0-only
/*
 * A global function that trusts its pointer. Verified with its caller, as a
 * static one would be, it is fine; verified on its own it must be refused.
 */
#include "kernel/arch.h"
#include "kernel/bpf.h"

struct words {
	u64 word[2];
};

KERNEL_GLOBAL int trusting(struct words *words)
{
	return (int)words->word[1];
}

SEC("uprobe")
int unchecked(struct pt_regs *ctx)
{
	struct words words = { { 1, arg1(ctx) } };

	return trusting(&words);
}

LICENSE("GPL");
