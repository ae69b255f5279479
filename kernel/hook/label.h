/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is derived, told by the label that a derivation is given.
 *
 * TLS 1.3 gives HKDF-Expand an HkdfLabel as its info (RFC 8446, section 7.1):
 *
 *	2 bytes		length of the output
 *	1 byte, label	"tls13 key" or "tls13 iv"
 *	1 byte, context	empty for these two
 *
 * The PRF of TLS 1.2 is given "key expansion" (RFC 5246, section 6.3).
 */
#ifndef KLOAK_HOOK_LABEL_H
#define KLOAK_HOOK_LABEL_H

#include "kernel/hook/derive.h"

#define HKDF_LABEL_IV_SIZE  12		    /* of an HkdfLabel with "tls13 iv" */
#define HKDF_LABEL_KEY_SIZE 13		    /* with "tls13 key" */
#define HKDF_LABEL_PREFIX   0x3331736c74ULL /* "tls13" */

/* enum derivation of an HkdfLabel of @size bytes at the user address @info. */
KERNEL_GLOBAL int label_hkdf(u64 info, u64 size)
{
	u64 value[2] = { 0, 0 };
	u64 label = 0;

	if (size == HKDF_LABEL_IV_SIZE && !bpf_copy_from_user(value, 12, (void *)info))
		label = LABEL_IV;
	else if (size == HKDF_LABEL_KEY_SIZE && !bpf_copy_from_user(value, 13, (void *)info))
		label = LABEL_KEY;
	/*
	 * The first word ends with the label's size and five bytes of it, the second
	 * one with the context's size: 0, as the bytes behind it.
	 */
	if (!label || value[0] >> 16 != (HKDF_LABEL_PREFIX << 8 | (size - 4)) ||
	    value[1] != (label << 8 | ' '))
		return DERIVE_OTHER;
	return label == LABEL_IV ? DERIVE_IV : DERIVE_KEY;
}

/* The same of a bare label of TLS 1.3, without "tls13 ". */
KERNEL_GLOBAL int label_bare(u64 label, u64 size)
{
	u64 value = 0;

	if (size == 2 && !bpf_copy_from_user(&value, 2, (void *)label) && value == LABEL_IV)
		return DERIVE_IV;
	if (size == 3 && !bpf_copy_from_user(&value, 3, (void *)label) && value == LABEL_KEY)
		return DERIVE_KEY;
	return DERIVE_OTHER;
}

/* The same of a label of TLS 1.2. */
KERNEL_GLOBAL int label_prf(u64 label, u64 size)
{
	u64 value[2] = { 0, 0 };

	if (size != KEY_EXPANSION_SIZE || bpf_copy_from_user(value, 13, (void *)label) ||
	    value[0] != KEY_EXPANSION)
		return DERIVE_OTHER;
	return DERIVE_BLOCK;
}

#endif
