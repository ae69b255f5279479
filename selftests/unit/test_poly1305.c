// SPDX-License-Identifier: GPL-2.0-only
/*
 * Poly1305 and the tag of a ChaCha20-Poly1305 record as the kernel side makes
 * them, against the vectors of RFC 8439 and against long arithmetic
 * (reference_chacha20.h), which is held against the same vectors.
 */
#include "selftests/unit/host_kernel.h"

#include "selftests/unit/reference.h"
#include "selftests/unit/reference_chacha20.h"
#include "selftests/unit/suite.h"

#include <check.h>

#define ZERO16 "00000000000000000000000000000000"
#define ONES16 "ffffffffffffffffffffffffffffffff"
#define SUBMISSION                                                                                 \
	"416e79207375626d697373696f6e20746f20746865204945544620696e74656e646564206279207468652043" \
	"6f"                                                                                       \
	"6e7472696275746f7220666f72207075626c69636174696f6e20617320616c6c206f722070617274206f6620" \
	"61"                                                                                       \
	"6e204945544620496e7465726e65742d4472616674206f722052464320616e6420616e792073746174656d65" \
	"6e"                                                                                       \
	"74206d6164652077697468696e2074686520636f6e74657874206f6620616e20494554462061637469766974" \
	"79"                                                                                       \
	"20697320636f6e7369646572656420616e20224945544620436f6e747269627574696f6e222e205375636820" \
	"73"                                                                                       \
	"746174656d656e747320696e636c756465206f72616c2073746174656d656e747320696e2049455446207365" \
	"73"                                                                                       \
	"73696f6e732c2061732077656c6c206173207772697474656e20616e6420656c656374726f6e696320636f6d" \
	"6d"                                                                                       \
	"756e69636174696f6e73206d61646520617420616e792074696d65206f7220706c6163652c20776869636820" \
	"61"                                                                                       \
	"72652061646472657373656420746f"

/* Section 2.5.2 and appendix A.3; from #5 on they are about reduction. */
static const struct {
	const char *from, *key, *text, *tag;
} vector[] = {
	{ "2.5.2", "85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b",
	  "43727970746f6772617068696320466f72756d2052657365617263682047726f7570",
	  "a8061dc1305136c6c22b8baf0c0127a9" },
	{ "A.3 #1", ZERO16 ZERO16, ZERO16 ZERO16 ZERO16 ZERO16, ZERO16 },
	{ "A.3 #2", ZERO16 "36e5f6b5c5e06070f0efca96227a863e", SUBMISSION,
	  "36e5f6b5c5e06070f0efca96227a863e" },
	{ "A.3 #3", "36e5f6b5c5e06070f0efca96227a863e" ZERO16, SUBMISSION,
	  "f3477e7cd95417af89a6b8794c310cf0" },
	{ "A.3 #4", "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
	  "2754776173206272696c6c69672c20616e642074686520736c6974687920746f7665730a4469642067797265"
	  "20"
	  "616e642067696d626c6520696e2074686520776162653a0a416c6c206d696d73792077657265207468652062"
	  "6f"
	  "726f676f7665732c0a416e6420746865206d6f6d65207261746873206f757467726162652e",
	  "4541669a7eaaee61e708dc7cbcc5eb62" },
	{ "A.3 #5", "02000000000000000000000000000000" ZERO16, ONES16,
	  "03000000000000000000000000000000" },
	{ "A.3 #6", "02000000000000000000000000000000" ONES16, "02000000000000000000000000000000",
	  "03000000000000000000000000000000" },
	{ "A.3 #7", "01000000000000000000000000000000" ZERO16,
	  ONES16 "f0ffffffffffffffffffffffffffffff11000000000000000000000000000000",
	  "05000000000000000000000000000000" },
	{ "A.3 #8", "01000000000000000000000000000000" ZERO16,
	  ONES16 "fbfefefefefefefefefefefefefefefe01010101010101010101010101010101", ZERO16 },
	{ "A.3 #9", "02000000000000000000000000000000" ZERO16, "fdffffffffffffffffffffffffffffff",
	  "faffffffffffffffffffffffffffffff" },
	{ "A.3 #10", "01000000000000000400000000000000" ZERO16,
	  "e33594d7505e43b900000000000000003394d7505e4379cd0100000000000000000000000000000000000000"
	  "0"
	  "000000001000000000000000000000000000000",
	  "14000000000000005500000000000000" },
	{ "A.3 #11", "01000000000000000400000000000000" ZERO16,
	  "e33594d7505e43b900000000000000003394d7505e4379cd0100000000000000000000000000000000000000"
	  "0"
	  "0000000",
	  "13000000000000000000000000000000" },
};

static void reference_mac(const uint8_t key[32], const uint8_t *text, size_t size, uint8_t tag[16])
{
	struct reference_poly1305 p;

	reference_poly1305_begin(&p, key);
	reference_poly1305_add(&p, text, size, false);
	reference_poly1305_end(&p, tag);
}

static void kernel_mac(const uint8_t key[32], const uint8_t *text, size_t size, uint8_t tag[16])
{
	struct poly1305 p;
	u32 words[8], out[4];

	memcpy(words, key, sizeof(words));
	poly1305_begin(&p, words);
	for (size_t i = 0; i < size; i += 16) {
		size_t take = size - i < 16 ? size - i : 16;
		uint8_t block[17] = { 0 };

		memcpy(block, text + i, take);
		block[take] = 1;
		poly1305_block(&p, load_le64(block), load_le64(block + 8), block[16]);
	}
	poly1305_tag(&p, out);
	memcpy(tag, out, 16);
}

START_TEST(vectors)
{
	uint8_t key[32], text[512], wanted[16], tag[16];

	for (size_t i = 0; i < ARRAY_SIZE(vector); i++) {
		size_t size = unhex(vector[i].text, text);

		unhex(vector[i].key, key);
		unhex(vector[i].tag, wanted);
		reference_mac(key, text, size, tag);
		ck_assert_msg(memcmp(tag, wanted, 16) == 0, "reference: %s", vector[i].from);
		kernel_mac(key, text, size, tag);
		ck_assert_msg(memcmp(tag, wanted, 16) == 0, "%s", vector[i].from);
	}
}
END_TEST

/* Bytes that make carries go far are more frequent than chance makes them. */
static void fill_extreme(uint64_t *random, uint8_t *out, size_t size)
{
	static const uint8_t extreme[] = { 0, 0xff, 0xff, 0xfb, 0xfc, 1 };

	random_fill(random, out, size);
	for (size_t i = 0; i < size; i++)
		if (random_below(random, 4))
			out[i] = extreme[random_below(random, ARRAY_SIZE(extreme))];
}

START_TEST(against_long_arithmetic)
{
	uint8_t key[32], text[400], wanted[16], tag[16];
	uint64_t random = 1305;

	for (unsigned int i = 0; i < 3000; i++) {
		size_t size = random_below(&random, 1U << (3 + random_below(&random, 6)));

		fill_extreme(&random, key, sizeof(key));
		fill_extreme(&random, text, size);
		if (i % 3 == 0)
			memset(key, 0xff, 1 + random_below(&random, 32));
		if (i % 5 == 0)
			memset(text, 0xff, size);
		reference_mac(key, text, size, wanted);
		kernel_mac(key, text, size, tag);
		ck_assert_msg(memcmp(tag, wanted, 16) == 0, "%u: %zu bytes", i, size);
	}
}
END_TEST

/* ---- records (section 2.8) ---- */

/* Section 2.8.2 and appendix A.5. */
static const struct {
	const char *from, *key, *nonce, *aad, *cipher, *tag;
} aead[] = {
	{ "2.8.2", "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
	  "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
	  "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69"
	  "da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad67594"
	  "5585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116",
	  "1ae10b594f09e26a7e902ecbd0600691" },
	{ "A.5", "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
	  "000000000102030405060708", "f33388860000000000004e91",
	  "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e"
	  "382d26b0bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd"
	  "60f982b1ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c76"
	  "7b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a"
	  "0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a67276"
	  "27097a1049e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b0270"
	  "9b",
	  "eead9d67890cbb22392336fea1851f38" },
};

static struct tls_socket socket_state;

/* Hashes @size bytes of the stream that lie at @at, which come as one message. */
static void absorb(const uint8_t *stream, size_t at, size_t size)
{
	struct host_message message = { .size = (u32)size, .byte = host_alloc(size) };

	memcpy(message.byte, stream + at, size);
	socket_state.position = at;
	socket_state.size = (u32)size;
	ck_assert_int_eq(seal_absorb(&message.context, &socket_state), 0);
	host_message_settle(&message);
	free(message.byte);
}

/* The tag of ciphertext at @start of a stream that comes in three messages. */
static void kernel_tag(const uint8_t key[32], const uint8_t nonce[12], const uint8_t *aad,
		       size_t aad_size, const uint8_t *cipher, size_t size, const size_t cut[2],
		       uint8_t tag[16])
{
	struct record_iv iv = { .hi = load_be64(nonce), .lo = (u64)load_be32(nonce + 8) << 32 };
	struct seal seal = { .cipher_size = (u16)size };
	struct additional additional = { .size = (u32)aad_size };
	struct chacha20_block block;
	struct chacha20_key words;

	memcpy(&words, key, sizeof(words));
	chacha20_keystream(&words, &iv, 0, &block);
	memcpy(seal.key, &block, sizeof(seal.key));
	memcpy(&additional, aad, aad_size);
	memset(&socket_state, 0xa5, sizeof(socket_state));
	sealing_begin(&socket_state.key.sealing, &seal, additional, 0);
	absorb(cipher, 0, cut[0]);
	if (cut[1] > cut[0])
		absorb(cipher, cut[0], cut[1] - cut[0]);
	ck_assert_uint_eq(socket_state.key.sealing.done, cut[1] == size);
	if (size > cut[1])
		absorb(cipher, cut[1], size - cut[1]);
	ck_assert_uint_eq(socket_state.key.sealing.done, 1);
	memcpy(tag, socket_state.key.sealing.tag, 16);
}

START_TEST(tags_of_vectors)
{
	uint8_t key[32], nonce[12], aad[16], cipher[512], wanted[16], tag[16];

	for (size_t i = 0; i < ARRAY_SIZE(aead); i++) {
		size_t size = unhex(aead[i].cipher, cipher), aad_size = unhex(aead[i].aad, aad);

		unhex(aead[i].key, key);
		unhex(aead[i].nonce, nonce);
		unhex(aead[i].tag, wanted);
		reference_chacha20_tag(key, nonce, aad, aad_size, cipher, size, tag);
		ck_assert_msg(memcmp(tag, wanted, 16) == 0, "reference: %s", aead[i].from);
		for (size_t first = 1; first <= size; first++) {
			size_t cut[2] = { first, first + (size - first) * (first % 5) / 4 };

			cut[1] = cut[1] > size ? size : cut[1];
			kernel_tag(key, nonce, aad, aad_size, cipher, size, cut, tag);
			ck_assert_msg(memcmp(tag, wanted, 16) == 0, "%s, cut at %zu and %zu",
				      aead[i].from, cut[0], cut[1]);
		}
	}
}
END_TEST

/* Records of every scale, whole and cut. */
START_TEST(tags_of_records)
{
	static uint8_t cipher[16640];
	uint8_t key[32], nonce[12], aad[13], wanted[16], tag[16];
	uint64_t random = 13;

	for (unsigned int i = 0; i < 400; i++) {
		size_t size = i < 200 ? i + 1 : 1 + random_below(&random, 1U << (4 + i % 11));
		size_t aad_size = i & 1 ? 5 : 13;
		size_t cut[2] = { size, size };

		if (i == 399)
			size = cut[0] = cut[1] = sizeof(cipher);
		if (i % 3) {
			cut[0] = 1 + random_below(&random, (uint32_t)size);
			cut[1] = cut[0] + random_below(&random, (uint32_t)(size - cut[0] + 1));
		}
		fill_extreme(&random, key, sizeof(key));
		random_fill(&random, nonce, sizeof(nonce));
		random_fill(&random, aad, sizeof(aad));
		fill_extreme(&random, cipher, size);
		reference_chacha20_tag(key, nonce, aad, aad_size, cipher, size, wanted);
		kernel_tag(key, nonce, aad, aad_size, cipher, size, cut, tag);
		ck_assert_msg(memcmp(tag, wanted, 16) == 0, "%u: %zu bytes", i, size);
	}
}
END_TEST

/* Bytes of the record have passed unseen: no tag is made up. */
START_TEST(gap)
{
	struct seal seal = { .cipher_size = 100 };
	struct host_message message = { .size = 50, .byte = host_alloc(50) };

	sealing_start(&socket_state.key.sealing, &seal, 0);
	socket_state.position = 1;
	socket_state.size = 50;
	ck_assert_int_eq(seal_absorb(&message.context, &socket_state), -1);
	ck_assert_uint_eq(socket_state.key.sealing.done, 0);
	host_message_settle(&message);
	free(message.byte);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		vectors, against_long_arithmetic, tags_of_vectors, tags_of_records, gap,
	};

	return suite_run("poly1305", tests, ARRAY_SIZE(tests), 60, NULL, NULL);
}
