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
	[EXPLAIN_NONE] = { "", "", "" },
	[EXPLAIN_KERNEL_THREAD] = { "kernel-thread", "it is a thread of the kernel, no program",
				    "name a process that runs a program" },
	[EXPLAIN_ZOMBIE] = { "ended",
			     "the process has ended, and its parent has not asked for it yet",
			     "name a process that runs" },
	[EXPLAIN_NOT_PROGRAM] = { "not-a-program",
				  "it is no program, library or script that Linux could run",
				  "name the program that reads it, as in kloak explain python3" },
	[EXPLAIN_NO_INTERPRETER] = { "no-interpreter",
				     "the interpreter that its first line names is not there",
				     "install it, or correct the first line" },
	[EXPLAIN_32_BIT] = { "32-bit", "it is a program of 32 bits", "use its build of 64 bits" },
	[EXPLAIN_MACHINE] = { "machine", "it was built for another processor",
			      "use its build for x86-64: Kloak's hooks are for that" },
	[EXPLAIN_UNREADABLE] = { "unreadable", "its file could not be read",
				 "run kloak explain with sudo, or check the file" },
	[EXPLAIN_UNUSUAL_BUILD] = { "unusual-build",
				    "no place for a probe was found in its functions",
				    "is the file damaged? else report this build" },
	[EXPLAIN_LIBRESSL] = { "libressl",
			       "LibreSSL makes its keys in functions that no other file can see",
			       OTHER_CLIENT, .sonames = { "libtls.so" },
			       .marks = HAS(MARK_LIBRESSL), .always = true },
	[EXPLAIN_BORINGSSL_STRIPPED] = { "boringssl-stripped",
					 "BoringSSL is linked into it, and its symbols were "
					 "stripped (as in Chrome and Electron)",
					 SYMBOLS, .marks = HAS(MARK_TLS) | HAS(MARK_BORINGSSL) },
	[EXPLAIN_OPENSSL_STRIPPED] = { "openssl-stripped",
				       "OpenSSL is linked into it, and its symbols were stripped",
				       SYMBOLS, .marks = HAS(MARK_TLS) | HAS(MARK_OPENSSL) },
	[EXPLAIN_AWSLC] = { "aws-lc",
			    "AWS-LC is linked into it or loaded, without the functions that are "
			    "hooked",
			    "use a build with the symbols of AWS-LC, or with OpenSSL (for rustls: "
			    "the provider ring, with symbols)",
			    .sonames = { "libaws_lc", "libcrypto-awslc", "libssl-awslc" },
			    .marks = HAS(MARK_AWSLC), .hook = "boringssl" },
	[EXPLAIN_RUSTLS_STRIPPED] = { "rustls-stripped",
				      "rustls is linked into it, without the symbols that are "
				      "hooked",
				      "build it without strip = true in the profile, and with the "
				      "provider ring; or with native-tls, which uses OpenSSL",
				      .marks = HAS(MARK_TLS) | HAS(MARK_RUSTLS) },
	[EXPLAIN_MBEDTLS_STRIPPED] = { "mbedtls-stripped",
				       "mbedTLS is linked into it, without the symbols that are "
				       "hooked",
				       SYMBOLS, .marks = HAS(MARK_TLS) | HAS(MARK_MBEDTLS) },
	[EXPLAIN_WOLFSSL_STRIPPED] = { "wolfssl-stripped",
				       "wolfSSL is linked into it, without the symbols that are "
				       "hooked",
				       SYMBOLS, .marks = HAS(MARK_TLS) | HAS(MARK_WOLFSSL) },
	[EXPLAIN_GNUTLS_STRIPPED] = { "gnutls-stripped",
				      "GnuTLS is linked into it, without the symbols that are "
				      "hooked",
				      SYMBOLS, .marks = HAS(MARK_TLS) | HAS(MARK_GNUTLS) },
	[EXPLAIN_S2N] = { "s2n", "s2n-tls is not hooked", OTHER_CLIENT, .sonames = { "libs2n.so" },
			  .symbol = "s2n_negotiate" },
	[EXPLAIN_NSS] = { "nss",
			  "NSS (Firefox, Thunderbird) hands its keys to no function that can be "
			  "seen",
			  OTHER_CLIENT,
			  .sonames = { "libssl3.so", "libnss3.so", "libsoftokn3.so",
				       "libfreebl" } },
	[EXPLAIN_JSSE] = { "jsse",
			   "a Java VM has TLS of its own (JSSE), which is compiled while it runs",
			   "let the program use OpenSSL: netty-tcnative, Conscrypt or the OpenSSL "
			   "provider of Tomcat or WildFly; libssl is hooked when it is loaded",
			   .sonames = { "libjvm.so", "libjli.so" } },
	[EXPLAIN_CUSTOM] = { "custom", "it has an implementation of TLS that Kloak does not know",
			     OTHER_CLIENT, .marks = HAS(MARK_TLS) },
	[EXPLAIN_QUIC] = { "quic", "it can speak QUIC (HTTP/3), which is not TCP and not swapped",
			   "let it use HTTP/1.1 or HTTP/2 over TCP",
			   .sonames = { "libngtcp2", "libquiche", "libmsquic", "libnghttp3",
					"liblsquic", "libpicoquic", "libxquic", "libmvfst" },
			   .marks = HAS(MARK_QUIC), .always = true },
	[EXPLAIN_DOTNET] = { "dotnet", ".NET loads the system's libssl when it first needs TLS",
			     "nothing: libssl is hooked when it is loaded",
			     .sonames = { "libcoreclr.so",
					  "libSystem.Security.Cryptography.Native.OpenSsl" } },
	[EXPLAIN_CRYPTO_ONLY] = { "crypto-only",
				  "it uses a TLS library's cryptography, but not its TLS",
				  "nothing: what it sends itself is not TLS of this library" },
	[EXPLAIN_GO_WITHOUT_TLS] = { "go-without-tls",
				     "it is a Go program without the package crypto/tls",
				     "nothing, if it opens no TLS connection of its own" },
	[EXPLAIN_NO_TLS_YET] = { "no-tls-yet", "it has loaded no TLS library until now",
				 "nothing: one that it loads later under kloak run is hooked "
				 "then" },
	[EXPLAIN_NO_TLS] = { "no-tls", "it loads no TLS library",
			     "nothing; explain the program that makes the connection, if this "
			     "one starts it" },
	[EXPLAIN_SUITE] = { "cipher-suite",
			    "it has negotiated cipher suites that are not served (CBC, CCM)",
			    "let client or server choose AES-GCM or ChaCha20-Poly1305" },
	[EXPLAIN_KTLS] = { "ktls", "kernel TLS is used in its network namespace, and is not seen",
			   "nothing under kloak run, which refuses it, so that libraries encrypt "
			   "themselves" },
	[EXPLAIN_IO_URING] = { "io-uring",
			       "it uses io_uring: IORING_OP_SEND_ZC fails in a run, and what "
			       "worker "
			       "threads send may be missed",
			       "switch io_uring off in the program, if its placeholders are not "
			       "swapped" },
	[EXPLAIN_DELETED] = { "replaced",
			      "a library that it has mapped was replaced or deleted on disk since",
			      "nothing in a run: the mapped file is hooked; restart it to use the "
			      "new one" },
	[EXPLAIN_RUN_ENDED] = { "run-ended",
				"the kloak run that it was started by has ended, and swapping with "
				"it",
				"start it again under kloak run" },
	[EXPLAIN_NOT_PROBED] = { "not-probed",
				 "it is in a run, but its TLS library carries no probe",
				 "see the warnings of that kloak run; start it again" },
};
