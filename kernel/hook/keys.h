/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ring of traffic keys of a process (kernel/abi.h). A hook calls key_add()
 * with key and IV together; libraries that derive them one after the other
 * bring them together per thread first, so that threads cannot mix them up.
 */
#ifndef KLOAK_HOOK_KEYS_H
#define KLOAK_HOOK_KEYS_H

#include "kernel/maps.h"

KERNEL_INLINE void key_add(const struct traffic_key *key)
{
	struct key_slot slot = { .tgid = bpf_get_current_pid_tgid() >> 32 };
	u32 zero = 0;
	u32 *head = bpf_map_lookup_elem(&key_heads, &slot.tgid);

	if (!head) {
		bpf_map_update_elem(&key_heads, &slot.tgid, &zero, BPF_NOEXIST);
		head = bpf_map_lookup_elem(&key_heads, &slot.tgid);
		if (!head)
			return;
	}
	slot.index = __sync_fetch_and_add(head, 1);
	bpf_map_update_elem(&keys, &slot, key, BPF_ANY);
	counter_add(COUNTER_KEYS);
}

#endif
