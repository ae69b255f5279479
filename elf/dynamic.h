/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an ELF file tells the dynamic loader: which libraries it needs, where
 * to look for them, and where its dynamic symbols are. This is what takes
 * effect at run time, and it is there without section headers as well.
 *
 * Source: gABI chapter 5, "Dynamic Section"; PT_DYNAMIC is used, as the loader
 * does. Pointers in it are virtual addresses: here they become file offsets.
 */
#ifndef KLOAK_ELF_DYNAMIC_H
#define KLOAK_ELF_DYNAMIC_H

#include "elf/image.h"

#define ELF_NEEDED_MAX	512
#define ELF_DYNAMIC_MAX 4096 /* entries */

/* Offsets are into the file; 0 says that the entry is absent or points nowhere. */
struct elf_dynamic {
	uint64_t strings;
	uint64_t strings_size;
	uint64_t symbols;
	uint64_t symbol_size;
	uint64_t gnu_hash;
	uint64_t sysv_hash;
	uint64_t versions;    /* one uint16_t per symbol, DT_VERSYM */
	uint64_t relocations; /* Elf64_Rela, DT_RELA */
	uint64_t relocations_size;
	/* Offsets into the strings; 0 is the empty string, so: absent. */
	uint64_t soname;
	uint64_t rpath;
	uint64_t runpath;
	uint64_t needed[ELF_NEEDED_MAX];
	size_t needed_count; /* those after ELF_NEEDED_MAX are left out */
};

/* -ENOENT: not dynamically linked; -EBADMSG: its entries or string table lie outside the file. */
int elf_dynamic_read(const struct elf_image *image, struct elf_dynamic *dynamic);

/*
 * Copies the string at @offset of the dynamic string table; errors as
 * elf_image_string(), and -ENOENT for @offset 0 (an absent entry).
 */
int elf_dynamic_string(const struct elf_image *image, const struct elf_dynamic *dynamic,
		       uint64_t offset, char *buffer, size_t size);

/* Copies the path of the program interpreter (PT_INTERP); -ENOENT if there is none. */
int elf_interpreter(const struct elf_image *image, char *buffer, size_t size);

#endif
