/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The first line of a script, "#!INTERPRETER ARGUMENT", as the kernel reads it
 * (fs/binfmt_script.c, execve(2)): at most 256 bytes, one argument at most.
 */
#ifndef KLOAK_ATTACH_SCRIPT_H
#define KLOAK_ATTACH_SCRIPT_H

#include <stddef.h>

#define SCRIPT_LINE_MAX 256 /* bytes with "#!"; BINPRM_BUF_SIZE */

struct script {
	char interpreter[SCRIPT_LINE_MAX];
	char argument[SCRIPT_LINE_MAX]; /* "" if there is none */
};

/* Reads it from an open file. -ENOEXEC: it does not start with a usable "#!" line. */
int script_read(int fd, struct script *script);

/*
 * If the interpreter is env(1), the name of the command that it will look for
 * in PATH goes to @name; -ENOENT if the interpreter is something else or the
 * argument names no command.
 */
int script_env_command(const struct script *script, char name[static SCRIPT_LINE_MAX]);

#endif
