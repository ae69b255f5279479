// SPDX-License-Identifier: GPL-2.0-only
/* Questions to name servers byte by byte, and what counts as an answer to one. */
#include "selftests/unit/dns_server.h"
#include "selftests/unit/mapped.h"
#include "selftests/unit/suite.h"
#include "user/dns/answer.h"
#include "user/policy/name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ID 0x1234

static struct dns_reader *reader;
static struct wire draft;
static struct dns_answer answer;
static const struct dns_question api = { "api.example", WIRE_A };

static void setup(void)
{
	reader = dns_reader_open();
	ck_assert_ptr_nonnull(reader);
	memset(&answer, 0x55, sizeof(answer));
}

static void teardown(void)
{
	dns_reader_close(reader);
}

static void respond(const char *name, unsigned int type)
{
	wire_begin(&draft, ID, WIRE_RESPONSE);
	wire_question(&draft, name, type);
}

static int read_draft(const struct dns_question *question)
{
	uint8_t *copy = malloc(draft.size ? draft.size : 1); /* its end is where ASan looks */
	int ret;

	memcpy(copy, draft.byte, draft.size);
	ret = dns_answer_read(reader, copy, draft.size, question, ID, &answer);
	free(copy);
	return ret;
}

static void expect(size_t index, const char *text, uint32_t ttl)
{
	uint8_t address[16];

	ck_assert_msg(index < answer.count, "%s is missing", text);
	to_mapped(text, address);
	ck_assert_mem_eq(answer.address[index].address, address, 16);
	ck_assert_uint_eq(answer.address[index].ttl, ttl);
}

/* ---- questions ---- */

START_TEST(question_bytes)
{
	static const char plain[] = "\x12\x34\x01\x00\0\1\0\0\0\0\0\0"
				    "\3api\7example\0\0\1\0\1";
	static const char edns[] = "\x12\x34\x01\x00\0\1\0\0\0\0\0\1"
				   "\3api\7example\0\0\x1c\0\1"
				   "\0\0\x29\x04\xd0\0\0\0\0\0\0";
	const struct dns_question v6 = { "api.example", WIRE_AAAA };
	uint8_t query[DNS_QUERY_MAX];

	ck_assert_uint_eq(dns_query_build(query, &api, ID, false), sizeof(plain) - 1);
	ck_assert_mem_eq(query, plain, sizeof(plain) - 1);
	ck_assert_uint_eq(dns_query_build(query, &v6, ID, true), sizeof(edns) - 1);
	ck_assert_mem_eq(query, edns, sizeof(edns) - 1);
}
END_TEST

/* The longest name fills the buffer to its last byte. */
START_TEST(question_longest)
{
	char name[NAME_MAX_BYTES + 1];
	const struct dns_question question = { name, WIRE_A };
	uint8_t *query = malloc(DNS_QUERY_MAX);
	size_t size;

	for (size_t i = 0; i < NAME_MAX_BYTES; i++)
		name[i] = i % 64 == 63 ? '.' : 'a';
	name[NAME_MAX_BYTES] = '\0';
	size = dns_query_build(query, &question, ID, true);
	ck_assert_uint_eq(size, DNS_QUERY_MAX);
	free(query);
	respond(name, WIRE_A);
	answer_address(&draft, NULL, 60, "192.0.2.1");
	ck_assert_int_eq(read_draft(&question), 0);
	expect(0, "192.0.2.1", 60);
}
END_TEST

/* ---- answers ---- */

START_TEST(addresses)
{
	const struct dns_question v6 = { "api.example", WIRE_AAAA };

	respond("API.Example", WIRE_A);
	answer_address(&draft, NULL, 300, "192.0.2.1");
	answer_address(&draft, "api.EXAMPLE", 60, "192.0.2.2");
	answer_address(&draft, NULL, 60, "2001:db8::1"); /* nobody asked for it */
	ck_assert_int_eq(read_draft(&api), 0);
	ck_assert_uint_eq(answer.count, 2);
	ck_assert_uint_eq(answer.rcode, 0);
	ck_assert(!answer.truncated);
	expect(0, "192.0.2.1", 300);
	expect(1, "192.0.2.2", 60);
	respond("api.example", WIRE_AAAA);
	answer_address(&draft, NULL, 60, "2001:db8::1");
	ck_assert_int_eq(read_draft(&v6), 0);
	ck_assert_uint_eq(answer.count, 1);
	expect(0, "2001:db8::1", 60);
}
END_TEST

START_TEST(aliases)
{
	respond("api.example", WIRE_A);
	wire_alias(&draft, NULL, 500, "cdn.example");
	wire_alias(&draft, "CDN.example", 20, "edge.example");
	answer_address(&draft, "edge.example", 300, "192.0.2.1");
	answer_address(&draft, "edge.example", 10, "192.0.2.2");
	answer_address(&draft, "other.example", 300, "192.0.2.3");
	answer_address(&draft, "cdn.example", 300, "192.0.2.4"); /* not the end of the chain */
	answer_address(&draft, NULL, 300, "192.0.2.5");
	ck_assert_int_eq(read_draft(&api), 0);
	ck_assert_uint_eq(answer.count, 2);
	expect(0, "192.0.2.1", 20);
	expect(1, "192.0.2.2", 10);
	respond("api.example", WIRE_A);
	wire_alias(&draft, NULL, 500, "api.example"); /* a circle */
	wire_alias(&draft, "x.example", 500, "api.example");
	ck_assert_int_eq(read_draft(&api), 0);
	ck_assert_uint_eq(answer.count, 0);
}
END_TEST

START_TEST(not_an_answer)
{
	static const struct {
		const char *name;
		unsigned int id, flags, type;
	} wrong[] = {
		{ "api.example", ID + 1, WIRE_RESPONSE, WIRE_A },
		{ "api.example", 0x3412, WIRE_RESPONSE, WIRE_A },
		{ "api.example", ID, WIRE_QUERY, WIRE_A }, /* a question */
		{ "api.example", ID, 0xa900, WIRE_A },	   /* another kind of message */
		{ "api.example", ID, WIRE_RESPONSE, WIRE_AAAA },
		{ "api.example", ID, WIRE_RESPONSE, 15 },
		{ "api.exampl", ID, WIRE_RESPONSE, WIRE_A },
		{ "api.example.x", ID, WIRE_RESPONSE, WIRE_A },
		{ "xapi.example", ID, WIRE_RESPONSE, WIRE_A },
		{ "api-example", ID, WIRE_RESPONSE, WIRE_A },
		{ "", ID, WIRE_RESPONSE, WIRE_A },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		wire_begin(&draft, wrong[i].id, wrong[i].flags);
		wire_question(&draft, wrong[i].name, wrong[i].type);
		answer_address(&draft, NULL, 60, "192.0.2.1");
		ck_assert_msg(read_draft(&api) == -EBADMSG, "%zu", i);
	}
	respond("api.example", WIRE_A);
	wire_set_u16(&draft, 4, 0); /* no question in it */
	ck_assert_int_eq(read_draft(&api), -EBADMSG);
	wire_set_u16(&draft, 4, 2);
	ck_assert_int_eq(read_draft(&api), -EBADMSG);
}
END_TEST

START_TEST(codes)
{
	wire_begin(&draft, ID, WIRE_RESPONSE | 3);
	wire_question(&draft, "api.example", WIRE_A);
	answer_address(&draft, NULL, 60, "192.0.2.1"); /* does not go together */
	ck_assert_int_eq(read_draft(&api), 0);
	ck_assert_uint_eq(answer.rcode, 3);
	ck_assert_uint_eq(answer.count, 0);
	wire_begin(&draft, ID, WIRE_RESPONSE | 0x200);
	wire_question(&draft, "api.example", WIRE_A);
	ck_assert_int_eq(read_draft(&api), 0);
	ck_assert(answer.truncated);
	ck_assert_uint_eq(answer.rcode, 0);
}
END_TEST

START_TEST(blocked_names)
{
	const struct dns_question v6 = { "api.example", WIRE_AAAA };

	respond("api.example", WIRE_A);
	answer_address(&draft, NULL, 60, "0.0.0.0");
	answer_address(&draft, NULL, 60, "192.0.2.1");
	ck_assert_int_eq(read_draft(&api), 0);
	ck_assert_uint_eq(answer.count, 1);
	expect(0, "192.0.2.1", 60);
	respond("api.example", WIRE_AAAA);
	answer_address(&draft, NULL, 60, "::");
	answer_address(&draft, NULL, 60, "::ffff:0.0.0.0");
	ck_assert_int_eq(read_draft(&v6), 0);
	ck_assert_uint_eq(answer.count, 0);
}
END_TEST

/* Of an answer that is cut anywhere, what is read is the beginning of the whole. */
START_TEST(cut_anywhere)
{
	size_t whole, last = 0;

	respond("api.example", WIRE_A);
	wire_alias(&draft, NULL, 40, "edge.example");
	for (unsigned int i = 1; i <= 5; i++)
		answer_address(&draft, "edge.example", 60, "192.0.2.1");
	whole = draft.size;
	for (draft.size = 0; draft.size <= whole; draft.size++) {
		int ret = read_draft(&api);

		ck_assert_int_eq(ret, draft.size < 12 + 17 ? -EBADMSG : 0);
		if (ret < 0)
			continue;
		ck_assert_uint_ge(answer.count, last);
		last = answer.count;
		for (size_t i = 0; i < answer.count; i++)
			expect(i, "192.0.2.1", 40);
	}
	ck_assert_uint_eq(last, 5);
}
END_TEST

START_TEST(many_and_large)
{
	char text[32];

	respond("api.example", WIRE_A);
	for (unsigned int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "192.0.2.%u", i % 250 + 1);
		answer_address(&draft, NULL, 60, text);
	}
	ck_assert_uint_gt(draft.size, DNS_ANSWER_SIZE);
	ck_assert_int_eq(read_draft(&api), 0);
	ck_assert_uint_eq(answer.count, DNS_ANSWER_COUNT);
	expect(63, "192.0.2.64", 60);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		question_bytes, question_longest, addresses,	aliases,	not_an_answer,
		codes,		blocked_names,	  cut_anywhere, many_and_large,
	};

	return suite_run("dns answer", tests, ARRAY_SIZE(tests), 0, setup, teardown);
}
