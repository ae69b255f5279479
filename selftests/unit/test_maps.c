// SPDX-License-Identifier: GPL-2.0-only
/* user/attach/maps: lines of /proc/PID/maps, this process's own, and those of a cgroup. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "selftests/unit/scratch.h"
#include "selftests/unit/suite.h"
#include "user/attach/maps.h"

START_TEST(line_of_a_library)
{
	struct mapping mapping;

	ck_assert_int_eq(maps_parse("7f5e2c228000-7f5e2c37d000 r-xp 00028000 fe:01 1835 "
				    "                      /usr/lib/libc.so.6",
				    &mapping),
			 0);
	ck_assert_uint_eq(mapping.start, 0x7f5e2c228000);
	ck_assert_uint_eq(mapping.end, 0x7f5e2c37d000);
	ck_assert_uint_eq(mapping.inode, 1835);
	ck_assert_str_eq(mapping.path, "/usr/lib/libc.so.6");
}
END_TEST

START_TEST(path_as_it_is)
{
	struct mapping mapping;

	ck_assert_int_eq(maps_parse("1-2 --xs 0 0:1 7 /a b (deleted)", &mapping), 0);
	ck_assert_str_eq(mapping.path, "/a b (deleted)");
	ck_assert_int_eq(maps_parse("ffffffffffffffff-ffffffffffffffff --xs 0 0:1 "
				    "18446744073709551615 /",
				    &mapping),
			 0);
	ck_assert_uint_eq(mapping.start, UINT64_MAX);
	ck_assert_uint_eq(mapping.inode, UINT64_MAX);
}
END_TEST

static const struct {
	const char *line;
	int error;
} others[] = {
	{ "1000-2000 r--p 00000000 fe:01 1835 /usr/lib/libc.so.6", -ENOENT },
	{ "1000-2000 rw-p 00000000 fe:01 1835 /usr/lib/libc.so.6", -ENOENT },
	{ "1000-2000 r-xp 00000000 00:00 0 [vdso]", -ENOENT },
	{ "1000-2000 r-xp 00000000 00:00 0 ", -ENOENT },
	{ "1000-2000 r-xp 00000000 00:00 0 /dev/zero", -ENOENT },
	{ "1000-2000 r-xp 00000000 00:0b 12 anon_inode:[perf]", -ENOENT },
	{ "", -EBADMSG },
	{ "1000", -EBADMSG },
	{ "-2000 r-xp 00000000 fe:01 1835 /x", -EBADMSG },
	{ "1000-2000", -EBADMSG },
	{ "1000-2000 ", -EBADMSG },
	{ "1000-2000 r-x", -EBADMSG },
	{ "1000-2000 r-xp", -EBADMSG },
	{ "1000-2000 r-xp ", -EBADMSG },
	{ "1000-2000 r-xpp 0 fe:01 1835 /x", -EBADMSG },
	{ "1000-2000 r-xp 0 fe:01", -EBADMSG },
	{ "1000-2000 r-xp 0 fe:01 1835", -EBADMSG },
	{ "1000-2000 r-xp 0 fe01 1835 /x", -EBADMSG },
	{ "1000-2000 r-xp 0 fe:01 18a5 /x", -EBADMSG },
	{ "1000-10000000000000000 r-xp 0 fe:01 1835 /x", -EBADMSG },
	{ "1000-2000 r-xp 0 fe:01 18446744073709551616 /x", -EBADMSG },
	{ "0x1000-2000 r-xp 0 fe:01 1835 /x", -EBADMSG },
	{ " 1000-2000 r-xp 0 fe:01 1835 /x", -EBADMSG },
	{ "1000-FFFF r-xp 0 fe:01 1835 /x", -EBADMSG },
};

START_TEST(other_lines)
{
	struct mapping mapping;

	ck_assert_msg(maps_parse(others[_i].line, &mapping) == others[_i].error, "%s",
		      others[_i].line);
}
END_TEST

/* --- processes --------------------------------------------------------- */

struct search {
	ino_t inode;
	pid_t pid;
	int found;
	uint64_t start;
};

static void compare(void *data, const struct mapping *mapping)
{
	struct search *search = data;

	if (mapping->inode == search->inode && mapping->pid == search->pid) {
		search->found++;
		search->start = mapping->start;
	}
}

/* A file of one page, mapped for execution. */
static void *map_file(char *path, struct search *search)
{
	int fd = mkstemp(path);
	struct stat status;
	void *memory;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 4096), 0);
	ck_assert_int_eq(fstat(fd, &status), 0);
	memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	ck_assert_ptr_ne(memory, MAP_FAILED);
	close(fd);
	unlink(path);
	*search = (struct search){ .inode = status.st_ino, .pid = getpid() };
	return memory;
}

START_TEST(own_process)
{
	char path[] = "/tmp/kloak-test-XXXXXX";
	struct search search;
	void *memory = map_file(path, &search);

	ck_assert_int_eq(maps_visit(getpid(), compare, &search), 0);
	ck_assert_int_eq(search.found, 1);
	ck_assert_uint_eq(search.start, (uintptr_t)memory);
	ck_assert_int_eq(mprotect(memory, 4096, PROT_READ), 0);
	search.found = 0;
	ck_assert_int_eq(maps_visit(getpid(), compare, &search), 0);
	ck_assert_int_eq(search.found, 0);
}
END_TEST

START_TEST(no_process)
{
	struct search search = { 0 };

	ck_assert_int_eq(maps_visit(INT_MAX, compare, &search), -ENOENT);
}
END_TEST

/* The files of a cgroup directory are all that is asked of it. */
START_TEST(cgroup)
{
	char path[] = "/tmp/kloak-test-XXXXXX", text[64];
	struct search search;

	map_file(path, &search);
	scratch_make();
	maps_visit_cgroup(scratch, compare, &search);
	ck_assert_int_eq(search.found, 0);
	scratch_write("cgroup.procs", "0\n2147483647\nword\n99999999999999999999\n\n", 0644);
	snprintf(text, sizeof(text), "0\n%d\n", getpid());
	scratch_write("inner/cgroup.procs", text, 0644);
	maps_visit_cgroup(scratch, compare, &search);
	ck_assert_int_eq(search.found, 1);
	scratch_remove();
}
END_TEST

/* Who is there for the second time is passed over, until it was not there. */
START_TEST(newcomers)
{
	char path[] = "/tmp/kloak-test-XXXXXX", text[64];
	struct maps_processes known = { 0 };
	struct search search;

	map_file(path, &search);
	scratch_make();
	snprintf(text, sizeof(text), "%d\n1\n", getpid());
	scratch_write("cgroup.procs", "1\n", 0644);
	maps_visit_new(scratch, &known, compare, &search);
	ck_assert_int_eq(search.found, 0);
	scratch_write("cgroup.procs", text, 0644);
	maps_visit_new(scratch, &known, compare, &search);
	ck_assert_int_eq(search.found, 1);
	maps_visit_new(scratch, &known, compare, &search);
	ck_assert_int_eq(search.found, 1);
	ck_assert_uint_eq(known.count, 2);
	scratch_write("cgroup.procs", "", 0644);
	maps_visit_new(scratch, &known, compare, &search);
	ck_assert_uint_eq(known.count, 0);
	scratch_write("inner/cgroup.procs", text, 0644);
	maps_visit_new(scratch, &known, compare, &search);
	ck_assert_int_eq(search.found, 2);
	scratch_remove();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		line_of_a_library, path_as_it_is, own_process, no_process, cgroup, newcomers,
	};
	TCase *tcase = suite_case("maps", tests, ARRAY_SIZE(tests), 0, NULL, NULL);

	tcase_add_loop_test(tcase, other_lines, 0, ARRAY_SIZE(others));
	return suite_run_cases("maps", &tcase, 1);
}
