/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line of kloak run: see kloak(1). */
#ifndef KLOAK_RUN_OPTIONS_H
#define KLOAK_RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/abi.h"
#include "lib/error.h"

#define RUN_PINS_MAX	  256
#define RUN_RESOLVERS_MAX 32

/* All strings point into argv. */
struct run_options {
	const char *secrets[WORKLOAD_SECRETS];
	size_t secret_count;
	const char *pins[RUN_PINS_MAX];
	size_t pin_count;
	const char *resolvers[RUN_RESOLVERS_MAX];
	size_t resolver_count;
	bool resolve;
	uint32_t min_ttl;   /* seconds */
	const char *events; /* NULL: none */
	const char *user;   /* NULL: see account_find() */
	uint64_t keep_caps;
	char **command; /* NULL-terminated */
	bool help;
};

/* argv[0] is "run". Mistakes are -EINVAL with a sentence and exit code EXIT_CONFIG. */
int run_options_parse(struct run_options *options, int argc, char **argv, struct error *err);

extern const char run_usage[];

#endif
