/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command and its caller share a terminal; the command must not type there.
 *
 * ioctl(TIOCSTI) puts a byte into the input of the caller's terminal, as if it
 * had been typed; TIOCLINUX pastes on a virtual console. A command of another
 * user (--user) would so type commands into root's shell, which executes them
 * as soon as kloak has ended. Linux can refuse TIOCSTI since 6.2 (sysctl
 * dev.tty.legacy_tiocsti), but not everybody has that; and it is no matter of
 * capabilities, so a filter for system calls (seccomp(2)) has to do it.
 */
#ifndef KLOAK_WORKLOAD_TYPING_H
#define KLOAK_WORKLOAD_TYPING_H

/*
 * From now on TIOCSTI and TIOCLINUX fail with EPERM in this process and
 * whatever it becomes or starts, by every way into the kernel that an x86-64
 * has: 64-bit, 32-bit (int 0x80) and x32. Needs no_new_privs. 0 or -errno.
 */
int typing_deny(void);

#endif
