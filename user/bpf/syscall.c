// SPDX-License-Identifier: GPL-2.0-only
/* bpf(2) and perf_event_open(2): see syscall.h for the contract. */
#include "user/bpf/syscall.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/text.h"

int bpf_syscall(enum bpf_cmd command, union bpf_attr *attr)
{
	long ret = syscall(__NR_bpf, command, attr, sizeof(*attr));

	return ret < 0 ? -errno : (int)ret;
}

int perf_event_syscall(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	long ret;

	attr->size = sizeof(*attr);
	ret = syscall(__NR_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return ret < 0 ? -errno : (int)ret;
}

void bpf_raise_memlock(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	if (!setrlimit(RLIMIT_MEMLOCK, &limit) || getrlimit(RLIMIT_MEMLOCK, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_MEMLOCK, &limit);
}

static bool jit_is_off(void)
{
	CLEANUP_FREE char *text = NULL;

	return !text_read("/proc/sys/net/core/bpf_jit_enable", 16, &text) && *text == '0';
}

const char *bpf_remedy(int code, const char *otherwise)
{
	switch (code) {
	case -EMFILE:
		return "the limit of open files is reached: ulimit -n 1024";
	case -ENFILE:
		return "the machine has no more open files to give: sysctl -w fs.file-max=1000000";
	case -EINVAL:
		return jit_is_off()
			       ? "turn the BPF compiler on: sysctl -w net.core.bpf_jit_enable=1"
			       : otherwise;
	default:
		return otherwise;
	}
}
