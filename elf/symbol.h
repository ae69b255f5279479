/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finding functions by name in the symbol tables of an ELF file.
 *
 * .dynsym is asked first, through its hash; .symtab for what .dynsym does not
 * have. Five names take about 60 us in libcrypto; a name that only .symtab
 * could have costs one pass over its strings.
 *
 * Which symbol is meant by a name:
 *  - only defined ones count;
 *  - a versioned name has one default version (name@@V), which new programs
 *    link to, and maybe older ones (name@V), which are "hidden": the default
 *    wins, a hidden one is taken if it is the only one;
 *  - a local symbol (a static function) is taken if there is nothing better
 *    and the name is unique: two files may each have their own static parse().
 *    Only from .symtab: linkers leave locals in .dynsym, but not in its hash,
 *    and the loader finds none.
 *
 * A symbol of type STT_GNU_IFUNC is reported as such: its value is the
 * resolver that picks the function at load time, not the function, and a probe
 * on it would never see a call. The caller has to refuse it. In the same way
 * STT_TLS and SHN_ABS values are not addresses in the file.
 *
 * Sources: gABI chapter 4 "Symbol Table"; LSB 5 core-generic 10.7 "Symbol
 * Versioning".
 */
#ifndef KLOAK_ELF_SYMBOL_H
#define KLOAK_ELF_SYMBOL_H

#include "elf/strings.h"
#include "elf/symtab.h"

#define ELF_SYMBOL_NAME_MAX  ELF_STRINGS_NAME_MAX  /* bytes of a name to look for */
#define ELF_SYMBOL_NAMES_MAX ELF_STRINGS_NAMES_MAX /* names in one call */

struct elf_symbol {
	int error;	/* 0; -ENOENT not found; -ENOTUNIQ several equally good ones */
	uint64_t value; /* virtual address: see elf_address_to_offset() */
	uint64_t size;	/* bytes, 0 if the file does not say */
	uint16_t section;
	uint8_t type;	 /* STT_* */
	uint8_t binding; /* STB_* */
	enum elf_symtab_kind origin;
	bool versioned;
	bool hidden; /* versioned, and not the default version */
};

/*
 * Looks for @count @names at once, one pass over each table. @out[i] is about
 * names[i]. Returns how many have error 0. -EINVAL: too many names, or one
 * that is empty, over ELF_SYMBOL_NAME_MAX or contains '@'; -E2BIG: absurdly
 * many strings end like a name; -EBADMSG: the tables lie; -EFBIG: .symtab is over
 * ELF_SYMTAB_MAX, and @out has what .dynsym tells; other -errno of reading. A file without symbol tables is no error: nothing is found.
 */
int elf_symbols_find(const struct elf_image *image, const char *const names[], size_t count,
		     struct elf_symbol out[]);

/* The same for one name: 0, or the error, also that of the symbol. */
int elf_symbol_find(const struct elf_image *image, const char *name, struct elf_symbol *out);

#endif
