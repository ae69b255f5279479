/* SPDX-License-Identifier: GPL-2.0-only */
/* Capabilities (capabilities(7)) as masks: bit n is capability n. No libcap. */
#ifndef KLOAK_WORKLOAD_CAPS_H
#define KLOAK_WORKLOAD_CAPS_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

#define CAP_BIT(cap) (UINT64_C(1) << (cap))

/*
 * What a protected command does not keep: with any of these it could read
 * kernel memory or BPF maps, trace kloak, see the swapped bytes on the wire, or
 * leave the data path.
 */
#define CAPS_TAKEN                                                                 \
	(CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_BPF) | CAP_BIT(CAP_PERFMON) |        \
	 CAP_BIT(CAP_SYS_PTRACE) | CAP_BIT(CAP_NET_RAW) | CAP_BIT(CAP_NET_ADMIN) | \
	 CAP_BIT(CAP_SYS_MODULE) | CAP_BIT(CAP_SYS_RAWIO) | CAP_BIT(CAP_MKNOD))

/* "CAP_NET_RAW" or "net_raw", any case. Returns the number, or -EINVAL. */
int caps_parse(const char *name);

/* "CAP_NET_RAW"; NULL if the number has no name here. */
const char *caps_name(unsigned int cap);

/* The effective set of this process; 0 if it cannot be read. */
uint64_t caps_effective(void);

/*
 * Takes @mask out of the bounding set; needs CAP_SETPCAP if it holds any of
 * them. No program that this process executes can have them again.
 */
int caps_drop_bounding(uint64_t mask);

/* Takes @mask out of the ambient, inheritable, permitted and effective sets. */
int caps_drop(uint64_t mask);

#endif
