// SPDX-License-Identifier: GPL-2.0-only
/* Building DNS questions: see query.h. */
#include "user/dns/query.h"

#include <string.h>

#define FLAG_RECURSION 0x0100
#define CLASS_IN       1
#define TYPE_OPT       41
#define UDP_SIZE       1232

static uint8_t *put_u16(uint8_t *to, unsigned int value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
	return to + 2;
}

/* Every label after its length, and the root's, which is empty. */
static uint8_t *put_name(uint8_t *to, const char *name)
{
	for (;;) {
		size_t size = strcspn(name, ".");

		*to++ = (uint8_t)size;
		memcpy(to, name, size);
		to += size;
		if (name[size] == '\0')
			break;
		name += size + 1;
	}
	*to++ = 0;
	return to;
}

size_t dns_query_build(uint8_t query[static DNS_QUERY_MAX], const struct dns_question *question,
		       uint16_t id, bool edns)
{
	uint8_t *to = put_u16(query, id);

	to = put_u16(to, FLAG_RECURSION);
	to = put_u16(to, 1); /* questions */
	to = put_u16(to, 0);
	to = put_u16(to, 0);
	to = put_u16(to, edns ? 1 : 0); /* additional records */
	to = put_name(to, question->name);
	to = put_u16(to, question->type);
	to = put_u16(to, CLASS_IN);
	if (edns) {
		*to++ = 0; /* the root's name */
		to = put_u16(to, TYPE_OPT);
		to = put_u16(to, UDP_SIZE);
		memset(to, 0, 6); /* extended code, version, flags, no options */
		to += 6;
	}
	return (size_t)(to - query);
}
