/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why a program or process is not hooked, or only in part: one table of all that
 * Kloak knows and does not serve, with how it is recognised, a sentence, and what
 * the user can do.
 */
#ifndef KLOAK_EXPLAIN_REASON_H
#define KLOAK_EXPLAIN_REASON_H

#include <stdbool.h>
#include <stdint.h>

#define REASON_SONAMES 8

enum explain_reason {
	EXPLAIN_NONE,
	/* The file cannot be what is hooked; before all others. */
	EXPLAIN_KERNEL_THREAD,
	EXPLAIN_ZOMBIE,
	EXPLAIN_NOT_PROGRAM,
	EXPLAIN_NO_INTERPRETER,
	EXPLAIN_32_BIT,
	EXPLAIN_MACHINE,
	EXPLAIN_UNREADABLE,
	EXPLAIN_PACKED,
	EXPLAIN_UNUSUAL_BUILD,
	/* What is in a file: recognised by its row, or by examine.c. In order of preference. */
	EXPLAIN_LIBRESSL,
	EXPLAIN_BORINGSSL_STRIPPED,
	EXPLAIN_OPENSSL_STRIPPED,
	EXPLAIN_AWSLC,
	EXPLAIN_RUSTLS_STRIPPED,
	EXPLAIN_MBEDTLS_STRIPPED,
	EXPLAIN_WOLFSSL_STRIPPED,
	EXPLAIN_GNUTLS_STRIPPED,
	EXPLAIN_S2N,
	EXPLAIN_NSS,
	EXPLAIN_JSSE,
	EXPLAIN_CUSTOM,
	EXPLAIN_QUIC,
	EXPLAIN_DOTNET,
	/* Of the whole. */
	EXPLAIN_CRYPTO_ONLY,
	EXPLAIN_GO_WITHOUT_TLS,
	EXPLAIN_NO_TLS_YET,
	EXPLAIN_NO_TLS,
	/* Of a process, besides. */
	EXPLAIN_SUITE,
	EXPLAIN_KTLS,
	EXPLAIN_IO_URING,
	EXPLAIN_DELETED,
	EXPLAIN_RUN_ENDED,
	EXPLAIN_NOT_PROBED,
	EXPLAIN_REASONS,
};

#define EXPLAIN_BIT(reason) (1ULL << (reason))

struct reason_row {
	const char *name;   /* stable, for programs */
	const char *text;   /* what it is; follows "not hooked: " */
	const char *remedy; /* what to do */
	/* How a file of it is recognised: one of these, and nothing of it being hooked. */
	const char *sonames[REASON_SONAMES]; /* how the names of its libraries begin */
	const char *symbol;		     /* that only it defines */
	uint32_t marks;			     /* bits of enum mark, all of them */
	/* Recognised also where other hooks have functions in the file, but this one has none. */
	const char *hook;
	bool always; /* also if functions of the file are hooked: they are not what they seem */
};

extern const struct reason_row explain_reasons[EXPLAIN_REASONS];

#endif
