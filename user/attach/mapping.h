/* SPDX-License-Identifier: GPL-2.0-only */
/* From a mapping that somebody has reported (maps.h) to the file that is mapped. */
#ifndef KLOAK_ATTACH_MAPPING_H
#define KLOAK_ATTACH_MAPPING_H

#include <limits.h>
#include <sys/stat.h>

#include "user/attach/maps.h"

#define MAPPING_NAME (PATH_MAX + 32) /* bytes of /proc/PID/root/ and a path */

/*
 * By which name this process can have the mapped file, and what it is: the file
 * itself, even if it was deleted or replaced, or lies in another mount namespace, with
 * CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE, proc(5); else what the process calls so, if
 * that is still the same file. 0, or -errno; -ESTALE: another file has its path.
 */
int mapping_find(const struct mapping *mapping, char name[static MAPPING_NAME],
		 struct stat *status);

/* Opens it, as file_open_regular() does. */
int mapping_open(const struct mapping *mapping, struct stat *status);

#endif
