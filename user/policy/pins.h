/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Static pins: "this name has this address", said by the administrator with
 * --pin HOST=ADDR or in the node's hosts file, and not by a resolver. They
 * become rows of the map "verified" that never expire.
 *
 * Life cycle: zero-initialise -> pin_set_add(), pin_set_add_hosts() ->
 * pin_set_emit() -> pin_set_release().
 */
#ifndef KLOAK_POLICY_PINS_H
#define KLOAK_POLICY_PINS_H

#include <stdint.h>

#include "user/policy/rule_set.h"

#define PIN_SET_MAX	4096
#define PINS_HOSTS_PATH "/etc/hosts"

struct pin {
	uint8_t address[ADDRESS_SIZE];
	char *name; /* normalised */
};

struct pin_set {
	struct pin *pin; /* no two the same */
	size_t count;
};

/*
 * Adds one --pin HOST=ADDR: an exact name, and an IPv4 or IPv6 address with or
 * without brackets. Returns 0, or with a sentence in @err: -EINVAL for bad text,
 * -E2BIG, -ENOMEM. A pin for a name that no rule covers is kept, with a warning.
 */
int pin_set_add(struct pin_set *set, const struct rule_set *rules, const char *text,
		struct error *err);

/*
 * Adds the names of the hosts file @path that some rule covers. A missing file
 * has no names. A file that others than root and the user of Kloak may change
 * is ignored with a warning: the application could have written it.
 * Returns 0, or with a sentence in @err: -E2BIG, -ENOMEM, or why it cannot be read.
 */
int pin_set_add_hosts(struct pin_set *set, const struct rule_set *rules, const char *path,
		      struct error *err);

/* Takes one row of the map "verified". Returns 0 or a negative errno. */
typedef int (*verified_emit)(void *context, const struct verified_key *key,
			     const struct verified *row);

/* Hands @emit each pin whose name some rule covers. Returns 0, or what @emit returned. */
int pin_set_emit(const struct pin_set *set, const struct rule_set *rules, uint32_t workload,
		 verified_emit emit, void *context);

void pin_set_release(struct pin_set *set);

#endif
