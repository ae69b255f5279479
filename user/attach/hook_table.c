// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TLS libraries that Kloak knows. What each function gives, and how stable
 * it is: Documentation/hooks.md.
 */
#include "user/attach/go.h"
#include "user/attach/hook.h"

#include "lib/cleanup.h"

#define OBJECT(name) .object = bpf_##name##_start, .object_end = bpf_##name##_end

/* Arguments in registers, and on the stack: two objects of the same programs. */
#define GO_FUNCTIONS                                                                               \
	{                                                                                          \
		{ "crypto/tls.aeadAESGCMTLS13", "go_aes_13" },                                     \
			{ "crypto/tls.aeadAESGCM", "go_aes_12" },                                  \
			{ "crypto/tls.aeadChaCha20Poly1305", "go_chacha20" },                      \
			{ "crypto/tls.(*Conn).Write", "go_write", .checked = "go_write_checked" }, \
	}

extern const uint8_t bpf_go_start[], bpf_go_end[];
extern const uint8_t bpf_go_stack_start[], bpf_go_stack_end[];
extern const uint8_t bpf_openssl_start[], bpf_openssl_end[];
extern const uint8_t bpf_openssl11_start[], bpf_openssl11_end[];
extern const uint8_t bpf_boringssl_start[], bpf_boringssl_end[];
extern const uint8_t bpf_gnutls_start[], bpf_gnutls_end[];
extern const uint8_t bpf_mbedtls_start[], bpf_mbedtls_end[];
extern const uint8_t bpf_rustls_start[], bpf_rustls_end[];
extern const uint8_t bpf_wolfssl_start[], bpf_wolfssl_end[];

/* What only OpenSSL 3 has, only BoringSSL, and only the libcrypto of BoringSSL. */
#define ONLY_OPENSSL3	      "EVP_KDF_fetch"
#define ONLY_BORINGSSL	      "SSL_CTX_set_grease_enabled"
#define ONLY_BORINGSSL_CRYPTO "HKDF_expand"

/* ConnectionCommon::write of the trait PlaintextSink; the 5 is the name's length in mangling. */
#define RUSTLS_WRITE "*rustls*PlaintextSink*5write*"

/*
 * The FIPS module of BoringSSL compares a hash of its own code in memory when it starts, and
 * aborts the program: no probe may be in it. Go's boringcrypto is one.
 */
#define FIPS_MODULE "BORINGSSL_FIPS_abort", "BORINGSSL_integrity_test"

const struct hook hooks[] = {
	{
		.name = "go",
		.title = "Go crypto/tls",
		OBJECT(go),
		.find = go_find,
		.use = SITE_GO,
		.moves = true,
		.functions = GO_FUNCTIONS,
	},
	{
		.name = "go_stack",
		.title = "Go crypto/tls (to 1.16)",
		OBJECT(go_stack),
		.find = go_find_stack,
		.use = SITE_GO_STACK,
		.moves = true,
		.functions = GO_FUNCTIONS,
	},
	{
		.name = "openssl",
		.title = "OpenSSL",
		OBJECT(openssl),
		.usual = true,
		.sonames = { "libssl.so", "libcrypto.so" },
		.functions = {
			{ "EVP_KDF_derive", "openssl_derive", "openssl_derived",
			  .only_with = ONLY_OPENSSL3 },
			{ "SSL_write", "openssl_write", .unless = { ONLY_BORINGSSL } },
			{ "SSL_write_ex", "openssl_write",
			  .unless = { ONLY_BORINGSSL, "SSL_write_ex2" } },
			{ "SSL_write_ex2", "openssl_write" },
		},
	},
	{
		.name = "openssl11",
		.title = "OpenSSL 1.1.1",
		OBJECT(openssl11),
		.functions = {
			{ "EVP_PKEY_CTX_ctrl", "openssl11_say",
			  .unless = { ONLY_OPENSSL3, ONLY_BORINGSSL_CRYPTO } },
			{ "EVP_PKEY_derive", "openssl11_derive", "openssl11_derived",
			  .unless = { ONLY_OPENSSL3, ONLY_BORINGSSL_CRYPTO } },
		},
	},
	{
		.name = "boringssl",
		.title = "BoringSSL",
		OBJECT(boringssl),
		.sonames = { "libboringssl.so" },
		.functions = {
			{ "HKDF_expand", "boringssl_expand", "boringssl_derived",
			  .unless = { "CRYPTO_tls13_hkdf_expand_label", FIPS_MODULE } },
			{ "CRYPTO_tls13_hkdf_expand_label", "boringssl_expand_label",
			  "boringssl_derived", .unless = { FIPS_MODULE } },
			{ "CRYPTO_tls1_prf", "boringssl_prf", "boringssl_derived",
			  .unless = { FIPS_MODULE } },
			{ "SSL_write", "boringssl_write", .only_with = ONLY_BORINGSSL },
		},
	},
	{
		.name = "gnutls",
		.title = "GnuTLS",
		OBJECT(gnutls),
		.usual = true,
		.sonames = { "libgnutls.so", "libnettle.so" },
		.functions = {
			{ "nettle_hkdf_expand", "gnutls_expand", "gnutls_derived" },
			{ "_gnutls_prf_raw", "gnutls_prf", "gnutls_derived" },
			{ "gnutls_record_send2", "gnutls_send" },
			{ "gnutls_record_send_range", "gnutls_send_range" },
			{ "gnutls_record_cork", "gnutls_cork" },
			{ "gnutls_record_uncork", "gnutls_uncork", "gnutls_uncorked" },
			{ "gnutls_deinit", "gnutls_end" },
		},
	},
	{
		.name = "mbedtls",
		.title = "mbedTLS",
		OBJECT(mbedtls),
		.sonames = { "libmbedtls.so", "libmbedcrypto.so" },
		.functions = {
			{ "psa_key_derivation_input_bytes", "mbedtls_derive_input" },
			{ "psa_key_derivation_output_bytes", "mbedtls_derive_output",
			  "mbedtls_derived" },
			{ "mbedtls_cipher_setkey", "mbedtls_setkey" },
			{ "mbedtls_ssl_write", "mbedtls_write" },
		},
	},
	{
		.name = "wolfssl",
		.title = "wolfSSL",
		OBJECT(wolfssl),
		.sonames = { "libwolfssl.so" },
		.functions = {
			{ "wc_Tls13_HKDF_Expand_Label", "wolfssl_expand", "wolfssl_expanded",
			  .unless = { "wc_Tls13_HKDF_Expand_Label_ex" } },
			{ "wc_Tls13_HKDF_Expand_Label_ex", "wolfssl_expand", "wolfssl_expanded" },
			{ "wc_PRF_TLS", "wolfssl_prf", "wolfssl_prf_done" },
			{ "wolfSSL_write", "wolfssl_write" },
			{ "wolfSSL_write_ex", "wolfssl_write" },
		},
	},
	{
		.name = "rustls",
		.title = "rustls",
		OBJECT(rustls),
		.moves = true,
		.functions = {
			{ "*RingHkdfExpander*expand_slice*", "rustls_expand", "rustls_expanded" },
			{ "*rustls*PrfUsingHmac*for_secret*", "rustls_prf", "rustls_prf_done" },
			{ RUSTLS_WRITE, "rustls_write" },
			{ "*rustls*PlaintextSink*14write_vectored*", "rustls_write_vectored" },
			{ "*rustls*stream*StreamOwned*Write*5write*", "rustls_write",
			  .unless = { RUSTLS_WRITE } },
		},
	},
};
const size_t hook_count = ARRAY_SIZE(hooks);

_Static_assert(ARRAY_SIZE(hooks) <= HOOKS_MAX, "HOOKS_MAX is too small");

size_t hook_sonames(const char *sonames[static HOOK_SONAMES_MAX])
{
	size_t i, k, count = 0;

	for (i = 0; i < hook_count; i++)
		for (k = 0; k < HOOK_SONAMES && hooks[i].sonames[k]; k++)
			sonames[count++] = hooks[i].sonames[k];
	return count;
}
