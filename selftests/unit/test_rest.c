// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel/hook/rest.h: a library that takes one record's worth of each call, however
 * much that is with its peer. Every placeholder is staged where it leaves whole; only
 * those that the end of a record cuts remain pending.
 */
#include "selftests/unit/host_world.h"
#include "selftests/unit/suite.h"

#include "kernel/hook/rest.h"

#include <check.h>

#define TEXT_MAX    100000
#define SECRETS	    4
#define PLACES	    64
#define SMALLEST    200 /* bytes of a record */
#define CONNECTIONS 3

static const uint32_t secret_size[SECRETS] = { 32, 40, 64, 150 };

struct place {
	size_t at;
	uint32_t size;
	unsigned int served;
};

/* One message on its way. */
struct sending {
	uint64_t session;
	uint8_t *text;
	size_t size, at, record;
	uint32_t count;
	struct place place[PLACES];
};

static struct world world;

static void setup(void)
{
	world_begin(&world, 7);
	for (size_t i = 0; i < SECRETS; i++)
		world_grant(&world, secret_size[i]);
}

/* Not denser than what a write can have staged. */
static void sending_begin(struct sending *s, uint64_t session, size_t size, size_t record)
{
	size_t at = random_below(&world.random, 2500);

	memset(s, 0, sizeof(*s));
	s->session = session;
	s->size = size;
	s->record = record;
	s->text = host_alloc(size);
	memset(s->text, '.', size);
	while (s->count < PLACES) {
		const struct world_secret *secret =
			&world.secret[random_below(&world.random, SECRETS)];

		if (at + secret->size > size)
			break;
		memcpy(s->text + at, secret->placeholder, secret->size);
		s->place[s->count++] = (struct place){ .at = at, .size = secret->size };
		at += secret->size + 2500 + random_below(&world.random, 2500);
	}
}

static void serve(struct sending *s, struct staged_write *write,
		  struct staged_placeholder *placeholder)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (s->place[i].at == s->at + placeholder->offset)
			s->place[i].served++;
	placeholder->served = 1;
	write->served++;
	world_staged()->pending--;
}

/* What the socket object does with a record that begins with the write. */
static void send_record(struct sending *s, size_t taken)
{
	struct staged *st = world_staged();
	struct staged_write *write = st ? &st->write[st->last & (STAGED_WRITES - 1)] : NULL;

	if (!write || write->session != s->session || write->size != s->size - s->at)
		return;
	for (uint32_t i = 0; i < write->count; i++)
		if (write->placeholder[i].offset + write->placeholder[i].size <= taken &&
		    !write->placeholder[i].served)
			serve(s, write, &write->placeholder[i]);
}

/* One call of the library's function. */
static void sending_step(struct sending *s)
{
	size_t left = s->size - s->at, taken = left < s->record ? left : s->record;

	host.user = s->text + s->at;
	host.user_size = left;
	scan_record(s->session, (u64)host.user, left);
	send_record(s, taken);
	s->at += taken;
}

static bool is_cut(const struct sending *s, const struct place *place)
{
	return place->at / s->record != (place->at + place->size - 1) / s->record;
}

/* Returns how many were cut. */
static uint32_t sending_end(struct sending *s)
{
	uint32_t cut = 0;

	for (uint32_t i = 0; i < s->count; i++) {
		ck_assert_uint_eq(s->place[i].served, !is_cut(s, &s->place[i]));
		cut += is_cut(s, &s->place[i]);
	}
	free(s->text);
	return cut;
}

static uint32_t pending(void)
{
	return world_staged() ? world_staged()->pending : 0;
}

static size_t random_record(void)
{
	return random_below(&world.random, 4) ? SMALLEST + random_below(&world.random, 5000)
					      : REST_RECORD;
}

START_TEST(one_message)
{
	struct sending s;

	for (uint64_t session = 1; session <= 500; session++) {
		uint32_t before = pending();

		sending_begin(&s, session, 1 + random_below(&world.random, TEXT_MAX),
			      random_record());
		while (s.at < s.size)
			sending_step(&s);
		ck_assert_uint_eq(pending() - before, sending_end(&s));
		ck_assert_uint_eq(host.events, 0);
		if (pending()) { /* let them time out */
			host.time += STAGED_TIMEOUT + 1;
			for (u64 slot = 0; slot < STAGED_WRITES; slot++)
				stage_drop(world_staged(), slot);
			ck_assert_uint_eq(world_events(VERDICT_REFUSED, REASON_UNSEEN),
					  host.events);
			host_events_clear();
		}
	}
}
END_TEST

/* Connections of one thread, in turn. */
START_TEST(several_connections)
{
	struct sending s[CONNECTIONS];
	uint32_t cut = 0;

	for (int i = 0; i < CONNECTIONS; i++)
		sending_begin(&s[i], (uint64_t)i + 1, TEXT_MAX / 4, 1000 + 700 * (size_t)i);
	for (int turn = 0; turn < TEXT_MAX; turn++)
		for (int i = 0; i < CONNECTIONS; i++)
			if (s[i].at < s[i].size)
				sending_step(&s[i]);
	for (int i = 0; i < CONNECTIONS; i++)
		cut += sending_end(&s[i]);
	ck_assert_uint_eq(pending(), cut);
}
END_TEST

static uint8_t *text_with_placeholder(size_t size, size_t at)
{
	uint8_t *text = host_alloc(size);

	memset(text, '.', size);
	memcpy(text + at, world.secret[0].placeholder, world.secret[0].size);
	return text;
}

static void write_at(uint64_t session, const uint8_t *text, size_t size)
{
	host.user = text;
	host.user_size = size;
	scan_record(session, (u64)text, size);
}

/* What is no rest is forgotten by nothing: another connection, another end, the same again. */
START_TEST(not_the_rest)
{
	uint8_t *text = text_with_placeholder(1000, 500), *other = host_alloc(600);

	memset(other, '.', 600);
	write_at(1, text, 1000);
	ck_assert_uint_eq(pending(), 1);
	write_at(2, text + 400, 600);
	ck_assert_uint_eq(pending(), 2);
	write_at(1, other, 600);
	ck_assert_uint_eq(pending(), 2);
	write_at(1, text, 1000);
	ck_assert_uint_eq(pending(), 3);
	write_at(1, text + 501, 499); /* it began before */
	ck_assert_uint_eq(pending(), 3);
	write_at(1, text + 500, 500); /* it is there again, instead of both */
	ck_assert_uint_eq(pending(), 2);
	free(other);
	free(text);
}
END_TEST

/* What begins after a record's worth is left for the next call. */
START_TEST(a_record_at_most)
{
	size_t size = REST_RECORD + 200;
	uint8_t *text = text_with_placeholder(size, REST_RECORD);

	write_at(1, text, size);
	ck_assert_ptr_null(world_staged());
	memset(text, '.', size);
	memcpy(text + REST_RECORD - 1, world.secret[0].placeholder, world.secret[0].size);
	write_at(2, text, size);
	ck_assert_uint_eq(pending(), 1);
	ck_assert_uint_eq(host.events, 0);
	free(text);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		one_message,
		several_connections,
		not_the_rest,
		a_record_at_most,
	};

	return suite_run("rest", tests, ARRAY_SIZE(tests), 60, setup, world_end);
}
