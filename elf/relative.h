/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Words that hold addresses, in a file that can be loaded anywhere.
 *
 * A relocation, R_X86_64_RELATIVE, has what the loader puts into such a word; the
 * word's own bytes in the file mean nothing. GNU ld and Go's linker put the same
 * value there, lld leaves zeros. What is read here is what would be there if the
 * file were loaded at 0: addresses like those elsewhere in the file.
 *
 * Source: psABI AMD64, section 4.4; elf(5). DT_RELR has its addends in the words.
 */
#ifndef KLOAK_ELF_RELATIVE_H
#define KLOAK_ELF_RELATIVE_H

#include "elf/image.h"

#define ELF_RELOCATIONS_MAX (32U << 20) /* bytes; each read goes through all of them */

/*
 * Copies @size bytes from virtual @address, relocated. A word that is only partly
 * among them is copied from the file unchanged. -EFAULT: they are in no segment; -E2BIG:
 * over ELF_RELOCATIONS_MAX; other errors as elf_image_read().
 */
int elf_relative_read(const struct elf_image *image, uint64_t address, void *buffer, size_t size);

#endif
