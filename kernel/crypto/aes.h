/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * AES-128 and AES-256 in the forward direction (FIPS 197), with T-tables: all
 * that counter mode needs. BPF has no AES instructions and no vectors; tables
 * in .rodata are the fastest form there. Cache-timing attacks on tables need
 * an observer on the same core who can already run code; what he could learn
 * is a traffic key that the application holds in its own memory anyway.
 */
#ifndef KLOAK_CRYPTO_AES_H
#define KLOAK_CRYPTO_AES_H

#include "kernel/types.h"

#define AES_MAX_ROUND_KEYS 60

struct aes_bytes {
	u8 byte[32];
};

struct aes_key {
	u32 rounds; /* 10 or 14 */
	u32 word[AES_MAX_ROUND_KEYS];
};

/* A block as two big-endian halves. */
struct block {
	u64 hi;
	u64 lo;
};

/* The S-box (FIPS 197, figure 7), each byte wrapped in X(). */
#define AES_SBOX(X) \
	X(0x63), X(0x7c), X(0x77), X(0x7b), X(0xf2), X(0x6b), X(0x6f), X(0xc5), \
	X(0x30), X(0x01), X(0x67), X(0x2b), X(0xfe), X(0xd7), X(0xab), X(0x76), \
	X(0xca), X(0x82), X(0xc9), X(0x7d), X(0xfa), X(0x59), X(0x47), X(0xf0), \
	X(0xad), X(0xd4), X(0xa2), X(0xaf), X(0x9c), X(0xa4), X(0x72), X(0xc0), \
	X(0xb7), X(0xfd), X(0x93), X(0x26), X(0x36), X(0x3f), X(0xf7), X(0xcc), \
	X(0x34), X(0xa5), X(0xe5), X(0xf1), X(0x71), X(0xd8), X(0x31), X(0x15), \
	X(0x04), X(0xc7), X(0x23), X(0xc3), X(0x18), X(0x96), X(0x05), X(0x9a), \
	X(0x07), X(0x12), X(0x80), X(0xe2), X(0xeb), X(0x27), X(0xb2), X(0x75), \
	X(0x09), X(0x83), X(0x2c), X(0x1a), X(0x1b), X(0x6e), X(0x5a), X(0xa0), \
	X(0x52), X(0x3b), X(0xd6), X(0xb3), X(0x29), X(0xe3), X(0x2f), X(0x84), \
	X(0x53), X(0xd1), X(0x00), X(0xed), X(0x20), X(0xfc), X(0xb1), X(0x5b), \
	X(0x6a), X(0xcb), X(0xbe), X(0x39), X(0x4a), X(0x4c), X(0x58), X(0xcf), \
	X(0xd0), X(0xef), X(0xaa), X(0xfb), X(0x43), X(0x4d), X(0x33), X(0x85), \
	X(0x45), X(0xf9), X(0x02), X(0x7f), X(0x50), X(0x3c), X(0x9f), X(0xa8), \
	X(0x51), X(0xa3), X(0x40), X(0x8f), X(0x92), X(0x9d), X(0x38), X(0xf5), \
	X(0xbc), X(0xb6), X(0xda), X(0x21), X(0x10), X(0xff), X(0xf3), X(0xd2), \
	X(0xcd), X(0x0c), X(0x13), X(0xec), X(0x5f), X(0x97), X(0x44), X(0x17), \
	X(0xc4), X(0xa7), X(0x7e), X(0x3d), X(0x64), X(0x5d), X(0x19), X(0x73), \
	X(0x60), X(0x81), X(0x4f), X(0xdc), X(0x22), X(0x2a), X(0x90), X(0x88), \
	X(0x46), X(0xee), X(0xb8), X(0x14), X(0xde), X(0x5e), X(0x0b), X(0xdb), \
	X(0xe0), X(0x32), X(0x3a), X(0x0a), X(0x49), X(0x06), X(0x24), X(0x5c), \
	X(0xc2), X(0xd3), X(0xac), X(0x62), X(0x91), X(0x95), X(0xe4), X(0x79), \
	X(0xe7), X(0xc8), X(0x37), X(0x6d), X(0x8d), X(0xd5), X(0x4e), X(0xa9), \
	X(0x6c), X(0x56), X(0xf4), X(0xea), X(0x65), X(0x7a), X(0xae), X(0x08), \
	X(0xba), X(0x78), X(0x25), X(0x2e), X(0x1c), X(0xa6), X(0xb4), X(0xc6), \
	X(0xe8), X(0xdd), X(0x74), X(0x1f), X(0x4b), X(0xbd), X(0x8b), X(0x8a), \
	X(0x70), X(0x3e), X(0xb5), X(0x66), X(0x48), X(0x03), X(0xf6), X(0x0e), \
	X(0x61), X(0x35), X(0x57), X(0xb9), X(0x86), X(0xc1), X(0x1d), X(0x9e), \
	X(0xe1), X(0xf8), X(0x98), X(0x11), X(0x69), X(0xd9), X(0x8e), X(0x94), \
	X(0x9b), X(0x1e), X(0x87), X(0xe9), X(0xce), X(0x55), X(0x28), X(0xdf), \
	X(0x8c), X(0xa1), X(0x89), X(0x0d), X(0xbf), X(0xe6), X(0x42), X(0x68), \
	X(0x41), X(0x99), X(0x2d), X(0x0f), X(0xb0), X(0x54), X(0xbb), X(0x16)

#define AES_TIMES2(s) ((((s) << 1) ^ (((s) >> 7) * 0x11b)) & 0xff)
#define AES_COLUMN(a, b, c, d) \
	(((u32)(a) << 24) | ((u32)(b) << 16) | ((u32)(c) << 8) | (u32)(d))
#define AES_TE0(s) AES_COLUMN(AES_TIMES2(s), s, s, AES_TIMES2(s) ^ (s))
#define AES_TE1(s) AES_COLUMN(AES_TIMES2(s) ^ (s), AES_TIMES2(s), s, s)
#define AES_TE2(s) AES_COLUMN(s, AES_TIMES2(s) ^ (s), AES_TIMES2(s), s)
#define AES_TE3(s) AES_COLUMN(s, s, AES_TIMES2(s) ^ (s), AES_TIMES2(s))
#define AES_IDENTITY(s) (s)

static const u32 aes_te0[256] = {AES_SBOX(AES_TE0)};
static const u32 aes_te1[256] = {AES_SBOX(AES_TE1)};
static const u32 aes_te2[256] = {AES_SBOX(AES_TE2)};
static const u32 aes_te3[256] = {AES_SBOX(AES_TE3)};
static const u8 aes_sbox[256] = {AES_SBOX(AES_IDENTITY)};

KERNEL_INLINE u32 aes_substitute(u32 a, u32 b, u32 c, u32 d)
{
	return (u32)aes_sbox[a >> 24] << 24 | (u32)aes_sbox[(b >> 16) & 255] << 16 |
	       (u32)aes_sbox[(c >> 8) & 255] << 8 | aes_sbox[d & 255];
}

KERNEL_INLINE u32 aes_mix(u32 a, u32 b, u32 c, u32 d)
{
	return aes_te0[a >> 24] ^ aes_te1[(b >> 16) & 255] ^ aes_te2[(c >> 8) & 255] ^
	       aes_te3[d & 255];
}

/* @words is a constant at each call: the verifier needs constant indices. */
KERNEL_INLINE void aes_schedule(struct aes_key *key, const u8 *bytes, u32 words)
{
	u32 round_constant = 1;
	u32 i;

	key->rounds = words + 6;
	for (i = 0; i < words; i++)
		key->word[i] = load_be32(bytes + 4 * i);
	for (i = words; i < 4 * (words + 7); i++) {
		u32 t = key->word[i - 1];

		if (i % words == 0) {
			t = t << 8 | t >> 24;
			t = aes_substitute(t, t, t, t) ^ round_constant << 24;
			round_constant = round_constant << 1 ^ (round_constant >> 7) * 0x11b;
		} else if (words == 8 && i % words == 4) {
			t = aes_substitute(t, t, t, t);
		}
		key->word[i] = key->word[i - words] ^ t;
	}
}

/* Key expansion (FIPS 197, section 5.2); @size is 16 or 32 bytes, anything else is -1. */
KERNEL_GLOBAL int aes_expand(struct aes_key *key, const struct aes_bytes *bytes, u64 size)
{
	if (!key || !bytes)
		return -1;
	if (size == 16)
		aes_schedule(key, bytes->byte, 4);
	else if (size == 32)
		aes_schedule(key, bytes->byte, 8);
	else
		return -1;
	return 0;
}

/* One block (FIPS 197, section 5.1): *out = E(key, hi || lo). */
KERNEL_GLOBAL int aes_encrypt(const struct aes_key *key, u64 hi, u64 lo, struct block *out)
{
	u32 a, b, c, d, e, f, g, h, i;

	if (!key || !out)
		return -1;
	a = (u32)(hi >> 32) ^ key->word[0];
	b = (u32)hi ^ key->word[1];
	c = (u32)(lo >> 32) ^ key->word[2];
	d = (u32)lo ^ key->word[3];
	for (i = 1; i < 14; i++) {
		if (i == 10 && key->rounds != 14)
			break;
		e = aes_mix(a, b, c, d) ^ key->word[4 * i];
		f = aes_mix(b, c, d, a) ^ key->word[4 * i + 1];
		g = aes_mix(c, d, a, b) ^ key->word[4 * i + 2];
		h = aes_mix(d, a, b, c) ^ key->word[4 * i + 3];
		a = e;
		b = f;
		c = g;
		d = h;
	}
	i *= 4;
	e = aes_substitute(a, b, c, d) ^ key->word[i];
	f = aes_substitute(b, c, d, a) ^ key->word[i + 1];
	g = aes_substitute(c, d, a, b) ^ key->word[i + 2];
	h = aes_substitute(d, a, b, c) ^ key->word[i + 3];
	out->hi = (u64)e << 32 | f;
	out->lo = (u64)g << 32 | h;
	return 0;
}

#endif
