/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The function table of a Go program, "pclntab": every function by name, with
 * its address. Go's runtime needs it for stack traces and garbage collection,
 * so it is in every Go program, even in one that is linked with -s -w and has no
 * symbol table.
 *
 * Four formats, told by their first word:
 *
 *	Go 1.2	fffffffb	addresses of 8 bytes, one area for everything
 *	Go 1.16	fffffffa	the same, areas of their own for names, files, ...
 *	Go 1.18	fffffff0	functions as 4 bytes, counted from the start of Go's code
 *	Go 1.20	fffffff1	the same
 *
 *	header		word, 0, 0, 1 (instruction quantum), 8 (pointer size),
 *			number of functions, [1.16: number of files], [1.18: start
 *			of Go's code], [1.16: offsets of names, units, files,
 *			tables, functions]
 *	functions	address, offset of the record; ...; address of the end
 *	records		address, offset of the name, ...
 *
 * Which section it is in depends on how it was linked: .gopclntab,
 * .data.rel.ro.gopclntab, or (PIE by the system's linker, to Go 1.25) somewhere
 * in .data.rel.ro. There, and in files without section headers, it is looked for
 * by its first 8 bytes. Programs embed other programs and any data, so whatever
 * was found has to be consistent, and to describe code that the file executes;
 * if two tables do, none is believed.
 *
 * From Go 1.26 on the header has 0 as the start of the code. The runtime's record
 * of the module has it: see code_start() in pclntab.c.
 *
 * Sources: Go's src/runtime/symtab.go (pcHeader, moduledataverify1),
 * src/debug/gosym/pclntab.go, "Go 1.2 Runtime Symbol Information"
 * (golang.org/s/go12symtab).
 */
#ifndef KLOAK_ELF_PCLNTAB_H
#define KLOAK_ELF_PCLNTAB_H

#include "elf/image.h"
#include "elf/symbol.h"

#define PCLNTAB_SIZE_MAX      (256U << 20) /* bytes */
#define PCLNTAB_FUNCTIONS_MAX (4U << 20)

enum pclntab_format {
	PCLNTAB_GO12,
	PCLNTAB_GO116,
	PCLNTAB_GO118,
	PCLNTAB_GO120,
};

/* A table that was located and checked. Addresses are virtual ones, offsets are in the file. */
struct pclntab {
	const struct elf_image *image;
	enum pclntab_format format;
	uint64_t address;
	uint64_t offset; /* the table, and what may belong to it: */
	uint64_t size;
	uint64_t count; /* functions */
	uint64_t code;	/* address that functions are counted from; 0: they are addresses */
	uint64_t names; /* strings */
	uint64_t names_size;
	uint64_t functions; /* entries, and what records are counted from: */
	uint64_t records;
};

/*
 * -ENOENT: not a Go program, or its table was not found; -ENOTUNIQ: there are
 * two; -EBADMSG: its table lies; -E2BIG: it is over the limits; other -errno of
 * reading.
 */
int pclntab_open(const struct elf_image *image, struct pclntab *table);

/*
 * Looks for functions by name, as elf_symbols_find() does. .size is the distance
 * to the next function.
 */
int pclntab_find(const struct pclntab *table, const char *const names[], size_t count,
		 struct elf_symbol out[]);

#endif
