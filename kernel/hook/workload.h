/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which workload does the current thread belong to? A probe in a shared library
 * fires for every process that uses it; those of no workload leave here.
 */
#ifndef KLOAK_HOOK_WORKLOAD_H
#define KLOAK_HOOK_WORKLOAD_H

#include "kernel/maps.h"

/* A workload's id, 0 if the thread is in none. */
KERNEL_GLOBAL int workload_current(const struct config *settings)
{
	u32 i;

	if (!settings)
		return 0;
	for (i = 0; i < CGROUP_DEPTHS; i++) {
		struct workload *workload;
		u64 id;

		if (i && settings->cgroup_level[i] == settings->cgroup_level[0])
			break;
		id = bpf_get_current_ancestor_cgroup_id(settings->cgroup_level[i]);
		workload = bpf_map_lookup_elem(&workloads, &id);
		if (workload)
			return workload->id;
	}
	return 0;
}

static inline const struct config *config_get(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&config, &zero);
}

#endif
