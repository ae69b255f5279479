/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that a test writes, in a directory of its own that is removed after the test. */
#ifndef KLOAK_SELFTESTS_SCRATCH_H
#define KLOAK_SELFTESTS_SCRATCH_H

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[] = "/tmp/kloak-test-XXXXXX";

/* Other users may enter it: some commands run as nobody. */
static inline void scratch_make(void)
{
	strcpy(scratch, "/tmp/kloak-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	ck_assert_int_eq(chmod(scratch, 0755), 0);
}

static inline void scratch_remove(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", scratch);
	ck_assert_int_eq(system(command), 0);
}

/* Where @name is in it; good until four others are asked for. */
static inline const char *scratch_path(const char *name)
{
	static char path[4][512];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", scratch, name);
	return path[turn];
}

/* A file with this content alone, and this mode whatever the umask is. */
static inline void write_file(const char *path, const void *content, size_t size, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content, size), (ssize_t)size);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

/* ... in the directory, with the directories on the way to it. */
static inline void scratch_write(const char *name, const char *text, mode_t mode)
{
	char path[512];

	strcpy(path, scratch_path(name));
	for (char *slash = path + sizeof(scratch); (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	write_file(path, text, strlen(text), mode);
}

#endif
