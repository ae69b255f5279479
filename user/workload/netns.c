// SPDX-License-Identifier: GPL-2.0-only
/* The identity of a network namespace: see netns.h. */
#include "user/workload/netns.h"

#include <errno.h>
#include <sys/socket.h>

#include "lib/cleanup.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* asm-generic/socket.h; libc headers may be older */
#endif

int workload_netns_cookie(uint64_t *cookie)
{
	CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(*cookie);

	if (fd < 0)
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &size))
		return -errno;
	return 0;
}
