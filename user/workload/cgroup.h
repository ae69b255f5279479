/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cgroup that makes a command a workload. cgroup2 only (cgroups(7)).
 *
 * Where: below the cgroup that kloak itself runs in, not below the root of the
 * hierarchy. So whatever limits the caller (MemoryMax= of a unit, a container)
 * still limits the command, and stopping the unit still stops it. No
 * controller is enabled in it, so the rule against processes in inner nodes
 * does not apply.
 *
 * Life: cgroup_create() makes the directory and locks it with flock(2) as long
 * as kloak lives; cgroup_remove() takes it away. A process that the command
 * left behind keeps the directory busy: it is not killed, and the directory is
 * left to cgroup_sweep() of a later start. The lock tells the sweeper who is
 * alive, whatever pid namespace it looks from, and cannot outlive its process.
 */
#ifndef KLOAK_WORKLOAD_CGROUP_H
#define KLOAK_WORKLOAD_CGROUP_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define CGROUP_PREFIX "kloak-run-"

/* Where this process stands. */
struct cgroup_place {
	char mount[PATH_MAX]; /* mount point of cgroup2 */
	char own[PATH_MAX];   /* directory of the cgroup of this process */
};

struct cgroup {
	int parent;  /* directory fd */
	int fd;	     /* directory fd, holds the lock */
	uint64_t id; /* what bpf_get_current_cgroup_id() returns: the inode number */
	char name[64];
	char path[PATH_MAX];
};

/* Finds the mount through which the own cgroup can be reached. */
int cgroup_find(struct cgroup_place *place, struct error *err);

/*
 * The same from given texts (tests, other processes): /proc/PID/mountinfo and
 * /proc/PID/cgroup, which are cut up. -ENODEV: no cgroup2 mount; -ENOENT: none
 * of them shows the own cgroup.
 */
int cgroup_parse(char *mountinfo, char *membership, struct cgroup_place *place);

/* Makes and locks a cgroup below place->own. */
int cgroup_create(const struct cgroup_place *place, struct cgroup *cgroup, struct error *err);

/*
 * Removes it and closes its fds. Returns 0, or -EBUSY if processes are left in
 * it, with their number in *@left.
 */
int cgroup_remove(struct cgroup *cgroup, unsigned int *left);

/* Puts a process in: for kernels without CLONE_INTO_CGROUP (before 5.7). */
int cgroup_enter(int cgroup_fd, long pid);

/* Removes an empty cgroup and what is nested in it, bottom up. 0 or -errno (-EBUSY). */
int cgroup_remove_tree(int parent, const char *name);

/*
 * Removes cgroups of earlier runs that nobody holds and nobody is in: below the
 * own cgroup, then in the whole hierarchy, within bounds of number and time.
 * Returns how many were removed.
 */
unsigned int cgroup_sweep(const struct cgroup_place *place);

/*
 * How deep this process's cgroup is, as bpf_get_current_ancestor_cgroup_id()
 * counts: the real root of the hierarchy is 0. Asks the kernel with a BPF
 * program that runs once in this process (BPF_PROG_TEST_RUN, 5.10), since paths
 * do not tell it in a cgroup namespace or behind a bind mount. A workload made
 * by cgroup_create() is one level deeper. -EOPNOTSUPP: deeper than the data
 * path can count (CGROUP_LEVELS).
 */
int cgroup_level(const struct cgroup_place *place, struct error *err);

#endif
