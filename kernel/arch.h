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

/* Valid in a return probe. */
#define return_value(ctx) ((ctx)->rax)

#else
#error "kernel/arch.h: no register layout for this architecture"
#endif

#endif
