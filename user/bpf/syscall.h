/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf(2) and perf_event_open(2), raw: libc has no wrappers for either.
 *
 * Every union bpf_attr is zeroed as a whole (memset, not "= {0}", which may
 * leave the bytes after the first member alone): the kernel compares all
 * bytes after the last field of a command that it knows with zero, and
 * refuses the call with E2BIG or EINVAL otherwise. That is how an old kernel
 * notices that a newer field was asked for.
 *
 * All fds made by bpf(2) are close-on-exec already; there is no flag for it.
 */
#ifndef KLOAK_BPF_SYSCALL_H
#define KLOAK_BPF_SYSCALL_H

#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

/* Newer than Debian 12's headers (6.1). These are kernel ABI and cannot change. */
#define KLOAK_BPF_TRACE_UPROBE_MULTI	48 /* 6.6 */
#define KLOAK_BPF_F_UPROBE_MULTI_RETURN (1U << 0)

static inline uint64_t bpf_pointer(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

static inline void bpf_attr_clear(union bpf_attr *attr)
{
	memset(attr, 0, sizeof(*attr));
}

/* Returns the call's result (an fd for commands that make one) or -errno. */
int bpf_syscall(enum bpf_cmd command, union bpf_attr *attr);

/* Returns a close-on-exec fd, or -errno. @cpu and @pid as in perf_event_open(2). */
int perf_event_syscall(struct perf_event_attr *attr, pid_t pid, int cpu);

/*
 * Before 5.11 BPF memory counts against RLIMIT_MEMLOCK: raises it as far as
 * this process may. Failure is no error: later kernels do without.
 */
void bpf_raise_memlock(void);

/*
 * What to do about @code where it means the same whatever was tried: descriptors, and
 * the JIT compiler, without which no kernel takes programs with callbacks. Else @otherwise.
 */
const char *bpf_remedy(int code, const char *otherwise);

#endif
