/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which end points does a packet go between? UDP and TCP directly behind the IP
 * header (RFC 791, 8200, 768, 9293); anything else is none of ours: what the
 * answer side does not look at, nobody can be deceived by. That goes for IPv4
 * options too, since a source route leads elsewhere than the header says.
 *
 * The context of a cgroup_skb program begins at the IP header. Fragments do not
 * come here: egress runs before a packet is cut, ingress when it is whole again.
 */
#ifndef KLOAK_DNS_PACKET_H
#define KLOAK_DNS_PACKET_H

#include "kernel/bpf.h"

#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

#define TCP_SYN 0x02
#define TCP_RST 0x04

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define UDP_HEADER  8
#define TCP_HEADER  20

struct endpoint {
	u8 address[16]; /* IPv4 is v4-mapped */
	u32 port;
	u32 reserved;
};

/* What is read of every packet. */
struct ports {
	u32 transport; /* offset of the UDP or TCP header */
	u32 protocol;
	u32 source;
	u32 destination;
};

/* 0, or -1 for a packet that is of no interest. */
KERNEL_INLINE int packet_ports(struct __sk_buff *skb, struct ports *ports)
{
	const u8 *data = (const u8 *)(long)skb->data, *end = (const u8 *)(long)skb->data_end;
	const u8 *transport;
	u64 offset = IPV6_HEADER;

	if (data + IPV4_HEADER > end)
		return -1;
	if (data[0] == (4 << 4 | IPV4_HEADER / 4)) {
		ports->protocol = data[9];
		offset = IPV4_HEADER;
	} else if (data[0] >> 4 == 6) {
		ports->protocol = data[6];
	} else {
		return -1;
	}
	if (ports->protocol != PROTOCOL_UDP && ports->protocol != PROTOCOL_TCP)
		return -1;
	barrier_var(offset);
	transport = data + offset;
	barrier_var(transport);
	if (transport + 4 > end)
		return -1;
	ports->transport = offset;
	ports->source = transport[0] << 8 | transport[1];
	ports->destination = transport[2] << 8 | transport[3];
	return 0;
}

/* The address at @offset of the IP header, for the version in its first byte. */
KERNEL_INLINE int packet_address(struct __sk_buff *skb, int destination, u8 *address)
{
	u8 version;
	u32 mapped[4] = { 0, 0, 0xffff0000, 0 };

	if (bpf_skb_load_bytes(skb, 0, &version, 1))
		return -1;
	if (version >> 4 == 6)
		return bpf_skb_load_bytes(skb, destination ? 24 : 8, address, 16) ? -1 : 0;
	if (bpf_skb_load_bytes(skb, destination ? 16 : 12, &mapped[3], 4))
		return -1;
	__builtin_memcpy(address, mapped, 16);
	return 0;
}

/* A part of a TCP stream. */
struct segment {
	u32 sequence; /* of the first byte at .offset */
	u32 offset;   /* of the payload in the packet */
	u32 size;
	u32 flags;
};

KERNEL_INLINE int packet_segment(struct __sk_buff *skb, const struct ports *ports,
				 struct segment *segment)
{
	u8 header[TCP_HEADER];
	u32 offset;

	if (bpf_skb_load_bytes(skb, ports->transport, header, sizeof(header)))
		return -1;
	offset = ports->transport + (header[12] >> 4) * 4;
	segment->flags = header[13];
	segment->sequence = load_be32(header + 4) + !!(segment->flags & TCP_SYN);
	segment->offset = offset;
	segment->size = skb->len > offset ? skb->len - offset : 0;
	return 0;
}

#endif
