// SPDX-License-Identifier: GPL-2.0-only
/* user/attach/overwrite: writing to a file is noticed, replacing it is not. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "selftests/unit/scratch.h"
#include "selftests/unit/suite.h"
#include "user/attach/overwrite.h"

static struct overwrite overwrite;
static int fd;
static unsigned int writes[8], ends[8]; /* by watch */

static void count(void *data, int watch, bool done)
{
	ck_assert_ptr_eq(data, writes);
	ck_assert_int_gt(watch, 0);
	ck_assert_int_lt(watch, (int)ARRAY_SIZE(writes));
	if (done)
		ends[watch]++;
	else
		writes[watch]++;
}

static void look(void)
{
	memset(writes, 0, sizeof(writes));
	memset(ends, 0, sizeof(ends));
	overwrite_read(&overwrite, count, writes);
}

static void set_up(void)
{
	scratch_make();
	scratch_write("library", "content", 0644);
	fd = open(scratch_path("library"), O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(overwrite_open(&overwrite), 0);
}

static void tear_down(void)
{
	overwrite_close(&overwrite);
	close(fd);
	scratch_remove();
}

START_TEST(written)
{
	int watch = overwrite_watch(&overwrite, fd), writer;

	ck_assert_int_ge(watch, 0);
	look();
	ck_assert_uint_eq(writes[watch] + ends[watch], 0);
	writer = open(scratch_path("library"), O_WRONLY | O_TRUNC | O_CLOEXEC);
	look();
	ck_assert_uint_ge(writes[watch], 1);
	ck_assert_uint_eq(ends[watch], 0);
	ck_assert_int_eq(write(writer, "other", 5), 5);
	close(writer);
	look();
	ck_assert_uint_ge(writes[watch], 1);
	ck_assert_uint_eq(ends[watch], 1);
	look();
	ck_assert_uint_eq(writes[watch] + ends[watch], 0);
}
END_TEST

/* The end of a writer is all that is seen of it. */
START_TEST(written_through_memory)
{
	int watch = overwrite_watch(&overwrite, fd);
	int writer = open(scratch_path("library"), O_RDWR | O_CLOEXEC);
	char *memory = mmap(NULL, 7, PROT_READ | PROT_WRITE, MAP_SHARED, writer, 0);

	ck_assert_ptr_ne(memory, MAP_FAILED);
	memory[0] = 'C';
	close(writer);
	munmap(memory, 7);
	look();
	ck_assert_uint_eq(ends[watch], 1);
}
END_TEST

START_TEST(replaced)
{
	int watch = overwrite_watch(&overwrite, fd);
	char from[512];

	scratch_write("new", "other", 0644);
	strcpy(from, scratch_path("new"));
	ck_assert_int_eq(rename(from, scratch_path("library")), 0);
	scratch_write("library", "a third", 0644);
	look();
	ck_assert_uint_eq(writes[watch] + ends[watch], 0);
}
END_TEST

START_TEST(two_names_of_one_file)
{
	char from[512];
	int other;

	strcpy(from, scratch_path("library"));
	ck_assert_int_eq(link(from, scratch_path("other")), 0);
	other = open(scratch_path("other"), O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(overwrite_watch(&overwrite, fd), overwrite_watch(&overwrite, other));
	close(other);
}
END_TEST

START_TEST(unwatched)
{
	int watch = overwrite_watch(&overwrite, fd);

	overwrite_unwatch(&overwrite, watch);
	scratch_write("library", "other", 0644);
	look();
	ck_assert_uint_eq(writes[watch] + ends[watch], 0);
}
END_TEST

START_TEST(closed)
{
	overwrite_close(&overwrite);
	ck_assert_int_lt(overwrite_watch(&overwrite, fd), 0);
	overwrite_unwatch(&overwrite, 1);
	look();
	overwrite_close(&overwrite);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { written,	  written_through_memory,
				       replaced,  two_names_of_one_file,
				       unwatched, closed };
	TCase *tcase = suite_case("overwrite", tests, ARRAY_SIZE(tests), 0, set_up, tear_down);

	return suite_run_cases("overwrite", &tcase, 1);
}
