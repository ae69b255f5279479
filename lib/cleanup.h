/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ownership that can be seen without leaving the function: a local marked
 * CLEANUP_FD or CLEANUP_FREE is released on every way out; TAKE_FD and
 * TAKE_PTR hand it to somebody else.
 */
#ifndef KLOAK_LIB_CLEANUP_H
#define KLOAK_LIB_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free(void *ptr)
{
	free(*(void **)ptr);
}

static inline void cleanup_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

/* unused: clang 14 does not take the clean-up itself for a use, as gcc and newer clangs do. */
#define CLEANUP_FD   __attribute__((cleanup(cleanup_fd), unused))
#define CLEANUP_FREE __attribute__((cleanup(cleanup_free), unused))
#define CLEANUP_FILE __attribute__((cleanup(cleanup_file), unused))

#define TAKE_FD(fd)               \
	({                        \
		int taken = (fd); \
		(fd) = -1;        \
		taken;            \
	})

#define TAKE_PTR(ptr)                          \
	({                                     \
		__typeof__(ptr) taken = (ptr); \
		(ptr) = NULL;                  \
		taken;                         \
	})

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
