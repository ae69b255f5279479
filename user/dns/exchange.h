/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One question to one name server, over UDP, and over TCP if the answer is cut.
 * A state machine that never blocks:
 *
 *	dns_exchange_start() -> dns_exchange_step() until it does not return 0
 *
 * which ends it; dns_exchange_end() ends it before. Every question has a socket
 * of its own, connected to the server, with a port that the kernel chooses at
 * random, and a random number: an answer from elsewhere has to guess both. The
 * port can be read in /proc/net/udp, so what does not guess right the first few
 * times is not let guess on: the question is asked over TCP then, where packets
 * from elsewhere have no place.
 */
#ifndef KLOAK_DNS_EXCHANGE_H
#define KLOAK_DNS_EXCHANGE_H

#include "lib/clock.h"
#include "user/dns/answer.h"
#include "user/policy/resolvers.h"

#define DNS_UDP_TIMEOUT NSEC_PER_SEC  /* ns until the next attempt */
#define DNS_TCP_TIMEOUT 2000000000ULL /* ns */
#define DNS_STRANGERS	3	      /* answers to something else until TCP is taken */

struct dns_exchange {
	struct dns_question question;
	const struct resolver_endpoint *server;
	bool edns;
	bool forged; /* too many answers over UDP were to something else */
	uint16_t id;
	int fd;
	uint64_t deadline;	/* CLOCK_MONOTONIC, ns */
	unsigned int strangers; /* answers to something else */
	uint8_t *stream;	/* TCP: length and message as they come; NULL: UDP */
	size_t sent, got;
};

enum dns_exchange_way {
	DNS_EXCHANGE_EDNS = 1, /* with an OPT record */
	DNS_EXCHANGE_TCP = 2,  /* from the beginning */
};

/* @server has to stay. Returns 0 or a negative errno; nothing is open then. */
int dns_exchange_start(struct dns_exchange *exchange, const struct dns_question *question,
		       const struct resolver_endpoint *server, unsigned int way, uint64_t now);

/*
 * Returns 0 if there is nothing yet, 1 with @answer, or a negative errno:
 * -ETIMEDOUT, or what the network or the server did. Not 0: it is over.
 */
int dns_exchange_step(struct dns_exchange *exchange, struct dns_reader *reader, uint64_t now,
		      struct dns_answer *answer);

/* What to poll(2) the descriptor for. */
short dns_exchange_events(const struct dns_exchange *exchange);

void dns_exchange_end(struct dns_exchange *exchange);

#endif
