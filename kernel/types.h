/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Words for code that compiles for BPF and for the host alike. The crypto and
 * record headers use nothing else, so that unit tests and fuzz targets run the
 * very code that the kernel runs.
 */
#ifndef KLOAK_TYPES_H
#define KLOAK_TYPES_H

#include <linux/types.h>
#include <stddef.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;

#ifdef __bpf__
/*
 * A global function: the verifier checks it once and on its own, with every
 * pointer argument a buffer of the pointed-to type that may be NULL. Scalars
 * are u64, since the bounds of narrower arguments are lost on the way in.
 */
#define KERNEL_GLOBAL __attribute__((noinline))
/* A subprogram that is verified with the state of each caller. */
#define KERNEL_STATIC static __attribute__((noinline))
#define KERNEL_INLINE static inline __attribute__((always_inline))
/* Makes clang forget what it knows of x, so that a mask or check stays in the code. */
#define barrier_var(x) __asm__ volatile("" : "+r"(x))
#else
#define KERNEL_GLOBAL  static __attribute__((unused))
#define KERNEL_STATIC  static __attribute__((unused))
#define KERNEL_INLINE  static inline __attribute__((unused))
#define barrier_var(x) ((void)0)
#endif

/*
 * Memory access of any alignment: x86-64 and arm64 have it, and so have their
 * BPF JITs. clang for BPF would read byte by byte if it knew.
 */
#ifdef __bpf__
typedef u64 __attribute__((may_alias)) u64_unaligned;
typedef u32 __attribute__((may_alias)) u32_unaligned;
#else
typedef u64 __attribute__((aligned(1), may_alias)) u64_unaligned;
typedef u32 __attribute__((aligned(1), may_alias)) u32_unaligned;
#endif

KERNEL_INLINE u64 load_le64(const void *p)
{
	return *(const u64_unaligned *)p;
}

KERNEL_INLINE void store_le64(void *p, u64 value)
{
	*(u64_unaligned *)p = value;
}

/* memcpy() by fours: clang would go byte by byte where it knows of no alignment. */
KERNEL_INLINE void copy_fours(void *to, const void *from, u32 size)
{
	u32 i;

	for (i = 0; i < size; i += 4)
		*(u32_unaligned *)((u8 *)to + i) = *(const u32_unaligned *)((const u8 *)from + i);
}

KERNEL_INLINE u64 load_be64(const void *p)
{
	return __builtin_bswap64(*(const u64_unaligned *)p);
}

KERNEL_INLINE u32 load_be32(const void *p)
{
	return __builtin_bswap32(*(const u32_unaligned *)p);
}

#endif
