// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hook object for rustls with ring, in programs that have a symbol table.
 *
 * These are methods of traits. Slices are passed as pointer and count, which every
 * Rust compiler for this processor has done, and which no document promises.
 *
 * Keys:
 *	TLS 1.3	RingHkdfExpander::expand_slice(self, info: &[&[u8]], output: &mut [u8]);
 *		info is HkdfLabel (RFC 8446, section 7.1) in six pieces: size, label's
 *		size, "tls13 ", label, context's size, context. The output for a key
 *		has 32 bytes always, of which as many are the key as the first piece says.
 *	TLS 1.2	PrfUsingHmac::for_secret(self, output: &mut [u8], secret: &[u8],
 *		label: &[u8], seed: &[u8])
 *
 * Plaintext: ConnectionCommon::write(self, buf: &[u8]) of the trait PlaintextSink,
 * to which every writer leads; StreamOwned::write(self, buf: &[u8]) where that has
 * become a part of it; and PlaintextSink::write_vectored(self, bufs: &[IoSlice]).
 * IoSlice is a struct iovec, as its documentation says.
 *
 * Records are made in the call and sent later, maybe by another thread.
 */
#define STAGE_MOVES 1

#include "kernel/arch.h"
#include "kernel/hook/derive.h"
#include "kernel/hook/scan.h"

#define PIECES_NEEDED 4	 /* of info */
#define VECTORS	      16 /* slices of a write that are looked at */

struct slice {
	u64 data;
	u64 size;
};

struct label {
	struct slice size, label_size, prefix, label;
};

KERNEL_INLINE u32 rustls_label(const struct slice *label)
{
	u64 text = 0;

	if (label->size == 3 && !bpf_copy_from_user(&text, 3, (void *)label->data) &&
	    text == LABEL_KEY)
		return DERIVE_KEY;
	if (label->size == 2 && !bpf_copy_from_user(&text, 2, (void *)label->data) &&
	    text == LABEL_IV)
		return DERIVE_IV;
	return DERIVE_OTHER;
}

/* expand_slice() is called. Reads registers and user memory; writes map deriving. */
SEC("uprobe.s/expand_slice")
int rustls_expand(struct pt_regs *ctx)
{
	const struct config *settings = config_get();
	struct label info;
	u8 size[2] = { 0, 0 };
	u32 what;

	if (!settings || arg3(ctx) < PIECES_NEEDED || !workload_current(settings))
		return 0;
	if (bpf_copy_from_user(&info, sizeof(info), (void *)arg2(ctx)))
		return 0;
	what = rustls_label(&info.label);
	if (what != DERIVE_OTHER && info.size.size == sizeof(size))
		bpf_copy_from_user(size, sizeof(size), (void *)info.size.data);
	derive_begin(what, arg4(ctx), (u64)size[0] << 8 | size[1]);
	return 0;
}

/* It returns. Reads user memory; writes maps deriving, keys. */
SEC("uretprobe.s/expand_slice")
int rustls_expanded(__attribute__((unused)) struct pt_regs *ctx)
{
	struct deriving *d = derive_end();

	if (d)
		derive_take(d, 0, CIPHER_UNSUPPORTED);
	return 0;
}

/* for_secret() is called. Reads registers, the stack, the label; writes map deriving. */
SEC("uprobe.s/for_secret")
int rustls_prf(struct pt_regs *ctx)
{
	const struct config *settings = config_get();
	u64 text[2] = { 0, 0 };
	u64 size = 0;

	if (!settings || !workload_current(settings))
		return 0;
	bpf_copy_from_user(&size, sizeof(size), (void *)stack_argument(ctx, 0));
	if (size == KEY_EXPANSION_SIZE)
		bpf_copy_from_user(text, KEY_EXPANSION_SIZE, (void *)arg6(ctx));
	derive_begin(text[0] == KEY_EXPANSION ? DERIVE_BLOCK : DERIVE_OTHER, arg2(ctx), arg3(ctx));
	return 0;
}

/*
 * It returns. rustls derives two keys, two IVs, and for AES-GCM 8 bytes more, of
 * which it makes its first explicit nonce.
 */
SEC("uretprobe.s/for_secret")
int rustls_prf_done(__attribute__((unused)) struct pt_regs *ctx)
{
	struct deriving *d = derive_end();

	if (!d)
		return 0;
	switch (d->size) {
	case 2 * (16 + 4) + 8:
		derive_take(d, 16, CIPHER_AES_GCM);
		break;
	case 2 * (32 + 4) + 8:
		derive_take(d, 32, CIPHER_AES_GCM);
		break;
	case 2 * (32 + 12):
		derive_take(d, 32, CIPHER_CHACHA20_POLY1305);
		break;
	default:
		derive_take(d, 0, CIPHER_UNSUPPORTED);
		break;
	}
	return 0;
}

/* A write of one buffer. Reads registers and the buffer; writes maps staged, events. */
SEC("uprobe.s/write")
int rustls_write(struct pt_regs *ctx)
{
	scan_plaintext(arg1(ctx), arg2(ctx), arg3(ctx));
	return 0;
}

/*
 * A write of several buffers, which become one stream. A placeholder that goes from
 * one into the next is not found. Reads registers and buffers; writes maps staged,
 * events. The scan is as deep as calls may be, so that it cannot be a function here;
 * the loop is bounded by VECTORS, and what a turn finds is in maps.
 */
SEC("uprobe.s/write_vectored")
int rustls_write_vectored(struct pt_regs *ctx)
{
	const struct config *settings = config_get();
	u64 session = arg1(ctx), vectors = arg2(ctx), count = arg3(ctx), before = 0;
	struct slice slice;
	u32 i;

	if (!settings || !workload_current(settings))
		return 0;
#pragma clang loop unroll(disable)
	for (i = 0; i < VECTORS && i < count; i++) {
		if (bpf_copy_from_user(&slice, sizeof(slice),
				       (void *)(vectors + i * sizeof(slice))))
			return 0;
		scan_plaintext_at(session, slice.data, slice.size, slice.size, before);
		before += slice.size;
	}
	return 0;
}

LICENSE("GPL");
