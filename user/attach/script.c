// SPDX-License-Identifier: GPL-2.0-only
/* "#!" lines: see script.h. */
#include "user/attach/script.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BLANK " \t"

int script_read(int fd, struct script *script)
{
	char line[SCRIPT_LINE_MAX + 1], *word, *rest;
	ssize_t size = pread(fd, line, SCRIPT_LINE_MAX, 0);
	size_t length;

	if (size < 0)
		return -errno;
	line[size] = '\0';
	if (strncmp(line, "#!", 2) != 0)
		return -ENOEXEC;
	line[strcspn(line, "\n")] = '\0';
	word = line + 2 + strspn(line + 2, BLANK);
	length = strcspn(word, BLANK);
	if (length == 0)
		return -ENOEXEC;
	memcpy(script->interpreter, word, length);
	script->interpreter[length] = '\0';
	rest = word + length + strspn(word + length, BLANK);
	length = strlen(rest);
	while (length && strchr(BLANK, rest[length - 1]))
		length--;
	memcpy(script->argument, rest, length);
	script->argument[length] = '\0';
	return 0;
}

static const char *basename_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* env [-S] [-OPTION...] [NAME=VALUE...] COMMAND; "-S" may be glued to what follows it. */
int script_env_command(const struct script *script, char name[static SCRIPT_LINE_MAX])
{
	const char *word = script->argument;
	size_t length;

	if (strcmp(basename_of(script->interpreter), "env") != 0)
		return -ENOENT;
	for (;; word += length) {
		word += strspn(word, BLANK);
		if (strncmp(word, "-S", 2) == 0)
			word += 2 + strspn(word + 2, BLANK);
		length = strcspn(word, BLANK);
		if (length == 0)
			return -ENOENT;
		if (*word != '-' && !memchr(word, '=', length))
			break;
	}
	memcpy(name, word, length);
	name[length] = '\0';
	return 0;
}
