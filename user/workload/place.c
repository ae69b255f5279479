// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which directory is the cgroup of a process? Two texts tell it (cgroups(7),
 * proc(5)): /proc/PID/cgroup has its path in the hierarchy ("0::/a/b"), and
 * mountinfo says which part of the hierarchy a mount shows (field 4, the root)
 * and where (field 5). Both are relative to the reader's cgroup namespace and
 * may begin with "/.." for what lies outside; such a path is of use only if
 * the mount's root is a prefix of it.
 */
#include "user/workload/cgroup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/text.h"

enum { FIELD_ROOT = 3, FIELD_MOUNT = 4, FIELDS = 5 };

static bool is_octal(const char *digits)
{
	return digits[0] >= '0' && digits[0] <= '3' && digits[1] >= '0' && digits[1] <= '7' &&
	       digits[2] >= '0' && digits[2] <= '7';
}

/* mountinfo writes blank, tab, newline and backslash as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && is_octal(from + 1)) {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* Splits a line of mountinfo; false if it is no cgroup2 mount. */
static bool split_cgroup2(char *line, char *field[FIELDS])
{
	char *type = strstr(line, " - ");

	if (!type || strncmp(type + 3, "cgroup2 ", 8) != 0)
		return false;
	*type = '\0'; /* the fields are all before it */
	for (int i = 0; i < FIELDS; i++) {
		field[i] = strsep(&line, " ");
		if (!field[i])
			return false;
	}
	unescape(field[FIELD_ROOT]);
	unescape(field[FIELD_MOUNT]);
	return true;
}

static bool leaves_upwards(const char *path)
{
	for (const char *at = path; (at = strstr(at, "/..")); at += 3)
		if (at[3] == '\0' || at[3] == '/')
			return true;
	return false;
}

/* What of @own is below @root: "" or "/a/b"; NULL if it is not below. */
static const char *below(const char *own, const char *root)
{
	size_t size = strcmp(root, "/") == 0 ? 0 : strlen(root);
	const char *rest = own + size;

	if (strncmp(own, root, size) != 0 || (*rest && *rest != '/') || leaves_upwards(rest))
		return NULL;
	return strcmp(rest, "/") == 0 ? "" : rest;
}

static const char *own_path(char *membership)
{
	char *line;

	while ((line = text_line(&membership)))
		if (strncmp(line, "0::/", 4) == 0)
			return line + 3;
	return NULL;
}

int cgroup_parse(char *mountinfo, char *membership, struct cgroup_place *place)
{
	const char *own = own_path(membership);
	char *line, *field[FIELDS];
	int ret = -ENODEV;

	while (own && (line = text_line(&mountinfo))) {
		const char *rest;

		if (!split_cgroup2(line, field))
			continue;
		ret = -ENOENT;
		rest = below(own, field[FIELD_ROOT]);
		if (!rest || strlen(field[FIELD_MOUNT]) + strlen(rest) >= sizeof(place->own))
			continue;
		snprintf(place->mount, sizeof(place->mount), "%s", field[FIELD_MOUNT]);
		snprintf(place->own, sizeof(place->own), "%s%s", field[FIELD_MOUNT], rest);
		return 0;
	}
	return ret;
}
