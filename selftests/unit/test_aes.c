// SPDX-License-Identifier: GPL-2.0-only
/* kernel/crypto/aes.h against FIPS 197, AESAVS, SP 800-38A and a plain second implementation. */
#include "kernel/crypto/aes.h"
#include "selftests/unit/reference.h"
#include "selftests/unit/suite.h"

#include <check.h>

static struct aes_key expanded(const uint8_t *bytes, size_t size)
{
	struct aes_bytes raw = { { 0 } };
	struct aes_key key;

	memcpy(raw.byte, bytes, size);
	ck_assert_int_eq(aes_expand(&key, &raw, size), 0);
	return key;
}

static void encrypt(const struct aes_key *key, const uint8_t in[16], uint8_t out[16])
{
	struct aes_block block;

	ck_assert_int_eq(aes_encrypt(key, load_be64(in), load_be64(in + 8), &block), 0);
	memcpy(out, block.byte, sizeof(block.byte));
}

static const struct {
	const char *from, *key, *plain, *cipher;
} vector[] = {
	{ "FIPS 197 B", "2b7e151628aed2a6abf7158809cf4f3c", "3243f6a8885a308d313198a2e0370734",
	  "3925841d02dc09fbdc118597196a0b32" },
	{ "FIPS 197 C.1", "000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
	  "69c4e0d86a7b0430d8cdb78070b4c55a" },
	{ "FIPS 197 C.3", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "00112233445566778899aabbccddeeff", "8ea2b7ca516745bfeafc49904b496089" },
	{ "AESAVS GFSbox", "00000000000000000000000000000000", "f34481ec3cc627bacd5dc3fb08f273e6",
	  "0336763e966d92595a567cc9ce537f5e" },
	{ "AESAVS GFSbox", "0000000000000000000000000000000000000000000000000000000000000000",
	  "014730f80ac625fe84f026c60bfd547d", "5c9d844ed46f9885085e5d6a4f94c7d7" },
	{ "AESAVS KeySbox", "10a58869d74be5a374cf867cfb473859", "00000000000000000000000000000000",
	  "6d251e6944b051e04eaa6fb4dbf78465" },
	{ "AESAVS KeySbox", "c47b0294dbbbee0fec4757f22ffeee3587ca4730c3d33b691df38bab076bc558",
	  "00000000000000000000000000000000", "46f2fb342d6f0ab477476fc501242c5f" },
	{ "AESAVS VarTxt", "00000000000000000000000000000000", "80000000000000000000000000000000",
	  "3ad78e726c1ec02b7ebfe92b23d9ec34" },
	{ "AESAVS VarTxt", "0000000000000000000000000000000000000000000000000000000000000000",
	  "80000000000000000000000000000000", "ddc6bf790c15760d8d9aeb6f9a75fd4e" },
	{ "AESAVS VarKey", "80000000000000000000000000000000", "00000000000000000000000000000000",
	  "0edd33d3c621e546455bd8ba1418bec8" },
	{ "AESAVS VarKey", "8000000000000000000000000000000000000000000000000000000000000000",
	  "00000000000000000000000000000000", "e35a6dcb19b201a01ebcfa8aa22b5759" },
	{ "SP 800-38A F.5.1", "2b7e151628aed2a6abf7158809cf4f3c",
	  "f0f1f2f3f4f5f6f7f8f9fafbfcfdff00", "362b7c3c6773516318a077d7fc5073ae" },
	{ "SP 800-38A F.5.5", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
	  "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "0bdf7df1591716335e9a8b15c860c502" },
};

START_TEST(published)
{
	uint8_t bytes[32], plain[16], expected[16], out[16];

	for (size_t i = 0; i < ARRAY_SIZE(vector); i++) {
		struct aes_key key = expanded(bytes, unhex(vector[i].key, bytes));

		unhex(vector[i].plain, plain);
		unhex(vector[i].cipher, expected);
		encrypt(&key, plain, out);
		ck_assert_msg(memcmp(out, expected, 16) == 0, "%s, key %s", vector[i].from,
			      vector[i].key);
	}
}
END_TEST

/* FIPS 197, appendix A: first and last words that are not the key itself. */
START_TEST(key_expansion)
{
	static const struct {
		const char *key;
		unsigned int rounds, first;
		uint32_t word[2]; /* the first made, the last */
	} schedule[] = {
		{ "2b7e151628aed2a6abf7158809cf4f3c", 10, 4, { 0xa0fafe17, 0xb6630ca6 } },
		{ "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
		  14,
		  8,
		  { 0x9ba35411, 0x706c631e } },
	};
	uint8_t bytes[32];

	for (size_t i = 0; i < ARRAY_SIZE(schedule); i++) {
		struct aes_key key = expanded(bytes, unhex(schedule[i].key, bytes));

		ck_assert_uint_eq(key.rounds, schedule[i].rounds);
		ck_assert_uint_eq(key.word[schedule[i].first], schedule[i].word[0]);
		ck_assert_uint_eq(key.word[4 * key.rounds + 3], schedule[i].word[1]);
	}
}
END_TEST

START_TEST(key_sizes)
{
	struct aes_bytes bytes = { { 0 } };
	struct aes_key key;

	for (unsigned int size = 0; size <= 64; size++)
		ck_assert_int_eq(aes_expand(&key, &bytes, size), size == 16 || size == 32 ? 0 : -1);
	ck_assert_int_eq(aes_expand(NULL, &bytes, 16), -1);
	ck_assert_int_eq(aes_expand(&key, NULL, 16), -1);
}
END_TEST

START_TEST(same_as_reference)
{
	uint64_t random = 20240607;
	uint8_t bytes[32], plain[16], expected[16], out[16];

	for (unsigned int i = 0; i < 20000; i++) {
		size_t size = i & 1 ? 16 : 32;
		struct reference_key reference;
		struct aes_key key;

		random_fill(&random, bytes, sizeof(bytes));
		random_fill(&random, plain, sizeof(plain));
		key = expanded(bytes, size);
		reference_expand(&reference, bytes, size);
		reference_block(&reference, plain, expected);
		encrypt(&key, plain, out);
		ck_assert_mem_eq(out, expected, 16);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		published,
		key_expansion,
		key_sizes,
		same_as_reference,
	};

	return suite_run("aes", tests, ARRAY_SIZE(tests), 60, NULL, NULL);
}
