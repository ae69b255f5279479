/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which user runs the command. Accounts are read from /etc/passwd and
 * /etc/group alone: a static binary has no NSS, and a lookup in LDAP or sssd
 * has no place before the command is protected. Users that are only known
 * there are named by number: --user UID:GID.
 */
#ifndef KLOAK_WORKLOAD_ACCOUNT_H
#define KLOAK_WORKLOAD_ACCOUNT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/error.h"

#define ACCOUNT_GROUPS 1024

struct account {
	uid_t uid;
	gid_t gid;
	bool changed;	 /* false: stay who we are, groups and environment included */
	char name[256];	 /* empty if /etc/passwd does not know the user */
	char home[1024]; /* "/" then */
	char shell[256]; /* empty then */
	size_t group_count;
	gid_t groups[ACCOUNT_GROUPS]; /* supplementary */
};

/*
 * @user is the text of --user: NAME, UID, NAME:GROUP or UID:GID. A group given
 * here is the only one, as in docker(1). NULL: the user behind sudo(8)
 * (SUDO_UID, SUDO_GID, SUDO_USER, if we are root: to be called while the environment
 * is there), else the real user of this process. Mistakes have exit code EXIT_CONFIG.
 */
int account_find(const char *user, struct account *account, struct error *err);

/* The same with other files than /etc/passwd and /etc/group: for tests. */
int account_find_in(const char *user, const char *passwd, const char *group,
		    struct account *account, struct error *err);

/*
 * Takes the identity on, for good: real, effective and saved ids, supplementary
 * groups. By raw system calls: the caller is a single thread that libc may know
 * nothing about.
 */
int account_assume(const struct account *account);

/*
 * The environment for the command: HOME, SHELL, USER and LOGNAME are the new
 * user's, as with su(1); the rest of @envp is passed on. Returns an array that
 * account_environment_free() frees, or NULL without memory. @envp must outlive
 * it.
 */
char **account_environment(const struct account *account, char *const *envp);
void account_environment_free(char **environment);

#endif
