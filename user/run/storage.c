// SPDX-License-Identifier: GPL-2.0-only
/* Storage of sockets: see storage.h. */
#include "user/run/storage.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "lib/text.h"
#include "user/bpf/map.h"
#include "user/bpf/syscall.h"

#define TRIES	   4 /* Linux 7 does not wait for locks when it allocates it */
#define OPTMEM	   "/proc/sys/net/core/optmem_max"
#define OPTMEM_MAX 64 /* bytes of its text */

/* What a socket may take besides its buffers; the largest number if it cannot be read. */
static unsigned long optmem_limit(void)
{
	CLEANUP_FREE char *text = NULL;

	return text_read(OPTMEM, OPTMEM_MAX, &text) ? ~0UL : strtoul(text, NULL, 10);
}

/* ENOMEM has two causes besides a machine without memory. */
static int refuse(unsigned int size, struct error *err)
{
	if (optmem_limit() < size)
		return error_set(
			err, -ENOMEM,
			"the kernel gives sockets no storage of %u bytes: "
			"net.core.optmem_max is %lu here; sysctl -w net.core.optmem_max=131072",
			size, optmem_limit());
	return error_set(err, -ENOMEM,
			 "the kernel gives sockets no storage: Linux 7 needs a processor with "
			 "cmpxchg16b for it; give the virtual machine a CPU model with cx16 "
			 "(QEMU: -cpu max), or use an older kernel");
}

int storage_try(int map, struct error *err)
{
	CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CLEANUP_FREE void *value = NULL;
	struct bpf_map_shape shape = { 0 };
	int ret = fd < 0 ? -errno : bpf_map_read_shape(map, &shape);

	if (!ret) {
		value = calloc(1, (size_t)shape.value_size + 1); /* analysers think it may be 0 */
		if (!value)
			return error_no_memory(err, "trying a socket's storage");
		ret = -ENOMEM;
	}
	for (int i = 0; i < TRIES && ret == -ENOMEM; i++)
		ret = bpf_map_update(map, &fd, value, BPF_ANY);
	if (ret == -ENOMEM)
		return refuse(shape.value_size, err);
	if (ret)
		return error_set(err, ret, "the kernel gives sockets no storage: %s; %s",
				 strerror(-ret), bpf_remedy(ret, "see 'kloak doctor'"));
	return 0;
}
