/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The environment: what the child gets instead of secrets, and how Kloak makes
 * its own unreadable.
 */
#ifndef KLOAK_SECRET_ENVIRONMENT_H
#define KLOAK_SECRET_ENVIRONMENT_H

#include "lib/error.h"
#include "user/secret/set.h"

/*
 * A copy of @environment for the child, NULL-terminated, to be released with
 * environment_release():
 *  - each secret's NAME is its placeholder, wherever the value came from;
 *  - a value that stands in another variable is replaced too, with a warning
 *    that names the variable;
 *  - CREDENTIALS_DIRECTORY is left out if a secret is a credential, as it would
 *    show the child the way to the value.
 *
 * Returns 0, or -ENOMEM with a sentence in @err.
 */
int environment_for_child(const struct secret_set *set, char *const *environment, char ***child,
			  struct error *err);

void environment_release(char **environment);

/*
 * Overwrites the whole environment block of this process with zeros, as it lies
 * in the initial stack and as /proc/PID/environ shows it (proc_pid_environ(5)),
 * and leaves an empty environment. A child of the same user could read the
 * values there. Strings that getenv() returned before are gone.
 *
 * Returns 0, or a negative errno with a sentence in @err if /proc does not tell
 * where the block lies; Kloak must then not start the child.
 */
int secret_environment_wipe(struct error *err);

#endif
