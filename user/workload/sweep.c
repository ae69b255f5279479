// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cleaning up after runs that were killed: their cgroups are found by name,
 * and removed if nobody holds the lock (see cgroup.h) and nobody is inside.
 * The hierarchy of a large node has thousands of directories, and a start must
 * not wait for it: the walk has a limit of number, depth and time, and begins
 * where stale ones are most likely.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "user/workload/cgroup.h"

#define WALK_DIRECTORIES 4096
#define WALK_DEPTH	 16
#define WALK_TIME	 10000000 /* nanoseconds */

struct walk {
	unsigned int directories; /* that may still be opened */
	uint64_t deadline;
	unsigned int removed;
};

/* Takes the directory over; NULL on failure. */
static DIR *open_directory(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	if (!directory)
		cleanup_fd(&fd);
	return directory;
}

/* The next child cgroup: every directory in cgroup2 is one. */
static const char *next_child(DIR *directory)
{
	const struct dirent *entry;

	while ((entry = readdir(directory)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			return entry->d_name;
	return NULL;
}

static int remove_nested(int parent, const char *name, unsigned int depth)
{
	const char *child;
	DIR *directory;

	if (!unlinkat(parent, name, AT_REMOVEDIR))
		return 0;
	if (errno != EBUSY || depth == 0)
		return -errno;
	directory = open_directory(parent, name);
	if (!directory)
		return -errno;
	while ((child = next_child(directory)))
		if (remove_nested(dirfd(directory), child, depth - 1))
			break;
	closedir(directory);
	return unlinkat(parent, name, AT_REMOVEDIR) ? -errno : 0;
}

int cgroup_remove_tree(int parent, const char *name)
{
	return remove_nested(parent, name, WALK_DEPTH);
}

static bool remove_stale(int parent, const char *name)
{
	CLEANUP_FD int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
		return false;
	return cgroup_remove_tree(parent, name) == 0;
}

static void walk_directory(struct walk *walk, int parent, const char *name, unsigned int depth)
{
	const char *child;
	DIR *directory;

	if (depth == 0 || walk->directories == 0 || clock_now() > walk->deadline)
		return;
	walk->directories--;
	directory = open_directory(parent, name);
	if (!directory)
		return;
	while ((child = next_child(directory))) {
		if (strncmp(child, CGROUP_PREFIX, strlen(CGROUP_PREFIX)) == 0)
			walk->removed += remove_stale(dirfd(directory), child);
		else
			walk_directory(walk, dirfd(directory), child, depth - 1);
	}
	closedir(directory);
}

unsigned int cgroup_sweep(const struct cgroup_place *place)
{
	struct walk walk = { .directories = WALK_DIRECTORIES, .deadline = clock_now() + WALK_TIME };

	walk_directory(&walk, AT_FDCWD, place->own, WALK_DEPTH);
	walk_directory(&walk, AT_FDCWD, place->mount, WALK_DEPTH);
	return walk.removed;
}
