// SPDX-License-Identifier: GPL-2.0-only
/* Files that the application cannot have written: see trusted_file.h. */
#include "user/policy/trusted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

/*
 * systemd-resolved runs as a user of its own and writes its resolv.conf into a
 * directory that the service manager made for it below root's. That file says
 * nothing but to ask systemd-resolved, which its user controls anyway.
 */
#define RESOLVED_DIRECTORY "/run/systemd/resolve/"

static bool of_resolved(int fd)
{
	char link[32], path[PATH_MAX];
	ssize_t size;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = readlink(link, path, sizeof(path));
	return size > (ssize_t)strlen(RESOLVED_DIRECTORY) &&
	       memcmp(path, RESOLVED_DIRECTORY, strlen(RESOLVED_DIRECTORY)) == 0;
}

/* NULL, or why the application could have written the file. */
static const char *distrust(int fd, const struct stat *stat)
{
	if (!S_ISREG(stat->st_mode))
		return "it is not a regular file";
	if (stat->st_uid != 0 && stat->st_uid != geteuid() && !of_resolved(fd))
		return "it belongs to another user; chown root it";
	if (stat->st_mode & (S_IWGRP | S_IWOTH))
		return "others may write to it; chmod 644 it";
	return NULL;
}

/* Reads up to @size bytes. Returns the count, or a negative errno. */
static ssize_t read_up_to(int fd, char *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = read(fd, data + done, size - done);

		if (got == 0)
			break;
		if (got < 0 && errno != EINTR)
			return -errno;
		done += got > 0 ? (size_t)got : 0;
	}
	return (ssize_t)done;
}

/* A file that is cut loses the line that the cut goes through. */
static size_t whole_lines(const char *data, size_t size)
{
	while (size > 0 && data[size - 1] != '\n')
		size--;
	return size;
}

int trusted_file_read(const char *path, struct trusted_file *file)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	CLEANUP_FREE char *data = NULL;
	struct stat stat;
	ssize_t size;

	*file = (struct trusted_file){ 0 };
	if (fd < 0 || fstat(fd, &stat) < 0)
		return -errno;
	file->why = distrust(fd, &stat);
	if (file->why)
		return 0;
	data = malloc(TRUSTED_FILE_MAX);
	size = data ? read_up_to(fd, data, TRUSTED_FILE_MAX) : -ENOMEM;
	if (size < 0)
		return (int)size;
	file->cut = size == TRUSTED_FILE_MAX;
	file->size = file->cut ? whole_lines(data, (size_t)size) : (size_t)size;
	file->data = TAKE_PTR(data);
	return 0;
}

void trusted_file_release(struct trusted_file *file)
{
	free(file->data);
	*file = (struct trusted_file){ 0 };
}
