// SPDX-License-Identifier: GPL-2.0-only
/*
 * kloak run --resolve against name servers that answer correctly, wrongly, late
 * or not at all. Where time only has to pass, it is simulated.
 */
#include "selftests/unit/stderr_capture.h"

#include "selftests/unit/dns_server.h"
#include "selftests/unit/suite.h"
#include "user/dns/exchange.h"
#include "user/dns/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define FOREVER (20 * NSEC_PER_SEC) /* longer than any test takes; a test that needs it fails */

static struct error err;
static struct rule_set rules;
static struct resolver_set resolvers;
static struct dns_server server, second;
static struct dns_lookup *lookup;
static uint32_t min_ttl;
static int found_result;

static struct {
	char name[NAME_SIZE];
	char address[INET6_ADDRSTRLEN];
	uint64_t expires;
} found[256];
static size_t found_count;

static int take(void *context, const char *name, const uint8_t address[static ADDRESS_SIZE],
		uint64_t expires)
{
	ck_assert_ptr_eq(context, &found_count);
	ck_assert_uint_lt(found_count, ARRAY_SIZE(found));
	snprintf(found[found_count].name, NAME_SIZE, "%s", name);
	address_format(address, found[found_count].address);
	found[found_count++].expires = expires;
	return found_result;
}

static void setup(void)
{
	min_ttl = 0;
}

static void teardown(void)
{
	dns_lookup_close(lookup);
	rule_set_release(&rules);
	if (server.port)
		dns_server_stop(&server);
	if (second.port)
		dns_server_stop(&second);
}

static void grant(const char *hosts)
{
	ck_assert_msg(rule_set_add(&rules, hosts, 0, &err) == 0, "%s", err.text);
}

static void trust(const char *address, unsigned int port)
{
	char text[80];

	snprintf(text, sizeof(text), "%s:%u", address, port);
	ck_assert_msg(resolver_set_add(&resolvers, text, &err) == 0, "%s", err.text);
}

/* A trusted server on 127.0.0.1 */
static void start(struct dns_server *which, void (*answer)(struct dns_request *request))
{
	dns_server_start(which, AF_INET, answer);
	trust("127.0.0.1", which->port);
}

static void open_lookup(void)
{
	const struct dns_lookup_options options = {
		.rules = &rules,
		.resolvers = &resolvers,
		.min_ttl = min_ttl,
		.found = take,
		.context = &found_count,
	};

	ck_assert_msg(dns_lookup_open(&options, &lookup, &err) == 0, "%s", err.text);
}

/* Looks up @hosts to the end. Returns the warnings. */
static const char *resolve(const char *hosts)
{
	grant(hosts);
	open_lookup();
	ck_assert_ptr_nonnull(lookup);
	capture_begin();
	dns_lookup_wait(lookup, FOREVER);
	return capture_end();
}

static size_t times_found(const char *name, const char *address)
{
	size_t times = 0;

	for (size_t i = 0; i < found_count; i++)
		times += strcmp(found[i].name, name) == 0 && strcmp(found[i].address, address) == 0;
	return times;
}

static void expect_one(const char *name, const char *address)
{
	ck_assert_msg(found_count == 1 && times_found(name, address) == 1, "%zu: %s %s",
		      found_count, found[0].name, found[0].address);
}

/* Steps until @count addresses were found in all, at the test's time @now. */
static void step_until(size_t count, uint64_t now)
{
	for (int i = 0; i < 1000 && found_count < count; i++) {
		dns_lookup_step(lookup, now);
		usleep(1000);
	}
	ck_assert_uint_eq(found_count, count);
}

/* Steps at @now for a while; nobody may be asked. */
static void step_in_vain(uint64_t now)
{
	unsigned int asked = atomic_load(&server.asked_udp);

	for (int i = 0; i < 30; i++) {
		dns_lookup_step(lookup, now);
		usleep(1000);
	}
	ck_assert_uint_eq(atomic_load(&server.asked_udp), asked);
}

/* ---- how servers answer ---- */

static void right_with(struct dns_request *request, const char *v4, const char *v6, uint32_t ttl)
{
	struct wire d;

	answer_begin(&d, request, WIRE_RESPONSE);
	if (request->type == WIRE_A && v4)
		answer_address(&d, NULL, ttl, v4);
	if (request->type == WIRE_AAAA && v6)
		answer_address(&d, NULL, ttl, v6);
	answer_send(request, &d);
}

static void right(struct dns_request *request)
{
	right_with(request, "192.0.2.1", NULL, 60);
}

static void right_both(struct dns_request *request)
{
	right_with(request, "192.0.2.1", "2001:db8::1", 60);
}

static void silent(struct dns_request *request)
{
	(void)request;
}

/* What a forger would send, followed by the right answer. */
static void forged_first(struct dns_request *request)
{
	struct wire d;

	answer_begin(&d, request, WIRE_RESPONSE);
	answer_address(&d, NULL, 60, "192.0.2.66");
	answer_from(request->server->other, request, &d); /* another source port */
	d.byte[1] ^= 1;
	answer_send(request, &d); /* another number */
	d.byte[1] ^= 1;
	d.byte[WIRE_HEADER + 1] ^= 1;
	answer_send(request, &d); /* another name */
	right(request);
}

static void only_forged(struct dns_request *request)
{
	struct wire d;

	answer_begin(&d, request, WIRE_RESPONSE);
	answer_address(&d, NULL, 60, "192.0.2.66");
	d.byte[0] ^= 0x80;
	for (unsigned int i = 0; i < DNS_STRANGERS; i++)
		answer_send(request, &d);
	d.byte[0] ^= 0x80;
	if (request->tcp < 0)
		answer_send(request, &d); /* right at last: not to be taken any more */
}

static void forged_over_udp(struct dns_request *request)
{
	if (request->tcp < 0)
		only_forged(request);
	else
		right(request);
}

static void with_code(struct dns_request *request, unsigned int code)
{
	struct wire d;

	answer_begin(&d, request, WIRE_RESPONSE | code);
	answer_send(request, &d);
}

static void failing(struct dns_request *request)
{
	with_code(request, 2);
}

static void refusing(struct dns_request *request)
{
	with_code(request, 5);
}

static void no_name(struct dns_request *request)
{
	with_code(request, 3);
}

static void without_edns(struct dns_request *request)
{
	if (request->edns)
		with_code(request, 1);
	else
		right(request);
}

/* UDP says too little; what it says must not be taken. */
static void truncated_with(struct dns_request *request, const char *address)
{
	struct wire d;

	answer_begin(&d, request, WIRE_RESPONSE | 0x200);
	if (request->type == WIRE_A)
		answer_address(&d, NULL, 60, address);
	answer_send(request, &d);
}

static void truncated(struct dns_request *request)
{
	if (request->tcp < 0)
		truncated_with(request, "192.0.2.66");
	else
		right(request);
}

/* Byte by byte, with pauses around the places that matter. */
static void truncated_slow(struct dns_request *request)
{
	struct wire d, stream = { .size = 0 };

	if (request->tcp < 0) {
		truncated_with(request, "192.0.2.66");
		return;
	}
	answer_begin(&d, request, WIRE_RESPONSE);
	if (request->type == WIRE_A)
		answer_address(&d, NULL, 60, "192.0.2.1");
	wire_u16(&stream, (unsigned int)d.size);
	wire_put(&stream, d.byte, d.size);
	for (size_t i = 0; i < stream.size; i++) {
		send(request->tcp, stream.byte + i, 1, MSG_NOSIGNAL);
		if (i < 4 || i + 2 >= stream.size)
			usleep(5000);
	}
}

/* More than is read: the beginning is what counts. */
static void truncated_large(struct dns_request *request)
{
	struct wire d;

	if (request->tcp < 0 || request->type != WIRE_A) {
		truncated(request);
		return;
	}
	answer_begin(&d, request, WIRE_RESPONSE);
	for (unsigned int i = 0; i < 400; i++)
		answer_address(&d, NULL, 60, i ? "192.0.2.2" : "192.0.2.1");
	answer_send(request, &d);
}

static void truncated_then_closed(struct dns_request *request)
{
	if (request->tcp < 0)
		truncated_with(request, "192.0.2.66");
	else
		send(request->tcp, "\0\x40", 2, MSG_NOSIGNAL); /* and no more */
}

static void truncated_then_forged(struct dns_request *request)
{
	request->byte[0] ^= (uint8_t)(request->tcp < 0 ? 0 : 1);
	truncated(request);
}

/* ---- the tests ---- */

START_TEST(a_name)
{
	uint64_t before = clock_now();

	start(&server, right);
	ck_assert_str_eq(resolve("Api.Example.,api.example:8443,*.b.example,192.0.2.9"), "");
	expect_one("api.example", "192.0.2.1");
	ck_assert_uint_ge(found[0].expires, before + (60 + DNS_LOOKUP_GRACE) * NSEC_PER_SEC);
	ck_assert_uint_le(found[0].expires, clock_now() + (60 + DNS_LOOKUP_GRACE) * NSEC_PER_SEC);
	ck_assert_uint_eq(server.asked_udp, 2);
	ck_assert_uint_eq(server.asked_tcp, 0);
}
END_TEST

START_TEST(both_families)
{
	start(&server, right_both);
	ck_assert_str_eq(resolve("api.example"), "");
	ck_assert_uint_eq(found_count, 2);
	ck_assert_uint_eq(times_found("api.example", "192.0.2.1"), 1);
	ck_assert_uint_eq(times_found("api.example", "2001:db8::1"), 1);
}
END_TEST

START_TEST(over_ipv6)
{
	if (access("/proc/sys/net/ipv6/conf/lo", F_OK))
		return;
	dns_server_start(&server, AF_INET6, truncated);
	trust("[::1]", server.port);
	ck_assert_str_eq(resolve("api.example"), "");
	expect_one("api.example", "192.0.2.1");
	ck_assert_uint_eq(server.asked_tcp, 2);
}
END_TEST

static void chain(struct dns_request *request)
{
	struct wire d;

	answer_begin(&d, request, WIRE_RESPONSE);
	wire_alias(&d, NULL, 50, "edge.example");
	if (request->type == WIRE_A) {
		answer_address(&d, "edge.example", 300, "192.0.2.1");
		answer_address(&d, "edge.example", 20, "192.0.2.2");
		answer_address(&d, "other.example", 300, "192.0.2.66");
	}
	answer_send(request, &d);
}

START_TEST(an_alias)
{
	uint64_t now = clock_now();

	start(&server, chain);
	ck_assert_str_eq(resolve("api.example"), "");
	ck_assert_uint_eq(found_count, 2);
	ck_assert_uint_eq(times_found("api.example", "192.0.2.1"), 1);
	ck_assert_uint_eq(times_found("api.example", "192.0.2.2"), 1);
	for (size_t i = 0; i < 2; i++) {
		uint64_t seconds = (found[i].expires - now) / NSEC_PER_SEC - DNS_LOOKUP_GRACE;

		ck_assert_uint_eq(seconds, strcmp(found[i].address, "192.0.2.1") != 0 ? 20 : 50);
	}
}
END_TEST

/* 0, the TTL itself, at least .min_ttl, at most a day. */
static uint32_t served_ttl;

static void right_for(struct dns_request *request)
{
	right_with(request, "192.0.2.1", NULL, served_ttl);
}

START_TEST(times_to_live)
{
	static const struct {
		uint32_t ttl, min, seconds;
	} times[] = {
		{ 60, 0, 60 },		{ 60, 30, 60 },
		{ 60, 300, 300 },	{ 0, 0, 0 },
		{ 0, 30, 30 },		{ 86400, 0, 86400 },
		{ 86401, 0, 86400 },	{ 0x7fffffff, 30, 86400 },
		{ 0x80000000, 30, 30 }, { 10, 86400, 86400 },
	};
	uint64_t now = clock_now();

	served_ttl = times[_i].ttl;
	min_ttl = times[_i].min;
	start(&server, right_for);
	ck_assert_str_eq(resolve("api.example"), "");
	expect_one("api.example", "192.0.2.1");
	ck_assert_uint_eq((found[0].expires - now) / NSEC_PER_SEC - DNS_LOOKUP_GRACE,
			  times[_i].seconds);
}
END_TEST

START_TEST(forgeries_are_passed_over)
{
	start(&server, forged_first);
	ck_assert_str_eq(resolve("api.example"), "");
	expect_one("api.example", "192.0.2.1");
	ck_assert_uint_eq(server.asked_udp, 2); /* the first question, not another one */
}
END_TEST

/* A forger may guess a few times, once; then everything goes over TCP, which he is not in. */
START_TEST(forgeries_end_udp)
{
	unsigned int asked;

	start(&server, forged_over_udp);
	ck_assert_ptr_nonnull(strstr(resolve("api.example"), "forged answers in the name of 127."));
	expect_one("api.example", "192.0.2.1");
	ck_assert_uint_eq(server.asked_tcp, 2);
	asked = server.asked_udp;
	step_until(2, clock_now() + 100 * NSEC_PER_SEC);
	ck_assert_uint_eq(server.asked_udp, asked);
	ck_assert_uint_eq(times_found("api.example", "192.0.2.1"), 2);
}
END_TEST

START_TEST(truncated_over_udp)
{
	static void (*const answers[])(struct dns_request *) = { truncated, truncated_slow,
								 truncated_large };

	start(&server, answers[_i]);
	ck_assert_str_eq(resolve("api.example"), "");
	ck_assert_uint_eq(times_found("api.example", "192.0.2.1"), 1);
	ck_assert_uint_eq(times_found("api.example", "192.0.2.66"), 0);
	if (answers[_i] == truncated_large)
		ck_assert_uint_eq(times_found("api.example", "192.0.2.2"), DNS_ANSWER_COUNT - 1);
	ck_assert_uint_eq(server.asked_tcp, 2);
	ck_assert_uint_eq(server.asked_udp, 2);
}
END_TEST

/* A server that fails in whatever way is not the last word: the next one is asked. */
START_TEST(next_server)
{
	static void (*const answers[])(struct dns_request *) = {
		silent,
		failing,
		refusing,
		only_forged,
		truncated_then_closed,
		truncated_then_forged,
	};

	start(&server, answers[_i]);
	start(&second, right);
	ck_assert_int_eq(resolve("api.example")[0] != 0, answers[_i] == only_forged);
	expect_one("api.example", "192.0.2.1");
	ck_assert_uint_ge(server.asked_udp, 1);
	ck_assert_uint_eq(second.asked_udp + second.asked_tcp, 2);
	ck_assert_uint_eq(second.asked_tcp, answers[_i] == only_forged ? 2 : 0);
}
END_TEST

START_TEST(nobody_listens_at_the_first)
{
	uint64_t before = clock_now();

	trust("127.0.0.1", 1);
	start(&server, right);
	ck_assert_str_eq(resolve("api.example"), "");
	expect_one("api.example", "192.0.2.1");
	ck_assert_uint_lt(clock_now() - before, NSEC_PER_SEC / 2); /* refused, not waited for */
}
END_TEST

START_TEST(server_without_edns)
{
	start(&server, without_edns);
	ck_assert_str_eq(resolve("api.example"), "");
	expect_one("api.example", "192.0.2.1");
	ck_assert_uint_eq(server.asked_udp, 2 * 3);
}
END_TEST

/* What is wrong is said, with the name, the server and what to do. */
START_TEST(cause_is_said)
{
	static const struct {
		void (*answer)(struct dns_request *request);
		const char *cause, *remedy;
	} causes[] = {
		{ no_name, "no such name", "check it" },
		{ failing, "failed (code 2)", "--resolver" },
		{ refusing, "refuses (code 5)", "--resolver" },
		{ only_forged, "127.0.0.1: ", "--pin" },
		{ truncated_then_closed, "reset", "--resolver" },
		{ silent, "no answer from 127.0.0.1 in time", "--pin" },
	};
	const char *warned;

	start(&server, causes[_i].answer);
	warned = resolve("api.example");
	if (causes[_i].answer == only_forged)
		warned = strchr(warned, '\n') + 1; /* the first line is about that */
	ck_assert_msg(strstr(warned, "api.example is not resolved") &&
			      strstr(warned, causes[_i].cause) && strstr(warned, causes[_i].remedy),
		      "%s", warned);
	ck_assert_uint_eq(found_count, 0);
	ck_assert_ptr_eq(strchr(warned, '\n') + 1, warned + strlen(warned)); /* one line */
}
END_TEST

static void empty(struct dns_request *request)
{
	right_with(request, NULL, NULL, 60);
}

START_TEST(no_address)
{
	start(&server, empty);
	ck_assert_ptr_nonnull(strstr(resolve("api.example"), "has no address"));
}
END_TEST

START_TEST(nobody_listens)
{
	trust("127.0.0.1", 1);
	ck_assert_ptr_nonnull(strstr(resolve("api.example"), "Connection refused"));
}
END_TEST

/* The start waits as long as it was told to, and no longer. */
START_TEST(deadline)
{
	uint64_t before = clock_now(), took;

	start(&server, silent);
	grant("api.example,b.example");
	open_lookup();
	capture_begin();
	dns_lookup_wait(lookup, NSEC_PER_SEC / 5);
	ck_assert_ptr_nonnull(strstr(capture_end(), "b.example is not resolved: no answer"));
	took = clock_now() - before;
	ck_assert_msg(took >= NSEC_PER_SEC / 5 && took < NSEC_PER_SEC, "%llu ns",
		      (unsigned long long)took);
}
END_TEST

START_TEST(nothing_to_do)
{
	grant("*.example,192.0.2.1,*");
	trust("127.0.0.1", 1);
	capture_begin();
	open_lookup();
	ck_assert_ptr_nonnull(strstr(capture_end(), "no rule has a name in full"));
	ck_assert_ptr_null(lookup);
	grant("api.example");
	resolvers = (struct resolver_set){ 0 };
	capture_begin();
	open_lookup();
	ck_assert_ptr_nonnull(strstr(capture_end(), "--resolver ADDRESS"));
	ck_assert_ptr_null(lookup);
	dns_lookup_step(lookup, clock_now());
	dns_lookup_wait(lookup, 0);
	dns_lookup_close(lookup);
}
END_TEST

/* More names than slots; a warning says that those after the 256th are left out. */
START_TEST(many_names)
{
	char name[32];
	const char *warned;

	start(&server, right);
	for (int i = 0; i < DNS_LOOKUP_NAMES + 2; i++) {
		snprintf(name, sizeof(name), "h%d.example", i);
		grant(name);
	}
	capture_begin();
	open_lookup();
	warned = capture_end();
	ck_assert_ptr_nonnull(strstr(warned, "first 256 names only, and not h256.example"));
	dns_lookup_wait(lookup, FOREVER);
	ck_assert_uint_eq(found_count, DNS_LOOKUP_NAMES);
	for (int i = 0; i < DNS_LOOKUP_NAMES; i++) {
		snprintf(name, sizeof(name), "h%d.example", i);
		ck_assert_uint_eq(times_found(name, "192.0.2.1"), 1);
	}
}
END_TEST

static size_t open_descriptors(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

START_TEST(descriptors_are_closed)
{
	size_t before;

	start(&server, truncated_then_closed);
	grant("a.example,b.example,c.example");
	before = open_descriptors();
	open_lookup();
	capture_begin();
	dns_lookup_wait(lookup, FOREVER);
	capture_end();
	ck_assert_uint_eq(open_descriptors(), before);
	server.answer = silent;
	dns_lookup_step(lookup, clock_now() + 100 * NSEC_PER_SEC);
	ck_assert_uint_gt(open_descriptors(), before);
	dns_lookup_close(lookup);
	lookup = NULL;
	ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

/* ---- while the command runs ---- */

START_TEST(asked_again_when_it_ends)
{
	uint64_t now = clock_now();

	served_ttl = 60;
	start(&server, right_for);
	resolve("api.example");
	ck_assert_uint_eq(found_count, 1);
	step_in_vain(now + 59 * NSEC_PER_SEC);
	now += 61 * NSEC_PER_SEC;
	served_ttl = 1;
	step_until(2, now);
	ck_assert_uint_eq(found[1].expires, now + (1 + DNS_LOOKUP_GRACE) * NSEC_PER_SEC);
	step_in_vain(now + (DNS_LOOKUP_GRACE - 1) * NSEC_PER_SEC);
	now += DNS_LOOKUP_GRACE * NSEC_PER_SEC; /* before it ends */
	step_until(3, now);
	ck_assert_uint_lt(now, found[1].expires);
}
END_TEST

START_TEST(asked_again_when_nobody_answered)
{
	uint64_t now = clock_now();

	start(&server, failing);
	resolve("api.example");
	step_in_vain(now + (DNS_LOOKUP_RETRY - 1) * NSEC_PER_SEC);
	server.answer = right;
	step_until(1, now + (DNS_LOOKUP_RETRY + 2) * NSEC_PER_SEC);
}
END_TEST

START_TEST(asked_again_when_it_was_empty)
{
	uint64_t now = clock_now();

	start(&server, no_name);
	resolve("api.example");
	step_in_vain(now + (DNS_LOOKUP_EMPTY - 1) * NSEC_PER_SEC);
	server.answer = right;
	step_until(1, now + (DNS_LOOKUP_EMPTY + 2) * NSEC_PER_SEC);
}
END_TEST

/* Steps return at once, whatever servers do; the questions end by time alone. */
START_TEST(steps_do_not_block)
{
	uint64_t now = clock_now(), begun;

	start(&server, right);
	resolve("api.example");
	server.answer = silent;
	begun = clock_now();
	for (unsigned int second_of = 0; second_of < 10; second_of++)
		dns_lookup_step(lookup, now + (70 + second_of) * NSEC_PER_SEC);
	ck_assert_uint_lt(clock_now() - begun, NSEC_PER_SEC / 4);
	server.answer = right;
	step_until(2, now + 200 * NSEC_PER_SEC);
}
END_TEST

START_TEST(kernel_is_full)
{
	const char *warned, *first;

	found_result = -E2BIG;
	start(&server, right);
	warned = resolve("api.example,b.example");
	first = strstr(warned, "cannot give the kernel");
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_null(strstr(first + 1, "cannot give the kernel"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_name,
		both_families,
		over_ipv6,
		an_alias,
		forgeries_are_passed_over,
		forgeries_end_udp,
		nobody_listens_at_the_first,
		server_without_edns,
		no_address,
		nobody_listens,
		deadline,
		nothing_to_do,
		many_names,
		descriptors_are_closed,
		asked_again_when_it_ends,
		asked_again_when_nobody_answered,
		asked_again_when_it_was_empty,
		steps_do_not_block,
		kernel_is_full,
	};
	TCase *tcase = suite_case("dns lookup", tests, ARRAY_SIZE(tests), 30, setup, teardown);

	tcase_add_loop_test(tcase, times_to_live, 0, 10);
	tcase_add_loop_test(tcase, truncated_over_udp, 0, 3);
	tcase_add_loop_test(tcase, next_server, 0, 6);
	tcase_add_loop_test(tcase, cause_is_said, 0, 6);
	return suite_run_cases("dns lookup", &tcase, 1);
}
