/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attaching programs. Every function returns one fd that holds the attachment:
 * closing it, or the end of the process, detaches. (bpf_prog_attach_map() makes
 * no link: what it attaches goes with the map.) Errors are -errno.
 */
#ifndef KLOAK_BPF_LINK_H
#define KLOAK_BPF_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Attaches to the cgroup v2 directory @cgroup and all below it, next to what
 * others have attached there. @attach_type: enum bpf_attach_type.
 */
int link_create_cgroup(int prog, int cgroup, uint32_t attach_type);

/*
 * Probes the instruction at @offset of the file @path (/proc/self/fd/N for an
 * open one), in every process that maps it, now and later. With @is_return the
 * program runs when the function that begins there returns.
 *
 * One perf event each. Linux 5.15 and later tie the program to it by a link,
 * others by ioctl; either way one fd is all there is. Making one takes 0.5 ms
 * (the first 10 ms), closing it 100 ms, since the kernel waits until no thread
 * can be in the program any more: twenty of them close in more than 2 s.
 */
int link_create_uprobe(int prog, const char *path, uint64_t offset, bool is_return);

/*
 * The same for @count places of one file with one fd, Linux 6.6 and later. The
 * program must be loaded for it: bpf_object_use_uprobe_multi(). A hit costs as
 * much as perf's (measured on 6.18: 1465 and 1335 ns, return 1734 and 1766);
 * better is that the wait at closing is one for all places (50 ms), and that
 * no access to the uprobe PMU is needed (CAP_SYS_ADMIN).
 */
int link_create_uprobe_multi(int prog, const char *path, const uint64_t *offsets, uint32_t count,
			     bool is_return);

/* What to do where one of both ended with @code. */
const char *link_uprobe_remedy(int code);

/* Runs the sk_msg program @prog for every message of sockets in the sockhash @map. */
int bpf_prog_attach_map(int prog, int map, uint32_t attach_type);

#endif
