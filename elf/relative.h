/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Words that hold addresses, in a file that is loaded anywhere.
 *
 * What the loader puts into such a word is in a relocation, R_X86_64_RELATIVE:
 * the word's own bytes in the file mean nothing. GNU ld and Go's linker put the
 * same value there, lld leaves zeros. Here one reads what would be there if the
 * file were loaded at 0, that is: addresses as they are elsewhere in the file.
 *
 * Source: psABI AMD64, section 4.4; elf(5). DT_RELR has its addends in the words.
 */
#ifndef KLOAK_ELF_RELATIVE_H
#define KLOAK_ELF_RELATIVE_H

#include "elf/image.h"

#define ELF_RELOCATIONS_MAX (32U << 20) /* bytes; each read goes through all of them */

/*
 * Copies @size bytes from virtual @address, relocated. A word that is only partly
 * among them stays as it is in the file. -EFAULT: they are in no segment; -E2BIG:
 * over ELF_RELOCATIONS_MAX; other errors as elf_image_read().
 */
int elf_relative_read(const struct elf_image *image, uint64_t address, void *buffer, size_t size);

#endif
