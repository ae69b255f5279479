// SPDX-License-Identifier: GPL-2.0-only
/*
 * ClientHello: what kernel/tls/hello.h and kernel/net/policy.h make of real
 * ones, of odd ones and of lies; and the verdict that follows.
 */
#include "selftests/unit/host_kernel.h"

#include "selftests/unit/hello_data.h"
#include "selftests/unit/reference.h"
#include "selftests/unit/suite.h"

#include <check.h>

#define WORKLOAD 7

/* ---- making ClientHellos ---- */

struct draft {
	uint8_t byte[20000];
	size_t size;
	size_t extensions; /* where their length stands */
};

static void put(struct draft *d, const void *bytes, size_t size)
{
	ck_assert_uint_le(d->size + size, sizeof(d->byte));
	memcpy(d->byte + d->size, bytes, size);
	d->size += size;
}

static void put_u16(struct draft *d, unsigned int value)
{
	uint8_t bytes[2] = { (uint8_t)(value >> 8), (uint8_t)value };

	put(d, bytes, 2);
}

static void set_u16(struct draft *d, size_t at, size_t value)
{
	d->byte[at] = (uint8_t)(value >> 8);
	d->byte[at + 1] = (uint8_t)value;
}

static void begin(struct draft *d)
{
	static const uint8_t head[] = { 22, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3 };
	static const uint8_t middle[] = { 4, 's', 'e', 's', 's', 0, 2, 0x13, 1, 1, 0, 0, 0 };

	memset(d, 0, sizeof(*d));
	put(d, head, sizeof(head));
	d->size += 32; /* random */
	put(d, middle, sizeof(middle));
	d->extensions = d->size - 2;
}

static void extension(struct draft *d, unsigned int type, const void *bytes, size_t size)
{
	put_u16(d, type);
	put_u16(d, (unsigned int)size);
	put(d, bytes, size);
}

static void server_name(struct draft *d, const char *name, size_t size)
{
	put_u16(d, EXTENSION_SERVER_NAME);
	put_u16(d, (unsigned int)size + 5);
	put_u16(d, (unsigned int)size + 3);
	put(d, "", 1);
	put_u16(d, (unsigned int)size);
	put(d, name, size);
}

static void finish(struct draft *d)
{
	set_u16(d, d->extensions, d->size - d->extensions - 2);
	set_u16(d, 7, d->size - 9);
	set_u16(d, 3, d->size - 5);
}

static struct draft named(const char *name, size_t size)
{
	struct draft d;

	begin(&d);
	extension(&d, 43, "\2\3\4", 3);
	server_name(&d, name, size);
	extension(&d, 10, "\0\2\0\35", 4);
	finish(&d);
	return d;
}

static struct draft real(const char *hex)
{
	struct draft d = { .size = 0 };

	d.size = unhex(hex, d.byte);
	return d;
}

/* ---- giving them to the kernel ---- */

/* hello_parse() on a copy that ends where the data ends. */
static int parse(const uint8_t *bytes, size_t size, struct hello *hello)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct sk_msg_md m = { .data = copy, .data_end = copy + size };
	int ret;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, size);
	ret = hello_parse(&m, hello);
	if (!ret && hello->name_at)
		ck_assert_uint_le(hello->name_at + hello->name_size, size);
	free(copy);
	return ret;
}

static int parse_draft(const struct draft *d)
{
	struct hello hello;

	return parse(d->byte, d->size, &hello);
}

static struct tls_socket socket_state;

static uint32_t tell(const struct draft *d)
{
	uint8_t *copy = malloc(d->size);
	struct host_socket socket = { .storage = { { &sockets, &socket_state } } };
	struct sk_msg_md m = { .data = copy, .data_end = copy + d->size, .sk = (void *)&socket };

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, d->byte, d->size);
	policy_hello(&m);
	free(copy);
	return socket_state.hello;
}

static void setup(void)
{
	memset(&socket_state, 0, sizeof(socket_state));
	socket_state.workload = WORKLOAD;
	socket_state.port = 443;
	socket_state.connected = 1000;
	memcpy(socket_state.address, "\0\0\0\0\0\0\0\0\0\0\377\377\300\0\2\1", 16);
}

static void teardown(void)
{
	host_maps_clear();
	host_events_clear();
}

/* ---- what real clients send ---- */

static const struct {
	const char *hex, *name;
} client[] = {
	{ HELLO_OPENSSL, "api.example.com" }, { HELLO_OPENSSL_TLS12, "API.Example.COM" },
	{ HELLO_OPENSSL_NO_NAME, NULL },      { HELLO_CURL, "api.example.com" },
	{ HELLO_PYTHON, "api.example.com" },  { HELLO_NODE, "api.example.com" },
	{ HELLO_GNUTLS, "localhost" },
};

START_TEST(clients)
{
	for (size_t i = 0; i < ARRAY_SIZE(client); i++) {
		struct draft d = real(client[i].hex);
		struct hello hello;

		ck_assert_int_eq(parse(d.byte, d.size, &hello), 0);
		ck_assert_uint_eq(hello.encrypted, 0);
		if (!client[i].name) {
			ck_assert_uint_eq(hello.name_at, 0);
			continue;
		}
		ck_assert_uint_eq(hello.name_size, strlen(client[i].name));
		ck_assert_mem_eq(d.byte + hello.name_at, client[i].name, hello.name_size);
	}
}
END_TEST

/* Cut anywhere; and cut with the record's and the message's length made to fit. */
START_TEST(every_truncation)
{
	struct hello hello;

	for (size_t i = 0; i < ARRAY_SIZE(client); i++) {
		struct draft d = real(client[i].hex);

		for (size_t size = 0; size < d.size; size++) {
			struct draft cut = d;

			ck_assert_int_eq(parse(d.byte, size, &hello), -1);
			if (size < 9)
				continue;
			set_u16(&cut, 3, size - 5);
			ck_assert_int_eq(parse(cut.byte, size, &hello), -1);
			set_u16(&cut, 7, size - 9);
			/* A ClientHello may end after its compression methods. */
			if (!parse(cut.byte, size, &hello))
				ck_assert_uint_eq(hello.name_at | hello.at, 0);
		}
	}
}
END_TEST

/* What follows the record, such as the next one, changes nothing. */
START_TEST(more_behind)
{
	struct draft d = named("a.example", 9), e = d;
	struct hello hello;

	put(&e, "\24\3\3\0\1\1", 6);
	ck_assert_int_eq(parse(e.byte, e.size, &hello), 0);
	ck_assert_uint_eq(hello.name_size, 9);
	set_u16(&e, 3, e.size - 5); /* a second message in the same record */
	ck_assert_int_eq(parse_draft(&e), -1);
	d.byte[5] = 2; /* ServerHello */
	ck_assert_int_eq(parse_draft(&d), -1);
}
END_TEST

START_TEST(lying_lengths)
{
	const struct draft honest = named("a.example", 9);
	const size_t sni = honest.extensions + 2 + 7; /* after supported_versions */
	const struct {
		size_t at;
		unsigned int width;
	} length[] = {
		{ 3, 2 },
		{ 6, 1 },
		{ 7, 2 },
		{ 43, 1 },
		{ 48, 2 },
		{ 52, 1 },
		{ honest.extensions, 2 },
		{ sni + 2, 2 },
		{ sni + 4, 2 },
		{ sni + 7, 2 },
		{ sni + 18 + 2, 2 },
	};

	ck_assert_int_eq(parse_draft(&honest), 0);
	ck_assert_uint_eq(honest.byte[sni + 8], 9);
	for (size_t i = 0; i < ARRAY_SIZE(length); i++) {
		for (unsigned int value = 0; value < 65536; value += value < 300 ? 1 : 251) {
			struct draft d = honest;
			struct hello hello;

			if (length[i].width == 1)
				d.byte[length[i].at] = (uint8_t)value;
			else
				set_u16(&d, length[i].at, value);
			if (memcmp(d.byte, honest.byte, d.size) == 0)
				continue;
			/*
			 * In front of the extensions another reading is possible, e.g. an
			 * odd number of cipher suite bytes and no compression method. No
			 * reading finds another name.
			 */
			ck_assert_msg(parse(d.byte, d.size, &hello) ||
					      (i >= 3 && i <= 5 &&
					       (!hello.name_at || hello.name_at == sni + 9)),
				      "length at %zu: %u", length[i].at, value);
		}
	}
}
END_TEST

START_TEST(extension_counts)
{
	for (unsigned int count = 0; count <= 2 * HELLO_EXTENSIONS; count++) {
		struct hello hello;
		struct draft d;

		begin(&d);
		for (unsigned int i = 1; i < count; i++)
			extension(&d, 1000 + i, "x", i % 2);
		if (count)
			server_name(&d, "a.example", 9);
		finish(&d);
		ck_assert_int_eq(parse(d.byte, d.size, &hello), count <= HELLO_EXTENSIONS ? 0 : -1);
		if (count <= HELLO_EXTENSIONS)
			ck_assert_uint_eq(hello.name_size, count ? 9 : 0);
	}
}
END_TEST

START_TEST(no_extensions_at_all)
{
	struct hello hello;
	struct draft d;

	begin(&d);
	d.size -= 2;
	set_u16(&d, 7, d.size - 9);
	set_u16(&d, 3, d.size - 5);
	ck_assert_int_eq(parse(d.byte, d.size, &hello), 0);
	ck_assert_uint_eq(hello.name_at, 0);
}
END_TEST

START_TEST(odd_name_lists)
{
	static const uint8_t two[] = "\0\12\0\0\2ab\0\0\2cd", other_type[] = "\0\5\1\0\2ab";
	static const uint8_t empty_list[] = "\0\0", empty_name[] = "\0\3\0\0\0";
	const struct {
		const uint8_t *bytes;
		size_t size;
	} list[] = {
		{ two, sizeof(two) - 1 },
		{ other_type, sizeof(other_type) - 1 },
		{ empty_list, sizeof(empty_list) - 1 },
		{ empty_name, sizeof(empty_name) - 1 },
		{ two, 0 },
	};
	struct draft d;

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		begin(&d);
		extension(&d, EXTENSION_SERVER_NAME, list[i].bytes, list[i].size);
		finish(&d);
		ck_assert_msg(parse_draft(&d) == -1, "list %zu", i);
	}
	begin(&d);
	server_name(&d, "a.example", 9);
	server_name(&d, "a.example", 9);
	finish(&d);
	ck_assert_int_eq(parse_draft(&d), -1);
}
END_TEST

START_TEST(huge)
{
	static const uint8_t filler[16000];
	struct hello hello;
	struct draft d;

	begin(&d);
	extension(&d, 21, filler, sizeof(filler));
	server_name(&d, "a.example", 9);
	finish(&d);
	ck_assert_int_eq(parse(d.byte, d.size, &hello), 0);
	ck_assert_uint_eq(hello.name_size, 9);
}
END_TEST

/* ---- names ---- */

START_TEST(names)
{
	static const struct {
		const char *sent, *name;
	} sent[] = {
		{ "api.example.com", "api.example.com" },
		{ "API.Example.COM", "api.example.com" },
		{ "api.example.com.", "api.example.com" },
		{ "a_b-c.x9", "a_b-c.x9" },
		{ "localhost", "localhost" },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example" },
		{ "1.2.3.4", "1.2.3.4" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sent); i++) {
		struct draft d = named(sent[i].sent, strlen(sent[i].sent));

		setup();
		ck_assert_uint_eq(tell(&d), HELLO_NAME);
		ck_assert_str_eq((const char *)socket_state.sni.name, sent[i].name);
		for (size_t k = strlen(sent[i].name); k < sizeof(socket_state.sni.name); k++)
			ck_assert_uint_eq(socket_state.sni.name[k], 0);
	}
}
END_TEST

/* Every byte that is not of a host name, at the start, inside and at the end. */
START_TEST(bytes_of_names)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._";

	for (unsigned int c = 0; c < 256; c++) {
		for (size_t at = 0; at < 9; at++) {
			char name[] = "a.example";
			struct draft d;

			name[at] = (char)c;
			d = named(name, 9);
			setup();
			ck_assert_uint_eq(tell(&d),
					  c && strchr(allowed, (int)c) ? HELLO_NAME : HELLO_BAD);
		}
	}
}
END_TEST

START_TEST(name_sizes)
{
	char name[NAME_SIZE + 10];

	memset(name, 'a', sizeof(name));
	for (size_t size = 1; size < sizeof(name); size++) {
		struct draft d = named(name, size);

		setup();
		ck_assert_uint_eq(tell(&d), size < NAME_SIZE ? HELLO_NAME : HELLO_BAD);
		if (size < NAME_SIZE)
			ck_assert_uint_eq(strlen((const char *)socket_state.sni.name), size);
	}
}
END_TEST

START_TEST(encrypted_hello)
{
	struct draft d;

	begin(&d);
	server_name(&d, "public.example", 14);
	extension(&d, EXTENSION_ECH, "\0\0\1\0\1\0", 6);
	finish(&d);
	ck_assert_uint_eq(tell(&d), HELLO_ENCRYPTED);
	ck_assert_uint_eq(policy_verdict(&socket_state, 0), REASON_ECH);
}
END_TEST

/* After HelloRetryRequest the second must say what the first said. */
START_TEST(second_hello)
{
	struct draft a = named("a.example", 9), upper = named("A.EXAMPLE.", 10);
	struct draft b = named("b.example", 9), longer = named("a.examples", 10);
	struct draft none = real(HELLO_OPENSSL_NO_NAME), bad = a, ech;
	const struct {
		const struct draft *first, *second;
		uint32_t state;
	} pair[] = {
		{ &a, &a, HELLO_NAME },		{ &a, &upper, HELLO_NAME },
		{ &a, &b, HELLO_CHANGED },	{ &a, &longer, HELLO_CHANGED },
		{ &longer, &a, HELLO_CHANGED }, { &a, &none, HELLO_CHANGED },
		{ &none, &a, HELLO_CHANGED },	{ &none, &none, HELLO_NO_NAME },
		{ &a, &ech, HELLO_CHANGED },	{ &ech, &a, HELLO_CHANGED },
		{ &a, &bad, HELLO_CHANGED },	{ &bad, &a, HELLO_CHANGED },
		{ &bad, &bad, HELLO_BAD },
	};

	bad.byte[5] = 2;
	begin(&ech);
	extension(&ech, EXTENSION_ECH, "", 0);
	finish(&ech);
	for (size_t i = 0; i < ARRAY_SIZE(pair); i++) {
		setup();
		tell(pair[i].first);
		ck_assert_msg(tell(pair[i].second) == pair[i].state, "pair %zu", i);
		tell(pair[i].first);
		if (pair[i].state == HELLO_CHANGED) /* for good */
			ck_assert_uint_eq(socket_state.hello, HELLO_CHANGED);
	}
}
END_TEST

/* ---- the verdict ---- */

static void grant(const char *name, uint32_t port, secret_mask secrets_of_rule)
{
	struct rule_key key = { .workload = WORKLOAD, .port = port };

	memcpy(key.name, name, strlen(name));
	ck_assert_int_eq(bpf_map_update_elem(&rules, &key, &secrets_of_rule, BPF_ANY), 0);
}

static void answer(const char *name, uint64_t expires)
{
	struct verified_key key = { .workload = WORKLOAD };
	struct verified value = { .expires = expires };

	memcpy(key.address, socket_state.address, 16);
	memcpy(key.name, name, strlen(name));
	ck_assert_int_eq(bpf_map_update_elem(&verified, &key, &value, BPF_ANY), 0);
}

static void reject(const char *name, uint32_t reason)
{
	struct verified_key key = { .workload = WORKLOAD };
	struct rejection value = { .time = 500, .reason = reason };

	memcpy(key.address, socket_state.address, 16);
	memcpy(key.name, name, strlen(name));
	ck_assert_int_eq(bpf_map_update_elem(&rejections, &key, &value, BPF_ANY), 0);
}

static void forget(struct host_map *map, const char *name)
{
	struct verified_key key = { .workload = WORKLOAD };

	memcpy(key.address, socket_state.address, 16);
	memcpy(key.name, name, strlen(name));
	ck_assert_int_eq(bpf_map_delete_elem(map, &key), 0);
}

static uint32_t verdict_of(const char *name, unsigned int secret)
{
	struct draft d = named(name, strlen(name));

	setup();
	tell(&d);
	return policy_verdict(&socket_state, secret);
}

START_TEST(verdicts)
{
	setup();
	grant("a.example", 443, 1 << 1);
	grant("a.example", 0, 1 << 1 | 1 << 2);
	grant("a.example", 8443, 1 << 2);
	grant("*.b.example", 443, 1ULL << 63);
	grant("*.x.b.example", 443, 1 << 3);
	answer("a.example", ~0ULL);
	answer("x.b.example", 1000);
	answer("y.x.b.example", 2000);
	answer("old.b.example", 999);
	answer("b.example", ~0ULL);

	ck_assert_uint_eq(verdict_of("a.example", 1), REASON_NONE);
	ck_assert_uint_eq(verdict_of("A.EXAMPLE.", 1), REASON_NONE);
	ck_assert_uint_eq(verdict_of("a.example", 2), REASON_PORT);
	ck_assert_uint_eq(verdict_of("a.example", 3), REASON_HOST);
	ck_assert_uint_eq(verdict_of("ba.example", 1), REASON_HOST);
	ck_assert_uint_eq(verdict_of("a.example.org", 1), REASON_HOST);
	ck_assert_uint_eq(verdict_of("x.b.example", 63), REASON_NONE);
	ck_assert_uint_eq(verdict_of("x.b.example", 3), REASON_HOST);
	ck_assert_uint_eq(verdict_of("y.x.b.example", 3), REASON_NONE);
	ck_assert_uint_eq(verdict_of("y.x.b.example", 63), REASON_NONE);
	ck_assert_uint_eq(verdict_of("b.example", 63), REASON_HOST);
	ck_assert_uint_eq(verdict_of("old.b.example", 63), REASON_EXPIRED);
	ck_assert_uint_eq(verdict_of("new.b.example", 63), REASON_NOT_VERIFIED);
}
END_TEST

/* Another address, or another workload, has no part in it. */
START_TEST(verdicts_of_others)
{
	struct draft d = named("a.example", 9);

	setup();
	grant("a.example", 443, 2);
	answer("a.example", ~0ULL);
	socket_state.address[15]++;
	tell(&d);
	ck_assert_uint_eq(policy_verdict(&socket_state, 1), REASON_NOT_VERIFIED);
	setup();
	socket_state.workload = WORKLOAD + 1;
	tell(&d);
	ck_assert_uint_eq(policy_verdict(&socket_state, 1), REASON_HOST);
	setup();
	tell(&d);
	ck_assert_uint_eq(policy_verdict(&socket_state, 1), REASON_NONE);
	socket_state.foreign_netns = 1;
	ck_assert_uint_eq(policy_verdict(&socket_state, 1), REASON_NETNS);
}
END_TEST

/* Why the address does not count: what is known best. A rejection is never a permission. */
START_TEST(verdicts_of_rejections)
{
	setup();
	grant("a.example", 443, 2);
	ck_assert_uint_eq(verdict_of("a.example", 1), REASON_NOT_VERIFIED);
	reject("b.example", REASON_RESOLVER);
	ck_assert_uint_eq(verdict_of("a.example", 1), REASON_NOT_VERIFIED);
	reject("a.example", REASON_RESOLVER);
	ck_assert_uint_eq(verdict_of("a.example", 1), REASON_RESOLVER);
	ck_assert_uint_eq(verdict_of("A.example.", 1), REASON_RESOLVER);
	reject("a.example", REASON_QUERY);
	ck_assert_uint_eq(verdict_of("a.example", 1), REASON_QUERY);
	ck_assert_uint_eq(verdict_of("a.example", 2), REASON_HOST);
	answer("a.example", 999);
	ck_assert_uint_eq(verdict_of("a.example", 1), REASON_EXPIRED);
	answer("a.example", 1000);
	ck_assert_uint_eq(verdict_of("a.example", 1), REASON_NONE);
	reject("a.example", REASON_RESOLVER);
	ck_assert_uint_eq(verdict_of("a.example", 1), REASON_NONE);
	forget(&verified, "a.example");
	ck_assert_uint_eq(verdict_of("a.example", 1), REASON_RESOLVER);
}
END_TEST

/* Doubts of another address are none of this one. */
START_TEST(rejections_of_others)
{
	struct draft d = named("a.example", 9);

	setup();
	grant("a.example", 443, 2);
	reject("a.example", REASON_QUERY);
	socket_state.address[15]++;
	tell(&d);
	ck_assert_uint_eq(policy_verdict(&socket_state, 1), REASON_NOT_VERIFIED);
}
END_TEST

/* Taken once: what resolvers and user space say later is for later connections. */
START_TEST(verdict_for_life)
{
	struct draft d = named("a.example", 9);

	for (unsigned int again = 0; again < 2; again++) {
		teardown();
		setup();
		grant("a.example", 443, 2);
		reject("a.example", REASON_RESOLVER);
		tell(&d);
		answer("a.example", ~0ULL);
		if (again) /* after HelloRetryRequest */
			tell(&d);
		ck_assert_uint_eq(policy_verdict(&socket_state, 1), REASON_RESOLVER);
		setup();
		tell(&d);
		ck_assert_uint_eq(policy_verdict(&socket_state, 1), REASON_NONE);
		forget(&verified, "a.example");
		if (again)
			tell(&d);
		ck_assert_uint_eq(policy_verdict(&socket_state, 1), REASON_NONE);
		setup();
		tell(&d);
		ck_assert_uint_eq(policy_verdict(&socket_state, 1), REASON_RESOLVER);
		forget(&rejections, "a.example");
		ck_assert_uint_eq(policy_verdict(&socket_state, 1), REASON_RESOLVER);
	}
}
END_TEST

START_TEST(verdicts_without_hello)
{
	struct draft none = real(HELLO_OPENSSL_NO_NAME), bad = none;

	bad.byte[6] = 1;
	setup();
	ck_assert_uint_eq(policy_verdict(&socket_state, 0), REASON_HELLO);
	tell(&none);
	ck_assert_uint_eq(policy_verdict(&socket_state, 0), REASON_NO_SNI);
	tell(&bad);
	ck_assert_uint_eq(policy_verdict(&socket_state, 0), REASON_SNI_CHANGED);
	socket_state.by_address = 1; /* an address rule needs no name */
	ck_assert_uint_eq(policy_verdict(&socket_state, 0), REASON_NONE);
	ck_assert_uint_eq(policy_verdict(&socket_state, 1), REASON_SNI_CHANGED);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		clients,
		every_truncation,
		more_behind,
		lying_lengths,
		extension_counts,
		no_extensions_at_all,
		odd_name_lists,
		huge,
		names,
		bytes_of_names,
		name_sizes,
		encrypted_hello,
		second_hello,
		verdicts,
		verdicts_of_others,
		verdicts_without_hello,
		verdicts_of_rejections,
		rejections_of_others,
		verdict_for_life,
	};

	return suite_run("hello", tests, ARRAY_SIZE(tests), 60, setup, teardown);
}
