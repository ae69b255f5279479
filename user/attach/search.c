// SPDX-License-Identifier: GPL-2.0-only
/* Library search paths: see search.h. */
#include "user/attach/search.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/file.h"

#define LIST_SEPARATORS ":;\n"
#define MUSL_PATH_MAX	65536 /* bytes of /etc/ld-musl-ARCH.path */

static const struct {
	uint16_t machine;
	const char *directories;
	const char *musl_path;
} defaults[] = {
	{ EM_X86_64,
	  "/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:/lib64:/usr/lib64:"
	  "/lib:/usr/local/lib:/usr/lib",
	  "/etc/ld-musl-x86_64.path" },
	{ EM_AARCH64,
	  "/lib/aarch64-linux-gnu:/usr/lib/aarch64-linux-gnu:/lib64:/usr/lib64:"
	  "/lib:/usr/local/lib:/usr/lib",
	  "/etc/ld-musl-aarch64.path" },
};

/* What $LIB is: Fedora, SUSE; Debian, Ubuntu; Arch, Alpine. */
static const char *const lib_names[] = {
	"lib64",
	"lib/x86_64-linux-gnu",
	"lib/aarch64-linux-gnu",
	"lib",
};

/* Appends @length bytes; false if @text would outgrow PATH_MAX. */
static bool append(char *text, const char *more, size_t length)
{
	size_t used = strlen(text);

	if (used + length >= PATH_MAX)
		return false;
	memcpy(text + used, more, length);
	text[used + length] = '\0';
	return true;
}

/* The length of "$NAME" or "${NAME}" at @text, 0 if it is not that. */
static size_t token_length(const char *text, const char *name)
{
	size_t length = strlen(name);

	if (strncmp(text + 1, name, length) == 0)
		return 1 + length;
	if (text[1] == '{' && strncmp(text + 2, name, length) == 0 && text[2 + length] == '}')
		return 3 + length;
	return 0;
}

static bool append_origin(char *text, const char *origin)
{
	const char *slash = origin ? strrchr(origin, '/') : NULL;

	if (!origin)
		return false;
	if (!slash)
		return append(text, ".", 1);
	return append(text, origin, slash > origin ? (size_t)(slash - origin) : 1);
}

/* False if @directory cannot be expanded, and so is to be left out. */
static bool expand(const char *directory, const char *origin, const char *lib, char *text)
{
	size_t length;

	text[0] = '\0';
	for (; *directory; directory += length) {
		length = strcspn(directory, "$");
		if (length) {
			if (!append(text, directory, length))
				return false;
		} else if ((length = token_length(directory, "ORIGIN"))) {
			if (!append_origin(text, origin))
				return false;
		} else if ((length = token_length(directory, "LIB"))) {
			if (!append(text, lib, strlen(lib)))
				return false;
		} else {
			return false;
		}
	}
	return true;
}

static int visit_element(const char *element, const char *origin, search_visit visit, void *data)
{
	char text[PATH_MAX];
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(lib_names); i++) {
		if (!expand(element, origin, lib_names[i], text))
			return 0;
		ret = visit(data, *text ? text : ".");
		if (ret || (!strstr(element, "$LIB") && !strstr(element, "${LIB}")))
			return ret;
	}
	return 0;
}

int search_list(const char *list, const char *origin, search_visit visit, void *data)
{
	char element[PATH_MAX];
	size_t length;
	int ret;

	for (;; list += length + 1) {
		length = strcspn(list, LIST_SEPARATORS);
		if (length < sizeof(element)) {
			memcpy(element, list, length);
			element[length] = '\0';
			ret = visit_element(element, origin, visit, data);
			if (ret)
				return ret;
		}
		if (!list[length])
			return 0;
	}
}

static int search_musl(const char *path, search_visit visit, void *data)
{
	CLEANUP_FREE void *content = NULL;
	size_t size;
	char *list;

	if (file_read_regular(path, MUSL_PATH_MAX, &content, &size))
		return 0; /* it is optional */
	list = content;
	while (size && list[size - 1] == '\n')
		list[--size] = '\0';
	return size ? search_list(list, NULL, visit, data) : 0;
}

int search_default(uint16_t machine, bool musl, search_visit visit, void *data)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < ARRAY_SIZE(defaults); i++) {
		if (defaults[i].machine != machine)
			continue;
		if (musl)
			ret = search_musl(defaults[i].musl_path, visit, data);
		return ret ? ret : search_list(defaults[i].directories, NULL, visit, data);
	}
	return 0;
}
