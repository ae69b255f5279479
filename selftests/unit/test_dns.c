// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DNS object over whole packets (dns_world.h): which answers count, which
 * are doubted, and what the application can do about it. Each way to a resolver
 * is tried: IPv4 and IPv6, datagrams of sockets that are connected and that are
 * not, and TCP cut into segments in every way.
 */
#include "selftests/unit/dns_world.h"
#include "selftests/unit/suite.h"

#include <check.h>
#include <stdio.h>

#define NAME "www.example.com"
#define TTL  300

/* Bit 0: IPv6. */
enum { KIND_UDP = 0, KIND_CONNECTED = 2, KIND_TCP = 4, KINDS = 6 };

static struct wire wire;
static struct link l;

static const struct party *trusted(unsigned kind)
{
	static struct party server[2];

	server[kind & 1] = party(kind & 1, 53, 53);
	return &server[kind & 1];
}

static void setup(void)
{
	world_reset();
	world_rule(WORLD_WORKLOAD, NAME);
	world_rule(WORLD_WORKLOAD, "*.wild.example");
	world_trust(WORLD_WORKLOAD, trusted(0));
	world_trust(WORLD_WORKLOAD, trusted(1));
}

static void teardown(void)
{
	link_close(&l);
	host_maps_clear();
}

/* A socket that has sent nothing yet, in place of the one that there was. */
static void open_to(unsigned kind, const struct party *server)
{
	link_close(&l);
	link_open(&l, kind & 1, kind >= KIND_TCP, server);
}

/* A new world with one socket that can talk to @server at once. */
static void begin_to(unsigned kind, const struct party *server)
{
	teardown();
	setup();
	open_to(kind, server);
	if ((kind & ~1U) == KIND_CONNECTED)
		link_connect(&l, server);
	if (l.tcp)
		link_handshake(&l);
}

static void begin(unsigned kind)
{
	begin_to(kind, trusted(kind));
}

/* ---- questions and answers ---- */

static void make_query(unsigned id, const char *name, unsigned type)
{
	wire_begin(&wire, id, WIRE_QUERY);
	wire_question(&wire, name, type);
}

static void make_reply(unsigned id, const char *name, unsigned type, uint32_t number)
{
	wire_begin(&wire, id, WIRE_RESPONSE);
	wire_question(&wire, name, type);
	wire_has(&wire, name, type, TTL, number);
}

static void ask(unsigned id, const char *name, unsigned type)
{
	make_query(id, name, type);
	link_message(&l, true, &wire);
}

static void reply(unsigned id, const char *name, unsigned type, uint32_t number)
{
	make_reply(id, name, type, number);
	link_message(&l, false, &wire);
}

static void *row_of(struct host_map *map, const char *name, unsigned type, uint32_t number)
{
	struct verified_key key = {.workload = workload_id};

	wire_mapped(type, number, key.address);
	memcpy(key.name, name, strlen(name));
	return bpf_map_lookup_elem(map, &key);
}

/* Until when, from now, in seconds and rounded up; 0: not verified. */
static uint64_t seconds_of(const char *name, unsigned type, uint32_t number)
{
	struct verified *row = row_of(&verified, name, type, number);

	return row ? (row->expires - host.time + WORLD_SECOND - 1) / WORLD_SECOND : 0;
}

static bool is_verified(const char *name, uint32_t number)
{
	return row_of(&verified, name, WIRE_A, number);
}

/* enum reason of the doubt; 0: none. */
static unsigned doubt_of(const char *name, uint32_t number)
{
	struct doubt *row = row_of(&doubts, name, WIRE_A, number);

	return row ? row->reason : 0;
}

/* The last answer, of NAME with address 1, was refused with this doubt. */
static void require_doubt(unsigned reason)
{
	ck_assert_uint_eq(verified.count, 0);
	ck_assert_uint_eq(doubt_of(NAME, 1), reason);
	ck_assert_uint_eq(doubts.count, reason != 0);
}

/* A fresh question and its answer: does what came before keep them from counting? */
static bool works(void)
{
	ask(4242, NAME, WIRE_A);
	reply(4242, NAME, WIRE_A, 4242);
	return is_verified(NAME, 4242);
}

/* 0 is a slot without a question, so no question may have it as its hash. */
START_TEST(hash_is_never_zero)
{
	const u64 factor = 0xff51afd7ed558ccdULL; /* of dns_mix() */
	struct endpoint server = {.port = 53};
	static struct dns_reading r = {.name_hash = 42, .id = 1, .type = WIRE_A};
	u64 inverse = factor, before;

	for (unsigned i = 0; i < 6; i++)
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
	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (unsigned type = WIRE_A; type <= WIRE_AAAA; type += WIRE_AAAA - WIRE_A) {
			begin(kind);
			ask(77, "wWw.Example.COM", type);
			ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 1);
			reply(77, "WWW.example.com", type, 1);
			ck_assert_uint_eq(seconds_of(NAME, type, 1), TTL);
			ck_assert_uint_eq(verified.count, 1);
			ck_assert_uint_eq(doubts.count, 0);
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
	for (unsigned kind = 0; kind < KINDS; kind++) {
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
	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (unsigned bit = 0; bit < 16; bit++) {
			begin(kind);
			ask(77, NAME, WIRE_A);
			reply(77 ^ 1U << bit, NAME, WIRE_A, 1);
			require_doubt(REASON_QUERY);
		}
		begin(kind);
		ask(77, "x.wild.example", WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		require_doubt(REASON_QUERY);
		begin(kind);
		ask(77, NAME, WIRE_AAAA);
		reply(77, NAME, WIRE_A, 1);
		require_doubt(REASON_QUERY);
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
	for (unsigned kind = 0; kind < KIND_TCP; kind++) {
		for (unsigned byte = kind & 1 ? 0 : 12; byte <= 16; byte++) {
			begin(kind);
			dns_ports[1] = 5353;
			ask(77, NAME, WIRE_A);
			if (byte < 16)
				l.server.address[byte] ^= 0x80;
			else
				l.server.port = 5353;
			world_trust(WORLD_WORKLOAD, &l.server);
			reply(77, NAME, WIRE_A, 1);
			require_doubt(REASON_QUERY);
			l.server = *trusted(kind);
			reply(77, NAME, WIRE_A, 1);
			ck_assert(is_verified(NAME, 1));
		}
	}
}
END_TEST

START_TEST(wrong_socket)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct link first;

		begin(kind);
		first = l;
		ask(77, NAME, WIRE_A);
		link_open(&l, kind & 1, first.tcp, trusted(kind));
		if (l.tcp)
			link_handshake(&l);
		reply(77, NAME, WIRE_A, 1);
		require_doubt(REASON_QUERY);
		link_close(&first);
	}
}
END_TEST

START_TEST(late)
{
	static const struct {
		uint64_t after;
		bool counts;
	} row[] = {{14 * WORLD_SECOND, true},
		   {DNS_TIMEOUT - 10, true},
		   {DNS_TIMEOUT + 1, false},
		   {DNS_TIMEOUT + (1ULL << 32), false},
		   {3600 * WORLD_SECOND, false}};

	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
			begin(kind);
			ask(77, NAME, WIRE_A);
			host.time += row[i].after;
			reply(77, NAME, WIRE_A, 1);
			ck_assert_int_eq(is_verified(NAME, 1), row[i].counts);
			ck_assert_uint_eq(doubt_of(NAME, 1), row[i].counts ? 0 : REASON_QUERY);
		}
	}
}
END_TEST

/* A question may be sent again as it is: each time is good for one answer. */
START_TEST(asked_again)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		begin(kind);
		ask(77, NAME, WIRE_A);
		host.time += 10 * WORLD_SECOND;
		ask(77, NAME, WIRE_A);
		host.time += 10 * WORLD_SECOND;
		reply(77, NAME, WIRE_A, 1); /* late for the first, not for the second */
		ck_assert(is_verified(NAME, 1));
		reply(77, NAME, WIRE_A, 2);
		ck_assert_uint_eq(doubt_of(NAME, 2), REASON_QUERY);
		begin(kind);
		ask(77, NAME, WIRE_A);
		ask(77, NAME, WIRE_A);
		for (unsigned i = 1; i <= 3; i++)
			reply(77, NAME, WIRE_A, i);
		ck_assert(is_verified(NAME, 1));
		ck_assert(is_verified(NAME, 2));
		ck_assert(!is_verified(NAME, 3));
	}
}
END_TEST

START_TEST(answered_twice)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		begin(kind);
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		reply(77, NAME, WIRE_A, 2);
		ck_assert(is_verified(NAME, 1));
		ck_assert(!is_verified(NAME, 2));
		ck_assert_uint_eq(doubt_of(NAME, 2), REASON_QUERY);
	}
}
END_TEST

START_TEST(unsolicited)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		begin(kind);
		reply(77, NAME, WIRE_A, 1);
		require_doubt(REASON_QUERY);
		reply(0, NAME, WIRE_A, 1);
		require_doubt(REASON_QUERY);
		/* The empty slots are no questions. */
		for (unsigned id = 0; id < 1000; id++)
			reply(id, NAME, WIRE_A, 1);
		require_doubt(REASON_QUERY);
	}
}
END_TEST

/* A connection to a server that is not trusted is not even read. */
START_TEST(untrusted)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		const struct party server = party(kind & 1, 99, 53);

		begin_to(kind, &server);
		ask(77, NAME, WIRE_A);
		ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 0);
		reply(77, NAME, WIRE_A, 1);
		require_doubt(l.tcp ? REASON_NONE : REASON_RESOLVER);
		ck_assert_ptr_null(bpf_sk_storage_get(&dns_streams, &l.socket, NULL, 0));
	}
	/* Trusted by somebody else. */
	for (unsigned kind = 0; kind < KIND_TCP; kind++) {
		const struct party server = party(kind & 1, 99, 53);

		begin_to(kind, &server);
		world_trust(WORLD_WORKLOAD + 1, &server);
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		require_doubt(REASON_RESOLVER);
	}
}
END_TEST

/* ... or trusted at another port. */
START_TEST(untrusted_port)
{
	for (unsigned kind = 0; kind < KIND_TCP; kind++) {
		const struct party server = party(kind & 1, 53, 5353);

		begin_to(kind, &server);
		dns_ports[3] = 5353;
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		require_doubt(REASON_RESOLVER);
	}
}
END_TEST

START_TEST(ports)
{
	static const struct {
		unsigned port;
		bool watched;
	} row[] = {{53, true}, {5353, true}, {8053, true}, {1, true}, {54, false}, {0x3500, false}};

	for (unsigned kind = 0; kind < KINDS; kind++) {
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
			ck_assert_uint_eq(doubts.count, 0);
		}
	}
}
END_TEST

/* ---- names ---- */

START_TEST(names_without_rule)
{
	static const char *const name[] = {
		"example.com", "ww.example.com", "www.example.com.org", "wild.example",
		"xwild.example", "a.www.example.com", "localhost",
	};

	for (unsigned kind = 0; kind < KINDS; kind++) {
		begin(kind);
		world_rule(WORLD_WORKLOAD + 1, "localhost");
		for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
			ask(77, name[i], WIRE_A);
			reply(77, name[i], WIRE_A, 1);
			reply(78, name[i], WIRE_A, 1);
		}
		ck_assert_uint_eq(verified.count, 0);
		ck_assert_uint_eq(doubts.count, 0);
		ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 0);
		ck_assert(works());
	}
}
END_TEST

START_TEST(wildcards)
{
	static const char *const name[] = {"a.wild.example", "a.b.c.wild.example",
					   "_x.wild.example"};

	for (unsigned kind = 0; kind < KINDS; kind++) {
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
			ck_assert_uint_eq(doubts.count, 0);
		}
	}
}
END_TEST

/* A shorter name behind a longer one, in the same memory. */
START_TEST(names_one_after_another)
{
	char name[NAME_SIZE];

	begin(KIND_UDP);
	for (unsigned size = 60; size; size--) {
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
	for (unsigned kind = 0; kind < KINDS; kind++) {
		begin(kind);
		workload_id = 9;
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		require_doubt(0);
		world_rule(9, NAME); /* now it has a rule, and then a resolver */
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		require_doubt(REASON_RESOLVER);
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

/* ---- sockets ---- */

START_TEST(marks)
{
	static const unsigned family[] = {AF_INET, AF_INET6, 0, 1, 16, 17};

	for (size_t i = 0; i < ARRAY_SIZE(family); i++) {
		for (unsigned type = 0; type < 8; type++) {
			begin(KIND_UDP);
			link_close(&l);
			l.socket.sock.family = family[i];
			l.socket.sock.type = type;
			ck_assert_int_eq(dns_socket_created(&l.socket.sock), 1);
			ck_assert_int_eq(l.socket.storage[0].map == &dns_sockets,
					 i < 2 && (type == SOCK_STREAM || type == SOCK_DGRAM));
		}
	}
}
END_TEST

/* Without a mark there is neither a verified address nor a doubt. */
START_TEST(foreign_namespace)
{
	static const struct {
		uint64_t wanted, is;
		bool counts;
	} row[] = {{1, 1, true}, {1, 2, false}, {0, 2, true}, {1ULL << 32 | 1, 1, false}};

	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
			teardown();
			setup();
			workload_netns = row[i].wanted;
			host.netns_cookie = row[i].is;
			open_to(kind, trusted(kind));
			if (l.tcp)
				link_handshake(&l);
			ask(77, NAME, WIRE_A);
			reply(77, NAME, WIRE_A, 1);
			ck_assert_int_eq(is_verified(NAME, 1), row[i].counts);
			ck_assert_uint_eq(verified.count + doubts.count, row[i].counts);
		}
	}
}
END_TEST

/* A socket that accept(2) made, or one for whose mark there was no memory. */
START_TEST(unmarked)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		teardown();
		setup();
		host.storage_failure = 1;
		open_to(kind, trusted(kind));
		if (l.tcp)
			link_handshake(&l);
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		ck_assert_uint_eq(verified.count + doubts.count, 0);
		ck_assert_ptr_null(l.socket.storage[0].map);
	}
}
END_TEST

START_TEST(no_stream_storage)
{
	teardown();
	setup();
	open_to(KIND_TCP, trusted(0));
	host.storage_failure = 1;
	link_handshake(&l);
	ask(77, NAME, WIRE_A);
	reply(77, NAME, WIRE_A, 1);
	ck_assert_uint_eq(verified.count + doubts.count, 0);
}
END_TEST

/* Requests and sockets in TIME_WAIT are no full sockets, and some packets have none. */
START_TEST(no_full_socket)
{
	static struct packet p;

	for (unsigned kind = 0; kind < KINDS; kind++) {
		begin(kind);
		l.socket.not_full = true;
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		l.socket.not_full = false;
		ck_assert_uint_eq(verified.count + doubts.count, 0);
		ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 0);
		make_query(77, NAME, WIRE_A);
		link_packet(&l, true, &p, l.sent, TCP_ACK_FLAG, wire.byte, wire.size);
		ck_assert_int_eq(packet_show(&p, dns_egress, NULL), 1);
		make_reply(77, NAME, WIRE_A, 1);
		link_packet(&l, false, &p, l.received, TCP_ACK_FLAG, wire.byte, wire.size);
		ck_assert_int_eq(packet_show(&p, dns_ingress, NULL), 1);
		ck_assert_uint_eq(verified.count + doubts.count, 0);
	}
}
END_TEST

/* NAT: packets leave for an address that the application does not know. */
START_TEST(nat)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		const struct party real = party(kind & 1, 99, 5300);
		bool connected = kind >= KIND_CONNECTED;

		begin(kind);
		if (l.tcp) /* all of the connection goes there */
			open_to(kind, trusted(kind));
		l.server = real;
		if (l.tcp)
			link_syn(&l, true, NULL, 0);
		ask(77, NAME, WIRE_A);
		l.server = *trusted(kind); /* answers are translated before they come by */
		if (l.tcp)
			link_syn(&l, false, NULL, 0);
		reply(77, NAME, WIRE_A, 1);
		ck_assert_int_eq(is_verified(NAME, 1), connected);
		ck_assert_uint_eq(doubt_of(NAME, 1), connected ? 0 : REASON_QUERY);
	}
}
END_TEST

/* Connected to somebody else: what its packets look like does not count. */
START_TEST(connected_elsewhere)
{
	static const unsigned port[] = {53, 443};

	for (unsigned v6 = 0; v6 < 2; v6++) {
		for (size_t i = 0; i < ARRAY_SIZE(port); i++) {
			struct party peer = party(v6, 99, port[i]);

			begin(v6);
			link_connect(&l, &peer);
			ask(77, NAME, WIRE_A);
			ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 0);
			reply(77, NAME, WIRE_A, 1);
			require_doubt(REASON_QUERY);
		}
	}
}
END_TEST

/* An IPv6 socket that is connected to an IPv4 server sends IPv4 packets. */
START_TEST(mapped)
{
	begin(KIND_CONNECTED);
	open_to(KIND_CONNECTED | 1, trusted(0));
	link_connect(&l, trusted(0));
	l.v6 = false;
	l.local = party(false, 1, 40000);
	ck_assert(works());
}
END_TEST

/* ---- the application as a server ---- */

/* It sends something with a resolver's address and port as the source. */
static void impersonate(unsigned kind, bool tcp, struct host_socket *socket)
{
	static struct packet p;
	struct party from = *trusted(kind), to = party(kind & 1, 2, 12345);

	if (tcp)
		packet_tcp(&p, kind & 1, &from, &to, 1, TCP_SYN | TCP_ACK_FLAG, NULL, 0);
	else
		packet_udp(&p, kind & 1, &from, &to, "x", 1);
	ck_assert_int_eq(packet_show(&p, dns_egress, socket), 1);
}

START_TEST(impersonation)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (unsigned how = 0; how < 8; how++) {
			bool tcp = how & 1, hits;

			begin(kind);
			hits = tcp == l.tcp;
			ask(77, NAME, WIRE_A);
			if (how & 4) { /* a request, as of a listening socket, or none at all */
				l.socket.not_full = true;
				impersonate(kind, tcp, how & 2 ? &l.socket : NULL);
				l.socket.not_full = false;
			} else {
				struct host_socket any = {.sock.family = AF_INET};

				impersonate(kind, tcp, &any);
			}
			ck_assert_uint_eq(world_counter(COUNTER_IMPERSONATED), 1);
			reply(77, NAME, WIRE_A, 1);
			ck_assert_int_eq(is_verified(NAME, 1), !hits);
			ck_assert_uint_eq(doubt_of(NAME, 1), hits ? REASON_RESOLVER : 0);
			host.time += 3600 * WORLD_SECOND; /* for good */
			ck_assert_int_eq(works(), !hits);
		}
	}
}
END_TEST

/* Another address, another port, another family: nothing has happened. */
START_TEST(no_impersonation)
{
	static struct packet p;

	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct party to = party(kind & 1, 53, 53);
		struct party from[] = {party(kind & 1, 54, 53), party(kind & 1, 53, 54),
				       party(kind & 1, 53, 40000)};

		begin(kind);
		for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
			packet_udp(&p, kind & 1, &from[i], &to, "x", 1);
			packet_show(&p, dns_egress, NULL);
			packet_tcp(&p, kind & 1, &from[i], &to, 1, 0, "x", 1);
			packet_show(&p, dns_egress, NULL);
		}
		impersonate(~kind, false, NULL);
		impersonate(~kind, true, NULL);
		ck_assert_uint_eq(world_counter(COUNTER_IMPERSONATED), 2);
		ck_assert(works());
	}
}
END_TEST

/* A response that is sent is no question, and a question that comes no answer. */
START_TEST(wrong_way)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		begin(kind);
		make_reply(77, NAME, WIRE_A, 1);
		link_message(&l, true, &wire);
		ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 0);
		reply(77, NAME, WIRE_A, 1);
		require_doubt(REASON_QUERY);
		begin(kind);
		ask(77, NAME, WIRE_A);
		make_reply(77, NAME, WIRE_A, 1);
		wire_set_u16(&wire, 2, WIRE_QUERY);
		link_message(&l, false, &wire);
		require_doubt(0);
		reply(77, NAME, WIRE_A, 1); /* the question still stands */
		ck_assert(is_verified(NAME, 1));
	}
}
END_TEST

/* A daemon asks for others: no marks, any server, and it may be the resolver itself. */
START_TEST(daemon_mode)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		const struct party server = party(kind & 1, 99, 53);

		teardown();
		setup();
		dns_daemon = 1;
		host.storage_failure = 1; /* older than the programs */
		open_to(kind, &server);
		if (l.tcp)
			link_handshake(&l);
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		ck_assert(is_verified(NAME, 1));
		reply(77, NAME, WIRE_A, 2);
		ck_assert_uint_eq(doubt_of(NAME, 2), REASON_QUERY);
		ask(78, "other.example", WIRE_A);
		reply(78, "other.example", WIRE_A, 1);
		ck_assert_uint_eq(verified.count, 1);
		impersonate(kind, l.tcp, &l.socket);
		ck_assert_uint_eq(world_counter(COUNTER_IMPERSONATED), 0);
	}
}
END_TEST

/* ---- packets ---- */

/* A source route is among them: packets with options are not read, on neither side. */
START_TEST(ip_options)
{
	for (unsigned kind = 0; kind < KINDS; kind += 2) {
		for (unsigned words = 0; words <= 10; words++) {
			begin(kind);
			style.ip_options = words;
			style.tcp_options = l.tcp ? 10 - words : 0;
			if (l.tcp) { /* from its beginning on */
				open_to(kind, trusted(kind));
				link_handshake(&l);
			}
			ck_assert_msg(works() == !words, "kind %u, %u words", kind, words);
			impersonate(kind, l.tcp, NULL);
			ck_assert_uint_eq(world_counter(COUNTER_IMPERSONATED), !words);
		}
	}
}
END_TEST

/* Headers between IPv6 and UDP or TCP: not read, on neither side. */
START_TEST(ip_extensions)
{
	static const unsigned header[] = {0, 43, 44, 60, 1, 41, 255};

	for (unsigned kind = 1; kind < KINDS; kind += 2) {
		for (size_t i = 0; i < ARRAY_SIZE(header); i++) {
			begin(kind);
			style.extension = header[i] ? header[i] : 60;
			ask(77, NAME, WIRE_A);
			reply(77, NAME, WIRE_A, 1);
			ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 0);
			ck_assert_uint_eq(verified.count + doubts.count, 0);
		}
	}
}
END_TEST

static void show_as(bool out, uint8_t protocol)
{
	static struct packet p;

	link_packet(&l, out, &p, 0, 0, wire.byte, wire.size);
	p.byte[l.v6 ? 6 : 9] = protocol;
	link_show(&l, out, &p);
}

/* UDP-Lite and others that have ports in the same place. */
START_TEST(other_protocols)
{
	for (unsigned kind = 0; kind < KIND_TCP; kind++) {
		for (unsigned protocol = 0; protocol < 256; protocol++) {
			if (protocol == PROTOCOL_UDP || protocol == PROTOCOL_TCP)
				continue;
			begin(kind);
			make_query(77, NAME, WIRE_A);
			show_as(true, (uint8_t)protocol);
			ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 0);
			ask(77, NAME, WIRE_A);
			make_reply(77, NAME, WIRE_A, 1);
			show_as(false, (uint8_t)protocol);
			ck_assert_uint_eq(verified.count + doubts.count, 0);
		}
	}
}
END_TEST

/* Direct access reaches only the beginning of the packet. */
START_TEST(not_linear)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		const uint32_t needed = (kind & 1 ? IPV6_HEADER : IPV4_HEADER) + 4;

		for (uint32_t linear = 0; linear < 120; linear++) {
			begin(kind);
			style.cut = true;
			style.linear = linear;
			ck_assert_msg(works() == (linear >= needed), "kind %u, %u bytes", kind,
				      linear);
		}
	}
}
END_TEST

/* Packets that end anywhere: no fault, and no address that they do not hold. */
START_TEST(cut_packets)
{
	static struct packet p;

	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (uint32_t size = 0; size < 200; size++) {
			uint32_t whole;

			begin(kind);
			make_query(77, NAME, WIRE_A);
			link_packet(&l, true, &p, l.sent, TCP_ACK_FLAG, wire.byte, wire.size);
			p.size = size < p.size ? size : p.size;
			link_show(&l, true, &p);
			begin(kind);
			ask(77, NAME, WIRE_A);
			make_reply(77, NAME, WIRE_A, 1);
			link_packet(&l, false, &p, l.received, TCP_ACK_FLAG, wire.byte, wire.size);
			whole = p.size;
			p.size = size < p.size ? size : p.size;
			link_show(&l, false, &p);
			ck_assert_int_eq(is_verified(NAME, 1), !l.tcp && size >= whole);
		}
	}
}
END_TEST

/* Headers that lie about their own size. */
START_TEST(lying_headers)
{
	static struct packet p;

	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (unsigned at = 0; at < 80; at++) {
			for (unsigned value = 0; value < 256; value++) {
				begin(kind);
				ask(77, NAME, WIRE_A);
				make_reply(78, NAME, WIRE_A, 1);
				link_packet(&l, false, &p, l.received, TCP_ACK_FLAG, wire.byte,
					    wire.size);
				p.byte[at] = (uint8_t)value;
				link_show(&l, false, &p);
				link_show(&l, true, &p);
				ck_assert(!is_verified(NAME, 1) || at >= 28);
			}
		}
	}
}
END_TEST

START_TEST(large_datagrams)
{
	for (size_t size = 3900; size < 66000; size += size < 4200 ? 1 : 1234) {
		begin(KIND_UDP);
		ask(77, NAME, WIRE_A);
		make_reply(77, NAME, WIRE_A, 1);
		wire.size = size - 16; /* zeros behind it, and a record at the end */
		wire_has(&wire, "", WIRE_A, TTL, 2);
		link_message(&l, false, &wire);
		ck_assert(is_verified(NAME, 1));
		ck_assert_uint_eq(verified.count, 1);
	}
	/* The last record that is read ends with byte DNS_MESSAGE_MAX. */
	for (size_t end = DNS_MESSAGE_MAX - 20; end < DNS_MESSAGE_MAX + 20; end++) {
		static const uint8_t filler[DNS_MESSAGE_MAX];

		begin(KIND_UDP);
		ask(77, NAME, WIRE_A);
		wire_begin(&wire, 77, WIRE_RESPONSE);
		wire_question(&wire, NAME, WIRE_A);
		wire_record(&wire, "", WIRE_TXT, 1, filler, end - wire.size - 11 - 31);
		wire_has(&wire, NAME, WIRE_A, TTL, 1);
		ck_assert_uint_eq(wire.size, end);
		link_message(&l, false, &wire);
		ck_assert_int_eq(is_verified(NAME, 1), end <= DNS_MESSAGE_MAX);
	}
}
END_TEST

/* Reading the packet fails, once, anywhere: nothing wrong comes of it. */
START_TEST(load_failures)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (unsigned call = 1; call < 40; call++) {
			begin(kind);
			host.load_failure = call;
			ask(77, NAME, WIRE_A);
			reply(77, NAME, WIRE_A, 1);
			ck_assert_int_eq(is_verified(NAME, 1), host.load_failure != 0);
			ck_assert_uint_le(verified.count, 1);
			host.load_failure = 0;
			if (!l.tcp)
				ck_assert(works());
		}
	}
}
END_TEST

/* ---- rows ---- */

static void reply_ttl(unsigned id, uint32_t ttl)
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
		{30, 0, 30},	  {30, 29, 30},		 {30, 30, 30},	     {30, 31, 31},
		{0, 1, 1},	  {0, 86399, 86399},	 {0, 86400, 86400},  {0, 86401, 86400},
		{0, ~0U >> 1, 86400}, {30, 0x80000000, 30}, {30, ~0U, 30},   {600, 300, 600},
		{100000, 5, 86400}, {~0U, ~0U, 86400},
	};

	for (unsigned kind = 0; kind < KINDS; kind++) {
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
	struct verified_key key = {.workload = WORLD_WORKLOAD, .name = NAME};
	struct verified row = {.expires = expires};

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
	struct verified row = {.expires = 1};

	begin(KIND_UDP);
	for (uint32_t i = 1; i < verified.max_entries; i++) {
		struct verified_key key = {.workload = i};

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

/* The oldest doubts go; what is verified does not suffer. */
START_TEST(doubts_full)
{
	begin(KIND_UDP);
	ask(1, NAME, WIRE_A);
	reply(1, NAME, WIRE_A, 0);
	for (uint32_t i = 1; i < 2000; i++)
		reply(7, NAME, WIRE_A, i);
	ck_assert_uint_eq(doubts.count, 512);
	ck_assert_uint_eq(verified.count, 1);
	ck_assert(is_verified(NAME, 0));
}
END_TEST

/* ---- works and questions ---- */

START_TEST(works_busy)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (uint32_t busy = 0; busy <= DNS_WORKS; busy++) {
			begin(kind);
			for (uint32_t i = 0; i < busy; i++)
				((struct dns_work *)bpf_map_lookup_elem(&dns_works, &i))->busy = 1;
			ask(77, NAME, WIRE_A);
			reply(77, NAME, WIRE_A, 1);
			ck_assert_int_eq(is_verified(NAME, 1), busy < DNS_WORKS);
			ck_assert_uint_eq(doubts.count, 0);
			ck_assert_uint_eq(world_claims(&l), busy);
			ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST),
					  busy < DNS_WORKS ? 0 : 2);
		}
	}
}
END_TEST

START_TEST(many_questions)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (unsigned count = DNS_PENDING - 1; count < 2 * DNS_PENDING + 3; count++) {
			begin(kind);
			for (unsigned i = 0; i < count; i++)
				ask(i, NAME, WIRE_A);
			for (unsigned i = 0; i < count; i++)
				reply(i, NAME, WIRE_A, i);
			for (unsigned i = 0; i < count; i++) {
				bool kept = i + DNS_PENDING >= count;

				ck_assert_int_eq(is_verified(NAME, i), kept);
				ck_assert_uint_eq(doubt_of(NAME, i), kept ? 0 : REASON_QUERY);
			}
		}
	}
}
END_TEST

/* ---- TCP ---- */

static uint8_t stream[200000];
static size_t stream_size;

/* @count messages with their lengths: questions, or the answers to them. */
static void make_stream(bool answers, unsigned count)
{
	stream_size = 0;
	for (unsigned i = 0; i < count; i++) {
		if (answers)
			make_reply(i, NAME, WIRE_A, i);
		else
			make_query(i, NAME, WIRE_A);
		stream[stream_size++] = (uint8_t)(wire.size >> 8);
		stream[stream_size++] = (uint8_t)wire.size;
		memcpy(stream + stream_size, wire.byte, wire.size);
		stream_size += wire.size;
	}
}

/* A part of the stream that began with the next sequence number. */
static void part(bool out, size_t start, size_t end)
{
	link_segment(&l, out, (out ? l.sent : l.received) + (uint32_t)start, TCP_ACK_FLAG,
		     stream + start, end - start);
}

static void require_all(unsigned count)
{
	ck_assert_uint_eq(world_counter(COUNTER_QUERIES), count);
	for (unsigned i = 0; i < count; i++)
		ck_assert_msg(is_verified(NAME, i), "answer %u of %u", i, count);
	ck_assert_uint_eq(doubts.count, 0);
	ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST), 0);
}

/* Two messages each way; those of one side are cut at @a and @b. */
static void cut_twice(unsigned kind, bool answers, size_t a, size_t b)
{
	begin(kind);
	make_stream(false, 2);
	if (answers)
		part(true, 0, stream_size);
	make_stream(answers, 2);
	part(!answers, 0, a);
	part(!answers, a, b);
	part(!answers, b, stream_size);
	make_stream(true, 2);
	if (!answers)
		part(false, 0, stream_size);
	require_all(2);
}

/* At every pair of places, inside the length in front of a message among them. */
START_TEST(segments)
{
	for (unsigned side = 0; side < 2; side++) {
		size_t size;

		make_stream(side, 2);
		size = stream_size;
		for (size_t a = 0; a <= size; a++)
			for (size_t b = a; b <= size; b++)
				cut_twice(KIND_TCP + (a + b) % 2, side, a, b);
	}
}
END_TEST

START_TEST(byte_by_byte)
{
	begin(KIND_TCP);
	for (unsigned side = 0; side < 2; side++) {
		make_stream(side, 5);
		for (size_t i = 0; i < stream_size; i++)
			part(!side, i, i + 1);
	}
	require_all(5);
}
END_TEST

START_TEST(pipelined)
{
	for (unsigned count = 1; count < 2 * SEGMENT_MESSAGES; count++) {
		bool fits = count <= SEGMENT_MESSAGES;

		begin(KIND_TCP);
		make_stream(false, count);
		part(true, 0, stream_size);
		ck_assert_uint_eq(world_counter(COUNTER_QUERIES),
				  fits ? count : SEGMENT_MESSAGES);
		ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST), !fits);
		l.sent += (uint32_t)stream_size;
		make_stream(true, count);
		part(false, 0, stream_size);
		ck_assert_uint_eq(verified.count, fits ? count : SEGMENT_MESSAGES);
		l.received += (uint32_t)stream_size;
		/* If there were more, it is not known where the next one begins. */
		ck_assert_int_eq(works(), fits);
	}
}
END_TEST

/* Segments that come again, whole, in part, together with new bytes; and keep-alives. */
START_TEST(retransmissions)
{
	uint64_t random = 1;

	for (unsigned turn = 0; turn < 3000; turn++) {
		begin(KIND_TCP + turn % 2);
		for (unsigned side = 0; side < 2; side++) {
			size_t known = 0;

			make_stream(side, 6);
			while (known < stream_size) {
				size_t start = random_below(&random, (uint32_t)known + 1);
				size_t end = start + random_below(&random, 150);

				if (random_below(&random, 2))
					start = known > 20 ? known - 20 : 0;
				end = end < start ? start : end;
				end = end > stream_size ? stream_size : end;
				part(!side, start, end);
				known = end > known ? end : known;
			}
			part(!side, 0, 1);
		}
		require_all(6);
	}
}
END_TEST

/* What comes again may say something else; what was taken first is what counts. */
START_TEST(overlap_with_other_bytes)
{
	size_t half;

	begin(KIND_TCP);
	make_stream(false, 1);
	part(true, 0, stream_size);
	make_stream(true, 1);
	half = stream_size - 2;
	part(false, 0, half);
	stream[half - 1] ^= 0xff;
	part(false, half - 5, stream_size);
	stream[half - 1] ^= 0xff;
	require_all(1);
	ck_assert_uint_eq(verified.count, 1);
}
END_TEST

START_TEST(out_of_order)
{
	for (unsigned side = 0; side < 2; side++) {
		make_stream(side, 2);
		for (size_t gap = 0; gap + 1 < stream_size; gap++) {
			begin(KIND_TCP);
			make_stream(false, 2);
			if (side)
				part(true, 0, stream_size);
			make_stream(side, 2);
			part(!side, 0, gap);
			part(!side, gap + 1, stream_size);
			ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST), 1);
			part(!side, 0, stream_size); /* too late */
			ck_assert_uint_eq(side ? verified.count : world_counter(COUNTER_QUERIES),
					  gap >= stream_size / 2);
			ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST), 1);
			l.sent += 1000;
			l.received += 1000;
			ck_assert(!works());
		}
	}
}
END_TEST

/* A stream whose beginning was not seen, or which belongs to an earlier connection. */
START_TEST(no_beginning)
{
	begin(KIND_TCP);
	open_to(KIND_TCP, trusted(0));
	ck_assert(!works());
	link_syn(&l, false, NULL, 0); /* a SYN of the server alone begins nothing */
	ck_assert(!works());
	open_to(KIND_TCP, trusted(0));
	link_syn(&l, true, NULL, 0);
	ck_assert(!works()); /* the server's was not seen */
	ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 1);
	open_to(KIND_TCP, trusted(0));
	link_syn(&l, true, NULL, 0);
	l.received = 0; /* as if the state without a beginning began there */
	ck_assert(!works());
	ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST), 0);
}
END_TEST

START_TEST(syn_again)
{
	begin(KIND_TCP);
	l.sent = l.received = WORLD_ISN;
	link_handshake(&l);
	ck_assert(works());
}
END_TEST

/* The same socket connects once more: what the first connection left does not join in. */
START_TEST(connected_again)
{
	const struct party elsewhere = party(false, 99, 53);
	size_t half;

	begin(KIND_TCP);
	make_stream(true, 1);
	half = stream_size / 2;
	link_connect(&l, &elsewhere);
	l.server = elsewhere;
	l.sent = l.received = 5000;
	link_handshake(&l);
	part(false, 0, half); /* a forged half */
	l.received += (uint32_t)half;
	link_connect(&l, trusted(0));
	l.server = *trusted(0);
	l.sent = 99;
	link_syn(&l, true, NULL, 0);
	make_stream(false, 1);
	part(true, 0, stream_size);
	make_stream(true, 1);
	/* The server's SYN is not seen, and by chance its numbers go on. */
	link_segment(&l, false, l.received, TCP_ACK_FLAG, stream + half, stream_size - half);
	ck_assert_uint_eq(verified.count, 0);
	l.received = 7000;
	link_syn(&l, false, NULL, 0);
	part(false, 0, stream_size);
	ck_assert(is_verified(NAME, 0));
}
END_TEST

START_TEST(fast_open)
{
	for (size_t first = 0; first < 40; first++) {
		begin(KIND_TCP);
		open_to(KIND_TCP, trusted(0));
		make_stream(false, 2);
		link_syn(&l, true, stream, first);
		link_segment(&l, true, l.sent, TCP_ACK_FLAG, stream + first, stream_size - first);
		make_stream(true, 2);
		link_syn(&l, false, stream, first);
		link_segment(&l, false, l.received, TCP_ACK_FLAG, stream + first,
			     stream_size - first);
		require_all(2);
	}
	/* The server takes none of it: SYN again without data, then all of it. */
	begin(KIND_TCP);
	open_to(KIND_TCP, trusted(0));
	make_stream(false, 1);
	link_syn(&l, true, stream, 20);
	l.sent = WORLD_ISN;
	link_handshake(&l);
	part(true, 0, stream_size);
	make_stream(true, 1);
	part(false, 0, stream_size);
	require_all(1);
}
END_TEST

START_TEST(wrapping_numbers)
{
	for (uint32_t start = 0xffffff00; start != 0x100; start++) {
		begin(KIND_TCP);
		open_to(KIND_TCP, trusted(0));
		l.sent = start;
		l.received = start * 3;
		link_handshake(&l);
		for (unsigned side = 0; side < 2; side++) {
			make_stream(side, 3);
			part(!side, 0, 60);
			part(!side, 0, 60);
			part(!side, 40, stream_size);
		}
		require_all(3);
	}
}
END_TEST

/* A long message is read as far as there is room, and the next one begins behind its end. */
START_TEST(long_messages)
{
	static const size_t size[] = {511,  512,  513,	1024, 4095,  4096,
				      4097, 4607, 4608, 4609, 10000, 65535};

	for (size_t i = 0; i < ARRAY_SIZE(size); i++) {
		for (size_t step = 100; step < 200000; step *= 6) {
			begin(KIND_TCP);
			ask(0, NAME, WIRE_A);
			ask(1, NAME, WIRE_A);
			make_stream(true, 1);
			stream[0] = (uint8_t)(size[i] >> 8);
			stream[1] = (uint8_t)size[i];
			memset(stream + stream_size, 0xee, size[i] + 2 - stream_size);
			make_reply(1, NAME, WIRE_A, 1);
			stream[size[i] + 2] = 0;
			stream[size[i] + 3] = (uint8_t)wire.size;
			memcpy(stream + size[i] + 4, wire.byte, wire.size);
			stream_size = size[i] + 4 + wire.size;
			for (size_t at = 0; at < stream_size; at += step)
				part(false, at, at + step < stream_size ? at + step : stream_size);
			require_all(2);
			ck_assert_uint_eq(verified.count, 2);
		}
	}
}
END_TEST

/* The last record that is read ends with byte DNS_MESSAGE_MAX. */
START_TEST(long_message_end)
{
	static const uint8_t filler[DNS_MESSAGE_MAX];

	for (size_t end = DNS_MESSAGE_MAX - 20; end < DNS_MESSAGE_MAX + 20; end++) {
		begin(KIND_TCP);
		ask(77, NAME, WIRE_A);
		wire_begin(&wire, 77, WIRE_RESPONSE);
		wire_question(&wire, NAME, WIRE_A);
		wire_record(&wire, "", WIRE_TXT, 1, filler, end - wire.size - 11 - 31);
		wire_has(&wire, NAME, WIRE_A, TTL, 1);
		link_message(&l, false, &wire);
		ck_assert_int_eq(is_verified(NAME, 1), end <= DNS_MESSAGE_MAX);
	}
}
END_TEST

START_TEST(empty_messages)
{
	for (unsigned count = 1; count < SEGMENT_MESSAGES; count++) {
		begin(KIND_TCP);
		for (unsigned side = 0; side < 2; side++) {
			make_stream(side, 1);
			memmove(stream + 2 * count, stream, stream_size);
			memset(stream, 0, 2 * count);
			stream_size += 2 * count;
			part(!side, 0, 2 * count - 1);
			part(!side, 2 * count - 1, stream_size);
		}
		require_all(1);
	}
	begin(KIND_TCP); /* shorter than a header */
	for (unsigned side = 0; side < 2; side++) {
		for (unsigned size = 0; size < 12; size++) {
			uint8_t bytes[14] = {0, (uint8_t)size};

			link_bytes(&l, !side, bytes, 2 + size);
		}
	}
	ck_assert(works());
}
END_TEST

START_TEST(resets)
{
	begin(KIND_TCP);
	make_stream(false, 1);
	link_segment(&l, true, l.sent, TCP_RST, stream, stream_size);
	ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 0);
	part(true, 0, stream_size);
	make_stream(true, 1);
	link_segment(&l, false, l.received, TCP_RST, stream, stream_size);
	ck_assert_uint_eq(verified.count, 0);
	link_segment(&l, false, l.received, TCP_FIN_FLAG | TCP_ACK_FLAG, stream, stream_size);
	require_all(1);
}
END_TEST

/* Another packet of the same connection, in the same direction, is being read. */
START_TEST(stream_busy)
{
	for (unsigned side = 0; side < 2; side++) {
		struct dns_stream *state;
		u32 *busy;

		begin(KIND_TCP);
		state = bpf_sk_storage_get(&dns_streams, &l.socket, NULL, 0);
		busy = side ? &state->answer.busy : &state->query.busy;
		if (side)
			ask(0, NAME, WIRE_A);
		*busy = 1;
		make_stream(side, 1);
		part(!side, 0, stream_size);
		ck_assert_uint_eq(*busy, 1);
		ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST), 1);
		*busy = 0;
		part(!side, 0, stream_size);
		ck_assert_uint_eq(verified.count + doubts.count, 0);
		ck_assert_uint_eq(world_counter(COUNTER_QUERIES), side);
		ck_assert(!works());
	}
}
END_TEST

/* Packets of the other direction, and such without data, do not disturb it. */
START_TEST(stream_busy_beside)
{
	for (unsigned side = 0; side < 2; side++) {
		struct dns_stream *state;
		u32 *busy;

		begin(KIND_TCP);
		state = bpf_sk_storage_get(&dns_streams, &l.socket, NULL, 0);
		busy = side ? &state->answer.busy : &state->query.busy;
		if (!side) {
			ask(0, NAME, WIRE_A);
			*busy = 1;
			reply(0, NAME, WIRE_A, 0);
			ck_assert(is_verified(NAME, 0));
		} else {
			*busy = 1;
			ask(0, NAME, WIRE_A);
			ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 1);
		}
		link_segment(&l, !side, side ? l.received : l.sent, TCP_ACK_FLAG, NULL, 0);
		link_segment(&l, !side, side ? l.received : l.sent, TCP_FIN_FLAG, NULL, 0);
		*busy = 0;
		ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST), 0);
		ck_assert(works());
	}
}
END_TEST

/* The offset of the data goes beyond the packet, or is another than it was made with. */
START_TEST(tcp_offsets)
{
	static struct packet p;

	for (unsigned words = 5; words < 16; words++) { /* TCP itself drops less */
		begin(KIND_TCP);
		ask(0, NAME, WIRE_A);
		make_stream(true, 1);
		link_packet(&l, false, &p, l.received, TCP_ACK_FLAG, stream, stream_size);
		p.byte[IPV4_HEADER + 12] = (uint8_t)(words << 4);
		link_show(&l, false, &p);
		ck_assert_int_eq(is_verified(NAME, 0), words == 5);
		p.size = IPV4_HEADER + TCP_HEADER;
		link_show(&l, false, &p);
	}
}
END_TEST

/* The end of a message cannot be read: what is in its place must not be taken for it. */
START_TEST(load_failures_of_parts)
{
	for (unsigned call = 1; call < 20; call++) {
		uint8_t bytes[200] = {0};

		begin(KIND_TCP);
		ask(77, NAME, WIRE_A);
		make_reply(77, NAME, WIRE_A, 0x010203);
		bytes[1] = (uint8_t)wire.size;
		memcpy(bytes + 2, wire.byte, wire.size);
		link_bytes(&l, false, bytes, wire.size);
		host.load_failure = call;
		link_bytes(&l, false, bytes + wire.size, 2);
		ck_assert_uint_eq(verified.count, host.load_failure != 0);
		ck_assert_uint_eq(verified.count, is_verified(NAME, 0x010203));
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		hash_is_never_zero, match, chain, wrong_id_name_type, wrong_server, wrong_socket,
		late, asked_again, answered_twice, unsolicited, untrusted, untrusted_port, ports,
		names_without_rule, wildcards, wildcards_far, names_one_after_another, workload,
		marks, foreign_namespace, unmarked, no_stream_storage, no_full_socket, nat,
		connected_elsewhere, mapped, impersonation, no_impersonation, wrong_way,
		daemon_mode, ip_options, ip_extensions, other_protocols, not_linear, cut_packets,
		lying_headers, large_datagrams, load_failures, lifetimes, later_end_counts,
		rows_full, doubts_full, works_busy, many_questions, segments, byte_by_byte,
		pipelined, retransmissions, overlap_with_other_bytes, out_of_order, no_beginning,
		syn_again, connected_again, fast_open, wrapping_numbers, long_messages,
		long_message_end, empty_messages, resets, stream_busy, stream_busy_beside,
		tcp_offsets, load_failures_of_parts,
	};

	return suite_run("dns", tests, ARRAY_SIZE(tests), 120, setup, teardown);
}
