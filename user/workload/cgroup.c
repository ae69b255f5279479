// SPDX-License-Identifier: GPL-2.0-only
/* The transient cgroup of a run: see cgroup.h for where it is and how long it lives. */
#include "user/workload/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/text.h"

#define CREATE_TRIES 8
#define REMOVE_TRIES 50 /* milliseconds for exiting processes to leave */

int cgroup_find(struct cgroup_place *place, struct error *err)
{
	CLEANUP_FREE char *mountinfo = NULL, *membership = NULL;
	int ret = text_read("/proc/self/mountinfo", 4 << 20, &mountinfo);

	if (!ret)
		ret = text_read("/proc/self/cgroup", 64 << 10, &membership);
	if (ret)
		return error_set(err, ret,
				 "cannot read /proc/self/mountinfo and cgroup: %s; "
				 "mount it: mount -t proc proc /proc",
				 strerror(-ret));
	ret = cgroup_parse(mountinfo, membership, place);
	if (ret == -ENODEV && access("/sys/fs/cgroup", F_OK))
		return error_set(err, ret,
				 "neither /sys nor a cgroup2 file system is mounted; mount both: "
				 "mount -t sysfs sysfs /sys && mount -t cgroup2 none "
				 "/sys/fs/cgroup");
	if (ret == -ENODEV)
		return error_set(err, ret,
				 "no cgroup2 file system is mounted; mount it: "
				 "mount -t cgroup2 none /sys/fs/cgroup ('ip netns exec' "
				 "hides it: use nsenter --net=/run/netns/NAME)");
	if (ret)
		return error_set(err, ret,
				 "no cgroup2 mount shows the cgroup of this process "
				 "(it lies outside of the cgroup namespace); mount a fresh one: "
				 "mount -t cgroup2 none /sys/fs/cgroup");
	return 0;
}

static const char *create_remedy(int code)
{
	static const struct {
		int code;
		const char *remedy;
	} remedies[] = {
		{ EACCES, "run kloak as root with CAP_DAC_OVERRIDE, or from a cgroup that its user "
			  "may write to" },
		{ EPERM, "run kloak as root" },
		{ EROFS, "the mount is read-only here (a container?): mount cgroup2 writable" },
		{ EAGAIN, "raise cgroup.max.descendants or cgroup.max.depth above it" },
		{ ENOENT, "the cgroup of this process was removed; start kloak from another one" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(remedies); i++)
		if (remedies[i].code == -code)
			return remedies[i].remedy;
	return "see cgroups(7)";
}

/* -EAGAIN: a sweeper was faster than we, and has removed it or is about to. */
static int lock(struct cgroup *cgroup)
{
	CLEANUP_FD int fd = openat(cgroup->parent, cgroup->name,
				   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat ours, there;

	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &ours))
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	if (fstatat(cgroup->parent, cgroup->name, &there, AT_SYMLINK_NOFOLLOW) ||
	    ours.st_ino != there.st_ino)
		return -EAGAIN;
	if (fchmod(fd, 0755))
		return -errno;
	cgroup->id = ours.st_ino;
	cgroup->fd = TAKE_FD(fd);
	return 0;
}

/* Mode 0700 until the lock is held, so that no other user can take it first. */
static int make_locked(struct cgroup *cgroup)
{
	int ret;

	if (mkdirat(cgroup->parent, cgroup->name, 0700))
		return errno == EEXIST ? -EAGAIN : -errno;
	ret = lock(cgroup);
	if (ret)
		unlinkat(cgroup->parent, cgroup->name, AT_REMOVEDIR);
	return ret;
}

static int create(struct cgroup *cgroup)
{
	int ret = -EAGAIN;

	for (int i = 0; i < CREATE_TRIES && ret == -EAGAIN; i++) {
		struct timespec now;

		clock_gettime(CLOCK_BOOTTIME, &now);
		snprintf(cgroup->name, sizeof(cgroup->name), CGROUP_PREFIX "%d-%llx", getpid(),
			 (unsigned long long)now.tv_sec * 1000000000 + (unsigned long)now.tv_nsec);
		ret = make_locked(cgroup);
	}
	return ret;
}

int cgroup_create(const struct cgroup_place *place, struct cgroup *cgroup, struct error *err)
{
	CLEANUP_FD int parent = open(place->own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret;

	*cgroup = (struct cgroup){ .parent = parent, .fd = -1 };
	ret = parent < 0 ? -errno : create(cgroup);
	if (ret)
		return error_set(err, ret, "cannot make a cgroup in %.200s: %s; %s", place->own,
				 strerror(-ret), create_remedy(ret));
	if (snprintf(cgroup->path, sizeof(cgroup->path), "%s/%s", place->own, cgroup->name) >=
	    (int)sizeof(cgroup->path))
		cgroup->path[0] = '\0'; /* for messages only */
	(void)TAKE_FD(parent);
	return 0;
}

int cgroup_enter(int cgroup_fd, long pid)
{
	CLEANUP_FD int fd = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	char text[24];
	int size = snprintf(text, sizeof(text), "%ld\n", pid);

	if (fd < 0 || write(fd, text, (size_t)size) != size)
		return -errno;
	return 0;
}

/* Processes directly in it; those of other pid namespaces are listed as 0. */
static unsigned int count_processes(int cgroup_fd)
{
	CLEANUP_FD int fd = openat(cgroup_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	unsigned int count = 0;
	char part[4096];
	ssize_t got;

	while (fd >= 0 && (got = read(fd, part, sizeof(part))) > 0)
		for (ssize_t i = 0; i < got; i++)
			count += part[i] == '\n';
	return count;
}

/* A process that was just reaped may count for a moment longer, hence the tries. */
int cgroup_remove(struct cgroup *cgroup, unsigned int *left)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int ret = cgroup_remove_tree(cgroup->parent, cgroup->name);

	for (int i = 0; i < REMOVE_TRIES && ret == -EBUSY; i++) {
		*left = count_processes(cgroup->fd);
		nanosleep(&pause, NULL);
		ret = cgroup_remove_tree(cgroup->parent, cgroup->name);
	}
	if (!ret)
		*left = 0;
	cleanup_fd(&cgroup->fd);
	cleanup_fd(&cgroup->parent);
	cgroup->fd = cgroup->parent = -1;
	return ret == -ENOENT ? 0 : ret;
}
