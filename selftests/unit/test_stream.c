// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket object over whole connections (tls_model.h): records cut into
 * messages anywhere, TCP that takes a part of a message, libraries that hand
 * over the rest again. Whatever happens, the receiver must be able to read every
 * record, and must find, where a placeholder was written, either the secret or
 * the placeholder. Where the kernel side had a fair chance, it must be the secret.
 */
#include "selftests/unit/suite.h"
#include "selftests/unit/tls_model.h"

#include <check.h>
#include <stdio.h>

/* How the library and TCP behave. */
enum {
	CUT = 1,     /* messages end anywhere */
	GATHER = 2,  /* several writes may leave in one message */
	PARTIAL = 4, /* TCP may take a part, the same rest comes again */
	APPEND = 8,  /* ... with new bytes after it */
	SMALL = 16,  /* small records */
	UPDATE = 32, /* KeyUpdate now and then */
	MOVE = 64,   /* any thread of the process writes and sends */
};

#define GATHERED  3 /* most writes that wait */
#define AMBIGUOUS 2 /* bytes: so short a rest of a send may look like something new */

struct totals {
	unsigned int cases, placed, whole, swapped;
};

static struct totals totals;

/* The same three of six connections for both versions. */
static enum model_suite suite_of(uint64_t seed)
{
	return (enum model_suite)(seed / 2 % 3);
}

/* A write of the application: text with some placeholders in it. Returns its size. */
static size_t compose(struct model *model)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEF {}\":,/\r\n";
	size_t size = 0, start = model->text_size;
	uint8_t *text = model->text + start;
	uint32_t count = model_random(model, 4) ? model_random(model, 4) : 0;

	if (model_random(model, 10) == 0)
		count = model_random(model, STAGED_PLACEHOLDERS + 1);
	for (uint32_t i = 0; i <= count; i++) {
		uint32_t filler = model_random(model, 1U << (2 + model_random(model, 9)));
		struct model_placed *placed = &model->placed[model->placed_count];

		for (; filler; filler--)
			text[size++] = (uint8_t)alphabet[model_random(model, sizeof(alphabet) - 1)];
		if (i == count || model->placed_count == MODEL_PLACED)
			break;
		*placed = (struct model_placed){
			.text_at = start + size,
			.secret = model_random(model, model->world.count),
		};
		memcpy(text + size, model->world.secret[placed->secret].placeholder,
		       model->world.secret[placed->secret].size);
		size += model->world.secret[placed->secret].size;
		model->placed_count++;
	}
	/* Sizes differ: two writes that look the same may be one that was repeated. */
	do
		text[size++] = 'x';
	while (size % 16 != model->writes % 16);
	model->writes++;
	return size;
}

static size_t record_end(const struct model *model)
{
	for (uint32_t i = 0; i < model->records; i++) {
		size_t end = model->record[i].start + model->record[i].size;

		if (end > model->arrived_size)
			return end;
	}
	return model->wire_size;
}

/* How many of the bytes that wait go into the next message. */
static size_t choose_message(struct model *model, unsigned int mode)
{
	size_t waiting = model->wire_size - model->arrived_size;
	size_t size = record_end(model) - model->arrived_size;
	size_t end;

	if (mode & GATHER && model_random(model, 2))
		size = waiting;
	if (mode & CUT && model_random(model, 3)) {
		size = 1 + model_random(model, (uint32_t)waiting);
		if (model_random(model, 4) == 0) /* around the ends of a record */
			size = record_end(model) - model->arrived_size + model_random(model, 40);
		size = size > 24 ? size - model_random(model, 24) : size;
		size = size < AMBIGUOUS + 1 ? AMBIGUOUS + 1 : size;
		/* Nor the remainder of a record with as little after it. */
		end = record_end(model) - model->arrived_size;
		size = size > end && size - end <= AMBIGUOUS ? end : size;
	}
	return size > waiting ? waiting : size;
}

static void move(struct model *model, unsigned int mode)
{
	if (mode & MOVE)
		host.thread = WORLD_THREAD + model_random(model, 4);
}

/* One message, and what TCP leaves of it, until that has arrived. */
static void send_some(struct model *model, unsigned int mode)
{
	size_t size = choose_message(model, mode);
	size_t end = model->arrived_size + size;

	while (model->arrived_size < end) {
		size_t taken = size = end - model->arrived_size;

		if (mode & PARTIAL && model_random(model, 2))
			taken = model_random(model, (uint32_t)size + 1);
		if (taken < size && size - taken <= AMBIGUOUS)
			taken = size;
		move(model, mode);
		model_send(model, size, taken);
		if (mode & APPEND && taken < size && model_random(model, 2)) {
			model_write(model, compose(model), RECORD_PLAIN);
			end = model->wire_size;
		}
	}
}

static void run(struct model *model, uint64_t seed, unsigned int mode)
{
	static const uint32_t size[] = { 32, 40, 8, 15, 36, 100, 9, SECRET_MAX };
	uint32_t writes, secrets_count, gathered = 0, zero = 0;

	model_begin(model, seed, seed & 1 ? TLS_VERSION_12 : TLS_VERSION_13, suite_of(seed));
	host.moves = mode & MOVE;
	((struct config *)bpf_map_lookup_elem(&config, &zero))->movers = host.moves;
	secrets_count = 1 + model_random(model, ARRAY_SIZE(size));
	for (uint32_t i = 0; i < secrets_count; i++)
		world_grant(&model->world, size[seed & 4 ? i : ARRAY_SIZE(size) - 1 - i]);
	model_handshake(model);
	while (model->arrived_size < model->wire_size)
		send_some(model, mode & (CUT | GATHER));
	for (writes = 1 + model_random(model, 6); writes; writes--) {
		size_t record_max = RECORD_PLAIN;

		if (mode & SMALL)
			record_max = 200 + model_random(model, 1200);
		if (mode & UPDATE && model->version == TLS_VERSION_13 && model->keys < MODEL_KEYS &&
		    !model_random(model, 3))
			model_key_update(model);
		move(model, mode);
		model_write(model, compose(model), record_max);
		if (mode & GATHER && ++gathered < GATHERED && model_random(model, 2))
			continue;
		gathered = 0;
		while (model->arrived_size < model->wire_size)
			send_some(model, mode);
	}
	while (model->arrived_size < model->wire_size)
		send_some(model, mode);
}

/* @fair: every placeholder that a message held whole must have been swapped. */
static void play(uint64_t seed, unsigned int mode, bool fair)
{
	static struct model model;
	unsigned int swapped = 0;

	run(&model, seed, mode);
	ck_assert_msg(model_receive(&model), "seed %llu: %s at %zu", (unsigned long long)seed,
		      model.failure, model.failure_at);
	for (uint32_t i = 0; i < model.placed_count; i++) {
		const struct model_placed *placed = &model.placed[i];

		swapped += placed->swapped;
		totals.whole += placed->whole;
		ck_assert_msg(!fair || !placed->whole || placed->swapped,
			      "seed %llu: placeholder %u of %u (%u bytes, at %zu) left unchanged",
			      (unsigned long long)seed, i, model.placed_count,
			      model.world.secret[placed->secret].size, placed->wire_at);
	}
	if (host.events < ARRAY_SIZE(host.event))
		ck_assert_msg(world_events(VERDICT_SWAPPED, 0) == swapped,
			      "seed %llu: %u events of %u swaps", (unsigned long long)seed,
			      world_events(VERDICT_SWAPPED, 0), swapped);
	totals.cases++;
	totals.placed += model.placed_count;
	totals.swapped += swapped;
	model_end(&model);
}

static void play_many(const char *name, unsigned int mode, bool fair, unsigned int cases)
{
	const char *more = getenv("CASES");
	const char *text = getenv("SEED");
	uint64_t first = text ? strtoull(text, NULL, 0) : 1;

	if (more)
		cases = (unsigned int)strtoul(more, NULL, 0);
	totals = (struct totals){ 0 };
	for (uint64_t seed = first; seed < first + (text ? 1 : cases); seed++)
		play(seed, mode, fair);
	printf("# %s: %u connections from seed %llu, %u placeholders, %u whole, %u swapped\n", name,
	       totals.cases, (unsigned long long)first, totals.placed, totals.whole,
	       totals.swapped);
	ck_assert_uint_gt(totals.swapped, totals.whole / 4);
}

/* A write of the first secret's placeholder between two letters. */
static void write_one(struct model *model)
{
	const struct world_secret *secret = &model->world.secret[0];
	uint8_t *text = model->text + model->text_size;
	size_t size = secret->size + 2 + model->writes++;

	memset(text, 'x', size);
	memcpy(text + 1, secret->placeholder, secret->size);
	model->placed[model->placed_count++] =
		(struct model_placed){ .text_at = model->text_size + 1 };
	model_write(model, size, RECORD_PLAIN);
}

static void begin_one(struct model *model, unsigned int seed, uint32_t size)
{
	model_begin(model, seed, seed & 1 ? TLS_VERSION_12 : TLS_VERSION_13, suite_of(seed));
	world_grant(&model->world, size);
	model_handshake(model);
	model_flush(model);
}

/* What is sent differs in one byte from what was staged: whatever byte, nothing is swapped. */
START_TEST(whole_placeholder)
{
	static const uint32_t size[] = { 8, 15, 32, 100, SECRET_MAX };
	static struct model model;

	for (unsigned int seed = 0; seed < 8 * ARRAY_SIZE(size); seed++) {
		uint32_t bytes = size[seed / 8];

		for (uint32_t wrong = 0; wrong < bytes; wrong += 1 + bytes / 64) {
			begin_one(&model, seed, bytes);
			if (seed & 4) /* under a key that is proved already */
				write_one(&model);
			model_flush(&model);
			memcpy(model.text + model.text_size, model.world.secret[0].placeholder,
			       bytes);
			world_write(7, model.text + model.text_size, bytes);
			model.text[model.text_size + wrong] ^= 1;
			model_write(&model, bytes, RECORD_PLAIN);
			model_flush(&model);
			ck_assert_msg(model_receive(&model), "%u bytes, byte %u: %s", bytes, wrong,
				      model.failure);
			ck_assert_uint_eq(world_events(VERDICT_SWAPPED, 0), model.placed_count);
			model_end(&model);
		}
	}
}
END_TEST

/* A socket that was disconnected and is pointed elsewhere; then it connects there. */
START_TEST(another_peer)
{
	static struct model model;

	for (unsigned int established = 0; established < 2; established++) {
		begin_one(&model, established, 32);
		write_one(&model);
		model_flush(&model);
		ck_assert_uint_eq(world_events(VERDICT_SWAPPED, 0), 1);
		model.moved = true;
		if (established)
			model_connect(&model);
		write_one(&model);
		model_flush(&model);
		ck_assert_uint_eq(world_events(VERDICT_SWAPPED, 0), 1);
		ck_assert_uint_eq(world_events(VERDICT_REFUSED, REASON_PEER), !established);
		model_end(&model);
	}
}
END_TEST

/* A socket whose packets leave by a device that the application chose. */
START_TEST(chosen_device)
{
	static struct model model;

	for (unsigned int device = 0; device < 2; device++) {
		model_begin(&model, 1, TLS_VERSION_13, MODEL_AES_128);
		world_grant(&model.world, 32);
		model.socket.sock.bound_dev_if = device;
		model_connect(&model);
		model_handshake(&model);
		model_flush(&model);
		write_one(&model);
		model_flush(&model);
		ck_assert_uint_eq(world_events(VERDICT_SWAPPED, 0), !device);
		ck_assert_uint_eq(world_events(VERDICT_REFUSED, REASON_DEVICE), device);
		model_end(&model);
	}
}
END_TEST

/* Several records leave in one message; TCP takes some of them; a new one joins the rest. */
START_TEST(rest_of_records)
{
	static struct model model;

	for (unsigned int seed = 0; seed < 6; seed++) {
		for (unsigned int count = 2; count < 7; count++) {
			for (unsigned int taken = 0; taken < count; taken++) {
				size_t first, waiting;

				begin_one(&model, seed, 32);
				first = model.records;
				for (unsigned int i = 0; i < count; i++)
					write_one(&model);
				waiting = model.wire_size - model.arrived_size;
				model_send(&model, waiting,
					   model.record[first + taken].start - model.arrived_size);
				write_one(&model);
				model_flush(&model);
				ck_assert_msg(model_receive(&model), "%u of %u: %s", taken, count,
					      model.failure);
				for (unsigned int i = 0; i <= count; i++)
					ck_assert_msg(model.placed[i].swapped, "%u of %u: %u",
						      taken, count, i);
				ck_assert_uint_eq(world_events(VERDICT_SWAPPED, 0), count + 1);
				model_end(&model);
			}
		}
	}
}
END_TEST

/* A record with two placeholders and text around them. */
static void write_two(struct model *model)
{
	const struct world_secret *secret = &model->world.secret[0];
	uint8_t *text = model->text + model->text_size;

	memset(text, 'y', 2 * secret->size + 20);
	for (unsigned int i = 0; i < 2; i++) {
		size_t at = 3 + i * (secret->size + 7);

		memcpy(text + at, secret->placeholder, secret->size);
		model->placed[model->placed_count++] =
			(struct model_placed){ .text_at = model->text_size + at };
	}
	model_write(model, 2 * secret->size + 20, RECORD_PLAIN);
}

/* Sends @size bytes, of which TCP takes @taken at first; the rest comes again. */
static void send_twice(struct model *model, size_t size, size_t taken)
{
	model_send(model, size, taken);
	if (taken < size)
		model_send(model, size - taken, size - taken);
}

static void check_two(struct model *model, unsigned int seed, size_t cut, size_t taken)
{
	ck_assert_msg(model_receive(model), "seed %u, cut at %zu, %zu taken: %s at %zu", seed, cut,
		      taken, model->failure, model->failure_at);
	for (unsigned int i = 0; i < model->placed_count; i++)
		ck_assert_msg(!model->placed[i].whole || model->placed[i].swapped,
			      "seed %u, cut at %zu, %zu taken: %u left unchanged", seed, cut, taken,
			      i);
	ck_assert_uint_eq(model->placed[0].swapped, 1);
}

/*
 * A record is cut in two anywhere, after one that proved the key; TCP takes all of
 * the first message, or any part of it, and the rest comes again.
 */
START_TEST(cut_everywhere)
{
	static struct model model;

	for (unsigned int seed = 0; seed < 6; seed++) {
		size_t size = 0;

		for (size_t cut = 1; !size || cut < size; cut++) {
			for (size_t taken = cut % 11; taken <= cut; taken += 11) {
				begin_one(&model, seed, 24);
				write_one(&model);
				model_flush(&model);
				write_two(&model);
				size = model.wire_size - model.arrived_size;
				if (cut - taken <= AMBIGUOUS)
					taken = cut;
				send_twice(&model, cut, taken);
				model_flush(&model);
				write_one(&model);
				model_flush(&model);
				check_two(&model, seed, cut, taken);
				model_end(&model);
			}
		}
	}
}
END_TEST

/* The remainder comes with more after it: what was hashed before must not change. */
START_TEST(cut_and_appended)
{
	static struct model model;

	for (unsigned int seed = 4; seed < 6; seed++) {
		for (size_t cut = 10; cut < 90; cut++) {
			for (size_t taken = 0; taken + AMBIGUOUS < cut; taken += 5) {
				begin_one(&model, seed, 24);
				write_one(&model);
				model_flush(&model);
				write_two(&model);
				model_send(&model, cut, taken);
				model_flush(&model);
				ck_assert_msg(model_receive(&model), "cut at %zu, %zu taken: %s",
					      cut, taken, model.failure);
				model_end(&model);
			}
		}
	}
}
END_TEST

/* A KeyUpdate that is not seen, then a cut record: it was hashed with the old key so far. */
START_TEST(hashed_with_old_key)
{
	static struct model model;

	begin_one(&model, 4, 24);
	write_one(&model);
	model_flush(&model);
	model_key_update(&model);
	model_send(&model, 7, 7);
	model_flush(&model);
	write_two(&model);
	model_send(&model, 20, 20);
	model_flush(&model);
	write_one(&model);
	model_flush(&model);
	ck_assert_msg(model_receive(&model), "%s", model.failure);
	ck_assert_uint_eq(world_events(VERDICT_REFUSED, REASON_SPLIT), 1);
	ck_assert(model.placed[0].swapped && !model.placed[2].swapped && model.placed[3].swapped);
	model_end(&model);
}
END_TEST

/* A Finished of another size than that of the suite's hash, or something else in its place. */
START_TEST(misleading_finished)
{
	static struct model model;

	for (unsigned int seed = 0; seed < 6; seed += 2) {
		model_begin(&model, seed, TLS_VERSION_13, suite_of(seed));
		world_grant(&model.world, 32);
		model.misleading = true;
		model_handshake(&model);
		model_flush(&model);
		write_one(&model);
		model_flush(&model);
		ck_assert_msg(model_receive(&model), "seed %u: %s", seed, model.failure);
		ck_assert_msg(model.placed[0].swapped, "seed %u", seed);
		model_end(&model);
	}
}
END_TEST

/* Records cut into many pieces, of one byte up. */
START_TEST(cut_small)
{
	static struct model model;

	for (unsigned int seed = 0; seed < 6; seed++) {
		for (size_t piece = 1; piece < 60; piece++) {
			begin_one(&model, seed, 24);
			write_one(&model);
			model_flush(&model);
			write_two(&model);
			write_two(&model);
			while (model.wire_size - model.arrived_size > piece)
				model_send(&model, piece, piece);
			model_flush(&model);
			check_two(&model, seed, piece, piece);
			model_end(&model);
		}
	}
}
END_TEST

#define SCENARIO(name, mode, fair, cases)              \
	START_TEST(name)                               \
	{                                              \
		play_many(#name, (mode), fair, cases); \
	}                                              \
	END_TEST

SCENARIO(record_by_record, 0, true, 400)
SCENARIO(gathered, GATHER, true, 400)
SCENARIO(small_records, SMALL, true, 400)
SCENARIO(small_gathered, SMALL | GATHER, false, 400)
SCENARIO(cut_anywhere, CUT | GATHER, true, 600)
SCENARIO(partial, PARTIAL, true, 600)
SCENARIO(partial_gathered, PARTIAL | GATHER, true, 400)
SCENARIO(partial_cut, PARTIAL | CUT | GATHER, false, 600)
SCENARIO(partial_appended, PARTIAL | APPEND, false, 600)
SCENARIO(everything, PARTIAL | APPEND | CUT | GATHER | SMALL | UPDATE, false, 600)
SCENARIO(key_update, UPDATE, true, 400)
SCENARIO(moved, MOVE | GATHER, true, 400)
SCENARIO(moved_partial, MOVE | PARTIAL, true, 400)
SCENARIO(moved_everything, MOVE | PARTIAL | APPEND | CUT | GATHER | SMALL | UPDATE, false, 600)

int main(void)
{
	const TTest *const tests[] = {
		record_by_record,    gathered,	       small_records,	  small_gathered,
		cut_anywhere,	     partial,	       partial_gathered,  partial_cut,
		partial_appended,    everything,       key_update,	  moved,
		moved_partial,	     moved_everything, whole_placeholder, rest_of_records,
		cut_everywhere,	     cut_small,	       cut_and_appended,  hashed_with_old_key,
		misleading_finished, another_peer,     chosen_device,
	};

	return suite_run("stream", tests, ARRAY_SIZE(tests), 240, NULL, NULL);
}
