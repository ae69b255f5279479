/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Questions and answers in the world of dns_world.h: one workload with rules
 * for some names, one trusted server for each family, and one link at a time.
 */
#ifndef KLOAK_SELFTESTS_DNS_DIALOGUE_H
#define KLOAK_SELFTESTS_DNS_DIALOGUE_H

#include "selftests/unit/dns_world.h"

#include <check.h>

#define NAME "www.example.com"
#define TTL  300

/* Bit 0: IPv6. */
enum { KIND_UDP = 0, KIND_CONNECTED = 2, KIND_TCP = 4, KINDS = 6 };

static struct wire wire;
static struct link l;

static inline const struct party *trusted(unsigned int kind)
{
	static struct party server[2];

	server[kind & 1] = party(kind & 1, 53, 53);
	return &server[kind & 1];
}

static inline void setup(void)
{
	world_reset();
	world_rule(WORLD_WORKLOAD, NAME);
	world_rule(WORLD_WORKLOAD, "*.wild.example");
	world_trust(WORLD_WORKLOAD, trusted(0));
	world_trust(WORLD_WORKLOAD, trusted(1));
}

static inline void teardown(void)
{
	link_close(&l);
	host_maps_clear();
}

/* A socket that has sent nothing yet, in place of the one that there was. */
static inline void open_to(unsigned int kind, const struct party *server)
{
	link_close(&l);
	link_open(&l, kind & 1, kind >= KIND_TCP, server);
}

/* A new world with one socket that can talk to @server at once. */
static inline void begin_to(unsigned int kind, const struct party *server)
{
	teardown();
	setup();
	open_to(kind, server);
	if ((kind & ~1U) == KIND_CONNECTED)
		link_connect(&l, server);
	if (l.tcp)
		link_handshake(&l);
}

static inline void begin(unsigned int kind)
{
	begin_to(kind, trusted(kind));
}

/* ---- questions and answers ---- */

static inline void make_query(unsigned int id, const char *name, unsigned int type)
{
	wire_begin(&wire, id, WIRE_QUERY);
	wire_question(&wire, name, type);
}

static inline void make_reply(unsigned int id, const char *name, unsigned int type, uint32_t number)
{
	wire_begin(&wire, id, WIRE_RESPONSE);
	wire_question(&wire, name, type);
	wire_has(&wire, name, type, TTL, number);
}

/* One whose address is in the last bytes of @size, after a record of another type. */
static inline void make_reply_of(size_t size, unsigned int id)
{
	static const uint8_t filler[DNS_MESSAGE_MAX];

	wire_begin(&wire, id, WIRE_RESPONSE);
	wire_question(&wire, NAME, WIRE_A);
	wire_record(&wire, "", WIRE_TXT, 1, filler, size - wire.size - 11 - 31);
	wire_has(&wire, NAME, WIRE_A, TTL, 1);
	ck_assert_uint_eq(wire.size, size);
}

static inline void ask(unsigned int id, const char *name, unsigned int type)
{
	make_query(id, name, type);
	link_message(&l, true, &wire);
}

static inline void reply(unsigned int id, const char *name, unsigned int type, uint32_t number)
{
	make_reply(id, name, type, number);
	link_message(&l, false, &wire);
}

static inline void *row_of(struct host_map *map, const char *name, unsigned int type,
			   uint32_t number)
{
	struct verified_key key = { .workload = workload_id };

	wire_mapped(type, number, key.address);
	memcpy(key.name, name, strlen(name));
	return bpf_map_lookup_elem(map, &key);
}

/* Until when, from now, in seconds and rounded up; 0: not verified. */
static inline uint64_t seconds_of(const char *name, unsigned int type, uint32_t number)
{
	struct verified *row = row_of(&verified, name, type, number);

	return row ? (row->expires - host.time + WORLD_SECOND - 1) / WORLD_SECOND : 0;
}

static inline bool is_verified(const char *name, uint32_t number)
{
	return row_of(&verified, name, WIRE_A, number);
}

/* enum reason of the rejection; 0: none. */
static inline unsigned int rejection_of(const char *name, uint32_t number)
{
	struct rejection *row = row_of(&rejections, name, WIRE_A, number);

	return row ? row->reason : 0;
}

/* The last answer, of NAME with address 1, was rejected for this reason. */
static inline void require_rejection(unsigned int reason)
{
	ck_assert_uint_eq(verified.count, 0);
	ck_assert_uint_eq(rejection_of(NAME, 1), reason);
	ck_assert_uint_eq(rejections.count, reason != 0);
}

/* A fresh question and its answer: does what came before keep them from counting? */
static inline bool works(void)
{
	ask(4242, NAME, WIRE_A);
	reply(4242, NAME, WIRE_A, 4242);
	return is_verified(NAME, 4242);
}

/* The application sends something with a resolver's address and port as the source. */
static inline void impersonate(unsigned int kind, bool tcp, struct host_socket *socket)
{
	static struct packet p;
	struct party from = *trusted(kind), to = party(kind & 1, 2, 12345);

	if (tcp)
		packet_tcp(&p, kind & 1, &from, &to, 1, TCP_SYN | TCP_ACK_FLAG, NULL, 0);
	else
		packet_udp(&p, kind & 1, &from, &to, "x", 1);
	ck_assert_int_eq(packet_show(&p, dns_egress, socket), 1);
}

#endif
