/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Both ends of a TLS connection and the kernel between them, as far as the
 * socket object can tell the difference:
 *
 *	the library	scans each write as the hook does, makes records of it
 *	the kernel	hands messages to socket_message(), keeps its verdict over a
 *			partial send as tcp_bpf_sendmsg() does, asks again when the
 *			message was redirected
 *	the receiver	checks every record's tag and text with reference.h and
 *			reference_chacha20.h
 */
#ifndef KLOAK_SELFTESTS_TLS_MODEL_H
#define KLOAK_SELFTESTS_TLS_MODEL_H

#include "selftests/unit/hello_data.h"
#include "selftests/unit/host_world.h"
#include "selftests/unit/reference_chacha20.h"

/* Most that a connection can send; a fuzz target makes do with less. */
#ifndef MODEL_BYTES
#define MODEL_BYTES (1 << 20)
#endif
#define MODEL_RECORDS (MODEL_BYTES / 256)
#define MODEL_PLACED  512
#define MODEL_KEYS    8

struct model_key {
	struct reference_key aes;
	uint8_t chacha20[32];
	uint8_t iv[12];
	bool proved;	    /* the kernel side had a whole placeholder under it ... */
	size_t proved_from; /* ... in the message that began here */
};

/* What the library's hook knows of a key's suite. */
enum model_suite {
	MODEL_AES_128,
	MODEL_AES_256,
	MODEL_CHACHA20,
};

struct model_record {
	size_t start, size, text_at, text_size;
	uint64_t sequence;
	uint32_t key;
	bool checked; /* application data, or a KeyUpdate: the receiver can read it */
	uint8_t type; /* inner content type */
};

/* A placeholder that the application wrote. */
struct model_placed {
	size_t text_at;
	uint32_t secret;
	size_t wire_at; /* 0 if it lies in two records */
	uint32_t record;
	bool whole; /* the kernel side had all of it in one message, and can mend the tag */
	bool swapped;
};

#define MODEL_PEER 0x010200c0 /* 192.0.2.1 */

#define MODEL_SESSION 7

struct model {
	struct world world;
	struct host_socket socket;
	uint64_t session; /* the library's connection object */
	unsigned int version;
	enum model_suite suite;
	bool suite_hidden; /* the hook does not know it */
	bool misleading;   /* the Finished has the size of another hash */
	size_t key_size;
	uint32_t keys; /* made so far; the newest is in use */
	struct model_key key[MODEL_KEYS];
	uint64_t sequence;

	uint8_t *wire, *arrived, *text; /* sealed by the library; sent; plaintext */
	size_t wire_size, arrived_size, text_size;
	bool verdict_kept; /* the kernel will not ask about the next message */
	bool moved;	   /* the socket points at another address than it was connected to */
	uint32_t records, placed_count, writes;
	struct model_record record[MODEL_RECORDS];
	struct model_placed placed[MODEL_PLACED];
	const char *failure;
	size_t failure_at;
};

/* ---- the library ---- */

static inline uint32_t model_random(struct model *model, uint32_t limit)
{
	return random_below(&model->world.random, limit);
}

/* Bytes of the stream that are not application data. */
static inline void model_put(struct model *model, const void *bytes, size_t size)
{
	if (model->wire_size + size > MODEL_BYTES)
		abort();
	memcpy(model->wire + model->wire_size, bytes, size);
	model->wire_size += size;
}

static inline void model_put_record(struct model *model, unsigned int type, const void *bytes,
				    size_t size)
{
	uint8_t head[5] = { (uint8_t)type, 3, 3, (uint8_t)(size >> 8), (uint8_t)size };
	struct model_record *record = &model->record[model->records++];

	if (model->records > MODEL_RECORDS)
		abort();
	*record = (struct model_record){ .start = model->wire_size, .size = size + 5 };
	model_put(model, head, 5);
	model_put(model, bytes, size);
}

/* A record of @size random bytes: encrypted with a key that does not matter. */
static inline void model_put_sealed(struct model *model, unsigned int type, size_t size)
{
	uint8_t bytes[256];

	random_fill(&model->world.random, bytes, size);
	model_put_record(model, type, bytes, size);
}

static inline bool model_is_gcm(const struct model *model)
{
	return model->suite != MODEL_CHACHA20;
}

/* Bytes in front of a record's ciphertext. */
static inline size_t model_skip(const struct model *model)
{
	return model->version == TLS_VERSION_12 && model_is_gcm(model) ? 13 : 5;
}

static inline u8 model_cipher(const struct model *model)
{
	if (model->suite_hidden)
		return CIPHER_ANY;
	return model_is_gcm(model) ? CIPHER_AES_GCM : CIPHER_CHACHA20_POLY1305;
}

/* The hook sees a key derived that this connection does not write with. */
static inline void model_other_keys(struct model *model, uint32_t count)
{
	while (count--) {
		struct traffic_key key = { .tid = (u32)host.thread,
					   .cipher = model_cipher(model),
					   .version = (u8)model->version,
					   .key_size = (u8)model->key_size };

		if (!model_random(model, 4))
			key.version = TLS_VERSION_12 + TLS_VERSION_13 - key.version;
		if (!model_random(model, 8))
			key.cipher = CIPHER_UNSUPPORTED;
		if (!model_random(model, 8)) {
			key.cipher = CIPHER_CHACHA20_POLY1305;
			key.key_size = 32;
		}
		random_fill(&model->world.random, key.key, 32);
		random_fill(&model->world.random, key.iv, 12);
		key_add(&key);
	}
}

/* A new key to write with. */
static inline void model_new_key(struct model *model)
{
	struct model_key *key = &model->key[model->keys++];
	struct traffic_key seen = { .tid = (u32)host.thread,
				    .cipher = model_cipher(model),
				    .version = (u8)model->version,
				    .key_size = (u8)model->key_size,
				    .iv_size = model_skip(model) == 13 ? 4 : 12 };

	random_fill(&model->world.random, seen.key, model->key_size);
	random_fill(&model->world.random, seen.iv, 12);
	memcpy(key->iv, seen.iv, 12);
	memcpy(key->chacha20, seen.key, 32);
	if (model_is_gcm(model))
		reference_key_set(&key->aes, seen.key, model->key_size);
	key_add(&seen);
	model->sequence = model->version == TLS_VERSION_12;
}

/* Nonce and additional data of a record (RFC 8446, 5.2 and 5.3; RFC 5288, 3; RFC 7905, 2). */
static inline size_t model_nonce(const struct model *model, const struct model_record *record,
				 const uint8_t *wire, uint8_t nonce[12], uint8_t aad[13])
{
	size_t cipher_size = record->size - model_skip(model) - 16;

	memcpy(nonce, model->key[record->key].iv, 12);
	if (model_skip(model) == 13)
		memcpy(nonce + 4, wire + record->start + 5, 8);
	else
		for (unsigned int i = 0; i < 8; i++)
			nonce[4 + i] ^= (uint8_t)(record->sequence >> (56 - 8 * i));
	if (model->version == TLS_VERSION_13) {
		memcpy(aad, wire + record->start, 5);
		return 5;
	}
	for (unsigned int i = 0; i < 8; i++)
		aad[i] = (uint8_t)(record->sequence >> (56 - 8 * i));
	memcpy(aad + 8, wire + record->start, 3);
	aad[11] = (uint8_t)(cipher_size >> 8);
	aad[12] = (uint8_t)cipher_size;
	return 13;
}

static inline void model_xor(const struct model *model, const struct model_key *key,
			     const uint8_t nonce[12], const uint8_t *in, size_t size, uint8_t *out)
{
	if (model_is_gcm(model))
		reference_xor(&key->aes, nonce, in, size, out);
	else
		reference_chacha20_xor(key->chacha20, nonce, 1, in, size, out);
}

static inline void model_tag(const struct model *model, const struct model_key *key,
			     const uint8_t nonce[12], const uint8_t *aad, size_t aad_size,
			     const uint8_t *cipher, size_t size, uint8_t tag[16])
{
	if (model_is_gcm(model))
		reference_tag(&key->aes, nonce, aad, aad_size, cipher, size, tag);
	else
		reference_chacha20_tag(key->chacha20, nonce, aad, aad_size, cipher, size, tag);
}

/* Seals one record of @type with @size bytes of plaintext. */
static inline void model_seal(struct model *model, uint8_t type, const uint8_t *text, size_t size)
{
	bool new = model->version == TLS_VERSION_13;
	size_t cipher_size = size + new, length = cipher_size + 16 + model_skip(model) - 5;
	uint8_t head[13] = { new ? 23 : type, 3, 3, (uint8_t)(length >> 8), (uint8_t)length };
	struct model_record *record = &model->record[model->records++];
	uint8_t nonce[12], aad[13], *cipher;
	size_t aad_size;

	if (model->records > MODEL_RECORDS || model->wire_size + length + 5 > MODEL_BYTES)
		abort();
	*record = (struct model_record){ .start = model->wire_size,
					 .size = length + 5,
					 .text_size = size,
					 .sequence = model->sequence++,
					 .key = model->keys - 1,
					 .checked = true,
					 .type = type };
	random_fill(&model->world.random, head + 5, 8); /* any explicit nonce will do */
	model_put(model, head, model_skip(model));
	cipher = model->wire + model->wire_size;
	memcpy(cipher, text, size);
	cipher[size] = type;
	aad_size = model_nonce(model, record, model->wire, nonce, aad);
	model_xor(model, &model->key[record->key], nonce, cipher, cipher_size, cipher);
	model_tag(model, &model->key[record->key], nonce, aad, aad_size, cipher, cipher_size,
		  cipher + cipher_size);
	model->wire_size += cipher_size + 16;
}

/* Where the placeholders of the newest record are. */
static inline void model_locate(struct model *model)
{
	const struct model_record *record = &model->record[model->records - 1];
	size_t plain = record->start + model_skip(model);

	for (uint32_t i = 0; i < model->placed_count; i++) {
		struct model_placed *placed = &model->placed[i];
		size_t size = model->world.secret[placed->secret].size;

		if (placed->text_at >= record->text_at &&
		    placed->text_at + size <= record->text_at + record->text_size)
			placed->wire_at = plain + placed->text_at - record->text_at;
		if (placed->wire_at > record->start)
			placed->record = model->records - 1;
	}
}

/* One call of the library's write function; records have up to @record_max bytes of text. */
static inline void model_write(struct model *model, size_t size, size_t record_max)
{
	const uint8_t *text = model->text + model->text_size;

	world_write(model->session, text, size);
	for (size_t at = 0; at < size; at += record_max) {
		size_t take = size - at < record_max ? size - at : record_max;

		model_seal(model, CONTENT_APPLICATION_DATA, text + at, take);
		model->record[model->records - 1].text_at = model->text_size + at;
		model_locate(model);
	}
	model->text_size += size;
}

/* The same keys from here on that RFC 8446, 4.6.3 and 7.2 would make. */
static inline void model_key_update(struct model *model)
{
	model_seal(model, CONTENT_HANDSHAKE, (const uint8_t *)"\30\0\0\1\0", 5);
	model->record[model->records - 1].text_at = SIZE_MAX;
	model_new_key(model);
}

/* ---- the kernel ---- */

/* socket_message() on a message of its own memory; returns the patched bytes. */
static inline uint8_t *model_message(struct model *model, const uint8_t *bytes, size_t size,
				     bool *redirected)
{
	struct host_message message = { .size = (u32)size, .byte = host_alloc(size) };

	memcpy(message.byte, bytes, size);
	message.context.size = (u32)size;
	message.context.sk = (void *)&model->socket;
	message.context.family = 2;
	message.context.remote_ip4 = model->moved ? MODEL_PEER + 1 : MODEL_PEER;
	message.context.remote_port = __builtin_bswap32(443);
	if (socket_message(&message.context) != SK_PASS)
		abort();
	host_message_settle(&message);
	*redirected = message.redirected;
	return message.byte;
}

/* The kernel side has all of a placeholder in a message from here on. */
static inline bool model_whole(struct model *model, const struct model_placed *placed)
{
	const struct model_record *record = &model->record[placed->record];
	struct model_key *key = &model->key[record->key];
	bool begins = record->start + 13 > model->arrived_size;

	if (model_is_gcm(model) || key->proved)
		return model_is_gcm(model) || begins || record->start + 13 > key->proved_from;
	/* A ChaCha20 record has to be seen from its beginning on, with a key that is known. */
	if (!begins)
		return false;
	key->proved = true;
	key->proved_from = model->arrived_size;
	return true;
}

/*
 * sendmsg(2) of the next @size bytes of the wire that have not arrived, of which
 * TCP takes @taken.
 */
static inline void model_send(struct model *model, size_t size, size_t taken)
{
	const uint8_t *bytes = model->wire + model->arrived_size;
	size_t end = model->arrived_size + size;
	bool redirected = false;
	uint8_t *patched;

	for (uint32_t i = 0; !model->verdict_kept && i < model->placed_count; i++) {
		struct model_placed *placed = &model->placed[i];

		if (placed->wire_at && placed->wire_at >= model->arrived_size &&
		    placed->wire_at + model->world.secret[placed->secret].size <= end)
			placed->whole |= model_whole(model, placed);
	}

	if (model->verdict_kept) {
		memcpy(model->arrived + model->arrived_size, bytes, taken);
		model->verdict_kept = taken < size;
	} else {
		patched = model_message(model, bytes, size, &redirected);
		memcpy(model->arrived + model->arrived_size, patched, taken);
		free(patched);
		model->verdict_kept = taken < size && !redirected;
	}
	model->arrived_size += taken;
}

static inline void model_connect(struct model *model)
{
	struct bpf_sock_ops context = { .op = BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB,
					.family = 2,
					.remote_ip4 = MODEL_PEER,
					.remote_port = __builtin_bswap32(443),
					.sk = (void *)&model->socket };

	model->socket.cookie = 99;
	socket_connected(&context);
}

/* Sends all that is sealed, in whole records. */
static inline void model_flush(struct model *model)
{
	if (model->wire_size > model->arrived_size)
		model_send(model, model->wire_size - model->arrived_size,
			   model->wire_size - model->arrived_size);
}

/* Handshake as the client's stream shows it, up to the first application data. */
static inline void model_handshake(struct model *model)
{
	static const char *const hello[] = { HELLO_OPENSSL, HELLO_OPENSSL_TLS12,
					     HELLO_OPENSSL_NO_NAME, HELLO_CURL, HELLO_NODE };
	uint8_t bytes[1024];
	size_t size = unhex(hello[model_random(model, 5)], bytes);

	model_put_record(model, CONTENT_HANDSHAKE, bytes + 5, size - 5);
	model_flush(model);
	model_other_keys(model, model_random(model, 6));
	if (model->version == TLS_VERSION_13) {
		model_new_key(model);
		model_other_keys(model, model_random(model, 4));
		model_put_record(model, CONTENT_CHANGE_CIPHER_SPEC, "\1", 1);
		model_put_sealed(model, CONTENT_APPLICATION_DATA,
				 (model->suite == MODEL_AES_256) != model->misleading ? 69 : 53);
		return;
	}
	size = 66;
	memcpy(bytes, "\20\0\0\76", 4); /* ClientKeyExchange */
	random_fill(&model->world.random, bytes + 4, size - 4);
	model_put_record(model, CONTENT_HANDSHAKE, bytes, size);
	model_new_key(model);
	model_put_record(model, CONTENT_CHANGE_CIPHER_SPEC, "\1", 1);
	model_put_sealed(model, CONTENT_HANDSHAKE, model_is_gcm(model) ? 40 : 32);
}

/* A connection in a world that is there. */
static inline void model_open(struct model *model, const struct world *world, unsigned int version,
			      enum model_suite suite)
{
	memset(model, 0, sizeof(*model));
	model->world = *world;
	model->session = MODEL_SESSION;
	model->version = version;
	model->suite = suite;
	model->key_size = suite == MODEL_AES_128 ? 16 : 32;
	model->suite_hidden = version == TLS_VERSION_13 && suite != MODEL_AES_128;
	model->wire = host_alloc(MODEL_BYTES);
	model->arrived = host_alloc(MODEL_BYTES);
	model->text = host_alloc(MODEL_BYTES);
	model_connect(model);
}

static inline void model_begin(struct model *model, uint64_t seed, unsigned int version,
			       enum model_suite suite)
{
	struct world world;

	world_begin(&world, seed);
	world_allow_all();
	model_open(model, &world, version, suite);
}

static inline void model_close(struct model *model)
{
	free(model->wire);
	free(model->arrived);
	free(model->text);
	host_socket_close(&model->socket);
}

static inline void model_end(struct model *model)
{
	model_close(model);
	world_end();
}

/* ---- the receiver ---- */

static inline bool model_fail(struct model *model, const char *failure, size_t at)
{
	model->failure = failure;
	model->failure_at = at;
	return false;
}

/* The text may differ from what was written by secrets in the place of their placeholders. */
static inline bool model_check_text(struct model *model, const uint8_t *text)
{
	size_t at = 0;

	for (uint32_t i = 0; i <= model->placed_count; i++) {
		struct model_placed *placed = &model->placed[i];
		bool last = i == model->placed_count;
		size_t to = last ? model->text_size : placed->text_at;
		const struct world_secret *secret;

		if (memcmp(text + at, model->text + at, to - at) != 0)
			return model_fail(model, "text changed outside of placeholders", at);
		if (last)
			break;
		secret = &model->world.secret[placed->secret];
		placed->swapped = memcmp(text + to, secret->value, secret->size) == 0;
		if (!placed->swapped && memcmp(text + to, secret->placeholder, secret->size) != 0)
			return model_fail(model, "neither secret nor placeholder", to);
		at = to + secret->size;
	}
	return true;
}

/* True if the peer would have accepted everything and nothing is where it should not be. */
static inline bool model_receive(struct model *model)
{
	uint8_t *text = host_alloc(MODEL_BYTES + 1), nonce[12], aad[13], tag[16];
	bool right = true;

	for (uint32_t i = 0; right && i < model->records; i++) {
		const struct model_record *record = &model->record[i];
		bool new = model->version == TLS_VERSION_13;
		size_t skip = model_skip(model), aad_size, size = record->size - skip - 16;
		const uint8_t *cipher = model->arrived + record->start + skip;
		const struct model_key *key = &model->key[record->key];

		if (memcmp(model->arrived + record->start, model->wire + record->start,
			   record->checked ? skip : record->size) != 0)
			right = model_fail(model, "a header or a handshake record changed",
					   record->start);
		if (!right || !record->checked)
			continue;
		aad_size = model_nonce(model, record, model->arrived, nonce, aad);
		model_tag(model, key, nonce, aad, aad_size, cipher, size, tag);
		if (memcmp(tag, cipher + size, 16) != 0)
			right = model_fail(model, "bad record MAC", record->start);
		else if (record->type == CONTENT_APPLICATION_DATA)
			model_xor(model, key, nonce, cipher, size - new, text + record->text_at);
	}
	right = right && model_check_text(model, text);
	free(text);
	return right;
}

#endif
