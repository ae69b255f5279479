/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finding functions by parts of their names, in .symtab.
 *
 * Rust has no fixed names: those that the linker sees are mangled, in one of two
 * ways (legacy _ZN...E, v0 _R...), and contain a hash of crate and compiler; a
 * generic function has one for each type that it is made for. But they contain
 * the identifiers, in order. A pattern is such identifiers with '*' between them,
 * which stands for anything or nothing; there is no other special character:
 *
 *	*RingHkdfExpander*expand_slice*
 *
 * Several functions may match one pattern. Unlike in symbol.h, all of them count.
 */
#ifndef KLOAK_ELF_PATTERN_H
#define KLOAK_ELF_PATTERN_H

#include <string.h>

#include "elf/symbol.h"

#define ELF_PATTERN_MAX	     255  /* bytes of a pattern */
#define ELF_PATTERNS_MAX     16	  /* patterns in one call */
#define ELF_PATTERN_NAME_MAX 4095 /* bytes of a name that can match; longer ones do not */

/* A defined function (STT_FUNC) that matches patterns[pattern]. */
struct elf_match {
	size_t pattern;
	struct elf_symbol symbol;
};

/* Whether @name matches, from its first to its last byte. */
bool elf_pattern_matches(const char *pattern, const char *name);

/* In a table of names and patterns, a pattern begins with a star. Go's names have one inside. */
static inline bool elf_is_pattern(const char *name)
{
	return name[0] == '*';
}

/*
 * Looks for all @patterns at once: one pass over the strings of .symtab, and one
 * over its entries if any string matches. Of several names for one address, the
 * first is taken. Returns how many matches there are in @out, in the order of
 * the table; @room + 1: there are more, which are left out. -E2BIG: absurdly
 * many strings match; -EINVAL: too many patterns, or one that is too long or has nothing but stars; -EBADMSG:
 * the table lies; other -errno of reading. A file without .symtab has no matches.
 */
int elf_symbols_match(const struct elf_image *image, const char *const patterns[], size_t count,
		      struct elf_match out[], size_t room);

#endif
