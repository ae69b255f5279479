// SPDX-License-Identifier: GPL-2.0-only
/* From reports of mappings to open files: see watch.h. */
#include "user/attach/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "user/attach/mapping.h"

/*
 * Microseconds. Each program that starts gives several reports, nearly always of
 * files that are known: read together, they take a third of the time. A library that
 * waits so long among them loses little: attaching takes longer.
 */
#define PAUSE 1000

#define COUNT_INTERVAL 200000000ULL /* ns */

static bool is_waiting(const struct watch *watch, const struct stat *status)
{
	size_t i;

	for (i = 0; i < watch->waiting_count; i++)
		if (watch->waiting[i].file.status.st_dev == status->st_dev &&
		    watch->waiting[i].file.status.st_ino == status->st_ino)
			return true;
	return false;
}

static void attach_waiting(struct watch *watch)
{
	size_t i;

	for (i = 0; i < watch->waiting_count; i++) {
		struct waiting_file *waiting = &watch->waiting[i];
		bool probed = watch->attach(watch->data, &waiting->file, waiting->path);

		seen_add(watch->seen, &waiting->file.status, probed);
		foreign_release(&waiting->file);
		free(waiting->path);
	}
	watch->waiting_count = 0;
}

static bool is_new(const struct watch *watch, const struct stat *status)
{
	return S_ISREG(status->st_mode) && !seen_find(watch->seen, status) &&
	       !is_waiting(watch, status);
}

struct wanted {
	const struct watch *watch;
	uint64_t inode;
};

static bool is_wanted(void *data, const struct stat *status)
{
	const struct wanted *wanted = data;

	return status->st_ino == wanted->inode && is_new(wanted->watch, status);
}

/* As the user who runs the command, by the name that the process has for it. */
static int open_foreign(const struct watch *watch, const struct mapping *mapping,
			struct foreign_file *file)
{
	struct wanted wanted = { .watch = watch, .inode = mapping->inode };
	char name[MAPPING_NAME];

	snprintf(name, sizeof(name), "/proc/%d/root%s", mapping->pid, mapping->path);
	return foreign_open(watch->reader, name, is_wanted, &wanted, file);
}

static int open_known(const struct watch *watch, const char *name, struct foreign_file *file)
{
	file->origin = -1;
	file->fd = file_open_regular(name, &file->status);
	if (file->fd < 0)
		return file->fd;
	if (is_new(watch, &file->status))
		return 0;
	foreign_release(file);
	return -EEXIST;
}

/*
 * Opens the file. It is attached to when all that was reported is open: attaching
 * takes longer than many a process lives, and with it goes the way to its files.
 * A process that is gone, or a file that cannot be had, is nothing to complain about.
 */
static void take_mapping(void *data, const struct mapping *mapping)
{
	struct watch *watch = data;
	struct foreign_file file = { .fd = -1, .origin = -1 };
	char name[MAPPING_NAME];
	struct stat status;
	char *path;
	int ret;

	watch->reports++;
	ret = mapping_find(mapping, name, &status);
	if (ret ? !foreign_may_help(watch->reader, ret) : !is_new(watch, &status))
		return;
	watch->unknown++;
	ret = ret ? open_foreign(watch, mapping, &file) : open_known(watch, name, &file);
	path = ret ? NULL : strdup(mapping->path);
	if (!path) {
		foreign_release(&file);
		return;
	}
	if (watch->waiting_count == WATCH_WAITING)
		attach_waiting(watch);
	watch->waiting[watch->waiting_count++] = (struct waiting_file){ file, path };
}

int watch_open(struct watch *watch, const struct watch_options *options)
{
	*watch = (struct watch){
		.cgroup = options->cgroup_path,
		.seen = options->seen,
		.attach = options->attach,
		.data = options->data,
		.reader = options->reader,
	};
	return sideband_open(&watch->sideband, options->cgroup, options->pid);
}

int watch_register(const struct watch *watch, int epoll)
{
	struct epoll_event event = { .events = EPOLLIN };
	size_t i;

	for (i = 0; i < watch->sideband.count; i++)
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, watch->sideband.rings[i].event, &event))
			return -errno;
	return 0;
}

void watch_poll(struct watch *watch)
{
	watch->reports = 0;
	watch->unknown = 0;
	if (sideband_read(&watch->sideband, take_mapping, watch))
		maps_visit_cgroup(watch->cgroup, take_mapping, watch);
	attach_waiting(watch);
	if (watch->reports && !watch->unknown)
		usleep(PAUSE);
}

void watch_count(struct watch *watch)
{
	uint64_t now = clock_now();

	if (now < watch->next_count)
		return;
	watch->next_count = now + COUNT_INTERVAL;
	maps_visit_new(watch->cgroup, &watch->known, take_mapping, watch);
	attach_waiting(watch);
}

void watch_close(struct watch *watch)
{
	sideband_close(&watch->sideband);
}
