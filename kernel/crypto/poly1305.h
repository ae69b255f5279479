/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Poly1305 (RFC 8439, section 2.5): h = (h + block) * r modulo 2^130 - 5, block by
 * block.
 *
 * BPF multiplies to 64 bits. So numbers are in limbs of 32 bits, and products of
 * two limbs are summed up before anything is carried: r is clamped, its limbs
 * have 28 bits, and with limbs of h + block below 2^33 the sum of five products is
 * below 2^64. A product at 2^128 and above comes down again as 5/4 of itself, since
 * 2^130 = 5: r / 4 is whole for all limbs but the first, whose two bits more are
 * dealt with apart.
 */
#ifndef KLOAK_CRYPTO_POLY1305_H
#define KLOAK_CRYPTO_POLY1305_H

#include "kernel/types.h"

#define POLY1305_BLOCK 16
#define POLY1305_TAG   16

struct poly1305 {
	u32 h[5]; /* the last has three bits */
	u32 r[4];
	u32 r5[4];  /* r / 4 * 5: what a limb counts where its product is at 2^128 */
	u32 pad[4]; /* added at the end */
};

/* @key: r, which is clamped here (section 2.5.1), then the pad. */
KERNEL_INLINE void poly1305_begin(struct poly1305 *p, const u32 *key)
{
	u32 i;

	for (i = 0; i < 4; i++) {
		p->h[i] = 0;
		p->r[i] = key[i] & (i ? 0x0ffffffc : 0x0fffffff);
		p->r5[i] = (p->r[i] >> 2) * 5;
		p->pad[i] = key[4 + i];
	}
	p->h[4] = 0;
}

/* @top: 1; 0 for the last block of a message if it is short, which has its 1 inside. */
KERNEL_INLINE void poly1305_block(struct poly1305 *p, u64 lo, u64 hi, u64 top)
{
	u64 x0, x1, x2, x3, sum;

	sum = (u64)p->h[0] + (u32)lo;
	x0 = sum * p->r[0];
	x1 = sum * p->r[1];
	x2 = sum * p->r[2];
	x3 = sum * p->r[3];
	sum = (u64)p->h[1] + (lo >> 32);
	x0 += sum * p->r5[3];
	x1 += sum * p->r[0];
	x2 += sum * p->r[1];
	x3 += sum * p->r[2];
	sum = (u64)p->h[2] + (u32)hi;
	x0 += sum * p->r5[2];
	x1 += sum * p->r5[3];
	x2 += sum * p->r[0];
	x3 += sum * p->r[1];
	sum = (u64)p->h[3] + (hi >> 32);
	x0 += sum * p->r5[1];
	x1 += sum * p->r5[2];
	x2 += sum * p->r5[3];
	x3 += sum * p->r[0];
	sum = p->h[4] + top;
	x0 += sum * p->r5[0];
	x1 += sum * p->r5[1];
	x2 += sum * p->r5[2];
	x3 += sum * p->r5[3];
	/* From 2^128 on: three bits stay, the rest comes down. */
	sum = sum * (p->r[0] & 3) + (x3 >> 32);
	x3 = (u32)x3 + (x2 >> 32);
	x2 = (u32)x2 + (x1 >> 32);
	x1 = (u32)x1 + (x0 >> 32);
	x0 = (u32)x0 + (sum >> 2) * 5;
	x1 += x0 >> 32;
	x2 += x1 >> 32;
	x3 += x2 >> 32;
	p->h[0] = (u32)x0;
	p->h[1] = (u32)x1;
	p->h[2] = (u32)x2;
	p->h[3] = (u32)x3;
	p->h[4] = (u32)((x3 >> 32) + (sum & 3));
}

/* h is below twice 2^130 - 5: where h + 5 reaches 2^130 once more, that is taken off. */
KERNEL_INLINE void poly1305_tag(const struct poly1305 *p, u32 *tag)
{
	u64 carry = 5;
	u32 i;

	for (i = 0; i < 4; i++)
		carry = (carry + p->h[i]) >> 32;
	carry = ((carry + p->h[4]) >> 2) * 5;
	for (i = 0; i < 4; i++) {
		carry += (u64)p->h[i] + p->pad[i];
		tag[i] = (u32)carry;
		carry >>= 32;
	}
}

#endif
