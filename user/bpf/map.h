/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BPF maps. A map is its fd: the last close removes it, unless a program uses it.
 * All functions return 0 (or an fd) or -errno.
 */
#ifndef KLOAK_BPF_MAP_H
#define KLOAK_BPF_MAP_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_map_shape {
	uint32_t type; /* enum bpf_map_type */
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
	uint32_t flags;
};

/*
 * Makes a map; returns its fd. @name is for tools such as bpftool: it is cut
 * to 15 characters, others than [A-Za-z0-9_.] become '_'.
 *
 * Socket storage differs from all others: the kernel wants its key and value
 * described by BTF, BPF_F_NO_PREALLOC and no max_entries. That is done here.
 */
int bpf_map_create(const char *name, const struct bpf_map_shape *shape);

/* What the kernel says about an existing map. */
int bpf_map_read_shape(int fd, struct bpf_map_shape *shape);

/* @flags: BPF_ANY, BPF_NOEXIST (-EEXIST), BPF_EXIST (-ENOENT). */
int bpf_map_update(int fd, const void *key, const void *value, uint64_t flags);
int bpf_map_lookup(int fd, const void *key, void *value); /* -ENOENT: no such key */
int bpf_map_delete(int fd, const void *key);		  /* -ENOENT: no such key */

/* The key after @key; NULL: the first. -ENOENT: there is none. @next may be @key. */
int bpf_map_next_key(int fd, const void *key, void *next);

/* From now on bpf(2) cannot change the map, and the verifier may read its values. */
int bpf_map_freeze(int fd);

/* The sum of a per-CPU map's __u64 values over all CPUs. */
int bpf_map_sum(int fd, const void *key, uint64_t *sum);

/* Possible CPUs: per-CPU lookups return one value for each, in 8-byte steps. */
int bpf_possible_cpus(void);

#endif
