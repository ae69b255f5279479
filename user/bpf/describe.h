/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Telling the kernel the prototypes of a program's functions, as a small BTF
 * blob made from what clang wrote. It needs them to verify global functions on
 * their own, and to know that a bpf_loop callback is static.
 */
#ifndef KLOAK_BPF_DESCRIBE_H
#define KLOAK_BPF_DESCRIBE_H

#include "elf/btf.h"
#include "user/bpf/linker.h"

/*
 * What probes call their context: a typedef of struct pt_regs. Kernels before
 * 6.3 know it by this name only, and all take a struct of this name for it.
 */
#define DESCRIBE_PT_REGS "bpf_user_pt_regs_t"

/*
 * Fills one record for each function of @linked, in the order of their
 * instructions, and returns the BTF's fd. @context: name of the struct that
 * programs of this type get a pointer to, or NULL. -ENOENT: a global function
 * without prototype; or another -errno.
 */
int describe_program(const struct btf *btf, const struct linked_program *linked,
		     const char *context, struct bpf_func_info *functions);

#endif
