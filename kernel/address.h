/* SPDX-License-Identifier: GPL-2.0-only */
/* IP addresses in the one form that the maps know: 16 bytes, IPv4 as ::ffff:a.b.c.d. */
#ifndef KLOAK_ADDRESS_H
#define KLOAK_ADDRESS_H

#include "kernel/types.h"

#define AF_INET	 2
#define AF_INET6 10

/*
 * From the fields of a context or a socket, all in network order. Callers read
 * all of them in any case: clang would merge reads in two branches into one by a
 * pointer, which the verifier does not take for a context.
 */
KERNEL_INLINE void address_form(u32 family, u32 v4, u32 v6[4], u8 *address)
{
	barrier_var(v4);
	if (family == AF_INET) {
		v6[0] = 0;
		v6[1] = 0;
		v6[2] = __builtin_bswap32(0xffff);
		v6[3] = v4;
	}
	__builtin_memcpy(address, v6, 16);
}

#endif
