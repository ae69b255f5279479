// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DNS object and single packets: headers with options, headers that lie,
 * packets that are cut, large, not linear, or that cannot be read.
 */
#include "selftests/unit/dns_dialogue.h"
#include "selftests/unit/suite.h"

/* A source route is among them: packets with options are not read, on neither side. */
START_TEST(ip_options)
{
	for (unsigned int kind = 0; kind < KINDS; kind += 2) {
		for (unsigned int words = 0; words <= 10; words++) {
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
	static const unsigned int header[] = { 0, 43, 44, 60, 1, 41, 255 };

	for (unsigned int kind = 1; kind < KINDS; kind += 2) {
		for (size_t i = 0; i < ARRAY_SIZE(header); i++) {
			begin(kind);
			style.extension = header[i] ? header[i] : 60;
			ask(77, NAME, WIRE_A);
			reply(77, NAME, WIRE_A, 1);
			ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 0);
			ck_assert_uint_eq(verified.count + rejections.count, 0);
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
	for (unsigned int kind = 0; kind < KIND_TCP; kind++) {
		for (unsigned int protocol = 0; protocol < 256; protocol++) {
			if (protocol == PROTOCOL_UDP || protocol == PROTOCOL_TCP)
				continue;
			begin(kind);
			make_query(77, NAME, WIRE_A);
			show_as(true, (uint8_t)protocol);
			ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 0);
			ask(77, NAME, WIRE_A);
			make_reply(77, NAME, WIRE_A, 1);
			show_as(false, (uint8_t)protocol);
			ck_assert_uint_eq(verified.count + rejections.count, 0);
		}
	}
}
END_TEST

/* Direct access reaches only the beginning of the packet. */
START_TEST(not_linear)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
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

	for (unsigned int kind = 0; kind < KINDS; kind++) {
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

	for (unsigned int kind = 0; kind < KINDS; kind++) {
		for (unsigned int at = 0; at < 80; at++) {
			for (unsigned int value = 0; value < 256; value++) {
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
		wire.size = size - 16; /* zeros after it, and a record at the end */
		wire_has(&wire, "", WIRE_A, TTL, 2);
		link_message(&l, false, &wire);
		ck_assert(is_verified(NAME, 1));
		ck_assert_uint_eq(verified.count, 1);
	}
	/* The last record that is read ends with byte DNS_MESSAGE_MAX. */
	for (size_t end = DNS_MESSAGE_MAX - 20; end < DNS_MESSAGE_MAX + 20; end++) {
		begin(KIND_UDP);
		ask(77, NAME, WIRE_A);
		make_reply_of(end, 77);
		link_message(&l, false, &wire);
		ck_assert_int_eq(is_verified(NAME, 1), end <= DNS_MESSAGE_MAX);
	}
}
END_TEST

/* Reading the packet fails, once, anywhere: nothing wrong comes of it. */
START_TEST(load_failures)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		for (unsigned int call = 1; call < 40; call++) {
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

int main(void)
{
	const TTest *const tests[] = {
		ip_options,  ip_extensions, other_protocols, not_linear,
		cut_packets, lying_headers, large_datagrams, load_failures,
	};

	return suite_run("dns packet", tests, ARRAY_SIZE(tests), 120, setup, teardown);
}
