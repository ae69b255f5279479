/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two symbol tables of an ELF file, as arrays to walk and to look up in.
 *
 * .dynsym is what the file offers to others. It is found through PT_DYNAMIC as
 * the loader finds it, so section headers may be stripped, and is usually
 * indexed by a GNU hash. .symtab has everything, for debuggers; it is found
 * through section headers only and often absent. Most callers want symbol.h instead.
 *
 * Sources: gABI chapter 4 "Symbol Table", chapter 5 "Hash Table"; the GNU hash
 * table has no specification other than glibc's do_lookup_x() (elf/dl-lookup.c).
 */
#ifndef KLOAK_ELF_SYMTAB_H
#define KLOAK_ELF_SYMTAB_H

#include "elf/image.h"

/* Bytes of entries, and of strings: bounds the time of a search. */
#define ELF_SYMTAB_MAX (256U << 20)

enum elf_symtab_kind { ELF_DYNSYM, ELF_SYMTAB };

/* A table that was located and checked: entries and strings lie within the file. */
struct elf_symtab {
	const struct elf_image *image;
	enum elf_symtab_kind kind;
	uint64_t entries; /* this and the offsets below: in the file */
	uint64_t count;
	uint64_t strings;
	uint64_t strings_size;
	uint64_t versions; /* one uint16_t per entry; 0: the table has none */
	struct elf_gnu_hash {
		uint32_t buckets_count; /* 0: there is no such hash */
		uint32_t bloom_count;	/* 64-bit words, a power of two */
		uint32_t bloom_shift;
		uint32_t first; /* index of the entry that the first chain word is about */
		uint64_t bloom;
		uint64_t buckets;
		uint64_t chains;
	} hash;
};

/* What is done with an entry; a return value other than 0 ends the walk. */
typedef int (*elf_symtab_visit)(void *data, uint64_t index, const Elf64_Sym *entry);

/*
 * -ENOENT: the file has no such table; -EBADMSG: it lies outside the file;
 * -EFBIG: it is over ELF_SYMTAB_MAX.
 */
int elf_symtab_open(const struct elf_image *image, enum elf_symtab_kind kind,
		    struct elf_symtab *table);

/* Visits every entry in order. Returns 0, what @visit returned, or an error of reading. */
int elf_symtab_walk(const struct elf_symtab *table, elf_symtab_visit visit, void *data);

/*
 * Visits the entries called @name, by the GNU hash. -EOPNOTSUPP: the table has
 * none; -EBADMSG: it is broken. Several entries are several versions.
 */
int elf_symtab_lookup(const struct elf_symtab *table, const char *name, elf_symtab_visit visit,
		      void *data);

/* Copies the name of an entry. Returns its length, or an error as elf_image_string(). */
int elf_symtab_name(const struct elf_symtab *table, const Elf64_Sym *entry, char *buffer,
		    size_t size);

/* The entry's word in the version table, VER_NDX_GLOBAL if there is no such table. */
int elf_symtab_version(const struct elf_symtab *table, uint64_t index, uint16_t *version);

#endif
