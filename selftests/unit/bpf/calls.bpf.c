// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the loader has to get right in one small object, for test_bpf_load.c:
 * static and global functions, a bpf_loop callback, constants, variables, a
 * shared map. A probe on a function of two arguments writes what it computed
 * to "results".
 */
#include "kernel/arch.h"
#include "kernel/bpf.h"

#define RESULTS 16

BPF_MAP(results, BPF_MAP_TYPE_ARRAY, sizeof(u32), sizeof(u64), RESULTS, 0);
BPF_MAP(unused, BPF_MAP_TYPE_ARRAY, sizeof(u32), sizeof(u64), 1, 0);

struct pair {
	u64 first, second;
	u8 bytes[48];
};

const volatile u32 patched = 7;
const volatile u64 table[4] = { 10, 20, 30, 40 };
u64 counter = 100;
u64 zeroed;

static void result_set(u32 index, u64 value)
{
	bpf_map_update_elem(&results, &index, &value, BPF_ANY);
}

KERNEL_STATIC u64 static_add(u64 a, u64 b)
{
	return a + b + table[1];
}

/* Reached through global_sum() only. */
KERNEL_STATIC u64 static_deep(u64 a)
{
	return a ^ table[2];
}

/* Verified on its own: must not trust that the pointer is there. */
KERNEL_GLOBAL int global_sum(struct pair *pair, u64 factor)
{
	if (!pair)
		return -1;
	pair->bytes[47] = 1;
	return (int)(pair->first * factor + static_add(pair->second, static_deep(41)));
}

KERNEL_GLOBAL int global_context(struct pt_regs *ctx)
{
	return (int)arg2(ctx);
}

static long add_index(u64 index, void *context)
{
	*(u64 *)context += index;
	return 0;
}

/* In the section of a program, but called: no program. */
SEC("uprobe/entry")
KERNEL_GLOBAL int in_section(u64 a)
{
	return (int)(a * 3);
}

SEC("uprobe/entry")
int on_entry(struct pt_regs *ctx)
{
	struct pair pair = { .first = 3, .second = 4 };
	u64 sum = 0;

	result_set(0, arg1(ctx));
	result_set(1, arg2(ctx));
	result_set(2, static_add(1, 2));
	result_set(3, global_sum(&pair, 5));
	bpf_loop(10, add_index, &sum, 0);
	result_set(4, sum);
	result_set(5, patched);
	result_set(6, ++counter);
	result_set(7, zeroed += 2);
	result_set(8, global_context(ctx));
	result_set(9, table[arg1(ctx) & 3]);
	result_set(13, in_section(arg1(ctx)));
	return 0;
}

SEC("uretprobe/leave")
int on_return(struct pt_regs *ctx)
{
	u32 index = 10;
	u64 value = return_value(ctx), *seen;

	result_set(10, value);
	index = 11;
	seen = bpf_map_lookup_elem(&results, &index);
	if (seen)
		__sync_fetch_and_add(seen, 1);
	return 0;
}

LICENSE("GPL");
