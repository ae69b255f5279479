// SPDX-License-Identifier: GPL-2.0-only
/* Opening regular files only: see file.h. */
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/cleanup.h"

int file_open_regular(const char *path, struct stat *status)
{
	CLEANUP_FD int handle = open(path, O_PATH | O_CLOEXEC);
	char link[32];
	int fd;

	if (handle < 0 || fstat(handle, status) < 0)
		return -errno;
	if (!S_ISREG(status->st_mode))
		return -EINVAL;
	/* The same file, whatever @path names by now. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", handle);
	fd = open(link, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_all(int fd, char *buffer, size_t size, size_t *used)
{
	ssize_t got;

	for (*used = 0; *used < size; *used += (size_t)got) {
		got = read(fd, buffer + *used, size - *used);
		if (got < 0 && errno == EINTR)
			got = 0;
		else if (got < 0)
			return -errno;
		else if (got == 0)
			return 0;
	}
	return 0;
}

int file_read_regular(const char *path, size_t max, void **data, size_t *size)
{
	CLEANUP_FREE char *buffer = NULL;
	struct stat status = { 0 };
	CLEANUP_FD int fd = file_open_regular(path, &status);
	int ret;

	if (fd < 0)
		return fd;
	if ((uint64_t)status.st_size > max)
		return -EFBIG;
	buffer = malloc((size_t)status.st_size + 1);
	if (!buffer)
		return -ENOMEM;
	ret = read_all(fd, buffer, (size_t)status.st_size, size);
	if (ret)
		return ret;
	buffer[*size] = '\0';
	*data = TAKE_PTR(buffer);
	return 0;
}
