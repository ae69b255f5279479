/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the DNS object knows about a socket of a workload.
 *
 * "dns_sockets" is made when the socket is created, if that is in the
 * workload's own network namespace: in one that the application made itself it
 * can be any server. It holds the questions that this socket has asked; an
 * answer must come back to the same socket. Sockets that were accepted have
 * none, and so no say. Neither have those that the application bound to a
 * device: on another link the resolver's address can be another host's.
 *
 * "dns_queries" and "dns_answers" are made when a TCP connection to a resolver
 * begins. Each side's bytes are put together from the segments as they pass. TCP
 * has not sorted them yet: a segment that comes again is left out, one that comes
 * early ends the reading of this connection. A side each, since both together are
 * more than the kernel allocates (BPF_STORAGE_MAX).
 *
 * The kernel frees them with the socket. No lock is held in these programs, and
 * two packets of a socket can be in them at once: questions are single words,
 * and a side of a stream is claimed.
 */
#ifndef KLOAK_DNS_SOCKET_H
#define KLOAK_DNS_SOCKET_H

#include "kernel/dns/message.h"
#include "kernel/dns/packet.h"
#include "kernel/maps.h"

#define DNS_PENDING 64		   /* questions in flight; a power of 2 */
#define DNS_TIMEOUT 15000000000ULL /* ns: a later answer does not count */

struct dns_pending {
	u64 question; /* hash of id, type, name and server; 0: none */
	u64 time;
};

struct dns_socket {
	u32 next; /* slot */
	u32 reserved;
	struct dns_pending pending[DNS_PENDING];
};

enum dns_stream_state {
	DNS_STREAM_NONE = 0, /* its beginning was not seen */
	DNS_STREAM_WHOLE,
	DNS_STREAM_LOST,
};

/* One direction. Messages have their length in front (RFC 1035, 4.2.2). */
struct dns_stream_side {
	u32 busy;  /* claimed */
	u32 state; /* enum dns_stream_state */
	u32 next;  /* sequence number */
	u32 have;  /* bytes of the message and of its prefix */
	u32 at;	   /* scratch: of the segment, what is to be read */
	u32 left;
	u8 prefix[4]; /* two of them used */
	struct dns_message message;
};

BPF_MAP(dns_sockets, BPF_MAP_TYPE_SK_STORAGE, sizeof(u32), sizeof(struct dns_socket), 0,
	BPF_F_NO_PREALLOC);
BPF_MAP(dns_queries, BPF_MAP_TYPE_SK_STORAGE, sizeof(u32), sizeof(struct dns_stream_side), 0,
	BPF_F_NO_PREALLOC);
BPF_MAP(dns_answers, BPF_MAP_TYPE_SK_STORAGE, sizeof(u32), sizeof(struct dns_stream_side), 0,
	BPF_F_NO_PREALLOC);

/* What must be the same in a question and its answer. Never 0. */
KERNEL_INLINE u64 dns_question_hash(const struct dns_reading *r, const struct endpoint *server)
{
	u64 hash = dns_mix(r->name_hash, (u64)r->id << 32 | (u64)r->type << 16 | 1);

	hash = dns_mix(hash, load_le64(server->address));
	hash = dns_mix(hash, load_le64(server->address + 8));
	return dns_mix(hash, server->port) | 1;
}

KERNEL_INLINE void dns_pending_add(struct dns_socket *socket, u64 question)
{
	u64 slot = __sync_fetch_and_add(&socket->next, 1);

	barrier_var(slot);
	slot &= DNS_PENDING - 1;
	barrier_var(slot);
	socket->pending[slot].time = bpf_ktime_get_ns();
	socket->pending[slot].question = question;
}

struct dns_pending_search {
	struct dns_socket *socket;
	u64 question;
	u64 since;
};

static long dns_pending_step(u32 i, struct dns_pending_search *search)
{
	u64 slot = i;
	struct dns_pending *pending;

	barrier_var(slot);
	if (slot >= DNS_PENDING)
		return 1;
	pending = &search->socket->pending[slot];
	if (pending->question != search->question || pending->time < search->since)
		return 0;
	pending->question = 0;
	search->question = 0; /* found */
	return 1;
}

/* Was this asked, not long ago, and not answered yet? Stubs ask again with the same id. */
KERNEL_INLINE int dns_pending_take(struct dns_socket *socket, u64 question)
{
	u64 now = bpf_ktime_get_ns();
	struct dns_pending_search search = {
		.socket = socket,
		.question = question,
		.since = now > DNS_TIMEOUT ? now - DNS_TIMEOUT : 0,
	};

	bpf_loop(DNS_PENDING, dns_pending_step, &search, 0);
	return !search.question;
}

#endif
