// SPDX-License-Identifier: GPL-2.0-only
/*
 * Answers of name servers. The first byte says what was asked; the rest is the
 * message of some server. What is accepted must be an answer to that question.
 */
#include "user/dns/answer.c"
#include "user/dns/query.c"
#include "lib/address.c"

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

static const char *const names[] = { "api.example", "a", "a.b.c.d.e.f", "x-1._tcp.example" };

static void require_answer(const struct dns_answer *answer)
{
	REQUIRE(answer->rcode <= 15 && answer->count <= DNS_ANSWER_COUNT);
	REQUIRE(answer->count == 0 || answer->rcode == 0);
	for (size_t i = 0; i < answer->count; i++) {
		REQUIRE(answer->address[i].ttl <= INT32_MAX);
		REQUIRE(!address_unspecified(answer->address[i].address));
	}
}

/* An answer begins with the question, in whatever case, and has its number. */
static void require_question(const uint8_t *data, const struct dns_question *question, uint16_t id)
{
	uint8_t query[DNS_QUERY_MAX];
	size_t size = dns_query_build(query, question, id, false);

	REQUIRE(memcmp(data, query, 2) == 0 && data[2] & 0x80);
	for (size_t i = 12; i < size; i++)
		REQUIRE(data[i] == query[i] ||
			(data[i] >= 'A' && data[i] <= 'Z' && data[i] + 'a' - 'A' == query[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dns_reader *reader;
	struct dns_question question;
	struct dns_answer answer;
	uint8_t *copy;
	uint16_t id;

	if (size < 3)
		return 0;
	if (!reader)
		reader = dns_reader_open();
	copy = malloc(size - 1); /* its end is where ASan looks */
	if (!reader || !copy)
		return 0;
	reader->reading.seed = 1; /* a find is to be repeatable */
	memcpy(copy, data + 1, size - 1);
	question.name = names[data[0] >> 1 & 3];
	question.type = data[0] & 1 ? DNS_TYPE_ADDRESS6 : DNS_TYPE_ADDRESS4;
	id = (uint16_t)(copy[0] << 8 | copy[1]);
	if (dns_answer_read(reader, copy, size - 1, &question, id, &answer) == 0) {
		require_answer(&answer);
		require_question(copy, &question, id);
	}
	REQUIRE(dns_answer_read(reader, copy, size - 1, &question, id ^ 1, &answer) < 0);
	free(copy);
	return 0;
}
