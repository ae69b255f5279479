/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two things that Kloak does with AES-GCM (NIST SP 800-38D) records that
 * somebody else encrypted: know the keystream of a range, and know how the tag
 * changes when that range does. The record is never decrypted as a whole, and
 * the additional data never matters.
 */
#ifndef KLOAK_CRYPTO_GCM_H
#define KLOAK_CRYPTO_GCM_H

#include "kernel/crypto/ghash.h"

#define GCM_BLOCK 16

struct gcm_key {
	struct aes_key aes;
	struct gf_table power[GHASH_POWERS]; /* H^(2^k) */
};

/* Needs key->aes; fills the tables of H = E(key, 0). */
KERNEL_GLOBAL int gcm_powers_fill(struct gcm_key *key)
{
	/* Linux 6.1 lets no memory be written first by the callee. */
	struct aes_block wire = { 0 };
	struct block h;
	u32 k;

	if (!key)
		return -1;
	aes_encrypt(&key->aes, 0, 0, &wire);
	h.hi = load_be64(wire.byte);
	h.lo = load_be64(wire.byte + 8);
	for (k = 0; k < GHASH_POWERS; k++) {
		if (k)
			gf_multiply(&key->power[k - 1], &h);
		gf_table_fill(&key->power[k], &h);
	}
	return 0;
}

/* *z *= H^exponent, exponent < 2^GHASH_POWERS. */
KERNEL_INLINE void gcm_power_multiply(const struct gcm_key *key, struct block *z, u64 exponent)
{
	u32 k;

	for (k = 0; k < GHASH_POWERS; k++)
		if (exponent >> k & 1)
			gf_multiply(&key->power[k], z);
}

#endif
