// SPDX-License-Identifier: GPL-2.0-only
/* Programs in the words of a command line: see mention.h. */
#include "user/attach/mention.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/text.h"
#include "user/attach/script.h"
#include "user/workload/command.h"

/* What ends a word of a shell, and '=': a variable or option may hold a path. */
#define SEPARATORS " \t\n;&|()<>`$\"'{}=,"

static bool is_known(const struct mention *mention, const char *path)
{
	size_t i;

	for (i = 0; i < mention->count; i++)
		if (strcmp(mention->paths[i], path) == 0)
			return true;
	return false;
}

static void look_up(const char *word, char *const *envp, struct mention *mention)
{
	char *path = mention->paths[mention->count];

	if (!command_find(word, envp, path) && !is_known(mention, path))
		mention->count++;
}

struct scan {
	char *const *envp;
	const char *directory; /* of the script, with its '/'; or NULL */
	unsigned int words;    /* that may still be looked at */
	struct mention *mention;
};

static void look_beside(const struct scan *scan, const char *word)
{
	const char *slash = strrchr(word, '/');
	char path[PATH_MAX];

	if (slash && slash[1] &&
	    snprintf(path, sizeof(path), "%s%s", scan->directory, slash + 1) < (int)sizeof(path))
		look_up(path, scan->envp, scan->mention);
}

/* False when enough was looked at, or found. */
static bool scan_text(struct scan *scan, const char *at)
{
	struct mention *mention = scan->mention;
	char word[PATH_MAX];
	size_t length;

	for (; *at; at += length) {
		at += strspn(at, SEPARATORS);
		length = strcspn(at, SEPARATORS);
		if (length == 0 || length >= sizeof(word) || *at == '-')
			continue;
		if (scan->words-- == 0 || mention->count == MENTION_MAX)
			return false;
		memcpy(word, at, length);
		word[length] = '\0';
		look_up(word, scan->envp, mention);
		if (scan->directory && mention->count < MENTION_MAX)
			look_beside(scan, word);
	}
	return true;
}

void mention_find(char *const *argv, char *const *envp, struct mention *mention)
{
	struct scan scan = { .envp = envp, .words = MENTION_WORDS, .mention = mention };

	mention->count = 0;
	if (!*argv)
		return;
	while (*++argv && scan_text(&scan, *argv))
		;
}

static bool is_shell(const struct script *script)
{
	char name[SCRIPT_LINE_MAX];
	size_t length;

	if (script_env_command(script, name))
		strcpy(name, script->interpreter);
	length = strlen(name);
	return length >= 2 && strcmp(name + length - 2, "sh") == 0;
}

/* Reads its beginning; false if it is no script of a shell. */
static bool read_script(const char *path, char text[static MENTION_SCRIPT_MAX])
{
	struct script script;
	struct stat status;
	CLEANUP_FD int fd = file_open_regular(path, &status);
	ssize_t size;

	if (fd < 0 || script_read(fd, &script) || !is_shell(&script))
		return false;
	size = pread(fd, text, MENTION_SCRIPT_MAX - 1, 0);
	text[size > 0 ? size : 0] = '\0';
	return true;
}

/* The first line is a comment as well. */
void mention_find_in_script(const char *path, char *const *envp, struct mention *mention)
{
	char text[MENTION_SCRIPT_MAX], directory[PATH_MAX] = "./", *line, *rest = text;
	struct scan scan = {
		.envp = envp,
		.directory = directory,
		.words = MENTION_SCRIPT_WORDS,
		.mention = mention,
	};
	const char *slash = strrchr(path, '/');

	if (!read_script(path, text))
		return;
	if (slash && slash - path + 1 < PATH_MAX) {
		memcpy(directory, path, (size_t)(slash - path) + 1);
		directory[slash - path + 1] = '\0';
	}
	while ((line = text_line(&rest)))
		if (line[strspn(line, " \t")] != '#' && !scan_text(&scan, line))
			return;
}
