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
#define GO_FUNCTIONS                                                                             \
	{                                                                                        \
		{ .symbol = "crypto/tls.aeadAESGCMTLS13", .entry = "go_aes_13" },                \
			{ .symbol = "crypto/tls.aeadAESGCM", .entry = "go_aes_12" },             \
			{ .symbol = "crypto/tls.aeadChaCha20Poly1305", .entry = "go_chacha20" }, \
			{ .symbol = "crypto/tls.(*Conn).Write",                                  \
			  .entry = "go_write",                                                   \
			  .checked = "go_write_checked" },                                       \
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
			{ .symbol = "EVP_KDF_derive", .entry = "openssl_derive",
			  .on_return = "openssl_derived", .only_with = ONLY_OPENSSL3 },
			{ .symbol = "SSL_write", .entry = "openssl_write",
			  .unless = { ONLY_BORINGSSL } },
			{ .symbol = "SSL_write_ex", .entry = "openssl_write",
			  .unless = { ONLY_BORINGSSL, "SSL_write_ex2" } },
			{ .symbol = "SSL_write_ex2", .entry = "openssl_write" },
		},
	},
	{
		.name = "openssl11",
		.title = "OpenSSL 1.1.1",
		OBJECT(openssl11),
		.functions = {
			{ .symbol = "EVP_PKEY_CTX_ctrl", .entry = "openssl11_say",
			  .unless = { ONLY_OPENSSL3, ONLY_BORINGSSL_CRYPTO } },
			{ .symbol = "EVP_PKEY_derive", .entry = "openssl11_derive",
			  .on_return = "openssl11_derived",
			  .unless = { ONLY_OPENSSL3, ONLY_BORINGSSL_CRYPTO } },
		},
	},
	{
		.name = "boringssl",
		.title = "BoringSSL",
		OBJECT(boringssl),
		.sonames = { "libboringssl.so" },
		.functions = {
			{ .symbol = "HKDF_expand", .entry = "boringssl_expand",
			  .on_return = "boringssl_derived",
			  .unless = { "CRYPTO_tls13_hkdf_expand_label", FIPS_MODULE } },
			{ .symbol = "CRYPTO_tls13_hkdf_expand_label",
			  .entry = "boringssl_expand_label", .on_return = "boringssl_derived",
			  .unless = { FIPS_MODULE } },
			{ .symbol = "CRYPTO_tls1_prf", .entry = "boringssl_prf",
			  .on_return = "boringssl_derived", .unless = { FIPS_MODULE } },
			{ .symbol = "SSL_write", .entry = "boringssl_write",
			  .only_with = ONLY_BORINGSSL },
		},
	},
	{
		.name = "gnutls",
		.title = "GnuTLS",
		OBJECT(gnutls),
		.usual = true,
		.sonames = { "libgnutls.so", "libnettle.so" },
		.functions = {
			{ .symbol = "nettle_hkdf_expand", .entry = "gnutls_expand",
			  .on_return = "gnutls_derived" },
			{ .symbol = "_gnutls_prf_raw", .entry = "gnutls_prf",
			  .on_return = "gnutls_derived" },
			{ .symbol = "gnutls_record_send2", .entry = "gnutls_send" },
			{ .symbol = "gnutls_record_send_range", .entry = "gnutls_send_range" },
			{ .symbol = "gnutls_record_cork", .entry = "gnutls_cork" },
			{ .symbol = "gnutls_record_uncork", .entry = "gnutls_uncork",
			  .on_return = "gnutls_uncorked" },
			{ .symbol = "gnutls_deinit", .entry = "gnutls_end" },
		},
	},
	{
		.name = "mbedtls",
		.title = "mbedTLS",
		OBJECT(mbedtls),
		.sonames = { "libmbedtls.so", "libmbedcrypto.so" },
		.functions = {
			{ .symbol = "psa_key_derivation_input_bytes",
			  .entry = "mbedtls_derive_input" },
			{ .symbol = "psa_key_derivation_output_bytes",
			  .entry = "mbedtls_derive_output", .on_return = "mbedtls_derived" },
			{ .symbol = "mbedtls_cipher_setkey", .entry = "mbedtls_setkey" },
			{ .symbol = "mbedtls_ssl_write", .entry = "mbedtls_write" },
		},
	},
	{
		.name = "wolfssl",
		.title = "wolfSSL",
		OBJECT(wolfssl),
		.sonames = { "libwolfssl.so" },
		.functions = {
			{ .symbol = "wc_Tls13_HKDF_Expand_Label", .entry = "wolfssl_expand",
			  .on_return = "wolfssl_expanded",
			  .unless = { "wc_Tls13_HKDF_Expand_Label_ex" } },
			{ .symbol = "wc_Tls13_HKDF_Expand_Label_ex", .entry = "wolfssl_expand",
			  .on_return = "wolfssl_expanded" },
			{ .symbol = "wc_PRF_TLS", .entry = "wolfssl_prf",
			  .on_return = "wolfssl_prf_done" },
			{ .symbol = "wolfSSL_write", .entry = "wolfssl_write" },
			{ .symbol = "wolfSSL_write_ex", .entry = "wolfssl_write" },
		},
	},
	{
		.name = "rustls",
		.title = "rustls",
		OBJECT(rustls),
		.moves = true,
		.functions = {
			{ .symbol = "*RingHkdfExpander*expand_slice*", .entry = "rustls_expand",
			  .on_return = "rustls_expanded" },
			{ .symbol = "*rustls*PrfUsingHmac*for_secret*", .entry = "rustls_prf",
			  .on_return = "rustls_prf_done" },
			{ .symbol = RUSTLS_WRITE, .entry = "rustls_write" },
			{ .symbol = "*rustls*PlaintextSink*14write_vectored*",
			  .entry = "rustls_write_vectored" },
			{ .symbol = "*rustls*stream*StreamOwned*Write*5write*",
			  .entry = "rustls_write", .unless = { RUSTLS_WRITE } },
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
