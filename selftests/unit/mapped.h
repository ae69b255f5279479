/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses from text, in the form that all of Kloak uses: IPv4 is v4-mapped. */
#ifndef KLOAK_SELFTESTS_MAPPED_H
#define KLOAK_SELFTESTS_MAPPED_H

#include <arpa/inet.h>
#include <check.h>
#include <stdint.h>
#include <string.h>

static inline void to_mapped(const char *text, uint8_t address[static 16])
{
	memset(address, 0, 16);
	if (strchr(text, ':')) {
		ck_assert_int_eq(inet_pton(AF_INET6, text, address), 1);
		return;
	}
	memset(address + 10, 0xff, 2);
	ck_assert_int_eq(inet_pton(AF_INET, text, address + 12), 1);
}

#endif
