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

#include "kernel/loop.h"

#define AES_ROUND_KEYS 64 /* 60 at most; the schedule goes on in steps of 8 */

struct aes_bytes {
	u8 byte[32];
};

struct aes_key {
	u32 rounds; /* 10 or 14 */
	u32 word[AES_ROUND_KEYS];
};

/* A block as two big-endian halves. */
struct block {
	u64 hi;
	u64 lo;
};

/* A block as it is on the wire. */
struct aes_block {
	u8 byte[16];
};

/* The S-box (FIPS 197, figure 7), each byte wrapped in X(). */
/* clang-format off: rows of eight, as FIPS 197 has rows of sixteen */
#define AES_SBOX(X)                                                                               \
	X(0x63), X(0x7c), X(0x77), X(0x7b), X(0xf2), X(0x6b), X(0x6f), X(0xc5), X(0x30), X(0x01), \
		X(0x67), X(0x2b), X(0xfe), X(0xd7), X(0xab), X(0x76), X(0xca), X(0x82), X(0xc9),  \
		X(0x7d), X(0xfa), X(0x59), X(0x47), X(0xf0), X(0xad), X(0xd4), X(0xa2), X(0xaf),  \
		X(0x9c), X(0xa4), X(0x72), X(0xc0), X(0xb7), X(0xfd), X(0x93), X(0x26), X(0x36),  \
		X(0x3f), X(0xf7), X(0xcc), X(0x34), X(0xa5), X(0xe5), X(0xf1), X(0x71), X(0xd8),  \
		X(0x31), X(0x15), X(0x04), X(0xc7), X(0x23), X(0xc3), X(0x18), X(0x96), X(0x05),  \
		X(0x9a), X(0x07), X(0x12), X(0x80), X(0xe2), X(0xeb), X(0x27), X(0xb2), X(0x75),  \
		X(0x09), X(0x83), X(0x2c), X(0x1a), X(0x1b), X(0x6e), X(0x5a), X(0xa0), X(0x52),  \
		X(0x3b), X(0xd6), X(0xb3), X(0x29), X(0xe3), X(0x2f), X(0x84), X(0x53), X(0xd1),  \
		X(0x00), X(0xed), X(0x20), X(0xfc), X(0xb1), X(0x5b), X(0x6a), X(0xcb), X(0xbe),  \
		X(0x39), X(0x4a), X(0x4c), X(0x58), X(0xcf), X(0xd0), X(0xef), X(0xaa), X(0xfb),  \
		X(0x43), X(0x4d), X(0x33), X(0x85), X(0x45), X(0xf9), X(0x02), X(0x7f), X(0x50),  \
		X(0x3c), X(0x9f), X(0xa8), X(0x51), X(0xa3), X(0x40), X(0x8f), X(0x92), X(0x9d),  \
		X(0x38), X(0xf5), X(0xbc), X(0xb6), X(0xda), X(0x21), X(0x10), X(0xff), X(0xf3),  \
		X(0xd2), X(0xcd), X(0x0c), X(0x13), X(0xec), X(0x5f), X(0x97), X(0x44), X(0x17),  \
		X(0xc4), X(0xa7), X(0x7e), X(0x3d), X(0x64), X(0x5d), X(0x19), X(0x73), X(0x60),  \
		X(0x81), X(0x4f), X(0xdc), X(0x22), X(0x2a), X(0x90), X(0x88), X(0x46), X(0xee),  \
		X(0xb8), X(0x14), X(0xde), X(0x5e), X(0x0b), X(0xdb), X(0xe0), X(0x32), X(0x3a),  \
		X(0x0a), X(0x49), X(0x06), X(0x24), X(0x5c), X(0xc2), X(0xd3), X(0xac), X(0x62),  \
		X(0x91), X(0x95), X(0xe4), X(0x79), X(0xe7), X(0xc8), X(0x37), X(0x6d), X(0x8d),  \
		X(0xd5), X(0x4e), X(0xa9), X(0x6c), X(0x56), X(0xf4), X(0xea), X(0x65), X(0x7a),  \
		X(0xae), X(0x08), X(0xba), X(0x78), X(0x25), X(0x2e), X(0x1c), X(0xa6), X(0xb4),  \
		X(0xc6), X(0xe8), X(0xdd), X(0x74), X(0x1f), X(0x4b), X(0xbd), X(0x8b), X(0x8a),  \
		X(0x70), X(0x3e), X(0xb5), X(0x66), X(0x48), X(0x03), X(0xf6), X(0x0e), X(0x61),  \
		X(0x35), X(0x57), X(0xb9), X(0x86), X(0xc1), X(0x1d), X(0x9e), X(0xe1), X(0xf8),  \
		X(0x98), X(0x11), X(0x69), X(0xd9), X(0x8e), X(0x94), X(0x9b), X(0x1e), X(0x87),  \
		X(0xe9), X(0xce), X(0x55), X(0x28), X(0xdf), X(0x8c), X(0xa1), X(0x89), X(0x0d),  \
		X(0xbf), X(0xe6), X(0x42), X(0x68), X(0x41), X(0x99), X(0x2d), X(0x0f), X(0xb0),  \
		X(0x54), X(0xbb), X(0x16)
/* clang-format on */

#define AES_TIMES2(s)	       ((((s) << 1) ^ (((s) >> 7) * 0x11b)) & 0xff)
#define AES_COLUMN(a, b, c, d) (((u32)(a) << 24) | ((u32)(b) << 16) | ((u32)(c) << 8) | (u32)(d))
#define AES_TE0(s)	       AES_COLUMN(AES_TIMES2(s), s, s, AES_TIMES2(s) ^ (s))
#define AES_TE1(s)	       AES_COLUMN(AES_TIMES2(s) ^ (s), AES_TIMES2(s), s, s)
#define AES_TE2(s)	       AES_COLUMN(s, AES_TIMES2(s) ^ (s), AES_TIMES2(s), s)
#define AES_TE3(s)	       AES_COLUMN(s, s, AES_TIMES2(s) ^ (s), AES_TIMES2(s))
#define AES_IDENTITY(s)	       (s)

/* One after the other, so that one register holds where all of them are. */
static const struct {
	u32 te[4][256];
	u8 sbox[256];
	u8 round_constant[16];
} aes_tables = {
	.te = { { AES_SBOX(AES_TE0) },
		{ AES_SBOX(AES_TE1) },
		{ AES_SBOX(AES_TE2) },
		{ AES_SBOX(AES_TE3) } },
	.sbox = { AES_SBOX(AES_IDENTITY) },
	.round_constant = { 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36 },
};

/* Address of the tables, without clang folding it into each access. */
KERNEL_INLINE const u8 *aes_tables_get(void)
{
	const u8 *tables = (const u8 *)&aes_tables;

	barrier_var(tables);
	return tables;
}

KERNEL_INLINE u32 aes_substitute(const u8 *tables, u32 a, u32 b, u32 c, u32 d)
{
	const u8 *sbox = tables + sizeof(aes_tables.te);

	return (u32)sbox[a >> 24] << 24 | (u32)sbox[(b >> 16) & 255] << 16 |
	       (u32)sbox[(c >> 8) & 255] << 8 | sbox[d & 255];
}

/*
 * The entry of a table for the byte of @word that @shift moves to the bits 2 to 9.
 * The barriers make clang add the table's own offset in the load, and do one entry
 * after the other: else it keeps indices, addresses and entries on the stack.
 */
KERNEL_INLINE u32 aes_entry(const u8 *tables, u32 table, u32 word, u32 shift)
{
	barrier_var(word);
	tables += (shift ? word >> shift : word << 2) & 0x3fc;
	barrier_var(tables);
	word = *(const u32 *)(tables + table * sizeof(aes_tables.te[0]));
	barrier_var(word);
	return word;
}

KERNEL_INLINE u32 aes_mix(const u8 *tables, u32 a, u32 b, u32 c, u32 d)
{
	u32 mixed = aes_entry(tables, 0, a, 22);

	mixed ^= aes_entry(tables, 1, b, 14);
	mixed ^= aes_entry(tables, 2, c, 6);
	return mixed ^ aes_entry(tables, 3, d, 0);
}

struct aes_schedule {
	struct aes_key *key;
	u64 words; /* of the key: 4 or 8 */
};

/* Four words from those that stand one key's length before, and the word before them. */
KERNEL_INLINE u32 aes_schedule_words(u32 *to, const u32 *from, u32 t)
{
	u32 i;

	for (i = 0; i < 4; i++) {
		t ^= from[i];
		to[i] = t;
	}
	return t;
}

/* As many words as the key has. */
static long aes_schedule_step(u32 i, struct aes_schedule *schedule)
{
	const u8 *tables = aes_tables_get();
	u64 words = schedule->words;
	u64 at = i * words;
	u64 index = i;
	u32 *word;
	u32 t;

	barrier_var(at);
	barrier_var(index);
	if (at > AES_ROUND_KEYS - 16)
		return 1;
	word = schedule->key->word + at;
	t = words == 4 ? word[3] : word[7];
	t = t << 8 | t >> 24;
	t = aes_substitute(tables, t, t, t, t) ^ (u32)aes_tables.round_constant[index & 15] << 24;
	if (words == 4) {
		aes_schedule_words(word + 4, word, t);
		return 0;
	}
	t = aes_schedule_words(word + 8, word, t);
	aes_schedule_words(word + 12, word + 4, aes_substitute(tables, t, t, t, t));
	return 0;
}

/* Key expansion (FIPS 197, section 5.2); @size is 16 or 32 bytes, anything else is -1. */
KERNEL_GLOBAL int aes_expand(struct aes_key *key, const struct aes_bytes *bytes, u64 size)
{
	struct aes_schedule schedule = { .key = key, .words = size / 4 };
	u32 i;

	if (!key || !bytes || (size != 16 && size != 32))
		return -1;
	for (i = 0; i < 8; i++)
		key->word[i] = load_be32(bytes->byte + 4 * i);
	key->rounds = size == 32 ? 14 : 10;
	bpf_loop(size == 32 ? 7 : 10, aes_schedule_step, &schedule, 0);
	return 0;
}

/* Four columns of the state. */
struct aes_state {
	u32 a, b, c, d;
};

KERNEL_INLINE struct aes_state aes_round(const u8 *tables, struct aes_state s, const u32 *word)
{
	struct aes_state next;

	next.a = aes_mix(tables, s.a, s.b, s.c, s.d) ^ word[0];
	next.b = aes_mix(tables, s.b, s.c, s.d, s.a) ^ word[1];
	next.c = aes_mix(tables, s.c, s.d, s.a, s.b) ^ word[2];
	next.d = aes_mix(tables, s.d, s.a, s.b, s.c) ^ word[3];
	return next;
}

/* One block (FIPS 197, section 5.1): *out = E(key, hi || lo). */
KERNEL_GLOBAL int aes_encrypt(const struct aes_key *key, u64 hi, u64 lo, struct aes_block *out)
{
	const u8 *tables = aes_tables_get();
	const u32 *word;
	struct aes_state s;
	u32 i;

	if (!key || !out)
		return -1;
	word = key->word;
	s.a = (u32)(hi >> 32) ^ word[0];
	s.b = (u32)hi ^ word[1];
	s.c = (u32)(lo >> 32) ^ word[2];
	s.d = (u32)lo ^ word[3];
	for (i = 1; i < 14; i++) {
		word += 4;
		if (i == 10 && key->rounds != 14)
			break;
		s = aes_round(tables, s, word);
	}
	if (i == 14)
		word += 4;
	hi = (u64)(aes_substitute(tables, s.a, s.b, s.c, s.d) ^ word[0]) << 32 |
	     (aes_substitute(tables, s.b, s.c, s.d, s.a) ^ word[1]);
	lo = (u64)(aes_substitute(tables, s.c, s.d, s.a, s.b) ^ word[2]) << 32 |
	     (aes_substitute(tables, s.d, s.a, s.b, s.c) ^ word[3]);
	store_le64(out->byte, __builtin_bswap64(hi));
	store_le64(out->byte + 8, __builtin_bswap64(lo));
	return 0;
}

#endif
