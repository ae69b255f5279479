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
 * without being root. SYS_ADMIN: the uprobe PMU on kernels with
 * perf_event_paranoid > 2. SYS_RESOURCE: BPF memory before 5.11.
 */
#define CAPS_KEPT                                                                          \
	(CAP_BIT(CAP_BPF) | CAP_BIT(CAP_PERFMON) | CAP_BIT(CAP_NET_ADMIN) |                \
	 CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_PTRACE) | CAP_BIT(CAP_DAC_READ_SEARCH) | \
	 CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_KILL) | CAP_BIT(CAP_SYS_RESOURCE))

int protect_self(struct protect_limits *limits, struct error *err)
{
	struct rlimit none;

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return error_set(err, -errno,
				 "cannot make kloak's process not dumpable: %s; "
				 "a seccomp filter must allow prctl",
				 strerror(errno));
	if (getrlimit(RLIMIT_CORE, &limits->core) || getrlimit(RLIMIT_MEMLOCK, &limits->memlock))
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
	return 0;
}

int protect_restore_limits(const struct protect_limits *limits)
{
	if (setrlimit(RLIMIT_CORE, &limits->core) || setrlimit(RLIMIT_MEMLOCK, &limits->memlock))
		return -errno;
	return 0;
}

void protect_shrink(void)
{
	caps_drop(~CAPS_KEPT);
}
