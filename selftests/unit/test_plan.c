// SPDX-License-Identifier: GPL-2.0-only
/*
 * user/attach/plan.c and hook_table.c: which functions of a file would be
 * probed, depending on the functions that it defines. The compiler makes the files,
 * with the names that the libraries have.
 */
#include "selftests/unit/scratch.h"
#include "selftests/unit/suite.h"

#include "user/attach/hook.h"

/* An ELF file that defines the functions @names: blank after each. */
static void make_library(const char *path, const char *names)
{
	char source[4096] = "", command[1200], name[256];
	int used;

	while (sscanf(names, "%255s%n", name, &used) == 1) {
		size_t size = strlen(source);

		snprintf(source + size, sizeof(source) - size,
			 "long %s(long a) { return a + %zu; }\n", name, size);
		names += used;
	}
	scratch_write("library.c", source, 0600);
	snprintf(command, sizeof(command), "gcc -O1 -fPIC -shared -o %s %s", path,
		 scratch_path("library.c"));
	ck_assert_int_eq(system(command), 0);
}

/* "openssl:SSL_write " for each function that is to be probed, in the table's order. */
static void plan_text(const char *path, char *text, size_t size)
{
	struct hook_plans plans;
	struct error err = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int count, seen = 0;

	ck_assert_int_ge(fd, 0);
	count = hook_plan_file(fd, path, &plans, &err);
	close(fd);
	ck_assert_int_ge(count, 0);
	*text = 0;
	for (size_t i = 0; i < hook_count; i++)
		for (size_t k = 0; k < plans.of[i].count; k++, seen++) {
			size_t used = strlen(text);

			snprintf(text + used, size - used, "%s:%s ", hooks[i].name,
				 plans.of[i].probes[k].function->symbol);
		}
	ck_assert_int_eq(seen, count);
}

#define LIBSSL	  "SSL_new SSL_read SSL_write SSL_write_early_data "
#define LIBCRYPTO "EVP_PKEY_derive EVP_PKEY_CTX_ctrl "

static const struct {
	const char *defined, *probed;
} files[] = {
	/* libssl of OpenSSL 1.1.1 and 3.0, then with SSL_write_ex2, to which SSL_write_ex jumps */
	{ LIBSSL "SSL_write_ex", "openssl:SSL_write openssl:SSL_write_ex " },
	{ LIBSSL "SSL_write_ex SSL_write_ex2 SSL_sendfile",
	  "openssl:SSL_write openssl:SSL_write_ex2 " },
	/* of BoringSSL; of AWS-LC, whose SSL_write_ex calls SSL_write */
	{ LIBSSL "SSL_CTX_set_grease_enabled", "boringssl:SSL_write " },
	{ LIBSSL "SSL_CTX_set_grease_enabled SSL_write_ex", "boringssl:SSL_write " },
	/* libcrypto of OpenSSL 3, and of 1.1.1 */
	{ LIBCRYPTO "EVP_KDF_derive EVP_KDF_fetch", "openssl:EVP_KDF_derive " },
	{ LIBCRYPTO, "openssl11:EVP_PKEY_CTX_ctrl openssl11:EVP_PKEY_derive " },
	/* of 1.1.1 where EVP_KDF_derive() was added by a distribution, with other arguments */
	{ LIBCRYPTO "EVP_KDF_derive EVP_KDF_ctrl",
	  "openssl11:EVP_PKEY_CTX_ctrl openssl11:EVP_PKEY_derive " },
	/* of BoringSSL, earlier and later */
	{ LIBCRYPTO "HKDF_expand CRYPTO_tls1_prf",
	  "boringssl:HKDF_expand boringssl:CRYPTO_tls1_prf " },
	{ LIBCRYPTO "HKDF_expand CRYPTO_tls1_prf BORINGSSL_integrity_test", "" },
	{ LIBCRYPTO "HKDF_expand CRYPTO_tls1_prf BORINGSSL_FIPS_abort", "" },
	{ LIBCRYPTO "HKDF_expand CRYPTO_tls1_prf CRYPTO_tls13_hkdf_expand_label",
	  "boringssl:CRYPTO_tls13_hkdf_expand_label boringssl:CRYPTO_tls1_prf " },
	/* linked into a program */
	{ LIBSSL LIBCRYPTO "SSL_write_ex EVP_KDF_derive EVP_KDF_fetch",
	  "openssl:EVP_KDF_derive openssl:SSL_write openssl:SSL_write_ex " },
	{ LIBSSL LIBCRYPTO "SSL_CTX_set_grease_enabled HKDF_expand CRYPTO_tls1_prf",
	  "boringssl:HKDF_expand boringssl:CRYPTO_tls1_prf boringssl:SSL_write " },
	/* libnettle and libgnutls */
	{ "nettle_hkdf_extract nettle_hkdf_expand", "gnutls:nettle_hkdf_expand " },
	{ "gnutls_record_send gnutls_record_send2 gnutls_record_uncork gnutls_record_cork "
	  "gnutls_deinit gnutls_record_send_range _gnutls_prf_raw",
	  "gnutls:_gnutls_prf_raw gnutls:gnutls_record_send2 gnutls:gnutls_record_send_range "
	  "gnutls:gnutls_record_cork gnutls:gnutls_record_uncork gnutls:gnutls_deinit " },
	/* mbedTLS: libmbedcrypto, libmbedtls of Debian 12, then linked into a program */
	{ "psa_key_derivation_input_bytes psa_key_derivation_output_bytes mbedtls_cipher_setkey",
	  "mbedtls:psa_key_derivation_input_bytes mbedtls:psa_key_derivation_output_bytes "
	  "mbedtls:mbedtls_cipher_setkey " },
	{ "mbedtls_ssl_read mbedtls_ssl_write", "mbedtls:mbedtls_ssl_write " },
	/* wolfSSL 5.5, 5.7, 5.9 */
	{ "wc_Tls13_HKDF_Expand_Label wc_PRF_TLS wolfSSL_send wolfSSL_write",
	  "wolfssl:wc_Tls13_HKDF_Expand_Label wolfssl:wc_PRF_TLS wolfssl:wolfSSL_write " },
	{ "wc_Tls13_HKDF_Expand_Label wc_Tls13_HKDF_Expand_Label_ex wc_PRF_TLS wolfSSL_write",
	  "wolfssl:wc_Tls13_HKDF_Expand_Label_ex wolfssl:wc_PRF_TLS wolfssl:wolfSSL_write " },
	{ "wolfSSL_write_ex wolfSSL_writev wolfSSL_write",
	  "wolfssl:wolfSSL_write wolfssl:wolfSSL_write_ex " },
	/* rustls: of two kinds of connections, each has its functions */
	{ "_RNvXs5_6rustls5tls13NtB5_16RingHkdfExpanderNtB9_12HkdfExpander12expand_slice "
	  "_RNvXs5_6rustls5tls13NtB5_16RingHkdfExpanderNtB9_12HkdfExpander12expand_block "
	  "_RNvXNt_6rustls5tls12NtB2_12PrfUsingHmacNtB2_3Prf10for_secret",
	  "rustls:*RingHkdfExpander*expand_slice* rustls:*rustls*PrfUsingHmac*for_secret* " },
	{ "_RNvXs6_6rustls16ConnectionCommonNtB9_6clientENtB5_13PlaintextSink5writeCs_1x "
	  "_RNvXs6_6rustls16ConnectionCommonNtB9_6serverENtB5_13PlaintextSink5writeCs_1x "
	  "_RNvXs6_6rustls16ConnectionCommonNtB9_6clientENtB5_13PlaintextSink14write_vectoredCs_1x "
	  "_RNvXs6_6rustls6streamINtB5_11StreamOwnedNtB9_2io5Write5writeCs_1x",
	  "rustls:*rustls*PlaintextSink*5write* rustls:*rustls*PlaintextSink*5write* "
	  "rustls:*rustls*PlaintextSink*14write_vectored* " },
	{ "_RNvXs6_6rustls6streamINtB5_11StreamOwnedNtB9_2io5Write5writeCs_1x",
	  "rustls:*rustls*stream*StreamOwned*Write*5write* " },
	/* nothing of it */
	{ "SSL_read HKDF_extract EVP_KDF_fetch", "" },
};

START_TEST(conditions)
{
	const char *path = scratch_path("library.so");
	char text[1024];

	make_library(path, files[_i].defined);
	plan_text(path, text, sizeof(text));
	ck_assert_str_eq(text, files[_i].probed);
}
END_TEST

/* The libraries that are discovered before they are mapped, and what they are not. */
START_TEST(sonames)
{
	static const char *const wanted[] = {
		"libssl.so",	"libcrypto.so",	 "libboringssl.so",  "libgnutls.so",
		"libnettle.so", "libmbedtls.so", "libmbedcrypto.so", "libwolfssl.so",
	};
	const char *names[HOOK_SONAMES_MAX];
	size_t count = hook_sonames(names);

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		bool found = false;

		for (size_t k = 0; k < count; k++)
			found |= strcmp(names[k], wanted[i]) == 0;
		ck_assert_msg(found, "%s", wanted[i]);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = suite_case("plan", NULL, 0, 60, scratch_make, scratch_remove);

	tcase_add_loop_test(tcase, conditions, 0, (int)ARRAY_SIZE(files));
	tcase_add_test(tcase, sonames);
	return suite_run_cases("plan", (TCase *const[]){ tcase }, 1);
}
