// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DNS object over whole packets: which answers count, for which names and
 * how long, and which are rejected. Each way to a resolver is tried: IPv4 and
 * IPv6, datagrams of connected and of other sockets, and TCP.
 */
#include "selftests/unit/dns_dialogue.h"
#include "selftests/unit/suite.h"

/* 0 is a slot without a question, so no question may have it as its hash. */
START_TEST(hash_is_never_zero)
{
	const u64 factor = 0xff51afd7ed558ccdULL; /* of dns_mix() */
	struct endpoint server = { .port = 53 };
	static struct dns_reading r = { .name_hash = 42, .id = 1, .type = WIRE_A };
	u64 inverse = factor, before;

	for (unsigned int i = 0; i < 6; i++)
		inverse *= 2 - factor * inverse;
	before = dns_mix(dns_mix(42, 1ULL << 32 | WIRE_A << 16 | 1), 0);
	store_le64(server.address + 8, before ^ 53 * inverse);
	ck_assert_uint_eq(dns_mix(dns_mix(before, load_le64(server.address + 8)), 53), 0);
	ck_assert_uint_ne(dns_question_hash(&r, &server), 0);
}
END_TEST

/* ---- what counts ---- */

START_TEST(match)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		for (unsigned int type = WIRE_A; type <= WIRE_AAAA; type += WIRE_AAAA - WIRE_A) {
			begin(kind);
			ask(77, "wWw.Example.COM", type);
			ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 1);
			reply(77, "WWW.example.com", type, 1);
			ck_assert_uint_eq(seconds_of(NAME, type, 1), TTL);
			ck_assert_uint_eq(verified.count, 1);
			ck_assert_uint_eq(rejections.count, 0);
			ck_assert_uint_eq(world_counter(COUNTER_ANSWERS), 1);
			ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST), 0);
			ck_assert_uint_eq(world_counter(COUNTER_IMPERSONATED), 0);
		}
	}
}
END_TEST

/* Through aliases, several addresses: under the name that was asked for, and no other. */
START_TEST(chain)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		begin(kind);
		ask(77, NAME, WIRE_A);
		wire_begin(&wire, 77, WIRE_RESPONSE);
		wire_question(&wire, NAME, WIRE_A);
		wire_alias(&wire, NAME, 200, "edge.wild.example");
		wire_has(&wire, "edge.wild.example", WIRE_A, 300, 1);
		wire_has(&wire, "edge.wild.example", WIRE_A, 100, 2);
		wire_has(&wire, "other.wild.example", WIRE_A, 100, 3);
		link_message(&l, false, &wire);
		ck_assert_uint_eq(seconds_of(NAME, WIRE_A, 1), 200);
		ck_assert_uint_eq(seconds_of(NAME, WIRE_A, 2), 100);
		ck_assert_uint_eq(verified.count, 2);
		ck_assert_uint_eq(world_counter(COUNTER_ANSWERS), 2);
	}
}
END_TEST

START_TEST(wrong_id_name_type)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		for (unsigned int bit = 0; bit < 16; bit++) {
			begin(kind);
			ask(77, NAME, WIRE_A);
			reply(77 ^ 1U << bit, NAME, WIRE_A, 1);
			require_rejection(REASON_QUERY);
		}
		begin(kind);
		ask(77, "x.wild.example", WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		require_rejection(REASON_QUERY);
		begin(kind);
		ask(77, NAME, WIRE_AAAA);
		reply(77, NAME, WIRE_A, 1);
		require_rejection(REASON_QUERY);
		begin(kind);
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_AAAA, 1);
		ck_assert_uint_eq(verified.count, 0);
		reply(77, NAME, WIRE_A, 1); /* what was wrong has used nothing up */
		ck_assert(is_verified(NAME, 1));
	}
}
END_TEST

/*
 * The answer comes from another server, trusted as well, or from another port of
 * the same. Any byte of the address may be the difference.
 */
START_TEST(wrong_server)
{
	for (unsigned int kind = 0; kind < KIND_TCP; kind++) {
		for (unsigned int byte = kind & 1 ? 0 : 12; byte <= 16; byte++) {
			begin(kind);
			dns_ports[1] = 5353;
			ask(77, NAME, WIRE_A);
			if (byte < 16)
				l.server.address[byte] ^= 0x80;
			else
				l.server.port = 5353;
			world_trust(WORLD_WORKLOAD, &l.server);
			reply(77, NAME, WIRE_A, 1);
			require_rejection(REASON_QUERY);
			l.server = *trusted(kind);
			reply(77, NAME, WIRE_A, 1);
			ck_assert(is_verified(NAME, 1));
		}
	}
}
END_TEST

START_TEST(wrong_socket)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		struct link first;

		begin(kind);
		first = l;
		ask(77, NAME, WIRE_A);
		link_open(&l, kind & 1, first.tcp, trusted(kind));
		if (l.tcp)
			link_handshake(&l);
		reply(77, NAME, WIRE_A, 1);
		require_rejection(REASON_QUERY);
		link_close(&first);
	}
}
END_TEST

START_TEST(late)
{
	static const struct {
		uint64_t after;
		bool counts;
	} row[] = { { 14 * WORLD_SECOND, true },
		    { DNS_TIMEOUT - 10, true },
		    { DNS_TIMEOUT + 1, false },
		    { DNS_TIMEOUT + (1ULL << 32), false },
		    { 3600 * WORLD_SECOND, false } };

	for (unsigned int kind = 0; kind < KINDS; kind++) {
		for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
			begin(kind);
			ask(77, NAME, WIRE_A);
			host.time += row[i].after;
			reply(77, NAME, WIRE_A, 1);
			ck_assert_int_eq(is_verified(NAME, 1), row[i].counts);
			ck_assert_uint_eq(rejection_of(NAME, 1), row[i].counts ? 0 : REASON_QUERY);
		}
	}
}
END_TEST

/* The same question may be sent again: each time counts for one answer. */
START_TEST(asked_again)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		begin(kind);
		ask(77, NAME, WIRE_A);
		host.time += 10 * WORLD_SECOND;
		ask(77, NAME, WIRE_A);
		host.time += 10 * WORLD_SECOND;
		reply(77, NAME, WIRE_A, 1); /* late for the first, not for the second */
		ck_assert(is_verified(NAME, 1));
		reply(77, NAME, WIRE_A, 2);
		ck_assert_uint_eq(rejection_of(NAME, 2), REASON_QUERY);
		begin(kind);
		ask(77, NAME, WIRE_A);
		ask(77, NAME, WIRE_A);
		for (unsigned int i = 1; i <= 3; i++)
			reply(77, NAME, WIRE_A, i);
		ck_assert(is_verified(NAME, 1));
		ck_assert(is_verified(NAME, 2));
		ck_assert(!is_verified(NAME, 3));
	}
}
END_TEST

START_TEST(answered_twice)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		begin(kind);
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		reply(77, NAME, WIRE_A, 2);
		ck_assert(is_verified(NAME, 1));
		ck_assert(!is_verified(NAME, 2));
		ck_assert_uint_eq(rejection_of(NAME, 2), REASON_QUERY);
	}
}
END_TEST

START_TEST(unsolicited)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		begin(kind);
		reply(77, NAME, WIRE_A, 1);
		require_rejection(REASON_QUERY);
		reply(0, NAME, WIRE_A, 1);
		require_rejection(REASON_QUERY);
		/* The empty slots are no questions. */
		for (unsigned int id = 0; id < 1000; id++)
			reply(id, NAME, WIRE_A, 1);
		require_rejection(REASON_QUERY);
	}
}
END_TEST

/* A connection to a server that is not trusted is not even read. */
START_TEST(untrusted)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		const struct party server = party(kind & 1, 99, 53);

		begin_to(kind, &server);
		ask(77, NAME, WIRE_A);
		ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 0);
		reply(77, NAME, WIRE_A, 1);
		require_rejection(l.tcp ? REASON_NONE : REASON_RESOLVER);
		ck_assert_ptr_null(dns_stream_side(&l.socket.sock, 0));
		ck_assert_ptr_null(dns_stream_side(&l.socket.sock, 1));
	}
	/* Trusted by somebody else. */
	for (unsigned int kind = 0; kind < KIND_TCP; kind++) {
		const struct party server = party(kind & 1, 99, 53);

		begin_to(kind, &server);
		world_trust(WORLD_WORKLOAD + 1, &server);
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		require_rejection(REASON_RESOLVER);
	}
}
END_TEST

/* ... or trusted at another port. */
START_TEST(untrusted_port)
{
	for (unsigned int kind = 0; kind < KIND_TCP; kind++) {
		const struct party server = party(kind & 1, 53, 5353);

		begin_to(kind, &server);
		dns_ports[3] = 5353;
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		require_rejection(REASON_RESOLVER);
	}
}
END_TEST

START_TEST(ports)
{
	static const struct {
		unsigned int port;
		bool watched;
	} row[] = { { 53, true }, { 5353, true }, { 8053, true },
		    { 1, true },  { 54, false },  { 0x3500, false } };

	for (unsigned int kind = 0; kind < KINDS; kind++) {
		for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
			struct party server = party(kind & 1, 53, row[i].port);

			teardown();
			setup();
			dns_ports[1] = 5353;
			dns_ports[2] = 8053;
			dns_ports[3] = 1;
			world_trust(WORLD_WORKLOAD, &server);
			open_to(kind, &server);
			if (l.tcp)
				link_handshake(&l);
			ask(77, NAME, WIRE_A);
			reply(77, NAME, WIRE_A, 1);
			ck_assert_int_eq(is_verified(NAME, 1), row[i].watched);
			ck_assert_uint_eq(rejections.count, 0);
		}
	}
}
END_TEST

/* ---- names ---- */

START_TEST(names_without_rule)
{
	static const char *const name[] = {
		"example.com",	 "ww.example.com",    "www.example.com.org", "wild.example",
		"xwild.example", "a.www.example.com", "localhost",
	};

	for (unsigned int kind = 0; kind < KINDS; kind++) {
		begin(kind);
		world_rule(WORLD_WORKLOAD + 1, "localhost");
		for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
			ask(77, name[i], WIRE_A);
			reply(77, name[i], WIRE_A, 1);
			reply(78, name[i], WIRE_A, 1);
		}
		ck_assert_uint_eq(verified.count, 0);
		ck_assert_uint_eq(rejections.count, 0);
		ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 0);
		ck_assert(works());
	}
}
END_TEST

START_TEST(wildcards)
{
	static const char *const name[] = { "a.wild.example", "a.b.c.wild.example",
					    "_x.wild.example" };

	for (unsigned int kind = 0; kind < KINDS; kind++) {
		begin(kind);
		for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
			ask(77, name[i], WIRE_A);
			reply(77, name[i], WIRE_A, 1);
			ck_assert_msg(is_verified(name[i], 1), "%s", name[i]);
		}
		ck_assert_uint_eq(verified.count, ARRAY_SIZE(name));
	}
}
END_TEST

/* Deep names and long ones; the deepest are not looked up, and nothing else comes of it. */
START_TEST(wildcards_far)
{
	static const char wild[] = "wild.example";

	for (size_t label = 1; label < 64; label += label < 4 ? 1 : 20) {
		for (size_t size = label + 1; size + sizeof(wild) - 1 <= 253; size += label + 1) {
			char name[NAME_SIZE];
			size_t labels = size / (label + 1) + 2;

			for (size_t i = 0; i < size; i++)
				name[i] = i % (label + 1) == label ? '.' : 'x';
			memcpy(name + size, wild, sizeof(wild));
			begin(KIND_UDP);
			ask(1, name, WIRE_A);
			reply(1, name, WIRE_A, 1);
			if (labels <= WILDCARD_LABELS)
				ck_assert_msg(is_verified(name, 1), "%s", name);
			ck_assert_uint_eq(verified.count, is_verified(name, 1));
			ck_assert_uint_eq(rejections.count, 0);
		}
	}
}
END_TEST

/* A shorter name after a longer one, in the same memory. */
START_TEST(names_one_after_another)
{
	char name[NAME_SIZE];

	begin(KIND_UDP);
	for (unsigned int size = 60; size; size--) {
		memset(name, 'a', size);
		strcpy(name + size, ".wild.example");
		ask(size, name, WIRE_A);
		reply(size, name, WIRE_A, 1);
		ck_assert(is_verified(name, 1));
	}
	ck_assert_uint_eq(verified.count, 60);
}
END_TEST

START_TEST(workload)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		begin(kind);
		workload_id = 9;
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		require_rejection(0);
		world_rule(9, NAME); /* now it has a rule, and then a resolver */
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		require_rejection(REASON_RESOLVER);
		world_trust(9, trusted(kind));
		open_to(kind, trusted(kind));
		if (l.tcp)
			link_handshake(&l);
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		ck_assert(is_verified(NAME, 1));
		workload_id = WORLD_WORKLOAD;
		ck_assert(!is_verified(NAME, 1));
	}
}
END_TEST

/* ---- rows ---- */

static void reply_ttl(unsigned int id, uint32_t ttl)
{
	wire_begin(&wire, id, WIRE_RESPONSE);
	wire_question(&wire, NAME, WIRE_A);
	wire_has(&wire, NAME, WIRE_A, ttl, 1);
	link_message(&l, false, &wire);
}

START_TEST(lifetimes)
{
	static const struct {
		uint32_t least, ttl, seconds;
	} row[] = {
		{ 30, 0, 30 },		{ 30, 29, 30 },	     { 30, 30, 30 },
		{ 30, 31, 31 },		{ 0, 1, 1 },	     { 0, 86399, 86399 },
		{ 0, 86400, 86400 },	{ 0, 86401, 86400 }, { 0, ~0U >> 1, 86400 },
		{ 30, 0x80000000, 30 }, { 30, ~0U, 30 },     { 600, 300, 600 },
		{ 100000, 5, 86400 },	{ ~0U, ~0U, 86400 },
	};

	for (unsigned int kind = 0; kind < KINDS; kind++) {
		for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
			begin(kind);
			dns_ttl_min = row[i].least;
			ask(77, NAME, WIRE_A);
			reply_ttl(77, row[i].ttl);
			ck_assert_uint_eq(seconds_of(NAME, WIRE_A, 1), row[i].seconds);
		}
	}
}
END_TEST

static void pin(uint64_t expires)
{
	struct verified_key key = { .workload = WORLD_WORKLOAD, .name = NAME };
	struct verified row = { .expires = expires };

	wire_mapped(WIRE_A, 1, key.address);
	world_put(&verified, &key, &row);
}

START_TEST(later_end_counts)
{
	struct verified *row;

	begin(KIND_UDP);
	ask(1, NAME, WIRE_A);
	reply_ttl(1, 1000);
	ask(2, NAME, WIRE_A);
	reply_ttl(2, 100);
	ck_assert_uint_eq(seconds_of(NAME, WIRE_A, 1), 1000);
	ask(3, NAME, WIRE_A);
	reply_ttl(3, 2000);
	ck_assert_uint_eq(seconds_of(NAME, WIRE_A, 1), 2000);
	pin(~0ULL);
	ask(4, NAME, WIRE_A);
	reply_ttl(4, 3000);
	row = row_of(&verified, NAME, WIRE_A, 1);
	ck_assert_uint_eq(row->expires, ~0ULL);
	pin(host.time - 1); /* over */
	ask(5, NAME, WIRE_A);
	reply_ttl(5, 100);
	ck_assert_uint_eq(seconds_of(NAME, WIRE_A, 1), 100);
	ck_assert_uint_eq(verified.count, 1);
}
END_TEST

START_TEST(rows_full)
{
	struct verified row = { .expires = 1 };

	begin(KIND_UDP);
	for (uint32_t i = 1; i < verified.max_entries; i++) {
		struct verified_key key = { .workload = i };

		world_put(&verified, &key, &row);
	}
	pin(1);
	ask(1, NAME, WIRE_A);
	reply(1, NAME, WIRE_A, 2);
	ck_assert(!is_verified(NAME, 2));
	ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST), 1);
	ck_assert_uint_eq(world_counter(COUNTER_ANSWERS), 0);
	ask(2, NAME, WIRE_A); /* a row that is there is good for more */
	reply(2, NAME, WIRE_A, 1);
	ck_assert_uint_eq(seconds_of(NAME, WIRE_A, 1), TTL);
}
END_TEST

/* The oldest rejections go; what is verified does not suffer. */
START_TEST(rejections_full)
{
	begin(KIND_UDP);
	ask(1, NAME, WIRE_A);
	reply(1, NAME, WIRE_A, 0);
	for (uint32_t i = 1; i < 2000; i++)
		reply(7, NAME, WIRE_A, i);
	ck_assert_uint_eq(rejections.count, 512);
	ck_assert_uint_eq(verified.count, 1);
	ck_assert(is_verified(NAME, 0));
}
END_TEST

/* ---- works and questions ---- */

START_TEST(works_busy)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		for (uint32_t busy = 0; busy <= DNS_WORKS; busy++) {
			begin(kind);
			for (uint32_t i = 0; i < busy; i++)
				((struct dns_work *)bpf_map_lookup_elem(&dns_works, &i))->busy = 1;
			ask(77, NAME, WIRE_A);
			reply(77, NAME, WIRE_A, 1);
			ck_assert_int_eq(is_verified(NAME, 1), busy < DNS_WORKS);
			ck_assert_uint_eq(rejections.count, 0);
			ck_assert_uint_eq(world_claims(&l), busy);
			ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST),
					  busy < DNS_WORKS ? 0 : 2);
		}
	}
}
END_TEST

START_TEST(many_questions)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		for (unsigned int count = DNS_PENDING - 1; count < 2 * DNS_PENDING + 3; count++) {
			begin(kind);
			for (unsigned int i = 0; i < count; i++)
				ask(i, NAME, WIRE_A);
			for (unsigned int i = 0; i < count; i++)
				reply(i, NAME, WIRE_A, i);
			for (unsigned int i = 0; i < count; i++) {
				bool kept = i + DNS_PENDING >= count;

				ck_assert_int_eq(is_verified(NAME, i), kept);
				ck_assert_uint_eq(rejection_of(NAME, i), kept ? 0 : REASON_QUERY);
			}
		}
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		hash_is_never_zero,
		match,
		chain,
		wrong_id_name_type,
		wrong_server,
		wrong_socket,
		late,
		asked_again,
		answered_twice,
		unsolicited,
		untrusted,
		untrusted_port,
		ports,
		names_without_rule,
		wildcards,
		wildcards_far,
		names_one_after_another,
		workload,
		lifetimes,
		later_end_counts,
		rows_full,
		rejections_full,
		works_busy,
		many_questions,
	};

	return suite_run("dns", tests, ARRAY_SIZE(tests), 120, setup, teardown);
}
