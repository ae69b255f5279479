// SPDX-License-Identifier: GPL-2.0-only
/* The files that a process has mapped: see explain.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/text.h"
#include "user/attach/mapping.h"
#include "user/explain/explain.h"

#define STATUS_TEXT 65536
#define DELETED	    " (deleted)"

/* --- what process it is -------------------------------------------------- */

struct standing {
	pid_t tgid;
	bool has_memory;
	bool is_zombie;
};

static int read_standing(pid_t pid, struct standing *standing)
{
	CLEANUP_FREE char *text = NULL;
	char path[64], *rest, *line;
	int ret;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	ret = text_read(path, STATUS_TEXT, &text);
	*standing = (struct standing){ .tgid = pid };
	for (rest = text; !ret && (line = text_line(&rest));) {
		if (strncmp(line, "Tgid:\t", 6) == 0)
			standing->tgid = (pid_t)strtol(line + 6, NULL, 10);
		standing->has_memory |= strncmp(line, "VmSize:", 7) == 0;
		standing->is_zombie |= strncmp(line, "State:\tZ", 8) == 0 ||
				       strncmp(line, "State:\tX", 8) == 0;
	}
	return ret;
}

static void read_comm(struct explain *explain)
{
	CLEANUP_FREE char *text = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", explain->pid);
	if (text_read(path, 4096, &text))
		return;
	text[strcspn(text, "\n")] = '\0';
	snprintf(explain->live.comm, sizeof(explain->live.comm), "%s", text);
}

/* --- what it has mapped ---------------------------------------------------- */

struct identity {
	dev_t dev;
	ino_t ino;
};

struct collection {
	struct explain *explain;
	struct identity program; /* ino 0: unknown */
	struct identity *seen;
	size_t seen_count;
	int error;
};

static bool was_seen(struct collection *collection, const struct stat *status)
{
	struct identity *grown;
	size_t i;

	for (i = 0; i < collection->seen_count; i++)
		if (collection->seen[i].ino == status->st_ino &&
		    collection->seen[i].dev == status->st_dev)
			return true;
	grown = reallocarray(collection->seen, i + 1, sizeof(*grown));
	if (!grown) {
		collection->error = -ENOMEM;
		return true;
	}
	grown[i] = (struct identity){ status->st_dev, status->st_ino };
	collection->seen = grown;
	collection->seen_count++;
	return false;
}

/* Cuts the kernel's remark off; whether it was there. */
static bool cut_deleted(char *path)
{
	size_t size = strlen(path), tail = strlen(DELETED);

	if (size <= tail || strcmp(path + size - tail, DELETED) != 0)
		return false;
	path[size - tail] = '\0';
	return true;
}

/* By identity or by name: on overlayfs one file can show two device numbers. */
static bool is_executable(const struct collection *collection, const struct mapping *mapping,
			  const struct stat *status)
{
	if (status->st_ino == collection->program.ino && status->st_dev == collection->program.dev)
		return true;
	return strcmp(mapping->path, collection->explain->path) == 0;
}

static void take_file(struct collection *collection, const struct mapping *mapping, int fd,
		      const struct stat *status)
{
	bool is_program = is_executable(collection, mapping, status);
	struct explain *explain = collection->explain;
	size_t before = explain->count;

	collection->error = explain_add_file(explain, mapping->path,
					     is_program ? EXPLAIN_PROGRAM : EXPLAIN_LOADED, fd,
					     fd < 0 ? fd : 0);
	if (explain->count > before)
		explain->files[before].deleted = cut_deleted(explain->files[before].path);
}

static void take_mapping(void *data, const struct mapping *mapping)
{
	struct collection *collection = data;
	struct stat status = { .st_ino = mapping->inode };

	if (collection->error)
		return;
	CLEANUP_FD int fd = mapping_open(mapping, &status);

	if (fd == -EINVAL)
		return; /* a device, say: no program text that could be probed */
	if (fd < 0)
		status = (struct stat){ .st_ino = mapping->inode };
	if (!was_seen(collection, &status))
		take_file(collection, mapping, fd, &status);
}

static void find_program(struct collection *collection)
{
	struct explain *explain = collection->explain;
	struct stat status;
	char link[64];
	ssize_t size;

	snprintf(link, sizeof(link), "/proc/%d/exe", explain->pid);
	size = readlink(link, explain->path, sizeof(explain->path) - 1);
	explain->path[size < 0 ? 0 : size] = '\0';
	if (size >= 0 && !stat(link, &status))
		collection->program = (struct identity){ status.st_dev, status.st_ino };
}

static int collect(struct explain *explain)
{
	struct collection collection = { .explain = explain };
	int ret;

	find_program(&collection);
	ret = maps_visit(explain->pid, take_mapping, &collection);
	free(collection.seen);
	return ret ? ret : collection.error;
}

/* --- all of it -------------------------------------------------------------- */

static int cannot_look(pid_t pid, int code, struct error *err)
{
	if (code == -EACCES || code == -EPERM)
		return error_set(err, -EACCES,
				 "cannot look at process %d, which belongs to another user or is "
				 "protected; use sudo",
				 pid);
	if (code == -ENOENT || code == -ESRCH)
		return error_config(err, -ESRCH, "there is no process %d; look at ps(1)", pid);
	return error_set(err, code, "cannot look at process %d: %s; try again", pid,
			 strerror(-code));
}

int explain_process(pid_t pid, struct explain *explain, struct error *err)
{
	struct standing standing;
	int ret = read_standing(pid, &standing);

	memset(explain, 0, sizeof(*explain));
	if (ret)
		return cannot_look(pid, ret, err);
	explain->pid = standing.tgid;
	read_comm(explain);
	if (standing.has_memory) {
		ret = collect(explain);
		if (!ret)
			explain_ask_kernel(explain);
	}
	if (ret) {
		explain_release(explain);
		return cannot_look(pid, ret, err);
	}
	explain_judge(explain);
	if (!standing.has_memory)
		explain->reason = standing.is_zombie ? EXPLAIN_ZOMBIE : EXPLAIN_KERNEL_THREAD;
	return 0;
}
