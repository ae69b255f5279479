/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ChaCha20-Poly1305 as RFC 8439 is written, to judge kernel/crypto by: words are
 * assembled from bytes, and arithmetic modulo 2^130 - 5 is long multiplication and
 * subtraction. It shares no code with what is tested, and is itself checked
 * against the vectors of the RFC (test_chacha20.c, test_poly1305.c).
 */
#ifndef KLOAK_SELFTESTS_REFERENCE_CHACHA20_H
#define KLOAK_SELFTESTS_REFERENCE_CHACHA20_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- ChaCha20 (section 2.3) ---- */

static inline uint32_t reference_word(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

/* x = (x ^ y) rotated to the left. */
static inline void reference_turn(uint32_t *x, uint32_t y, unsigned int bits)
{
	uint64_t wide = (uint64_t)(*x ^ y) << bits;

	*x = (uint32_t)(wide | wide >> 32);
}

static inline void reference_quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	*a += *b, reference_turn(d, *a, 16);
	*c += *d, reference_turn(b, *c, 12);
	*a += *b, reference_turn(d, *a, 8);
	*c += *d, reference_turn(b, *c, 7);
}

static inline void reference_chacha20_block(const uint8_t key[32], const uint8_t nonce[12],
					    uint32_t counter, uint8_t out[64])
{
	uint32_t start[16], x[16];

	for (unsigned int i = 0; i < 4; i++)
		start[i] = reference_word((const uint8_t *)"expand 32-byte k" + 4 * i);
	for (unsigned int i = 0; i < 8; i++)
		start[4 + i] = reference_word(key + 4 * i);
	start[12] = counter;
	for (unsigned int i = 0; i < 3; i++)
		start[13 + i] = reference_word(nonce + 4 * i);
	memcpy(x, start, sizeof(x));
	for (unsigned int round = 0; round < 20; round++)
		for (unsigned int i = 0; i < 4; i++) {
			unsigned int diagonal = round % 2;

			reference_quarter_round(&x[i], &x[4 + (i + diagonal) % 4],
						&x[8 + (i + 2 * diagonal) % 4],
						&x[12 + (i + 3 * diagonal) % 4]);
		}
	for (unsigned int i = 0; i < 64; i++)
		out[i] = (uint8_t)((x[i / 4] + start[i / 4]) >> (8 * (i % 4)));
}

/* Section 2.4 from @counter on: encrypts and decrypts. */
static inline void reference_chacha20_xor(const uint8_t key[32], const uint8_t nonce[12],
					  uint32_t counter, const uint8_t *in, size_t size,
					  uint8_t *out)
{
	uint8_t stream[64];

	for (size_t i = 0; i < size; i++) {
		if (i % 64 == 0)
			reference_chacha20_block(key, nonce, counter++, stream);
		out[i] = in[i] ^ stream[i % 64];
	}
}

/* ---- Poly1305 (section 2.5) ---- */

#define REFERENCE_DIGITS 34 /* bytes of a product */

/* x -= 2^(8 * shift) * (2^130 - 5), as often as that goes. */
static inline void reference_subtract(uint8_t x[REFERENCE_DIGITS], unsigned int shift)
{
	uint8_t p[17] = { 0xfb, [16] = 3 };

	memset(p + 1, 0xff, 15);
	for (;;) {
		uint8_t less[REFERENCE_DIGITS];
		int borrow = 0;

		memcpy(less, x, sizeof(less));
		for (unsigned int i = shift; i < REFERENCE_DIGITS; i++) {
			int digit = x[i] - (i - shift < 17 ? p[i - shift] : 0) - borrow;

			borrow = digit < 0;
			less[i] = (uint8_t)(digit + 256 * borrow);
		}
		if (borrow)
			return;
		memcpy(x, less, sizeof(less));
	}
}

/* h = (h + block) * r modulo 2^130 - 5; @block has its 1 on top already. */
static inline void reference_poly1305_block(uint8_t h[17], const uint8_t block[17],
					    const uint8_t r[16])
{
	uint8_t product[REFERENCE_DIGITS];
	uint32_t column[REFERENCE_DIGITS + 1] = { 0 }, carry = 0;
	uint8_t sum[18] = { 0 };

	for (unsigned int i = 0; i < 17; i++) {
		carry += (uint32_t)h[i] + block[i];
		sum[i] = (uint8_t)carry;
		carry >>= 8;
	}
	sum[17] = (uint8_t)carry;
	for (unsigned int i = 0; i < 18; i++)
		for (unsigned int k = 0; k < 16; k++)
			column[i + k] += (uint32_t)sum[i] * r[k];
	carry = 0;
	for (unsigned int i = 0; i < REFERENCE_DIGITS; i++) {
		carry += column[i];
		product[i] = (uint8_t)carry;
		carry >>= 8;
	}
	for (unsigned int shift = REFERENCE_DIGITS - 17 + 1; shift-- > 0;)
		reference_subtract(product, shift);
	memcpy(h, product, 17);
}

struct reference_poly1305 {
	uint8_t h[17], r[16], pad[16];
};

static inline void reference_poly1305_begin(struct reference_poly1305 *p, const uint8_t key[32])
{
	memset(p->h, 0, sizeof(p->h));
	memcpy(p->r, key, 16);
	memcpy(p->pad, key + 16, 16);
	for (unsigned int i = 3; i < 16; i += 4)
		p->r[i] &= 15;
	for (unsigned int i = 4; i < 16; i += 4)
		p->r[i] &= 252;
}

/* A whole message, or with @padded zeros up to whole blocks (section 2.8). */
static inline void reference_poly1305_add(struct reference_poly1305 *p, const uint8_t *data,
					  size_t size, bool padded)
{
	for (size_t i = 0; i < size; i += 16) {
		size_t take = size - i < 16 ? size - i : 16;
		uint8_t block[17] = { 0 };

		memcpy(block, data + i, take);
		block[padded ? 16 : take] = 1;
		reference_poly1305_block(p->h, block, p->r);
	}
}

static inline void reference_poly1305_end(const struct reference_poly1305 *p, uint8_t tag[16])
{
	unsigned int carry = 0;

	for (unsigned int i = 0; i < 16; i++) {
		carry += (unsigned int)p->h[i] + p->pad[i];
		tag[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

/* ---- AEAD_CHACHA20_POLY1305 (section 2.8) ---- */

static inline void reference_chacha20_tag(const uint8_t key[32], const uint8_t nonce[12],
					  const uint8_t *aad, size_t aad_size,
					  const uint8_t *cipher_text, size_t size, uint8_t tag[16])
{
	struct reference_poly1305 p;
	uint8_t block[64], lengths[16] = { 0 };

	reference_chacha20_block(key, nonce, 0, block);
	reference_poly1305_begin(&p, block);
	reference_poly1305_add(&p, aad, aad_size, true);
	reference_poly1305_add(&p, cipher_text, size, true);
	for (unsigned int i = 0; i < 8; i++) {
		lengths[i] = (uint8_t)((uint64_t)aad_size >> (8 * i));
		lengths[8 + i] = (uint8_t)((uint64_t)size >> (8 * i));
	}
	reference_poly1305_add(&p, lengths, 16, true);
	reference_poly1305_end(&p, tag);
}

#endif
