/* SPDX-License-Identifier: GPL-2.0-only */
/* What a test makes warning() print: stderr goes to a memory file until the end of the test. */
#ifndef KLOAK_SELFTESTS_STDERR_CAPTURE_H
#define KLOAK_SELFTESTS_STDERR_CAPTURE_H

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static char captured[65536];
static int capture_saved = -1;

static inline void capture_begin(void)
{
	int fd = memfd_create("stderr", MFD_CLOEXEC);

	fflush(stderr);
	capture_saved = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

/* Restores stderr and returns what was printed since capture_begin(). */
static inline const char *capture_end(void)
{
	ssize_t size;

	fflush(stderr);
	size = pread(STDERR_FILENO, captured, sizeof(captured) - 1, 0);
	captured[size > 0 ? size : 0] = '\0';
	dup2(capture_saved, STDERR_FILENO);
	close(capture_saved);
	return captured;
}

#endif
