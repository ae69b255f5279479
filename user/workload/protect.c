// SPDX-License-Identifier: GPL-2.0-only
/* Protecting kloak itself: see protect.h. */
#include "user/workload/protect.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "user/workload/caps.h"

/*
 * SYS_PTRACE and DAC_READ_SEARCH: the maps and libraries of the command's
 * processes. KILL: signals to another user. DAC_OVERRIDE: removing the cgroup
 * without being root. SYS_ADMIN: the uprobe PMU, before Linux 6.6.
 * SYS_RESOURCE: BPF memory before 5.11. SETUID and SETGID: the helper that opens
 * files as the user (attach/foreign.h).
 */
#define CAPS_KEPT                                                                          \
	(CAP_BIT(CAP_BPF) | CAP_BIT(CAP_PERFMON) | CAP_BIT(CAP_NET_ADMIN) |                \
	 CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_PTRACE) | CAP_BIT(CAP_DAC_READ_SEARCH) | \
	 CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_KILL) | CAP_BIT(CAP_SYS_RESOURCE) |       \
	 CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID))

static int raise_nofile(const struct rlimit *inherited, struct error *err)
{
	const struct rlimit most = { inherited->rlim_max, inherited->rlim_max };

	if (inherited->rlim_max < PROTECT_NOFILE)
		return error_set(err, -EMFILE,
				 "the limit of open files is %llu, and kloak needs %d; in a shell "
				 "of root: ulimit -n 1024, in a unit of systemd: LimitNOFILE=1024",
				 (unsigned long long)inherited->rlim_max, PROTECT_NOFILE);
	if (setrlimit(RLIMIT_NOFILE, &most))
		return error_set(err, -errno,
				 "cannot raise the limit of open files: %s; "
				 "a seccomp filter must allow prlimit64",
				 strerror(errno));
	return 0;
}

int protect_self(struct protect_limits *limits, struct error *err)
{
	struct rlimit none;

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return error_set(err, -errno,
				 "cannot make kloak's process not dumpable: %s; "
				 "a seccomp filter must allow prctl",
				 strerror(errno));
	if (getrlimit(RLIMIT_CORE, &limits->core) || getrlimit(RLIMIT_MEMLOCK, &limits->memlock) ||
	    getrlimit(RLIMIT_NOFILE, &limits->nofile))
		return error_set(err, -errno,
				 "cannot read the resource limits: %s; "
				 "a seccomp filter must allow prlimit64",
				 strerror(errno));
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = limits->core.rlim_max };
	if (setrlimit(RLIMIT_CORE, &none))
		return error_set(err, -errno,
				 "cannot set the core file limit: %s; "
				 "a seccomp filter must allow prlimit64",
				 strerror(errno));
	return raise_nofile(&limits->nofile, err);
}

int protect_restore_limits(const struct protect_limits *limits)
{
	if (setrlimit(RLIMIT_CORE, &limits->core) || setrlimit(RLIMIT_MEMLOCK, &limits->memlock) ||
	    setrlimit(RLIMIT_NOFILE, &limits->nofile))
		return -errno;
	return 0;
}

void protect_shrink(void)
{
	caps_drop(~CAPS_KEPT);
}
