/* SPDX-License-Identifier: GPL-2.0-only */
/* The directories in which a dynamic loader looks for libraries: ld.so(8). */
#ifndef KLOAK_ATTACH_SEARCH_H
#define KLOAK_ATTACH_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

/* What is done with a directory; other than 0 ends the search and is returned. */
typedef int (*search_visit)(void *data, const char *directory);

/*
 * Visits the directories of @list, separated by ':' (or ';' or newline), an
 * empty one being the working directory. $ORIGIN becomes the directory of
 * @origin (the path of the file that @list is from; NULL: skip those); $LIB is
 * tried as each name that it has on the common distributions; a directory with
 * another token, such as $PLATFORM, is left out.
 */
int search_list(const char *list, const char *origin, search_visit visit, void *data);

/*
 * The directories searched without being told: those built into the loader for
 * @machine (EM_*), and musl's /etc/ld-musl-ARCH.path if @musl.
 */
int search_default(uint16_t machine, bool musl, search_visit visit, void *data);

#endif
