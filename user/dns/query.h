/* SPDX-License-Identifier: GPL-2.0-only */
/* Questions for addresses, as DNS messages (RFC 1035, section 4). */
#ifndef KLOAK_DNS_QUERY_H
#define KLOAK_DNS_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_TYPE_ADDRESS4 1
#define DNS_TYPE_ADDRESS6 28

/* Header, name, type and class, OPT record. */
#define DNS_QUERY_MAX (12 + 255 + 4 + 11)

/* What is asked. */
struct dns_question {
	const char *name; /* normalised: see user/policy/name.h */
	uint16_t type;
};

/*
 * Writes the question into @query. @edns: with an OPT record (RFC 6891), which
 * allows answers over UDP of up to 1,232 bytes; that is what goes through
 * without fragments. Servers that do not know EDNS may refuse it.
 * Returns the size.
 */
size_t dns_query_build(uint8_t query[static DNS_QUERY_MAX], const struct dns_question *question,
		       uint16_t id, bool edns);

#endif
