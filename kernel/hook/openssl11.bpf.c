// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hook object for the keys of OpenSSL 1.1.1, shared or linked into the
 * program. Its write functions are those of OpenSSL 3: openssl.bpf.c.
 *
 * libssl derives every traffic key by EVP_PKEY_derive(ctx, out, outlen)
 * (EVP_PKEY_derive(3)), and says what it derives beforehand, by macros whose
 * calls are documented (EVP_PKEY_CTX_set_hkdf_md(3),
 * EVP_PKEY_CTX_set_tls1_prf_md(3)) and are
 *
 *	EVP_PKEY_CTX_ctrl(ctx, -1, EVP_PKEY_OP_DERIVE, command, size, bytes)
 *
 *	TLS 1.3	the HKDF's info is an HkdfLabel
 *	TLS 1.2	the first seed of the PRF is "key expansion"; later ones are the
 *		randoms of both sides
 *
 * Key blocks have 12 bytes for each IV, whatever the suite needs of them: their
 * size does not tell AES-256-GCM from ChaCha20.
 */
#include "kernel/arch.h"
#include "kernel/hook/label.h"

/* <openssl/evp.h>, <openssl/kdf.h> of 1.1.1 */
#define EVP_PKEY_OP_DERIVE	(1 << 10)
#define EVP_PKEY_CTRL_TLS_MD	0x1000
#define EVP_PKEY_CTRL_TLS_SEED	0x1002
#define EVP_PKEY_CTRL_HKDF_INFO 0x1006
#define EVP_PKEY_CTRL_HKDF_MODE 0x1007

/* What a thread has said of the derivation that comes next. */
struct said {
	u64 ctx;      /* the derivation's */
	u32 what;     /* enum derivation */
	u32 labelled; /* a label was given: seeds that follow are none */
};

BPF_MAP(said, BPF_MAP_TYPE_LRU_HASH, sizeof(u64), sizeof(struct said), MAX_THREADS, 0);

/* What this thread says about the derivation of @ctx; a new one if @ctx is another. */
KERNEL_INLINE struct said *said_about(u64 ctx)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct said *saying = bpf_map_lookup_elem(&said, &thread);
	struct said fresh;

	if (saying && saying->ctx == ctx)
		return saying;
	__builtin_memset(&fresh, 0, sizeof(fresh));
	fresh.ctx = ctx;
	bpf_map_update_elem(&said, &thread, &fresh, BPF_ANY);
	return bpf_map_lookup_elem(&said, &thread);
}

/*
 * EVP_PKEY_CTX_ctrl() is called. Digest, secret, key and mode begin a derivation
 * anew: what was said for an earlier one, which had the same context or address,
 * is forgotten. Reads registers and user memory; writes map said.
 */
SEC("uprobe.s/EVP_PKEY_CTX_ctrl")
int openssl11_say(struct pt_regs *ctx)
{
	const struct config *settings = config_get();
	u64 command = (u32)arg4(ctx);
	struct said *saying;

	/* Other kinds of keys have other commands of the same numbers. */
	if ((int)arg2(ctx) != -1 || (int)arg3(ctx) != EVP_PKEY_OP_DERIVE ||
	    command < EVP_PKEY_CTRL_TLS_MD || command > EVP_PKEY_CTRL_HKDF_MODE)
		return 0;
	if (!settings || !workload_current(settings))
		return 0;
	saying = said_about(arg1(ctx));
	if (!saying)
		return 0;
	if (command == EVP_PKEY_CTRL_HKDF_INFO) {
		saying->what = label_hkdf(arg6(ctx), (u32)arg5(ctx));
		return 0;
	}
	if (command == EVP_PKEY_CTRL_TLS_SEED) {
		if (!saying->labelled)
			saying->what = label_prf(arg6(ctx), (u32)arg5(ctx));
		saying->labelled = 1;
		return 0;
	}
	saying->what = DERIVE_OTHER;
	saying->labelled = 0;
	return 0;
}

/*
 * EVP_PKEY_derive() is called: remember where its output goes, if it is one of
 * those that matter. Without a place for it, it only asks for a size. Reads
 * registers and user memory; writes maps said, deriving.
 */
SEC("uprobe.s/EVP_PKEY_derive")
int openssl11_derive(struct pt_regs *ctx)
{
	const struct config *settings = config_get();
	u64 thread = bpf_get_current_pid_tgid();
	u32 what = DERIVE_OTHER;
	struct said *saying;
	u64 size = 0;

	if (!settings || !workload_current(settings))
		return 0;
	saying = bpf_map_lookup_elem(&said, &thread);
	if (saying && saying->ctx == arg1(ctx) && arg2(ctx)) {
		what = saying->what;
		saying->what = DERIVE_OTHER;
		saying->labelled = 0;
	}
	if (what != DERIVE_OTHER && bpf_copy_from_user(&size, sizeof(size), (void *)arg3(ctx)))
		what = DERIVE_OTHER;
	derive_begin(what, arg2(ctx), size);
	return 0;
}

/*
 * EVP_PKEY_derive() returns: its output is there. Reads user memory; writes maps
 * deriving, keys.
 */
SEC("uretprobe.s/EVP_PKEY_derive")
int openssl11_derived(__attribute__((unused)) struct pt_regs *ctx)
{
	struct deriving *d = derive_end();

	if (!d)
		return 0;
	switch (d->size) {
	case 56:
		derive_take(d, 16, CIPHER_AES_GCM);
		break;
	case 88:
		derive_take(d, 32, CIPHER_ANY);
		break;
	default:
		derive_take(d, 0, CIPHER_UNSUPPORTED);
		break;
	}
	return 0;
}

LICENSE("GPL");
