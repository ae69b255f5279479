/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where in a function to put a probe.
 *
 * The kernel runs the instruction under a uprobe in one of two ways: it
 * emulates it (push, nop, jcc, call, jmp: about half a microsecond a hit), or
 * copies it elsewhere and single-steps it (all the rest: two more traps, 2 to
 * 20 times as long). Compilers open most functions with something of the
 * second kind, but a few bytes on there is often one of the first kind while
 * the arguments are still in their registers.
 */
#ifndef KLOAK_ELF_SITE_H
#define KLOAK_ELF_SITE_H

#include "elf/insn.h"

/* What the probe wants to see. */
enum site_use {
	SITE_ENTRY,            /* the six integer argument registers (System V psABI, 3.2.3) */
	SITE_ENTRY_AND_RETURN, /* the same, and RSP at the return address, for a uretprobe */
};

enum site_cost {
	SITE_EMULATED,    /* by every kernel since 4.16 */
	SITE_NOP,         /* a long nop: emulated since 6.16, single-stepped before */
	SITE_SINGLE_STEP, /* by every kernel */
};

struct site {
	uint64_t address;     /* where to put the probe */
	uint32_t offset;      /* the same, from the function's entry */
	uint32_t stack_moved; /* bytes that RSP is below its value at entry when the probe fires */
	enum site_cost cost;
	enum insn_kind kind; /* of the instruction there, for reports */
};

/*
 * Chooses the probe site of the function of @size bytes at @code, loaded at
 * @address. The site is always at the first byte of an instruction that every
 * call of the function executes once, with the argument registers as the
 * caller left them. If no cheap one is found it is the entry.
 *
 * Returns 0; -EINVAL if @size is 0 or @use unknown.
 */
int site_choose(const uint8_t *code, size_t size, uint64_t address, enum site_use use,
		struct site *out);

/* "emulated", "long nop", "single-stepped". */
const char *site_cost_name(enum site_cost cost);

#endif
