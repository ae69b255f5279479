/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What files processes have mapped for execution, from /proc/PID/maps (proc(5),
 * proc_pid_maps(5)). Needed only where the kernel's own reports were lost, and
 * for processes that come from elsewhere with what they have mapped; see watch.h.
 */
#ifndef KLOAK_ATTACH_MAPS_H
#define KLOAK_ATTACH_MAPS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAPS_PROCESSES_MAX 4096

/* An executable mapping of a file. */
struct mapping {
	pid_t pid;
	uint64_t start; /* addresses: also its name in /proc/PID/map_files */
	uint64_t end;
	uint64_t inode;
	const char *path; /* as the process's mount namespace sees it; valid during the call */
};

typedef void (*mapping_visit)(void *data, const struct mapping *mapping);

/*
 * Reads one line, without its newline; mapping->path points into it. Returns 0;
 * -ENOENT if the line is no executable mapping of a file; -EBADMSG if it is no
 * line of this format. mapping->pid is left alone.
 */
int maps_parse(const char *line, struct mapping *mapping);

/*
 * Visits the executable file mappings of process @pid, 65536 lines at most.
 * Returns 0 or -errno; -ENOENT or -ESRCH: the process is gone.
 */
int maps_visit(pid_t pid, mapping_visit visit, void *data);

/*
 * The same for every process of the cgroup directory @cgroup and of those
 * nested in it, MAPS_PROCESSES_MAX at most.
 */
void maps_visit_cgroup(const char *cgroup, mapping_visit visit, void *data);

/* Processes that were there when one looked last. Zeroed: none. */
struct maps_processes {
	size_t count;
	pid_t pids[MAPS_PROCESSES_MAX]; /* sorted */
};

/* The same for those processes only that were not @known, which then has those of now. */
void maps_visit_new(const char *cgroup, struct maps_processes *known, mapping_visit visit,
		    void *data);

#endif
