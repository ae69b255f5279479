/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's reports of executable mappings, PERF_RECORD_MMAP2 of
 * perf_event_open(2): one for each file that a process of the workload executes
 * or loads as a library, whatever its path. The event itself counts nothing
 * (PERF_COUNT_SW_DUMMY); only the records that come beside it are wanted.
 *
 * One event and one small ring buffer for each CPU, since the kernel wants it so
 * for events of more than one process. Two ways to say which processes:
 *
 *	by cgroup	(PERF_FLAG_PID_CGROUP) every process in it. Costs nothing
 *			when a process of the workload starts a thread.
 *	by inheritance	the command's process and what it starts, where perf_event
 *			is a cgroup v1 controller. Here the kernel ends the reports
 *			of a process that executes a file which its user may not
 *			read.
 *
 * A report is made after the mapping: see watch.h for what follows from that.
 */
#ifndef KLOAK_ATTACH_SIDEBAND_H
#define KLOAK_ATTACH_SIDEBAND_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "user/attach/maps.h"

/*
 * The first perf event of a machine waits some 10 ms for the kernel to switch
 * its accounting on, the first probe as long for mappings to stand still. Primed
 * in a thread, that time is spent while the BPF objects load, however long they
 * take: a probe's effect is over after some 12 ms, and it is repeated. The same is
 * done while the command starts, when it is likely to load a library that was not
 * known: its first moments must not pass before that is probed.
 * sideband_primed() ends the thread, and must be called before the process is
 * cloned; sideband_unprime() when the real events are open. The probes are for the
 * caller to close, with others: each close waits 50 ms.
 */
#define PRIMER_PROBES 12

struct sideband_primer {
	pthread_t thread;
	bool started;
	int stop;  /* an eventfd */
	int event; /* < 0: none */
	int probe[PRIMER_PROBES];
	size_t probe_count;
};

void sideband_prime(struct sideband_primer *primer);
/* Once more, here and now. A negative errno: it cannot be, or there were enough. */
int sideband_prime_once(struct sideband_primer *primer);
void sideband_primed(struct sideband_primer *primer);
void sideband_unprime(struct sideband_primer *primer);

struct sideband_ring {
	int event; /* for poll(2) */
	void *pages;
};

struct sideband {
	struct sideband_ring *rings; /* one for each CPU that was online */
	size_t count;
	size_t size; /* bytes of data in each */
};

/*
 * @cgroup: directory fd; @pid: its first process, before it executes. -errno as
 * in perf_event_open(2) on failure, and nothing is left open.
 */
int sideband_open(struct sideband *sideband, int cgroup, pid_t pid);

/* Visits what was reported. True if something was not, for want of space in a ring. */
bool sideband_read(struct sideband *sideband, mapping_visit visit, void *data);

void sideband_close(struct sideband *sideband);

#endif
