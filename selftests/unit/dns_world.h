/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sockets and packets for the DNS object in a test: a link is a socket of the
 * workload and the server that it talks to, over UDP or TCP, IPv4 or IPv6.
 * Errors in the world itself abort.
 */
#ifndef KLOAK_SELFTESTS_DNS_WORLD_H
#define KLOAK_SELFTESTS_DNS_WORLD_H

#include "selftests/unit/dns_wire.h"
#include "selftests/unit/host_dns.h"

#define WORLD_WORKLOAD	 7
#define WORLD_PACKET_MAX 70100
#define WORLD_SECOND	 1000000000ULL
#define WORLD_ISN	 0xfffffff0U /* so that every stream wraps */

enum {
	TCP_FIN_FLAG = 1,
	TCP_PUSH_FLAG = 8,
	TCP_ACK_FLAG = 16,
};

/* One end of a link. */
struct party {
	uint8_t address[16]; /* IPv4 is v4-mapped */
	uint16_t port;
};

struct link {
	struct host_socket socket;
	bool v6, tcp;
	struct party local, server;
	uint32_t sent, received; /* next sequence numbers */
};

/* How packets are made; zero is the plain way. */
struct style {
	unsigned int ip_options, tcp_options; /* words */
	unsigned int extension;		      /* IPv6: number of the header in between */
	bool cut;			      /* direct access ends where .linear says */
	uint32_t linear;
};

struct packet {
	uint32_t size;
	uint8_t byte[WORLD_PACKET_MAX];
};

static struct style style;

/* ---- packets ---- */

static inline void packet_put(struct packet *p, const void *bytes, size_t size)
{
	if (size > sizeof(p->byte) - p->size)
		abort();
	if (size)
		memcpy(p->byte + p->size, bytes, size);
	p->size += (uint32_t)size;
}

static inline void packet_be(struct packet *p, uint32_t value, unsigned int size)
{
	while (size--) {
		uint8_t byte = (uint8_t)(value >> 8 * size);

		packet_put(p, &byte, 1);
	}
}

static inline void packet_fill(struct packet *p, uint8_t byte, unsigned int count)
{
	while (count--)
		packet_put(p, &byte, 1);
}

/* RFC 791, 3.1 */
static inline void packet_v4(struct packet *p, const struct party *from, const struct party *to,
			     unsigned int protocol, size_t size)
{
	unsigned int words = 5 + style.ip_options;

	packet_be(p, 0x4000 | words << 8, 2);
	packet_be(p, (uint32_t)(4 * words + size), 2);
	packet_be(p, 0, 4);
	packet_be(p, 64, 1);
	packet_be(p, protocol, 1);
	packet_be(p, 0, 2);
	packet_put(p, from->address + 12, 4);
	packet_put(p, to->address + 12, 4);
	packet_fill(p, 1, 4 * style.ip_options);
}

/* RFC 8200, section 3 */
static inline void packet_v6(struct packet *p, const struct party *from, const struct party *to,
			     unsigned int protocol, size_t size)
{
	packet_be(p, 0x60000000, 4);
	packet_be(p, (uint32_t)size + (style.extension ? 8 : 0), 2);
	packet_be(p, style.extension ? style.extension : protocol, 1);
	packet_be(p, 64, 1);
	packet_put(p, from->address, 16);
	packet_put(p, to->address, 16);
	if (style.extension) {
		packet_be(p, protocol, 1);
		packet_fill(p, 0, 7);
	}
}

static inline void packet_ip(struct packet *p, bool v6, const struct party *from,
			     const struct party *to, unsigned int protocol, size_t size)
{
	p->size = 0;
	if (v6)
		packet_v6(p, from, to, protocol, size);
	else
		packet_v4(p, from, to, protocol, size);
	packet_be(p, from->port, 2);
	packet_be(p, to->port, 2);
}

/* RFC 768 */
static inline void packet_udp(struct packet *p, bool v6, const struct party *from,
			      const struct party *to, const void *bytes, size_t size)
{
	packet_ip(p, v6, from, to, PROTOCOL_UDP, size + 8);
	packet_be(p, (uint32_t)size + 8, 2);
	packet_be(p, 0, 2);
	packet_put(p, bytes, size);
}

/* RFC 9293, 3.1 */
static inline void packet_tcp(struct packet *p, bool v6, const struct party *from,
			      const struct party *to, uint32_t sequence, unsigned int flags,
			      const void *bytes, size_t size)
{
	unsigned int words = 5 + style.tcp_options;

	packet_ip(p, v6, from, to, PROTOCOL_TCP, size + 4 * words);
	packet_be(p, sequence, 4);
	packet_be(p, 0, 4);
	packet_be(p, words << 12 | flags, 2);
	packet_be(p, 0xffff, 2);
	packet_be(p, 0, 4);
	packet_fill(p, 1, 4 * style.tcp_options);
	packet_put(p, bytes, size);
}

/* Shows the packet to a program. The bytes are a copy that ends where the packet ends. */
static inline int packet_show(const struct packet *p, int (*program)(struct __sk_buff *),
			      struct host_socket *socket)
{
	static struct host_packet packet;
	uint8_t *copy = malloc(p->size ? p->size : 1);
	uint32_t linear = p->size < HOST_PACKET ? p->size : HOST_PACKET;
	int ret;

	if (!copy)
		abort();
	if (p->size)
		memcpy(copy, p->byte, p->size);
	if (style.cut && style.linear < linear)
		linear = style.linear;
	host_packet_set(&packet, copy, p->size, linear, socket);
	ret = program(&packet.context);
	free(copy);
	return ret;
}

/* ---- links ---- */

static inline struct party party(bool v6, unsigned int number, unsigned int port)
{
	struct party made = { .port = (uint16_t)port };

	if (v6) {
		made.address[0] = 0xfd;
	} else {
		made.address[10] = 0xff;
		made.address[11] = 0xff;
		made.address[12] = 10;
	}
	made.address[14] = (uint8_t)(number >> 8);
	made.address[15] = (uint8_t)number;
	return made;
}

/* What the kernel does not say about a socket of a family is noise. */
static inline void link_connect(struct link *l, const struct party *peer)
{
	struct bpf_sock *sock = &l->socket.sock;

	memset(sock->dst_ip6, 0xee, sizeof(sock->dst_ip6));
	sock->dst_ip4 = 0xeeeeeeee;
	sock->dst_port = peer ? __builtin_bswap16(peer->port) : 0;
	if (!peer)
		return;
	if (l->v6)
		memcpy(sock->dst_ip6, peer->address, 16);
	else
		memcpy(&sock->dst_ip4, peer->address + 12, 4);
}

/* socket(2); a TCP socket is connected as well, but has sent nothing. */
static inline void link_open(struct link *l, bool v6, bool tcp, const struct party *server)
{
	memset(l, 0, sizeof(*l));
	l->v6 = v6;
	l->tcp = tcp;
	l->local = party(v6, 1, 40000);
	l->server = *server;
	l->sent = l->received = WORLD_ISN;
	l->socket.sock.family = v6 ? AF_INET6 : AF_INET;
	l->socket.sock.type = tcp ? SOCK_STREAM : SOCK_DGRAM;
	dns_socket_created(&l->socket.sock);
	link_connect(l, tcp ? server : NULL);
}

static inline void link_close(struct link *l)
{
	host_socket_close(&l->socket);
}

/* A packet of the link, in one direction. */
static inline void link_packet(struct link *l, bool out, struct packet *p, uint32_t sequence,
			       unsigned int flags, const void *bytes, size_t size)
{
	const struct party *from = out ? &l->local : &l->server;
	const struct party *to = out ? &l->server : &l->local;

	if (l->tcp)
		packet_tcp(p, l->v6, from, to, sequence, flags, bytes, size);
	else
		packet_udp(p, l->v6, from, to, bytes, size);
}

/* What is claimed: works, and the link's stream. */
static inline unsigned int world_claims(struct link *l)
{
	const struct dns_stream_side *query = dns_stream_side(&l->socket.sock, 0);
	const struct dns_stream_side *answer = dns_stream_side(&l->socket.sock, 1);
	unsigned int claims = (query && query->busy) + (answer && answer->busy);

	for (uint32_t i = 0; i < DNS_WORKS; i++) {
		struct dns_work *work = bpf_map_lookup_elem(&dns_works, &i);

		claims += work->busy != 0;
	}
	return claims;
}

/* Whatever the packet is: it passes, and nothing stays claimed for it. */
static inline void link_show(struct link *l, bool out, const struct packet *p)
{
	unsigned int claims = world_claims(l);

	if (packet_show(p, out ? dns_egress : dns_ingress, &l->socket) != 1)
		abort();
	if (world_claims(l) != claims)
		abort();
}

static inline void link_segment(struct link *l, bool out, uint32_t sequence, unsigned int flags,
				const void *bytes, size_t size)
{
	static struct packet p;

	link_packet(l, out, &p, sequence, flags, bytes, size);
	link_show(l, out, &p);
}

/* Bytes of a stream in their turn, or a datagram. */
static inline void link_bytes(struct link *l, bool out, const void *bytes, size_t size)
{
	uint32_t *next = out ? &l->sent : &l->received;

	link_segment(l, out, *next, TCP_ACK_FLAG | TCP_PUSH_FLAG, bytes, size);
	*next += (uint32_t)size;
}

/* One side's SYN, with the first bytes in it if there are any (RFC 7413). */
static inline void link_syn(struct link *l, bool out, const void *bytes, size_t size)
{
	uint32_t *next = out ? &l->sent : &l->received;

	link_segment(l, out, *next, TCP_SYN | (out ? 0 : TCP_ACK_FLAG), bytes, size);
	*next += 1 + (uint32_t)size;
}

static inline void link_handshake(struct link *l)
{
	link_syn(l, true, NULL, 0);
	link_syn(l, false, NULL, 0);
	link_segment(l, true, l->sent, TCP_ACK_FLAG, NULL, 0);
}

/* A message in its turn; over TCP with its length in front. */
static inline void link_message(struct link *l, bool out, const struct wire *w)
{
	static uint8_t bytes[WIRE_MAX + 2];

	if (!l->tcp) {
		link_bytes(l, out, w->byte, w->size);
		return;
	}
	bytes[0] = (uint8_t)(w->size >> 8);
	bytes[1] = (uint8_t)w->size;
	memcpy(bytes + 2, w->byte, w->size);
	link_bytes(l, out, bytes, w->size + 2);
}

/* ---- the world's rows ---- */

static inline void world_put(struct host_map *map, const void *key, const void *value)
{
	if (bpf_map_update_elem(map, key, value, BPF_ANY))
		abort();
}

static inline void world_rule(uint32_t workload, const char *name)
{
	struct rule_key key = { .workload = workload };
	secret_mask mask = 1;

	memcpy(key.name, name, strlen(name));
	world_put(&rules, &key, &mask);
}

static inline void world_trust(uint32_t workload, const struct party *server)
{
	struct resolver_key key = { .workload = workload, .port = server->port };
	struct resolver_state state = { 0 };

	memcpy(key.address, server->address, 16);
	world_put(&resolvers, &key, &state);
}

static inline uint64_t world_counter(uint32_t counter)
{
	uint64_t *value = bpf_map_lookup_elem(&counters, &counter);

	return *value;
}

static inline void world_reset(void)
{
	host_maps_clear();
	memset(&host, 0, sizeof(host));
	memset(&style, 0, sizeof(style));
	host.time = 1000 * WORLD_SECOND;
	host.netns_cookie = 1;
	workload_id = WORLD_WORKLOAD;
	workload_netns = 1;
	dns_seed = 0x1234567890abcdef;
	dns_ttl_min = TTL_MIN;
	dns_daemon = 0;
	for (unsigned int i = 0; i < DNS_PORTS; i++)
		dns_ports[i] = 53;
}

#endif
