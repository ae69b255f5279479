// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hook object for OpenSSL 3.0 and later, shared or linked into the program.
 *
 * Keys: EVP_KDF_derive(ctx, out, outlen, params), libcrypto, documented
 * (EVP_KDF(3)). libssl derives every traffic key through it, and says what it
 * derives in OSSL_PARAMs (EVP_KDF-TLS13_KDF(7), EVP_KDF-TLS1_PRF(7)):
 *	TLS 1.3	"label" = "key", then "label" = "iv"
 *	TLS 1.2	a "seed" = "key expansion"; out = client key, server key,
 *		client IV, server IV (RFC 5246, section 6.3)
 *
 * Plaintext: SSL_write(3), SSL_write_ex(3), and SSL_write_ex2, to which
 * SSL_write_ex jumps where it exists.
 */
#include "kernel/arch.h"
#include "kernel/hook/derive.h"
#include "kernel/hook/scan.h"

#define PARAMS 12 /* more than libssl passes */

#define PARAM_LABEL 0x006c6562616cULL /* "label\0" */
#define PARAM_SEED  0x0064656573ULL   /* "seed\0" */

#define DERIVE_END (-1) /* there is no such parameter */

/* OSSL_PARAM(3) */
struct ossl_param {
	u64 key;
	u64 data_type;
	u64 data;
	u64 data_size;
	u64 return_size;
};

/* What the parameter at @address says about the derivation; most are told by their size alone. */
KERNEL_GLOBAL int param_meaning(u64 address)
{
	u64 value[2] = { 0, 0 };
	struct ossl_param param;
	u64 name = 0;

	if (bpf_copy_from_user(&param, sizeof(param), (void *)address) || !param.key)
		return DERIVE_END;
	if (param.data_size != 2 && param.data_size != 3 && param.data_size != 13)
		return DERIVE_OTHER;
	if (bpf_copy_from_user(&name, 6, (void *)param.key))
		return DERIVE_OTHER;
	if (name == PARAM_LABEL && param.data_size <= 3) {
		if (bpf_copy_from_user(value, 2, (void *)param.data))
			return DERIVE_OTHER;
		if (param.data_size == 2)
			return value[0] == LABEL_IV ? DERIVE_IV : DERIVE_OTHER;
		bpf_copy_from_user(value, 3, (void *)param.data);
		return value[0] == LABEL_KEY ? DERIVE_KEY : DERIVE_OTHER;
	}
	if ((name & 0xffffffffffULL) == PARAM_SEED && param.data_size == 13) {
		bpf_copy_from_user(value, 13, (void *)param.data);
		return value[0] == KEY_EXPANSION ? DERIVE_BLOCK : DERIVE_OTHER;
	}
	return DERIVE_OTHER;
}

KERNEL_INLINE int params_meaning(u64 params)
{
	u32 i;

	for (i = 0; i < PARAMS; i++) {
		int what = param_meaning(params + i * sizeof(struct ossl_param));

		if (what == DERIVE_END)
			break;
		if (what != DERIVE_OTHER)
			return what;
	}
	return DERIVE_OTHER;
}

/*
 * EVP_KDF_derive() is called: remember where its output goes, if it is one of
 * those that matter. Reads registers and user memory; writes map deriving.
 */
SEC("uprobe.s/EVP_KDF_derive")
int openssl_derive(struct pt_regs *ctx)
{
	const struct config *settings = config_get();
	u64 params = arg4(ctx);

	if (settings && params && workload_current(settings))
		derive_begin(params_meaning(params), arg2(ctx), arg3(ctx));
	return 0;
}

/*
 * EVP_KDF_derive() returns: its output is there. Reads user memory; writes maps
 * deriving, keys. Lengths of key blocks tell the suite (OpenSSL 3: two keys, two
 * IVs, MAC keys first).
 */
SEC("uretprobe.s/EVP_KDF_derive")
int openssl_derived(__attribute__((unused)) struct pt_regs *ctx)
{
	struct deriving *d = derive_end();

	if (d)
		derive_take_exact(d);
	return 0;
}

/*
 * int SSL_write(SSL *ssl, const void *buf, int num), and SSL_write_ex() and
 * SSL_write_ex2(), which have a size_t there. One program serves them all: what
 * the register holds above an int is undefined for the first, and nobody writes
 * 2 GB at once with the others. A size that is not positive is the library's to
 * refuse. Reads registers and the buffer; writes maps staged, events.
 */
SEC("uprobe.s/SSL_write")
int openssl_write(struct pt_regs *ctx)
{
	int size = (int)arg3(ctx);

	if (size > 0)
		scan_plaintext(arg1(ctx), arg2(ctx), size);
	return 0;
}

LICENSE("GPL");
