/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Placeholders: what the application holds instead of a secret.
 *
 *	"kloak:" 01K5T0V6W8 R2M9QX7D4HJB6N3E ...
 *	prefix   time       random           more random, up to the secret's size
 *
 * A placeholder has exactly the size of its secret. From 32 bytes on, the 26
 * characters after the prefix are a valid ULID; a shorter placeholder has only
 * random characters there, 2 of them at the least. The alphabet is Crockford's
 * base32 (no I, L, O, U).
 *
 * Where the alphabet allows, the placeholder takes as many bits as the secret
 * in HPACK's Huffman code too, so that it can be swapped inside a compressed
 * HTTP/2 header.
 */
#ifndef KLOAK_SECRET_PLACEHOLDER_H
#define KLOAK_SECRET_PLACEHOLDER_H

#include "kernel/abi.h"
#include "lib/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLACEHOLDER_ALPHABET "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

struct placeholder {
	size_t size;
	bool hpack_equal; /* same Huffman bit length as the secret */
	char text[SECRET_MAX + 1];
};

/*
 * Makes a placeholder for the @size bytes of @secret (SECRET_MIN to SECRET_MAX)
 * that neither equals, nor begins, nor is the beginning of one of the @count in
 * @others, and that differs from each within PLACEHOLDER_HEAD bytes.
 *
 * Returns 0, or with a sentence in @err: -EINVAL for a size out of range,
 * -ENOSPC if no free placeholder of this size was found (8 bytes leave room for
 * 1,024), another negative errno if the kernel gave no random bytes or no time.
 */
int placeholder_make(const void *secret, size_t size, const struct placeholder *others,
		     size_t count, struct placeholder *result, struct error *err);

/* True if the two cannot be told apart by the first PLACEHOLDER_HEAD bytes of the shorter one. */
bool placeholder_conflicts(const struct placeholder *a, const struct placeholder *b);

#endif
