/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps that several BPF objects share, by name: the first object that defines
 * a map makes it, later ones must define it alike.
 */
#ifndef KLOAK_BPF_MAP_SET_H
#define KLOAK_BPF_MAP_SET_H

#include "lib/error.h"
#include "user/bpf/map.h"

#define BPF_MAP_SET_MAX	 32
#define BPF_MAP_NAME_MAX 32

struct bpf_map_set {
	struct {
		char name[BPF_MAP_NAME_MAX];
		int fd;
	} maps[BPF_MAP_SET_MAX];
	unsigned int count;
};

/* The fd (owned by the set) or -ENOENT. An empty set is all zeros. */
int bpf_map_set_find(const struct bpf_map_set *set, const char *name);

/* Gives @fd to the set. -ENOSPC: full or name too long; the fd is then still the caller's. */
int bpf_map_set_add(struct bpf_map_set *set, const char *name, int fd);

void bpf_map_set_close(struct bpf_map_set *set);

/*
 * The fd (owned by the set) of the map of that name: the one that is there, or
 * a new one. -EINVAL: the one that is there has another type or other sizes.
 * On failure a sentence in @err.
 */
int bpf_map_set_obtain(struct bpf_map_set *set, const char *name, const struct bpf_map_shape *shape,
		       struct error *err);

/* bpf_map_create() with a sentence in @err on failure. */
int bpf_map_make(const char *name, const struct bpf_map_shape *shape, struct error *err);

#endif
