// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hook object for mbedTLS 2.28 and 3, shared or linked into the program.
 *
 * Keys. Two ways lead to a traffic key, both through documented functions of the
 * crypto library, and neither is taken for a record:
 *
 *	psa_key_derivation_input_bytes(operation, step, data, size) and
 *	psa_key_derivation_output_bytes(operation, output, size), PSA Crypto API 1.1,
 *	section 10.7. TLS 1.3 always, and TLS 1.2 where mbedTLS is built with
 *	MBEDTLS_USE_PSA_CRYPTO. Step "info" has the HkdfLabel of RFC 8446, step "label"
 *	the label of RFC 5246.
 *
 *	mbedtls_cipher_setkey(context, key, bits, operation), for TLS 1.2 without that.
 *	The key is part of the key block (RFC 5246, section 6.3), so the client's IV
 *	is two keys behind a client's key. Every other key that is set this way, of
 *	TLS 1.3, of the server, of the random generator, has something else there,
 *	and proves nothing.
 *
 * The key block is always 256 bytes long, whatever the suite. So what it gives
 * may be a key of 16 or of 32 bytes: both are offered.
 *
 * Plaintext: mbedtls_ssl_write(). It makes one record of what fits in, says how
 * much that was, and is called again for the rest. So all that counts is the
 * first record's worth. Records of TLS 1.3 are padded, and the position in the
 * record is that in the write.
 */
#include "kernel/arch.h"
#include "kernel/hook/derive.h"
#include "kernel/hook/scan.h"
#include "kernel/tls/record.h"

/* psa_key_derivation_step_t */
#define STEP_LABEL 0x0201
#define STEP_INFO  0x0203

/* HkdfLabel (RFC 8446, section 7.1): size 2, label size 1, "tls13 ", label, context size 1. */
#define INFO_KEY_SIZE 13
#define INFO_KEY_AT   4
#define INFO_KEY      0x79656b203331736cULL /* "ls13 key" */
#define INFO_IV_SIZE  12
#define INFO_IV_AT    3
#define INFO_IV	      0x7669203331736c74ULL /* "tls13 iv" */

#define SETKEY_ENCRYPT 1 /* MBEDTLS_ENCRYPT */

/* What an input says about the derivation; nearly all are told by their size alone. */
KERNEL_INLINE u32 input_meaning(u32 step, u64 data, u64 size)
{
	u64 text = 0;

	if (step == STEP_INFO && size == INFO_KEY_SIZE) {
		bpf_copy_from_user(&text, sizeof(text), (void *)(data + INFO_KEY_AT));
		return text == INFO_KEY ? DERIVE_KEY : DERIVE_OTHER;
	}
	if (step == STEP_INFO && size == INFO_IV_SIZE) {
		bpf_copy_from_user(&text, sizeof(text), (void *)(data + INFO_IV_AT));
		return text == INFO_IV ? DERIVE_IV : DERIVE_OTHER;
	}
	if (step == STEP_LABEL && size == KEY_EXPANSION_SIZE) {
		bpf_copy_from_user(&text, sizeof(text), (void *)data);
		return text == KEY_EXPANSION ? DERIVE_BLOCK : DERIVE_OTHER;
	}
	return DERIVE_OTHER;
}

/*
 * psa_key_derivation_input_bytes() is called: what is derived. Where to is said
 * by the next function. Reads registers and the input; writes map deriving.
 */
SEC("uprobe.s/psa_key_derivation_input_bytes")
int mbedtls_derive_input(struct pt_regs *ctx)
{
	const struct config *settings = config_get();
	u32 step = (u16)arg2(ctx);

	if (!settings || (step != STEP_INFO && step != STEP_LABEL) || !workload_current(settings))
		return 0;
	derive_begin(input_meaning(step, arg3(ctx), arg4(ctx)), 0, 0);
	return 0;
}

/* psa_key_derivation_output_bytes() is called. Reads registers; writes map deriving. */
SEC("uprobe.s/psa_key_derivation_output_bytes")
int mbedtls_derive_output(struct pt_regs *ctx)
{
	struct deriving *d = derive_end();

	if (d) {
		d->out = arg2(ctx);
		d->size = arg3(ctx);
	}
	return 0;
}

/* It returns. Reads user memory; writes maps deriving, keys. */
SEC("uretprobe.s/psa_key_derivation_output_bytes")
int mbedtls_derived(__attribute__((unused)) struct pt_regs *ctx)
{
	struct deriving *d = derive_end();

	if (!d)
		return 0;
	if (d->what == DERIVE_BLOCK)
		derive_block(d, 16, CIPHER_AES_GCM);
	derive_take(d, 32, CIPHER_ANY);
	return 0;
}

/*
 * mbedtls_cipher_setkey() is called; its size is an int, of bits. For AES-GCM the
 * library sets a key twice, the second time inside of the first: once is enough.
 * Reads registers and user memory; writes maps deriving, keys.
 */
SEC("uprobe.s/mbedtls_cipher_setkey")
int mbedtls_setkey(struct pt_regs *ctx)
{
	const struct config *settings = config_get();
	u32 bits = arg3(ctx);
	struct deriving *d;
	u64 begin = 0;

	if (!settings || (u32)arg4(ctx) != SETKEY_ENCRYPT || (bits != 128 && bits != 256) ||
	    !workload_current(settings))
		return 0;
	if (bpf_copy_from_user(&begin, sizeof(begin), (void *)arg2(ctx)))
		return 0;
	derive_begin(DERIVE_BLOCK, arg2(ctx), 0);
	d = derive_end();
	if (!d)
		return 0;
	if (load_le64(d->key.key) == begin)
		d->what = DERIVE_OTHER;
	else if (bits == 128)
		derive_take(d, 16, CIPHER_AES_GCM);
	else
		derive_take(d, 32, CIPHER_ANY);
	return 0;
}

/*
 * int mbedtls_ssl_write(mbedtls_ssl_context *ssl, const unsigned char *buf, size_t len).
 * Reads registers and the buffer; writes maps staged, events.
 */
SEC("uprobe.s/mbedtls_ssl_write")
int mbedtls_write(struct pt_regs *ctx)
{
	u64 size = arg3(ctx);

	scan_plaintext(arg1(ctx), arg2(ctx), size < RECORD_PLAIN ? size : RECORD_PLAIN);
	return 0;
}

LICENSE("GPL");
