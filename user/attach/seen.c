// SPDX-License-Identifier: GPL-2.0-only
/* Files that were dealt with: see seen.h. */
#include "user/attach/seen.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define SIZE_FIRST 256
#define SIZE_LAST  ((size_t)2 * SEEN_MAX)

struct seen_file {
	dev_t device;
	ino_t inode; /* 0: free */
	off_t size;
	struct timespec modified;
	bool probed;
};

/* The place of the file, or the free one where it belongs. There is always one. */
static struct seen_file *place(struct seen_file *files, size_t size, dev_t device, ino_t inode)
{
	uint64_t hash = ((uint64_t)inode ^ (uint64_t)device << 32) * 0x9e3779b97f4a7c15ULL;
	size_t at = (size_t)(hash >> 32) & (size - 1);

	while (files[at].inode && (files[at].inode != inode || files[at].device != device))
		at = (at + 1) & (size - 1);
	return &files[at];
}

bool seen_find(const struct seen *seen, const struct stat *status)
{
	const struct seen_file *file;

	if (!seen->size)
		return false;
	file = place(seen->files, seen->size, status->st_dev, status->st_ino);
	if (!file->inode)
		return false;
	return file->probed ||
	       (file->size == status->st_size && file->modified.tv_sec == status->st_mtim.tv_sec &&
		file->modified.tv_nsec == status->st_mtim.tv_nsec);
}

/* Moves to a table twice as large; at the largest, without the files that have no probes. */
static int make_room(struct seen *seen)
{
	bool last = seen->size == SIZE_LAST;
	size_t size = last ? SIZE_LAST : seen->size ? seen->size * 2 : SIZE_FIRST;
	struct seen_file *files = calloc(size, sizeof(*files));
	size_t i, count = 0;

	if (!files)
		return -ENOMEM;
	for (i = 0; i < seen->size; i++) {
		const struct seen_file *file = &seen->files[i];

		if (!file->inode || (last && !file->probed))
			continue;
		*place(files, size, file->device, file->inode) = *file;
		count++;
	}
	free(seen->files);
	*seen = (struct seen){ .files = files, .size = size, .count = count };
	return count * 2 < size ? 0 : -ENOSPC;
}

int seen_add(struct seen *seen, const struct stat *status, bool probed)
{
	struct seen_file *file;
	int ret;

	if (seen->count * 2 >= seen->size) {
		ret = make_room(seen);
		if (ret)
			return ret;
	}
	file = place(seen->files, seen->size, status->st_dev, status->st_ino);
	seen->count += !file->inode;
	*file = (struct seen_file){
		.device = status->st_dev,
		.inode = status->st_ino,
		.size = status->st_size,
		.modified = status->st_mtim,
		.probed = probed || (file->inode && file->probed),
	};
	return 0;
}

/* Its place is needed for what comes after it: it becomes a file of a size that none has. */
void seen_forget(struct seen *seen, const struct stat *status)
{
	struct seen_file *file;

	if (!seen->size)
		return;
	file = place(seen->files, seen->size, status->st_dev, status->st_ino);
	if (!file->inode)
		return;
	file->probed = false;
	file->size = -1;
}

void seen_release(struct seen *seen)
{
	free(seen->files);
	*seen = (struct seen){ 0 };
}
