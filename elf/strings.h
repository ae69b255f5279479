/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds the places in a table of NUL-terminated strings where one of some names
 * ends a string, in one pass. A string may be the tail of a longer one, since
 * linkers share them: so every place counts from which the name would be read.
 */
#ifndef KLOAK_ELF_STRINGS_H
#define KLOAK_ELF_STRINGS_H

#include "elf/image.h"

#define ELF_STRINGS_NAME_MAX  255 /* bytes of a name */
#define ELF_STRINGS_NAMES_MAX 128 /* names in one call */

/* names[@name] is at @offset of the table. Other than 0 ends the search. */
typedef int (*elf_strings_visit)(void *data, size_t name, uint64_t offset);

/*
 * Searches [@offset, @offset + @size) of the file. @ends: bytes that end a name,
 * besides NUL ("" for none). Returns 0, what @visit returned, -EINVAL for a name
 * that is empty or too long, or too many; or an error of reading.
 */
int elf_strings_search(const struct elf_image *image, uint64_t offset, uint64_t size,
		       const char *const names[], size_t count, const char *ends,
		       elf_strings_visit visit, void *data);

#endif
