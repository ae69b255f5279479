/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Just enough of an assembler for the few programs that user space writes itself:
 * trials of what the kernel can do, and a question or two that only a program
 * can ask. Each macro is an initialiser of one struct bpf_insn.
 */
#ifndef KLOAK_BPF_INSN_H
#define KLOAK_BPF_INSN_H

#include <linux/bpf.h>

#define BPF_INSN(op, dst, src, offset, value) \
	((struct bpf_insn){ .code = (op),     \
			    .dst_reg = (dst), \
			    .src_reg = (src), \
			    .off = (offset),  \
			    .imm = (value) })
#define BPF_SET(dst, value)		 BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value)
#define BPF_COPY(dst, src)		 BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define BPF_HELPER(number)		 BPF_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, number)
#define BPF_RETURN()			 BPF_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define BPF_JUMP_EQUAL(dst, src, offset) BPF_INSN(BPF_JMP | BPF_JEQ | BPF_X, dst, src, offset, 0)

/* Two instructions: 64 bits, or with BPF_PSEUDO_* in @src something that the kernel puts there. */
#define BPF_SET_WIDE(dst, src, value)                                       \
	BPF_INSN(BPF_LD | BPF_DW | BPF_IMM, dst, src, 0, (int32_t)(value)), \
		BPF_INSN(0, 0, 0, 0, (int32_t)((uint64_t)(value) >> 32))

#endif
