// SPDX-License-Identifier: GPL-2.0-only
/* The child's environment and Kloak's own: see environment.h. */
#include "user/secret/environment.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CREDENTIALS "CREDENTIALS_DIRECTORY"

/* proc_pid_stat(5): numbers of the fields, the first after the name in parentheses being 3. */
enum stat_field {
	STAT_STATE = 3,
	STAT_ENV_START = 50,
	STAT_ENV_END = 51,
};

/* ---- the child ---- */

static bool names_variable(const char *variable, const char *name)
{
	size_t size = strlen(name);

	return strncmp(variable, name, size) == 0 && variable[size] == '=';
}

static bool uses_credentials(const struct secret_set *set)
{
	for (unsigned int i = 0; i < set->count; i++)
		if (set->entry[i].source == SECRET_FROM_CREDENTIAL)
			return true;
	return false;
}

/* Left out of the copy: what gets a placeholder instead, and the way to the credentials. */
static bool variable_dropped(const struct secret_set *set, const char *variable)
{
	for (unsigned int i = 0; i < set->count; i++)
		if (names_variable(variable, set->entry[i].name))
			return true;
	return names_variable(variable, CREDENTIALS) && uses_credentials(set);
}

static void redact_and_warn(const struct secret_set *set, char *variable)
{
	secret_mask found = secret_set_redact(set, variable);
	int name = (int)strcspn(variable, "=");

	for (unsigned int i = 0; i < set->count; i++)
		if (found >> i & 1)
			warning("environment variable %.*s held the value of secret %s; the child "
				"gets the placeholder there too",
				name, variable, set->entry[i].name);
}

static char *variable_make(const char *name, const char *value)
{
	char *text;

	return asprintf(&text, "%s=%s", name, value) < 0 ? NULL : text;
}

/* @child has room for all variables and secrets; what is not filled is NULL. */
static int child_fill(const struct secret_set *set, char *const *environment, char **child)
{
	for (; *environment; environment++) {
		if (variable_dropped(set, *environment))
			continue;
		*child = strdup(*environment);
		if (!*child)
			return -ENOMEM;
		redact_and_warn(set, *child++);
	}
	for (unsigned int i = 0; i < set->count; i++) {
		*child = variable_make(set->entry[i].name, set->placeholder[i].text);
		if (!*child++)
			return -ENOMEM;
	}
	return 0;
}

int environment_for_child(const struct secret_set *set, char *const *environment, char ***child,
			  struct error *err)
{
	size_t count = 0;
	char **copy;

	while (environment[count])
		count++;
	copy = calloc(count + set->count + 1, sizeof(*copy));
	if (!copy || child_fill(set, environment, copy) < 0) {
		environment_release(copy);
		return error_no_memory(err, "a copy of the environment");
	}
	*child = copy;
	return 0;
}

void environment_release(char **environment)
{
	if (!environment)
		return;
	for (char **variable = environment; *variable; variable++)
		free(*variable);
	free(environment);
}

/* ---- Kloak itself ---- */

static uint64_t stat_field(const char *stat, enum stat_field wanted)
{
	/* The name may hold spaces and parentheses itself; what follows is letters and digits. */
	const char *at = strrchr(stat, ')');

	for (int field = STAT_STATE; at && field <= (int)wanted; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) : 0;
}

static int stat_read(char *stat, size_t size)
{
	CLEANUP_FD int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, stat, size - 1);

	if (got < 0)
		return -errno;
	stat[got] = '\0';
	return 0;
}

int secret_environment_wipe(struct error *err)
{
	static char *none[] = { NULL };
	char stat[2048];
	uint64_t start, end;
	int ret = stat_read(stat, sizeof(stat));

	if (ret < 0)
		return error_set(err, ret, "cannot read /proc/self/stat: %s; mount /proc",
				 strerror(-ret));
	start = stat_field(stat, STAT_ENV_START);
	end = stat_field(stat, STAT_ENV_END);
	if (start == 0 || end < start)
		return error_set(
			err, -ENODATA,
			"/proc/self/stat does not show where the environment lies, so "
			"that it cannot be overwritten; mount /proc without hidden fields");
	secret_wipe((void *)(uintptr_t)start, (size_t)(end - start));
	environ = none;
	return 0;
}
