// SPDX-License-Identifier: GPL-2.0-only
/* Programs in the words of a command line: see mention.h. */
#include "user/attach/mention.h"

#include <stdbool.h>
#include <string.h>

#include "user/workload/command.h"

/* What ends a word of a shell, and '=': a variable or option may hold a path. */
#define SEPARATORS " \t\n;&|()<>`$\"'{}=,"

static bool is_known(const struct mention *mention, const char *path)
{
	size_t i;

	for (i = 0; i < mention->count; i++)
		if (!strcmp(mention->paths[i], path))
			return true;
	return false;
}

static void look_up(const char *word, char *const *envp, struct mention *mention)
{
	char *path = mention->paths[mention->count];

	if (!command_find(word, envp, path) && !is_known(mention, path))
		mention->count++;
}

void mention_find(char *const *argv, char *const *envp, struct mention *mention)
{
	unsigned int words = 0;
	char word[PATH_MAX];
	const char *at;
	size_t length;

	mention->count = 0;
	if (!*argv)
		return;
	while (*++argv) {
		for (at = *argv; *at; at += length) {
			at += strspn(at, SEPARATORS);
			length = strcspn(at, SEPARATORS);
			if (length == 0 || length >= sizeof(word) || *at == '-')
				continue;
			if (words++ == MENTION_WORDS || mention->count == MENTION_MAX)
				return;
			memcpy(word, at, length);
			word[length] = '\0';
			look_up(word, envp, mention);
		}
	}
}
