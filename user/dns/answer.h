/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Answers of name servers, read by the same code that the kernel side has
 * (kernel/dns/message.h): what Kloak resolves itself and what it watches must
 * not be understood differently.
 */
#ifndef KLOAK_DNS_ANSWER_H
#define KLOAK_DNS_ANSWER_H

#include <stdint.h>

#include "lib/address.h"
#include "user/dns/query.h"

#define DNS_ANSWER_SIZE	 4096 /* bytes of a message that are read */
#define DNS_ANSWER_COUNT 64

struct dns_answer_address {
	uint8_t address[ADDRESS_SIZE];
	uint32_t ttl; /* seconds; the least on the way from the name to it */
};

struct dns_answer {
	unsigned int rcode;
	bool truncated; /* ask over TCP */
	size_t count;
	struct dns_answer_address address[DNS_ANSWER_COUNT];
};

/* Room to read in, too much for a stack. */
struct dns_reader;

/* NULL if there is no memory, or no randomness. */
struct dns_reader *dns_reader_open(void);
void dns_reader_close(struct dns_reader *reader);

/*
 * Reads @size bytes (those after DNS_ANSWER_SIZE are not) as the answer to
 * @question that was asked with @id. 0.0.0.0 and ::, with which some servers
 * block names, are left out.
 * Returns 0, or -EBADMSG if it is no answer to that.
 */
int dns_answer_read(struct dns_reader *reader, const uint8_t *data, size_t size,
		    const struct dns_question *question, uint16_t id, struct dns_answer *answer);

#endif
