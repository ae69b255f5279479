// SPDX-License-Identifier: GPL-2.0-only
/* Writes its function's arguments to a ring buffer; drops those whose second one is 0. */
#include "kernel/arch.h"
#include "kernel/bpf.h"

BPF_MAP(events, BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0);

struct record {
	u64 first, second, sequence;
	u8 odd; /* sizes need not be multiples of 8 */
} __attribute__((packed));

u64 sequence;

SEC("uprobe.s")
int on_event(struct pt_regs *ctx)
{
	struct record *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

	if (!record)
		return 0;
	record->first = arg1(ctx);
	record->second = arg2(ctx);
	record->sequence = sequence++;
	record->odd = 0x5a;
	if (arg2(ctx))
		bpf_ringbuf_submit(record, 0);
	else
		bpf_ringbuf_discard(record, 0);
	return 0;
}

LICENSE("GPL");
