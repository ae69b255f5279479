/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DNS names in the one form that the maps know: lower case A-labels (RFC 5890)
 * without trailing dot.
 */
#ifndef KLOAK_POLICY_NAME_H
#define KLOAK_POLICY_NAME_H

#include "kernel/abi.h"

#include <stdbool.h>
#include <stddef.h>

#define NAME_MAX_BYTES 253 /* RFC 1035 2.3.4, in text form */

/*
 * Normalises @size bytes of @text into @name, padded with zeros. Labels have 1
 * to 63 letters, digits, '-' (not at an end) and '_'. The last label must not
 * look like a number: resolvers would take such a name for an address.
 *
 * Returns 0, or -EINVAL with @why pointing to the reason and the remedy.
 */
int name_normalise(const char *text, size_t size, char name[static NAME_SIZE], const char **why);

/* Does the normalised @pattern ("a.example" or "*.example": one or more labels) cover @name? */
bool name_matches(const char *pattern, const char *name);

#endif
