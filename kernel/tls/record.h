/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The TLS record layer as it looks on the wire (RFC 8446, section 5; RFC 5246,
 * section 6.2; AES-GCM: RFC 5288; ChaCha20-Poly1305: RFC 7905).
 */
#ifndef KLOAK_TLS_RECORD_H
#define KLOAK_TLS_RECORD_H

#include "kernel/types.h"

#define RECORD_HEADER 5
#define RECORD_NONCE  8				     /* explicit nonce of TLS 1.2 GCM */
#define RECORD_HEAD   (RECORD_HEADER + RECORD_NONCE) /* what is read of each record */
#define RECORD_MAX    (16384 + 2048)		     /* RFC 5246, 6.2.3 */
#define RECORD_PLAIN  16384

#define RECORD_TAG 16 /* of AES-GCM and ChaCha20-Poly1305 */

#define TLS13_OVERHEAD	   (1 + RECORD_TAG) /* content type, tag */
#define TLS12_GCM_OVERHEAD (RECORD_NONCE + RECORD_TAG)

/* The Finished of a client when it is a record of its own: 12 bytes, or a hash, behind 4. */
#define TLS12_FINISHED_GCM	(16 + TLS12_GCM_OVERHEAD)
#define TLS12_FINISHED_CHACHA20 (16 + RECORD_TAG)
#define TLS13_FINISHED_SHA256	(4 + 32 + TLS13_OVERHEAD)
#define TLS13_FINISHED_SHA384	(4 + 48 + TLS13_OVERHEAD)

/* A KeyUpdate alone in a record: message of 5 bytes (RFC 8446, 4.6.3). */
#define KEY_UPDATE_RECORD	 (5 + TLS13_OVERHEAD)
#define END_OF_EARLY_DATA_RECORD (4 + TLS13_OVERHEAD)

enum content_type {
	CONTENT_CHANGE_CIPHER_SPEC = 20,
	CONTENT_ALERT = 21,
	CONTENT_HANDSHAKE = 22,
	CONTENT_APPLICATION_DATA = 23,
};

struct tls_record {
	u64 start;    /* stream offset of its header */
	u64 nonce;    /* explicit nonce, if it is a TLS 1.2 GCM record */
	u64 sequence; /* application_data records before this one */
	u32 length;   /* of the fragment behind the header */
	u32 type;
	u32 legacy_version; /* the two bytes behind the type (RFC 8446, 5.1) */
	u32 reserved;
};

/* Can these bytes be the header of a record? */
KERNEL_INLINE int record_plausible(const u8 *head)
{
	u32 length = (u32)head[3] << 8 | head[4];

	return head[0] >= CONTENT_CHANGE_CIPHER_SPEC && head[0] <= CONTENT_APPLICATION_DATA &&
	       head[1] == 3 && head[2] <= 3 && length > 0 && length <= RECORD_MAX;
}

KERNEL_INLINE u32 record_length(const u8 *head)
{
	return (u32)head[3] << 8 | head[4];
}

#endif
