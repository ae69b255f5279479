/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks: which functions of which TLS library are probed, and by which programs
 * of which BPF object. A new library is a new BPF object in kernel/hook/ and a
 * new row in hook.c.
 */
#ifndef KLOAK_ATTACH_HOOK_H
#define KLOAK_ATTACH_HOOK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "elf/site.h"
#include "user/bpf/object.h"
#include "user/lib/error.h"

#define HOOK_FUNCTIONS 8

struct hook_function {
	const char *symbol;
	const char *unless;	  /* left out where this symbol is defined: it leads there */
	const char *entry;	  /* program */
	const char *on_return;	  /* program, or NULL */
};

struct hook {
	const char *name;		/* of the library, for reports */
	const unsigned char *object; /* embedded BPF object */
	const unsigned char *object_end;
	struct hook_function functions[HOOK_FUNCTIONS]; /* up to the first without symbol */
};

extern const struct hook hooks[];
extern const size_t hook_count;

/* Sonames of the libraries that hooks know: what library_resolve() shall discover. */
extern const char *const hook_sonames[];
extern const size_t hook_soname_count;

/* Links of attached probes: closing them detaches. */
struct hook_links {
	int *fds;
	size_t count;
};

/* Takes @fd over, also on failure (-ENOMEM). */
int hook_links_add(struct hook_links *links, int fd);

void hook_links_release(struct hook_links *links);

/*
 * Probes the functions of @hook that the ELF file @fd defines, with the programs
 * of @object, in every process that maps the file. @path is for messages.
 * Returns how many functions were probed, 0 if the file has none of them, or
 * -errno with a sentence.
 */
int hook_attach(const struct hook *hook, const struct bpf_object *object, int fd,
		const char *path, struct hook_links *links, struct error *err);

#endif
