/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * x86-64 instruction decoder: how long is this instruction, and what does it
 * do to control flow, to the general registers and to the stack pointer.
 *
 * It knows no operand values and prints nothing: it exists so that a probe is
 * never put inside an instruction and so that elf/site.c can see how far the
 * arguments of a function are still where the caller put them.
 */
#ifndef KLOAK_ELF_INSN_H
#define KLOAK_ELF_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_SIZE_MAX 15 /* Intel SDM vol. 2, 2.3.11: longer ones raise #GP */

/* General registers by their number in the machine code (SDM vol. 2, table 2-2). */
enum insn_register {
	INSN_RAX,
	INSN_RCX,
	INSN_RDX,
	INSN_RBX,
	INSN_RSP,
	INSN_RBP,
	INSN_RSI,
	INSN_RDI,
	INSN_R8,
	INSN_R9,
	INSN_R10,
	INSN_R11,
	INSN_R12,
	INSN_R13,
	INSN_R14,
	INSN_R15,
};

#define INSN_REGISTER(number) ((uint16_t)(1U << (number)))
#define INSN_REGISTERS_ALL    ((uint16_t)0xffff)

/* Opcode maps. VEX, EVEX and XOP add their own number: INSN_MAP_VEX + 2 is VEX 0F38. */
enum insn_map {
	INSN_MAP_ONE_BYTE = 0,
	INSN_MAP_0F = 1,
	INSN_MAP_0F38 = 2,
	INSN_MAP_0F3A = 3,
	INSN_MAP_VEX = 0x10,
	INSN_MAP_EVEX = 0x20,
	INSN_MAP_XOP = 0x30, /* AMD, maps 8, 9 and 10 */
};

enum insn_prefix {
	INSN_PREFIX_66 = 1 << 0,
	INSN_PREFIX_67 = 1 << 1,
	INSN_PREFIX_F2 = 1 << 2,
	INSN_PREFIX_F3 = 1 << 3,
	INSN_PREFIX_LOCK = 1 << 4,
	INSN_PREFIX_SEGMENT = 1 << 5, /* ES, CS, SS, DS: void, or notrack, or a hint */
	INSN_PREFIX_FSGS = 1 << 6,
};

/* From INSN_JCC on: control may go elsewhere than to the next instruction. */
enum insn_kind {
	INSN_OTHER,
	INSN_PUSH,
	INSN_POP,
	INSN_NOP,      /* 90, and pause */
	INSN_NOP_LONG, /* 0f 1f */
	INSN_JCC,      /* conditional, rel8 or rel32 */
	INSN_BRANCH,   /* loop, jrcxz, xbegin */
	INSN_JMP,      /* rel8 or rel32 */
	INSN_CALL,     /* rel32 */
	INSN_JMP_INDIRECT,
	INSN_CALL_INDIRECT,
	INSN_RET,
	INSN_SYSTEM, /* syscall, int, hlt, ud2: the kernel decides what comes next */
};

struct insn {
	uint8_t length;	  /* bytes, 1 to INSN_SIZE_MAX */
	uint8_t map;	  /* enum insn_map */
	uint8_t opcode;	  /* last opcode byte */
	uint8_t prefixes; /* enum insn_prefix */
	uint8_t rex;	  /* 0, or the REX byte; of VEX, EVEX, XOP: 0x40 and the same W R X B */
	uint8_t vvvv;	  /* second source or destination of VEX, EVEX, XOP; else 0 */
	uint8_t modrm;	  /* valid if has_modrm */
	bool has_modrm;
	uint8_t kind;	  /* enum insn_kind */
	uint16_t writes;  /* registers that it may change, a bit each; RSP only if by an
			   * amount that is not known here */
	int32_t stack;	  /* what it adds to RSP (push: -8); what a call or ret does is left out */
	int32_t relative; /* INSN_JCC to INSN_CALL: target minus address of the next instruction */
};

/*
 * Decodes the one instruction at @code, of which @size bytes are readable.
 *
 * Returns its length; -ENODATA if it goes on after @size bytes; -EINVAL if it
 * is undefined in 64-bit mode, or if CPUs disagree about its length (a near
 * branch with a 66 prefix: rel16 for AMD, rel32 for Intel). @out is valid only
 * on success.
 *
 * Opcodes of the three-byte, VEX, EVEX and XOP maps that no CPU has yet are
 * taken to have the shape of their map, as every one defined so far has.
 * Which prefixes and operand forms an opcode allows is not checked. APX (REX2,
 * EVEX map 4) is not known.
 */
int insn_decode(const uint8_t *code, size_t size, struct insn *out);

/* May anything but the next instruction follow? */
static inline bool insn_is_transfer(const struct insn *insn)
{
	return insn->kind >= INSN_JCC;
}

/* Has it a target that can be computed from .relative? */
static inline bool insn_is_relative(const struct insn *insn)
{
	return insn->kind >= INSN_JCC && insn->kind <= INSN_CALL;
}

/* One word for reports: "push", "jcc", "call"; "other" for what has no kind of its own. */
const char *insn_kind_name(enum insn_kind kind);

#endif
