/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules of one workload: which secrets may go where, and the rows of the
 * maps "rules" and "nets" that say so.
 *
 * Life cycle: zero-initialise -> rule_set_add() for each secret -> emit ->
 * rule_set_release().
 */
#ifndef KLOAK_POLICY_RULE_SET_H
#define KLOAK_POLICY_RULE_SET_H

#include <stdint.h>

#include "user/policy/rule.h"

/* Rules of one workload, all secrets together; the maps are sized by it. */
#define RULE_SET_MAX 1024

struct rule_grant {
	struct rule rule;
	secret_mask secrets;
};

struct rule_set {
	struct rule_grant *grant; /* no two with the same rule */
	size_t count;
};

/*
 * Adds the host list @hosts (see rule.h) for secret number @secret. A rule that is there
 * already is joined with it. Returns 0, or with a sentence in @err: -EINVAL for
 * a bad host, -E2BIG for too many rules, -ENOMEM; the hosts before it are in the set.
 */
int rule_set_add(struct rule_set *set, const char *hosts, unsigned int secret, struct error *err);

/* Does any name rule, whatever its port and secret, cover the normalised @name? */
bool rule_set_matches_name(const struct rule_set *set, const char *name);

/* Is there any name rule? */
bool rule_set_has_names(const struct rule_set *set);

/* Takes one row of the map "rules" or "nets". Returns 0 or a negative errno. */
typedef int (*rule_emit)(void *context, const struct rule_key *key, secret_mask secrets);
typedef int (*net_emit)(void *context, const struct net_key *key, secret_mask secrets);

/*
 * Every name with its port, and every name once more with port 0, joining the
 * secrets of all its ports. A name row does not hold the secrets of wildcards
 * that cover it: the kernel looks those up on their own.
 * Returns 0, or what @emit returned when it failed.
 */
int rule_set_emit_names(const struct rule_set *set, uint32_t workload, rule_emit emit,
			void *context);

/*
 * Every prefix with its port. The kernel's trie finds the longest prefix only,
 * so a row holds the secrets of every shorter one that covers it as well.
 */
int rule_set_emit_nets(const struct rule_set *set, uint32_t workload, net_emit emit, void *context);

void rule_set_release(struct rule_set *set);

#endif
