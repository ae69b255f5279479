// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hook object for wolfSSL, shared or linked into the program.
 *
 * Keys, all exported, of wolfCrypt's documented interface:
 *	TLS 1.3	wc_Tls13_HKDF_Expand_Label(okm, size, prk, prk size, protocol, its size,
 *		label, its size, ...), or wc_Tls13_HKDF_Expand_Label_ex(), which begins
 *		alike and does the work where it exists
 *	TLS 1.2	wc_PRF_TLS(out, size, secret, its size, label, its size, ...)
 *
 * Where wolfSSL needs keys of both directions it derives both keys first and then
 * both IVs. What tells which IV belongs to which key is the secret (prk) that
 * both come from: its address, among the two last keys of the thread.
 *
 * Plaintext: wolfSSL_write(), and wolfSSL_write_ex(), which does not lead there.
 * wolfSSL_send() does.
 */
#include "kernel/arch.h"
#include "kernel/hook/derive.h"
#include "kernel/hook/scan.h"

#define WAITING 2 /* keys of a thread that may wait for their IVs; a power of 2 */

struct waiting {
	u64 next;	     /* increases: where the next key goes */
	u64 secret[WAITING]; /* user addresses */
	struct traffic_key key[WAITING];
};

BPF_MAP(wolfssl_waiting, BPF_MAP_TYPE_LRU_HASH, sizeof(u64), sizeof(struct waiting), MAX_THREADS,
	0);

KERNEL_INLINE struct waiting *waiting_get(void)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct waiting *waiting = bpf_map_lookup_elem(&wolfssl_waiting, &thread);
	struct waiting fresh;

	if (waiting)
		return waiting;
	__builtin_memset(&fresh, 0, sizeof(fresh));
	bpf_map_update_elem(&wolfssl_waiting, &thread, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&wolfssl_waiting, &thread);
}

/* A key will be derived from this secret. */
KERNEL_INLINE void waiting_expect(u64 secret)
{
	struct waiting *waiting = waiting_get();

	if (!waiting)
		return;
	waiting->next++;
	waiting->secret[waiting->next & (WAITING - 1)] = secret;
	waiting->key[waiting->next & (WAITING - 1)].cipher = CIPHER_UNKNOWN;
}

/* The key that was expected. */
KERNEL_INLINE void waiting_keep(const struct traffic_key *key)
{
	struct waiting *waiting = waiting_get();

	if (waiting)
		waiting->key[waiting->next & (WAITING - 1)] = *key;
}

/* Gives the key of this secret back to the thread, whose next derivation is its IV. */
KERNEL_INLINE void waiting_return(struct deriving *d, u64 secret)
{
	struct waiting *waiting = waiting_get();
	u32 i;

	d->key.cipher = CIPHER_UNKNOWN;
	if (!waiting)
		return;
	for (i = 0; i < WAITING; i++)
		if (waiting->secret[i] == secret)
			d->key = waiting->key[i];
}

/* What a label of TLS 1.3 says; "key" and "iv" have lengths that few others have. */
KERNEL_INLINE u32 wolfssl_label(u64 label, u64 size)
{
	u64 text = 0;

	if (size == 3 && !bpf_copy_from_user(&text, 3, (void *)label) && text == LABEL_KEY)
		return DERIVE_KEY;
	if (size == 2 && !bpf_copy_from_user(&text, 2, (void *)label) && text == LABEL_IV)
		return DERIVE_IV;
	return DERIVE_OTHER;
}

/*
 * wc_Tls13_HKDF_Expand_Label() or its _ex is called. Sizes are 32 bits wide. Reads
 * registers, the stack and the label; writes maps deriving, wolfssl_waiting.
 */
SEC("uprobe.s/wc_Tls13_HKDF_Expand_Label")
int wolfssl_expand(struct pt_regs *ctx)
{
	const struct config *settings = config_get();
	struct deriving *d;
	u64 label[2]; /* address, and size in the lower half */
	u32 what;

	if (!settings || !workload_current(settings))
		return 0;
	if (bpf_copy_from_user(label, sizeof(label), (void *)stack_argument(ctx, 0)))
		return 0;
	what = wolfssl_label(label[0], (u32)label[1]);
	d = derive_begin(what, arg1(ctx), (u32)arg2(ctx));
	if (d && what == DERIVE_KEY)
		waiting_expect(arg3(ctx));
	else if (d && what == DERIVE_IV)
		waiting_return(d, arg3(ctx));
	return 0;
}

/* It returns. Reads user memory; writes maps deriving, wolfssl_waiting, keys. */
SEC("uretprobe.s/wc_Tls13_HKDF_Expand_Label")
int wolfssl_expanded(__attribute__((unused)) struct pt_regs *ctx)
{
	struct deriving *d = derive_end();
	u32 what;

	if (!d)
		return 0;
	what = d->what;
	derive_take(d, 0, CIPHER_UNSUPPORTED);
	if (what == DERIVE_KEY)
		waiting_keep(&d->key);
	return 0;
}

/* wc_PRF_TLS() is called. Reads registers and the label; writes map deriving. */
SEC("uprobe.s/wc_PRF_TLS")
int wolfssl_prf(struct pt_regs *ctx)
{
	const struct config *settings = config_get();
	u64 text[2] = { 0, 0 };

	if (!settings || !workload_current(settings))
		return 0;
	if ((u32)arg6(ctx) == KEY_EXPANSION_SIZE)
		bpf_copy_from_user(text, KEY_EXPANSION_SIZE, (void *)arg5(ctx));
	derive_begin(text[0] == KEY_EXPANSION ? DERIVE_BLOCK : DERIVE_OTHER, arg1(ctx),
		     (u32)arg2(ctx));
	return 0;
}

/*
 * It returns. wolfSSL's key blocks have room for MAC keys behind what the suite
 * needs: twice the hash's size for AEADs. Some suites that are not served (CBC
 * with SHA-1, CCM) have a length of these too; their keys prove nothing.
 */
SEC("uretprobe.s/wc_PRF_TLS")
int wolfssl_prf_done(__attribute__((unused)) struct pt_regs *ctx)
{
	struct deriving *d = derive_end();

	if (!d)
		return 0;
	switch (d->size) {
	case 2 * (16 + 4 + 32):
		derive_take(d, 16, CIPHER_AES_GCM);
		break;
	case 2 * (32 + 4 + 48):
		derive_take(d, 32, CIPHER_AES_GCM);
		break;
	case 2 * (32 + 12 + 32):
		derive_take(d, 32, CIPHER_CHACHA20_POLY1305);
		break;
	default:
		derive_take(d, 0, CIPHER_UNSUPPORTED);
		break;
	}
	return 0;
}

/*
 * int wolfSSL_write(WOLFSSL *ssl, const void *data, int size), and wolfSSL_write_ex(),
 * which has a size_t there; see openssl_write(). Reads registers and the buffer;
 * writes maps staged, events.
 */
SEC("uprobe.s/wolfSSL_write")
int wolfssl_write(struct pt_regs *ctx)
{
	int size = (int)arg3(ctx);

	if (size > 0)
		scan_plaintext(arg1(ctx), arg2(ctx), size);
	return 0;
}

LICENSE("GPL");
