/* SPDX-License-Identifier: GPL-2.0-only */
/* Real commands, run as Kloak runs the protected one, and their output. */
#ifndef KLOAK_SELFTESTS_RUN_COMMAND_H
#define KLOAK_SELFTESTS_RUN_COMMAND_H

#include <check.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/workload/cgroup.h"
#include "user/workload/child.h"

extern char **environ;

/* Otherwise commands run as the user who called sudo. */
static inline void forget_sudo(void)
{
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	unsetenv("SUDO_USER");
}

struct result {
	int status; /* of waitpid */
	char output[8192];
};

/*
 * Runs to the end as @user, who is as for account_find(); stdout and stderr into result->output.
 * Returns child_prepare's or go's error.
 */
static inline int run_as(const char *user, struct child_options *options, char *const *argv,
			 struct result *result, struct error *err)
{
	int out[2], saved[2] = { dup(1), dup(2) }, ret;
	struct account account;
	struct child child;
	size_t used = 0;
	ssize_t got;

	memset(result, 0, sizeof(*result));
	ck_assert_int_eq(fcntl(saved[0], F_SETFD, FD_CLOEXEC), 0);
	ck_assert_int_eq(fcntl(saved[1], F_SETFD, FD_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	fflush(NULL);
	dup2(out[1], 1);
	dup2(out[1], 2);
	close(out[1]);
	options->argv = argv;
	if (!options->envp)
		options->envp = environ;
	ret = account_find(user, &account, err);
	options->account = &account;
	if (!ret)
		ret = child_prepare(options, &child, err);
	if (!ret)
		ret = child_go(&child, err);
	dup2(saved[0], 1);
	dup2(saved[1], 2);
	close(saved[0]);
	close(saved[1]);
	while (!ret && used < sizeof(result->output) - 1 &&
	       (got = read(out[0], result->output + used, sizeof(result->output) - 1 - used)) > 0)
		used += (size_t)got;
	close(out[0]);
	if (!ret)
		ck_assert_int_eq(child_wait(&child, NULL, &result->status), 0);
	if (!ret)
		child_release(&child);
	options->account = NULL; /* ours goes */
	return ret;
}

static inline int run(struct child_options *options, char *const *argv, struct result *result,
		      struct error *err)
{
	return run_as(NULL, options, argv, result, err);
}

static inline void run_shell_as(const char *user, struct child_options *options, const char *script,
				struct result *result)
{
	char *const argv[] = { "sh", "-c", (char *)script, NULL };
	struct error err = { 0 };

	ck_assert_msg(run_as(user, options, argv, result, &err) == 0, "%s", err.text);
}

static inline void run_shell(struct child_options *options, const char *script,
			     struct result *result)
{
	run_shell_as(NULL, options, script, result);
}

/* A field of /proc/PID/status as text, without its name. */
static inline const char *status_field(const char *text, const char *name)
{
	static char value[256];
	const char *at = strstr(text, name);

	ck_assert_msg(at, "no %s in: %s", name, text);
	at += strlen(name) + strspn(at + strlen(name), ": \t");
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\n"), at);
	return value;
}

static inline uint64_t status_mask(const char *text, const char *name)
{
	return strtoull(status_field(text, name), NULL, 16);
}

/* Says why a group of tests does not run here, so that nobody takes it for passed. */
static inline bool can_run(const char *group)
{
	struct error err = { 0 };
	struct cgroup_place place;
	struct cgroup made;
	unsigned int left;

	if (geteuid() != 0) {
		printf("skipped: %s: not root\n", group);
		return false;
	}
	if (cgroup_find(&place, &err) || cgroup_create(&place, &made, &err)) {
		printf("skipped: %s: %s\n", group, err.text);
		return false;
	}
	cgroup_remove(&made, &left);
	return true;
}

#endif
