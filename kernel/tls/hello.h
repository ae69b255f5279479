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

#include "kernel/abi.h"
#include "kernel/tls/record.h"

#define HELLO_MAX	 0x4fff /* largest offset that is read: a record has fewer bytes */
#define HELLO_EXTENSIONS 40

#define HANDSHAKE_CLIENT_HELLO 1
#define EXTENSION_SERVER_NAME  0
#define EXTENSION_ECH	       0xfe0d

struct hello {
	u32 name_at; /* offset of the host name, 0 if there is none */
	u32 name_size;
	u32 encrypted;
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

/*
 * Reads the ClientHello in the record at @data. Returns 0, or -1 if it is not
 * one, is not complete in this record, or is malformed.
 */
KERNEL_INLINE int hello_parse(const u8 *data, const u8 *end, struct hello *hello)
{
	int record = hello_u16(data, end, 3);
	int type = hello_u8(data, end, RECORD_HEADER);
	int size = hello_u16(data, end, RECORD_HEADER + 2);
	int length;
	u32 at = RECORD_HEADER + 4 + 2 + 32;
	u32 stop;
	u32 i;

	hello->name_at = 0;
	hello->name_size = 0;
	hello->encrypted = 0;
	if (type != HANDSHAKE_CLIENT_HELLO || hello_u8(data, end, RECORD_HEADER + 1) != 0)
		return -1;
	if (size < 0 || size + 4 != record)
		return -1;
	length = hello_u8(data, end, at); /* legacy_session_id */
	if (length < 0)
		return -1;
	at += 1 + length;
	length = hello_u16(data, end, at); /* cipher_suites */
	if (length < 0)
		return -1;
	at += 2 + length;
	length = hello_u8(data, end, at); /* legacy_compression_methods */
	if (length < 0)
		return -1;
	at += 1 + length;
	length = hello_u16(data, end, at);
	if (length < 0)
		return at == (u32)record + RECORD_HEADER ? 0 : -1; /* no extensions at all */
	at += 2;
	stop = at + length;
	if (stop != (u32)record + RECORD_HEADER)
		return -1;
	for (i = 0; i < HELLO_EXTENSIONS; i++) {
		int extension, bytes;

		if (at >= stop)
			break;
		extension = hello_u16(data, end, at);
		bytes = hello_u16(data, end, at + 2);
		if (extension < 0 || bytes < 0)
			return -1;
		at += 4;
		if (extension == EXTENSION_SERVER_NAME &&
		    hello_server_name(data, end, at, bytes, hello))
			return -1;
		if (extension == EXTENSION_ECH)
			hello->encrypted = 1;
		at += bytes;
	}
	return at == stop ? 0 : -1;
}

/* A byte of a host name in lower case, or -1 if it has no business there. */
KERNEL_INLINE int hello_name_byte(u8 c)
{
	if (c >= 'A' && c <= 'Z')
		return c + ('a' - 'A');
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_')
		return c;
	return -1;
}

#endif
