// SPDX-License-Identifier: GPL-2.0-only
/*
 * The argument of -s and its host list. What is accepted must keep the promises
 * of rule.h, and must make map rows.
 */
#include "lib/error.c"
#define warning(...) ((void)0)

#include "lib/address.c"
#undef DIGITS
#include "user/policy/name.c"
#undef DIGITS
#undef LETTERS
#include "lib/clock.c"
#include "lib/number.c"
#include "user/policy/rule.c"
#undef GROWTH
#include "user/policy/rule_set.c"
#include "user/secret/source.c"

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

static void require_rule(const struct rule *rule)
{
	uint8_t masked[ADDRESS_SIZE];
	char name[NAME_SIZE];
	const char *why;
	bool wildcard = rule->name[0] == '*';

	REQUIRE(rule->port > 0);
	if (rule->kind == RULE_NAME) {
		REQUIRE(rule->name[NAME_SIZE - 1] == '\0');
		REQUIRE(name_normalise(rule->name + 2 * wildcard, strlen(rule->name) - 2 * wildcard,
				       name, &why) == 0);
		REQUIRE(strcmp(name, rule->name + 2 * wildcard) == 0);
		REQUIRE(!wildcard || rule->name[1] == '.');
		REQUIRE(rule_matches_name(rule, name) == !wildcard);
		return;
	}
	REQUIRE(rule->prefix_bits <= ADDRESS_BITS);
	memcpy(masked, rule->address, ADDRESS_SIZE);
	address_mask(masked, rule->prefix_bits);
	REQUIRE(memcmp(masked, rule->address, ADDRESS_SIZE) == 0);
}

static int count_name(void *context, const struct rule_key *key, secret_mask secrets)
{
	REQUIRE(secrets != 0 && key->name[0] != 0);
	++*(size_t *)context;
	return 0;
}

static int count_net(void *context, const struct net_key *key, secret_mask secrets)
{
	REQUIRE(secrets != 0 && key->port != 0);
	REQUIRE(key->prefix_bits >= NET_KEY_FIXED_BITS &&
		key->prefix_bits <= NET_KEY_FIXED_BITS + ADDRESS_BITS);
	++*(size_t *)context;
	return 0;
}

static void fuzz_hosts(const char *hosts)
{
	struct error err = { 0 };
	struct rule_set set = { 0 };
	size_t names = 0, nets = 0;
	int ret = rule_set_add(&set, hosts, 0, &err);

	REQUIRE(ret == 0 || err.text[0] != '\0');
	rule_set_add(&set, hosts, 1, &err);
	for (size_t i = 0; i < set.count; i++)
		require_rule(&set.grant[i].rule);
	REQUIRE(rule_set_emit_names(&set, 1, count_name, &names) == 0);
	REQUIRE(rule_set_emit_nets(&set, 1, count_net, &nets) == 0);
	REQUIRE(names + nets >= set.count && names + nets <= 2 * set.count);
	rule_set_release(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct secret_option option;
	struct error err = { 0 };
	struct rule rule;
	char *text = strndup((const char *)data, size);

	if (!text)
		return 0;
	if (secret_option_parse(text, &option, &err) == 0)
		fuzz_hosts(option.hosts);
	fuzz_hosts(text);
	if (rule_parse((const char *)data, size, &rule, &err) == 0)
		require_rule(&rule);
	free(text);
	return 0;
}
