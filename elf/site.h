/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where in a function to put a probe.
 *
 * The kernel runs the instruction under a uprobe in one of two ways: it
 * emulates it (push, nop, jcc, call, jmp: about half a microsecond a hit), or
 * copies it elsewhere and single-steps it (all others: two more traps, 2 to 20
 * times as long). Compilers open most functions with an instruction of the second
 * kind, but a few bytes further there is often one of the first kind, while the
 * arguments are still in their registers.
 */
#ifndef KLOAK_ELF_SITE_H
#define KLOAK_ELF_SITE_H

#include "elf/insn.h"

/* What the probe wants to see. */
enum site_use {
	SITE_ENTRY,	       /* the six integer argument registers (System V psABI, 3.2.3) */
	SITE_ENTRY_AND_RETURN, /* the same, and RSP at the return address, for a uretprobe */
	SITE_GO,	       /* the nine registers of Go's ABIInternal, Go 1.17 and later */
	SITE_GO_STACK,	       /* arguments on the stack, as older Go has them: RSP as at entry */
};

enum site_cost {
	SITE_EMULATED,	  /* by every kernel since 4.16 */
	SITE_NOP,	  /* a long nop: emulated since 6.16, single-stepped before */
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
 * In Go's functions the cheap instruction is the jbe of the stack check in the
 * prologue ("cmp 0x10(%r14), %rsp; jbe"). If it is taken, the stack is too small,
 * or the goroutine has to yield, and the function will start again, maybe in
 * another thread: then one call passes the site twice. So no other conditional
 * branch is a site there, and a program that has to know looks at the flags, which
 * are those that the branch will see (struct site has .kind).
 *
 * Sources: Go's src/cmd/compile/abi-internal.md, "amd64 architecture";
 * src/cmd/internal/obj/x86/obj6.go, stacksplit().
 */

/*
 * Chooses the probe site of the function of @size bytes at @code, loaded at
 * @address. The site is always at the first byte of an instruction that every
 * call of the function executes once, with the argument registers as the
 * caller left them. If no cheap one is found it is the entry.
 *
 * Returns 0; -EINVAL if @size is 0 or @use unknown; -EILSEQ if what is at the
 * entry is no instruction.
 */
int site_choose(const uint8_t *code, size_t size, uint64_t address, enum site_use use,
		struct site *out);

/* "emulated", "long nop", "single-stepped". */
const char *site_cost_name(enum site_cost cost);

#endif
