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

/*
 * Half of a product: *z = *z * x^64 + from(x) * X. What is shifted out of the lower
 * end is x^128 and more; it is collected, and reduced at the end and not window by
 * window: x^128 = 1 + x + x^2 + x^7.
 */
KERNEL_INLINE void gf_multiply_half(const struct gf_table *x, u64 from, struct block *z)
{
	u64 hi = z->hi, lo = z->lo, out = 0;
	u32 i;

	/* Unrolled it would spill more than the stack of a BPF program holds. */
#pragma clang loop unroll(disable)
	for (i = 0; i < 16; i++) {
		u64 window = from & 15;

		from >>= 4;
		out = out >> 4 | lo << 60;
		lo = lo >> 4 | hi << 60;
		hi >>= 4;
		hi ^= x->entry[window].hi;
		lo ^= x->entry[window].lo;
	}
	z->hi = hi ^ out ^ out >> 1 ^ out >> 2 ^ out >> 7;
	z->lo = lo ^ out << 63 ^ out << 62 ^ out << 57;
}

/* *z *= X. */
KERNEL_GLOBAL int gf_multiply(const struct gf_table *x, struct block *z)
{
	struct block product = { 0, 0 };

	if (!x || !z)
		return -1;
	gf_multiply_half(x, z->lo, &product);
	gf_multiply_half(x, z->hi, &product);
	*z = product;
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
