/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Proof before patch. A record holds the placeholder at a place, under a key,
 * with a sequence number, if and only if ciphertext XOR keystream is the whole
 * placeholder. Everything that leads here (which thread wrote, at what offset,
 * which key came last) is a guess that only costs time when it is wrong.
 *
 * A socket starts without a key. The first proof searches the key ring of the
 * process and binds; later records use the bound key at once.
 */
#ifndef KLOAK_NET_PROVE_H
#define KLOAK_NET_PROVE_H

#include "kernel/net/maps.h"

#define SEARCH_NEAR   4	  /* keys on both sides of the hint */
#define SEARCH_RECENT 32  /* newest keys of the process, in the quick search */
#define SEARCH_DEEP   256 /* the same in the thorough one */
#define SEARCH_FLIGHT 4	  /* most handshake records that come before sequence number 0 */
#define SEARCH_GAP    16  /* records that may have passed unseen under a bound key */
#define QUICK_BYTES   16  /* compared while searching */

/*
 * Secrets are worked on in pieces of 64 bytes, one turn of a loop each: nearly
 * all have one or two, and the verifier looks at one only.
 */
#define PIECE	     64
#define PIECES(size) (((size) + PIECE - 1) / PIECE)
#define PIECE_BLOCKS (PIECE / GCM_BLOCK)

struct cipher_copy {
	struct sk_msg_md *m;
	struct tls_socket *s;
	u64 last; /* offset of the last word, which may overlap the one before */
};

KERNEL_INLINE long cipher_copy_piece(struct cipher_copy *copy, u64 from)
{
	const u8 *data = (const u8 *)copy->m->data;
	u64 i;

	barrier_var(from);
	if (from > SECRET_MAX - PIECE)
		return 1;
	data += from;
	barrier_var(data);
	for (i = 0; i < PIECE; i += 8) {
		if (from + i >= copy->last || data + i + 8 > (const u8 *)copy->m->data_end)
			return 1;
		store_le64(copy->s->cipher_text + from + i, load_le64(data + i));
	}
	return 0;
}

static long cipher_copy_step(u32 i, struct cipher_copy *copy)
{
	return cipher_copy_piece(copy, (u64)(i + 1) * PIECE);
}

/* Copies @size bytes at @at of the message to s->cipher_text. */
KERNEL_GLOBAL int cipher_text_copy(struct sk_msg_md *m, struct tls_socket *s, u64 at, u64 size)
{
	struct cipher_copy copy = { .m = m, .s = s, .last = size - 8 };
	u64 last = size - 8;
	const u8 *data;

	if (!m || !s || size < SECRET_MIN || size > SECRET_MAX)
		return -1;
	if (bpf_msg_pull_data(m, at, at + size, 0))
		return -1;
	barrier_var(last);
	if (last > SECRET_MAX - 8)
		return -1;
	data = (const u8 *)m->data + last;
	barrier_var(data);
	if (data + 8 > (const u8 *)m->data_end)
		return -1;
	store_le64(s->cipher_text + last, load_le64(data));
	if (!cipher_copy_piece(&copy, 0))
		bpf_loop(PIECES(size) - 1, cipher_copy_step, &copy, 0);
	return 0;
}

/* Blocks that hold @size bytes at s->relative. */
KERNEL_INLINE u64 blocks_spanned(const struct tls_socket *s, u64 size)
{
	return ((s->relative & (GCM_BLOCK - 1)) + size + GCM_BLOCK - 1) / GCM_BLOCK;
}

/* RFC 8439, 2.4: the nonce is read as three words, and the counter is one. */
KERNEL_INLINE void chacha20_keystream(const struct chacha20_key *key, const struct record_iv *iv,
				      u64 counter, struct chacha20_block *out)
{
	u64 first = __builtin_bswap64(iv->hi);
	u64 second = first >> 32 | __builtin_bswap64(iv->lo) << 32;

	chacha20_block(key, first << 32 | counter, second, out);
}

/*
 * Fills s->keystream from the block that holds s->relative on, enough for
 * @size bytes there. @trial chooses the key under trial or the bound one.
 *
 * Last in a chain of calls that is as deep as may be: no place for a callback.
 */
KERNEL_INLINE void keystream_make(struct tls_socket *s, u64 trial, u64 sequence, u64 size)
{
	u32 cipher = trial ? s->trial_cipher : s->bound;
	struct record_iv iv = trial ? s->trial_iv : s->iv;
	const struct aes_key *aes;
	u64 blocks;
	u32 i;

	iv.hi ^= sequence >> 32;
	iv.lo ^= sequence << 32;
	if (cipher == CIPHER_CHACHA20_POLY1305) {
		s->keystream_at = s->relative & (CHACHA20_BLOCK - 1);
		for (i = 0; i < CHACHA20_BLOCKS; i++) {
			if (i * CHACHA20_BLOCK >= s->keystream_at + size)
				break;
			chacha20_keystream(trial ? &s->trial.chacha20 : &s->key.chacha20, &iv,
					   s->relative / CHACHA20_BLOCK + 1 + i,
					   &s->keystream.chacha20[i]);
		}
		return;
	}
	aes = trial ? &s->trial.aes : &s->key.gcm.aes;
	iv.lo |= s->relative / GCM_BLOCK + 2;
	s->keystream_at = s->relative & (GCM_BLOCK - 1);
	blocks = blocks_spanned(s, size);
	for (i = 0; i < SCRATCH_BLOCKS; i++) {
		if (i >= blocks)
			break;
		aes_encrypt(aes, iv.hi, iv.lo + i, &s->keystream.aes[i]);
	}
}

struct proof {
	struct tls_socket *s;
	const struct secret *secret;
	u64 last;
	u64 wrong;
};

/* What is behind the last word is masked away: a branch for each is more to verify. */
KERNEL_INLINE u64 proof_piece(const struct proof *proof, u64 from)
{
	const struct tls_socket *s = proof->s;
	u64 shift = s->keystream_at & (CHACHA20_BLOCK - 1);
	u64 wrong = 0;
	u64 i;

	barrier_var(from);
	if (from > SECRET_MAX - PIECE)
		return 1;
	for (i = 0; i < PIECE; i += 8) {
		u64 in_range = from + i - proof->last;

		barrier_var(in_range);
		wrong |= (load_le64(s->cipher_text + from + i) ^
			  load_le64(s->keystream.byte + shift + from + i) ^
			  load_le64(proof->secret->placeholder + from + i)) &
			 (u64)((__s64)in_range >> 63);
	}
	return wrong;
}

static long proof_step(u32 i, struct proof *proof)
{
	proof->wrong |= proof_piece(proof, (u64)(i + 1) * PIECE);
	return proof->wrong != 0;
}

/*
 * 1 if ciphertext XOR keystream is the placeholder in its first @size bytes, under
 * the key that @trial chooses, for the record with this sequence number.
 */
KERNEL_GLOBAL int proof_try(struct tls_socket *s, const struct secret *secret, u64 trial,
			    u64 sequence, u64 size)
{
	struct proof proof = { .s = s, .secret = secret, .last = size - 8 };
	u64 last = size - 8;
	u64 shift;

	if (!s || !secret || size < SECRET_MIN || size > SECRET_MAX)
		return 0;
	keystream_make(s, trial, sequence, size);
	shift = s->keystream_at & (CHACHA20_BLOCK - 1);
	barrier_var(last);
	if (last > SECRET_MAX - 8 ||
	    (load_le64(s->cipher_text + last) ^ load_le64(s->keystream.byte + shift + last)) !=
		    load_le64(secret->placeholder + last) ||
	    proof_piece(&proof, 0))
		return 0;
	bpf_loop(PIECES(size) - 1, proof_step, &proof, 0);
	return proof.wrong == 0;
}

/* Makes a captured key the one under trial, with @cipher. */
KERNEL_INLINE int trial_set(struct tls_socket *s, const struct traffic_key *key, u32 cipher)
{
	s->trial_cipher = cipher;
	s->trial_iv.hi = load_be64(key->iv);
	s->trial_iv.lo = (u64)load_be32(key->iv + 8) << 32;
	if (cipher == CIPHER_CHACHA20_POLY1305) {
		copy_fours(&s->trial.chacha20, key->key, sizeof(s->trial.chacha20));
		return 0;
	}
	if (key->version == TLS_VERSION_12) {
		s->trial_iv.hi &= ~0xffffffffULL;
		s->trial_iv.lo = 0;
	}
	return aes_expand(&s->trial.aes, (const struct aes_bytes *)key->key, key->key_size);
}

struct search {
	struct tls_socket *s;
	const struct secret *secret;
	u64 size;
	u32 tgid;
	u32 head;
	u32 deep;
	u32 reserved;
};

/* Does a record carry its nonce? */
KERNEL_INLINE int nonce_explicit(const struct tls_socket *s, u32 cipher)
{
	return s->version == TLS_VERSION_12 && cipher == CIPHER_AES_GCM;
}

/*
 * TLS 1.3 counts from the record after the handshake flight, which normally is
 * one record (Finished), and more with a client certificate; after a KeyUpdate
 * it counts from there. In TLS 1.2 the Finished is number 0, and no record of
 * application data. With GCM it carries the number.
 */
KERNEL_INLINE int search_sequences(struct tls_socket *s, const struct secret *secret, u64 size,
				   u64 deep)
{
	u64 records, i;

	if (size > QUICK_BYTES)
		size = QUICK_BYTES;
	if (nonce_explicit(s, s->trial_cipher)) {
		s->sequence = s->record.nonce;
		return proof_try(s, secret, 1, s->sequence, size);
	}
	records = s->record.sequence;
	s->sequence = s->version == TLS_VERSION_12 ? records + 1 : records - 1;
	if (proof_try(s, secret, 1, s->sequence, size))
		return 1;
	if (s->update_at) {
		s->sequence = records - s->update_at;
		if (proof_try(s, secret, 1, s->sequence, size))
			return 1;
	}
	if (!deep)
		return 0;
	for (i = 0; i <= SEARCH_FLIGHT; i++) {
		s->sequence = s->version == TLS_VERSION_12 ? records + i : records - i;
		if (i != 1 && proof_try(s, secret, 1, s->sequence, size))
			return 1;
	}
	return 0;
}

/*
 * Is the key one that this socket may use with @cipher? Where the suite is known
 * from the size of a hash, keys of 16 bytes are AES-128's all the same.
 */
KERNEL_INLINE int cipher_fits(const struct tls_socket *s, const struct traffic_key *key, u32 cipher)
{
	if (key->cipher != cipher && key->cipher != CIPHER_ANY)
		return 0;
	if (key->key_size != 32)
		return cipher == CIPHER_AES_GCM;
	return !s->suite || s->suite == cipher;
}

/* One key with one cipher: what the derivation does not tell has two turns. */
static long search_step(u32 turn, struct search *search)
{
	u32 cipher = turn & 1 ? CIPHER_CHACHA20_POLY1305 : CIPHER_AES_GCM;
	struct key_slot slot = { .tgid = search->tgid };
	struct tls_socket *s = search->s;
	struct traffic_key *key;
	u32 i = turn / 2;

	if (i < 2 * SEARCH_NEAR) {
		if (!s->key_hint_set)
			return 0;
		slot.index = s->key_hint + SEARCH_NEAR - 1 - i;
	} else {
		slot.index = search->head - 1 - (i - 2 * SEARCH_NEAR);
	}
	key = bpf_map_lookup_elem(&keys, &slot);
	if (!key)
		return 0;
	if (key->cipher == CIPHER_UNSUPPORTED) {
		s->unsupported = 1;
		return 0;
	}
	if (key->version != s->version || !cipher_fits(s, key, cipher) || trial_set(s, key, cipher))
		return 0;
	if (!search_sequences(s, search->secret, search->size, search->deep))
		return 0;
	s->found = 1;
	return 1;
}

/* Stream offset of the tag of the current record. */
KERNEL_INLINE u64 record_tag(const struct tls_socket *s)
{
	return s->record.start + RECORD_HEADER + s->record.length - RECORD_TAG;
}

/* If the current record was hashed so far, then with a wrong key. See kernel/net/seal.h. */
KERNEL_INLINE void sealing_forget(struct tls_socket *s)
{
	if (s->key.sealing.end == record_tag(s))
		s->key.sealing.end = 0;
}

/* The key under trial is the one. */
KERNEL_INLINE void key_bind(struct tls_socket *s)
{
	s->bound = s->trial_cipher;
	s->suite = s->trial_cipher;
	s->iv = s->trial_iv;
	s->sequence_base = s->record.sequence - s->sequence;
	s->update_at = 0;
	if (s->bound == CIPHER_CHACHA20_POLY1305) {
		s->key.chacha20 = s->trial.chacha20;
		sealing_forget(s);
		return;
	}
	s->key.gcm.aes = s->trial.aes;
	gcm_powers_fill(&s->key.gcm);
}

/*
 * Looks for the key that proves the candidate in s->cipher_text, and binds it.
 * @deep: this record fits the write so well that it is worth a long search.
 */
KERNEL_GLOBAL int key_search(struct tls_socket *s, const struct secret *secret, u64 size, u64 deep)
{
	struct search search = { .s = s, .secret = secret, .size = size, .deep = deep };
	u32 turns;
	u32 *head;

	if (!s || !secret)
		return 0;
	search.tgid = s->key_hint_set ? s->key_tgid : bpf_get_current_pid_tgid() >> 32;
	head = bpf_map_lookup_elem(&key_heads, &search.tgid);
	if (!head)
		return 0;
	search.head = *head;
	s->found = 0;
	turns = 2 * (2 * SEARCH_NEAR + (deep ? SEARCH_DEEP : SEARCH_RECENT));
	bpf_loop(turns, search_step, &search, 0);
	if (!s->found && deep && s->suite && s->version == TLS_VERSION_13) {
		s->suite = CIPHER_UNKNOWN; /* it was a guess from the size of a record */
		bpf_loop(turns, search_step, &search, 0);
	}
	if (!s->found || !proof_try(s, secret, 1, s->sequence, size))
		return 0;
	key_bind(s);
	return 1;
}

/* The same with the bound key; records may have passed unseen after a partial send. */
KERNEL_INLINE int key_prove(struct tls_socket *s, const struct secret *secret, u64 size, u64 deep)
{
	u64 sequence, i;

	if (nonce_explicit(s, s->bound))
		return proof_try(s, secret, 0, s->record.nonce, size);
	sequence = s->record.sequence - s->sequence_base;
	if (proof_try(s, secret, 0, sequence, size))
		return 1;
	if (!deep)
		return 0;
	for (i = 1; i <= SEARCH_GAP; i++) {
		if (!proof_try(s, secret, 0, sequence + i, size))
			continue;
		s->sequence_base -= i;
		if (s->bound == CIPHER_CHACHA20_POLY1305)
			sealing_forget(s);
		return 1;
	}
	return 0;
}

/* Where the ring of this process stands when the handshake ends: its keys are near. */
KERNEL_INLINE void key_hint_take(struct tls_socket *s)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	u32 *head = bpf_map_lookup_elem(&key_heads, &tgid);

	if (!head)
		return;
	s->key_tgid = tgid;
	s->key_hint = *head;
	s->key_hint_set = 1;
}

#endif
