/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From functions to a program: the kernel takes one array of instructions, in
 * which the main function comes first and every function that is called follows.
 *
 * The linker walks from the main function over calls and function pointers
 * (bpf_loop callbacks), appends each function that it meets once, and then
 * turns relocations into what the kernel reads:
 *	call		src_reg BPF_PSEUDO_CALL, imm = distance in instructions
 *	function pointer	src_reg BPF_PSEUDO_FUNC, imm = distance in instructions
 *	map		src_reg BPF_PSEUDO_MAP_FD, imm = fd
 *	variable	src_reg BPF_PSEUDO_MAP_VALUE, imm = fd, next imm = offset in the value
 * Distances count from the instruction after the one that is patched.
 */
#ifndef KLOAK_BPF_LINKER_H
#define KLOAK_BPF_LINKER_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "elf/object.h"

#define LINKER_FUNCTIONS_MAX 256 /* the kernel's own limit, BPF_MAX_SUBPROGS */

struct linked_function {
	const struct object_function *function;
	uint32_t start; /* first instruction in the program */
};

struct linked_program {
	struct bpf_insn *insns;
	uint32_t insn_count;
	struct linked_function functions[LINKER_FUNCTIONS_MAX]; /* [0] is the main function */
	uint32_t function_count;
};

/* Where a map or a data section has gone: fds, by the object's own indexes; -1: not loaded. */
struct linker_targets {
	const int *map_fds;	/* object_map index -> fd */
	const int *section_fds; /* section index -> fd of the map with its content */
};

/*
 * Assembles the program of @main. -EINVAL: a relocation or call that leads to
 * nothing known; -E2BIG: too many functions or instructions; -ENOMEM.
 * *@culprit is the name of the symbol or function at fault, if there is one.
 */
int linker_assemble(const struct object *object, const struct object_function *main,
		    const struct linker_targets *targets, struct linked_program *program,
		    const char **culprit);

void linker_free(struct linked_program *program);

/* Does any code of the object call or point to @function? */
bool linker_is_called(const struct object *object, const struct object_function *function);

#endif
