/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which files will a program load? Answered before it runs, so that probes are
 * in place from its first instruction. Without running anything: by reading the
 * ELF files as the dynamic loader would, ld.so(8).
 *
 * What a program loads later with dlopen(3) cannot be known: Python loads libssl
 * when it meets "import ssl", and a script may start another interpreter than
 * the one in its first line (a pyenv shim is a bash script). Hence every library
 * of the wanted kinds that such a call would find by its plain name is included:
 * those in the loader's cache and in the directories that are searched.
 *
 * The answer may hold more than the program loads, never less for these ways;
 * libraries loaded by a path of the program's own (a private copy next to it)
 * are not seen here.
 */
#ifndef KLOAK_ATTACH_LIBRARY_H
#define KLOAK_ATTACH_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "lib/error.h"
#include "user/workload/account.h"

#define LIBRARY_MAX 384 /* files; each holds a descriptor */

enum library_reason {
	LIBRARY_EXECUTABLE, /* the program, or an interpreter of its script */
	LIBRARY_LOADER,	    /* PT_INTERP */
	LIBRARY_PRELOADED,  /* LD_PRELOAD */
	LIBRARY_NEEDED,	    /* DT_NEEDED of something in the set */
	LIBRARY_DISCOVERED, /* by prefix: may be loaded later */
};

struct library {
	char *path;
	int fd;	    /* to be read; the set's, unless taken with TAKE_FD */
	int origin; /* as in struct foreign_file; the set's as well */
	struct stat status;
	enum library_reason reason;
	int error; /* executables only: why it cannot be read, see elf_image_open(); else 0 */
	/* How it was found, for the search: */
	char *name;  /* soname or the name in DT_NEEDED; NULL for executables */
	char *rpath; /* DT_RPATH and DT_RUNPATH, unexpanded; NULL if there is none */
	char *runpath;
	size_t parent; /* index of the file that needs it */
};

/* Filled by library_resolve(), released by library_set_release(). No file is in it twice. */
struct library_set {
	struct library *items;
	size_t count;
	size_t left_out; /* found when LIBRARY_MAX was reached */
};

struct library_request {
	const char *path;  /* of the program, as command_find() gives it */
	char *const *envp; /* that the program will have: PATH, LD_LIBRARY_PATH, LD_PRELOAD */
	const char *const *prefixes; /* of sonames to discover, e.g. "libssl.so" */
	size_t prefix_count;
	const char *cache; /* NULL: LDCACHE_PATH */
	/* Whose rights help where ours do not: foreign.h; NULL: nobody's. */
	const struct account *reader;
};

/*
 * On error (the program cannot be opened, memory) the set is empty and @err
 * says why. Libraries that are not found are not an error: the loader will say so.
 */
int library_resolve(const struct library_request *request, struct library_set *set,
		    struct error *err);
/*
 * Whether file @index is there only because a dlopen(3) may ask for it, or for what
 * needs it.
 */
bool library_is_for_later(const struct library_set *set, size_t index);

void library_set_release(struct library_set *set);

#endif
