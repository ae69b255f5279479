// SPDX-License-Identifier: GPL-2.0-only
/* Parsing destination rules: see rule.h for the grammar. */
#include "user/policy/rule.h"

#include "lib/cleanup.h"
#include "lib/number.h"
#include "user/policy/name.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* A part of the text; not terminated. */
struct slice {
	const char *at;
	size_t size;
};

/* HOST[/PREFIX][:PORT], taken apart. */
struct parts {
	struct slice host;   /* without brackets */
	struct slice prefix; /* at == NULL: none */
	struct slice port;
	bool bracketed;
};

const char *rule_quote(const char *text, size_t size, char quote[static RULE_QUOTE_SIZE])
{
	size_t shown = size < RULE_QUOTE_SIZE - 4 ? size : RULE_QUOTE_SIZE - 4;

	for (size_t i = 0; i < shown; i++)
		quote[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	memcpy(quote + shown, size > shown ? "..." : "", size > shown ? 4 : 1);
	return quote;
}

static int rule_fault(struct error *err, const char *text, size_t size, const char *why)
{
	char quote[RULE_QUOTE_SIZE];

	return error_config(err, -EINVAL, "host \"%s\": %s", rule_quote(text, size, quote), why);
}

/* Cuts @rest at the first @separator: what stands after it goes to @tail. */
static void slice_cut(struct slice *rest, char separator, struct slice *tail)
{
	const char *found = memchr(rest->at, separator, rest->size);

	if (!found)
		return;
	tail->at = found + 1;
	tail->size = rest->size - (size_t)(found - rest->at) - 1;
	rest->size = (size_t)(found - rest->at);
}

/* NULL, or what is wrong with the shape of the text. */
static const char *parts_split(const char *text, size_t size, struct parts *parts)
{
	struct slice rest = { text, size };
	const char *close;

	*parts = (struct parts){ 0 };
	if (size > 0 && text[0] == '[') {
		close = memchr(text, ']', size);
		if (!close)
			return "']' is missing; write [ADDRESS] or [ADDRESS]:PORT";
		parts->bracketed = true;
		parts->host = (struct slice){ text + 1, (size_t)(close - text) - 1 };
		rest = (struct slice){ close + 1, size - parts->host.size - 2 };
	}
	slice_cut(&rest, ':', &parts->port);
	if (parts->port.at && memchr(parts->port.at, ':', parts->port.size))
		return "it has several colons; write an IPv6 address as [ADDRESS] or "
		       "[ADDRESS]:PORT";
	if (parts->port.at && memchr(parts->port.at, '/', parts->port.size))
		return "it holds '/' after ':'; write the host only, without https:// and path, "
		       "or ADDRESS/PREFIX:PORT";
	slice_cut(&rest, '/', &parts->prefix);
	if (!parts->bracketed)
		parts->host = rest;
	else if (rest.size > 0)
		return "there is text after ']'; write [ADDRESS]/PREFIX:PORT";
	return NULL;
}

static const char *port_parse(const struct slice *text, struct rule *rule)
{
	int port = text->at ? number_parse(text->at, text->size, UINT16_MAX) : RULE_PORT_DEFAULT;

	if (port <= 0 && text->size == 1 && text->at[0] == '*')
		return "a rule is for one port; name each port, as HOST:443,8443";
	if (port <= 0)
		return "the port is no number from 1 to 65535; name one, or none for 443";
	rule->port = (uint16_t)port;
	rule->port_named = text->at != NULL;
	return NULL;
}

/*
 * ::/0 to ::/80 hold ::ffff:0:0/96, and with it all of IPv4, in the form that
 * the maps have. Nobody who writes an IPv6 prefix means that.
 */
static bool covers_mapped(const struct rule *rule)
{
	static const uint8_t mapped[ADDRESS_SIZE] = { [10] = 0xff, [11] = 0xff };

	return rule->prefix_bits < ADDRESS_MAPPED_BITS &&
	       address_in_prefix(mapped, rule->address, rule->prefix_bits);
}

static const char *prefix_parse(const struct slice *text, int family, struct rule *rule)
{
	int max = family == AF_INET ? ADDRESS_BITS - ADDRESS_MAPPED_BITS : ADDRESS_BITS;
	int bits = text->at ? number_parse(text->at, text->size, max) : max;
	uint8_t masked[ADDRESS_SIZE];

	if (bits < 0)
		return "the prefix is no number of bits; write 0 to 32 (IPv4) or 0 to 128 (IPv6)";
	rule->prefix_bits = (uint8_t)(bits + ADDRESS_BITS - max);
	memcpy(masked, rule->address, ADDRESS_SIZE);
	address_mask(masked, rule->prefix_bits);
	if (memcmp(masked, rule->address, ADDRESS_SIZE) != 0)
		return "the address has bits set after the prefix; write the network's first "
		       "address, or the address without prefix";
	if (covers_mapped(rule))
		return "this prefix covers all of IPv4 too; write '*' for any destination, or "
		       "[2000::]/3 for the IPv6 internet";
	return NULL;
}

static const char *net_parse(const struct parts *parts, int family, struct rule *rule)
{
	rule->kind = RULE_NET;
	if (family == AF_INET6 && !parts->bracketed)
		return "an IPv6 address needs brackets; write [ADDRESS] or [ADDRESS]:PORT";
	if (family == AF_INET && parts->bracketed)
		return "brackets are for IPv6 addresses; write ADDRESS or ADDRESS:PORT";
	return prefix_parse(&parts->prefix, family, rule);
}

/* "*" alone, "*.suffix" or a name. */
static const char *name_parse(const struct parts *parts, struct rule *rule)
{
	const struct slice *host = &parts->host;
	bool wildcard = host->size >= 2 && memcmp(host->at, "*.", 2) == 0;
	size_t skip = wildcard ? 2 : 0;
	char name[NAME_SIZE];
	const char *why;

	if (parts->bracketed)
		return "between the brackets is no IPv6 address; write [2001:db8::1], without zone";
	if (parts->prefix.at)
		return "it holds a '/' and is no address; write the host only, or ADDRESS/PREFIX";
	if (host->size == 1 && host->at[0] == '*') {
		rule->kind = RULE_NET;
		return NULL;
	}
	rule->kind = RULE_NAME;
	if (name_normalise(host->at + skip, host->size - skip, name, &why) < 0)
		return why;
	if (wildcard && strlen(name) > NAME_MAX_BYTES - 2)
		return "no name below it can be valid, it is too long; check the name";
	memcpy(rule->name, "*.", 2);
	memcpy(rule->name + skip, name, NAME_SIZE - skip);
	return NULL;
}

int rule_parse(const char *text, size_t size, struct rule *rule, struct error *err)
{
	struct parts parts;
	const char *why;
	int family;

	*rule = (struct rule){ 0 };
	why = parts_split(text, size, &parts);
	if (!why && parts.host.size == 0)
		why = "it is empty; write a name, an address, or '*' for any destination";
	if (!why)
		why = port_parse(&parts.port, rule);
	if (!why) {
		family = address_parse(parts.host.at, parts.host.size, rule->address);
		if (family < 0)
			memset(rule->address, 0, ADDRESS_SIZE);
		why = family < 0 ? name_parse(&parts, rule) : net_parse(&parts, family, rule);
	}
	return why ? rule_fault(err, text, size, why) : 0;
}

bool rule_is_port(const char *text, size_t size)
{
	return number_digits(text, size);
}

int rule_parse_port(const char *text, size_t size, struct rule *rule, struct error *err)
{
	const struct slice digits = { text, size };
	const char *why = "it is a port without a host; write HOST:PORT, then more ports";

	if (rule->port && !rule->port_named)
		why = "the host in front of it has no port that this could be added to; write "
		      "HOST:443,8443 with all ports of the host";
	else if (rule->port)
		why = port_parse(&digits, rule);
	return why ? rule_fault(err, text, size, why) : 0;
}

bool rule_matches_name(const struct rule *rule, const char *name)
{
	return rule->kind == RULE_NAME && name_matches(rule->name, name);
}

bool rule_is_broad(const struct rule *rule)
{
	return rule->kind == RULE_NAME && rule->name[0] == '*' && !strchr(rule->name + 2, '.');
}
