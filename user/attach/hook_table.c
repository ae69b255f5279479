// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TLS libraries that Kloak knows. What each function gives, and how stable
 * it is: Documentation/hooks.md.
 */
#include "user/attach/hook.h"

#include "user/lib/cleanup.h"

#define OBJECT(name) .object = bpf_##name##_start, .object_end = bpf_##name##_end

extern const unsigned char bpf_openssl_start[], bpf_openssl_end[];

const struct hook hooks[] = {
	{
		.name = "openssl",
		.title = "OpenSSL",
		OBJECT(openssl),
		.usual = true,
		.sonames = { "libssl.so", "libcrypto.so" },
		.functions = {
			{ "EVP_KDF_derive", "openssl_derive", "openssl_derived" },
			{ "SSL_write", "openssl_write" },
			{ "SSL_write_ex", "openssl_write", .unless = { "SSL_write_ex2" } },
			{ "SSL_write_ex2", "openssl_write" },
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
