// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DNS object: what name servers tell a workload about the addresses of the
 * names in its rules. It knows nothing about TLS; the socket object reads what
 * it has learnt from the map "verified".
 *
 * Attached to the workload's cgroup, or to that of a resolver daemon. Every
 * packet of the cgroup's sockets comes by, so what is not DNS leaves after the
 * ports have been looked at. No packet is changed or dropped.
 */
#include "kernel/address.h"
#include "kernel/dns/stream.h"

#define DNS_PORTS	 4
#define SEGMENT_MESSAGES 8

/* Ports that resolvers listen on; unused ones repeat the first. */
BPF_SETTING u32 dns_ports[DNS_PORTS] = { 53, 53, 53, 53 };

#define SOCK_STREAM 1
#define SOCK_DGRAM  2

KERNEL_INLINE int port_watched(u32 port)
{
	return port == dns_ports[0] || port == dns_ports[1] || port == dns_ports[2] ||
	       port == dns_ports[3];
}

/*
 * A socket is made in the workload. Marks those of its own network namespace;
 * the others have no say in names.
 */
SEC("cgroup/sock_create")
int dns_socket_created(struct bpf_sock *ctx)
{
	if (ctx->family != AF_INET && ctx->family != AF_INET6)
		return 1;
	if (ctx->type != SOCK_STREAM && ctx->type != SOCK_DGRAM)
		return 1;
	if (workload_netns && bpf_get_netns_cookie(ctx) != workload_netns)
		return 1;
	if (!bpf_sk_storage_get(&dns_sockets, ctx, NULL, BPF_SK_STORAGE_GET_F_CREATE))
		counter_add(COUNTER_NO_DNS_STATE);
	return 1;
}

/* NULL for a socket that has no say: see dns/socket.h. */
KERNEL_INLINE struct dns_socket *dns_socket_get(struct bpf_sock *sk)
{
	struct dns_socket *socket;

	if (sk->bound_dev_if && !dns_daemon)
		return NULL;
	socket = bpf_sk_storage_get(&dns_sockets, sk, NULL,
				    dns_daemon ? BPF_SK_STORAGE_GET_F_CREATE : 0);
	if (!socket && dns_daemon)
		counter_add(COUNTER_NO_DNS_STATE);
	return socket;
}

/* A datagram's payload into work->message. */
KERNEL_INLINE int dns_datagram(struct __sk_buff *skb, u32 transport, struct dns_message *m)
{
	u64 size = skb->len;

	if (size <= transport + UDP_HEADER)
		return -1;
	size -= transport + UDP_HEADER;
	if (size > DNS_MESSAGE_MAX)
		size = DNS_MESSAGE_MAX;
	m->size = size;
	size--;
	barrier_var(size);
	size &= DNS_MESSAGE_MASK;
	barrier_var(size);
	return bpf_skb_load_bytes(skb, transport + UDP_HEADER, m->byte, size + 1) ? -1 : 0;
}

/* The messages of one segment; more than it has room for end the reading of this connection. */
KERNEL_GLOBAL int dns_messages(struct __sk_buff *skb, struct dns_stream_side *side,
			       struct dns_socket *socket, u64 slot)
{
	u32 i;

	if (!skb || !side || !socket)
		return -1;
	for (i = 0; i < SEGMENT_MESSAGES; i++) {
		if (!dns_stream_message(skb, side))
			break;
		dns_message(&side->message, socket, slot);
	}
	if (side->left) {
		side->state = DNS_STREAM_LOST;
		counter_add(COUNTER_ANSWERS_LOST);
	}
	return 0;
}

/* A connection to a resolver begins. Without queries, answers would be doubted: neither is read. */
KERNEL_INLINE void dns_stream_open(struct bpf_sock *sk)
{
	struct dns_stream_side *answer = NULL;

	if (bpf_sk_storage_get(&dns_queries, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE))
		answer = bpf_sk_storage_get(&dns_answers, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (answer)
		answer->state = DNS_STREAM_NONE; /* what an earlier connection left */
	else
		counter_add(COUNTER_NO_DNS_STATE);
}

KERNEL_INLINE struct dns_stream_side *dns_stream_side(struct bpf_sock *sk, u32 is_answer)
{
	return is_answer ? bpf_sk_storage_get(&dns_answers, sk, NULL, 0)
			 : bpf_sk_storage_get(&dns_queries, sk, NULL, 0);
}

/* A segment of the connection @sk to a trusted resolver. */
KERNEL_INLINE void dns_segment(struct __sk_buff *skb, struct bpf_sock *sk,
			       struct dns_socket *socket, const struct ports *ports, u64 slot)
{
	struct dns_work *work = dns_work_get(slot);
	struct dns_stream_side *side;
	struct segment segment;

	if (!work || packet_segment(skb, ports, &segment) || segment.flags & TCP_RST)
		return;
	if (!segment.size && !(segment.flags & TCP_SYN))
		return; /* acknowledgements go by at any time, beside a segment that is read */
	if (segment.flags & TCP_SYN && !work->is_answer)
		dns_stream_open(sk);
	side = dns_stream_side(sk, work->is_answer);
	if (!side)
		return;
	if (__sync_lock_test_and_set(&side->busy, 1)) {
		side->state = DNS_STREAM_LOST;
		counter_add(COUNTER_ANSWERS_LOST);
		return;
	}
	dns_stream_begin(side, &segment);
	dns_messages(skb, side, socket, slot);
	side->busy = 0;
}

/* A packet between @sk and @server, which is trusted if it is to it. */
KERNEL_INLINE void dns_packet(struct __sk_buff *skb, struct bpf_sock *sk, const struct ports *ports,
			      const struct endpoint *server, u32 is_answer, u32 trusted)
{
	struct dns_socket *socket = dns_socket_get(sk);
	struct dns_work *work;
	u64 slot;

	if (!socket)
		return;
	slot = dns_work_claim();
	work = dns_work_get(slot);
	if (!work)
		return;
	work->server = *server;
	work->is_answer = is_answer;
	work->trusted = trusted;
	if (ports->protocol == PROTOCOL_TCP)
		dns_segment(skb, sk, socket, ports, slot);
	else if (!dns_datagram(skb, ports->transport, &work->message))
		dns_message(&work->message, socket, slot);
	dns_work_release(slot);
}

KERNEL_INLINE u32 resolver_side(const struct ports *ports)
{
	return ports->protocol == PROTOCOL_TCP ? RESOLVER_TCP : RESOLVER_UDP;
}

/* Where the application connected the socket to. NAT may send its packets elsewhere. */
KERNEL_INLINE int dns_peer(struct __sk_buff *skb, const struct bpf_sock *sk, u32 port,
			   struct endpoint *server)
{
	u32 v6[4] = { sk->dst_ip6[0], sk->dst_ip6[1], sk->dst_ip6[2], sk->dst_ip6[3] };

	server->reserved = 0;
	server->port = bpf_ntohs(sk->dst_port);
	if (!server->port) {
		server->port = port;
		return packet_address(skb, 1, server->address);
	}
	address_form(sk->family, sk->dst_ip4, v6, server->address);
	return 0;
}

/* A packet to a port that resolvers listen on. */
KERNEL_INLINE void dns_sent(struct __sk_buff *skb, struct bpf_sock *sk, const struct ports *ports)
{
	struct endpoint server = {};

	if (dns_peer(skb, sk, ports->destination, &server))
		return;
	if (dns_daemon || resolver_find(&server))
		dns_packet(skb, sk, ports, &server, 0, 1);
}

/* A packet from a port that resolvers listen on. */
KERNEL_INLINE void dns_received(struct __sk_buff *skb, struct bpf_sock *sk,
				const struct ports *ports)
{
	struct endpoint server = { .port = ports->source };
	struct resolver_state *resolver;

	if (packet_address(skb, 0, server.address))
		return;
	resolver = resolver_find(&server);
	dns_packet(skb, sk, ports, &server, 1,
		   dns_daemon || (resolver && !(resolver->impersonated & resolver_side(ports))));
}

/*
 * A packet from a port that resolvers listen on leaves a socket of the workload:
 * if it has a trusted resolver's address as well, the application answers in
 * that one's name. From now on nothing that comes from there counts.
 */
KERNEL_INLINE void dns_impersonated(struct __sk_buff *skb, const struct ports *ports)
{
	struct endpoint server = {};
	struct resolver_state *resolver;

	if (packet_address(skb, 0, server.address))
		return;
	server.port = ports->source;
	resolver = resolver_find(&server);
	if (!resolver)
		return;
	__sync_fetch_and_or(&resolver->impersonated, resolver_side(ports));
	counter_add(COUNTER_IMPERSONATED);
}

/* Every packet that a socket of the cgroup sends. Reads its ports; see dns_sent(). */
SEC("cgroup_skb/egress")
int dns_egress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct ports ports;
	u32 peer;

	if (packet_ports(skb, &ports))
		return 1;
	if (port_watched(ports.source) && !dns_daemon)
		dns_impersonated(skb, &ports);
	sk = sk ? bpf_sk_fullsock(sk) : NULL;
	if (!sk)
		return 1;
	peer = bpf_ntohs(sk->dst_port);
	if (port_watched(peer ? peer : ports.destination))
		dns_sent(skb, sk, &ports);
	return 1;
}

/* Every packet that a socket of the cgroup receives. Reads its ports; see dns_received(). */
SEC("cgroup_skb/ingress")
int dns_ingress(struct __sk_buff *skb)
{
	struct bpf_sock *sk;
	struct ports ports;

	if (packet_ports(skb, &ports) || !port_watched(ports.source))
		return 1;
	sk = skb->sk;
	sk = sk ? bpf_sk_fullsock(sk) : NULL;
	if (sk)
		dns_received(skb, sk, &ports);
	return 1;
}

LICENSE("GPL");
