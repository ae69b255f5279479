/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Opening files whose names somebody else chose (a program's RPATH, its
 * environment): only a regular file is ever opened. Merely opening a FIFO may
 * block, and opening a device may act (a watchdog starts, a tape rewinds).
 */
#ifndef KLOAK_LIB_FILE_H
#define KLOAK_LIB_FILE_H

#include <stddef.h>
#include <sys/stat.h>

/*
 * Opens @path for reading, following symlinks, and fills @status. Returns a
 * descriptor; -EINVAL: it is not a regular file; other -errno of open, fstat.
 */
int file_open_regular(const char *path, struct stat *status);

/*
 * Reads all of the regular file @path into new memory with a NUL after it;
 * the caller frees *@data. -EFBIG: more than @max bytes.
 */
int file_read_regular(const char *path, size_t max, void **data, size_t *size);

#endif
