/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ChaCha20 block function (RFC 8439, section 2.3). It has additions,
 * rotations and XORs of 32 bits only, which BPF has too, and no tables.
 */
#ifndef KLOAK_CRYPTO_CHACHA20_H
#define KLOAK_CRYPTO_CHACHA20_H

#include "kernel/types.h"

#define CHACHA20_BLOCK	       64
#define CHACHA20_DOUBLE_ROUNDS 10

struct chacha20_key {
	u32 word[8];
};

struct chacha20_block {
	u32 word[16];
};

KERNEL_INLINE u32 chacha20_rotate(u32 x, u32 bits)
{
	return x << bits | x >> (32 - bits);
}

/*
 * Section 2.1. The state stays where it is in memory: the barrier keeps clang from
 * bringing it to the stack, of which a deep chain of calls has nothing left.
 */
KERNEL_INLINE void chacha20_quarter(u32 *word, u32 at_a, u32 at_b, u32 at_c, u32 at_d)
{
	u32 a, b, c, d;

	barrier_var(word);
	a = word[at_a];
	b = word[at_b];
	c = word[at_c];
	d = word[at_d];
	a += b;
	d = chacha20_rotate(d ^ a, 16);
	c += d;
	b = chacha20_rotate(b ^ c, 12);
	a += b;
	d = chacha20_rotate(d ^ a, 8);
	c += d;
	b = chacha20_rotate(b ^ c, 7);
	word[at_a] = a;
	word[at_b] = b;
	word[at_c] = c;
	word[at_d] = d;
}

/*
 * One block of keystream. @first: the counter, and the nonce's first word above it;
 * @second: its second and third word.
 */
KERNEL_GLOBAL int chacha20_block(const struct chacha20_key *key, u64 first, u64 second,
				 struct chacha20_block *out)
{
	static const u32 constant[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	u32 *word;
	u32 i;

	if (!key || !out)
		return -1;
	word = out->word;
	for (i = 0; i < 4; i++)
		word[i] = constant[i];
	for (i = 0; i < 8; i++)
		word[4 + i] = key->word[i];
	word[12] = (u32)first;
	word[13] = (u32)(first >> 32);
	word[14] = (u32)second;
	word[15] = (u32)(second >> 32);
#pragma clang loop unroll(disable)
	for (i = 0; i < CHACHA20_DOUBLE_ROUNDS; i++) {
		chacha20_quarter(word, 0, 4, 8, 12);
		chacha20_quarter(word, 1, 5, 9, 13);
		chacha20_quarter(word, 2, 6, 10, 14);
		chacha20_quarter(word, 3, 7, 11, 15);
		chacha20_quarter(word, 0, 5, 10, 15);
		chacha20_quarter(word, 1, 6, 11, 12);
		chacha20_quarter(word, 2, 7, 8, 13);
		chacha20_quarter(word, 3, 4, 9, 14);
	}
	for (i = 0; i < 4; i++)
		word[i] += constant[i];
	for (i = 0; i < 8; i++)
		word[4 + i] += key->word[i];
	word[12] += (u32)first;
	word[13] += (u32)(first >> 32);
	word[14] += (u32)second;
	word[15] += (u32)(second >> 32);
	return 0;
}

#endif
