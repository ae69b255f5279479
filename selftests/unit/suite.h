/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * main() of the test programs: tables of tests become cases of one suite, the
 * suite runs, and its result becomes the exit status. Nearly all programs have
 * one case and call suite_run() alone.
 */
#ifndef KLOAK_SELFTESTS_SUITE_H
#define KLOAK_SELFTESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

#include "lib/cleanup.h" /* ARRAY_SIZE */

/*
 * Tests that share a limit for each of them, in seconds (0: Check's own), and
 * what is done in the test's process before and after it (NULL: nothing).
 */
static inline TCase *suite_case(const char *name, const TTest *const tests[], size_t count,
				unsigned int seconds, SFun before, SFun after)
{
	TCase *tcase = tcase_create(name);

	if (seconds)
		tcase_set_timeout(tcase, seconds);
	if (before || after)
		tcase_add_checked_fixture(tcase, before, after);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(tcase, tests[i]);
	return tcase;
}

/* Returns what main() returns. A case that does not run here is NULL. */
static inline int suite_run_cases(const char *name, TCase *const cases[], size_t count)
{
	Suite *suite = suite_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	for (size_t i = 0; i < count; i++)
		if (cases[i])
			suite_add_tcase(suite, cases[i]);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A suite of one case. */
static inline int suite_run(const char *name, const TTest *const tests[], size_t count,
			    unsigned int seconds, SFun before, SFun after)
{
	TCase *tcase = suite_case(name, tests, count, seconds, before, after);

	return suite_run_cases(name, &tcase, 1);
}

#endif
