// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program that the verifier refuses, unless it knows that the branch is dead:
 * which it does only if .rodata is frozen before the program is loaded. Also
 * defines the map "results" of calls.bpf.c, to share it.
 */
#include "kernel/arch.h"
#include "kernel/bpf.h"

BPF_MAP(results, BPF_MAP_TYPE_ARRAY, sizeof(u32), sizeof(u64), 16, 0);

const volatile u32 take_bad_branch = 0;

SEC("uprobe/guarded")
int guarded(struct pt_regs *ctx)
{
	u32 index = 12;
	u64 *value = bpf_map_lookup_elem(&results, &index);

	if (take_bad_branch)
		*value = arg1(ctx); /* not checked for NULL */
	if (value)
		*value += arg1(ctx);
	return 0;
}

LICENSE("GPL");
