// SPDX-License-Identifier: GPL-2.0-only
/* BPF objects by their numbers: see walk.h. */
#include "user/bpf/walk.h"

#include <errno.h>

#include "lib/cleanup.h"
#include "user/bpf/syscall.h"

#define OBJECTS_MAX 65536 /* of a kind: they come and go meanwhile, so there must be an end */

static const struct {
	enum bpf_cmd next, open;
} commands[] = {
	[BPF_KIND_PROG] = { BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID },
	[BPF_KIND_LINK] = { BPF_LINK_GET_NEXT_ID, BPF_LINK_GET_FD_BY_ID },
	[BPF_KIND_MAP] = { BPF_MAP_GET_NEXT_ID, BPF_MAP_GET_FD_BY_ID },
};

int bpf_walk_open(enum bpf_kind kind, uint32_t id)
{
	union bpf_attr attr;

	bpf_attr_clear(&attr);
	attr.map_id = id; /* one union with prog_id and link_id */
	return bpf_syscall(commands[kind].open, &attr);
}

int bpf_info(int fd, void *info, uint32_t size)
{
	union bpf_attr attr;

	bpf_attr_clear(&attr);
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = size;
	attr.info.info = bpf_pointer(info);
	return bpf_syscall(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

int bpf_walk(enum bpf_kind kind, void (*visit)(void *context, int fd), void *context)
{
	uint32_t id = 0;

	for (int count = 0; count < OBJECTS_MAX; count++) {
		union bpf_attr attr;
		int ret;

		bpf_attr_clear(&attr);
		attr.start_id = id;
		ret = bpf_syscall(commands[kind].next, &attr);
		if (ret)
			return ret == -ENOENT ? 0 : ret;
		id = attr.next_id;
		CLEANUP_FD int fd = bpf_walk_open(kind, id);

		if (fd >= 0)
			visit(context, fd);
		else if (fd != -ENOENT && fd != -EAGAIN)
			return fd;
	}
	return 0;
}
