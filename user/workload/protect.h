/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kloak's own process against its child and other processes of the same user.
 * Not here: secrets are locked in memory, wiped, and overwritten in the
 * environment block by user/secret/.
 */
#ifndef KLOAK_WORKLOAD_PROTECT_H
#define KLOAK_WORKLOAD_PROTECT_H

#include <sys/resource.h>

#include "lib/error.h"

struct protect_limits {
	struct rlimit core;
	struct rlimit memlock;
	struct rlimit nofile;
};

/*
 * Descriptors: maps, programs and links of a run are some 80, and before Linux 6.6 each
 * place that is probed is one more, of which a TLS library has about 20.
 */
#define PROTECT_NOFILE 256

/*
 * To be called before any secret is read. The process becomes not dumpable
 * (prctl(2), PR_SET_DUMPABLE): no core dump, to a file or a pipe, no ptrace(2),
 * and /proc/PID belongs to root. RLIMIT_CORE is 0 as well: fs.suid_dumpable may
 * allow dumps of what is not dumpable. The limit of open files is raised as far as
 * it may be; -EMFILE if that is less than PROTECT_NOFILE.
 *
 * @limits receives the resource limits as kloak inherited them. The command
 * gets them back: kloak raises RLIMIT_MEMLOCK later, too.
 */
int protect_self(struct protect_limits *limits, struct error *err);

/* Called by the command's process before it executes. */
int protect_restore_limits(const struct protect_limits *limits);

/*
 * To be called once the command runs: drops every capability that waiting,
 * attaching to newly mapped libraries and cleaning up do not need, from all
 * sets. Failure is harmless and is not reported.
 */
void protect_shrink(void);

#endif
