// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel/hook/scan.h and stage.h: the placeholders that are staged for a write
 * are those that a plain search finds, in order, whatever surrounds them and
 * wherever they are in the windows and chunks of the scan; what is not staged is
 * reported.
 */
#include "selftests/unit/host_world.h"
#include "selftests/unit/suite.h"

#include <check.h>
#include <stdio.h>

#define TEXT_MAX (4 * SCAN_CHUNK)

static struct world world;
static uint8_t *text; /* TEXT_MAX bytes */
static uint64_t session;

static const uint32_t long_size[] = { 32, 33, 40, 63, 64, 100, 200, SECRET_MAX };
static const uint32_t any_size[] = { 8, 9, 12, 16, 24, 31, 32, 36, 100, SECRET_MAX };

static void grant_long(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(long_size); i++)
		world_grant(&world, long_size[i]);
}

static void grant_any(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(any_size); i++)
		world_grant(&world, any_size[i]);
}

static void setup(void)
{
	world_begin(&world, 1);
	text = host_alloc(TEXT_MAX);
	session = 0;
}

static void teardown(void)
{
	free(text);
	world_end();
}

/* ---- what surrounds placeholders ---- */

enum background { JSON, BASE64, BINARY, DIGITS, CAPITALS, COLONS, PREFIXES, BACKGROUNDS };

static void fill(enum background background, size_t size)
{
	static const char *const alphabet[BACKGROUNDS] = {
		[JSON] = "abcdefghijklmnopqrstuvwxyz {}[]\",:0123456789ABC\n",
		[BASE64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
		[DIGITS] = "0123456789",
		[CAPITALS] = WORLD_ALPHABET,
		[COLONS] = ":",
	};

	for (size_t i = 0; i < size; i++) {
		const char *letters = alphabet[background];

		if (background == PREFIXES) /* pieces, the last byte of each is wrong */
			text[i] = (uint8_t)("kloak;kloakkloa:"[i % 16]);
		else if (background == BINARY)
			text[i] = (uint8_t)random_next(&world.random);
		else
			text[i] = (uint8_t)
				letters[random_below(&world.random, (uint32_t)strlen(letters))];
	}
}

static size_t place(uint32_t secret, size_t at)
{
	memcpy(text + at, world.secret[secret].placeholder, world.secret[secret].size);
	return at + world.secret[secret].size;
}

/* ---- the plain search ---- */

struct found {
	uint32_t count;
	struct {
		size_t at;
		uint32_t secret;
	} place[4096];
};

static struct found found;

static void search(size_t size)
{
	found.count = 0;
	for (size_t at = 0; at < size; at++) {
		for (uint32_t i = 0; text[at] == 'k' && i < world.count; i++) {
			const struct world_secret *secret = &world.secret[i];

			if (secret->size > size - at ||
			    memcmp(text + at, secret->placeholder, secret->size) != 0)
				continue;
			found.place[found.count].at = at;
			found.place[found.count++].secret = i;
		}
	}
}

/* The write that was staged last. */
static const struct staged_write *newest(void)
{
	const struct staged *st = world_staged();
	const struct staged_write *write = NULL;

	for (unsigned int i = 0; st && i < STAGED_WRITES; i++)
		if (st->write[i].session == session && st->write[i].id)
			write = &st->write[i];
	return write;
}

/* Scans the text and compares; returns how many are staged. */
static uint32_t check(size_t size)
{
	uint8_t *exact = host_alloc(size), head[PLACEHOLDER_HEAD];
	const struct staged_write *write;
	uint32_t expected, staged_count;

	memcpy(exact, text, size);
	host_events_clear();
	session++;
	world_write(session, exact, size);
	free(exact);
	search(size);
	write = newest();
	staged_count = write ? write->count : 0;
	expected = found.count < STAGED_PLACEHOLDERS ? found.count : STAGED_PLACEHOLDERS;
	ck_assert_uint_eq(staged_count, expected);
	for (uint32_t i = 0; i < staged_count; i++) {
		const struct staged_placeholder *placeholder = &write->placeholder[i];

		world_head(&world.secret[found.place[i].secret], head);
		ck_assert_uint_eq(placeholder->offset, found.place[i].at);
		ck_assert_uint_eq(placeholder->size, world.secret[found.place[i].secret].size);
		ck_assert_mem_eq(placeholder->head, head, PLACEHOLDER_HEAD);
		ck_assert_uint_eq(placeholder->served, 0);
	}
	if (write) {
		ck_assert_uint_eq(write->size, size);
		ck_assert_uint_eq(world_staged()->workload, WORLD_WORKLOAD);
	}
	return staged_count;
}

/* ---- one placeholder ---- */

/* At every offset near the places where chunks and parts begin and end, and at both ends. */
static void around_chunks(enum background background)
{
	static const size_t edge[] = { 0,
				       SCAN_PART,
				       SCAN_STEP,
				       SCAN_CHUNK,
				       SCAN_STEP + SCAN_PART,
				       2 * SCAN_STEP,
				       SCAN_STEP + SCAN_CHUNK };
	size_t size = SCAN_STEP + SCAN_CHUNK + 700;

	fill(background, TEXT_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(edge); i++) {
		for (size_t near = 0; near < 130; near++) {
			uint32_t secret = (uint32_t)near % world.count;
			size_t at = edge[i] + near < 65 ? near : edge[i] + near - 65;
			uint8_t saved[SECRET_MAX];

			memcpy(saved, text + at, SECRET_MAX);
			place(secret, at);
			ck_assert_uint_eq(check(size), 1);
			ck_assert_uint_eq(check(at + world.secret[secret].size), 1); /* the end */
			memcpy(text + at, saved, SECRET_MAX);
		}
	}
	ck_assert_uint_eq(check(size), 0);
}

START_TEST(edges_long)
{
	grant_long();
	around_chunks((enum background)_i);
}
END_TEST

START_TEST(edges_any)
{
	grant_any();
	around_chunks((enum background)_i);
}
END_TEST

/* The whole of a small text, every size of it. */
START_TEST(alone)
{
	for (unsigned short_ones = 0; short_ones < 2; short_ones++) {
		world_begin(&world, short_ones);
		short_ones ? grant_any() : grant_long();
		for (uint32_t i = 0; i < world.count; i++) {
			for (size_t before = 0; before < 50; before++) {
				memset(text, 'x', TEXT_MAX);
				place(i, before);
				for (size_t after = 0; after < 50; after++)
					ck_assert_uint_eq(
						check(before + world.secret[i].size + after), 1);
			}
		}
	}
}
END_TEST

/* The shortest long one at every offset of a part, between bytes of every kind. */
START_TEST(every_offset)
{
	static const uint8_t around[] = {
		0x00, 0x2f, 0x30, 0x5f, 0x60, 0x7f, 0x80, 0xb0, 0xdf, 0xff
	};

	grant_long();
	for (size_t i = 0; i < ARRAY_SIZE(around); i++) {
		memset(text, around[i], TEXT_MAX);
		for (size_t at = 0; at < SCAN_PART + 2 * SCAN_BLOCK; at++) {
			place(0, at);
			ck_assert_uint_eq(check(at + 100), 1);
			memset(text + at, around[i], world.secret[0].size);
		}
	}
}
END_TEST

/* What follows "kloak" is just long enough, or just too short. */
START_TEST(shortest_run)
{
	grant_long();
	for (size_t at = 0; at < 2 * SCAN_BLOCK; at++) {
		memset(text, '.', 1000);
		place(0, at);
		ck_assert_uint_eq(check(1000), 1);
		text[at + world.secret[0].size - 1] = '.';
		ck_assert_uint_eq(check(1000), 0);
	}
}
END_TEST

/* ---- many ---- */

START_TEST(random_texts)
{
	unsigned int staged_count = 0;

	for (uint64_t seed = 1; seed < 1200; seed++) {
		size_t size, at;

		world_begin(&world, seed);
		seed & 1 ? grant_any() : grant_long();
		size = 600 + random_below(&world.random, TEXT_MAX - 600);
		fill((enum background)(seed % BACKGROUNDS), size);
		at = random_below(&world.random, (uint32_t)size);
		for (unsigned int i = 0; i < STAGED_PLACEHOLDERS; i++) {
			uint32_t secret = random_below(&world.random, world.count);

			if (at + world.secret[secret].size > size)
				break;
			at = place(secret, at);
			if (random_below(&world.random, 2)) /* else the next one touches it */
				at += random_below(&world.random, 1500);
		}
		staged_count += check(size);
	}
	ck_assert_uint_gt(staged_count, 1200);
}
END_TEST

START_TEST(adjacent)
{
	for (unsigned short_ones = 0; short_ones < 2; short_ones++) {
		for (size_t before = 0; before < 200; before++) {
			size_t at = before;

			world_begin(&world, before + 1);
			short_ones ? grant_any() : grant_long();
			memset(text, '-', before);
			for (unsigned int i = 0; i < STAGED_PLACEHOLDERS; i++)
				at = place((uint32_t)(before + i) % 5, at);
			ck_assert_uint_eq(check(at), STAGED_PLACEHOLDERS);
		}
	}
}
END_TEST

/* ---- caps and reports ---- */

START_TEST(too_many)
{
	size_t at = 0;

	grant_long();
	for (unsigned int i = 0; i < STAGED_PLACEHOLDERS + 3; i++)
		at = place(i % 3, at);
	ck_assert_uint_eq(check(at), STAGED_PLACEHOLDERS);
	ck_assert_uint_eq(world_events(VERDICT_REFUSED, REASON_TOO_MANY), 3);
}
END_TEST

/* More beginnings in a chunk than are noted. */
START_TEST(too_many_hits)
{
	grant_any();
	for (size_t i = 0; i < 40; i++)
		memcpy(text + 10 * i, "kloak:----", 10);
	ck_assert_uint_eq(check(400), 0);
	ck_assert_uint_eq(world_events(VERDICT_REFUSED, REASON_TOO_MANY), 1);
}
END_TEST

START_TEST(not_granted)
{
	grant_long();
	memset(text, '.', 200);
	place(0, 100);
	text[120] = text[120] == 'A' ? 'B' : 'A';
	ck_assert_uint_eq(check(200), 0);
	ck_assert_uint_eq(world_events(VERDICT_REFUSED, REASON_UNKNOWN_PLACEHOLDER), 1);
	ck_assert_uint_eq(host.events, 1);
}
END_TEST

/* Cut by the end of the write, everywhere. */
START_TEST(cut_by_the_end)
{
	grant_long();
	memset(text, '.', 1000);
	place(4, 100); /* 64 bytes */
	for (size_t cut = 40; cut < 64; cut++) {
		ck_assert_uint_eq(check(100 + cut), 0);
		ck_assert_uint_eq(world_events(VERDICT_REFUSED, REASON_SPLIT), 1);
		ck_assert_uint_eq(host.events, 1);
	}
}
END_TEST

/* Likewise with so little of it that it has no long run, wherever it lies. */
START_TEST(cut_early)
{
	grant_long();
	for (size_t at = 0; at < 200; at++) {
		memset(text, '.', 1000);
		place(5, at); /* 100 bytes */
		for (size_t cut = 7; cut < 64; cut++) {
			ck_assert_uint_eq(check(at + cut), 0);
			ck_assert_uint_eq(world_events(VERDICT_REFUSED, REASON_SPLIT),
					  cut > SECRET_MIN);
			ck_assert_uint_eq(host.events, cut > SECRET_MIN);
		}
	}
}
END_TEST

/* A whole one in front of one that is cut: each is found once. */
START_TEST(cut_behind_another)
{
	grant_long();
	for (size_t between = 0; between < 100; between++) {
		memset(text, '.', 1000);
		place(5, place(0, 30) + between);
		for (size_t cut = 9; cut < 64; cut++) {
			ck_assert_uint_eq(check(30 + 32 + between + cut), 1);
			ck_assert_uint_eq(world_events(VERDICT_REFUSED, REASON_SPLIT), 1);
		}
	}
}
END_TEST

START_TEST(unreadable)
{
	uint8_t *exact = host_alloc(9000);

	grant_long();
	host.user = exact;
	host.user_size = 9000;
	scan_plaintext(1, (u64)exact, 9001);
	ck_assert_uint_eq(world_events(VERDICT_REFUSED, REASON_UNREADABLE), 1);
	scan_plaintext(1, 0, 100);
	ck_assert_uint_eq(world_events(VERDICT_REFUSED, REASON_UNREADABLE), 2);
	free(exact);
}
END_TEST

START_TEST(no_buffer_free)
{
	grant_long();
	for (uint32_t i = 0; i < SCAN_BUFFERS; i++) {
		struct scan_buffer *buffer = bpf_map_lookup_elem(&scan_buffers, &i);

		buffer->busy = 1;
	}
	place(0, 0);
	world_write(1, text, 100);
	ck_assert_ptr_null(world_staged());
	ck_assert_uint_eq(world_events(VERDICT_REFUSED, REASON_BUSY), 1);
}
END_TEST

/* That of this processor is taken, and so are others, but one. */
START_TEST(last_buffer_free)
{
	grant_long();
	for (uint32_t i = 0; i < SCAN_BUFFERS; i++) {
		struct scan_buffer *buffer = bpf_map_lookup_elem(&scan_buffers, &i);

		buffer->busy = i != SCAN_BUFFERS - 1;
	}
	memset(text, '.', 200);
	place(0, 100);
	ck_assert_uint_eq(check(200), 1);
	for (uint32_t i = 0; i < SCAN_BUFFERS; i++) {
		struct scan_buffer *buffer = bpf_map_lookup_elem(&scan_buffers, &i);

		ck_assert_uint_eq(buffer->busy, i != SCAN_BUFFERS - 1);
	}
}
END_TEST

/* A buffer is given back. */
START_TEST(buffers_return)
{
	grant_long();
	memset(text, '.', 200);
	for (unsigned int i = 0; i < 3 * SCAN_BUFFERS; i++)
		check(200);
	for (uint32_t i = 0; i < SCAN_BUFFERS; i++) {
		struct scan_buffer *buffer = bpf_map_lookup_elem(&scan_buffers, &i);

		ck_assert_uint_eq(buffer->busy, 0);
	}
}
END_TEST

START_TEST(other_workloads)
{
	grant_long();
	place(0, 0);
	host.cgroup[0]++;
	world_write(1, text, 100);
	ck_assert_ptr_null(world_staged());
	ck_assert_uint_eq(host.events, 0);
}
END_TEST

/* ---- writes of which the library takes a part ---- */

static const struct staged_write *write_of(size_t size)
{
	const struct staged *st = world_staged();

	for (uint32_t i = 0; i < STAGED_WRITES; i++)
		if (st->write[i].id && st->write[i].size == size)
			return &st->write[i];
	ck_abort_msg("no write of %zu bytes", size);
}

/* A piece of the text, on a connection. */
static void write_piece(uint64_t on, size_t from, size_t size)
{
	host.user = text;
	host.user_size = TEXT_MAX;
	scan_plaintext(on, (u64)(text + from), size);
}

/* Of 3000 bytes the library took 1000, and it is given the rest: that is the rest's. */
START_TEST(rest_of_a_write)
{
	grant_long();
	memset(text, '.', 3000);
	place(0, 100);
	place(0, 990); /* cut by the end of what was taken: the library has split it */
	place(0, 1500);
	place(0, 2900);
	write_piece(1, 0, 3000);
	ck_assert_uint_eq(world_staged()->pending, 4);
	write_piece(2, 1000, 2000); /* another connection */
	ck_assert_uint_eq(world_staged()->pending, 6);
	ck_assert_uint_eq(write_of(3000)->served, 0);
	write_piece(1, 1000, 2000);
	ck_assert_uint_eq(world_staged()->pending, 6);
	ck_assert_uint_eq(write_of(3000)->served, 2);
	for (unsigned int i = 0; i < 4; i++)
		ck_assert_uint_eq(write_of(3000)->placeholder[i].served, i > 1);
	host.time += STAGED_TIMEOUT + 1;
	write_piece(1, 2900, 50); /* everything is dropped: what was not the rest's is news */
	ck_assert_uint_eq(world_events(VERDICT_REFUSED, REASON_UNSEEN), 6);
}
END_TEST

/* A piece after another of its size is a write of its own; the same place again is a retry. */
START_TEST(pieces_of_one_size)
{
	grant_long();
	memset(text, '.', 2000);
	place(0, 100);
	place(0, 1100);
	write_piece(1, 0, 1000);
	write_piece(1, 1000, 1000);
	ck_assert_uint_eq(world_staged()->pending, 2);
	ck_assert_uint_eq(world_staged()->write[0].repeat, REPEAT_NONE);
	write_piece(1, 1000, 1000);
	ck_assert_uint_eq(world_staged()->pending, 3);
	ck_assert_uint_eq(world_staged()->write[0].repeat, REPEAT_NONE);
	ck_assert_uint_eq(world_staged()->write[1].repeat, REPEAT_SUPERSEDED);
	ck_assert_uint_eq(world_staged()->write[2].repeat, REPEAT_NONE);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		alone,		 random_texts,	     adjacent,	      too_many,
		too_many_hits,	 not_granted,	     cut_by_the_end,  unreadable,
		no_buffer_free,	 buffers_return,     other_workloads, every_offset,
		shortest_run,	 last_buffer_free,   cut_early,	      cut_behind_another,
		rest_of_a_write, pieces_of_one_size,
	};
	TCase *tcase = suite_case("scan", tests, ARRAY_SIZE(tests), 120, setup, teardown);

	tcase_add_loop_test(tcase, edges_long, 0, BACKGROUNDS);
	tcase_add_loop_test(tcase, edges_any, 0, BACKGROUNDS);
	return suite_run_cases("scan", &tcase, 1);
}
