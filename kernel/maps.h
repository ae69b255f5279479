/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps that BPF objects share, by name. An object that includes this file
 * gets those that it uses: the loader creates a map once and hands it to every
 * object that names it. Contents: kernel/abi.h.
 */
#ifndef KLOAK_MAPS_H
#define KLOAK_MAPS_H

#include "kernel/abi.h"
#include "kernel/bpf.h"

#define EVENTS_SIZE   (1024 * 1024)
#define MAX_WORKLOADS 1024
#define MAX_SECRETS   4096
#define MAX_RULES     8192
#define MAX_SOCKETS   65536
#define MAX_KEYS      16384
#define MAX_PROCESSES 4096
#define MAX_THREADS   2048

BPF_MAP(config, BPF_MAP_TYPE_ARRAY, sizeof(u32), sizeof(struct config), 1, 0);
BPF_MAP(workloads, BPF_MAP_TYPE_HASH, sizeof(u64), sizeof(struct workload), MAX_WORKLOADS,
	BPF_F_NO_PREALLOC);
BPF_MAP(secrets, BPF_MAP_TYPE_HASH, sizeof(struct secret_key), sizeof(struct secret), MAX_SECRETS,
	BPF_F_NO_PREALLOC);
BPF_MAP(keys, BPF_MAP_TYPE_LRU_HASH, sizeof(struct key_slot), sizeof(struct traffic_key), MAX_KEYS,
	0);
BPF_MAP(key_heads, BPF_MAP_TYPE_LRU_HASH, sizeof(u32), sizeof(u32), MAX_PROCESSES, 0);
/* Made when a thread writes its first placeholder; user space removes those of dead threads. */
BPF_MAP(staged, BPF_MAP_TYPE_HASH, sizeof(u64), sizeof(struct staged), MAX_THREADS,
	BPF_F_NO_PREALLOC);
BPF_MAP(movers, BPF_MAP_TYPE_LRU_HASH, sizeof(u32), sizeof(struct movers), MAX_PROCESSES, 0);
BPF_MAP(events, BPF_MAP_TYPE_RINGBUF, 0, 0, EVENTS_SIZE, 0);
BPF_MAP(counters, BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(u32), sizeof(u64), COUNTER_COUNT, 0);

KERNEL_INLINE void counter_add(u32 counter)
{
	u64 *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		++*value;
}

#endif
