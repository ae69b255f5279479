// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DNS object and sockets: whose packets are read, what a connection, NAT and
 * other network namespaces change, and an application that is a server itself.
 */
#include "selftests/unit/dns_dialogue.h"
#include "selftests/unit/suite.h"

/* ---- sockets ---- */

START_TEST(marks)
{
	static const unsigned int family[] = { AF_INET, AF_INET6, 0, 1, 16, 17 };

	for (size_t i = 0; i < ARRAY_SIZE(family); i++) {
		for (unsigned int type = 0; type < 8; type++) {
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

/* Without a mark there is neither a verified address nor a rejection. */
START_TEST(foreign_namespace)
{
	static const struct {
		uint64_t wanted, is;
		bool counts;
	} row[] = { { 1, 1, true }, { 1, 2, false }, { 0, 2, true }, { 1ULL << 32 | 1, 1, false } };

	for (unsigned int kind = 0; kind < KINDS; kind++) {
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
			ck_assert_uint_eq(verified.count + rejections.count, row[i].counts);
		}
	}
}
END_TEST

/* A socket that accept(2) made, or one for whose mark there was no memory. */
START_TEST(unmarked)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		teardown();
		setup();
		host.storage_failure = 1;
		open_to(kind, trusted(kind));
		if (l.tcp)
			link_handshake(&l);
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		ck_assert_uint_eq(verified.count + rejections.count, 0);
		ck_assert_ptr_null(l.socket.storage[0].map);
		ck_assert_uint_eq(world_counter(COUNTER_NO_DNS_STATE), 1);
	}
}
END_TEST

/* There was no memory for one of the two sides. */
START_TEST(no_stream_storage)
{
	for (unsigned int side = 0; side < 2; side++) {
		teardown();
		setup();
		open_to(KIND_TCP, trusted(0));
		host.storage_failure = side + 1;
		link_handshake(&l);
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		ck_assert_uint_eq(verified.count + rejections.count, 0);
		ck_assert_uint_eq(world_counter(COUNTER_NO_DNS_STATE), 1);
	}
}
END_TEST

/* Requests and sockets in TIME_WAIT are no full sockets, and some packets have none. */
START_TEST(no_full_socket)
{
	static struct packet p;

	for (unsigned int kind = 0; kind < KINDS; kind++) {
		begin(kind);
		l.socket.not_full = true;
		ask(77, NAME, WIRE_A);
		reply(77, NAME, WIRE_A, 1);
		l.socket.not_full = false;
		ck_assert_uint_eq(verified.count + rejections.count, 0);
		ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 0);
		make_query(77, NAME, WIRE_A);
		link_packet(&l, true, &p, l.sent, TCP_ACK_FLAG, wire.byte, wire.size);
		ck_assert_int_eq(packet_show(&p, dns_egress, NULL), 1);
		make_reply(77, NAME, WIRE_A, 1);
		link_packet(&l, false, &p, l.received, TCP_ACK_FLAG, wire.byte, wire.size);
		ck_assert_int_eq(packet_show(&p, dns_ingress, NULL), 1);
		ck_assert_uint_eq(verified.count + rejections.count, 0);
	}
}
END_TEST

/* NAT: packets leave for an address that the application does not know. */
START_TEST(nat)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
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
		ck_assert_uint_eq(rejection_of(NAME, 1), connected ? 0 : REASON_QUERY);
	}
}
END_TEST

/* Connected to somebody else: what its packets look like does not count. */
START_TEST(connected_elsewhere)
{
	static const unsigned int port[] = { 53, 443 };

	for (unsigned int v6 = 0; v6 < 2; v6++) {
		for (size_t i = 0; i < ARRAY_SIZE(port); i++) {
			struct party peer = party(v6, 99, port[i]);

			begin(v6);
			link_connect(&l, &peer);
			ask(77, NAME, WIRE_A);
			ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 0);
			reply(77, NAME, WIRE_A, 1);
			require_rejection(REASON_QUERY);
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

START_TEST(impersonation)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		for (unsigned int how = 0; how < 8; how++) {
			bool tcp = how & 1, hits;

			begin(kind);
			hits = tcp == l.tcp;
			ask(77, NAME, WIRE_A);
			if (how & 4) { /* a request, as of a listening socket, or none at all */
				l.socket.not_full = true;
				impersonate(kind, tcp, how & 2 ? &l.socket : NULL);
				l.socket.not_full = false;
			} else {
				struct host_socket any = { .sock.family = AF_INET };

				impersonate(kind, tcp, &any);
			}
			ck_assert_uint_eq(world_counter(COUNTER_IMPERSONATED), 1);
			reply(77, NAME, WIRE_A, 1);
			ck_assert_int_eq(is_verified(NAME, 1), !hits);
			ck_assert_uint_eq(rejection_of(NAME, 1), hits ? REASON_RESOLVER : 0);
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

	for (unsigned int kind = 0; kind < KINDS; kind++) {
		struct party to = party(kind & 1, 53, 53);
		struct party from[] = { party(kind & 1, 54, 53), party(kind & 1, 53, 54),
					party(kind & 1, 53, 40000) };

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
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		begin(kind);
		make_reply(77, NAME, WIRE_A, 1);
		link_message(&l, true, &wire);
		ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 0);
		reply(77, NAME, WIRE_A, 1);
		require_rejection(REASON_QUERY);
		begin(kind);
		ask(77, NAME, WIRE_A);
		make_reply(77, NAME, WIRE_A, 1);
		wire_set_u16(&wire, 2, WIRE_QUERY);
		link_message(&l, false, &wire);
		require_rejection(0);
		reply(77, NAME, WIRE_A, 1); /* the question still stands */
		ck_assert(is_verified(NAME, 1));
	}
}
END_TEST

/* A daemon asks for others: no marks, any server, and it may be the resolver itself. */
START_TEST(daemon_mode)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
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
		ck_assert_uint_eq(rejection_of(NAME, 2), REASON_QUERY);
		ask(78, "other.example", WIRE_A);
		reply(78, "other.example", WIRE_A, 1);
		ck_assert_uint_eq(verified.count, 1);
		impersonate(kind, l.tcp, &l.socket);
		ck_assert_uint_eq(world_counter(COUNTER_IMPERSONATED), 0);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		marks,	   foreign_namespace,	unmarked, no_stream_storage, no_full_socket,
		nat,	   connected_elsewhere, mapped,	  impersonation,     no_impersonation,
		wrong_way, daemon_mode,
	};

	return suite_run("dns socket", tests, ARRAY_SIZE(tests), 120, setup, teardown);
}
