// SPDX-License-Identifier: GPL-2.0-only
/* Static pins: see pins.h. */
#include "user/policy/pins.h"

#include "user/policy/hosts.h"
#include "user/policy/name.h"
#include "user/policy/trusted_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define GROWTH 16

/* ---- the set ---- */

static bool pin_known(const struct pin_set *set, const char *name, const uint8_t *address)
{
	for (size_t i = 0; i < set->count; i++)
		if (memcmp(set->pin[i].address, address, ADDRESS_SIZE) == 0 &&
		    strcmp(set->pin[i].name, name) == 0)
			return true;
	return false;
}

static int pin_append(struct pin_set *set, const char *name, const uint8_t *address)
{
	struct pin *pin;
	char *copy;

	if (pin_known(set, name, address))
		return 0;
	if (set->count == PIN_SET_MAX)
		return -E2BIG;
	if (set->count % GROWTH == 0) {
		pin = realloc(set->pin, (set->count + GROWTH) * sizeof(*pin));
		if (!pin)
			return -ENOMEM;
		set->pin = pin;
	}
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	pin = &set->pin[set->count++];
	pin->name = copy;
	memcpy(pin->address, address, ADDRESS_SIZE);
	return 0;
}

static int append_fault(int code, struct error *err)
{
	if (code == -E2BIG)
		return error_config(err, code,
				    "more than %d pins fit the rules; use narrower rules",
				    PIN_SET_MAX);
	return error_set(err, code, "cannot keep a pin: %s", strerror(-code));
}

void pin_set_release(struct pin_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		free(set->pin[i].name);
	free(set->pin);
	*set = (struct pin_set){ 0 };
}

/* ---- --pin ---- */

static int literal_parse(const char *text, uint8_t address[static ADDRESS_SIZE])
{
	size_t size = strlen(text);
	bool brackets = size >= 2 && text[0] == '[' && text[size - 1] == ']';
	size_t skip = brackets ? 1 : 0;
	int family = address_parse(text + skip, size - 2 * skip, address);

	return brackets && family == AF_INET ? -EINVAL : family;
}

/* NULL, or what is wrong. */
static const char *pin_parse(const char *text, char name[static NAME_SIZE],
			     uint8_t address[static ADDRESS_SIZE])
{
	const char *equals = strchr(text, '=');
	const char *why;

	if (!equals)
		return "it has no '='; write HOST=ADDRESS";
	if (address_parse(text, (size_t)(equals - text), address) > 0 || text[0] == '[')
		return "its host is an address, which needs no pin; leave it out";
	if (text[0] == '*')
		return "its host is no exact name; write a pin for each name";
	if (name_normalise(text, (size_t)(equals - text), name, &why) < 0)
		return why;
	if (literal_parse(equals + 1, address) < 0)
		return "what follows '=' is no IPv4 or IPv6 address; write HOST=192.0.2.1 or "
		       "HOST=2001:db8::1, without zone and port";
	if (address_unspecified(address))
		return "0.0.0.0 and :: are nobody's address; write the server's";
	return NULL;
}

int pin_set_add(struct pin_set *set, const struct rule_set *rules, const char *text,
		struct error *err)
{
	char quote[RULE_QUOTE_SIZE];
	uint8_t address[ADDRESS_SIZE];
	char name[NAME_SIZE];
	const char *why = pin_parse(text, name, address);
	int ret;

	if (why)
		return error_config(err, -EINVAL, "--pin \"%s\": %s",
				    rule_quote(text, strlen(text), quote), why);
	if (!rule_set_matches_name(rules, name))
		warning("--pin %s has no effect: no secret may go there", name);
	ret = pin_append(set, name, address);
	return ret < 0 ? append_fault(ret, err) : 0;
}

/* ---- the hosts file ---- */

struct hosts_context {
	struct pin_set *set;
	const struct rule_set *rules;
};

static int hosts_name(void *context, const char *name, const uint8_t address[static ADDRESS_SIZE])
{
	const struct hosts_context *hosts = context;

	if (!rule_set_matches_name(hosts->rules, name))
		return 0;
	return pin_append(hosts->set, name, address);
}

int pin_set_add_hosts(struct pin_set *set, const struct rule_set *rules, const char *path,
		      struct error *err)
{
	struct hosts_context context = { .set = set, .rules = rules };
	struct trusted_file file;
	int ret = trusted_file_read(path, &file);

	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return error_set(err, ret, "cannot read %s: %s; check its permissions", path,
				 strerror(-ret));
	if (file.why)
		warning("%s is not used for pins: %s, or use --pin", path, file.why);
	if (file.cut)
		warning("%s has 1 MiB or more: names after that are not pinned; use --pin for "
			"them",
			path);
	if (file.data)
		ret = hosts_parse(file.data, file.size, hosts_name, &context);
	trusted_file_release(&file);
	return ret < 0 ? append_fault(ret, err) : 0;
}

/* ---- map rows ---- */

int pin_set_emit(const struct pin_set *set, const struct rule_set *rules, uint32_t workload,
		 verified_emit emit, void *context)
{
	static const struct verified never_expires = { .expires = ~(uint64_t)0 };

	for (size_t i = 0; i < set->count; i++) {
		const struct pin *pin = &set->pin[i];
		struct verified_key key = { .workload = workload };
		int ret;

		if (!rule_set_matches_name(rules, pin->name))
			continue;
		memcpy(key.address, pin->address, ADDRESS_SIZE);
		memcpy(key.name, pin->name, strlen(pin->name));
		ret = emit(context, &key, &never_expires);
		if (ret < 0)
			return ret;
	}
	return 0;
}
