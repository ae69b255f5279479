/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that carry probes and are written to. Who upgrades a library makes a new
 * file and renames it, and the old one stays as it is for those that have it
 * mapped. But some do write into the file (cp over it, some installers). A probe
 * is an offset in a file: with other bytes there the kernel puts the breakpoint
 * into whatever instruction is in that place, in every process that maps the file
 * from then on, and runs the old one in its stead: the program would be broken.
 *
 * So such files are watched by inotify(7). Their probes are removed at the first
 * write, which takes a millisecond; when the writer has closed the file, it is
 * looked at anew. A lease (fcntl(2), F_SETLEASE) would hold the writer until the
 * probes are gone, but for 45 seconds if Kloak is stopped, and all writers of the
 * machine.
 */
#ifndef KLOAK_ATTACH_OVERWRITE_H
#define KLOAK_ATTACH_OVERWRITE_H

#include <stdbool.h>

/* Zeroed: closed, nothing is watched. */
struct overwrite {
	bool open;
	int inotify;
};

/* @watch: what overwrite_watch() returned. @done: the writer has closed the file. */
typedef void (*overwrite_visit)(void *data, int watch, bool done);

/* -errno. */
int overwrite_open(struct overwrite *overwrite);

/* From now on writes to @fd are reported. The same number for the same file; -errno. */
int overwrite_watch(const struct overwrite *overwrite, int fd);
void overwrite_unwatch(const struct overwrite *overwrite, int watch);

/* Visits what was written to since the last time. */
void overwrite_read(const struct overwrite *overwrite, overwrite_visit visit, void *data);

void overwrite_close(struct overwrite *overwrite);

#endif
