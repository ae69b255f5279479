// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hook object for BoringSSL, shared (Android's libssl and libcrypto) or
 * linked into the program.
 *
 * Keys, in libcrypto:
 *	TLS 1.3	HKDF_expand(out, out_len, digest, prk, prk_len, info, info_len),
 *		documented in <openssl/hkdf.h>: info is an HkdfLabel. Later
 *		versions have libssl call CRYPTO_tls13_hkdf_expand_label(out,
 *		out_len, digest, secret, secret_len, label, label_len, hash,
 *		hash_len), which is exported, and may have HKDF_expand inside:
 *		label is "key" or "iv"
 *	TLS 1.2	CRYPTO_tls1_prf(digest, out, out_len, secret, secret_len, label,
 *		label_len, seed1, ...), exported: label is "key expansion"
 *
 * Plaintext: SSL_write(), as in OpenSSL.
 */
#include "kernel/arch.h"
#include "kernel/hook/label.h"
#include "kernel/hook/scan.h"

/* The seventh argument, a size. */
KERNEL_INLINE u64 seventh(struct pt_regs *ctx)
{
	u64 size = 0;

	bpf_copy_from_user(&size, sizeof(size), (void *)stack_argument(ctx, 0));
	return size;
}

KERNEL_INLINE int is_served(void)
{
	const struct config *settings = config_get();

	return settings && workload_current(settings);
}

/* HKDF_expand() is called. Reads registers and user memory; writes map deriving. */
SEC("uprobe.s/HKDF_expand")
int boringssl_expand(struct pt_regs *ctx)
{
	if (is_served())
		derive_begin(label_hkdf(arg6(ctx), seventh(ctx)), arg1(ctx), arg2(ctx));
	return 0;
}

/* CRYPTO_tls13_hkdf_expand_label() is called. As above. */
SEC("uprobe.s/CRYPTO_tls13_hkdf_expand_label")
int boringssl_expand_label(struct pt_regs *ctx)
{
	if (is_served())
		derive_begin(label_bare(arg6(ctx), seventh(ctx)), arg1(ctx), arg2(ctx));
	return 0;
}

/* CRYPTO_tls1_prf() is called. As above. */
SEC("uprobe.s/CRYPTO_tls1_prf")
int boringssl_prf(struct pt_regs *ctx)
{
	if (is_served())
		derive_begin(label_prf(arg6(ctx), seventh(ctx)), arg2(ctx), arg3(ctx));
	return 0;
}

/*
 * Any of the three returns: its output is there. Reads user memory; writes maps
 * deriving, keys. Key blocks hold what the suite needs: two keys and two IVs.
 */
SEC("uretprobe.s/HKDF_expand")
int boringssl_derived(__attribute__((unused)) struct pt_regs *ctx)
{
	struct deriving *d = derive_end();

	if (d)
		derive_take_exact(d);
	return 0;
}

/*
 * int SSL_write(SSL *ssl, const void *buf, int num). A size that is not positive
 * is the library's to refuse. Reads registers and the buffer; writes maps
 * staged, events.
 */
SEC("uprobe.s/SSL_write")
int boringssl_write(struct pt_regs *ctx)
{
	int size = (int)arg3(ctx);

	if (size > 0)
		scan_plaintext(arg1(ctx), arg2(ctx), size);
	return 0;
}

LICENSE("GPL");
