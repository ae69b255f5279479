/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Destination rules: where a secret may go.
 *
 *	HOST[:PORT[,PORT...]][,HOST...]
 *
 *	api.example.com		this name
 *	*.example.com		every name below example.com, one or more labels
 *	192.0.2.7 [2001:db8::1]	this address
 *	10.0.0.0/8 [fd00::]/8	every address of the prefix
 *	*			any destination
 *
 * PORT is 443 if left out. An element of digits only is one more port of the
 * host in front of it, which must have one: a.example:443,8443. (No host is a
 * number, so this is not ambiguous.) A name rule asks for a verified address
 * and the SNI; an address rule for neither.
 *
 * Names are compared in lower case and without trailing dot. An IPv4 address
 * may be written as [::ffff:192.0.2.7], and a prefix as [::ffff:192.0.2.0]/120.
 */
#ifndef KLOAK_POLICY_RULE_H
#define KLOAK_POLICY_RULE_H

#include "kernel/abi.h"
#include "lib/address.h"
#include "lib/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULE_PORT_DEFAULT 443

enum rule_kind {
	RULE_NAME, /* .name: exact, or "*.suffix" */
	RULE_NET,  /* .address, .prefix_bits; "*" has 0 bits */
};

struct rule {
	enum rule_kind kind;
	uint16_t port;
	bool port_named;     /* in the text; more may follow */
	uint8_t prefix_bits; /* 0 to 128, of the mapped form */
	uint8_t address[ADDRESS_SIZE];
	char name[NAME_SIZE];
};

/*
 * Parses one HOST[:PORT] of @size bytes. Returns 0, or -EINVAL with a sentence
 * in @err (exit code EXIT_CONFIG).
 */
int rule_parse(const char *text, size_t size, struct rule *rule, struct error *err);

/* Does the list element continue the ports of the host in front of it? */
bool rule_is_port(const char *text, size_t size);

/*
 * Parses such an element into @rule, which holds the rule in front of it, or
 * zeros at the start of the list. Returns as rule_parse().
 */
int rule_parse_port(const char *text, size_t size, struct rule *rule, struct error *err);

/* Does this rule, whatever its port, cover the normalised @name? Address rules cover none. */
bool rule_matches_name(const struct rule *rule, const char *name);

/* A wildcard below a single label (*.com), which hardly anybody means. */
bool rule_is_broad(const struct rule *rule);

/* How much of a user's text a message shows, its unprintable bytes as '?'. */
#define RULE_QUOTE_SIZE 72

const char *rule_quote(const char *text, size_t size, char quote[static RULE_QUOTE_SIZE]);

#endif
