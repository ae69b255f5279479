/* SPDX-License-Identifier: GPL-2.0-only */
/* The format of hosts(5): lines of an address and its names. */
#ifndef KLOAK_POLICY_HOSTS_H
#define KLOAK_POLICY_HOSTS_H

#include "kernel/abi.h"
#include "lib/address.h"

#include <stddef.h>

#define HOSTS_LINE_MAX 1024 /* bytes; a longer line is skipped */

/* Takes one pair; @name is normalised. Returns 0 to go on, or a negative errno. */
typedef int (*hosts_visit)(void *context, const char *name,
			   const uint8_t address[static ADDRESS_SIZE]);

/*
 * Calls @visit for every name of every line of the @size bytes of @data. What
 * is no address or no name is skipped, as resolvers do; so is an address with
 * a zone (fe80::1%eth0), as the same address on another interface is another
 * host, and 0.0.0.0 or ::, which block a name.
 * Returns 0, or what @visit returned when it failed.
 */
int hosts_parse(const char *data, size_t size, hosts_visit visit, void *context);

#endif
