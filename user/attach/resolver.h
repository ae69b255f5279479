/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of library_resolve(), in three parts: library.c (the program, its
 * interpreters, the order of things), resolver.c (looking for a library by name
 * as ld.so(8) does) and discover.c (libraries that may be loaded later).
 */
#ifndef KLOAK_ATTACH_RESOLVER_H
#define KLOAK_ATTACH_RESOLVER_H

#include <stdbool.h>
#include <sys/stat.h>

#include "elf/image.h"
#include "user/attach/foreign.h"
#include "user/attach/ldcache.h"
#include "user/attach/library.h"
#include "user/attach/search.h"

#define LISTED_MAX 32 /* directories remembered as listed */

struct resolver {
	const struct library_request *request;
	struct library_set *set;
	struct ldcache cache;
	uint16_t machine; /* of the program; 0: not known yet */
	bool musl;
	size_t program; /* index of the last executable: whose RPATH counts for dlopen(3) */
	/* What is being looked for, and goes with what is found into the set: */
	const char *name;
	size_t parent;
	enum library_reason reason;
	bool found;
	/* Directories that were listed already: /lib is usually /usr/lib. */
	struct {
		dev_t dev;
		ino_t ino;
	} listed[LISTED_MAX];
	size_t listed_count;
};

/* The value of variable @name in the environment of the program, "" if it is not set. */
const char *resolver_environment(const struct resolver *resolver, const char *name);

/* Opens a regular file, by the rights of request->reader if ours do not suffice. -errno. */
int resolver_open(const struct resolver *resolver, const char *path, struct foreign_file *file);

/*
 * Puts an open file into the set, which takes the descriptors over (they are -1 in
 * @file then), unless it is full. @image is NULL if it could not be opened, because of
 * @error.
 */
int resolver_append(struct resolver *resolver, const char *path, struct foreign_file *file,
		    const struct elf_image *image, int error);

/*
 * Puts the library @path into the set, if it is one for our machine; sets
 * @found. What cannot be opened or read is passed over, as the loader does:
 * lib32 may come before lib64.
 */
int resolver_add(struct resolver *resolver, const char *path);

/* Looks for library @name, for @parent, unless a file of that name is in the set. */
int resolver_want(struct resolver *resolver, const char *name, size_t parent,
		  enum library_reason reason);

/* Looks for all that file @index of the set needs. */
int resolver_add_needed(struct resolver *resolver, size_t index);

/*
 * Visits the directories that are searched for @parent before the loader's own:
 * RPATHs, LD_LIBRARY_PATH, RUNPATH. Ends with the first non-zero @visit, which
 * it returns.
 */
int resolver_search_own(struct resolver *resolver, search_visit visit);

/* Puts every library into the set whose soname begins with a wanted prefix. */
int resolver_discover(struct resolver *resolver);

#endif
