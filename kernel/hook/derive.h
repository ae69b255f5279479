/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Traffic keys that a library derives with a general function (HKDF-Expand-Label
 * of RFC 8446, section 7.1; the PRF of RFC 5246, section 5), whose output is
 * there when the function returns. At its entry a hook says what is derived and
 * where it goes:
 *
 *	derive_begin(what, out, size)
 *
 * and at its return
 *
 *	d = derive_end();
 *	if (d) derive_take(d, key_size, cipher);
 *
 * Of TLS 1.3 key and IV come one after the other, and are brought together by
 * thread here. Their sizes tell nearly all of the suite. Of TLS 1.2 comes the
 * key block (RFC 5246, section 6.3): client key, server key, client IV, server
 * IV; some libraries derive more of it than they need, so that the hook has to
 * say what key a block of that size has.
 */
#ifndef KLOAK_HOOK_DERIVE_H
#define KLOAK_HOOK_DERIVE_H

#include "kernel/hook/keys.h"
#include "kernel/hook/workload.h"

/* Beginnings of the names as they are in memory, little endian. */
#define LABEL_KEY	   0x79656bULL		 /* "key" */
#define LABEL_IV	   0x7669ULL		 /* "iv" */
#define KEY_EXPANSION	   0x617078652079656bULL /* "key expa" */
#define KEY_EXPANSION_SIZE 13			 /* "key expansion" */

enum derivation {
	DERIVE_OTHER = 0,
	DERIVE_KEY,   /* TLS 1.3 "key" */
	DERIVE_IV,    /* TLS 1.3 "iv" */
	DERIVE_BLOCK, /* TLS 1.2 key block */
};

/* What a thread is deriving, and the key that waits for its IV. */
struct deriving {
	u64 out; /* user address */
	u32 size;
	u32 what; /* enum derivation */
	struct traffic_key key;
};

BPF_MAP(deriving, BPF_MAP_TYPE_LRU_HASH, sizeof(u64), sizeof(struct deriving), MAX_THREADS, 0);

/* The thread's record, made with its first derivation that matters. */
KERNEL_INLINE struct deriving *derive_begin(u32 what, u64 out, u64 size)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct deriving *d = bpf_map_lookup_elem(&deriving, &thread);
	struct deriving fresh;

	if (!d) {
		if (what == DERIVE_OTHER)
			return NULL;
		__builtin_memset(&fresh, 0, sizeof(fresh));
		bpf_map_update_elem(&deriving, &thread, &fresh, BPF_NOEXIST);
		d = bpf_map_lookup_elem(&deriving, &thread);
		if (!d)
			return NULL;
	}
	d->what = what;
	d->out = out;
	d->size = size;
	return d;
}

/* What this thread was deriving, NULL if it is nothing that matters. To be taken once. */
KERNEL_INLINE struct deriving *derive_end(void)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct deriving *d = bpf_map_lookup_elem(&deriving, &thread);

	if (!d || d->what == DERIVE_OTHER)
		return NULL;
	d->key.tid = (u32)thread;
	return d;
}

/*
 * A TLS 1.2 key block. @key_size: 16, or 32, or 0 for a suite that is not served.
 * ChaCha20 has IVs of 12 bytes where GCM has 4 (RFC 7905, section 2; RFC 5288,
 * section 3), and the client's comes first: 12 bytes there serve both.
 */
KERNEL_INLINE void derive_block(struct deriving *d, u32 key_size, u32 cipher)
{
	struct traffic_key *key = &d->key;
	u64 iv = d->out + 2 * key_size;
	long failed = 0;

	key->version = TLS_VERSION_12;
	key->cipher = cipher;
	key->key_size = key_size;
	key->iv_size = cipher == CIPHER_AES_GCM ? 4 : 12;
	if (key_size == 16)
		failed = bpf_copy_from_user(key->key, 16, (void *)d->out);
	else if (key_size == 32)
		failed = bpf_copy_from_user(key->key, 32, (void *)d->out);
	else
		key->cipher = CIPHER_UNSUPPORTED;
	if (key_size && !failed)
		failed = cipher == CIPHER_AES_GCM ? bpf_copy_from_user(key->iv, 4, (void *)iv)
						  : bpf_copy_from_user(key->iv, 12, (void *)iv);
	if (!failed)
		key_add(key);
	key->cipher = CIPHER_UNKNOWN;
}

KERNEL_INLINE void derive_key(struct deriving *d)
{
	struct traffic_key *key = &d->key;

	key->version = TLS_VERSION_13;
	key->cipher = CIPHER_UNKNOWN;
	key->iv_size = 12;
	key->key_size = d->size;
	if (d->size == 32 && !bpf_copy_from_user(key->key, 32, (void *)d->out))
		key->cipher = CIPHER_ANY;
	else if (d->size == 16 && !bpf_copy_from_user(key->key, 16, (void *)d->out))
		key->cipher = CIPHER_AES_GCM;
}

KERNEL_INLINE void derive_iv(struct deriving *d)
{
	struct traffic_key *key = &d->key;

	if (key->version != TLS_VERSION_13 || key->cipher == CIPHER_UNKNOWN || d->size != 12)
		return;
	if (!bpf_copy_from_user(key->iv, 12, (void *)d->out))
		key_add(key);
	key->cipher = CIPHER_UNKNOWN;
}

/*
 * The output is there. Reads user memory; writes maps deriving, keys.
 * @block_key_size and @block_cipher are about a key block of d->size bytes. Whether
 * the library's function succeeded is not asked: a key of a derivation that
 * failed proves nothing and does no harm.
 */
KERNEL_INLINE void derive_take(struct deriving *d, u32 block_key_size, u32 block_cipher)
{
	switch (d->what) {
	case DERIVE_KEY:
		derive_key(d);
		break;
	case DERIVE_IV:
		derive_iv(d);
		break;
	case DERIVE_BLOCK:
		derive_block(d, block_key_size, block_cipher);
		break;
	}
	d->what = DERIVE_OTHER;
}

/* The same, where a key block is no longer than its suite needs: two keys, two IVs. */
KERNEL_INLINE void derive_take_exact(struct deriving *d)
{
	switch (d->size) {
	case 40:
		derive_take(d, 16, CIPHER_AES_GCM);
		break;
	case 72:
		derive_take(d, 32, CIPHER_AES_GCM);
		break;
	case 88:
		derive_take(d, 32, CIPHER_CHACHA20_POLY1305);
		break;
	default:
		derive_take(d, 0, CIPHER_UNSUPPORTED);
		break;
	}
}

#endif
