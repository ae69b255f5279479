/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command under protection: its process, from clone to exit status.
 *
 *	child_prepare()	makes the process inside the workload's cgroup. It takes on
 *			its identity, gives up capabilities, looks the command up as
 *			that user, reports the path, and waits.
 *	(the caller attaches to child.path and grants the secrets)
 *	child_go()	lets it execute.
 *	child_wait()	passes signals on and events back until it has ended.
 *	child_exit_code()
 *
 * The process is a copy of kloak until it executes: prepare it only when the
 * secrets have been wiped from memory.
 *
 * What the command gets is what kloak was given by its caller: terminal,
 * session, process group, signal mask and dispositions, resource limits, file
 * descriptors (kloak's own are close-on-exec), working directory. What it does
 * not get: CAPS_TAKEN (unless kept), and with no_new_privs any way to gain
 * privileges by exec, so sudo(8) does not work in it.
 *
 * There is no parent-death signal: if kloak is killed, the command goes on and
 * its placeholders leave unchanged. That is safe for the secret.
 */
#ifndef KLOAK_WORKLOAD_CHILD_H
#define KLOAK_WORKLOAD_CHILD_H

#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/error.h"
#include "user/workload/account.h"
#include "user/workload/protect.h"

struct child_options {
	char *const *argv; /* argv[0] is searched for in the PATH of envp, as execvp(3) does */
	char *const *envp;
	const struct account *account; /* who runs it */
	uint64_t keep_caps; /* of CAPS_TAKEN, not to be taken away; each gives a warning */
	int cgroup;	    /* directory fd; < 0: stay in kloak's */
	const struct protect_limits *limits; /* NULL: kloak's present ones */
};

struct child {
	pid_t pid;		/* -1: it has ended, and is reaped */
	int status;		/* then: as from waitpid(2) */
	int channel;		/* to the process while it waits, else -1 */
	int signals;		/* signalfd(2) */
	sigset_t mask;		/* as kloak inherited it */
	struct sigaction ended; /* SIGCHLD as kloak inherited it */
	char path[PATH_MAX];	/* of the command, as its process sees it */
};

/*
 * Errors that concern the command have exit code 126 (cannot be executed) or
 * 127 (not found), as in env(1). On failure nothing is left behind.
 */
int child_prepare(const struct child_options *options, struct child *child, struct error *err);

/* Returns when the command has been executed, or could not be. */
int child_go(struct child *child, struct error *err);

/* What else is to be done while waiting. */
struct child_watch {
	int fd;		 /* < 0: none; may be an epoll fd or a ring buffer */
	int interval_ms; /* < 0: no timer */
	/* Called when @fd is readable, when the time is over, and once after the end. */
	void (*ready)(void *data);
	void *data;
};

/*
 * Waits for the end of the command; @watch may be NULL. *@status is as from
 * waitpid(2). Signals to kloak are passed on; those which the terminal sent to
 * the whole foreground group, command included, are not sent twice. If the
 * command stops, kloak stops as well, if somebody is there to continue it.
 */
int child_wait(struct child *child, const struct child_watch *watch, int *status);

/*
 * Kills the command if it still exists, reaps it, and gives the signals back:
 * for error paths after child_prepare(). After child_wait() it is not needed,
 * and better left out: signals stay blocked while kloak cleans up.
 */
void child_release(struct child *child);

/*
 * The exit code for kloak: the command's own. If a signal killed it, kloak
 * dies of the same signal here, as a shell would see it without kloak; should
 * that not be possible, 128 + signal. To be called last.
 */
int child_exit_code(int status);

/* Shared by child.c and wait.c: blocks all signals into a signalfd, and back. */
int child_signals_take(struct child *child);
void child_signals_restore(const struct child *child);

/* Does what the signals that have come ask for: passes on, stops, reaps. */
void child_signals_serve(struct child *child);

/* Gives the process those of @pending that the terminal sent before it existed. */
void child_signals_deliver(const struct child *child, const sigset_t *pending);

#endif
