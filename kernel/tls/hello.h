/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ClientHello (RFC 8446, section 4.1.2): the host name that it asks for
 * (server_name, RFC 6066, section 3), and whether it hides another one
 * (encrypted_client_hello).
 *
 * The input is the application's: every read goes through hello_bytes(),
 * which checks against the end of the data.
 */
#ifndef KLOAK_TLS_HELLO_H
#define KLOAK_TLS_HELLO_H

#include <linux/bpf.h>

#include "kernel/abi.h"
#include "kernel/loop.h"
#include "kernel/name.h"
#include "kernel/tls/record.h"

#define HELLO_MAX	 0x4fff /* largest offset that is read: a record has fewer bytes */
#define HELLO_EXTENSIONS 40

#define HANDSHAKE_CLIENT_HELLO 1
#define EXTENSION_SERVER_NAME  0
#define EXTENSION_ECH	       0xfe0d

/* All offsets count from the record's header. */
struct hello {
	u32 name_at; /* of the host name, 0 if there is none */
	u32 name_size;
	u32 encrypted;
	u32 at;	  /* next extension */
	u32 stop; /* end of the extensions */
	u32 bad;
};

/*
 * @size bytes at @offset, or NULL. clang must not take the sum apart again:
 * the verifier knows that this pointer was checked, not another one like it.
 */
KERNEL_INLINE const u8 *hello_bytes(const u8 *data, const u8 *end, u32 offset, u32 size)
{
	u64 at = offset;
	const u8 *p;

	barrier_var(at);
	if (at > HELLO_MAX)
		return NULL;
	p = data + at;
	barrier_var(p);
	return p + size > end ? NULL : p;
}

KERNEL_INLINE int hello_u8(const u8 *data, const u8 *end, u32 offset)
{
	const u8 *p = hello_bytes(data, end, offset, 1);

	return p ? p[0] : -1;
}

KERNEL_INLINE int hello_u16(const u8 *data, const u8 *end, u32 offset)
{
	const u8 *p = hello_bytes(data, end, offset, 2);

	return p ? p[0] << 8 | p[1] : -1;
}

/* The only name list that is sent in practice, and the only one accepted: one host_name. */
KERNEL_INLINE int hello_server_name(const u8 *data, const u8 *end, u32 at, u32 size,
				    struct hello *hello)
{
	int list = hello_u16(data, end, at);
	int type = hello_u8(data, end, at + 2);
	int name = hello_u16(data, end, at + 3);

	if (hello->name_at || list < 0 || type != 0 || name <= 0 || name >= NAME_SIZE)
		return -1;
	if ((u32)list + 2 != size || name + 3 != list)
		return -1;
	hello->name_at = at + 5;
	hello->name_size = name;
	return 0;
}

struct hello_walk {
	struct sk_msg_md *m;
	struct hello *hello;
};

/* One extension. */
static long hello_step(__attribute__((unused)) u32 i, struct hello_walk *walk)
{
	const u8 *data = (const u8 *)walk->m->data;
	const u8 *end = (const u8 *)walk->m->data_end;
	struct hello *hello = walk->hello;
	u32 at = hello->at;
	int type, size;

	if (at >= hello->stop)
		return 1;
	type = hello_u16(data, end, at);
	size = hello_u16(data, end, at + 2);
	if (type < 0 || size < 0 ||
	    (type == EXTENSION_SERVER_NAME && hello_server_name(data, end, at + 4, size, hello))) {
		hello->bad = 1;
		return 1;
	}
	if (type == EXTENSION_ECH)
		hello->encrypted = 1;
	hello->at = at + 4 + size;
	return 0;
}

/* Moves *at over a vector with a length of one or two bytes in front. */
KERNEL_INLINE int hello_skip(u32 *at, int length, u32 width)
{
	if (length < 0)
		return -1;
	*at += width + length;
	return 0;
}

/*
 * Reads the ClientHello in the record that the linear data of @m begins with.
 * Returns 0, or -1 if it is not one, is not complete in this record, or is
 * malformed. @hello must not be on the stack (kernel/loop.h).
 */
KERNEL_INLINE int hello_parse(struct sk_msg_md *m, struct hello *hello)
{
	const u8 *data = (const u8 *)m->data;
	const u8 *end = (const u8 *)m->data_end;
	struct hello_walk walk = { .m = m, .hello = hello };
	u32 at = RECORD_HEADER + 4 + 2 + 32;
	int record = hello_u16(data, end, 3);
	int size = hello_u16(data, end, RECORD_HEADER + 2);

	__builtin_memset(hello, 0, sizeof(*hello));
	if (hello_u8(data, end, RECORD_HEADER) != HANDSHAKE_CLIENT_HELLO ||
	    hello_u8(data, end, RECORD_HEADER + 1) != 0 || size < 0 || size + 4 != record)
		return -1;
	if (hello_skip(&at, hello_u8(data, end, at), 1) ||  /* legacy_session_id */
	    hello_skip(&at, hello_u16(data, end, at), 2) || /* cipher_suites */
	    hello_skip(&at, hello_u8(data, end, at), 1))    /* legacy_compression_methods */
		return -1;
	hello->stop = record + RECORD_HEADER;
	if (!hello_bytes(data, end, hello->stop - 1, 1))
		return -1;
	if (at == hello->stop)
		return 0; /* no extensions at all */
	size = hello_u16(data, end, at);
	if (size < 0 || at + 2 + size != hello->stop)
		return -1;
	hello->at = at + 2;
	bpf_loop(HELLO_EXTENSIONS, hello_step, &walk, 0);
	return hello->bad || hello->at != hello->stop ? -1 : 0;
}

#endif
