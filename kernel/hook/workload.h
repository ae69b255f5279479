/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which workload does the current thread belong to? A probe in a shared library
 * fires for every process that uses it; those of no workload leave here.
 */
#ifndef KLOAK_HOOK_WORKLOAD_H
#define KLOAK_HOOK_WORKLOAD_H

#include "kernel/maps.h"

/* The workload whose cgroup holds this thread at that depth, or 0. */
KERNEL_INLINE u32 workload_at(u32 level)
{
	u64 id = bpf_get_current_ancestor_cgroup_id(level);
	struct workload *workload = bpf_map_lookup_elem(&workloads, &id);

	return workload ? workload->id : 0;
}

/* The same for the levels behind the first. */
KERNEL_GLOBAL int workload_deeper(const struct config *settings)
{
	u32 i;

	if (!settings)
		return 0;
	for (i = 1; i < CGROUP_DEPTHS; i++) {
		u32 workload;

		if (settings->cgroup_level[i] == settings->cgroup_level[0])
			break;
		workload = workload_at(settings->cgroup_level[i]);
		if (workload)
			return workload;
	}
	return 0;
}

/* A workload's id, 0 if the thread is in none. */
KERNEL_INLINE u32 workload_current(const struct config *settings)
{
	u32 workload = workload_at(settings->cgroup_level[0]);

	if (workload || settings->cgroup_level[1] == settings->cgroup_level[0])
		return workload;
	return workload_deeper(settings);
}

KERNEL_INLINE const struct config *config_get(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&config, &zero);
}

#endif
