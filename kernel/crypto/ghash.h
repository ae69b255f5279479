/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * GF(2^128) as GHASH uses it (NIST SP 800-38D, section 6.3), and what a change
 * of ciphertext does to a tag.
 *
 * GHASH is linear: over ciphertext blocks C[0..m-1] and the length block it is
 * the sum of C[j] * H^(m-j+1). So when some blocks change by delta[j], the tag
 * changes by the sum of delta[j] * H^(m-j+1), whatever the other blocks, the
 * additional data and the nonce are. Neighbouring blocks are summed by Horner's
 * rule and the result is moved to its place by one power of H; powers are made
 * of H^(2^k), for which multiplication tables are kept with the key.
 *
 * Bits are reflected: the first bit of a block is the coefficient of x^0.
 */
#ifndef KLOAK_CRYPTO_GHASH_H
#define KLOAK_CRYPTO_GHASH_H

#include "kernel/crypto/aes.h"

/* H^(2^k) for k < 11: a record has at most 2^14 + 256 bytes (RFC 8446, 5.2), 1,040 blocks. */
#define GHASH_POWERS 11

/* Shoup's method with 4-bit windows: entry[n] = n(x) * X, for one X. */
struct gf_table {
	struct block entry[16];
};

/* The reduction of the 4 bits that a shift by 4 pushes out, to the top of .hi. */
static const u64 gf_reduce[16] = {
	0x0000ULL << 48, 0x1c20ULL << 48, 0x3840ULL << 48, 0x2460ULL << 48,
	0x7080ULL << 48, 0x6ca0ULL << 48, 0x48c0ULL << 48, 0x54e0ULL << 48,
	0xe100ULL << 48, 0xfd20ULL << 48, 0xd940ULL << 48, 0xc560ULL << 48,
	0x9180ULL << 48, 0x8da0ULL << 48, 0xa9c0ULL << 48, 0xb5e0ULL << 48,
};

/* *z *= X. */
KERNEL_GLOBAL int gf_multiply(const struct gf_table *x, struct block *z)
{
	u64 from, rest, hi = 0, lo = 0;
	u32 i;

	if (!x || !z)
		return -1;
	from = z->lo;
	rest = z->hi;
	/* Unrolled it would spill more than the stack of a BPF program holds. */
#pragma clang loop unroll(disable)
	for (i = 0; i < 32; i++) {
		u64 out = gf_reduce[lo & 15];
		u64 window;

		if (i == 16)
			from = rest;
		window = from & 15;
		from >>= 4;
		lo = lo >> 4 | hi << 60;
		hi = hi >> 4 ^ out;
		hi ^= x->entry[window].hi;
		lo ^= x->entry[window].lo;
	}
	z->hi = hi;
	z->lo = lo;
	return 0;
}

KERNEL_INLINE void gf_halve(struct block *v)
{
	u64 carry = v->lo & 1;

	/* Times, and no mask or branch: of these the verifier would follow both ways. */
	barrier_var(carry);
	carry *= 0xe100000000000000ULL;
	v->lo = v->hi << 63 | v->lo >> 1;
	v->hi = v->hi >> 1 ^ carry;
}

/* Fills the table of X = *x. */
KERNEL_GLOBAL int gf_table_fill(struct gf_table *table, const struct block *x)
{
	struct block v;
	u32 i;

	if (!table || !x)
		return -1;
	v = *x;
	table->entry[0].hi = 0;
	table->entry[0].lo = 0;
	table->entry[8] = v;
	gf_halve(&v);
	table->entry[4] = v;
	gf_halve(&v);
	table->entry[2] = v;
	gf_halve(&v);
	table->entry[1] = v;
#pragma clang loop unroll(full)
	for (i = 3; i < 16; i++) {
		u32 top = i & 8 ? 8 : i & 4 ? 4 : 2;

		if (i == top)
			continue;
		table->entry[i].hi = table->entry[top].hi ^ table->entry[i ^ top].hi;
		table->entry[i].lo = table->entry[top].lo ^ table->entry[i ^ top].lo;
	}
	return 0;
}

#endif
