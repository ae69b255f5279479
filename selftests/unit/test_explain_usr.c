// SPDX-License-Identifier: GPL-2.0-only
/*
 * kloak explain of the files below /usr: it has an answer for every one of them, quickly,
 * and never crashes. Of 147,000 files one in 16 is taken; EXPLAIN_WALK=all takes all.
 * EXPLAIN_ROOT names another directory than /usr.
 */
#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "selftests/unit/suite.h"
#include "user/explain/explain.h"

#define SAMPLE	    16
#define SLOW	    60.0 /* seconds that no file may take, on a busy machine */
#define DESCRIPTORS 32	 /* for the walk */

static struct {
	bool all;
	unsigned long files, answers, hookable, errors;
	double slowest;
	FILE *sink;
} walk;

static bool is_chosen(const char *path)
{
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (; *path; path++)
		hash = (hash ^ (uint8_t)*path) * 16777619U;
	return walk.all || hash % SAMPLE == 0;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Whatever it is: either hooked by something, or not and for a reason. */
static void check_answer(const struct explain *explain, const char *path)
{
	bool hookable = explain_is_hookable(explain);

	ck_assert_msg(hookable == (explain->reason == EXPLAIN_NONE), "%s", path);
	ck_assert_msg(!hookable || explain->runtime || explain->later, "%s", path);
	rewind(walk.sink);
	explain_print(walk.sink, explain);
	ck_assert_msg(explain_print_json(walk.sink, explain) == 0, "%s", path);
	walk.answers++;
	walk.hookable += hookable;
}

static int visit(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	double start = seconds(), took;
	struct explain explain;
	struct error err = { 0 };

	(void)ftw;
	if (type != FTW_F || !S_ISREG(status->st_mode) || !is_chosen(path))
		return 0;
	walk.files++;
	if (explain_program(path, environ, &explain, &err)) {
		ck_assert_msg(err.text[0] && err.exit_code, "%s", path);
		walk.errors++;
		return 0;
	}
	check_answer(&explain, path);
	explain_release(&explain);
	took = seconds() - start;
	if (took > walk.slowest)
		walk.slowest = took;
	ck_assert_msg(took < SLOW, "%s took %.1f s", path, took);
	return 0;
}

START_TEST(every_file_has_an_answer)
{
	const char *root = getenv("EXPLAIN_ROOT"), *which = getenv("EXPLAIN_WALK");

	walk.all = which && strcmp(which, "all") == 0;
	walk.sink = fopen("/dev/null", "w");
	ck_assert_ptr_nonnull(walk.sink);
	ck_assert_int_eq(nftw(root ? root : "/usr", visit, DESCRIPTORS, FTW_PHYS | FTW_MOUNT), 0);
	fclose(walk.sink);
	printf("# %lu files: %lu answers, %lu hookable, %lu cannot be read; slowest %.2f s\n",
	       walk.files, walk.answers, walk.hookable, walk.errors, walk.slowest);
	ck_assert_uint_gt(walk.answers, 100);
	ck_assert_uint_eq(walk.errors, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { every_file_has_an_answer };

	return suite_run("explain of all files", tests, ARRAY_SIZE(tests), 7200, NULL, NULL);
}
