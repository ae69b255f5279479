/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which files were dealt with, so that each is probed once.
 *
 * A file that carries probes keeps its inode in memory, and its number cannot go
 * to another file: device and inode number are enough. Of a file without probes
 * the number may be given away, or its content be replaced: it is the same only
 * while size and time of modification are the same. Such files are forgotten
 * when there are too many (a compiler's test programs, say): looking again does
 * no harm.
 */
#ifndef KLOAK_ATTACH_SEEN_H
#define KLOAK_ATTACH_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define SEEN_MAX 4096 /* files */

struct seen_file;

/* Zeroed: empty. */
struct seen {
	struct seen_file *files; /* open addressing; a power of two, half of them free */
	size_t size;
	size_t count;
};

bool seen_find(const struct seen *seen, const struct stat *status);

/* -ENOMEM; -ENOSPC: SEEN_MAX files with probes. */
int seen_add(struct seen *seen, const struct stat *status, bool probed);

/* The file is to be looked at again, although it carried probes. */
void seen_forget(struct seen *seen, const struct stat *status);

void seen_release(struct seen *seen);

#endif
