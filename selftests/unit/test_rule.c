// SPDX-License-Identifier: GPL-2.0-only
/* Destination rules: the grammar, what is refused, what a rule covers, and the map rows. */
#include "selftests/unit/mapped.h"
#include "selftests/unit/stderr_capture.h"
#include "selftests/unit/suite.h"
#include "user/policy/name.h"
#include "user/policy/rule_set.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct error err;
static struct rule_set set;

static void setup(void)
{
	err = (struct error){ 0 };
	set = (struct rule_set){ 0 };
}

static void teardown(void)
{
	rule_set_release(&set);
}

static struct rule parse(const char *text)
{
	struct rule rule;

	ck_assert_msg(rule_parse(text, strlen(text), &rule, &err) == 0, "%s: %s", text, err.text);
	return rule;
}

static void add(const char *hosts, unsigned int secret)
{
	ck_assert_msg(rule_set_add(&set, hosts, secret, &err) == 0, "%s: %s", hosts, err.text);
}

/* ---- what is accepted ---- */

START_TEST(names)
{
	static const struct {
		const char *text, *name;
		unsigned int port;
	} name[] = {
		{ "api.example.com", "api.example.com", 443 },
		{ "API.Example.COM", "api.example.com", 443 },
		{ "api.example.com.", "api.example.com", 443 },
		{ "api.example.com.:8443", "api.example.com", 8443 },
		{ "api.example.com:1", "api.example.com", 1 },
		{ "api.example.com:65535", "api.example.com", 65535 },
		{ "localhost", "localhost", 443 },
		{ "_dmarc.a-b.example", "_dmarc.a-b.example", 443 },
		{ "r3---sn-4g5e.example.com", "r3---sn-4g5e.example.com", 443 },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example", 443 },
		{ "*.example.com", "*.example.com", 443 },
		{ "*.Example.com.:99", "*.example.com", 99 },
		{ "*.com", "*.com", 443 },
		{ "1password.com", "1password.com", 443 },
		{ "0.example", "0.example", 443 },
		{ "0xg", "0xg", 443 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
		struct rule rule = parse(name[i].text);

		ck_assert_int_eq(rule.kind, RULE_NAME);
		ck_assert_str_eq(rule.name, name[i].name);
		ck_assert_uint_eq(rule.port, name[i].port);
	}
}
END_TEST

/* 63 bytes a label, 253 a name; two less after "*." */
START_TEST(name_lengths)
{
	char text[512], name[NAME_SIZE];
	const char *why;
	struct rule rule;

	memset(text, 'a', sizeof(text));
	strcpy(text + 63, ".example");
	parse(text);
	memset(text, 'a', sizeof(text));
	strcpy(text + 64, ".example");
	ck_assert_int_eq(rule_parse(text, strlen(text), &rule, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "63"));

	for (size_t size = 240; size <= 260; size++) {
		for (size_t i = 0; i < size; i++)
			text[i] = i % 10 == 9 && i + 1 < size ? '.' : 'b';
		text[size] = '\0';
		ck_assert_int_eq(rule_parse(text, size, &rule, &err), size <= 253 ? 0 : -EINVAL);
		ck_assert_int_eq(name_normalise(text, size, name, &why), size <= 253 ? 0 : -EINVAL);
		memmove(text + 2, text, size + 1);
		memcpy(text, "*.", 2);
		ck_assert_int_eq(rule_parse(text, size + 2, &rule, &err),
				 size <= 251 ? 0 : -EINVAL);
	}
}
END_TEST

START_TEST(nets)
{
	static const struct {
		const char *text, *address;
		unsigned int bits, port;
	} net[] = {
		{ "192.0.2.7", "::ffff:192.0.2.7", 128, 443 },
		{ "192.0.2.7:8443", "::ffff:192.0.2.7", 128, 8443 },
		{ "10.0.0.0/8", "::ffff:10.0.0.0", 104, 443 },
		{ "10.0.0.0/8:1", "::ffff:10.0.0.0", 104, 1 },
		{ "10.1.2.3/32", "::ffff:10.1.2.3", 128, 443 },
		{ "0.0.0.0/0", "::ffff:0.0.0.0", 96, 443 },
		{ "[::1]", "::1", 128, 443 },
		{ "[::1]:8443", "::1", 128, 8443 },
		{ "[2001:DB8::]/32", "2001:db8::", 32, 443 },
		{ "[2001:db8::]/32:99", "2001:db8::", 32, 99 },
		{ "[2001:db8::1]/128", "2001:db8::1", 128, 443 },
		{ "[2000::]/3", "2000::", 3, 443 },
		{ "[::ffff:192.0.2.7]", "::ffff:192.0.2.7", 128, 443 },
		{ "[::ffff:0.0.0.0]/96", "::ffff:0.0.0.0", 96, 443 },
		{ "[8000::]/1", "8000::", 1, 443 },
		{ "*", "::", 0, 443 },
		{ "*:8443", "::", 0, 8443 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(net); i++) {
		struct rule rule = parse(net[i].text);
		uint8_t address[16];

		ck_assert_int_eq(inet_pton(AF_INET6, net[i].address, address), 1);
		ck_assert_int_eq(rule.kind, RULE_NET);
		ck_assert_msg(memcmp(rule.address, address, 16) == 0, "%s", net[i].text);
		ck_assert_uint_eq(rule.prefix_bits, net[i].bits);
		ck_assert_uint_eq(rule.port, net[i].port);
	}
}
END_TEST

/* ---- what is refused, with the remedy ---- */

START_TEST(refused)
{
	static const struct {
		const char *text, *remedy;
	} bad[] = {
		{ "", "is empty" },
		{ ".", "is empty" },
		{ ":443", "is empty" },
		{ "[]", "is empty" },
		{ "*.", "is empty" },
		{ "a..b", "empty label" },
		{ ".a", "empty label" },
		{ "a..", "empty label" },
		{ "*..a", "empty label" },
		{ "-a.b", "begins or ends with '-'" },
		{ "a-.b", "begins or ends with '-'" },
		{ "*.*", "*.example.com" },
		{ "*.*.a", "*.example.com" },
		{ "a.*.b", "*.example.com" },
		{ "*a.b", "*.example.com" },
		{ "a*.b", "*.example.com" },
		{ "**", "*.example.com" },
		{ "a.*", "*.example.com" },
		{ "b\xc3\xbc"
		  "cher.example",
		  "xn--" },
		{ "a b", "character" },
		{ " a", "character" },
		{ "a%b", "character" },
		{ "a@b", "character" },
		{ "a\tb", "character" },
		{ "a\x7f", "character" },
		{ "https://api.example.com", "without https://" },
		{ "https://api.example.com/v1", "without https://" },
		{ "api.example.com/v1", "host only" },
		{ "api.example.com/", "host only" },
		{ "api.example.com:443/v1", "host only" },
		{ "*.example.com/24", "host only" },
		{ "*/8", "host only" },
		{ "a:", "1 to 65535" },
		{ "a:0", "1 to 65535" },
		{ "a:65536", "1 to 65535" },
		{ "a:99999999999999999999", "1 to 65535" },
		{ "a:18446744073709552059", "1 to 65535" }, /* 2^64 + 443 */
		{ "a:0443", "1 to 65535" },
		{ "a:+443", "1 to 65535" },
		{ "a:-1", "1 to 65535" },
		{ "a: 443", "1 to 65535" },
		{ "a:443 ", "1 to 65535" },
		{ "a:https", "1 to 65535" },
		{ "a:1-9", "1 to 65535" },
		{ "a:*", "name each port" },
		{ "*:*", "name each port" },
		{ "::1", "[ADDRESS]" },
		{ "2001:db8::1", "[ADDRESS]" },
		{ "a:1:2", "[ADDRESS]" },
		{ "[::1", "']' is missing" },
		{ "[::1]x", "after ']'" },
		{ "[::1]443", "after ']'" },
		{ "[::1]]", "after ']'" },
		{ "[::1]:", "1 to 65535" },
		{ "[::1]:443:1", "several colons" },
		{ "[fe80::1%eth0]", "no IPv6 address" },
		{ "[example.com]", "no IPv6 address" },
		{ "[*]", "no IPv6 address" },
		{ "[2001:db8::/32]", "no IPv6 address" },
		{ "[192.0.2.7]", "brackets are for IPv6" },
		{ "10.0.0.1/8", "after the prefix" },
		{ "10.0.0.1/31", "after the prefix" },
		{ "192.0.2.7/0", "after the prefix" },
		{ "[2001:db8::1]/32", "after the prefix" },
		{ "10.0.0.0/33", "number of bits" },
		{ "10.0.0.0/", "number of bits" },
		{ "10.0.0.0/x", "number of bits" },
		{ "10.0.0.0/08", "number of bits" },
		{ "10.0.0.0/-1", "number of bits" },
		{ "10.0.0.0/8/8", "number of bits" },
		{ "[2001:db8::]/129", "number of bits" },
		{ "[::]/0", "'*' for any" },
		{ "[::]/80", "'*' for any" },
		{ "[::ffff:0:0]/95", "after the prefix" },
		{ "1.2.3", "is a number" },
		{ "1.2.3.4.5", "is a number" },
		{ "256.1.1.1", "is a number" },
		{ "010.0.0.1", "is a number" },
		{ "127.1", "is a number" },
		{ "2130706433", "is a number" },
		{ "0x7f000001", "is a number" },
		{ "0x7f.1", "is a number" },
		{ "a.0x1f", "is a number" },
		{ "a.0x", "is a number" },
		{ "*.7", "is a number" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct rule rule;
		int ret = rule_parse(bad[i].text, strlen(bad[i].text), &rule, &err);

		ck_assert_msg(ret == -EINVAL, "\"%s\" was accepted", bad[i].text);
		ck_assert_msg(strstr(err.text, bad[i].remedy) != NULL, "\"%s\": %s", bad[i].text,
			      err.text);
		ck_assert_int_eq(err.exit_code, EXIT_CONFIG);
	}
}
END_TEST

/* A text with a NUL in it is not its first half. */
START_TEST(refused_nul)
{
	struct rule rule;

	ck_assert_int_eq(rule_parse("a.example\0.evil", 15, &rule, &err), -EINVAL);
	ck_assert_int_eq(rule_parse("192.0.2.7\0x", 11, &rule, &err), -EINVAL);
	ck_assert_int_eq(rule_parse("[::1\0]", 6, &rule, &err), -EINVAL);
}
END_TEST

/* Terminal escapes in an argument do not reach the terminal. */
START_TEST(quoted)
{
	char quote[RULE_QUOTE_SIZE], text[200];

	ck_assert_str_eq(rule_quote("a\x1b[31m\xff\n", 8, quote), "a?[31m??");
	memset(text, 'x', sizeof(text));
	rule_quote(text, sizeof(text), quote);
	ck_assert_uint_eq(strlen(quote), RULE_QUOTE_SIZE - 1);
	ck_assert_str_eq(quote + RULE_QUOTE_SIZE - 4, "...");
	ck_assert_str_eq(rule_quote("", 0, quote), "");
}
END_TEST

START_TEST(lists)
{
	static const char *const bad[] = { "", ",", "a,", ",a", "a,,b", "a, b", "a,b:0" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(rule_set_add(&set, bad[i], 0, &err) == -EINVAL, "\"%s\"", bad[i]);
	rule_set_release(&set);
	add("a,b:1,*.c,10.0.0.0/8,[::1]:2", 63);
	ck_assert_uint_eq(set.count, 5);
	ck_assert_uint_eq(set.grant[4].secrets, 1ull << 63);
	ck_assert_int_eq(rule_set_add(&set, "a", 64, &err), -EINVAL);
}
END_TEST

START_TEST(same_rule_is_joined)
{
	add("A.example,a.example:443", 0);
	add("a.example.,b.example", 1);
	ck_assert_uint_eq(set.count, 2);
	ck_assert_uint_eq(set.grant[0].secrets, 3);
	ck_assert_uint_eq(set.grant[1].secrets, 2);
}
END_TEST

START_TEST(too_many_rules)
{
	char name[32];

	for (int i = 0; i < RULE_SET_MAX; i++) {
		snprintf(name, sizeof(name), "h%d.example", i);
		add(name, 0);
	}
	add("h5.example", 1);
	ck_assert_int_eq(rule_set_add(&set, "one.more", 0, &err), -E2BIG);
	ck_assert_int_eq(err.exit_code, EXIT_CONFIG);
	ck_assert_uint_eq(set.count, RULE_SET_MAX);
}
END_TEST

START_TEST(broad_wildcard_warns)
{
	capture_begin();
	add("*.com", 0);
	ck_assert_ptr_nonnull(strstr(capture_end(), "*.example.com"));
	capture_begin();
	add("*.example.com,*,com", 0);
	ck_assert_str_eq(capture_end(), "");
}
END_TEST

/* ---- what a rule covers ---- */

START_TEST(matches)
{
	static const struct {
		const char *rule, *name;
		bool covers;
	} match[] = {
		{ "a.example", "a.example", true },
		{ "a.example", "b.example", false },
		{ "a.example", "x.a.example", false },
		{ "a.example", "example", false },
		{ "a.example", "a.example.evil", false },
		{ "a.example:9", "a.example", true },
		{ "*.example", "a.example", true },
		{ "*.example", "b.a.example", true },
		{ "*.example", "example", false },
		{ "*.example", "xexample", false },
		{ "*.example", ".example", false },
		{ "*.example", "a.example.evil", false },
		{ "*.example", "", false },
		{ "*.b.example", "a.example", false },
		{ "*", "a.example", false },
		{ "10.0.0.0/8", "a.example", false },
		{ "[::1]", "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(match); i++) {
		struct rule rule = parse(match[i].rule);

		ck_assert_msg(rule_matches_name(&rule, match[i].name) == match[i].covers, "%s %s",
			      match[i].rule, match[i].name);
	}
	add("10.0.0.0/8,a.example:1,*.b.example", 0);
	ck_assert(rule_set_matches_name(&set, "a.example"));
	ck_assert(rule_set_matches_name(&set, "x.b.example"));
	ck_assert(!rule_set_matches_name(&set, "b.example"));
	ck_assert(rule_set_has_names(&set));
	rule_set_release(&set);
	add("10.0.0.0/8,*,[::1]", 0);
	ck_assert(!rule_set_has_names(&set));
}
END_TEST

/* ---- map rows ---- */

struct rows {
	size_t count;
	struct rule_key name[64];
	struct net_key net[64];
	secret_mask secrets[64];
};

static int take_name(void *context, const struct rule_key *key, secret_mask secrets)
{
	struct rows *rows = context;

	rows->name[rows->count] = *key;
	rows->secrets[rows->count++] = secrets;
	return 0;
}

static int take_net(void *context, const struct net_key *key, secret_mask secrets)
{
	struct rows *rows = context;

	rows->net[rows->count] = *key;
	rows->secrets[rows->count++] = secrets;
	return 0;
}

static int refuse_name(void *context, const struct rule_key *key, secret_mask secrets)
{
	(void)context, (void)key, (void)secrets;
	return -E2BIG;
}

static int refuse_net(void *context, const struct net_key *key, secret_mask secrets)
{
	(void)context, (void)key, (void)secrets;
	return -E2BIG;
}

static secret_mask name_secrets(const struct rows *rows, const char *name, unsigned int port)
{
	secret_mask secrets = 0;
	unsigned int found = 0;

	for (size_t i = 0; i < rows->count; i++) {
		if (strcmp((const char *)rows->name[i].name, name) != 0 ||
		    rows->name[i].port != port)
			continue;
		secrets = rows->secrets[i];
		found++;
	}
	ck_assert_msg(found == 1, "%u rows for %s:%u", found, name, port);
	return secrets;
}

static void expect_grant(size_t index, const char *name, unsigned int port)
{
	ck_assert_uint_lt(index, set.count);
	ck_assert_str_eq(set.grant[index].rule.name, name);
	ck_assert_uint_eq(set.grant[index].rule.port, port);
}

/* A number in the list is one more port of the host in front of it. */
START_TEST(port_lists)
{
	static struct rows rows;

	add("a.example:443,8443,9443,b.example,*.c.example:1,2", 0);
	ck_assert_uint_eq(set.count, 6);
	expect_grant(0, "a.example", 443);
	expect_grant(1, "a.example", 8443);
	expect_grant(2, "a.example", 9443);
	expect_grant(3, "b.example", 443);
	expect_grant(4, "*.c.example", 1);
	expect_grant(5, "*.c.example", 2);
	rule_set_release(&set);
	add("[2001:db8::1]:1,2,10.0.0.0/8:3,65535,*:5,6,a.example:7,7", 0);
	ck_assert_uint_eq(set.count, 7);
	for (size_t i = 0; i < 6; i++)
		ck_assert_int_eq(set.grant[i].rule.kind, RULE_NET);
	ck_assert_mem_eq(set.grant[1].rule.address, set.grant[0].rule.address, 16);
	ck_assert_uint_eq(set.grant[1].rule.port, 2);
	ck_assert_uint_eq(set.grant[3].rule.prefix_bits, 104);
	ck_assert_uint_eq(set.grant[3].rule.port, 65535);
	ck_assert_uint_eq(set.grant[5].rule.port, 6);
	expect_grant(6, "a.example", 7);
	rule_set_release(&set);
	add("a.example:443,8443", 0);
	add("a.example:8443", 1);
	ck_assert_int_eq(rule_set_emit_names(&set, 7, take_name, &rows), 0);
	ck_assert_uint_eq(name_secrets(&rows, "a.example", 443), 1);
	ck_assert_uint_eq(name_secrets(&rows, "a.example", 8443), 3);
	ck_assert_uint_eq(name_secrets(&rows, "a.example", 0), 3);
}
END_TEST

/* The same destination in other words is the same rule; what is another one stays so. */
START_TEST(written_otherwise)
{
	static const char *const same[][2] = {
		{ "api.example.com", "API.eXample.com." },
		{ "xn--bcher-kva.example", "XN--Bcher-KVA.example." },
		{ "*.example.com", "*.EXAMPLE.com." },
		{ "192.0.2.7", "[::ffff:192.0.2.7]" },
		{ "192.0.2.7", "[::FFFF:c000:207]" },
		{ "192.0.2.0/24", "[::ffff:192.0.2.0]/120" },
		{ "0.0.0.0/0", "[::ffff:0:0]/96" },
		{ "192.0.2.7/32:8443", "[::ffff:192.0.2.7]/128:8443" },
	};
	static const char *const other[][2] = {
		{ "*", "0.0.0.0/0" },
		{ "*", "*.b.example" },
		{ "192.0.2.7", "[::192.0.2.7]" },
		{ "192.0.2.0/24", "[::ffff:192.0.2.0]/119" },
		{ "a.example", "*.a.example" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(same) + ARRAY_SIZE(other); i++) {
		bool equal = i < ARRAY_SIZE(same);
		const char *const *pair = equal ? same[i] : other[i - ARRAY_SIZE(same)];

		add(pair[0], 0);
		add(pair[1], 1);
		ck_assert_msg(set.count == (equal ? 1 : 2), "%s %s", pair[0], pair[1]);
		rule_set_release(&set);
	}
}
END_TEST

START_TEST(port_lists_refused)
{
	static const struct {
		const char *text, *quoted, *remedy;
	} bad[] = {
		{ "8443", "\"8443\"", "HOST:PORT" },
		{ "443,a.example", "\"443\"", "HOST:PORT" },
		{ "a.example,8443", "\"8443\"", "HOST:443,8443" },
		{ "a.example:1,b.example,2", "\"2\"", "HOST:443,8443" },
		{ "[::1],8443", "\"8443\"", "HOST:443,8443" },
		{ "*,8443", "\"8443\"", "HOST:443,8443" },
		{ "a.example:443,0", "\"0\"", "1 to 65535" },
		{ "a.example:443,65536", "\"65536\"", "1 to 65535" },
		{ "a.example:443,08443", "\"08443\"", "1 to 65535" },
		{ "a.example:443,99999999999999999999", "\"9999", "1 to 65535" },
		{ "a.example:443,", "\"\"", "is empty" },
		{ "a.example:443, 8443", "\" 8443\"", "character" },
		{ "a.example:443,8443:1", "\"8443:1\"", "is a number" },
		{ "a.example:443,84x3-", "\"84x3-\"", "'-'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(rule_set_add(&set, bad[i].text, 0, &err) == -EINVAL, "\"%s\"",
			      bad[i].text);
		ck_assert_msg(strstr(err.text, bad[i].quoted) && strstr(err.text, bad[i].remedy),
			      "\"%s\": %s", bad[i].text, err.text);
		ck_assert_int_eq(err.exit_code, EXIT_CONFIG);
	}
}
END_TEST

START_TEST(name_rows)
{
	static struct rows rows;

	add("a.example,a.example:8443,10.0.0.0/8", 0);
	add("a.example:8443,*.example", 1);
	add("*,a.example:99", 2);
	ck_assert_int_eq(rule_set_emit_names(&set, 7, take_name, &rows), 0);
	ck_assert_uint_eq(rows.count, 6);
	ck_assert_uint_eq(name_secrets(&rows, "a.example", 443), 1);
	ck_assert_uint_eq(name_secrets(&rows, "a.example", 8443), 3);
	ck_assert_uint_eq(name_secrets(&rows, "a.example", 0), 7);
	ck_assert_uint_eq(name_secrets(&rows, "*.example", 443), 2);
	ck_assert_uint_eq(name_secrets(&rows, "*.example", 0), 2);
	for (size_t i = 0; i < rows.count; i++) {
		size_t size = strlen((const char *)rows.name[i].name);

		ck_assert_uint_eq(rows.name[i].workload, 7);
		for (size_t at = size; at < NAME_SIZE; at++) /* keys are compared whole */
			ck_assert_uint_eq(rows.name[i].name[at], 0);
	}
	ck_assert_int_eq(rule_set_emit_names(&set, 7, refuse_name, NULL), -E2BIG);
}
END_TEST

/* Finds what the kernel's trie finds: the row with the longest prefix that covers the address. */
static secret_mask trie_lookup(const struct rows *rows, const char *address, unsigned int port)
{
	uint8_t wanted[16];
	secret_mask secrets = 0;
	unsigned longest = 0;

	to_mapped(address, wanted);
	for (size_t i = 0; i < rows->count; i++) {
		const struct net_key *key = &rows->net[i];
		unsigned int bits = key->prefix_bits - 64, at = 0;

		while (at < bits && !((wanted[at / 8] ^ key->address[at / 8]) >> (7 - at % 8) & 1))
			at++;
		if (at < bits || ntohl(key->port) != port || key->prefix_bits <= longest)
			continue;
		longest = key->prefix_bits;
		secrets = rows->secrets[i];
	}
	return secrets;
}

START_TEST(net_rows)
{
	static struct rows rows;

	add("10.0.0.0/8,[2001:db8::]/32", 0);
	add("10.1.0.0/16,10.1.0.0/16:8443", 1);
	add("10.1.2.3,10.1.2.3:8443", 2);
	add("*", 3);
	add("0.0.0.0/0", 4);
	add("[2001:db8:1::]/48,[::ffff:10.1.2.4]", 5);
	add("a.example", 6);
	ck_assert_int_eq(rule_set_emit_nets(&set, 0x01020304, take_net, &rows), 0);
	ck_assert_uint_eq(rows.count, 10);
	for (size_t i = 0; i < rows.count; i++)
		ck_assert_uint_eq(rows.net[i].workload, htonl(0x01020304));
	ck_assert_uint_eq(trie_lookup(&rows, "10.1.2.3", 443), 0x1f);
	ck_assert_uint_eq(trie_lookup(&rows, "10.1.2.4", 443), 0x3b);
	ck_assert_uint_eq(trie_lookup(&rows, "10.1.9.9", 443), 0x1b);
	ck_assert_uint_eq(trie_lookup(&rows, "10.2.0.1", 443), 0x19);
	ck_assert_uint_eq(trie_lookup(&rows, "192.0.2.1", 443), 0x18);
	ck_assert_uint_eq(trie_lookup(&rows, "2001:db8::1", 443), 0x09);
	ck_assert_uint_eq(trie_lookup(&rows, "2001:db8:1::1", 443), 0x29);
	ck_assert_uint_eq(trie_lookup(&rows, "2001:db9::1", 443), 0x08);
	ck_assert_uint_eq(trie_lookup(&rows, "10.1.2.3", 8443), 0x06);
	ck_assert_uint_eq(trie_lookup(&rows, "10.1.9.9", 8443), 0x02);
	ck_assert_uint_eq(trie_lookup(&rows, "192.0.2.1", 8443), 0);
	ck_assert_int_eq(rule_set_emit_nets(&set, 1, refuse_net, NULL), -E2BIG);
}
END_TEST

START_TEST(net_row_bits)
{
	static struct rows rows;

	add("*:80,192.0.2.7,[2001:db8::]/32", 0);
	ck_assert_int_eq(rule_set_emit_nets(&set, 1, take_net, &rows), 0);
	ck_assert_uint_eq(rows.net[0].prefix_bits, 64);
	ck_assert_uint_eq(rows.net[0].port, htonl(80));
	ck_assert_uint_eq(rows.net[1].prefix_bits, 64 + 96 + 32);
	ck_assert_uint_eq(rows.net[2].prefix_bits, 64 + 32);
	ck_assert_uint_eq(sizeof(struct net_key), 4 + 64 / 8 + 16);
}
END_TEST

START_TEST(no_rules_no_rows)
{
	static struct rows rows;

	ck_assert_int_eq(rule_set_emit_names(&set, 1, take_name, &rows), 0);
	ck_assert_int_eq(rule_set_emit_nets(&set, 1, take_net, &rows), 0);
	ck_assert_uint_eq(rows.count, 0);
	ck_assert(!rule_set_matches_name(&set, "a.example"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		names,
		name_lengths,
		nets,
		refused,
		refused_nul,
		quoted,
		lists,
		same_rule_is_joined,
		too_many_rules,
		broad_wildcard_warns,
		matches,
		port_lists,
		port_lists_refused,
		written_otherwise,
		name_rows,
		net_rows,
		net_row_bits,
		no_rules_no_rows,
	};

	return suite_run("rule", tests, ARRAY_SIZE(tests), 0, setup, teardown);
}
