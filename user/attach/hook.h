/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks: which functions of which TLS library are probed, and by which programs
 * of which BPF object. A new library is a new BPF object in kernel/hook/ and a
 * new row in hook_table.c.
 *
 *	hook_plan_file()	which functions of a file would be probed, and where
 *	hook_attach()		probes them
 */
#ifndef KLOAK_ATTACH_HOOK_H
#define KLOAK_ATTACH_HOOK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "elf/site.h"
#include "elf/symbol.h"
#include "lib/error.h"
#include "user/bpf/object.h"

#define HOOKS_MAX	 16
#define HOOK_FUNCTIONS	 8
#define HOOK_MATCHES	 256 /* of all patterns in a file: one for each type of a generic function */
#define HOOK_PROBES	 (HOOK_FUNCTIONS + HOOK_MATCHES)
#define HOOK_PASSED_MAX	 16
#define HOOK_CONDITIONS	 3
#define HOOK_SONAMES	 4
#define HOOK_SONAMES_MAX (HOOKS_MAX * HOOK_SONAMES)

/* Names may be patterns (elf/pattern.h): then all functions that match are probed. */
struct hook_function {
	const char *symbol;
	const char *entry;     /* program */
	const char *on_return; /* program, or NULL */
	const char *checked;   /* instead of .entry where the site is a stack check (elf/site.h) */
	const char *unless[HOOK_CONDITIONS]; /* left out where one of these is defined */
	const char *only_with;		     /* left out where this is not defined */
};

/*
 * Finds functions by name, as elf_symbols_find() does: in @out, how many is
 * returned. For what is in no symbol table.
 */
typedef int (*hook_find)(const struct elf_image *image, const char *const names[], size_t count,
			 struct elf_symbol out[]);

struct hook {
	const char *name;      /* of the object, one word */
	const char *title;     /* of the library, for people */
	const uint8_t *object; /* embedded BPF object */
	const uint8_t *object_end;
	struct hook_function functions[HOOK_FUNCTIONS]; /* up to the first without symbol */
	const char *sonames[HOOK_SONAMES];		/* how its libraries' names begin */
	hook_find find;					/* NULL: elf_symbols_find() */
	enum site_use use;				/* of functions without .on_return */
	bool usual; /* loaded at the start of a run, while other objects are: most need it */
	bool moves; /* a write may be sent by another thread than the one that made it */
};

/* In the order in which they name the runtime of a process. */
extern const struct hook hooks[];
extern const size_t hook_count;

/* Fills @sonames with the beginnings of all names that library_resolve() shall discover. */
size_t hook_sonames(const char *sonames[static HOOK_SONAMES_MAX]);

/* One function that is to be probed. */
struct hook_probe {
	const struct hook_function *function;
	struct elf_symbol symbol;
	uint64_t offset;  /* of the function in the file */
	struct site site; /* .offset counts from there */
	bool attached;	  /* now, as far as explain knows */
};

/* What one hook probes in a file. */
struct hook_plan {
	size_t count; /* HOOK_PROBES at the most */
	struct hook_probe *probes;
};

/*
 * A name of the table that stands for nothing that can be probed in a file: a
 * variable, say. It is passed over; the other functions of the file are probed.
 */
struct hook_passed {
	const char *symbol; /* as in the table */
	const char *why;
	bool is_function; /* of the library, so that something will not be seen */
};

struct hook_plans {
	struct hook_plan by_hook[HOOKS_MAX]; /* as in hooks[] */
	size_t passed_count;
	struct hook_passed passed[HOOK_PASSED_MAX]; /* more of them are left out */
};

/*
 * Looks for the functions of all hooks in the ELF file @fd. @path is for
 * messages. Returns how many functions are to be probed, 0 also for what is no
 * file of this machine, or -errno with a sentence and nothing in @plans.
 */
int hook_plan_file(int fd, const char *path, struct hook_plans *plans, struct error *err);

void hook_plans_release(struct hook_plans *plans);

/* Links of attached probes: closing them detaches. */
struct hook_links {
	int *fds;
	size_t count;
};

/* Takes @fd over, also on failure (-ENOMEM). */
int hook_links_add(struct hook_links *links, int fd);

void hook_links_release(struct hook_links *links);

/*
 * Puts the probes of @plan into the file @fd, with the programs of @object, in
 * every process that maps it. -errno with a sentence.
 */
int hook_attach(const struct hook_plan *plan, const struct bpf_object *object, int fd,
		const char *path, struct hook_links *links, struct error *err);

#endif
