// SPDX-License-Identifier: GPL-2.0-only
/* user/attach/seen: which files count as handled. */
#include <check.h>
#include <errno.h>

#include "selftests/unit/suite.h"
#include "user/attach/seen.h"

static struct seen seen;

static void tear_down(void)
{
	seen_release(&seen);
}

static struct stat file(dev_t device, ino_t inode)
{
	return (struct stat){
		.st_dev = device, .st_ino = inode, .st_size = 100, .st_mtim = { 1000, 5 }
	};
}

static bool find(dev_t device, ino_t inode)
{
	struct stat status = file(device, inode);

	return seen_find(&seen, &status);
}

static int add(dev_t device, ino_t inode, bool probed)
{
	struct stat status = file(device, inode);

	return seen_add(&seen, &status, probed);
}

START_TEST(same_file)
{
	ck_assert(!find(1, 2));
	ck_assert_int_eq(add(1, 2, _i), 0);
	ck_assert(find(1, 2));
	ck_assert(!find(1, 3));
	ck_assert(!find(2, 2));
	ck_assert(!find(2, 1));
	seen_release(&seen);
	ck_assert(!find(1, 2));
}
END_TEST

/* So many devices that some have the same place in the table. */
START_TEST(same_number)
{
	dev_t device;

	ck_assert_int_eq(add(1, 2, true), 0);
	for (device = 2; device < 10000; device++)
		ck_assert(!find(device, 2));
}
END_TEST

/* A file without probes is another one when its content changed; one with probes never is. */
START_TEST(changed_file)
{
	struct stat larger = file(1, 2), newer = file(1, 2), later = file(1, 2);

	larger.st_size++;
	newer.st_mtim.tv_sec++;
	later.st_mtim.tv_nsec++;
	ck_assert_int_eq(add(1, 2, _i), 0);
	ck_assert_int_eq(seen_find(&seen, &larger), _i);
	ck_assert_int_eq(seen_find(&seen, &newer), _i);
	ck_assert_int_eq(seen_find(&seen, &later), _i);
	ck_assert_int_eq(seen_add(&seen, &newer, false), 0);
	ck_assert(seen_find(&seen, &newer));
	ck_assert_uint_eq(seen.count, 1);
	ck_assert_int_eq(find(1, 2), _i);
}
END_TEST

/* Those that were placed after it are still found. */
START_TEST(forgotten)
{
	struct stat status;
	ino_t inode;

	for (inode = 1; inode <= 1000; inode++)
		ck_assert_int_eq(add(1, inode, true), 0);
	for (inode = 1; inode <= 1000; inode += 2) {
		status = file(1, inode);
		seen_forget(&seen, &status);
	}
	for (inode = 1; inode <= 1000; inode++)
		ck_assert_int_eq(find(1, inode), inode % 2 == 0);
	ck_assert_int_eq(add(1, 1, true), 0);
	ck_assert(find(1, 1));
	ck_assert_uint_eq(seen.count, 1000);
}
END_TEST

/* Nor does it make a file known that was not. */
START_TEST(forgotten_unknown)
{
	struct stat status = file(1, 2);

	seen_forget(&seen, &status);
	ck_assert(!find(1, 2));
	ck_assert_int_eq(add(1, 3, false), 0);
	seen_forget(&seen, &status);
	ck_assert(!find(1, 2));
	ck_assert_uint_eq(seen.count, 1);
}
END_TEST

START_TEST(many_files)
{
	ino_t inode;

	for (inode = 1; inode <= SEEN_MAX; inode++)
		ck_assert_int_eq(add(inode % 3, inode, inode % 2), 0);
	for (inode = 1; inode <= SEEN_MAX; inode++) {
		ck_assert(find(inode % 3, inode));
		ck_assert(!find(4, inode));
	}
	ck_assert_uint_eq(seen.count, SEEN_MAX);
}
END_TEST

/* One too many: those without probes go, those with probes stay. */
START_TEST(too_many)
{
	ino_t inode;

	for (inode = 1; inode <= SEEN_MAX + 1; inode++)
		ck_assert_int_eq(add(1, inode, inode % 2), 0);
	for (inode = 1; inode <= SEEN_MAX + 1; inode++)
		ck_assert_int_eq(find(1, inode), inode % 2 || inode == SEEN_MAX + 1);
	for (; inode <= 20 * SEEN_MAX; inode++)
		ck_assert_int_eq(add(1, inode, false), 0);
	ck_assert(find(1, 1));
}
END_TEST

START_TEST(full_of_probes)
{
	ino_t inode;

	for (inode = 1; inode <= SEEN_MAX; inode++)
		ck_assert_int_eq(add(1, inode, true), 0);
	ck_assert_int_eq(add(1, inode, true), -ENOSPC);
	ck_assert(!find(1, inode));
	ck_assert(find(1, 1));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { same_number,    many_files, too_many,
				       full_of_probes, forgotten,  forgotten_unknown };
	TCase *tcase = suite_case("seen", tests, ARRAY_SIZE(tests), 0, NULL, tear_down);

	tcase_add_loop_test(tcase, same_file, 0, 2);
	tcase_add_loop_test(tcase, changed_file, 0, 2);
	return suite_run_cases("seen", &tcase, 1);
}
