/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KLOAK_WORKLOAD_COMMAND_H
#define KLOAK_WORKLOAD_COMMAND_H

#include <limits.h>

/*
 * Where execvp(3) would find @name with the PATH of @envp, with the rights of
 * this process. -ENOENT: nowhere; -EACCES: found, but not executable for us.
 */
int command_find(const char *name, char *const *envp, char path[static PATH_MAX]);

/* execve(2); what the kernel does not know is a shell script, as in execvp(3). -errno. */
int command_execute(const char *path, char *const *argv, char *const *envp);

#endif
