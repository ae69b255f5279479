// SPDX-License-Identifier: GPL-2.0-only
/* Files that are written to: see overwrite.h. */
#include "user/attach/overwrite.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define READ_BYTES 4096

int overwrite_open(struct overwrite *overwrite)
{
	overwrite->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	overwrite->open = overwrite->inotify >= 0;
	return overwrite->open ? 0 : -errno;
}

int overwrite_watch(const struct overwrite *overwrite, int fd)
{
	char link[32];
	int watch;

	if (!overwrite->open)
		return -EBADF;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	watch = inotify_add_watch(overwrite->inotify, link, IN_MODIFY | IN_CLOSE_WRITE);
	return watch < 0 ? -errno : watch;
}

void overwrite_unwatch(const struct overwrite *overwrite, int watch)
{
	if (overwrite->open && watch >= 0)
		inotify_rm_watch(overwrite->inotify, watch);
}

static void visit_all(const uint8_t *bytes, size_t size, overwrite_visit visit, void *data)
{
	struct inotify_event event;
	size_t at;

	for (at = 0; at + sizeof(event) <= size; at += sizeof(event) + event.len) {
		memcpy(&event, bytes + at, sizeof(event));
		if (event.mask & (IN_MODIFY | IN_CLOSE_WRITE))
			visit(data, event.wd, event.mask & IN_CLOSE_WRITE);
	}
}

void overwrite_read(const struct overwrite *overwrite, overwrite_visit visit, void *data)
{
	uint8_t bytes[READ_BYTES];
	ssize_t size;

	while (overwrite->open && (size = read(overwrite->inotify, bytes, sizeof(bytes))) > 0)
		visit_all(bytes, (size_t)size, visit, data);
}

void overwrite_close(struct overwrite *overwrite)
{
	if (overwrite->open)
		close(overwrite->inotify);
	overwrite->open = false;
}
