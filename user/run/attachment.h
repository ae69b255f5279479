/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which files of a run are probed, and when:
 *
 *	before the command executes	it, what it loads, the programs that its
 *					arguments mention, and what those load
 *	while it starts			libraries that it may load later, if they are of
 *					a kind that nothing needed so far: loading a hook's
 *					BPF object takes some 5 ms
 *	later				what it maps besides
 *
 * probed.h has what is probed already.
 */
#ifndef KLOAK_RUN_ATTACHMENT_H
#define KLOAK_RUN_ATTACHMENT_H

#include <stdbool.h>

#include "lib/error.h"
#include "user/attach/library.h"
#include "user/attach/watch.h"
#include "user/run/engine.h"
#include "user/run/probed.h"
#include "user/workload/cgroup.h"

/* Zeroed: nothing is watched. */
struct attachment {
	struct probed probed;
	struct watch watch;
	unsigned int warnings;	    /* about files that were mapped later */
	struct library_set waiting; /* until the command has started */
	struct account reader;	    /* who runs the command, for files that root may not read */
};

struct attachment_options {
	struct engine *engine;
	const char *path; /* of the command */
	char *const *argv;
	char *const *envp;
	const struct cgroup *cgroup;
	pid_t pid; /* the process that is going to execute the command */
};

/*
 * Probes what can be known before the start, and begins to watch. That the
 * command itself cannot be probed is an error; what is only mentioned, or
 * cannot be watched, gives a warning.
 */
int attachment_start(struct attachment *attachment, const struct attachment_options *options,
		     struct error *err);

/* As watch_register() and watch_poll(). */
int attachment_register(const struct attachment *attachment, int epoll);
void attachment_poll(struct attachment *attachment);

void attachment_close(struct attachment *attachment);

#endif
