// SPDX-License-Identifier: GPL-2.0-only
/*
 * Placeholders: their form at every size, their uniqueness, and the Huffman
 * code lengths against RFC 7541.
 */
#include "selftests/unit/suite.h"
#include "user/secret/huffman.h"
#include "user/secret/placeholder.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ULID_SIZE    26
#define HEX	     "0123456789abcdef"
#define BASE64URL    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#define ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* A secret of @size bytes: @prefix, then random characters of @alphabet. */
static void secret_make(char *secret, size_t size, const char *prefix, const char *alphabet)
{
	size_t fixed = strlen(prefix);

	memcpy(secret, prefix, fixed);
	for (size_t i = fixed; i < size; i++)
		secret[i] = alphabet[(size_t)random() % strlen(alphabet)];
}

static struct placeholder make(const char *secret, size_t size)
{
	struct error err = { 0 };
	struct placeholder result;

	ck_assert_msg(placeholder_make(secret, size, NULL, 0, &result, &err) == 0, "%s", err.text);
	return result;
}

static bool in_alphabet(const char *text)
{
	return text[strspn(text, PLACEHOLDER_ALPHABET)] == '\0';
}

static uint64_t ulid_ms(const struct placeholder *placeholder)
{
	uint64_t time = 0;

	for (int i = 0; i < 10; i++) {
		char c = placeholder->text[PLACEHOLDER_PREFIX_SIZE + i];

		time = time * 32 +
		       (uint64_t)(strchr(PLACEHOLDER_ALPHABET, c) - PLACEHOLDER_ALPHABET);
	}
	return time;
}

/* ---- Huffman ---- */

/* RFC 7541, Appendix C.4 and C.6: strings and the bytes that they take. */
START_TEST(huffman_rfc_vectors)
{
	static const struct {
		const char *text;
		size_t bytes;
	} vector[] = {
		{ "www.example.com", 12 },
		{ "no-cache", 6 },
		{ "custom-key", 8 },
		{ "custom-value", 9 },
		{ "302", 2 },
		{ "private", 5 },
		{ "Mon, 21 Oct 2013 20:13:21 GMT", 22 },
		{ "https://www.example.com", 17 },
		{ "307", 3 },
		{ "Mon, 21 Oct 2013 20:13:22 GMT", 22 },
		{ "gzip", 3 },
		{ "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1", 45 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(vector); i++) {
		size_t bits = huffman_bits(vector[i].text, strlen(vector[i].text));

		ck_assert_msg((bits + 7) / 8 == vector[i].bytes, "%s: %zu bits", vector[i].text,
			      bits);
	}
}
END_TEST

/* A complete prefix code fills the space: the sum of 2^-bits is 1, with EOS taking 30 bits. */
START_TEST(huffman_code_complete)
{
	uint64_t sum = 1; /* EOS, in units of 2^-30 */

	for (int i = 0; i < 256; i++)
		sum += (uint64_t)1 << (30 - huffman_code_bits[i]);
	ck_assert_uint_eq(sum, (uint64_t)1 << 30);
}
END_TEST

/* Names from the RFC's table, so that no two rows of ours are swapped. */
START_TEST(huffman_code_lengths)
{
	ck_assert_uint_eq(huffman_bits("012", 3), 15);
	ck_assert_uint_eq(huffman_bits("3456789A", 8), 48);
	ck_assert_uint_eq(huffman_bits("BCDEFGHJKMNPQRSTVWY", 19), 133);
	ck_assert_uint_eq(huffman_bits("XZ", 2), 16);
	ck_assert_uint_eq(huffman_bits("kloak:", 6), 37);
	ck_assert_uint_eq(huffman_bits("\\", 1), 19);
	ck_assert_uint_eq(huffman_bits("\n", 1), 30);
	ck_assert_uint_eq(huffman_bits("", 1), 13); /* NUL */
	ck_assert_uint_eq(huffman_bits("\xff", 1), 26);
	ck_assert_uint_eq(huffman_bits("\xf9", 1), 28);
}
END_TEST

/* ---- form ---- */

START_TEST(form_at_every_size)
{
	char secret[SECRET_MAX];

	for (size_t size = SECRET_MIN; size <= SECRET_MAX; size++) {
		struct placeholder result;

		secret_make(secret, size, "", BASE64URL);
		result = make(secret, size);
		ck_assert_uint_eq(result.size, size);
		ck_assert_uint_eq(strlen(result.text), size);
		ck_assert_int_eq(strncmp(result.text, PLACEHOLDER_PREFIX, PLACEHOLDER_PREFIX_SIZE),
				 0);
		ck_assert_msg(in_alphabet(result.text + PLACEHOLDER_PREFIX_SIZE), "%s",
			      result.text);
	}
}
END_TEST

START_TEST(sizes_out_of_range)
{
	static const char secret[SECRET_MAX + 1];
	struct placeholder result;
	struct error err = { 0 };

	ck_assert_int_eq(placeholder_make(secret, 0, NULL, 0, &result, &err), -EINVAL);
	ck_assert_int_eq(placeholder_make(secret, 7, NULL, 0, &result, &err), -EINVAL);
	ck_assert_int_eq(placeholder_make(secret, 513, NULL, 0, &result, &err), -EINVAL);
	ck_assert_int_eq(err.exit_code, EXIT_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "8 to 512"));
}
END_TEST

/* 32 bytes are the first to hold a whole ULID; its time is now, or some hours ago. */
START_TEST(ulid_from_32_bytes)
{
	static const size_t sizes[] = { 32, 33, 40, 64, 100, 512 };
	char secret[SECRET_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (int round = 0; round < 50; round++) {
			uint64_t now = (uint64_t)time(NULL) * 1000;
			struct placeholder result;
			uint64_t then;

			secret_make(secret, sizes[i], "", round % 2 ? HEX : ALPHANUMERIC);
			result = make(secret, sizes[i]);
			then = ulid_ms(&result);
			ck_assert_int_le(result.text[PLACEHOLDER_PREFIX_SIZE], '7');
			ck_assert_uint_le(then, now + 2000);
			ck_assert_uint_ge(then, now - 20 * 3600 * 1000);
		}
	}
}
END_TEST

/* Punctuation takes 10 to 19 bits each: no base32 text takes as many, and nothing is promised. */
START_TEST(unequal_is_said)
{
	struct placeholder result = make("#$<>\\^{}#$<>\\^{}#$<>\\^{}#$<>\\^{}", 32);

	ck_assert(!result.hpack_equal);
	ck_assert_uint_eq(strlen(result.text), 32);
	/* 80 bits: the prefix leaves 43 for 10 characters of 5 bits or more. */
	result = make("0000000000000000", 16);
	ck_assert(!result.hpack_equal);
	/* 87 bits: 3^10 strings of 0, 1 and 2 would fit, less than half the random bits. */
	result = make("0000000003333333", 16);
	ck_assert(!result.hpack_equal);
	/* Without HPACK the ULID's time is exact. */
	result = make("{}{}{}{}{}{}{}{}{}{}{}{}{}{}{}{}", 32);
	ck_assert_uint_le(ulid_ms(&result), (uint64_t)time(NULL) * 1000 + 2000);
	ck_assert_uint_ge(ulid_ms(&result), (uint64_t)time(NULL) * 1000 - 2000);
}
END_TEST

/* ---- Huffman equality over what secrets look like ---- */

#define SAMPLES 400

static unsigned int equal_of_samples(size_t size, const char *prefix, const char *alphabet)
{
	char secret[SECRET_MAX];
	unsigned int equal = 0;

	for (unsigned int i = 0; i < SAMPLES; i++) {
		struct placeholder result;
		size_t ours, theirs;

		secret_make(secret, size, prefix, alphabet);
		result = make(secret, size);
		ours = huffman_bits(result.text, result.size);
		theirs = huffman_bits(secret, size);
		if (result.hpack_equal)
			ck_assert_uint_eq(ours, theirs);
		equal += result.hpack_equal;
	}
	return equal;
}

START_TEST(hpack_equality_rate)
{
	static const struct {
		const char *kind, *prefix, *alphabet;
		size_t size;
		unsigned int percent; /* at least */
	} kind[] = {
		{ "hex 8", "", HEX, 8, 0 },
		{ "hex 16", "", HEX, 16, 50 },
		{ "hex 32", "", HEX, 32, 50 },
		{ "hex 40", "", HEX, 40, 95 },
		{ "hex 64", "", HEX, 64, 100 },
		{ "base64url 12", "", BASE64URL, 12, 80 },
		{ "base64url 22", "", BASE64URL, 22, 95 },
		{ "base64url 43", "", BASE64URL, 43, 100 },
		{ "JWT-like 400", "eyJhbGciOiJIUzI1NiJ9.", BASE64URL, 400, 100 },
		{ "sk_live_ 32", "sk_live_", ALPHANUMERIC, 32, 85 },
		{ "ghp_ 40", "ghp_", ALPHANUMERIC, 40, 98 },
		{ "sk-proj- 164", "sk-proj-", BASE64URL, 164, 100 },
		{ "digits 16", "", "0123456789", 16, 0 },
		{ "AKIA 20", "AKIA", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 20, 95 },
		{ "base64 512", "", ALPHANUMERIC "+/", 512, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kind); i++) {
		unsigned int equal =
			equal_of_samples(kind[i].size, kind[i].prefix, kind[i].alphabet);

		printf("HPACK equal, %-13s %5.1f %%\n", kind[i].kind, 100.0 * equal / SAMPLES);
		ck_assert_msg(equal * 100 >= kind[i].percent * SAMPLES, "%s: %u of %u",
			      kind[i].kind, equal, SAMPLES);
	}
}
END_TEST

/* ---- uniqueness ---- */

static int compare_heads(const void *a, const void *b)
{
	return memcmp(((const struct placeholder *)a)->text, ((const struct placeholder *)b)->text,
		      PLACEHOLDER_HEAD);
}

/* Fills @set until an error; returns the count. Sizes go round from @least to @most. */
static size_t fill(struct placeholder *set, size_t wanted, size_t least, size_t most,
		   struct error *err)
{
	char secret[SECRET_MAX];
	size_t count;

	for (count = 0; count < wanted; count++) {
		size_t size = least + count % (most - least + 1);

		secret_make(secret, size, "", ALPHANUMERIC);
		if (placeholder_make(secret, size, set, count, &set[count], err) < 0)
			break;
	}
	return count;
}

/* Compares each with each in sorted order: whatever begins with a text comes right after it. */
static void assert_distinct(struct placeholder *set, size_t count)
{
	qsort(set, count, sizeof(*set), compare_heads);
	for (size_t i = 1; i < count; i++)
		ck_assert_msg(!placeholder_conflicts(&set[i - 1], &set[i]), "%s %s",
			      set[i - 1].text, set[i].text);
}

static void assert_unique(size_t wanted, size_t least, size_t most)
{
	struct placeholder *set = calloc(wanted, sizeof(*set));
	struct error err = { 0 };

	ck_assert_ptr_nonnull(set);
	ck_assert_msg(fill(set, wanted, least, most, &err) == wanted, "%s", err.text);
	assert_distinct(set, wanted);
	free(set);
}

START_TEST(unique_9_bytes)
{
	assert_unique(10000, 9, 9);
}
END_TEST

START_TEST(unique_10_to_12_bytes)
{
	assert_unique(10000, 10, 12);
}
END_TEST

START_TEST(unique_32_bytes)
{
	assert_unique(10000, 32, 32);
}
END_TEST

/* Some of each, so that short ones would begin long ones. */
START_TEST(unique_8_to_12_bytes)
{
	assert_unique(1000, 8, 12);
}
END_TEST

/* 8 bytes leave 2 characters: 1,024 placeholders, and then a clean error. */
START_TEST(space_of_8_bytes_used_up)
{
	static struct placeholder set[1100];
	struct error err = { 0 };
	size_t count = fill(set, 1100, 8, 8, &err);

	ck_assert_uint_eq(count, 1024);
	ck_assert_int_eq(err.code, -ENOSPC);
	ck_assert_int_eq(err.exit_code, EXIT_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "longer"));
	assert_distinct(set, count);
}
END_TEST

/* A longer one must not begin with any of the 1,024 short ones either. */
START_TEST(no_placeholder_begins_another)
{
	static struct placeholder set[1025];
	struct error err = { 0 };

	ck_assert_uint_eq(fill(set, 1024, 8, 8, &err), 1024);
	ck_assert_int_eq(placeholder_make("abcdefghijkl", 12, set, 1024, &set[1024], &err),
			 -ENOSPC);
	ck_assert_int_eq(placeholder_make("abcdefghijkl", 12, set, 1000, &set[1024], &err), 0);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_ne(memcmp(set[i].text, set[1024].text, 8), 0);
}
END_TEST

/* Draws often, and asserts that every base32 character turns up at every random position. */
static void assert_all_characters(const char *alphabet, bool equal)
{
	static bool seen[12][128];
	char secret[12];

	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < 5000; i++) {
		struct placeholder result;

		secret_make(secret, 12, "", alphabet);
		result = make(secret, 12);
		if (result.hpack_equal != equal)
			continue;
		for (int at = PLACEHOLDER_PREFIX_SIZE; at < 12; at++)
			seen[at][(unsigned char)result.text[at]] = true;
	}
	for (int at = PLACEHOLDER_PREFIX_SIZE; at < 12; at++)
		for (const char *c = PLACEHOLDER_ALPHABET; *c; c++)
			ck_assert_msg(seen[at][(unsigned char)*c], "%c at %d", *c, at);
}

START_TEST(all_characters_without_hpack)
{
	assert_all_characters("#^{}<>", false);
}
END_TEST

START_TEST(all_characters_with_hpack)
{
	assert_all_characters(BASE64URL, true);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		huffman_rfc_vectors,
		huffman_code_complete,
		huffman_code_lengths,
		form_at_every_size,
		sizes_out_of_range,
		ulid_from_32_bytes,
		unequal_is_said,
		hpack_equality_rate,
		unique_9_bytes,
		unique_10_to_12_bytes,
		unique_32_bytes,
		unique_8_to_12_bytes,
		space_of_8_bytes_used_up,
		no_placeholder_begins_another,
		all_characters_without_hpack,
		all_characters_with_hpack,
	};

	srandom(42);
	return suite_run("placeholder", tests, ARRAY_SIZE(tests), 120, NULL, NULL);
}
