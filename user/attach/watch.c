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

#include "lib/cleanup.h"
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
		if (watch->waiting[i].status.st_dev == status->st_dev &&
		    watch->waiting[i].status.st_ino == status->st_ino)
			return true;
	return false;
}

static void attach_waiting(struct watch *watch)
{
	size_t i;

	for (i = 0; i < watch->waiting_count; i++) {
		struct waiting_file *file = &watch->waiting[i];
		bool probed = watch->attach(watch->data, file->fd, file->path);

		seen_add(watch->seen, &file->status, probed);
		close(file->fd);
		free(file->path);
	}
	watch->waiting_count = 0;
}

/*
 * Opens the file. It is attached to when all that was reported is open: attaching
 * takes longer than many a process lives, and with it goes the way to its files.
 * A process that is gone, or a file that cannot be had, is nothing to complain about.
 */
static void take_mapping(void *data, const struct mapping *mapping)
{
	struct watch *watch = data;
	char name[MAPPING_NAME];
	struct stat status;
	char *path;

	watch->reports++;
	if (mapping_find(mapping, name, &status) || !S_ISREG(status.st_mode) ||
	    seen_find(watch->seen, &status) || is_waiting(watch, &status))
		return;
	watch->news++;
	CLEANUP_FD int fd = file_open_regular(name, &status);

	if (fd < 0 || seen_find(watch->seen, &status) || is_waiting(watch, &status))
		return;
	path = strdup(mapping->path);
	if (!path)
		return;
	if (watch->waiting_count == WATCH_WAITING)
		attach_waiting(watch);
	watch->waiting[watch->waiting_count++] = (struct waiting_file){
		.fd = TAKE_FD(fd),
		.path = path,
		.status = status,
	};
}

int watch_open(struct watch *watch, const struct watch_options *options)
{
	*watch = (struct watch){
		.cgroup = options->cgroup_path,
		.seen = options->seen,
		.attach = options->attach,
		.data = options->data,
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
	watch->news = 0;
	if (sideband_read(&watch->sideband, take_mapping, watch))
		maps_visit_cgroup(watch->cgroup, take_mapping, watch);
	attach_waiting(watch);
	if (watch->reports && !watch->news)
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
