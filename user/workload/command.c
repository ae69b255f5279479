// SPDX-License-Identifier: GPL-2.0-only
/*
 * execvp(3) in two steps, because kloak has to attach to the file between
 * finding and executing it.
 */
#include "user/workload/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define DEFAULT_PATH "/bin:/usr/bin"

static int check(const char *path)
{
	struct stat status;

	if (stat(path, &status))
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (!S_ISREG(status.st_mode) || access(path, X_OK))
		return -EACCES;
	return 0;
}

static const char *search_path(char *const *envp)
{
	for (; *envp; envp++)
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	return DEFAULT_PATH;
}

int command_find(const char *name, char *const *envp, char path[static PATH_MAX])
{
	const char *at = search_path(envp), *end;
	int ret = -ENOENT;

	if (!*name)
		return -ENOENT;
	if (strchr(name, '/')) {
		if (snprintf(path, PATH_MAX, "%s", name) >= PATH_MAX)
			return -ENAMETOOLONG;
		return check(path);
	}
	for (;; at = end + 1) {
		end = strchrnul(at, ':');
		/* An empty element is the working directory. */
		if (snprintf(path, PATH_MAX, "%.*s%s%s", (int)(end - at), at, end > at ? "/" : "./",
			     name) < PATH_MAX) {
			int found = check(path);

			if (!found)
				return 0;
			if (found == -EACCES)
				ret = found;
		}
		if (!*end)
			return ret;
	}
}

int command_execute(const char *path, char *const *argv, char *const *envp)
{
	CLEANUP_FREE char **shell = NULL;
	size_t count = 0;

	execve(path, argv, envp);
	if (errno != ENOEXEC)
		return -errno;
	while (argv[count])
		count++;
	shell = calloc(count + 2, sizeof(*shell));
	if (!shell)
		return -ENOMEM;
	shell[0] = (char *)"/bin/sh";
	shell[1] = (char *)path;
	for (size_t i = 1; i < count; i++)
		shell[i + 1] = argv[i];
	execve(shell[0], shell, envp);
	return -errno;
}
