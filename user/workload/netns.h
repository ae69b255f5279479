/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KLOAK_WORKLOAD_NETNS_H
#define KLOAK_WORKLOAD_NETNS_H

#include <stdint.h>

/*
 * The cookie of the network namespace of this process: what
 * bpf_get_netns_cookie() returns for its sockets. getsockopt(SO_NETNS_COOKIE),
 * Linux 5.14. Returns 0 or -errno.
 */
int workload_netns_cookie(uint64_t *cookie);

#endif
