// SPDX-License-Identifier: GPL-2.0-only
/*
 * The filter is classic BPF over struct seccomp_data. On an x86-64 two values of
 * `arch` exist, each with system call numbers of its own:
 *
 *	AUDIT_ARCH_X86_64	syscall: ioctl is 16; x32's is 514 with bit 30 set
 *	AUDIT_ARCH_I386		int 0x80, sysenter: ioctl is 54
 *
 * Bit 30 is left out of account, so that 16 and 514 count with it and without: some
 * kernels have taken either. The request is an unsigned int to the kernel, which
 * drops the upper half of the register: so does the filter, which else would let
 * 0x100005412 pass.
 *
 * Another descriptor of the same terminal (/dev/tty, /proc/PID/fd) changes nothing,
 * since the descriptor is not looked at, and io_uring has no ioctl for terminals.
 * Nothing but these two requests is refused: a filter cannot see what TIOCLINUX points
 * to, so its harmless half (the state of the shift keys) goes with the other.
 *
 * All that does not depend on arguments is decided from `arch` and `nr` alone, which
 * lets the kernel (5.11) answer for other system calls without running the filter.
 */
#include "user/workload/typing.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define X32_BIT	   0x40000000u
#define IOCTL_X32  514
#define IOCTL_I386 54

#define LOAD(field)		 BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define ANSWER(what)		 BPF_STMT(BPF_RET | BPF_K, what)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "args[1] begins with its lower half");

int typing_deny(void)
{
	/* Jumps count from the next instruction. */
	struct sock_filter filter[] = {
		/* 0 */ LOAD(arch),
		/* 1 */ IF_EQUAL(AUDIT_ARCH_X86_64, 2, 0),
		/* 2 */ IF_EQUAL(AUDIT_ARCH_I386, 5, 0),
		/* 3 */ ANSWER(SECCOMP_RET_KILL_PROCESS), /* a way in that nobody knows */
		/* 4 */ LOAD(nr),
		/* 5 */ BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~X32_BIT),
		/* 6 */ IF_EQUAL(SYS_ioctl, 4, 0),
		/* 7 */ IF_EQUAL(IOCTL_X32, 3, 2),
		/* 8 */ LOAD(nr),
		/* 9 */ IF_EQUAL(IOCTL_I386, 1, 0),
		/* 10 */ ANSWER(SECCOMP_RET_ALLOW),
		/* 11 */ LOAD(args[1]),
		/* 12 */ IF_EQUAL(TIOCSTI, 1, 0),
		/* 13 */ IF_EQUAL(TIOCLINUX, 0, 1),
		/* 14 */ ANSWER(SECCOMP_RET_ERRNO | EPERM),
		/* 15 */ ANSWER(SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

	/* SPEC_ALLOW: the mitigations for speculation stay as they were; they may cost much. */
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		       &program)
		       ? -errno
		       : 0;
}
