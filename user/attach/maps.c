// SPDX-License-Identifier: GPL-2.0-only
/* Reading /proc/PID/maps: see maps.h. */
#include "user/attach/maps.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/text.h"

#define LINE_BYTES   8192 /* PATH_MAX, and what comes before the path */
#define LINES_MAX    65536
#define PROCESS_TEXT (MAPS_PROCESSES_MAX * 12)
#define DEPTH_MAX    8
#define CGROUPS_MAX  1024

static int digit(char character, unsigned int base)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = character ? memchr(digits, character, base) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* A number that ends with @end, which is passed over. */
static bool take_number(const char **at, unsigned int base, char end, uint64_t *value)
{
	const char *start = *at;
	int next;

	for (*value = 0; (next = digit(**at, base)) >= 0; (*at)++)
		if (__builtin_mul_overflow(*value, base, value) ||
		    __builtin_add_overflow(*value, (uint64_t)next, value))
			return false;
	return *at > start && *(*at)++ == end;
}

int maps_parse(const char *line, struct mapping *mapping)
{
	uint64_t offset, major, minor;
	const char *permissions;

	if (!take_number(&line, 16, '-', &mapping->start) ||
	    !take_number(&line, 16, ' ', &mapping->end))
		return -EBADMSG;
	permissions = line;
	if (strnlen(permissions, 5) < 5 || permissions[4] != ' ')
		return -EBADMSG;
	line += 5;
	if (!take_number(&line, 16, ' ', &offset) || !take_number(&line, 16, ':', &major) ||
	    !take_number(&line, 16, ' ', &minor) || !take_number(&line, 10, ' ', &mapping->inode))
		return -EBADMSG;
	mapping->path = line + strspn(line, " ");
	if (permissions[2] != 'x' || mapping->inode == 0 || *mapping->path != '/')
		return -ENOENT;
	return 0;
}

int maps_visit(pid_t pid, mapping_visit visit, void *data)
{
	CLEANUP_FILE FILE *file = NULL;
	struct mapping mapping = { .pid = pid };
	char path[32], line[LINE_BYTES];
	int count;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	for (count = 0; count < LINES_MAX && fgets(line, sizeof(line), file); count++) {
		line[strcspn(line, "\n")] = '\0';
		if (!maps_parse(line, &mapping))
			visit(data, &mapping);
	}
	return 0;
}

/* --- cgroups ----------------------------------------------------------- */

struct walk {
	mapping_visit visit;
	void *data;
	const struct maps_processes *known; /* these are passed over; or NULL */
	struct maps_processes *found;	    /* or NULL */
	unsigned int processes;		    /* that may still be read */
	unsigned int cgroups;
};

static int compare_pids(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

static void visit_process(struct walk *walk, pid_t pid)
{
	const struct maps_processes *known = walk->known;

	if (walk->found && walk->found->count < MAPS_PROCESSES_MAX)
		walk->found->pids[walk->found->count++] = pid;
	if (!known || !bsearch(&pid, known->pids, known->count, sizeof(pid), compare_pids))
		maps_visit(pid, walk->visit, walk->data);
}

static void visit_processes(struct walk *walk, const char *cgroup)
{
	CLEANUP_FREE char *text = NULL;
	char path[PATH_MAX], *rest, *line;
	uint64_t pid;

	if (snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup) >= (int)sizeof(path) ||
	    text_read(path, PROCESS_TEXT, &text))
		return;
	for (rest = text; walk->processes && (line = text_line(&rest)); walk->processes--) {
		const char *at = line;

		/* 0: a process of another pid namespace, not to be reached by a number. */
		if (take_number(&at, 10, '\0', &pid) && pid > 0 && pid <= INT_MAX)
			visit_process(walk, (pid_t)pid);
	}
}

static void visit_cgroup(struct walk *walk, const char *cgroup, unsigned int depth)
{
	const struct dirent *entry;
	char nested[PATH_MAX];
	DIR *directory;

	visit_processes(walk, cgroup);
	directory = depth ? opendir(cgroup) : NULL;
	if (!directory)
		return;
	while (walk->cgroups && (entry = readdir(directory))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
		    snprintf(nested, sizeof(nested), "%s/%s", cgroup, entry->d_name) >=
			    (int)sizeof(nested))
			continue;
		walk->cgroups--;
		visit_cgroup(walk, nested, depth - 1);
	}
	closedir(directory);
}

void maps_visit_cgroup(const char *cgroup, mapping_visit visit, void *data)
{
	struct walk walk = { .visit = visit,
			     .data = data,
			     .processes = MAPS_PROCESSES_MAX,
			     .cgroups = CGROUPS_MAX };

	visit_cgroup(&walk, cgroup, DEPTH_MAX);
}

void maps_visit_new(const char *cgroup, struct maps_processes *known, mapping_visit visit,
		    void *data)
{
	CLEANUP_FREE struct maps_processes *found = calloc(1, sizeof(*found));
	struct walk walk = { .visit = visit,
			     .data = data,
			     .known = known,
			     .found = found,
			     .processes = MAPS_PROCESSES_MAX,
			     .cgroups = CGROUPS_MAX };

	if (!found)
		return;
	visit_cgroup(&walk, cgroup, DEPTH_MAX);
	qsort(found->pids, found->count, sizeof(*found->pids), compare_pids);
	*known = *found;
}
