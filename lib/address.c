// SPDX-License-Identifier: GPL-2.0-only
/* IP address literals: see address.h. */
#include "lib/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const uint8_t mapped_prefix[ADDRESS_SIZE] = { [10] = 0xff, [11] = 0xff };

int address_parse(const char *text, size_t size, uint8_t address[static ADDRESS_SIZE])
{
	char copy[INET6_ADDRSTRLEN];

	if (size >= sizeof(copy) || memchr(text, 0, size))
		return -EINVAL;
	memcpy(copy, text, size);
	copy[size] = '\0';
	memcpy(address, mapped_prefix, ADDRESS_SIZE);
	if (inet_pton(AF_INET, copy, address + ADDRESS_MAPPED_BITS / 8) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, copy, address) == 1 ? AF_INET6 : -EINVAL;
}

const char *address_format(const uint8_t address[static ADDRESS_SIZE],
			   char text[static INET6_ADDRSTRLEN])
{
	bool v4 = address_mapped(address);

	inet_ntop(v4 ? AF_INET : AF_INET6, address + (v4 ? ADDRESS_MAPPED_BITS / 8 : 0), text,
		  INET6_ADDRSTRLEN);
	return text;
}

void address_mask(uint8_t address[static ADDRESS_SIZE], unsigned int bits)
{
	for (unsigned int i = 0; i < ADDRESS_SIZE; i++) {
		unsigned int kept = bits > 8 * i ? bits - 8 * i : 0;

		if (kept < 8)
			address[i] &= (uint8_t)(0xff00 >> kept);
	}
}

bool address_in_prefix(const uint8_t address[static ADDRESS_SIZE],
		       const uint8_t prefix[static ADDRESS_SIZE], unsigned int bits)
{
	uint8_t a[ADDRESS_SIZE], b[ADDRESS_SIZE];

	memcpy(a, address, ADDRESS_SIZE);
	memcpy(b, prefix, ADDRESS_SIZE);
	address_mask(a, bits);
	address_mask(b, bits);
	return memcmp(a, b, ADDRESS_SIZE) == 0;
}

bool address_mapped(const uint8_t address[static ADDRESS_SIZE])
{
	return address_in_prefix(address, mapped_prefix, ADDRESS_MAPPED_BITS);
}

bool address_unspecified(const uint8_t address[static ADDRESS_SIZE])
{
	static const uint8_t none[ADDRESS_SIZE];

	return memcmp(address, none, ADDRESS_SIZE) == 0 ||
	       (address_mapped(address) && memcmp(address + ADDRESS_MAPPED_BITS / 8, none, 4) == 0);
}
