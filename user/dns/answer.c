// SPDX-License-Identifier: GPL-2.0-only
/* Reading DNS answers: see answer.h. */
#include "user/dns/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Code that is written for the verifier is not written for these. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wparentheses"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include "kernel/dns/message.h"
#pragma GCC diagnostic pop

_Static_assert(DNS_TYPE_ADDRESS4 == DNS_TYPE_A && DNS_TYPE_ADDRESS6 == DNS_TYPE_AAAA,
	       "both sides number types alike");
_Static_assert(DNS_ANSWER_SIZE == DNS_MESSAGE_MAX && DNS_ANSWER_COUNT == DNS_ADDRESSES,
	       "both sides read as much");

struct dns_reader {
	struct dns_message message;
	struct dns_reading reading;
};

struct dns_reader *dns_reader_open(void)
{
	struct dns_reader *reader = calloc(1, sizeof(*reader));
	uint64_t seed;

	if (!reader || getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		free(reader);
		return NULL;
	}
	reader->reading.seed = seed;
	return reader;
}

void dns_reader_close(struct dns_reader *reader)
{
	free(reader);
}

static void take_addresses(const struct dns_reading *reading, struct dns_answer *answer)
{
	for (uint32_t i = 0; i < reading->address_count; i++) {
		const struct dns_address *from = &reading->address[i];
		struct dns_answer_address *to = &answer->address[answer->count];

		if (!dns_address_use(reading, from, &to->ttl) || address_unspecified(from->address))
			continue;
		memcpy(to->address, from->address, ADDRESS_SIZE);
		answer->count++;
	}
}

int dns_answer_read(struct dns_reader *reader, const uint8_t *data, size_t size,
		    const struct dns_question *question, uint16_t id, struct dns_answer *answer)
{
	struct dns_reading *reading = &reader->reading;
	size_t name_size = strlen(question->name);

	reader->message.size = (uint32_t)(size < DNS_MESSAGE_MAX ? size : DNS_MESSAGE_MAX);
	memcpy(reader->message.byte, data, reader->message.size);
	if (dns_read_answer(&reader->message, reading) || reading->id != id ||
	    reading->type != question->type || reading->name_size != name_size ||
	    memcmp(reading->name, question->name, name_size) != 0)
		return -EBADMSG;
	answer->rcode = reading->flags & DNS_RCODE;
	answer->truncated = reading->flags & DNS_FLAG_TRUNCATED;
	answer->count = 0;
	take_addresses(reading, answer);
	return 0;
}
