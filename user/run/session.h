/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One kloak run, from options to exit code.
 *
 * The order is what protects: this process is closed to others before a secret
 * is read; the kernel has the secrets, and this process has none, before the
 * command's process exists; the probes are in place before it executes.
 */
#ifndef KLOAK_RUN_SESSION_H
#define KLOAK_RUN_SESSION_H

#include "lib/error.h"
#include "user/run/options.h"

/*
 * Returns 0 with *@status as from waitpid(2), or -errno with a sentence. Nothing
 * is left behind in either case, but for a cgroup that still has processes.
 */
int session_run(const struct run_options *options, int *status, struct error *err);

#endif
