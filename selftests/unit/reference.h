/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * AES-GCM as its standards are written, to judge kernel/crypto by: no tables
 * except an S-box made from its definition, one bit at a time in GF(2^128). It
 * shares no code with what is tested, and is itself checked against published
 * vectors (test_gcm.c).
 */
#ifndef KLOAK_SELFTESTS_REFERENCE_H
#define KLOAK_SELFTESTS_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct reference_key {
	unsigned int rounds;
	uint8_t round_key[15][16];
	uint8_t h[16];
};

/* ---- AES (FIPS 197) ---- */

static inline uint8_t reference_times(uint8_t a, uint8_t b)
{
	uint8_t product = 0;

	for (; b; b = (uint8_t)(b >> 1)) {
		if (b & 1)
			product ^= a;
		a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1b : 0));
	}
	return product;
}

/* Section 5.1.1: the inverse in GF(2^8), then the affine map. */
static inline uint8_t reference_substitute(uint8_t x)
{
	static uint8_t sbox[256];
	static bool made;

	for (unsigned int a = 0; !made && a < 256; a++) {
		uint8_t inverse = 0;

		for (unsigned int b = 1; b < 256; b++)
			if (reference_times((uint8_t)a, (uint8_t)b) == 1)
				inverse = (uint8_t)b;
		sbox[a] = 0x63;
		for (unsigned int turn = 0; turn < 5; turn++)
			sbox[a] ^= (uint8_t)(inverse << turn | inverse >> (8 - turn));
	}
	made = true;
	return sbox[x];
}

/* Section 5.2. @size is 16 or 32. */
static inline void reference_expand(struct reference_key *key, const uint8_t *bytes, size_t size)
{
	uint8_t *word = key->round_key[0];
	uint8_t round_constant = 1;

	key->rounds = (unsigned int)size / 4 + 6;
	memcpy(word, bytes, size);
	for (size_t i = size; i < 16 * (key->rounds + 1); i += 4) {
		uint8_t t[4];

		memcpy(t, word + i - 4, 4);
		if (i % size == 0) {
			uint8_t first = t[0];

			for (unsigned int k = 0; k < 3; k++)
				t[k] = reference_substitute(t[k + 1]);
			t[3] = reference_substitute(first);
			t[0] ^= round_constant;
			round_constant = reference_times(round_constant, 2);
		} else if (size == 32 && i % size == 16) {
			for (unsigned int k = 0; k < 4; k++)
				t[k] = reference_substitute(t[k]);
		}
		for (unsigned int k = 0; k < 4; k++)
			word[i + k] = word[i + k - size] ^ t[k];
	}
}

/* Section 5.1. */
static inline void reference_block(const struct reference_key *key, const uint8_t in[16],
				   uint8_t out[16])
{
	uint8_t state[16], next[16];

	for (unsigned int i = 0; i < 16; i++)
		state[i] = in[i] ^ key->round_key[0][i];
	for (unsigned int round = 1; round <= key->rounds; round++) {
		for (unsigned int i = 0; i < 16; i++) /* SubBytes, ShiftRows */
			next[i] = reference_substitute(state[(i + i % 4 * 4) % 16]);
		for (unsigned int i = 0; i < 16; i++) { /* MixColumns */
			const uint8_t *column = next + i / 4 * 4;
			uint8_t a = column[i % 4], b = column[(i + 1) % 4];
			uint8_t twice = (uint8_t)((a ^ b) << 1 ^ ((a ^ b) & 0x80 ? 0x1b : 0));

			state[i] = round == key->rounds
					   ? a
					   : twice ^ b ^ column[(i + 2) % 4] ^ column[(i + 3) % 4];
		}
		for (unsigned int i = 0; i < 16; i++)
			state[i] ^= key->round_key[round][i];
	}
	memcpy(out, state, 16);
}

static inline void reference_key_set(struct reference_key *key, const uint8_t *bytes, size_t size)
{
	static const uint8_t zero[16];

	reference_expand(key, bytes, size);
	reference_block(key, zero, key->h);
}

/* ---- GCM (NIST SP 800-38D) ---- */

/* Section 6.3, algorithm 1: x = x * h. */
static inline void reference_multiply(uint8_t x[16], const uint8_t h[16])
{
	uint64_t z[2] = { 0, 0 }, v[2];

	for (unsigned int half = 0; half < 2; half++) {
		v[half] = 0;
		for (unsigned int i = 0; i < 8; i++)
			v[half] = v[half] << 8 | h[8 * half + i];
	}
	for (unsigned int i = 0; i < 128; i++) {
		bool carry = v[1] & 1;

		if (x[i / 8] >> (7 - i % 8) & 1) {
			z[0] ^= v[0];
			z[1] ^= v[1];
		}
		v[1] = v[1] >> 1 | v[0] << 63;
		v[0] >>= 1;
		if (carry)
			v[0] ^= 0xe1ULL << 56;
	}
	for (unsigned int i = 0; i < 16; i++)
		x[i] = (uint8_t)(z[i / 8] >> (56 - 8 * (i % 8)));
}

/* Section 6.4, with the zeros that section 7.1 pads to whole blocks. */
static inline void reference_ghash(const struct reference_key *key, uint8_t y[16],
				   const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i += 16) {
		for (size_t k = 0; k < 16 && i + k < size; k++)
			y[k] ^= data[i + k];
		reference_multiply(y, key->h);
	}
}

static inline void reference_counter(const struct reference_key *key, const uint8_t nonce[12],
				     uint32_t counter, uint8_t out[16])
{
	uint8_t block[16];

	memcpy(block, nonce, 12);
	for (unsigned int i = 0; i < 4; i++)
		block[12 + i] = (uint8_t)(counter >> (24 - 8 * i));
	reference_block(key, block, out);
}

/* Section 6.5 on data: encrypts and decrypts. */
static inline void reference_xor(const struct reference_key *key, const uint8_t nonce[12],
				 const uint8_t *in, size_t size, uint8_t *out)
{
	uint8_t stream[16];

	for (size_t i = 0; i < size; i++) {
		if (i % 16 == 0)
			reference_counter(key, nonce, (uint32_t)(i / 16 + 2), stream);
		out[i] = in[i] ^ stream[i % 16];
	}
}

static inline void reference_tag(const struct reference_key *key, const uint8_t nonce[12],
				 const uint8_t *aad, size_t aad_size, const uint8_t *cipher_text,
				 size_t size, uint8_t tag[16])
{
	uint8_t y[16] = { 0 }, lengths[16] = { 0 }, mask[16];

	reference_ghash(key, y, aad, aad_size);
	reference_ghash(key, y, cipher_text, size);
	for (unsigned int i = 0; i < 8; i++) {
		lengths[i] = (uint8_t)(aad_size * 8 >> (56 - 8 * i));
		lengths[8 + i] = (uint8_t)(size * 8 >> (56 - 8 * i));
	}
	reference_ghash(key, y, lengths, 16);
	reference_counter(key, nonce, 1, mask);
	for (unsigned int i = 0; i < 16; i++)
		tag[i] = y[i] ^ mask[i];
}

/* ---- small things that the tests of kernel/ share ---- */

/* Hexadecimal text to bytes; returns how many. */
static inline size_t unhex(const char *text, uint8_t *out)
{
	size_t size = strlen(text) / 2;

	for (size_t i = 0; i < size; i++) {
		char digits[3] = { text[2 * i], text[2 * i + 1], 0 };

		out[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return size;
}

/* xorshift64*: the same numbers from the same seed everywhere. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

/* 0 .. limit - 1 */
static inline uint32_t random_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)((random_next(state) >> 32) * limit >> 32);
}

static inline void random_fill(uint64_t *state, uint8_t *out, size_t size)
{
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(random_next(state) >> 56);
}

#endif
