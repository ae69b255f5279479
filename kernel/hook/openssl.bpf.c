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
#include "kernel/hook/keys.h"
#include "kernel/hook/scan.h"

#define PARAMS	    12 /* more than libssl passes */
#define PARAM_BYTES 40 /* OSSL_PARAM(3): key, data_type, data, data_size, return_size */

#define PARAM_LABEL 0x006c6562616cULL /* "label\0" */
#define PARAM_SEED  0x0064656573ULL   /* "seed\0" */
#define LABEL_KEY   0x79656bULL	      /* "key" */
#define LABEL_IV    0x7669ULL	      /* "iv" */
#define KEY_EXPANSION 0x617078652079656bULL /* "key expa" */

enum derivation {
	DERIVE_OTHER = 0,
	DERIVE_KEY,
	DERIVE_IV,
	DERIVE_BLOCK,
	DERIVE_END, /* there is no such parameter */
};

/* What a thread is deriving, and the key that waits for its IV. */
struct deriving {
	u64 out; /* user address */
	u32 size;
	u32 what; /* enum derivation */
	struct traffic_key key;
};

BPF_MAP(deriving, BPF_MAP_TYPE_LRU_HASH, sizeof(u64), sizeof(struct deriving), MAX_THREADS, 0);

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
	u64 value[2] = {0, 0};
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

static inline u32 params_meaning(u64 params)
{
	u32 i;

	for (i = 0; i < PARAMS; i++) {
		u32 what = param_meaning(params + i * sizeof(struct ossl_param));

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
	u64 thread = bpf_get_current_pid_tgid();
	const struct config *settings = config_get();
	struct deriving *deriving_thread;
	struct deriving fresh;
	u64 params = arg4(ctx);
	u32 what;

	if (!settings || !params || !workload_current(settings))
		return 0;
	what = params_meaning(params);
	deriving_thread = bpf_map_lookup_elem(&deriving, &thread);
	if (!deriving_thread) {
		if (what == DERIVE_OTHER)
			return 0;
		__builtin_memset(&fresh, 0, sizeof(fresh));
		bpf_map_update_elem(&deriving, &thread, &fresh, BPF_NOEXIST);
		deriving_thread = bpf_map_lookup_elem(&deriving, &thread);
		if (!deriving_thread)
			return 0;
	}
	deriving_thread->what = what;
	deriving_thread->out = arg2(ctx);
	deriving_thread->size = arg3(ctx);
	return 0;
}

/* A TLS 1.2 key block: lengths tell the suite (OpenSSL 3: two keys, two IVs, MAC keys first). */
static inline void derive_block(struct deriving *d)
{
	struct traffic_key *key = &d->key;
	long failed;

	key->version = TLS_VERSION_12;
	key->iv_size = 4;
	key->cipher = CIPHER_AES_GCM;
	if (d->size == 40) {
		key->key_size = 16;
		failed = bpf_copy_from_user(key->key, 16, (void *)d->out) ||
			 bpf_copy_from_user(key->iv, 4, (void *)(d->out + 32));
	} else if (d->size == 72) {
		key->key_size = 32;
		failed = bpf_copy_from_user(key->key, 32, (void *)d->out) ||
			 bpf_copy_from_user(key->iv, 4, (void *)(d->out + 64));
	} else {
		key->cipher = CIPHER_UNSUPPORTED;
		failed = 0;
	}
	if (!failed)
		key_add(key);
}

static inline void derive_key(struct deriving *d)
{
	struct traffic_key *key = &d->key;

	key->version = TLS_VERSION_13;
	key->cipher = CIPHER_UNKNOWN;
	key->iv_size = 12;
	key->key_size = d->size;
	if (d->size == 32 && !bpf_copy_from_user(key->key, 32, (void *)d->out))
		key->cipher = CIPHER_AES_GCM;
	else if (d->size == 16 && !bpf_copy_from_user(key->key, 16, (void *)d->out))
		key->cipher = CIPHER_AES_GCM;
}

static inline void derive_iv(struct deriving *d)
{
	struct traffic_key *key = &d->key;

	if (key->version != TLS_VERSION_13 || key->cipher != CIPHER_AES_GCM || d->size != 12)
		return;
	if (!bpf_copy_from_user(key->iv, 12, (void *)d->out))
		key_add(key);
	key->cipher = CIPHER_UNKNOWN;
}

/*
 * EVP_KDF_derive() returns: its output is there. Reads user memory; writes maps
 * deriving, keys. Its result is not asked for: a key of a derivation that
 * failed proves nothing and does no harm.
 */
SEC("uretprobe.s/EVP_KDF_derive")
int openssl_derived(__attribute__((unused)) struct pt_regs *ctx)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct deriving *d = bpf_map_lookup_elem(&deriving, &thread);

	if (!d)
		return 0;
	d->key.tid = (u32)thread;
	switch (d->what) {
	case DERIVE_KEY:
		derive_key(d);
		break;
	case DERIVE_IV:
		derive_iv(d);
		break;
	case DERIVE_BLOCK:
		derive_block(d);
		break;
	}
	d->what = DERIVE_OTHER;
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
