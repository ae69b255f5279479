/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trusted resolvers: the name servers whose answers count as proof that a name
 * has an address. Named by --resolver, or else those of resolv.conf.
 *
 * A resolver daemon that takes questions by another way than the network (nscd,
 * systemd-resolved through nss-resolve) is named by its cgroup: what it is told by
 * the servers that it asks then counts for the workload.
 *
 * Life cycle: zero-initialise -> resolver_set_add() -> resolver_set_add_resolv_conf()
 * -> resolver_set_warn() -> resolver_set_emit(). Nothing is allocated.
 */
#ifndef KLOAK_POLICY_RESOLVERS_H
#define KLOAK_POLICY_RESOLVERS_H

#include <stdint.h>
#include <time.h>

#include "user/policy/pins.h"
#include "user/policy/resolv_conf.h"

#define RESOLVER_SET_MAX      16
#define RESOLVER_CGROUPS_MAX  4
#define RESOLVER_PORT_DEFAULT 53

struct resolver_endpoint {
	uint8_t address[ADDRESS_SIZE];
	uint16_t port; /* host order; never 0 */
};

struct resolver_set {
	struct resolver_endpoint resolver[RESOLVER_SET_MAX]; /* no two the same */
	size_t count;
	const char *cgroup[RESOLVER_CGROUPS_MAX]; /* "/system.slice/...", in the caller's text */
	size_t cgroup_count;
	struct timespec file_time; /* of the resolv.conf that the endpoints are from; 0: none */
	uint64_t file_number;
};

/*
 * Adds one --resolver:
 *
 *	ADDRESS[:PORT] [V6ADDRESS][:PORT] V6ADDRESS	an endpoint
 *	cgroup:PATH	a daemon's cgroup, as it stands below the cgroup2 mount
 *
 * Returns 0, or with a sentence in @err (exit code EXIT_CONFIG): -EINVAL for bad
 * text and for addresses that no resolver has, -E2BIG.
 */
int resolver_set_add(struct resolver_set *set, const char *text, struct error *err);

/*
 * Adds the name servers of the file @path, unless the set has an endpoint
 * already. A missing file names none. A file that the application could have
 * written is ignored with a warning, and so is every line that names no address
 * to which a row can be made, such as one with a zone.
 * Returns 0, or a negative errno with a sentence: why it cannot be read.
 */
int resolver_set_add_resolv_conf(struct resolver_set *set, const char *path, struct error *err);

/*
 * If the endpoints are those of the file @path, and it has changed (the machine
 * has moved to another network), reads it again; without a warning, and a file
 * that names nobody is left for the next time. Returns true if the endpoints
 * are others now; *before then has what they were.
 */
bool resolver_set_follow(struct resolver_set *set, const char *path, struct resolver_set *before);

bool resolver_set_has(const struct resolver_set *set, const struct resolver_endpoint *resolver);

/*
 * Warns of name rules that nothing but @pins can verify, and of resolvers in
 * whose place any user of this machine could answer.
 */
void resolver_set_warn(const struct resolver_set *set, const struct rule_set *rules,
		       const struct pin_set *pins);

/* Takes one endpoint. Returns 0 or a negative errno. */
typedef int (*resolver_emit)(void *context, uint32_t workload,
			     const uint8_t address[static ADDRESS_SIZE], uint16_t port);

/* Hands @emit every endpoint. Returns 0, or what @emit returned when it failed. */
int resolver_set_emit(const struct resolver_set *set, uint32_t workload, resolver_emit emit,
		      void *context);

/*
 * Why a resolver cannot have @address, and what to write instead; NULL if it can.
 * Link-local IPv6 addresses are among them: on each interface they are another host.
 */
const char *resolver_address_fault(const uint8_t address[static ADDRESS_SIZE]);

#endif
