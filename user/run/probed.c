// SPDX-License-Identifier: GPL-2.0-only
/* Files that carry probes: see probed.h. */
#include "user/run/probed.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/vfs.h>
#include <unistd.h>

struct probed_file {
	int fd;
	char *path;
	int watch;	    /* < 0: it is not watched */
	struct stat status; /* when it was probed */
	bool overlay;
	struct hook_links links; /* none while it is being written */
};

void probed_open(struct probed *probed, struct engine *engine)
{
	int ret;

	*probed = (struct probed){ .engine = engine };
	ret = overwrite_open(&probed->overwrite);
	if (ret)
		warning("cannot watch for libraries that are overwritten: %s; raise "
			"fs.inotify.max_user_instances, or do not overwrite any during the run",
			strerror(-ret));
}

static int take(struct probed *probed, const struct probed_file *file)
{
	struct probed_file *grown = reallocarray(probed->files, probed->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	probed->files = grown;
	grown[probed->count++] = *file;
	return 0;
}

static void release(struct probed *probed, struct probed_file *file)
{
	overwrite_unwatch(&probed->overwrite, file->watch);
	hook_links_release(&file->links);
	free(file->path);
	close(file->fd);
}

/* Watched before it is read: what is written after that, is known. */
static int attach(struct probed *probed, struct probed_file *file,
		  const struct foreign_file *opened, struct error *err)
{
	int ret;

	if (opened->origin < 0 && fstat(file->fd, &file->status))
		return error_set(err, -errno, "cannot look at %s: %s; is it being replaced?",
				 file->path, strerror(errno));
	ret = engine_attach_file(probed->engine, opened, file->path, &file->links, err);
	if (ret >= 0 && seen_add(&probed->seen, &file->status, ret > 0))
		return error_no_memory(err, "the list of probed files");
	return ret;
}

/* What could be opened here is open again as file->fd. */
static int attach_again(struct probed *probed, struct probed_file *file, struct error *err)
{
	const struct foreign_file opened = { .fd = file->fd, .origin = -1 };

	return attach(probed, file, &opened, err);
}

static bool is_overlay(int fd)
{
	struct statfs status;

	return !fstatfs(fd, &status) && status.f_type == OVERLAYFS_SUPER_MAGIC;
}

/*
 * A file of a container's image has another device in each container, and with
 * "xino" higher bits in its number. What it has of the one file below, where the
 * kernel puts the probes, are times and size.
 */
static bool is_same_below(const struct probed_file *file, const struct stat *status)
{
	const struct stat *known = &file->status;

	return (uint32_t)known->st_ino == (uint32_t)status->st_ino &&
	       known->st_size == status->st_size &&
	       memcmp(&known->st_mtim, &status->st_mtim, sizeof(known->st_mtim)) == 0 &&
	       memcmp(&known->st_ctim, &status->st_ctim, sizeof(known->st_ctim)) == 0;
}

/* Probed twice, each call would count twice. */
static bool is_probed_below(const struct probed *probed, int fd, const struct stat *status)
{
	bool overlay = is_overlay(fd);
	size_t i;

	for (i = 0; i < probed->count; i++)
		if ((overlay || probed->files[i].overlay) && probed->files[i].links.count &&
		    is_same_below(&probed->files[i], status))
			return true;
	return false;
}

static struct probed_file *find_watched(const struct probed *probed, int watch)
{
	size_t i;

	for (i = 0; watch >= 0 && i < probed->count; i++)
		if (probed->files[i].watch == watch)
			return &probed->files[i];
	return NULL;
}

/* Of a file that others may not look at, nobody is told when it is written to. */
int probed_add(struct probed *probed, const struct foreign_file *opened, const char *path,
	       struct error *err)
{
	int fd = opened->origin < 0 ? opened->fd : opened->origin;
	struct probed_file file = { .watch = -1, .status = opened->status }, *known;
	int ret;

	if (seen_find(&probed->seen, &file.status))
		return 0;
	if (is_probed_below(probed, fd, &file.status))
		return 0;
	if (opened->origin < 0)
		file.watch = overwrite_watch(&probed->overwrite, fd);
	known = find_watched(probed, file.watch);
	if (known) /* it is being written to, and was mapped meanwhile */
		return attach_again(probed, known, err);
	file.overlay = is_overlay(fd);
	file.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (file.fd < 0) {
		ret = -errno;
		overwrite_unwatch(&probed->overwrite, file.watch);
		return error_set(err, ret,
				 "cannot keep %s open: %s; raise the limit of open "
				 "files",
				 path, strerror(-ret));
	}
	file.path = strdup(path);
	ret = file.path ? attach(probed, &file, opened, err)
			: error_no_memory(err, "the list of probed files");
	if (!file.links.count || take(probed, &file))
		release(probed, &file);
	return ret;
}

int probed_register(const struct probed *probed, int epoll)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (probed->overwrite.open &&
	    epoll_ctl(epoll, EPOLL_CTL_ADD, probed->overwrite.inotify, &event))
		return -errno;
	return 0;
}

/* A file that was opened for writing, and not written to, stays as it is. */
static bool is_unchanged(const struct probed_file *file)
{
	struct stat status;

	return file->links.count && !fstat(file->fd, &status) &&
	       status.st_size == file->status.st_size &&
	       memcmp(&status.st_mtim, &file->status.st_mtim, sizeof(status.st_mtim)) == 0;
}

static void take_write(void *data, int watch, bool done)
{
	struct probed *probed = data;
	struct probed_file *file = find_watched(probed, watch);
	struct error err;

	if (!file || (done && is_unchanged(file)))
		return;
	hook_links_release(&file->links);
	seen_forget(&probed->seen, &file->status);
	if (done && attach_again(probed, file, &err) < 0)
		warning("%s", err.text);
}

void probed_poll(struct probed *probed)
{
	overwrite_read(&probed->overwrite, take_write, probed);
}

void probed_close(struct probed *probed)
{
	size_t i, k;

	for (i = 0; i < probed->count; i++) {
		struct probed_file *file = &probed->files[i];

		for (k = 0; k < file->links.count; k++)
			hook_links_add(&probed->engine->probes, file->links.fds[k]);
		free(file->links.fds);
		file->links = (struct hook_links){ 0 };
		release(probed, file);
	}
	free(probed->files);
	overwrite_close(&probed->overwrite);
	seen_release(&probed->seen);
	*probed = (struct probed){ 0 };
}
