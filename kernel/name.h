/* SPDX-License-Identifier: GPL-2.0-only */
/* Host names in the one form that the maps know: lower case A-labels, no trailing dot. */
#ifndef KLOAK_NAME_H
#define KLOAK_NAME_H

#include "kernel/types.h"

/* A byte of a host name in lower case, or -1 if it has no business there. */
KERNEL_INLINE int name_byte(u8 c)
{
	if (c >= 'A' && c <= 'Z')
		return c + ('a' - 'A');
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_')
		return c;
	return -1;
}

#endif
