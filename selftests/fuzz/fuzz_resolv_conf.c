// SPDX-License-Identifier: GPL-2.0-only
/*
 * resolv.conf(5), and the argument of --resolver: every endpoint that comes from
 * them is an address that a resolver can have, and is there once.
 */
#include "lib/error.c"
#define warning(...) ((void)0)

#include "lib/address.c"
#include "lib/number.c"
#include "user/policy/resolv_conf.c"
#include "user/policy/trusted_file.c"
#include "user/policy/resolvers.c"

/* Messages are not looked at here; rule.c, where this stands, has its own target. */
const char *rule_quote(const char *text, size_t size, char quote[static RULE_QUOTE_SIZE])
{
	(void)text, (void)size;
	quote[0] = '\0';
	return quote;
}

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

static void require_endpoints(const struct resolver_set *set)
{
	char text[INET6_ADDRSTRLEN];
	struct resolver_set again = { 0 };
	struct error err = { 0 };

	REQUIRE(set->count <= RESOLVER_SET_MAX && set->cgroup_count <= RESOLVER_CGROUPS_MAX);
	for (size_t i = 0; i < set->count; i++) {
		const struct resolver_endpoint *resolver = &set->resolver[i];

		REQUIRE(resolver->port > 0);
		REQUIRE(!resolver_address_fault(resolver->address));
		REQUIRE(resolver_set_add(&again, address_format(resolver->address, text), &err) ==
			0);
		REQUIRE(memcmp(again.resolver[again.count - 1].address, resolver->address,
			       ADDRESS_SIZE) == 0 ||
			again.count <= i);
		for (size_t j = 0; j < i; j++)
			REQUIRE(memcmp(resolver, &set->resolver[j], sizeof(*resolver)) != 0);
	}
	for (size_t i = 0; i < set->cgroup_count; i++)
		REQUIRE(set->cgroup[i][0] == '/' && !climbs(set->cgroup[i]));
}

static int check_word(void *context, const char *server, size_t size)
{
	REQUIRE(size > 0 && size <= RESOLV_CONF_LINE_MAX);
	for (size_t i = 0; i < size; i++)
		REQUIRE(!is_space(server[i]) && server[i] != '\n');
	return conf_server(context, server, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1); /* its end is where ASan looks */
	char *option = strndup((const char *)data, size);
	struct resolver_set set = { 0 };
	struct conf_context context = { .set = &set, .path = "" };
	struct error err = { 0 };

	if (copy && option) {
		memcpy(copy, data, size);
		REQUIRE(resolv_conf_parse(copy, size, check_word, &context) == 0);
		require_endpoints(&set);
		set = (struct resolver_set){ 0 };
		if (resolver_set_add(&set, option, &err) == 0)
			REQUIRE(set.count + set.cgroup_count == 1);
		else
			REQUIRE(err.text[0] && set.count + set.cgroup_count == 0);
		require_endpoints(&set);
	}
	free(copy);
	free(option);
	return 0;
}
