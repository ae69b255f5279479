/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IP address literals in the one form that the maps know: 16 bytes in network
 * order, IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2).
 */
#ifndef KLOAK_LIB_ADDRESS_H
#define KLOAK_LIB_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESS_SIZE	    16
#define ADDRESS_BITS	    128
#define ADDRESS_MAPPED_BITS 96 /* of the prefix ::ffff:0:0 */

/*
 * Reads @size bytes of @text as dotted quad or as RFC 4291 text without zone.
 * Returns the family (AF_INET, AF_INET6), or -EINVAL.
 */
int address_parse(const char *text, size_t size, uint8_t address[static ADDRESS_SIZE]);

/* As text, IPv4 as a dotted quad. Returns @text. */
const char *address_format(const uint8_t address[static ADDRESS_SIZE],
			   char text[static INET6_ADDRSTRLEN]);

/* Do both have the same first @bits bits? */
bool address_in_prefix(const uint8_t address[static ADDRESS_SIZE],
		       const uint8_t prefix[static ADDRESS_SIZE], unsigned int bits);

/* Is it an IPv4 address? */
bool address_mapped(const uint8_t address[static ADDRESS_SIZE]);

/* Clears all but the first @bits bits. */
void address_mask(uint8_t address[static ADDRESS_SIZE], unsigned int bits);

/* 0.0.0.0 and ::, which mean "this host" to connect(2) and a blocked name in hosts files. */
bool address_unspecified(const uint8_t address[static ADDRESS_SIZE]);

#endif
