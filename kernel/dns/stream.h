/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages out of the segments of a TCP connection to a resolver: see dns/socket.h. */
#ifndef KLOAK_DNS_STREAM_H
#define KLOAK_DNS_STREAM_H

#include "kernel/dns/learn.h"

#define DNS_PREFIX     2
#define DNS_READ_TURNS 160 /* pieces of a message of 64 KiB */

struct dns_read {
	struct __sk_buff *skb;
	struct dns_stream_side *side;
};

/* The first two bytes of a message. */
KERNEL_INLINE long dns_read_prefix(struct dns_read *read, struct dns_stream_side *side)
{
	u64 to = side->have;

	barrier_var(to);
	if (to >= DNS_PREFIX || bpf_skb_load_bytes(read->skb, side->at, side->prefix + to, 1)) {
		side->state = DNS_STREAM_LOST;
		return 1;
	}
	side->have++;
	side->at++;
	side->left--;
	return 0;
}

/* Up to DNS_PIECE bytes of the message; what is behind DNS_MESSAGE_MAX is passed over. */
KERNEL_INLINE long dns_read_piece(struct dns_read *read, struct dns_stream_side *side, u64 length)
{
	u64 to = side->have - DNS_PREFIX;
	u64 take = length - to;

	if (take > side->left)
		take = side->left;
	if (take > DNS_PIECE)
		take = DNS_PIECE;
	side->have += take;
	if (to < DNS_MESSAGE_MAX && take) {
		u64 size = take - 1;

		barrier_var(to);
		to &= DNS_MESSAGE_MASK;
		barrier_var(size);
		size &= DNS_PIECE - 1;
		barrier_var(size);
		if (bpf_skb_load_bytes(read->skb, side->at, side->message.byte + to, size + 1)) {
			side->state = DNS_STREAM_LOST;
			return 1;
		}
	}
	side->at += take;
	side->left -= take;
	return 0;
}

/* Stops at the end of the segment, and of a message. */
static long dns_read_step(__attribute__((unused)) u32 i, struct dns_read *read)
{
	struct dns_stream_side *side = read->side;
	u32 length = (u32)side->prefix[0] << 8 | side->prefix[1];

	if (!side->left)
		return 1;
	if (side->have < DNS_PREFIX)
		return dns_read_prefix(read, side);
	if (dns_read_piece(read, side, length))
		return 1;
	return side->have >= length + DNS_PREFIX;
}

/* The bytes of the segment that are new, or nothing. */
KERNEL_INLINE void dns_stream_take(struct dns_stream_side *side, const struct segment *segment)
{
	u32 known = side->next - segment->sequence;

	side->left = 0;
	if (!segment->size || (s32)(side->next - (segment->sequence + segment->size)) >= 0)
		return;
	if ((s32)known < 0) {
		side->state = DNS_STREAM_LOST; /* one in between went another way */
		counter_add(COUNTER_ANSWERS_LOST);
		return;
	}
	side->at = segment->offset + known;
	side->left = segment->size - known;
	side->next += side->left;
}

/* The segment is the next of this side, or its first. */
KERNEL_GLOBAL int dns_stream_begin(struct dns_stream_side *side, const struct segment *segment)
{
	if (!side || !segment)
		return -1;
	if (segment->flags & TCP_SYN) {
		side->next = segment->sequence;
		side->have = 0;
		side->state = DNS_STREAM_WHOLE;
	}
	if (side->state == DNS_STREAM_WHOLE)
		dns_stream_take(side, segment);
	else
		side->left = 0;
	return 0;
}

/* Reads on to the end of a message: 1 if side->message is whole, 0 if there is no more. */
KERNEL_GLOBAL int dns_stream_message(struct __sk_buff *skb, struct dns_stream_side *side)
{
	struct dns_read read = { .skb = skb, .side = side };
	u32 length;

	if (!skb || !side || !side->left || side->state != DNS_STREAM_WHOLE)
		return 0;
	bpf_loop(DNS_READ_TURNS, dns_read_step, &read, 0);
	length = (u32)side->prefix[0] << 8 | side->prefix[1];
	if (side->state != DNS_STREAM_WHOLE || side->have < DNS_PREFIX ||
	    side->have < length + DNS_PREFIX)
		return 0;
	side->have = 0;
	side->message.size = length < DNS_MESSAGE_MAX ? length : DNS_MESSAGE_MAX;
	return 1;
}

#endif
