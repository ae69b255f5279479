// SPDX-License-Identifier: GPL-2.0-only
/* The table of what is known and not hooked: see reason.h. */
#include "user/explain/reason.h"

#include "user/explain/mark.h"

#define HAS(mark) (1U << (mark))
#define SYMBOLS                                                                                \
	"use a build whose symbols are not stripped, or one that links the shared library of " \
	"the system"
#define OTHER_CLIENT                                                                        \
	"use a client whose TLS library Kloak hooks (kloak(1), LIMITS), such as one built " \
	"with OpenSSL"

const struct reason_row explain_reasons[EXPLAIN_REASONS] = {
	[EXPLAIN_NONE] = { .name = "", .text = "", .remedy = "" },
	[EXPLAIN_KERNEL_THREAD] = {
		.name = "kernel-thread",
		.text = "it is a thread of the kernel, no program",
		.remedy = "name a process that runs a program",
	},
	[EXPLAIN_ZOMBIE] = {
		.name = "ended",
		.text = "the process has ended, and its parent has not asked for it yet",
		.remedy = "name a process that runs",
	},
	[EXPLAIN_NOT_PROGRAM] = {
		.name = "not-a-program",
		.text = "it is no program, library or script that Linux could run",
		.remedy = "name the program that reads it, as in kloak explain python3",
	},
	[EXPLAIN_NO_INTERPRETER] = {
		.name = "no-interpreter",
		.text = "the interpreter that its first line names is not there",
		.remedy = "install it, or correct the first line",
	},
	[EXPLAIN_32_BIT] = {
		.name = "32-bit",
		.text = "it is a program of 32 bits",
		.remedy = "use its build of 64 bits",
	},
	[EXPLAIN_MACHINE] = {
		.name = "machine",
		.text = "it was built for another processor",
		.remedy = "use its build for x86-64: Kloak's hooks are for that",
	},
	[EXPLAIN_UNREADABLE] = {
		.name = "unreadable",
		.text = "its file could not be read",
		.remedy = "run kloak explain with sudo, or check the file",
	},
	[EXPLAIN_PACKED] = {
		.name = "packed",
		.text = "it was packed with UPX, and unpacks itself into memory that no probe "
			"reaches",
		.remedy = "unpack it with upx -d",
	},
	[EXPLAIN_UNUSUAL_BUILD] = {
		.name = "unusual-build",
		.text = "a function of its TLS library has no place for a probe",
		.remedy = "see what is not probed below; use another build",
	},
	[EXPLAIN_LIBRESSL] = {
		.name = "libressl",
		.text = "LibreSSL makes its keys in functions that no other file can see",
		.remedy = OTHER_CLIENT,
		.sonames = { "libtls.so" },
		.marks = HAS(MARK_LIBRESSL),
		.always = true,
	},
	[EXPLAIN_BORINGSSL_STRIPPED] = {
		.name = "boringssl-stripped",
		.text = "BoringSSL is linked into it, and its symbols were stripped (as in Chrome "
			"and Electron)",
		.remedy = SYMBOLS,
		.marks = HAS(MARK_TLS) | HAS(MARK_BORINGSSL),
	},
	[EXPLAIN_OPENSSL_STRIPPED] = {
		.name = "openssl-stripped",
		.text = "OpenSSL is linked into it, and its symbols were stripped",
		.remedy = SYMBOLS,
		.marks = HAS(MARK_TLS) | HAS(MARK_OPENSSL),
	},
	[EXPLAIN_AWSLC] = {
		.name = "aws-lc",
		.text = "AWS-LC is linked into it or loaded, without the functions that are hooked",
		.remedy = "use a build with the symbols of AWS-LC, or with OpenSSL (for rustls: "
			  "the provider ring, with symbols)",
		.sonames = { "libaws_lc", "libcrypto-awslc", "libssl-awslc" },
		.marks = HAS(MARK_AWSLC),
		.hook = "boringssl",
	},
	[EXPLAIN_RUSTLS_STRIPPED] = {
		.name = "rustls-stripped",
		.text = "rustls is linked into it, without the symbols that are hooked",
		.remedy = "build it without strip = true in the profile, and with the provider "
			  "ring; or with native-tls, which uses OpenSSL",
		.marks = HAS(MARK_TLS) | HAS(MARK_RUSTLS),
	},
	[EXPLAIN_MBEDTLS_STRIPPED] = {
		.name = "mbedtls-stripped",
		.text = "mbedTLS is linked into it, without the symbols that are hooked",
		.remedy = SYMBOLS,
		.marks = HAS(MARK_TLS) | HAS(MARK_MBEDTLS),
	},
	[EXPLAIN_WOLFSSL_STRIPPED] = {
		.name = "wolfssl-stripped",
		.text = "wolfSSL is linked into it, without the symbols that are hooked",
		.remedy = SYMBOLS,
		.marks = HAS(MARK_TLS) | HAS(MARK_WOLFSSL),
	},
	[EXPLAIN_GNUTLS_STRIPPED] = {
		.name = "gnutls-stripped",
		.text = "GnuTLS is linked into it, without the symbols that are hooked",
		.remedy = SYMBOLS,
		.marks = HAS(MARK_TLS) | HAS(MARK_GNUTLS),
	},
	[EXPLAIN_S2N] = {
		.name = "s2n",
		.text = "s2n-tls is not hooked",
		.remedy = OTHER_CLIENT,
		.sonames = { "libs2n.so" },
		.symbol = "s2n_negotiate",
	},
	[EXPLAIN_NSS] = {
		.name = "nss",
		.text = "NSS (Firefox, Thunderbird) hands its keys to no function that can be seen",
		.remedy = OTHER_CLIENT,
		.sonames = { "libssl3.so", "libnss3.so", "libsoftokn3.so", "libfreebl" },
	},
	[EXPLAIN_JSSE] = {
		.name = "jsse",
		.text = "a Java VM has TLS of its own (JSSE), which is compiled while it runs",
		.remedy = "let the program use OpenSSL: netty-tcnative, Conscrypt or the OpenSSL "
			  "provider of Tomcat or WildFly; libssl is hooked when it is loaded",
		.sonames = { "libjvm.so", "libjli.so" },
	},
	[EXPLAIN_CUSTOM] = {
		.name = "custom",
		.text = "it has an implementation of TLS that Kloak does not know",
		.remedy = OTHER_CLIENT,
		.marks = HAS(MARK_TLS),
	},
	[EXPLAIN_QUIC] = {
		.name = "quic",
		.text = "it can speak QUIC (HTTP/3), which is not TCP and not swapped",
		.remedy = "let it use HTTP/1.1 or HTTP/2 over TCP",
		.sonames = { "libngtcp2", "libquiche", "libmsquic", "libnghttp3", "liblsquic",
			     "libpicoquic", "libxquic", "libmvfst" },
		.marks = HAS(MARK_QUIC),
		.always = true,
	},
	[EXPLAIN_DOTNET] = {
		.name = "dotnet",
		.text = ".NET loads the system's libssl when it first needs TLS",
		.remedy = "nothing: libssl is hooked when it is loaded",
		.sonames = { "libcoreclr.so", "libSystem.Security.Cryptography.Native.OpenSsl" },
	},
	[EXPLAIN_CRYPTO_ONLY] = {
		.name = "crypto-only",
		.text = "it uses a TLS library's cryptography, but not its TLS",
		.remedy = "nothing: what it sends itself is not TLS of this library",
	},
	[EXPLAIN_GO_WITHOUT_TLS] = {
		.name = "go-without-tls",
		.text = "it is a Go program without the package crypto/tls",
		.remedy = "nothing, if it opens no TLS connection of its own",
	},
	[EXPLAIN_NO_TLS_YET] = {
		.name = "no-tls-yet",
		.text = "it has loaded no TLS library until now",
		.remedy = "nothing: one that it loads later under kloak run is hooked then",
	},
	[EXPLAIN_NO_TLS] = {
		.name = "no-tls",
		.text = "it loads no TLS library",
		.remedy = "nothing; explain the program that makes the connection, if this one "
			  "starts it",
	},
	[EXPLAIN_SUITE] = {
		.name = "cipher-suite",
		.text = "it has negotiated cipher suites that are not served (CBC, CCM)",
		.remedy = "let client or server choose AES-GCM or ChaCha20-Poly1305",
	},
	[EXPLAIN_KTLS] = {
		.name = "ktls",
		.text = "kernel TLS is used in its network namespace, and is not seen",
		.remedy = "nothing under kloak run, which refuses it, so that libraries encrypt "
			  "themselves",
	},
	[EXPLAIN_IO_URING] = {
		.name = "io-uring",
		.text = "it uses io_uring: IORING_OP_SEND_ZC fails in a run, and what worker "
			"threads send may be missed",
		.remedy = "switch io_uring off in the program, if its placeholders are not swapped",
	},
	[EXPLAIN_DELETED] = {
		.name = "replaced",
		.text = "a library that it has mapped was replaced or deleted on disk since",
		.remedy = "nothing in a run: the mapped file is hooked; restart it to use the new "
			  "one",
	},
	[EXPLAIN_RUN_ENDED] = {
		.name = "run-ended",
		.text = "the kloak run that it was started by has ended, and swapping with it",
		.remedy = "start it again under kloak run",
	},
	[EXPLAIN_NOT_PROBED] = {
		.name = "not-probed",
		.text = "it is in a run, but its TLS library carries no probe",
		.remedy = "see the warnings of that kloak run; start it again",
	},
};
