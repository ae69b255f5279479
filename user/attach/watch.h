/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that are mapped later: what the workload executes or loads beyond that
 * which could be known before it started (a private copy of libssl in a wheel, a
 * program started by a script). The kernel reports each mapping (sideband.h);
 * the file is opened through the process that mapped it, and handed out once.
 *
 * The report comes after the mapping, so the process runs on while the probes
 * are being attached. What it does with TLS in that time is not seen: such a
 * connection sends its placeholders unchanged, which is safe. Attaching takes
 * 0.1 ms, or 5 to 20 ms if no probe was attached just before: the kernel then
 * waits for a grace period of RCU. Node needs longer from its start to a TLS
 * handshake, Python mostly so from loading libssl; curl needs as long. To hold
 * the process was considered:
 *
 *	- Freezing the cgroup on a report comes just as late.
 *	- A BPF program at exec can send SIGSTOP to the process itself, in time. But
 *	  its parent sees the stop (waitpid(2) with WUNTRACED: a shell takes it for
 *	  Ctrl-Z and gives the prompt back), any other process of the user can
 *	  continue it, it stays stopped if Kloak is killed, and a mapping has no
 *	  such place at all.
 *	- ptrace(2), seccomp notification: the process could tell, and nothing may
 *	  stand between it and the kernel when Kloak dies.
 *
 * Instead, programs that the command line names are dealt with before the start
 * (mention.h).
 *
 * A process that somebody else moves into the cgroup brings along what it has
 * mapped, and of that there is no report. So those who are in the cgroup are
 * counted now and then, and the mappings of newcomers are read. Of the workload's
 * own processes, which are newcomers as well, that finds nothing new.
 */
#ifndef KLOAK_ATTACH_WATCH_H
#define KLOAK_ATTACH_WATCH_H

#include <stdint.h>
#include <sys/types.h>

#include "user/attach/foreign.h"
#include "user/attach/maps.h"
#include "user/attach/seen.h"
#include "user/attach/sideband.h"

/*
 * @file is an open regular file, @path its name in the process's mount namespace,
 * for messages. Returns whether the file carries probes now.
 */
typedef bool (*watch_attach)(void *data, const struct foreign_file *file, const char *path);

#define WATCH_WAITING 64 /* files */

/* A file that is open, and not attached to yet. */
struct waiting_file {
	struct foreign_file file;
	char *path;
};

struct watch {
	struct sideband sideband;
	const char *cgroup;
	struct seen *seen;
	watch_attach attach;
	void *data;
	struct waiting_file waiting[WATCH_WAITING];
	size_t waiting_count;
	unsigned int reports; /* of this watch_poll() */
	unsigned int unknown; /* those of files that were not known before */
	uint64_t next_count;  /* CLOCK_MONOTONIC, ns: when processes are counted again */
	struct maps_processes known;
	const struct account *reader;
};

struct watch_options {
	int cgroup; /* of the workload: directory fd, and path */
	const char *cgroup_path;
	pid_t pid;	   /* its first process, before it executes */
	struct seen *seen; /* files that are not to be handed out; those that were are added */
	watch_attach attach;
	void *data;
	const struct account *reader; /* opens what we may not: foreign.h; NULL: nobody */
};

/*
 * From now on mappings are reported. @options->seen, the reader and the path must stay as
 * long as the watch. -errno on failure.
 */
int watch_open(struct watch *watch, const struct watch_options *options);

/* Makes the epoll(7) instance @epoll readable when there is something to do. */
int watch_register(const struct watch *watch, int epoll);

/* Deals with what was reported. May pause for a millisecond, so that more comes together. */
void watch_poll(struct watch *watch);

/* Deals with what newcomers have mapped; looks five times a second at the most. */
void watch_count(struct watch *watch);

void watch_close(struct watch *watch);

#endif
