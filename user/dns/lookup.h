/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kloak run --resolve: looking up the names that rules have in full, at the
 * start and again whenever an answer ends.
 *
 * Life cycle: dns_lookup_open() -> dns_lookup_wait() -> dns_lookup_step() now
 * and then -> dns_lookup_close(). Nothing but dns_lookup_wait() blocks. The
 * network is read only after the kernel has the secrets and this process has
 * none: see user/run/session.h.
 */
#ifndef KLOAK_DNS_LOOKUP_H
#define KLOAK_DNS_LOOKUP_H

#include "user/policy/resolvers.h"

#define DNS_LOOKUP_NAMES 256
#define DNS_LOOKUP_GRACE 5  /* seconds that an answer still counts while it is asked for again */
#define DNS_LOOKUP_EMPTY 60 /* seconds until a name without addresses is asked for again */
#define DNS_LOOKUP_RETRY 30 /* seconds until a name is, for which nobody answered */

/* Takes "@name has @address until @expires" (ns). Returns 0 or a negative errno. */
typedef int (*dns_found)(void *context, const char *name,
			 const uint8_t address[static ADDRESS_SIZE], uint64_t expires);

struct dns_lookup_options {
	const struct rule_set *rules; /* both have to stay */
	const struct resolver_set *resolvers;
	uint32_t min_ttl; /* seconds */
	dns_found found;
	void *context;
};

struct dns_lookup;

/*
 * Sets *@lookup, or leaves it NULL, with a warning, if there is nobody to ask or
 * nothing to ask for. Returns 0, or -ENOMEM with a sentence.
 */
int dns_lookup_open(const struct dns_lookup_options *options, struct dns_lookup **lookup,
		    struct error *err);

/*
 * Asks until every name had its turn, or for @timeout ns. A warning for each
 * name that has no address then, with the cause.
 */
void dns_lookup_wait(struct dns_lookup *lookup, uint64_t timeout);

/* Takes what came, asks what is due at @now (clock_now()). NULL: does nothing. */
void dns_lookup_step(struct dns_lookup *lookup, uint64_t now);

/* NULL: does nothing. */
void dns_lookup_close(struct dns_lookup *lookup);

#endif
