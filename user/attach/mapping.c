// SPDX-License-Identifier: GPL-2.0-only
/* The file of a mapping: see mapping.h. */
#include "user/attach/mapping.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/file.h"

/* What the process calls so now: the mapping may have been cut up in the meantime. */
static int find_by_path(const struct mapping *mapping, char name[static MAPPING_NAME],
			struct stat *status)
{
	snprintf(name, MAPPING_NAME, "/proc/%d/root%s", mapping->pid, mapping->path);
	if (stat(name, status))
		return -errno;
	return status->st_ino == mapping->inode ? 0 : -ESTALE;
}

int mapping_find(const struct mapping *mapping, char name[static MAPPING_NAME], struct stat *status)
{
	snprintf(name, MAPPING_NAME, "/proc/%d/map_files/%llx-%llx", mapping->pid,
		 (unsigned long long)mapping->start, (unsigned long long)mapping->end);
	return stat(name, status) ? find_by_path(mapping, name, status) : 0;
}

int mapping_open(const struct mapping *mapping, struct stat *status)
{
	char name[MAPPING_NAME];
	struct stat found;
	int fd, ret = mapping_find(mapping, name, &found);

	if (ret)
		return ret;
	fd = file_open_regular(name, status);
	if (fd < 0)
		return fd;
	if (status->st_ino == found.st_ino && status->st_dev == found.st_dev)
		return fd;
	close(fd);
	return -ESTALE;
}
