// SPDX-License-Identifier: GPL-2.0-only
/* The environment of a command that runs as another user: see account.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "user/workload/account.h"

/* The array and the new entries live in one block, so one free() does. */
struct entry {
	const char *name; /* with "=" */
	const char *value;
};

static bool is_replaced(const char *variable, const struct entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strncmp(variable, entries[i].name, strlen(entries[i].name)) == 0)
			return true;
	return false;
}

static char **build(char *const *envp, const struct entry *entries, size_t count)
{
	size_t old = 0, text = 0, used = 0;
	char **environment, *at;

	while (envp[old])
		old++;
	for (size_t i = 0; i < count; i++)
		text += strlen(entries[i].name) + strlen(entries[i].value) + 1;
	environment = malloc((old + count + 1) * sizeof(*environment) + text);
	if (!environment)
		return NULL;
	for (size_t i = 0; i < old; i++)
		if (!is_replaced(envp[i], entries, count))
			environment[used++] = envp[i];
	at = (char *)(environment + old + count + 1);
	for (size_t i = 0; i < count; i++) {
		if (!*entries[i].value)
			continue; /* unknown: better unset than another user's */
		environment[used++] = at;
		at += sprintf(at, "%s%s", entries[i].name, entries[i].value) + 1;
	}
	environment[used] = NULL;
	return environment;
}

char **account_environment(const struct account *account, char *const *envp)
{
	const struct entry entries[] = {
		{ "HOME=", account->home },
		{ "SHELL=", account->shell },
		{ "USER=", account->name },
		{ "LOGNAME=", account->name },
	};

	return build(envp, entries, account->changed ? ARRAY_SIZE(entries) : 0);
}

void account_environment_free(char **environment)
{
	free(environment);
}
