/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registers of a probed function, by their role in the C calling convention.
 * The layout of struct pt_regs as a probe's context is UAPI (<linux/ptrace.h>).
 * Another architecture adds its branch here (for arm64: struct user_pt_regs,
 * arguments in regs[0..7], result in regs[0], stack pointer in sp).
 */
#ifndef KLOAK_ARCH_H
#define KLOAK_ARCH_H

#include <linux/ptrace.h>

#include "kernel/types.h"

#if defined(__TARGET_ARCH_x86)

/* System V ABI, AMD64 supplement, section 3.2.3. Valid at a function's entry. */
#define arg1(ctx) ((ctx)->rdi)
#define arg2(ctx) ((ctx)->rsi)
#define arg3(ctx) ((ctx)->rdx)
#define arg4(ctx) ((ctx)->rcx)
#define arg5(ctx) ((ctx)->r8)
#define arg6(ctx) ((ctx)->r9)

/*
 * User address of the argument that the stack holds at place @n (0: the
 * seventh), at a function's entry.
 */
#define stack_argument(ctx, n)	 ((ctx)->rsp + 8 + 8 * (n))
#define stack_pointer(ctx)	 ((ctx)->rsp)
#define instruction_pointer(ctx) ((ctx)->rip)

/*
 * Words of arguments of Go's functions, the first is 1, in registers: Go 1.17 and later
 * (src/cmd/compile/abi-internal.md, "amd64 architecture").
 */
KERNEL_INLINE u64 go_register(const struct pt_regs *ctx, u32 n)
{
	switch (n) {
	case 1:
		return ctx->rax;
	case 2:
		return ctx->rbx;
	case 3:
		return ctx->rcx;
	case 4:
		return ctx->rdi;
	case 5:
		return ctx->rsi;
	}
	return 0;
}

/* Does the jbe at which a probe fires branch? (CF or ZF, SDM vol. 2, "Jcc") */
#define jbe_branches(ctx) (((ctx)->eflags & 0x41) != 0)

/* Valid in a return probe. */
#define return_value(ctx) ((ctx)->rax)

#else
#error "kernel/arch.h: no register layout for this architecture"
#endif

#endif
