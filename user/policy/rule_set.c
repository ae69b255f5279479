// SPDX-License-Identifier: GPL-2.0-only
/* The rules of one workload and their map rows: see rule_set.h. */
#include "user/policy/rule_set.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bits of workload and port, which stand before the address in a net_key. */
#define NET_KEY_FIXED_BITS 64

#define GROWTH 16

static bool rule_equal(const struct rule *a, const struct rule *b)
{
	return a->kind == b->kind && a->port == b->port && a->prefix_bits == b->prefix_bits &&
	       memcmp(a->address, b->address, ADDRESS_SIZE) == 0 && strcmp(a->name, b->name) == 0;
}

static struct rule_grant *grant_find(const struct rule_set *set, const struct rule *rule)
{
	for (size_t i = 0; i < set->count; i++)
		if (rule_equal(&set->grant[i].rule, rule))
			return &set->grant[i];
	return NULL;
}

static int grant_append(struct rule_set *set, const struct rule *rule, secret_mask secrets)
{
	struct rule_grant *grown;

	if (set->count % GROWTH == 0) {
		grown = realloc(set->grant, (set->count + GROWTH) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		set->grant = grown;
	}
	set->grant[set->count++] = (struct rule_grant){ .rule = *rule, .secrets = secrets };
	return 0;
}

static int grant_add(struct rule_set *set, const struct rule *rule, unsigned int secret,
		     struct error *err)
{
	struct rule_grant *old = grant_find(set, rule);
	secret_mask secrets = (secret_mask)1 << secret;

	if (old) {
		old->secrets |= secrets;
		return 0;
	}
	if (set->count == RULE_SET_MAX)
		return error_config(err, -E2BIG,
				    "more than %d rules; join hosts by *.suffix or ADDRESS/PREFIX",
				    RULE_SET_MAX);
	if (rule_is_broad(rule))
		warning("%s lets the secret go to every name below a single label; write "
			"*.example.%s",
			rule->name, rule->name + 2);
	if (grant_append(set, rule, secrets) < 0)
		return error_no_memory(err, "the rules");
	return 0;
}

/* One element of the list; @rule holds the one in front of it. */
static int element_parse(const char *text, size_t size, struct rule *rule, struct error *err)
{
	return rule_is_port(text, size) ? rule_parse_port(text, size, rule, err)
					: rule_parse(text, size, rule, err);
}

int rule_set_add(struct rule_set *set, const char *hosts, unsigned int secret, struct error *err)
{
	struct rule rule = { 0 };

	if (secret >= WORKLOAD_SECRETS)
		return error_set(err, -EINVAL, "secret number %u is out of range", secret);
	for (;;) {
		size_t size = strcspn(hosts, ",");
		int ret = element_parse(hosts, size, &rule, err);

		if (ret == 0)
			ret = grant_add(set, &rule, secret, err);
		if (ret < 0)
			return ret;
		if (hosts[size] == '\0')
			return 0;
		hosts += size + 1;
	}
}

bool rule_set_matches_name(const struct rule_set *set, const char *name)
{
	for (size_t i = 0; i < set->count; i++)
		if (rule_matches_name(&set->grant[i].rule, name))
			return true;
	return false;
}

bool rule_set_has_names(const struct rule_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->grant[i].rule.kind == RULE_NAME)
			return true;
	return false;
}

/* ---- names ---- */

static bool same_name(const struct rule_grant *a, const struct rule_grant *b)
{
	return b->rule.kind == RULE_NAME && strcmp(a->rule.name, b->rule.name) == 0;
}

static int name_row(const struct rule_grant *grant, uint32_t port, secret_mask secrets,
		    uint32_t workload, rule_emit emit, void *context)
{
	struct rule_key key = { .workload = workload, .port = port };

	memcpy(key.name, grant->rule.name, NAME_SIZE);
	return emit(context, &key, secrets);
}

/* The secrets of all ports of the name in @first, or 0 if an earlier grant has the same name. */
static secret_mask name_secrets(const struct rule_set *set, const struct rule_grant *first)
{
	const struct rule_grant *end = set->grant + set->count;
	secret_mask secrets = 0;

	for (const struct rule_grant *grant = set->grant; grant < end; grant++) {
		if (!same_name(first, grant))
			continue;
		if (grant < first)
			return 0;
		secrets |= grant->secrets;
	}
	return secrets;
}

int rule_set_emit_names(const struct rule_set *set, uint32_t workload, rule_emit emit,
			void *context)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct rule_grant *grant = &set->grant[i];
		secret_mask joined;
		int ret;

		if (grant->rule.kind != RULE_NAME)
			continue;
		ret = name_row(grant, grant->rule.port, grant->secrets, workload, emit, context);
		joined = name_secrets(set, grant);
		if (ret == 0 && joined)
			ret = name_row(grant, 0, joined, workload, emit, context);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* ---- addresses ---- */

static bool net_covers(const struct rule *wide, const struct rule *narrow)
{
	return wide->kind == RULE_NET && wide->port == narrow->port &&
	       wide->prefix_bits <= narrow->prefix_bits &&
	       address_in_prefix(narrow->address, wide->address, wide->prefix_bits);
}

static secret_mask net_secrets(const struct rule_set *set, const struct rule *net)
{
	secret_mask secrets = 0;

	for (size_t i = 0; i < set->count; i++)
		if (net_covers(&set->grant[i].rule, net))
			secrets |= set->grant[i].secrets;
	return secrets;
}

int rule_set_emit_nets(const struct rule_set *set, uint32_t workload, net_emit emit, void *context)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct rule *rule = &set->grant[i].rule;
		struct net_key key = {
			.prefix_bits = NET_KEY_FIXED_BITS + rule->prefix_bits,
			.workload = htonl(workload),
			.port = htonl(rule->port),
		};
		int ret;

		if (rule->kind != RULE_NET)
			continue;
		memcpy(key.address, rule->address, ADDRESS_SIZE);
		ret = emit(context, &key, net_secrets(set, rule));
		if (ret < 0)
			return ret;
	}
	return 0;
}

void rule_set_release(struct rule_set *set)
{
	free(set->grant);
	*set = (struct rule_set){ 0 };
}
