// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times how Kloak finds its functions in a file: opens it, reads the headers,
 * looks up all names of the hooks. One line per file: the fastest, the median and
 * the first time in us, and how many names were found.
 *
 *	symbols FILE...
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "user/attach/hook.h"

#define TIMES 51

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* Returns how many names were found, or -errno. */
static int look_up(const char *path)
{
	struct hook_plans plans;
	struct error err;
	int fd, ret;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = hook_plan_file(fd, path, &plans, &err);
	close(fd);
	return ret;
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static int measure(const char *path)
{
	double times[TIMES], first;
	int found = 0;
	int i;

	for (i = 0; i < TIMES && found >= 0; i++) {
		double start = now();

		found = look_up(path);
		times[i] = now() - start;
	}
	if (found < 0) {
		fprintf(stderr, "symbols: %s: %s\n", path, strerror(-found));
		return 1;
	}
	first = times[0];
	qsort(times, TIMES, sizeof(times[0]), compare);
	printf("%.1f %.1f %.1f %d\n", times[0], times[TIMES / 2], first, found);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = 0;
	int i;

	for (i = 1; i < argc; i++)
		failed |= measure(argv[i]);
	return failed;
}
