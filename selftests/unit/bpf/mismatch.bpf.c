// SPDX-License-Identifier: GPL-2.0-only
/* Defines the map "results" of calls.bpf.c with another value size. */
#include "kernel/arch.h"
#include "kernel/bpf.h"

BPF_MAP(results, BPF_MAP_TYPE_ARRAY, sizeof(u32), 2 * sizeof(u64), 16, 0);

SEC("uprobe")
int mismatched(struct pt_regs *ctx)
{
	u32 index = 0;

	return bpf_map_lookup_elem(&results, &index) && arg1(ctx);
}

LICENSE("GPL");
