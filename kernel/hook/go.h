/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs for Go's crypto/tls. Included by two objects, which differ in
 * where arguments are: go.bpf.c in registers (Go 1.17 and later), go_stack.bpf.c
 * on the stack (before), told by GO_STACK.
 *
 * Keys: the functions that make the AEAD of a connection's direction. They are
 * called through the table of cipher suites, so they exist in every build, and get
 * key and IV together, once for each key:
 *	aeadAESGCMTLS13(key, nonceMask []byte)		TLS 1.3
 *	aeadAESGCM(key, noncePrefix []byte)		TLS 1.2, 4 bytes
 *	aeadChaCha20Poly1305(key, nonceMask []byte)	both
 * With GOEXPERIMENT=boringcrypto and in FIPS mode another AES is behind the same
 * functions.
 *
 * Plaintext: (*Conn).Write(b []byte), which all writing leads to.
 *
 * No return probes: the runtime moves stacks, and reads return addresses in them.
 * A goroutine may go on in another thread at any call, so a write may be sent by
 * another thread than the one that made it (STAGE_MOVES). A Write is over when it
 * returns, and is not called again for the same bytes (STAGE_RETRIES).
 */
#ifndef KLOAK_HOOK_GO_H
#define KLOAK_HOOK_GO_H

#define STAGE_MOVES   1
#define STAGE_RETRIES 0

#include "kernel/arch.h"
#include "kernel/hook/keys.h"
#include "kernel/hook/scan.h"
#include "kernel/hook/workload.h"

#ifndef GO_STACK
#define GO_STACK 0
#endif

/* A slice is three words: address, length, capacity. Numbers of the words that matter. */
#define AEAD_KEY      1
#define AEAD_KEY_SIZE 2
#define AEAD_IV	      4
#define AEAD_IV_SIZE  5
#define WRITE_CONN    1
#define WRITE_BUFFER  2
#define WRITE_SIZE    3

/* Word @n of the arguments, 0 if it cannot be read. */
KERNEL_INLINE u64 go_argument(struct pt_regs *ctx, u32 n)
{
	u64 word = 0;

	if (!GO_STACK)
		return go_register(ctx, n);
	if (bpf_copy_from_user(&word, sizeof(word), (void *)stack_argument(ctx, n - 1)))
		return 0;
	return word;
}

KERNEL_INLINE int go_key_read(struct pt_regs *ctx, struct traffic_key *key)
{
	u64 size = go_argument(ctx, AEAD_KEY_SIZE);
	void *from = (void *)go_argument(ctx, AEAD_KEY);

	key->key_size = size;
	if (size == 16)
		return bpf_copy_from_user(key->key, 16, from);
	return size == 32 ? bpf_copy_from_user(key->key, 32, from) : -1;
}

KERNEL_INLINE int go_iv_read(struct pt_regs *ctx, struct traffic_key *key)
{
	u64 size = go_argument(ctx, AEAD_IV_SIZE);
	void *from = (void *)go_argument(ctx, AEAD_IV);

	key->iv_size = size;
	if (size == 4)
		return bpf_copy_from_user(key->iv, 4, from);
	return size == 12 ? bpf_copy_from_user(key->iv, 12, from) : -1;
}

/* 1 if @key has become one of this process, a thread of a workload. */
KERNEL_INLINE int go_key(struct pt_regs *ctx, struct traffic_key *key, u32 cipher, u32 version)
{
	const struct config *settings = config_get();

	if (!settings || !workload_current(settings))
		return 0;
	key->tid = bpf_get_current_pid_tgid();
	key->cipher = cipher;
	key->version = version;
	if (go_key_read(ctx, key) || go_iv_read(ctx, key))
		return 0;
	key_add(key);
	return 1;
}

/* aeadAESGCMTLS13(key, nonceMask []byte). Reads arguments and memory; writes map keys. */
SEC("uprobe.s/aeadAESGCMTLS13")
int go_aes_13(struct pt_regs *ctx)
{
	struct traffic_key key = {};

	go_key(ctx, &key, CIPHER_AES_GCM, TLS_VERSION_13);
	return 0;
}

/* aeadAESGCM(key, noncePrefix []byte). The same. */
SEC("uprobe.s/aeadAESGCM")
int go_aes_12(struct pt_regs *ctx)
{
	struct traffic_key key = {};

	go_key(ctx, &key, CIPHER_AES_GCM, TLS_VERSION_12);
	return 0;
}

/* aeadChaCha20Poly1305(key, nonceMask []byte). The same; it does not say which version it is. */
SEC("uprobe.s/aeadChaCha20Poly1305")
int go_chacha20(struct pt_regs *ctx)
{
	struct traffic_key key = {};

	if (!go_key(ctx, &key, CIPHER_CHACHA20_POLY1305, TLS_VERSION_12))
		return 0;
	key.version = TLS_VERSION_13;
	key_add(&key);
	return 0;
}

/* (*Conn).Write(b []byte). Reads arguments and the buffer; writes maps staged, movers, events. */
SEC("uprobe.s/Write")
int go_write(struct pt_regs *ctx)
{
	scan_plaintext(go_argument(ctx, WRITE_CONN), go_argument(ctx, WRITE_BUFFER),
		       go_argument(ctx, WRITE_SIZE));
	return 0;
}

/*
 * The same at the branch of the stack check. If it is taken the function starts
 * anew, with a larger stack, or later and maybe in another thread: then is the
 * time to look.
 */
SEC("uprobe.s/Write")
int go_write_checked(struct pt_regs *ctx)
{
	if (!jbe_branches(ctx))
		scan_plaintext(go_argument(ctx, WRITE_CONN), go_argument(ctx, WRITE_BUFFER),
			       go_argument(ctx, WRITE_SIZE));
	return 0;
}

LICENSE("GPL");

#endif
