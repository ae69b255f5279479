/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Strings that tell which TLS library is inside of a file, whether or not it has
 * symbols: labels of the protocol that every implementation must have, paths of
 * sources in its messages, version texts. What is found is told to people; no probe is
 * ever placed by it.
 */
#ifndef KLOAK_EXPLAIN_MARK_H
#define KLOAK_EXPLAIN_MARK_H

#include <stdint.h>

#include "elf/image.h"

#define MARK_BYTES_MAX	 (256U << 20) /* read of one file */
#define MARK_VERSION_MAX 32

enum mark {
	MARK_TLS,  /* labels of RFC 8446 section 7.1 and RFC 5246 section 7.4.9 */
	MARK_QUIC, /* label of RFC 9001 section 5.1 */
	MARK_BORINGSSL,
	MARK_AWSLC,
	MARK_OPENSSL,
	MARK_OPENSSL_VERSION,
	MARK_LIBRESSL,
	MARK_GNUTLS,
	MARK_NSS,
	MARK_MBEDTLS,
	MARK_WOLFSSL,
	MARK_RUSTLS,
	MARK_GO,
	MARK_COUNT,
};

struct marks {
	uint32_t found;				    /* a bit for each mark */
	char version[MARK_COUNT][MARK_VERSION_MAX]; /* "" if the mark has none */
};

static inline bool marks_have(const struct marks *marks, enum mark mark)
{
	return marks->found >> mark & 1;
}

/* Looks through the constant data of the file. 0 or -errno of reading; @marks is valid anyway. */
int marks_find(const struct elf_image *image, struct marks *marks);

/*
 * The same for @size bytes in memory, adding to what @marks has. Strings that begin
 * after the first @starts bytes do not count.
 */
void marks_search(struct marks *marks, const uint8_t *bytes, size_t size, size_t starts);

#endif
