// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel/hook/: traffic keys of wolfSSL, mbedTLS and rustls (see test_derive.c).
 * The programs of the hook objects run here on calls like those of the libraries:
 * in the same order, and with the same bytes around the keys.
 */
#define __TARGET_ARCH_x86 1
#include "selftests/unit/host_world.h"
#include "selftests/unit/suite.h"

#include <check.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#undef STAGE_MOVES /* as the object has it */
#include "kernel/hook/rustls.bpf.c"
#include "kernel/hook/mbedtls.bpf.c"
#include "kernel/hook/wolfssl.bpf.c"
#pragma GCC diagnostic pop

/* The memory of the process: all that a program may read. */
static struct memory {
	uint8_t out[512];
	uint8_t text[256];
	struct slice info[6];
	uint64_t stack[4]; /* the return address, and the arguments after the sixth */
} memory;

static struct world world;

static void setup(void)
{
	uint64_t state = 1;

	world_begin(&world, 1);
	memset(&memory, 0, sizeof(memory));
	random_fill(&state, memory.out, sizeof(memory.out));
	host.user = &memory;
	host.user_size = sizeof(memory);
}

static void teardown(void)
{
	world_end();
}

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
	const struct traffic_key *found = bpf_map_lookup_elem(&keys, &slot);

	ck_assert_ptr_nonnull(found);
	return found;
}

/* The key of this number has these bytes of memory.out as key and IV. */
static void check_key(uint32_t index, int version, int cipher, size_t key, size_t size, size_t iv,
		      size_t iv_size)
{
	const struct traffic_key *found = key_at(index);

	ck_assert_int_eq(found->version, version);
	ck_assert_int_eq(found->cipher, cipher);
	ck_assert_uint_eq(found->key_size, size);
	ck_assert_uint_eq(found->iv_size, iv_size);
	ck_assert_mem_eq(found->key, memory.out + key, size);
	ck_assert_mem_eq(found->iv, memory.out + iv, iv_size);
}

/* ---- wolfSSL ---- */

static void wolfssl13(const char *label, size_t at, size_t size, uint64_t prk)
{
	struct pt_regs call = { .rdi = (uint64_t)(memory.out + at),
				.rsi = size,
				.rdx = prk,
				.rsp = (uint64_t)memory.stack };

	memory.stack[1] = put(0, label, strlen(label));
	memory.stack[2] = strlen(label) | 0xabcdULL << 32; /* an int: what is above is not its */
	wolfssl_expand(&call);
	wolfssl_expanded(&call);
}

static void wolfssl12(const char *label, size_t size)
{
	struct pt_regs call = { .rdi = (uint64_t)memory.out, .rsi = size, .r9 = strlen(label) };

	call.r8 = put(0, label, strlen(label));
	wolfssl_prf(&call);
	wolfssl_prf_done(&call);
}

/* client key, server key, client IV, server IV; then of the handshake's secrets the next ones */
START_TEST(wolfssl_pairs)
{
	for (size_t phase = 0; phase < 2; phase++) {
		size_t size = phase ? 32 : 16, at = phase * 200;

		wolfssl13("c hs traffic", 400, 32, 0x1000);
		wolfssl13("key", at, size, 0x1000);
		wolfssl13("key", at + size, size, 0x2000);
		wolfssl13("iv", at + 2 * size, 12, 0x1000);
		wolfssl13("iv", at + 2 * size + 12, 12, 0x2000);
		ck_assert_uint_eq(key_count(), 2 + 2 * (uint32_t)phase);
		for (uint32_t i = 0; i < 2; i++)
			check_key(2 * (uint32_t)phase + i, TLS_VERSION_13,
				  phase ? CIPHER_ANY : CIPHER_AES_GCM, at + i * size, size,
				  at + 2 * size + 12 * i, 12);
	}
	wolfssl13("iv", 0, 12, 0x3000); /* of a key that was not seen */
	ck_assert_uint_eq(key_count(), 4);
}
END_TEST

START_TEST(wolfssl_blocks)
{
	wolfssl12("master secret", 104); /* 13 bytes too */
	ck_assert_uint_eq(key_count(), 0);
	wolfssl12("key expansion", 104);
	check_key(0, TLS_VERSION_12, CIPHER_AES_GCM, 0, 16, 32, 4);
	wolfssl12("key expansion", 168);
	check_key(1, TLS_VERSION_12, CIPHER_AES_GCM, 0, 32, 64, 4);
	wolfssl12("key expansion", 152);
	check_key(2, TLS_VERSION_12, CIPHER_CHACHA20_POLY1305, 0, 32, 64, 12);
	wolfssl12("key expansion", 136);
	ck_assert_uint_eq(key_count(), 4);
	ck_assert_int_eq(key_at(3)->cipher, CIPHER_UNSUPPORTED);
}
END_TEST

/* ---- mbedTLS ---- */

static void psa(uint16_t step, const void *input, size_t input_size, size_t at, size_t size)
{
	struct pt_regs in = { .rdi = 0x5000, .rsi = step, .rcx = input_size };
	struct pt_regs out = { .rdi = 0x5000, .rsi = (uint64_t)(memory.out + at), .rdx = size };

	in.rdx = put(0, input, input_size);
	mbedtls_derive_input(&in);
	mbedtls_derive_output(&out);
	mbedtls_derived(&out);
}

START_TEST(mbedtls_psa)
{
	psa(STEP_INFO, "\0\40\11tls13 key", 13, 0, 32);
	psa(STEP_INFO, "\0\14\10tls13 iv", 12, 32, 12);
	check_key(0, TLS_VERSION_13, CIPHER_ANY, 0, 32, 32, 12);
	psa(0x0101, "\0\40\11tls13 key", 13, 0, 32); /* a secret that looks like it */
	psa(STEP_INFO, "\0\40\11tls13 kez", 13, 0, 32);
	ck_assert_uint_eq(key_count(), 1);
	psa(STEP_LABEL, "key expansion", 13, 0, 256); /* keys of either size */
	ck_assert_uint_eq(key_count(), 3);
	check_key(1, TLS_VERSION_12, CIPHER_AES_GCM, 0, 16, 32, 4);
	check_key(2, TLS_VERSION_12, CIPHER_ANY, 0, 32, 64, 12);
}
END_TEST

static void setkey(size_t at, int bits, int operation)
{
	struct pt_regs call = { .rsi = (uint64_t)(memory.out + at),
				.rdx = (uint32_t)bits,
				.rcx = (uint32_t)operation };

	mbedtls_setkey(&call);
}

START_TEST(mbedtls_keys)
{
	setkey(0, 128, 1);
	setkey(0, 128, 1); /* inside of the first */
	setkey(16, 128, 0);
	setkey(0, 192, 1);
	ck_assert_uint_eq(key_count(), 1);
	check_key(0, TLS_VERSION_12, CIPHER_AES_GCM, 0, 16, 32, 4);
	setkey(100, 256, 1);
	ck_assert_uint_eq(key_count(), 2);
	check_key(1, TLS_VERSION_12, CIPHER_ANY, 100, 32, 164, 12);
}
END_TEST

/* ---- rustls ---- */

static void rustls13(const char *label, uint8_t label_size, size_t at, size_t size)
{
	struct pt_regs call = { .rsi = (uint64_t)memory.info,
				.rdx = 6,
				.rcx = (uint64_t)(memory.out + at),
				.r8 = size };

	memory.info[0] = (struct slice){ put(0, (uint8_t[]){ 0, label_size }, 2), 2 };
	memory.info[2] = (struct slice){ put(2, "tls13 ", 6), 6 };
	memory.info[3] = (struct slice){ put(8, label, strlen(label)), strlen(label) };
	rustls_expand(&call);
	rustls_expanded(&call);
}

static void rustls12(size_t size)
{
	struct pt_regs call = { .rsi = (uint64_t)memory.out,
				.rdx = size,
				.rsp = (uint64_t)memory.stack };

	call.r9 = put(0, "key expansion", 13);
	memory.stack[1] = 13;
	rustls_prf(&call);
	rustls_prf_done(&call);
}

START_TEST(rustls_keys)
{
	rustls13("key", 16, 0, 32); /* 32 bytes, of which 16 are the key */
	rustls13("iv", 12, 40, 12);
	check_key(0, TLS_VERSION_13, CIPHER_AES_GCM, 0, 16, 40, 12);
	rustls13("key", 32, 0, 32);
	rustls13("iv", 12, 40, 12);
	check_key(1, TLS_VERSION_13, CIPHER_ANY, 0, 32, 40, 12);
	rustls12(48);
	check_key(2, TLS_VERSION_12, CIPHER_AES_GCM, 0, 16, 32, 4);
	rustls12(80);
	check_key(3, TLS_VERSION_12, CIPHER_AES_GCM, 0, 32, 64, 4);
	rustls12(88);
	check_key(4, TLS_VERSION_12, CIPHER_CHACHA20_POLY1305, 0, 32, 64, 12);
	ck_assert_uint_eq(key_count(), 5);
}
END_TEST

START_TEST(rustls_slices)
{
	struct pt_regs call = { .rdi = 1, .rsi = (uint64_t)memory.info, .rdx = 2 };

	world_grant(&world, 32);
	memcpy(memory.text + 50, world.secret[0].placeholder, 32);
	memory.info[0] = (struct slice){ (uint64_t)memory.out, 300 };
	memory.info[1] = (struct slice){ (uint64_t)memory.text, 100 };
	rustls_write_vectored(&call);
	ck_assert_uint_eq(world_staged()->pending, 1);
	ck_assert_uint_eq(world_staged()->write[0].placeholder[0].offset, 350);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		wolfssl_pairs, wolfssl_blocks, mbedtls_psa,
		mbedtls_keys,  rustls_keys,    rustls_slices,
	};

	return suite_run("derive, others", tests, ARRAY_SIZE(tests), 60, setup, teardown);
}
