// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes that are sent by another thread than the one that gave them to the
 * library, as when a goroutine or a task of an asynchronous runtime moves on. The
 * receiver of tls_model.h judges, as in test_stream.c.
 */
#include "selftests/unit/suite.h"
#include "selftests/unit/tls_model.h"

#include <check.h>

#define OTHER_THREAD  (WORLD_THREAD + 1)
#define OTHER_PROCESS (2000ULL << 32 | 2001)
#define CONNECTIONS   6 /* both versions with each suite */

static struct model model, second;

static void allow_moves(bool allow)
{
	struct config *settings;
	uint32_t zero = 0;

	host.moves = true;
	settings = bpf_map_lookup_elem(&config, &zero);
	settings->movers = allow;
}

static unsigned int version_of(unsigned int number)
{
	return number & 1 ? TLS_VERSION_12 : TLS_VERSION_13;
}

/* A connection after its handshake, in the sending thread's process. */
static void begin(unsigned int number)
{
	model_begin(&model, number + 1, version_of(number), number / 2 % 3);
	allow_moves(true);
	world_grant(&model.world, 32);
	model_handshake(&model);
	model_flush(&model);
}

static void begin_second(unsigned int number)
{
	model_open(&second, &model.world, version_of(number), number / 2 % 3);
	second.session = MODEL_SESSION + 1;
	model_handshake(&second);
	model_flush(&second);
}

/* A write of @size bytes with a placeholder at @at, in records of up to @record_max. */
static void write_at(struct model *to, size_t size, size_t at, size_t record_max)
{
	const struct world_secret *secret = &to->world.secret[0];
	uint8_t *text = to->text + to->text_size;

	memset(text, 'x', size);
	memcpy(text + at, secret->placeholder, secret->size);
	to->placed[to->placed_count++] = (struct model_placed){ .text_at = to->text_size + at };
	model_write(to, size, record_max);
}

static void write_one(struct model *to)
{
	write_at(to, 60 + to->writes++, 7, RECORD_PLAIN);
}

static void check(struct model *of, const char *what, bool swapped)
{
	ck_assert_msg(model_receive(of), "%s: %s at %zu", what, of->failure, of->failure_at);
	for (uint32_t i = 0; i < of->placed_count; i++)
		ck_assert_msg(of->placed[i].swapped == swapped, "%s: placeholder %u %s", what, i,
			      swapped ? "left unchanged" : "swapped");
}

static uint32_t pending(uint64_t thread)
{
	struct staged *st = bpf_map_lookup_elem(&staged, &thread);

	return st ? st->pending : 0;
}

/* The first write of a connection, then more, each time by another thread. */
START_TEST(sent_by_another_thread)
{
	for (unsigned int number = 0; number < CONNECTIONS; number++) {
		begin(number);
		for (unsigned int i = 0; i < 20; i++) {
			host.thread = WORLD_THREAD + i % 5;
			write_one(&model);
			host.thread = WORLD_THREAD + (i + 1 + i % 3) % 5;
			model_flush(&model);
		}
		check(&model, "moved", true);
		ck_assert_uint_eq(world_events(VERDICT_SWAPPED, 0), 20);
		for (unsigned int i = 0; i < 5; i++)
			ck_assert_uint_eq(pending(WORLD_THREAD + i), 0);
		model_end(&model);
	}
}
END_TEST

START_TEST(not_where_nothing_moves)
{
	begin(0);
	allow_moves(false);
	write_one(&model);
	host.thread = OTHER_THREAD;
	model_flush(&model);
	check(&model, "not allowed", false);
	model_end(&model);
}
END_TEST

START_TEST(not_by_another_process)
{
	for (unsigned int moved = 0; moved < 2; moved++) {
		begin(0);
		if (moved) { /* that process has writes of its own */
			host.thread = OTHER_PROCESS;
			world_write(MODEL_SESSION, model.world.secret[0].placeholder, 32);
			host.thread = WORLD_THREAD;
		}
		write_one(&model);
		host.thread = OTHER_PROCESS + 1;
		model_flush(&model);
		check(&model, "another process", false);
		ck_assert_uint_eq(pending(WORLD_THREAD), 1);
		model_end(&model);
	}
}
END_TEST

/* Two threads stage, and each sends what the other one has; or one sends both. */
START_TEST(crossed)
{
	for (unsigned int number = 0; number < 2 * CONNECTIONS; number++) {
		begin(number);
		begin_second(number + 2);
		for (unsigned int i = 0; i < 4; i++) {
			host.thread = WORLD_THREAD;
			write_one(&model);
			host.thread = OTHER_THREAD;
			write_one(&second);
			model_flush(&model);
			host.thread = number < CONNECTIONS ? WORLD_THREAD : OTHER_THREAD;
			model_flush(&second);
		}
		check(&model, "first", true);
		check(&second, "second", true);
		ck_assert_uint_eq(world_events(VERDICT_SWAPPED, 0), 8);
		ck_assert_uint_eq(pending(WORLD_THREAD) + pending(OTHER_THREAD), 0);
		model_close(&second);
		model_end(&model);
	}
}
END_TEST

/* Another socket serves the placeholder while this one proves it. */
static void serve_meanwhile(void)
{
	uint64_t thread = WORLD_THREAD;
	struct staged *st = bpf_map_lookup_elem(&staged, &thread);

	st->write[st->last].placeholder[0].served = 1;
	st->write[st->last].served++;
	st->pending--;
}

START_TEST(claimed_once)
{
	begin(0);
	write_one(&model);
	host.thread = OTHER_THREAD;
	host.pulls_before_meanwhile = 1; /* head_read() is the first */
	host.meanwhile = serve_meanwhile;
	model_flush(&model);
	ck_assert_ptr_null(host.meanwhile);
	check(&model, "served before", false);
	ck_assert_uint_eq(pending(WORLD_THREAD), 0);
	model_end(&model);
}
END_TEST

/* Two placeholders that are alike, of which another socket takes one in the middle of the proof. */
START_TEST(loser_goes_on)
{
	struct staged *st;

	begin(0);
	write_one(&model);
	model_flush(&model);
	/* The same text staged twice, sent once. */
	world_write(MODEL_SESSION, model.text, 60);
	world_write(MODEL_SESSION, model.text, 60);
	st = world_staged();
	ck_assert_uint_eq(st->pending, 2);
	memcpy(model.text + model.text_size, model.text, 60);
	model.placed[model.placed_count++] =
		(struct model_placed){ .text_at = model.text_size + 7 };
	model_seal(&model, CONTENT_APPLICATION_DATA, model.text + model.text_size, 60);
	model.record[model.records - 1].text_at = model.text_size;
	model_locate(&model);
	model.text_size += 60;
	host.thread = OTHER_THREAD;
	host.pulls_before_meanwhile = 1;
	host.meanwhile = serve_meanwhile;
	model_flush(&model);
	check(&model, "the other one", true);
	ck_assert_uint_eq(st->pending, 0);
	model_end(&model);
}
END_TEST

/* A write of many small records that goes on in another thread, the placeholder far into it. */
START_TEST(moved_in_the_middle)
{
	for (unsigned int number = 0; number < CONNECTIONS; number++) {
		for (unsigned int moved_at = 0; moved_at < 8; moved_at++) {
			uint32_t first;

			begin(number);
			write_one(&model); /* whose connection it is, is known then */
			model_flush(&model);
			host.thread = OTHER_THREAD; /* has something that goes elsewhere */
			world_write(99, model.world.secret[0].placeholder, 32);
			host.thread = WORLD_THREAD;
			first = model.records;
			write_at(&model, 5000, 4100, 700);
			for (uint32_t i = first; i < model.records; i++) {
				if (i - first == moved_at)
					host.thread = OTHER_THREAD;
				model_send(&model, model.record[i].size, model.record[i].size);
			}
			check(&model, "moved in the middle", true);
			model_end(&model);
		}
	}
}
END_TEST

/* Futile searches for other threads leave the writer its chance, and end at some point. */
START_TEST(vain_searches)
{
	struct staged *st;

	begin(0);
	begin_second(2);
	for (unsigned int i = 0; i < 2 * MOVER_SEARCHES; i++) {
		host.thread = WORLD_THREAD;
		if (i == 0)
			write_one(&model);
		host.thread = OTHER_THREAD;
		memset(second.text + second.text_size, 'z', 60);
		model_write(&second, 60, RECORD_PLAIN);
		model_flush(&second);
	}
	host.thread = WORLD_THREAD;
	st = world_staged();
	ck_assert_uint_eq(st->write[st->last].attempts, 0);
	ck_assert_uint_gt(st->write[st->last].searches, STAGED_ATTEMPTS);
	ck_assert_uint_le(st->write[st->last].searches, MOVER_SEARCHES + 1);
	ck_assert_uint_eq(st->write[st->last].missed, 0);
	model_flush(&model);
	check(&model, "the writer", true);
	check(&second, "the other", true);
	model_close(&second);
	model_end(&model);
}
END_TEST

/* A thread that ended is passed over, and so are threads that never were. */
START_TEST(thread_ended)
{
	uint64_t thread = WORLD_THREAD + 3;

	begin(0);
	for (unsigned int i = 0; i < 2 * MOVERS; i++) {
		host.thread = WORLD_THREAD + i;
		world_write(99, model.world.secret[0].placeholder, 32);
	}
	ck_assert_int_eq(bpf_map_delete_elem(&staged, &thread), 0);
	write_one(&model);
	host.thread = WORLD_THREAD + 100;
	model_flush(&model);
	check(&model, "another thread ended", true);
	model_end(&model);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		sent_by_another_thread, not_where_nothing_moves,
		not_by_another_process, crossed,
		claimed_once,		loser_goes_on,
		moved_in_the_middle,	vain_searches,
		thread_ended,
	};

	return suite_run("movers", tests, ARRAY_SIZE(tests), 60, NULL, NULL);
}
