/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One question to one name server, over UDP, and over TCP if the answer is cut.
 * A state machine that never blocks:
 *
 *	dns_exchange_start() -> dns_exchange_step() until it does not return 0
 *
 * which ends it; dns_exchange_end() ends it before. Every question has a socket
 * of its own, connected to the server, with a port that the kernel chooses at
 * random, and a random number: an answer from elsewhere has to guess both.
 */
#ifndef KLOAK_DNS_EXCHANGE_H
#define KLOAK_DNS_EXCHANGE_H

#include "user/dns/answer.h"
#include "user/policy/resolvers.h"

#define DNS_UDP_TIMEOUT 1000000000ULL /* ns until the next attempt */
#define DNS_TCP_TIMEOUT 2000000000ULL /* ns */
#define DNS_STRANGERS   64            /* wrong answers until the question is dropped */

struct dns_exchange {
	struct dns_question question;
	const struct resolver_endpoint *server;
	bool edns;
	uint16_t id;
	int fd;
	uint64_t deadline; /* CLOCK_MONOTONIC, ns */
	unsigned int strangers;
	uint8_t *stream; /* TCP: length and message as they come; NULL: UDP */
	size_t sent, got;
};

/* @server has to stay. Returns 0 or a negative errno; nothing is open then. */
int dns_exchange_start(struct dns_exchange *exchange, const struct dns_question *question,
		       const struct resolver_endpoint *server, bool edns, uint64_t now);

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
