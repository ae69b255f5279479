/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions of Go programs, for the rows of the hook table: by the program's own
 * function table, whether it has symbols or not. Which row counts depends on how
 * its functions take arguments, which Go 1.17 changed.
 */
#ifndef KLOAK_ATTACH_GO_H
#define KLOAK_ATTACH_GO_H

#include "elf/symbol.h"

/* As hook_find in hook.h: nothing is found in a program whose arguments are elsewhere. */
int go_find(const struct elf_image *image, const char *const names[], size_t count,
	    struct elf_symbol out[]);
int go_find_stack(const struct elf_image *image, const char *const names[], size_t count,
		  struct elf_symbol out[]);

#endif
