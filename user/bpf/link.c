// SPDX-License-Identifier: GPL-2.0-only
/* Attaching programs: see link.h for the contract. */
#include "user/bpf/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "lib/cleanup.h"
#include "user/bpf/syscall.h"

#define PMU "/sys/bus/event_source/devices/uprobe/"

/* Fields of BPF_LINK_CREATE for BPF_TRACE_UPROBE_MULTI, Linux 6.6: absent from 6.1's headers. */
struct uprobe_multi_attr {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t count;
	uint32_t multi_flags;
	uint32_t pid;
};

_Static_assert(sizeof(struct uprobe_multi_attr) <= sizeof(union bpf_attr),
	       "must fit into what bpf_syscall() passes");

int link_create_cgroup(int prog, int cgroup, uint32_t attach_type)
{
	union bpf_attr attr;

	bpf_attr_clear(&attr);
	attr.link_create.prog_fd = prog;
	attr.link_create.target_fd = cgroup;
	attr.link_create.attach_type = attach_type;
	return bpf_syscall(BPF_LINK_CREATE, &attr);
}

/* The number in a sysfs file, after @prefix: "8" or "config:0". */
static int read_number(const char *path, const char *prefix)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t skip = strlen(prefix);
	char text[32] = "";

	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text) - 1) <= 0 || strncmp(text, prefix, skip) != 0)
		return -ENODATA;
	return (int)strtol(text + skip, NULL, 10);
}

static int open_event(const char *path, uint64_t offset, bool is_return)
{
	int type = read_number(PMU "type", "");
	int bit = is_return ? read_number(PMU "format/retprobe", "config:") : 0;
	struct perf_event_attr attr;

	if (type < 0)
		return type;
	if (bit < 0)
		return bit;
	memset(&attr, 0, sizeof(attr));
	attr.type = (uint32_t)type;
	attr.config = is_return ? 1ULL << bit : 0;
	attr.config1 = bpf_pointer(path); /* uprobe_path */
	attr.config2 = offset;		  /* probe_offset */
	/* Any process: the kernel then wants a CPU named, but the probe fires on all. */
	return perf_event_syscall(&attr, -1, 0);
}

int link_create_uprobe(int prog, const char *path, uint64_t offset, bool is_return)
{
	CLEANUP_FD int event = open_event(path, offset, is_return);
	union bpf_attr attr;
	int link;

	if (event < 0)
		return event;
	bpf_attr_clear(&attr);
	attr.link_create.prog_fd = prog;
	attr.link_create.target_fd = event;
	attr.link_create.attach_type = BPF_PERF_EVENT;
	link = bpf_syscall(BPF_LINK_CREATE, &attr);
	if (link != -EINVAL)
		return link; /* which holds the event */
	if (ioctl(event, PERF_EVENT_IOC_SET_BPF, prog))
		return -errno;
	return TAKE_FD(event);
}

int link_create_uprobe_multi(int prog, const char *path, const uint64_t *offsets, uint32_t count,
			     bool is_return)
{
	const struct uprobe_multi_attr multi = {
		.prog_fd = prog,
		.attach_type = KLOAK_BPF_TRACE_UPROBE_MULTI,
		.path = bpf_pointer(path),
		.offsets = bpf_pointer(offsets),
		.count = count,
		.multi_flags = is_return ? KLOAK_BPF_F_UPROBE_MULTI_RETURN : 0,
	};
	union bpf_attr attr;

	bpf_attr_clear(&attr);
	memcpy(&attr, &multi, sizeof(multi));
	return bpf_syscall(BPF_LINK_CREATE, &attr);
}

const char *link_uprobe_remedy(int code)
{
	switch (code) {
	case -EPERM:
	case -EACCES:
		return "run kloak as root, for example with sudo, or with CAP_SYS_ADMIN, which "
		       "probes need before Linux 6.6";
	case -ENOENT:
		return "before Linux 6.6 probes need /sys: mount -t sysfs sysfs /sys";
	case -ENODATA:
		return "please report this with the kernel version";
	default:
		return bpf_remedy(code, "the kernel needs CONFIG_UPROBE_EVENTS; use Linux 6.1 or "
					"later");
	}
}

int bpf_prog_attach_map(int prog, int map, uint32_t attach_type)
{
	union bpf_attr attr;

	bpf_attr_clear(&attr);
	attr.target_fd = map;
	attr.attach_bpf_fd = prog;
	attr.attach_type = attach_type;
	return bpf_syscall(BPF_PROG_ATTACH, &attr);
}
