// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel/hook/: from calls of a library's key derivation to traffic keys. The
 * programs of the hook objects run here on calls like those of the libraries, and
 * on calls that only look like them: stale and foreign labels, questions about a
 * size, other kinds of keys, memory that cannot be read.
 */
#define __TARGET_ARCH_x86 1
#include "selftests/unit/host_world.h"
#include "selftests/unit/suite.h"

#include <check.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wunused-function"
#include "kernel/hook/boringssl.bpf.c"
#include "kernel/hook/openssl.bpf.c"
#include "kernel/hook/openssl11.bpf.c"
#pragma GCC diagnostic pop

#define OUT_MAX	     256
#define OTHER_THREAD (WORLD_THREAD + 1)

/* The memory of the process: all that a program may read. */
static struct memory {
	uint8_t out[OUT_MAX];
	uint64_t out_size;
	uint8_t text[512];
	struct ossl_param params[8];
	uint64_t stack[4]; /* the return address, and the arguments after the sixth */
} memory;

static struct world world;
static uint64_t random_state;

static void setup(void)
{
	world_begin(&world, 1);
	memset(&memory, 0, sizeof(memory));
	host.user = &memory;
	host.user_size = sizeof(memory);
	random_state = 1;
}

static void teardown(void)
{
	world_end();
}

/* Puts text into the process, at a place of its own in memory.text. */
static uint64_t put(size_t at, const void *bytes, size_t size)
{
	memcpy(memory.text + at, bytes, size);
	return (uint64_t)(memory.text + at);
}

static uint32_t key_count(void)
{
	uint32_t tgid = (uint32_t)(host.thread >> 32);
	const uint32_t *head = bpf_map_lookup_elem(&key_heads, &tgid);

	return head ? *head : 0;
}

static const struct traffic_key *key_at(uint32_t index)
{
	struct key_slot slot = { .tgid = (uint32_t)(host.thread >> 32), .index = index };

	return bpf_map_lookup_elem(&keys, &slot);
}

/* The library has derived something: other bytes each time. */
static void derived(void)
{
	random_fill(&random_state, memory.out, sizeof(memory.out));
}

/* ---- the libraries ---- */

static void param(size_t at, const char *name, const void *value, size_t size)
{
	memory.params[at] = (struct ossl_param){
		.key = put(at * 32, name, strlen(name) + 1),
		.data = put(256 + at * 32, value, size),
		.data_size = size,
	};
}

/* EVP_KDF_derive() with a parameter @name, amid others. */
static void openssl3(const char *name, const void *value, size_t size, size_t out_size)
{
	struct pt_regs call = { .rsi = (uint64_t)memory.out,
				.rdx = out_size,
				.rcx = (uint64_t)memory.params };

	memset(memory.params, 0, sizeof(memory.params));
	param(0, "digest", "SHA256", 7);
	param(1, "mode", "\2\0\0", 3);
	param(2, name, value, size);
	param(3, "data", "", 0);
	openssl_derive(&call);
	derived();
	openssl_derived(&call);
}

#define CTX  0x5000ULL
#define CTX2 0x6000ULL

static void ctrl_as(uint64_t ctx, int keytype, int optype, int command, uint64_t size,
		    uint64_t bytes)
{
	struct pt_regs call = { .rdi = ctx,
				.rsi = (uint32_t)keytype,
				.rdx = (uint32_t)optype,
				.rcx = (uint32_t)command,
				.r8 = size,
				.r9 = bytes };

	openssl11_say(&call);
}

static void ctrl(uint64_t ctx, int command, const void *bytes, size_t size)
{
	ctrl_as(ctx, -1, EVP_PKEY_OP_DERIVE, command, size, put(0, bytes, size));
}

static void derive_into(uint64_t ctx, uint64_t out, size_t size)
{
	struct pt_regs call = { .rdi = ctx, .rsi = out, .rdx = (uint64_t)&memory.out_size };

	memory.out_size = size;
	openssl11_derive(&call);
	derived();
	openssl11_derived(&call);
}

static void derive(uint64_t ctx, size_t size)
{
	derive_into(ctx, (uint64_t)memory.out, size);
}

/* tls13_hkdf_expand() of OpenSSL 1.1.1 */
static void hkdf11(uint64_t ctx, const void *info, size_t info_size, size_t size)
{
	ctrl(ctx, EVP_PKEY_CTRL_HKDF_MODE, "", 0);
	ctrl(ctx, 0x1003, "", 0);
	ctrl(ctx, 0x1005, "secret", 6);
	ctrl(ctx, EVP_PKEY_CTRL_HKDF_INFO, info, info_size);
	derive(ctx, size);
}

/* tls1_PRF() of OpenSSL 1.1.1, with the randoms of both sides after the label */
static void prf11(uint64_t ctx, const char *label, const char *random, size_t size)
{
	ctrl(ctx, EVP_PKEY_CTRL_TLS_MD, "", 0);
	ctrl(ctx, 0x1001, "secret", 6);
	ctrl(ctx, EVP_PKEY_CTRL_TLS_SEED, label, strlen(label));
	ctrl(ctx, EVP_PKEY_CTRL_TLS_SEED, random, strlen(random));
	ctrl(ctx, EVP_PKEY_CTRL_TLS_SEED, random, strlen(random));
	derive(ctx, size);
}

/* A function of BoringSSL: label in the sixth argument, its size in the seventh. */
static void boringssl(int (*entry)(struct pt_regs *), bool digest_first, const void *label,
		      size_t label_size, size_t size)
{
	struct pt_regs call = { .r9 = put(0, label, label_size), .rsp = (uint64_t)memory.stack };

	call.rdi = (uint64_t)memory.out;
	call.rsi = size;
	if (digest_first) {
		call.rdi = 0x7000;
		call.rsi = (uint64_t)memory.out;
		call.rdx = size;
	}
	memory.stack[0] = 0x401000;
	memory.stack[1] = label_size;
	entry(&call);
	derived();
	boringssl_derived(&call);
}

/* ---- what the libraries have in common ---- */

static const char info_key[13] = "\0\20\11tls13 key"; /* and the context's size, 0 */
static const char info_iv[12] = "\0\14\10tls13 iv";

/* How a library derives a key or IV of TLS 1.3, and a block of TLS 1.2. */
struct library {
	void (*key)(size_t size);
	void (*iv)(void);
	void (*block)(size_t size);
	size_t block_size[2]; /* with keys of 16 and 32 bytes */
	uint8_t cipher[2];
};

static void key_3(size_t size)
{
	openssl3("label", "key", 3, size);
}

static void iv_3(void)
{
	openssl3("label", "iv", 2, 12);
}

static void block_3(size_t size)
{
	openssl3("seed", "key expansion", 13, size);
}

static void key_11(size_t size)
{
	hkdf11(CTX, info_key, sizeof(info_key), size);
}

static void iv_11(void)
{
	hkdf11(CTX, info_iv, sizeof(info_iv), 12);
}

static void block_11(size_t size)
{
	prf11(CTX, "key expansion", "0123456789abcdef0123456789abcdef", size);
}

static void key_boring(size_t size)
{
	boringssl(boringssl_expand, false, info_key, sizeof(info_key), size);
}

static void iv_boring(void)
{
	boringssl(boringssl_expand, false, info_iv, sizeof(info_iv), 12);
}

static void key_boring_label(size_t size)
{
	boringssl(boringssl_expand_label, false, "key", 3, size);
}

static void iv_boring_label(void)
{
	boringssl(boringssl_expand_label, false, "iv", 2, 12);
}

static void block_boring(size_t size)
{
	boringssl(boringssl_prf, true, "key expansion", 13, size);
}

static const struct library libraries[] = {
	{ key_3, iv_3, block_3, { 40, 72 }, { CIPHER_AES_GCM, CIPHER_AES_GCM } },
	{ key_11, iv_11, block_11, { 56, 88 }, { CIPHER_AES_GCM, CIPHER_ANY } },
	{ key_boring, iv_boring, block_boring, { 40, 72 }, { CIPHER_AES_GCM, CIPHER_AES_GCM } },
	{ key_boring_label,
	  iv_boring_label,
	  block_boring,
	  { 40, 72 },
	  { CIPHER_AES_GCM, CIPHER_AES_GCM } },
};
#define LIBRARIES ((int)ARRAY_SIZE(libraries))

/* Key and IV of TLS 1.3 become one key, with the bytes that were derived. */
START_TEST(tls13)
{
	const struct library *library = &libraries[_i / 2];
	size_t size = _i % 2 ? 32 : 16;
	const struct traffic_key *key;
	uint8_t bytes[32];

	library->key(size);
	memcpy(bytes, memory.out, size);
	ck_assert_uint_eq(key_count(), 0);
	library->iv();
	ck_assert_uint_eq(key_count(), 1);
	key = key_at(0);
	ck_assert_uint_eq(key->version, TLS_VERSION_13);
	ck_assert_uint_eq(key->cipher, size == 16 ? CIPHER_AES_GCM : CIPHER_ANY);
	ck_assert_uint_eq(key->key_size, size);
	ck_assert_uint_eq(key->iv_size, 12);
	ck_assert_uint_eq(key->tid, (uint32_t)WORLD_THREAD);
	ck_assert_mem_eq(key->key, bytes, size);
	ck_assert_mem_eq(key->iv, memory.out, 12);
	/* An IV alone is none. */
	library->iv();
	ck_assert_uint_eq(key_count(), 1);
}
END_TEST

/* A key block becomes one key: the client's, with its IV after both keys. */
START_TEST(tls12)
{
	const struct library *library = &libraries[_i / 2];
	size_t size = _i % 2 ? 32 : 16;
	const struct traffic_key *key;

	library->block(library->block_size[_i % 2]);
	ck_assert_uint_eq(key_count(), 1);
	key = key_at(0);
	ck_assert_uint_eq(key->version, TLS_VERSION_12);
	ck_assert_uint_eq(key->cipher, library->cipher[_i % 2]);
	ck_assert_uint_eq(key->key_size, size);
	ck_assert_mem_eq(key->key, memory.out, size);
	ck_assert_mem_eq(key->iv, memory.out + 2 * size, key->iv_size);
	ck_assert_uint_eq(key->iv_size, key->cipher == CIPHER_AES_GCM ? 4 : 12);
}
END_TEST

/* ChaCha20 has IVs of 12 bytes. */
START_TEST(tls12_chacha20)
{
	const struct traffic_key *key;

	libraries[_i].block(88);
	ck_assert_uint_eq(key_count(), 1);
	key = key_at(0);
	ck_assert_uint_eq(key->cipher,
			  libraries[_i].block == block_11 ? CIPHER_ANY : CIPHER_CHACHA20_POLY1305);
	ck_assert_uint_eq(key->key_size, 32);
	ck_assert_uint_eq(key->iv_size, 12);
	ck_assert_mem_eq(key->key, memory.out, 32);
	ck_assert_mem_eq(key->iv, memory.out + 64, 12);
}
END_TEST

/* A block of a size that no served suite has: said, so that the reason can be. */
START_TEST(tls12_other)
{
	libraries[_i].block(104);
	ck_assert_uint_eq(key_count(), 1);
	ck_assert_uint_eq(key_at(0)->cipher, CIPHER_UNSUPPORTED);
	ck_assert_uint_eq(key_at(0)->version, TLS_VERSION_12);
}
END_TEST

/* Two threads in turn: each IV goes with the key of its thread. */
START_TEST(threads)
{
	const struct library *library = &libraries[_i];
	uint8_t first[16], second[16];

	library->key(16);
	memcpy(first, memory.out, 16);
	host.thread = OTHER_THREAD;
	library->key(16);
	memcpy(second, memory.out, 16);
	host.thread = WORLD_THREAD;
	library->iv();
	host.thread = OTHER_THREAD;
	library->iv();
	ck_assert_uint_eq(key_count(), 2);
	ck_assert_mem_eq(key_at(0)->key, first, 16);
	ck_assert_mem_eq(key_at(1)->key, second, 16);
	ck_assert_uint_eq(key_at(1)->tid, (uint32_t)OTHER_THREAD);
}
END_TEST

/* Threads of no workload are not looked at. */
START_TEST(strangers)
{
	const struct library *library = &libraries[_i];

	host.cgroup[0] = WORLD_CGROUP + 1;
	library->key(16);
	library->iv();
	library->block(library->block_size[0]);
	ck_assert_uint_eq(key_count(), 0);
}
END_TEST

/* Nothing that can be read: no key, and the next derivation is none of it. */
START_TEST(unreadable)
{
	const struct library *library = &libraries[_i];

	host.user_size = 0;
	library->key(16);
	library->iv();
	library->block(library->block_size[0]);
	ck_assert_uint_eq(key_count(), 0);
	host.user_size = sizeof(memory);
	library->iv();
	ck_assert_uint_eq(key_count(), 0);
}
END_TEST

/* ---- labels that are none ---- */

static const struct {
	const char *text;
	size_t size;
} foreign_info[] = {
	{ "\0\20\16tls13 quic key", 18 },
	{ "\0\20\11tls13 kez", 13 },
	{ "\0\20\12tls13 key", 13 },
	{ "\0\20\11tls12 key", 13 },
	{ "\0\20\11tls13 key\1", 13 },
	{ "\0\20\11tls13 key\1x", 14 },
	{ "\0\14\10tls13 iw", 12 },
	{ "\0\14\10tls13 iv\1", 12 },
	{ "\0\14\10tls13_iv", 12 },
	{ "\0\20\11tls13 ke", 12 },
	{ "key", 3 },
	{ "", 0 },
};

START_TEST(foreign_hkdf)
{
	const char *info = foreign_info[_i].text;
	size_t size = foreign_info[_i].size;

	hkdf11(CTX, info, size, 16);
	iv_11();
	boringssl(boringssl_expand, false, info, size, 16);
	iv_boring();
	ck_assert_uint_eq(key_count(), 0);
	key_11(16);
	hkdf11(CTX, info, size, 12);
	boringssl(boringssl_expand, false, info, size, 12);
	ck_assert_uint_eq(key_count(), 0);
}
END_TEST

static const char *const foreign_label[] = { "ke", "kez", "keys", "iw", "i", "finished", "" };

START_TEST(foreign_bare)
{
	const char *label = foreign_label[_i];

	key_boring_label(16);
	boringssl(boringssl_expand_label, false, label, strlen(label), 12);
	key_3(16);
	openssl3("label", label, strlen(label), 12);
	openssl3("info", "iv", 2, 12);
	ck_assert_uint_eq(key_count(), 0);
}
END_TEST

static const char *const foreign_prf[] = {
	"client finished", "server finished", "master secret", "extended master secret",
	"kex expansion",   "key expansions",  "key expansio",  "",
};

START_TEST(foreign_block)
{
	const char *label = foreign_prf[_i];

	prf11(CTX, label, "0123456789abcdef0123456789abcdef", 56);
	boringssl(boringssl_prf, true, label, strlen(label), 40);
	openssl3("seed", label, strlen(label), 40);
	openssl3("salt", "key expansion", 13, 40);
	ck_assert_uint_eq(key_count(), 0);
}
END_TEST

/* ---- OpenSSL 1.1.1 ---- */

/* A label counts for the next derivation of its context, once. */
START_TEST(stale_label)
{
	key_11(16);
	iv_11();
	/* HKDF-Extract has no info. */
	ctrl(CTX, EVP_PKEY_CTRL_HKDF_MODE, "", 0);
	derive(CTX, 16);
	iv_11();
	ck_assert_uint_eq(key_count(), 1);
	block_11(56);
	ck_assert_uint_eq(key_count(), 2);
	derive(CTX, 56);
	ck_assert_uint_eq(key_count(), 2);
}
END_TEST

/* A label whose derivation did not come: the next one starts over. */
START_TEST(forgotten_label)
{
	ctrl(CTX, EVP_PKEY_CTRL_TLS_SEED, "key expansion", 13);
	ctrl(CTX, EVP_PKEY_CTRL_HKDF_MODE, "", 0);
	derive(CTX, 56);
	ck_assert_uint_eq(key_count(), 0);
	ctrl(CTX, EVP_PKEY_CTRL_TLS_SEED, "key expansion", 13);
	ctrl(CTX2, EVP_PKEY_CTRL_TLS_SEED, "master secret", 13);
	derive(CTX, 56);
	ck_assert_uint_eq(key_count(), 0);
}
END_TEST

/* What another context derives is not what the label is of: a key exchange, say. */
START_TEST(other_context)
{
	ctrl(CTX, EVP_PKEY_CTRL_TLS_SEED, "key expansion", 13);
	derive(CTX2, 56);
	ck_assert_uint_eq(key_count(), 0);
	derive(CTX, 56);
	ck_assert_uint_eq(key_count(), 1);
}
END_TEST

/* Asked for a size only: the label stays, and memory that was there before is no key. */
START_TEST(size_query)
{
	ctrl(CTX, EVP_PKEY_CTRL_TLS_SEED, "key expansion", 13);
	derive_into(CTX, 0, 56);
	ck_assert_uint_eq(key_count(), 0);
	derive(CTX, 56);
	ck_assert_uint_eq(key_count(), 1);
}
END_TEST

/* Only the first seed is a label. */
START_TEST(first_seed)
{
	prf11(CTX, "master secret", "key expansion", 56);
	ck_assert_uint_eq(key_count(), 0);
	prf11(CTX, "key expansion", "master secret", 56);
	ck_assert_uint_eq(key_count(), 1);
}
END_TEST

/* The same number is another command of another kind of key, or operation. */
START_TEST(other_commands)
{
	uint64_t label = put(0, "key expansion", 13);

	ctrl_as(CTX, 6, EVP_PKEY_OP_DERIVE, EVP_PKEY_CTRL_TLS_SEED, 13, label);
	derive(CTX, 56);
	ctrl_as(CTX, -1, 1 << 4, EVP_PKEY_CTRL_TLS_SEED, 13, label);
	derive(CTX, 56);
	ctrl_as(CTX, -1, EVP_PKEY_OP_DERIVE, EVP_PKEY_CTRL_TLS_SEED + 1, 13, label);
	derive(CTX, 56);
	ck_assert_uint_eq(key_count(), 0);
	/* RSA padding, between label and derivation: nothing is forgotten. */
	ctrl(CTX, EVP_PKEY_CTRL_TLS_SEED, "key expansion", 13);
	ctrl_as(CTX2, 6, 1 << 4, 0x1001, 1, 0);
	ctrl_as(CTX, -1, EVP_PKEY_OP_DERIVE, 0x1008, 1, 0);
	derive(CTX, 56);
	ck_assert_uint_eq(key_count(), 1);
}
END_TEST

int main(void)
{
	TCase *tcase = suite_case("derive", NULL, 0, 0, setup, teardown);

	tcase_add_loop_test(tcase, tls13, 0, 2 * LIBRARIES);
	tcase_add_loop_test(tcase, tls12, 0, 2 * LIBRARIES);
	tcase_add_loop_test(tcase, tls12_chacha20, 0, LIBRARIES);
	tcase_add_loop_test(tcase, tls12_other, 0, LIBRARIES);
	tcase_add_loop_test(tcase, threads, 0, LIBRARIES);
	tcase_add_loop_test(tcase, strangers, 0, LIBRARIES);
	tcase_add_loop_test(tcase, unreadable, 0, LIBRARIES);
	tcase_add_loop_test(tcase, foreign_hkdf, 0, (int)ARRAY_SIZE(foreign_info));
	tcase_add_loop_test(tcase, foreign_bare, 0, (int)ARRAY_SIZE(foreign_label));
	tcase_add_loop_test(tcase, foreign_block, 0, (int)ARRAY_SIZE(foreign_prf));
	tcase_add_test(tcase, stale_label);
	tcase_add_test(tcase, forgotten_label);
	tcase_add_test(tcase, other_context);
	tcase_add_test(tcase, size_query);
	tcase_add_test(tcase, first_seed);
	tcase_add_test(tcase, other_commands);
	return suite_run_cases("derive", (TCase *const[]){ tcase }, 1);
}
