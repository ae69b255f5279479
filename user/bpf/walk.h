/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All BPF objects of the machine, by their numbers, whoever made them. It takes
 * CAP_SYS_ADMIN, or for what is asked here CAP_BPF and CAP_PERFMON.
 */
#ifndef KLOAK_BPF_WALK_H
#define KLOAK_BPF_WALK_H

#include <linux/bpf.h>
#include <stdint.h>

enum bpf_kind { BPF_KIND_PROG, BPF_KIND_LINK, BPF_KIND_MAP };

/*
 * Calls @visit with a descriptor of each object of @kind, which stays the walk's.
 * Objects that go away meanwhile are passed over. Returns 0, or -errno where the
 * kernel refuses.
 */
int bpf_walk(enum bpf_kind kind, void (*visit)(void *context, int fd), void *context);

/* A descriptor of the object of @kind with number @id, or -errno. */
int bpf_walk_open(enum bpf_kind kind, uint32_t id);

/* Fills struct bpf_prog_info, bpf_link_info or bpf_map_info, of which the caller knows @size. */
int bpf_info(int fd, void *info, uint32_t size);

#endif
