// SPDX-License-Identifier: GPL-2.0-only
/*
 * ChaCha20 as the kernel side uses it, blocks and the keystream of a range,
 * against the vectors of RFC 8439 and against a plain second implementation
 * (reference_chacha20.h), which is held against the same vectors.
 */
#include "selftests/unit/host_kernel.h"

#include "selftests/unit/reference.h"
#include "selftests/unit/reference_chacha20.h"
#include "selftests/unit/suite.h"

#include <check.h>

#define ZERO8 "0000000000000000"

/* Section 2.3.2, appendix A.1, and as keys of Poly1305 appendix A.4. */
static const struct {
	const char *from, *key, *nonce;
	uint32_t counter;
	const char *block;
} block_vector[] = {
	{ "2.3.2", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "000000090000004a00000000", 1,
	  "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
	  "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e" },
	{ "A.1 #1", ZERO8 ZERO8 ZERO8 ZERO8, "000000000000000000000000", 0,
	  "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
	  "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586" },
	{ "A.1 #2", ZERO8 ZERO8 ZERO8 ZERO8, "000000000000000000000000", 1,
	  "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
	  "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f" },
	{ "A.1 #3", ZERO8 ZERO8 ZERO8 "0000000000000001", "000000000000000000000000", 1,
	  "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
	  "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0" },
	{ "A.1 #4", "00ff000000000000" ZERO8 ZERO8 ZERO8, "000000000000000000000000", 2,
	  "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
	  "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096" },
	{ "A.1 #5", ZERO8 ZERO8 ZERO8 ZERO8, "000000000000000000000002", 0,
	  "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7"
	  "8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d" },
	{ "A.4 #2", ZERO8 ZERO8 ZERO8 "0000000000000001", "000000000000000000000002", 0,
	  "ecfa254f845f647473d3cb140da9e87606cb33066c447b87bc2666dde3fbb739" },
	{ "A.4 #3", "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
	  "000000000000000000000002", 0,
	  "965e3bc6f9ec7ed9560808f4d229f94b137ff275ca9b3fcbdd59deaad23310ae" },
};

/* Section 2.8.2 and appendix A.2: plaintext and ciphertext give the keystream from a counter on. */
static const struct {
	const char *from, *key, *nonce;
	uint32_t counter;
	const char *plain, *cipher;
} stream_vector[] = {
	{ "2.8.2", "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
	  "070000004041424344454647", 1,
	  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
	  "future, sunscreen would be it.",
	  "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69"
	  "da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad67594"
	  "5585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116" },
	{ "A.2 #2", ZERO8 ZERO8 ZERO8 "0000000000000001", "000000000000000000000002", 1,
	  "Any submission to the IETF intended by the Contributor for publication as all or part "
	  "of an IETF Internet-Draft or RFC and any statement made within the context of an IETF "
	  "activity is considered an \"IETF Contribution\". Such statements include oral "
	  "statements in IETF sessions, as well as written and electronic communications made at "
	  "any time or place, which are addressed to",
	  "a3fbf07df3fa2fde4f376ca23e82737041605d9f4f4f57bd8cff2c1d4b7955ec2a97948bd3722915c8f3d337"
	  "f7d370050e9e96d647b7c39f56e031ca5eb6250d4042e02785ececfa4b4bb5e8ead0440e20b6e8db09d881a7"
	  "c6132f420e52795042bdfa7773d8a9051447b3291ce1411c680465552aa6c405b7764d5e87bea85ad00f8449"
	  "ed8f72d0d662ab052691ca66424bc86d2df80ea41f43abf937d3259dc4b2d0dfb48a6c9139ddd7f76966e928"
	  "e635553ba76c5c879d7b35d49eb2e62b0871cdac638939e25e8a1e0ef9d5280fa8ca328b351c3c765989cbcf"
	  "3daa8b6ccc3aaf9f3979c92b3720fc88dc95ed84a1be059c6499b9fda236e7e818b04b0bc39c1e876b193bfe"
	  "5569753f88128cc08aaa9b63d1a16f80ef2554d7189c411f5869ca52c5b83fa36ff216b9c1d30062bebcfd2d"
	  "c5bce0911934fda79a86f6e698ced759c3ff9b6477338f3da4f9cd8514ea9982ccafb341b2384dd902f3d1ab"
	  "7ac61dd29c6f21ba5b862f3730e37cfdc4fd806c22f221" },
	{ "A.2 #3", "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
	  "000000000000000000000002", 42,
	  "'Twas brillig, and the slithy toves\nDid gyre and gimble in the wabe:\nAll mimsy were "
	  "the borogoves,\nAnd the mome raths outgrabe.",
	  "62e6347f95ed87a45ffae7426f27a1df5fb69110044c0d73118effa95b01e5cf166d3df2d721caf9b21e5fb1"
	  "4c616871fd84c54f9d65b283196c7fe4f60553ebf39c6402c42234e32a356b3e764312a61a5532055716ead6"
	  "962568f87d3f3f7704c6a8d1bcd1bf4d50d6154b6da731b187b58dfd728afa36757a797ac188d1" },
};

static struct tls_socket socket_state;

/* The block as the kernel side makes it. */
static void kernel_block(const uint8_t key[32], const uint8_t nonce[12], uint32_t counter,
			 uint8_t out[64])
{
	struct record_iv iv = { .hi = load_be64(nonce), .lo = (u64)load_be32(nonce + 8) << 32 };
	struct chacha20_block block;
	struct chacha20_key words;

	memcpy(&words, key, sizeof(words));
	chacha20_keystream(&words, &iv, counter, &block);
	memcpy(out, &block, sizeof(block));
}

START_TEST(blocks)
{
	uint8_t key[32], nonce[12], wanted[64], out[64];

	for (size_t i = 0; i < ARRAY_SIZE(block_vector); i++) {
		size_t size = unhex(block_vector[i].block, wanted);

		unhex(block_vector[i].key, key);
		unhex(block_vector[i].nonce, nonce);
		reference_chacha20_block(key, nonce, block_vector[i].counter, out);
		ck_assert_msg(memcmp(out, wanted, size) == 0, "reference: %s",
			      block_vector[i].from);
		memset(out, 0xaa, sizeof(out));
		kernel_block(key, nonce, block_vector[i].counter, out);
		ck_assert_msg(memcmp(out, wanted, size) == 0, "%s", block_vector[i].from);
	}
}
END_TEST

START_TEST(blocks_of_random_keys)
{
	uint8_t key[32], nonce[12], wanted[64], out[64];
	uint64_t random = 8439;

	for (unsigned int i = 0; i < 5000; i++) {
		uint32_t counter = (uint32_t)random_next(&random) >> random_below(&random, 32);

		random_fill(&random, key, sizeof(key));
		random_fill(&random, nonce, sizeof(nonce));
		reference_chacha20_block(key, nonce, counter, wanted);
		kernel_block(key, nonce, counter, out);
		ck_assert_mem_eq(out, wanted, 64);
	}
}
END_TEST

START_TEST(block_without_memory)
{
	struct chacha20_block block;
	struct chacha20_key key = { { 0 } };

	ck_assert_int_eq(chacha20_block(NULL, 0, 0, &block), -1);
	ck_assert_int_eq(chacha20_block(&key, 0, 0, NULL), -1);
}
END_TEST

static void set_key(const uint8_t key[32], const uint8_t nonce[12], unsigned int version,
		    bool bound)
{
	struct traffic_key seen = { .version = (u8)version, .key_size = 32 };

	memcpy(seen.key, key, 32);
	memcpy(seen.iv, nonce, 12);
	memset(&socket_state, 0x5a, sizeof(socket_state));
	ck_assert_int_eq(trial_set(&socket_state, &seen, CIPHER_CHACHA20_POLY1305), 0);
	if (!bound)
		return;
	key_bind(&socket_state);
	ck_assert_uint_eq(socket_state.bound, CIPHER_CHACHA20_POLY1305);
	memset(&socket_state.trial, 0, sizeof(socket_state.trial));
	memset(&socket_state.trial_iv, 0, sizeof(socket_state.trial_iv));
}

/*
 * The keystream of a range from every offset on: a record's is that from counter 1 on
 * (section 2.8), so a vector with another counter lies further back in the record.
 */
START_TEST(keystream_of_vectors)
{
	uint8_t key[32], nonce[12], cipher[512], out[512];

	for (size_t i = 0; i < ARRAY_SIZE(stream_vector); i++) {
		const char *plain = stream_vector[i].plain;
		size_t size = unhex(stream_vector[i].cipher, cipher);
		size_t start = (stream_vector[i].counter - 1) * 64;

		ck_assert_uint_eq(size, strlen(plain));
		unhex(stream_vector[i].key, key);
		unhex(stream_vector[i].nonce, nonce);
		reference_chacha20_xor(key, nonce, stream_vector[i].counter, (const uint8_t *)plain,
				       size, out);
		ck_assert_msg(memcmp(out, cipher, size) == 0, "reference: %s",
			      stream_vector[i].from);
		set_key(key, nonce, i & 1 ? TLS_VERSION_12 : TLS_VERSION_13, i & 1);
		for (size_t at = 0; at < size; at++) {
			socket_state.relative = (uint32_t)(start + at);
			keystream_make(&socket_state, !(i & 1), 0, size - at);
			for (size_t k = at; k < size; k++)
				ck_assert_msg(
					(plain[k] ^ cipher[k]) ==
						socket_state.keystream
							.byte[socket_state.keystream_at + k - at],
					"%s, byte %zu", stream_vector[i].from, k);
		}
	}
}
END_TEST

/* Every offset in a block with the largest secret; sequence numbers of every scale. */
START_TEST(keystream_of_records)
{
	static uint8_t zero[17000], wanted[17000];
	uint8_t key[32], iv[12], nonce[12];
	uint64_t random = 7905;

	for (unsigned int i = 0; i < 600; i++) {
		uint64_t sequence = random_next(&random) >> random_below(&random, 64);
		size_t at = i < 130 ? i : random_below(&random, 16384 - SECRET_MAX + 1);
		size_t size = i % 3 ? SECRET_MAX : 8 + random_below(&random, SECRET_MAX - 7);

		random_fill(&random, key, sizeof(key));
		random_fill(&random, iv, sizeof(iv));
		memcpy(nonce, iv, 12);
		for (unsigned int k = 0; k < 8; k++)
			nonce[4 + k] ^= (uint8_t)(sequence >> (56 - 8 * k));
		reference_chacha20_xor(key, nonce, 1, zero, at + size, wanted);
		set_key(key, iv, i & 1 ? TLS_VERSION_12 : TLS_VERSION_13, i & 2);
		socket_state.relative = (uint32_t)at;
		keystream_make(&socket_state, !(i & 2), sequence, size);
		ck_assert_mem_eq(socket_state.keystream.byte + socket_state.keystream_at,
				 wanted + at, size);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		blocks,
		blocks_of_random_keys,
		block_without_memory,
		keystream_of_vectors,
		keystream_of_records,
	};

	return suite_run("chacha20", tests, ARRAY_SIZE(tests), 60, NULL, NULL);
}
