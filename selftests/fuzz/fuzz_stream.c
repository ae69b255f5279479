// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages of a hostile application. The first byte chooses what has gone
 * before; then come messages, each after two bytes: its size, and how much of
 * it comes again, in 16ths. Keys are known and placeholders staged, but nothing
 * in the input can be proved with them: no message may be changed. (After a
 * swap it may: a message that repeats the end of the swapped one is its rest.)
 */
#define MODEL_BYTES 16384
#include "selftests/unit/tls_model.h"

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

enum {
	HANDSHAKE = 1, /* a real one, else the input begins the stream */
	OLD = 2,       /* TLS 1.2 */
	BOUND = 4,     /* a placeholder was proved and swapped */
	FAILURES = 8,  /* bpf_msg_pull_data() fails now and then */
	BEHIND = 16,   /* another placeholder is staged after each message */
	CHACHA20 = 32, /* the suite, else AES-128-GCM */
};

static void write_placeholder(struct model *model, bool send)
{
	const struct world_secret *secret = &model->world.secret[0];

	memcpy(model->text + model->text_size, secret->placeholder, secret->size);
	if (send)
		model_write(model, secret->size, RECORD_PLAIN);
	else
		world_write(7, model->text + model->text_size, secret->size);
}

static void send_input(struct model *model, uint8_t how, const uint8_t *bytes, size_t size)
{
	bool redirected;
	uint8_t *after = model_message(model, bytes, size, &redirected);

	REQUIRE(how & BOUND || (!redirected && memcmp(after, bytes, size) == 0));
	free(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct model model;
	uint8_t how = size ? data[0] : 0;
	size_t at = 1;

	model_begin(&model, 1, how & OLD ? TLS_VERSION_12 : TLS_VERSION_13,
		    how & CHACHA20 ? MODEL_CHACHA20 : MODEL_AES_128);
	world_grant(&model.world, 32);
	world_grant(&model.world, 8);
	if (how & (HANDSHAKE | BOUND)) {
		model_handshake(&model);
		model_flush(&model);
	}
	if (how & BOUND) {
		write_placeholder(&model, true);
		model_flush(&model);
		REQUIRE(world_events(VERDICT_SWAPPED, REASON_NONE) == 1);
	}
	write_placeholder(&model, false);
	while (at + 2 < size) {
		size_t length = data[at] + 1U, again = data[at + 1];

		at += 2;
		length = length < size - at ? length : size - at;
		if (how & FAILURES)
			host.pull_failure = 1 + again / 16;
		send_input(&model, how, data + at, length);
		if (again % 16)
			send_input(&model, how, data + at + length * (16 - again % 16) / 16,
				   length - length * (16 - again % 16) / 16);
		if (how & BEHIND)
			write_placeholder(&model, false);
		at += length;
	}
	model_end(&model);
	return 0;
}
