// SPDX-License-Identifier: GPL-2.0-only
/*
 * AES-GCM as the kernel side uses it: the keystream of a range and the change
 * of a tag, both through the functions that serve a socket, against published
 * vectors and against a plain second implementation (reference.h), which is
 * held against the same vectors.
 */
#include "selftests/unit/host_kernel.h"

#include "selftests/unit/reference.h"
#include "selftests/unit/suite.h"

#include <check.h>
#include <stdio.h>

/*
 * CAVP gcmEncryptExtIV128.rsp and gcmEncryptExtIV256.rsp (Count 0 of groups
 * with a nonce of 96 bits), and McGrew and Viega, "The Galois/Counter Mode of
 * Operation", appendix B.
 */
static const struct {
	const char *from, *key, *nonce, *plain, *aad, *cipher, *tag;
} vector[] = {
	{ "CAVP 128, 0 + 0", "11754cd72aec309bf52f7687212e8957", "3c819d9a9bed087615030b65", "", "",
	  "", "250327c674aaf477aef2675748cf6971" },
	{ "CAVP 128, 0 + 16", "77be63708971c4e240d1cb79e8d77feb", "e0e00f19fed7ba0136a797f3", "",
	  "7a43ec1d9c0a5a78a0b16533a6213cab", "", "209fcc8d3675ed938e9c7166709dd946" },
	{ "CAVP 128, 13 + 0", "fe9bb47deb3a61e423c2231841cfd1fb", "4d328eb776f500a2f7fb47aa",
	  "f1cc3818e421876bb6b8bbd6c9", "", "b88c5c1977b35b517b0aeae967",
	  "43fd4727fe5cdb4b5b42818dea7ef8c9" },
	{ "CAVP 128, 16 + 0", "7fddb57453c241d03efbed3ac44e371c", "ee283a3fc75575e33efd4887",
	  "d5de42b461646c255c87bd2962d3b9a2", "", "2ccda4a5415cb91e135c2a0f78c9b2fd",
	  "b36d1df9b9d5e596f83e8b7f52971cb3" },
	{ "CAVP 128, 16 + 20", "d4a22488f8dd1d5c6c19a7d6ca17964c", "f3d5837f22ac1a0425e0d1d5",
	  "7b43016a16896497fb457be6d2a54122", "f1c5d424b83f96c6ad8cb28ca0d20e475e023b5a",
	  "c2bd67eef5e95cac27e3b06e3031d0a8", "f23eacf9d1cdf8737726c58648826e9c" },
	{ "CAVP 128, 32 + 48", "48b7f337cdf9252687ecc760bd8ec184", "3e894ebb16ce82a53c3e05b2",
	  "bb2bac67a4709430c39c2eb9acfabc0d456c80d30aa1734e57997d548a8f0603",
	  "7d924cfd37b3d046a96eb5e132042405c8731e06509787bbeb41f258275746495e884d69871f77634c584bb0"
	  "07312234",
	  "d263228b8ce051f67e9baf1ce7df97d10cd5f3bc972362055130c7d13c3ab2e7",
	  "71446737ca1fa92e6d026d7d2ed1aa9c" },
	{ "CAVP 128, 51 + 90", "2c1f21cf0f6fb3661943155c3e3d8492", "23cb5ff362e22426984d1907",
	  "42f758836986954db44bf37c6ef5e4ac0adaf38f27252a1b82d02ea949c8a1a2dbc0d68b5615ba7c1220ff65"
	  "10e259f06655d8",
	  "5d3624879d35e46849953e45a32a624d6a6c536ed9857c613b572b0333e701557a713e3f010ecdf9a6bd6c9e"
	  "3e44b065208645aff4aabee611b391528514170084ccf587177f4488f33cfb5e979e42b6e1cfc0a60238982a"
	  "7aec",
	  "81824f0e0d523db30d3da369fdc0d60894c7a0a20646dd015073ad2732bd989b14a222b6ad57af43e1895df9"
	  "dca2a5344a62cc",
	  "57a3ee28136e94c74838997ae9823f3a" },
	{ "CAVP 256, 0 + 0", "b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4",
	  "516c33929df5a3284ff463d7", "", "", "", "bdc1ac884d332457a1d2664f168c76f0" },
	{ "CAVP 256, 16 + 0", "31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22",
	  "0d18e06c7c725ac9e362e1ce", "2db5168e932556f8089a0622981d017d", "",
	  "fa4362189661d163fcd6a56d8bf0405a", "d636ac1bbedd5cc3ee727dc2ab4a9489" },
	{ "CAVP 256, 16 + 16", "92e11dcdaa866f5ce790fd24501f92509aacf4cb8b1339d50c9c1240935dd08b",
	  "ac93a1a6145299bde902f21a", "2d71bcfa914e4ac045b2aa60955fad24",
	  "1e0889016f67601c8ebea4943bc23ad6", "8995ae2e6df3dbf96fac7b7137bae67f",
	  "eca5aa77d51d4a0a14d9c51e1da474ab" },
	{ "McGrew-Viega 1", "00000000000000000000000000000000", "000000000000000000000000", "", "",
	  "", "58e2fccefa7e3061367f1d57a4e7455a" },
	{ "McGrew-Viega 2", "00000000000000000000000000000000", "000000000000000000000000",
	  "00000000000000000000000000000000", "", "0388dace60b6a392f328c2b971b2fe78",
	  "ab6e47d42cec13bdf53a67b21257bddf" },
	{ "McGrew-Viega 3", "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
	  "49a6b525b16aedf5aa0de657ba637b391aafd255",
	  "",
	  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5a"
	  "ac84aa051ba30b396a0aac973d58e091473f5985",
	  "4d5c2af327cd64a62cf35abd2ba6fab4" },
	{ "McGrew-Viega 4", "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
	  "49a6b525b16aedf5aa0de657ba637b39",
	  "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5a"
	  "ac84aa051ba30b396a0aac973d58e091",
	  "5bc94fbc3221a5db94fae95ae7121a47" },
	{ "McGrew-Viega 13", "0000000000000000000000000000000000000000000000000000000000000000",
	  "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b" },
	{ "McGrew-Viega 14", "0000000000000000000000000000000000000000000000000000000000000000",
	  "000000000000000000000000", "00000000000000000000000000000000", "",
	  "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919" },
	{ "McGrew-Viega 16", "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	  "cafebabefacedbaddecaf888",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
	  "49a6b525b16aedf5aa0de657ba637b39",
	  "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b10"
	  "56828838c5f61e6393ba7a0abcc9f662",
	  "76fc6ece0f4e1768cddf8853bb2d551b" },
};

static struct tls_socket socket_state;

/* The socket has this key, proved; @nonce is that of sequence number 0. */
static void bind_key(const uint8_t *bytes, size_t size, const uint8_t nonce[12])
{
	struct traffic_key key = { .version = TLS_VERSION_13, .key_size = (uint8_t)size };

	memcpy(key.key, bytes, size);
	memcpy(key.iv, nonce, 12);
	ck_assert_int_eq(trial_set(&socket_state, &key, CIPHER_AES_GCM), 0);
	socket_state.key.gcm.aes = socket_state.trial.aes;
	socket_state.bound = CIPHER_AES_GCM;
	socket_state.iv = socket_state.trial_iv;
	gcm_powers_fill(&socket_state.key.gcm);
}

/* What a change of @size bytes at @at of @cipher_size bytes does to the tag. */
static void tag_delta(const uint8_t *delta, size_t at, size_t size, size_t cipher_size,
		      uint8_t out[16])
{
	static struct secret secret;

	memset(&secret, 0xa5, sizeof(secret)); /* what is after .size must not matter */
	memcpy(secret.delta, delta, size);
	memset(socket_state.delta, 0x5a, sizeof(socket_state.delta));
	secret.size = (uint32_t)size;
	socket_state.relative = (uint32_t)at;
	ck_assert_int_eq(tag_delta_make(&socket_state, &secret, size, cipher_size), 0);
	store_le64(out, __builtin_bswap64(socket_state.z.hi));
	store_le64(out + 8, __builtin_bswap64(socket_state.z.lo));
}

START_TEST(reference_is_right)
{
	uint8_t key[32], nonce[12], plain[64], aad[96], cipher[64], tag[16], out[64];

	for (size_t i = 0; i < ARRAY_SIZE(vector); i++) {
		size_t key_size = unhex(vector[i].key, key), size = unhex(vector[i].plain, plain);
		size_t aad_size = unhex(vector[i].aad, aad);
		struct reference_key reference;

		unhex(vector[i].nonce, nonce);
		unhex(vector[i].cipher, cipher);
		reference_key_set(&reference, key, key_size);
		reference_xor(&reference, nonce, plain, size, out);
		ck_assert_msg(memcmp(out, cipher, size) == 0, "%s", vector[i].from);
		reference_tag(&reference, nonce, aad, aad_size, out, size, out);
		unhex(vector[i].tag, tag);
		ck_assert_msg(memcmp(out, tag, 16) == 0, "%s", vector[i].from);
	}
}
END_TEST

/* Plaintext and ciphertext of a vector give the keystream, from every offset on. */
START_TEST(keystream_of_vectors)
{
	uint8_t key[32], nonce[12], plain[64], cipher[64];

	for (size_t i = 0; i < ARRAY_SIZE(vector); i++) {
		size_t key_size = unhex(vector[i].key, key), size = unhex(vector[i].plain, plain);

		unhex(vector[i].nonce, nonce);
		unhex(vector[i].cipher, cipher);
		bind_key(key, key_size, nonce);
		for (size_t at = 0; at < size; at++) {
			const uint8_t *keystream = socket_state.keystream.byte;

			socket_state.relative = (uint32_t)at;
			keystream_make(&socket_state, i & 1, 0, size - at);
			for (size_t k = at; k < size; k++)
				ck_assert_msg((plain[k] ^ cipher[k]) == keystream[k - at + at % 16],
					      "%s, byte %zu", vector[i].from, k);
		}
	}
}
END_TEST

/*
 * The tag of a vector is that of a ciphertext of zeros, changed by the vector's
 * ciphertext: the tag of zeros from the reference, the change from the kernel.
 */
START_TEST(tags_of_vectors)
{
	uint8_t key[32], nonce[12], aad[96], cipher[64], zero[64] = { 0 };
	uint8_t tag[16], out[16], delta[16];

	for (size_t i = 0; i < ARRAY_SIZE(vector); i++) {
		size_t key_size = unhex(vector[i].key, key), size = unhex(vector[i].cipher, cipher);
		size_t aad_size = unhex(vector[i].aad, aad);
		struct reference_key reference;

		if (size < SECRET_MIN)
			continue;
		unhex(vector[i].nonce, nonce);
		unhex(vector[i].tag, tag);
		bind_key(key, key_size, nonce);
		reference_key_set(&reference, key, key_size);
		reference_tag(&reference, nonce, aad, aad_size, zero, size, out);
		tag_delta(cipher, 0, size, size, delta);
		for (unsigned int k = 0; k < 16; k++)
			out[k] ^= delta[k];
		ck_assert_msg(memcmp(out, tag, 16) == 0, "%s", vector[i].from);
	}
}
END_TEST

/* H^(2^k) by squaring, against multiplication one by one. */
START_TEST(powers)
{
	static const char key_text[] = "kloak selftests!";
	uint8_t key[16], nonce[12] = { 0 }, product[16];
	struct reference_key reference;

	memcpy(key, key_text, sizeof(key));
	bind_key(key, sizeof(key), nonce);
	reference_key_set(&reference, key, sizeof(key));
	memcpy(product, reference.h, 16);
	for (unsigned int exponent = 1; exponent <= 1 << (GHASH_POWERS - 1); exponent++) {
		struct block z = { .hi = 1ULL << 63 };

		if (exponent > 1)
			reference_multiply(product, reference.h);
		gcm_power_multiply(&socket_state.key.gcm, &z, exponent);
		ck_assert_uint_eq(z.hi, load_be64(product));
		ck_assert_uint_eq(z.lo, load_be64(product + 8));
	}
}
END_TEST

/* ---- records ---- */

struct record_case {
	size_t key_size, plain_size, at, size;
	unsigned int version;
	uint64_t sequence;
};

/* What a library would have sent: ciphertext and tag of a record (RFC 8446 5.2; RFC 5288 3). */
static size_t seal(const struct reference_key *key, const uint8_t iv[12],
		   const struct record_case *c, const uint8_t *plain, uint8_t *cipher, uint8_t *tag)
{
	size_t size = c->plain_size + (c->version == TLS_VERSION_13);
	uint8_t nonce[12], aad[13] = { 0 };
	size_t aad_size;

	memcpy(nonce, iv, 12);
	memcpy(cipher, plain, c->plain_size);
	if (c->version == TLS_VERSION_13) {
		cipher[c->plain_size] = CONTENT_APPLICATION_DATA;
		store_le64(nonce + 4, load_le64(nonce + 4) ^ __builtin_bswap64(c->sequence));
		memcpy(aad, "\27\3\3", 3);
		aad[3] = (uint8_t)((size + 16) >> 8);
		aad[4] = (uint8_t)(size + 16);
		aad_size = 5;
	} else {
		store_le64(nonce + 4, __builtin_bswap64(c->sequence));
		store_le64(aad, __builtin_bswap64(c->sequence));
		memcpy(aad + 8, "\27\3\3", 3);
		aad[11] = (uint8_t)(size >> 8);
		aad[12] = (uint8_t)size;
		aad_size = 13;
	}
	reference_xor(key, nonce, cipher, size, cipher);
	reference_tag(key, nonce, aad, aad_size, cipher, size, tag);
	return size;
}

/* A record with a changed range, sealed again, against the record changed as the kernel does. */
static void check_record(uint64_t *random, const struct record_case *c)
{
	static uint8_t before[16384], after[16384], sealed[16400], again[16400];
	uint8_t key[32], iv[12], delta[SECRET_MAX], tag[16], tag_again[16], change[16];
	struct reference_key reference;
	size_t cipher_size;

	random_fill(random, key, sizeof(key));
	random_fill(random, iv, sizeof(iv));
	random_fill(random, before, c->plain_size);
	random_fill(random, delta, c->size);
	memcpy(after, before, c->plain_size);
	for (size_t i = 0; i < c->size; i++)
		after[c->at + i] ^= delta[i];
	reference_key_set(&reference, key, c->key_size);
	cipher_size = seal(&reference, iv, c, before, sealed, tag);
	seal(&reference, iv, c, after, again, tag_again);
	bind_key(key, c->key_size, iv);
	tag_delta(delta, c->at, c->size, cipher_size, change);
	for (unsigned int i = 0; i < 16; i++)
		tag[i] ^= change[i];
	for (size_t i = 0; i < c->size; i++)
		sealed[c->at + i] ^= delta[i];
	ck_assert_mem_eq(sealed, again, cipher_size);
	ck_assert_msg(memcmp(tag, tag_again, 16) == 0, "TLS %u, key %zu, record %zu: %zu at %zu",
		      c->version, c->key_size, c->plain_size, c->size, c->at);
}

/* Every offset in the first blocks with every size of a secret. */
START_TEST(every_offset_and_size)
{
	uint64_t random = 38;

	for (size_t at = 0; at <= 40; at++) {
		for (size_t size = SECRET_MIN; size <= SECRET_MAX; size++) {
			struct record_case c = {
				.key_size = (at + size) & 1 ? 16 : 32,
				.plain_size = at + size + random_below(&random, 40),
				.at = at,
				.size = size,
				.version = random_below(&random, 2) ? TLS_VERSION_12
								    : TLS_VERSION_13,
				.sequence = random_next(&random) >> random_below(&random, 64),
			};

			if (size > 80 && (size + at) % 7)
				continue;
			check_record(&random, &c);
		}
	}
}
END_TEST

/* Records of every scale, the change anywhere in them, at the very end too. */
START_TEST(every_record_size)
{
	uint64_t random = 5288;

	for (unsigned int i = 0; i < 1500; i++) {
		struct record_case c = { .key_size = i & 1 ? 16 : 32, .sequence = i };
		size_t room;

		c.plain_size = 16384 >> random_below(&random, 11);
		c.plain_size -= random_below(&random, (uint32_t)c.plain_size / 2);
		c.plain_size = c.plain_size < SECRET_MIN ? SECRET_MIN : c.plain_size;
		room = c.plain_size < SECRET_MAX ? c.plain_size : SECRET_MAX;
		c.size = SECRET_MIN + random_below(&random, (uint32_t)(room - SECRET_MIN + 1));
		c.at = c.plain_size - c.size;
		if (i % 3)
			c.at = random_below(&random, (uint32_t)c.at + 1);
		c.version = i & 2 ? TLS_VERSION_12 : TLS_VERSION_13;
		check_record(&random, &c);
	}
}
END_TEST

START_TEST(largest_record)
{
	uint64_t random = 1;

	for (size_t back = 0; back < 40; back++) {
		struct record_case c = { .key_size = 32,
					 .plain_size = 16384,
					 .size = SECRET_MAX,
					 .at = 16384 - SECRET_MAX - back,
					 .version = back & 1 ? TLS_VERSION_12 : TLS_VERSION_13 };

		check_record(&random, &c);
		c.at = back;
		check_record(&random, &c);
	}
}
END_TEST

START_TEST(sizes_refused)
{
	static struct secret secret;

	for (size_t size = 0; size < SECRET_MIN; size++)
		ck_assert_int_eq(tag_delta_make(&socket_state, &secret, size, 100), -1);
	ck_assert_int_eq(tag_delta_make(&socket_state, &secret, SECRET_MAX + 1, 1000), -1);
	ck_assert_int_eq(tag_delta_make(NULL, &secret, 32, 100), -1);
	ck_assert_int_eq(tag_delta_make(&socket_state, NULL, 32, 100), -1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		reference_is_right,    keystream_of_vectors, tags_of_vectors, powers,
		every_offset_and_size, every_record_size,    largest_record,  sizes_refused,
	};

	return suite_run("gcm", tests, ARRAY_SIZE(tests), 120, NULL, NULL);
}
