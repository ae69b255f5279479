// SPDX-License-Identifier: GPL-2.0-only
/* Accounts from passwd(5) and group(5): see account.h. */
#include "user/workload/account.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/text.h"

#define FILE_LIMIT (16 << 20)

enum { PASSWD_NAME, PASSWD_UID = 2, PASSWD_GID, PASSWD_HOME = 5, PASSWD_SHELL, PASSWD_FIELDS };
enum { GROUP_NAME, GROUP_GID = 2, GROUP_MEMBERS, GROUP_FIELDS };

struct databases {
	const char *passwd; /* paths */
	const char *group;
};

/* Decimal, at most 2^32 - 2: the last value means "unchanged" to setresuid(2). */
static bool parse_id(const char *text, uint32_t *id)
{
	uint64_t value = 0;

	if (!*text || strlen(text) > 10)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (uint64_t)(*text - '0');
	}
	*id = (uint32_t)value;
	return value < UINT32_MAX;
}

static bool split(char *line, char **field, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		field[i] = strsep(&line, ":");
		if (!field[i])
			return false;
	}
	return true;
}

static bool copy(char *to, size_t size, const char *from)
{
	return snprintf(to, size, "%s", from) < (int)size;
}

/* Takes the line if it is the one of user @name, or of number account->uid if @name is NULL. */
static bool take_passwd(char *line, const char *name, struct account *account)
{
	char *field[PASSWD_FIELDS];
	uint32_t uid, gid;

	if (!split(line, field, PASSWD_FIELDS) || !parse_id(field[PASSWD_UID], &uid) ||
	    !parse_id(field[PASSWD_GID], &gid))
		return false;
	if (name ? strcmp(field[PASSWD_NAME], name) != 0 : uid != account->uid)
		return false;
	if (!copy(account->name, sizeof(account->name), field[PASSWD_NAME]) ||
	    !copy(account->home, sizeof(account->home), field[PASSWD_HOME]) ||
	    !copy(account->shell, sizeof(account->shell), field[PASSWD_SHELL]))
		return false;
	account->uid = uid;
	account->gid = gid;
	return true;
}

/* -ENOENT: not listed. */
static int read_passwd(const char *path, const char *name, struct account *account)
{
	CLEANUP_FREE char *text = NULL;
	int ret = text_read(path, FILE_LIMIT, &text);
	char *rest = text, *line;

	if (ret)
		return ret;
	while ((line = text_line(&rest)))
		if (take_passwd(line, name, account))
			return 0;
	return -ENOENT;
}

static bool is_member(char *members, const char *name)
{
	char *member;

	while ((member = strsep(&members, ",")))
		if (strcmp(member, name) == 0)
			return true;
	return false;
}

/* Like initgroups(3): the primary group and all that list the user. */
static int read_groups(const char *path, struct account *account)
{
	CLEANUP_FREE char *text = NULL;
	int ret = text_read(path, FILE_LIMIT, &text);
	char *rest = text, *line;

	account->groups[0] = account->gid;
	account->group_count = 1;
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	while (*account->name && (line = text_line(&rest))) {
		char *field[GROUP_FIELDS];
		uint32_t gid;

		if (!split(line, field, GROUP_FIELDS) || !parse_id(field[GROUP_GID], &gid) ||
		    !is_member(field[GROUP_MEMBERS], account->name))
			continue;
		if (account->group_count == ACCOUNT_GROUPS)
			return -E2BIG;
		account->groups[account->group_count++] = gid;
	}
	return 0;
}

static bool find_group(const char *path, const char *name, gid_t *gid)
{
	CLEANUP_FREE char *text = NULL;
	char *rest, *line, *field[GROUP_FIELDS];

	if (parse_id(name, gid))
		return true;
	if (text_read(path, FILE_LIMIT, &text))
		return false;
	for (rest = text; (line = text_line(&rest));)
		if (split(line, field, GROUP_FIELDS) && strcmp(field[GROUP_NAME], name) == 0 &&
		    parse_id(field[GROUP_GID], gid))
			return true;
	return false;
}

static int fill_groups(const struct databases *files, struct account *account, struct error *err)
{
	int ret = read_groups(files->group, account);

	if (ret)
		return error_config(err, ret,
				    "cannot read the groups of user %u from %s: %s; "
				    "name one group: --user UID:GID",
				    account->uid, files->group, strerror(-ret));
	return 0;
}

static int find_named(char *user, const struct databases *files, struct account *account,
		      struct error *err)
{
	char *group = strchr(user, ':');
	bool numeric, known;

	if (group)
		*group++ = '\0';
	numeric = parse_id(user, &account->uid);
	known = read_passwd(files->passwd, numeric ? NULL : user, account) == 0;
	if (!known && !numeric)
		return error_config(err, -ENOENT,
				    "user %.64s is not in %s; name it by number: "
				    "--user UID:GID",
				    user, files->passwd);
	if (!known && !group)
		return error_config(err, -ENOENT,
				    "user %s is not in %s, so its group is unknown; "
				    "name it: --user %s:GID",
				    user, files->passwd, user);
	if (!group)
		return fill_groups(files, account, err);
	if (!find_group(files->group, group, &account->gid))
		return error_config(err, -ENOENT,
				    "group %.64s is not in %s; name it by number: "
				    "--user UID:GID",
				    group, files->group);
	account->groups[0] = account->gid;
	account->group_count = 1;
	return 0;
}

/* sudo(8) says who called it. The group may differ from the one in passwd: sudo's counts. */
static int find_sudo(const char *uid, const struct databases *files, struct account *account,
		     struct error *err)
{
	const char *gid = getenv("SUDO_GID"), *name = getenv("SUDO_USER");
	uint32_t group;

	if (!parse_id(uid, &account->uid) || !gid || !parse_id(gid, &group))
		return error_config(err, -EINVAL,
				    "SUDO_UID or SUDO_GID is not a number; "
				    "say who runs the command: --user NAME");
	if (read_passwd(files->passwd, NULL, account) && name)
		copy(account->name, sizeof(account->name), name); /* a user of LDAP or sssd */
	account->gid = group;
	return fill_groups(files, account, err);
}

int account_find_in(const char *user, const char *passwd, const char *group,
		    struct account *account, struct error *err)
{
	const struct databases files = { .passwd = passwd, .group = group };
	const char *sudo = getuid() == 0 ? getenv("SUDO_UID") : NULL;

	memset(account, 0, sizeof(*account));
	account->changed = true;
	account->home[0] = '/';
	if (user) {
		char text[600];

		if (!copy(text, sizeof(text), user))
			return error_config(err, -EINVAL,
					    "the argument of --user is too long; "
					    "give NAME or UID:GID");
		return find_named(text, &files, account, err);
	}
	if (sudo && strcmp(sudo, "0") != 0)
		return find_sudo(sudo, &files, account, err);
	account->uid = getuid();
	account->gid = getgid();
	account->changed = false;
	return 0;
}

int account_find(const char *user, struct account *account, struct error *err)
{
	return account_find_in(user, "/etc/passwd", "/etc/group", account, err);
}

int account_assume(const struct account *account)
{
	if (account->changed && syscall(SYS_setgroups, account->group_count, account->groups))
		return -errno;
	if (syscall(SYS_setresgid, account->gid, account->gid, account->gid) ||
	    syscall(SYS_setresuid, account->uid, account->uid, account->uid))
		return -errno;
	return 0;
}
