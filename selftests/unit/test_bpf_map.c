// SPDX-License-Identifier: GPL-2.0-only
/* Maps, the ring buffer's reader and the feature trials, on the running kernel (root). */
#include <errno.h>
#include <link.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "selftests/unit/bpf/objects.h"
#include "selftests/unit/suite.h"
#include "user/bpf/feature.h"
#include "user/bpf/link.h"
#include "user/bpf/map.h"
#include "user/bpf/object.h"
#include "user/bpf/ringbuf.h"
#include "user/bpf/syscall.h"

/* --- maps -------------------------------------------------------------- */

static const struct bpf_map_shape hash = { BPF_MAP_TYPE_HASH, 4, 8, 4, BPF_F_NO_PREALLOC };

START_TEST(elements)
{
	CLEANUP_FD int map = bpf_map_create("a name with spaces, too long", &hash);
	uint32_t one = 1, two = 2, key;
	uint64_t value = 11;

	ck_assert_int_ge(map, 0);
	ck_assert_int_eq(bpf_map_lookup(map, &one, &value), -ENOENT);
	ck_assert_int_eq(bpf_map_update(map, &one, &value, BPF_EXIST), -ENOENT);
	ck_assert_int_eq(bpf_map_update(map, &one, &value, BPF_NOEXIST), 0);
	ck_assert_int_eq(bpf_map_update(map, &one, &value, BPF_NOEXIST), -EEXIST);
	value = 22;
	ck_assert_int_eq(bpf_map_update(map, &two, &value, BPF_ANY), 0);
	ck_assert_int_eq(bpf_map_lookup(map, &one, &value), 0);
	ck_assert_uint_eq(value, 11);
	ck_assert_int_eq(bpf_map_next_key(map, NULL, &key), 0);
	two = key == 1 ? 2 : 1;
	ck_assert_int_eq(bpf_map_next_key(map, &key, &key), 0);
	ck_assert_uint_eq(key, two);
	ck_assert_int_eq(bpf_map_next_key(map, &key, &key), -ENOENT);
	ck_assert_int_eq(bpf_map_delete(map, &one), 0);
	ck_assert_int_eq(bpf_map_delete(map, &one), -ENOENT);
}
END_TEST

START_TEST(full_map)
{
	CLEANUP_FD int map = bpf_map_create("full", &hash);
	uint64_t value = 0;
	uint32_t key;

	for (key = 0; key < 4; key++)
		ck_assert_int_eq(bpf_map_update(map, &key, &value, BPF_ANY), 0);
	ck_assert_int_eq(bpf_map_update(map, &key, &value, BPF_ANY), -E2BIG);
}
END_TEST

START_TEST(frozen_map)
{
	CLEANUP_FD int map = bpf_map_create("frozen", &hash);
	uint64_t value = 0;
	uint32_t key = 0;

	ck_assert_int_eq(bpf_map_freeze(map), 0);
	ck_assert_int_eq(bpf_map_update(map, &key, &value, BPF_ANY), -EPERM);
}
END_TEST

START_TEST(shape_is_read_back)
{
	const struct bpf_map_shape storage = { BPF_MAP_TYPE_SK_STORAGE, 4, 4321, 0, 0 };
	CLEANUP_FD int map = bpf_map_create("hash", &hash);
	CLEANUP_FD int sockets = bpf_map_create("sockets", &storage);
	struct bpf_map_shape shape;

	ck_assert_int_eq(bpf_map_read_shape(map, &shape), 0);
	ck_assert_mem_eq(&shape, &hash, sizeof(shape));
	ck_assert_int_eq(bpf_map_read_shape(sockets, &shape), 0);
	ck_assert_uint_eq(shape.type, BPF_MAP_TYPE_SK_STORAGE);
	ck_assert_uint_eq(shape.value_size, 4321);
	ck_assert_uint_eq(shape.flags, BPF_F_NO_PREALLOC);
	ck_assert_int_lt(bpf_map_read_shape(-1, &shape), 0);
}
END_TEST

START_TEST(sum_over_cpus)
{
	const struct bpf_map_shape shape = { BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 2, 0 };
	CLEANUP_FD int map = bpf_map_create("sum", &shape);
	uint64_t values[1024] = { 0 }, sum = 0;
	int cpus = bpf_possible_cpus(), i;
	uint32_t key = 1;

	ck_assert_int_ge(cpus, (int)sysconf(_SC_NPROCESSORS_ONLN));
	ck_assert_int_le(cpus, (int)ARRAY_SIZE(values));
	for (i = 0; i < cpus; i++)
		values[i] = 10 + (uint64_t)i;
	ck_assert_int_eq(bpf_map_update(map, &key, values, BPF_ANY), 0);
	ck_assert_int_eq(bpf_map_sum(map, &key, &sum), 0);
	ck_assert_uint_eq(sum, 10 * (uint64_t)cpus + (uint64_t)cpus * (uint64_t)(cpus - 1) / 2);
	key = 0;
	ck_assert_int_eq(bpf_map_sum(map, &key, &sum), 0);
	ck_assert_uint_eq(sum, 0);
}
END_TEST

START_TEST(set_limits)
{
	struct bpf_map_set set = { 0 };
	char name[BPF_MAP_NAME_MAX + 1] = "n";

	ck_assert_int_eq(bpf_map_set_find(&set, "n0"), -ENOENT);
	for (int i = 0; i < BPF_MAP_SET_MAX; i++) {
		name[1] = (char)('0' + i);
		ck_assert_int_eq(bpf_map_set_add(&set, name, 1000 + i), 0);
	}
	ck_assert_int_eq(bpf_map_set_find(&set, "n3"), 1003);
	ck_assert_int_eq(bpf_map_set_add(&set, "one more", 1), -ENOSPC);
	set.count = 0;
	memset(name, 'x', BPF_MAP_NAME_MAX);
	ck_assert_int_eq(bpf_map_set_add(&set, name, 1), -ENOSPC);
}
END_TEST

/* --- ring buffer ------------------------------------------------------- */

struct record {
	uint64_t first, second, sequence;
	uint8_t odd;
} __attribute__((packed));

__attribute__((noinline)) static void emit(uint64_t a, uint64_t b)
{
	__asm__ volatile("" : "+r"(a), "+r"(b)::"memory");
}

static int find_emit(struct dl_phdr_info *info, size_t size, void *context)
{
	uintptr_t address = (uintptr_t)emit - info->dlpi_addr;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD && address - segment->p_vaddr < segment->p_filesz)
			*(uint64_t *)context = address - segment->p_vaddr + segment->p_offset;
	}
	return 1;
}

struct reader {
	uint64_t expected; /* first argument of the next record */
	int stop_after;	   /* records; 0: never */
};

static int read_record(void *context, const void *bytes, uint32_t size)
{
	struct reader *reader = context;
	struct record record;

	ck_assert_uint_eq(size, sizeof(record));
	memcpy(&record, bytes, sizeof(record));
	ck_assert_uint_eq(record.first, reader->expected);
	ck_assert_uint_eq(record.second, 1);
	ck_assert_uint_eq(record.odd, 0x5a);
	reader->expected++;
	return reader->stop_after && !--reader->stop_after ? -ECANCELED : 0;
}

static struct error err;
static struct bpf_map_set set;
static struct bpf_object *object;
static struct bpf_ringbuf ringbuf;
static int probe;

static void start_ringbuf(void)
{
	uint64_t offset = 0;

	require_objects();
	dl_iterate_phdr(find_emit, &offset);
	ck_assert_int_eq(
		bpf_object_open(&object, "events", OBJECT_START(events), OBJECT_SIZE(events), &err),
		0);
	ck_assert_msg(!bpf_object_load(object, &set, &err), "%s", err.text);
	probe = link_create_uprobe(bpf_object_program(object, "on_event"), "/proc/self/exe", offset,
				   false);
	ck_assert_int_ge(probe, 0);
	ck_assert_int_eq(bpf_ringbuf_open(&ringbuf, bpf_map_set_find(&set, "events")), 0);
}

static void stop_ringbuf(void)
{
	bpf_ringbuf_close(&ringbuf);
	close(probe);
	bpf_object_close(object);
	bpf_map_set_close(&set);
}

START_TEST(records_in_order)
{
	struct reader reader = { .expected = 0 };
	uint64_t next = 0;

	ck_assert_int_eq(bpf_ringbuf_consume(&ringbuf, read_record, &reader), 0);
	/* 4096 bytes hold 102 records of 40: 50 rounds of 60 wrap around 29 times. */
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 60; i++)
			emit(next++, 1);
		ck_assert_int_eq(bpf_ringbuf_consume(&ringbuf, read_record, &reader), 60);
	}
	ck_assert_uint_eq(reader.expected, 3000);
}
END_TEST

START_TEST(discarded_records_are_skipped)
{
	struct reader reader = { .expected = 5 };

	emit(4, 0);
	emit(5, 1);
	emit(999, 0);
	emit(6, 1);
	ck_assert_int_eq(bpf_ringbuf_consume(&ringbuf, read_record, &reader), 2);
	ck_assert_int_eq(bpf_ringbuf_consume(&ringbuf, read_record, &reader), 0);
}
END_TEST

START_TEST(callback_stops)
{
	struct reader reader = { .expected = 0, .stop_after = 2 };

	for (uint64_t i = 0; i < 5; i++)
		emit(i, 1);
	ck_assert_int_eq(bpf_ringbuf_consume(&ringbuf, read_record, &reader), -ECANCELED);
	ck_assert_uint_eq(reader.expected, 2);
	ck_assert_int_eq(bpf_ringbuf_consume(&ringbuf, read_record, &reader), 3);
}
END_TEST

/* What does not fit is lost; what fitted is whole, and the space comes back. */
START_TEST(overflow)
{
	struct reader reader = { .expected = 0 };
	int count;

	for (uint64_t i = 0; i < 500; i++)
		emit(i, 1);
	count = bpf_ringbuf_consume(&ringbuf, read_record, &reader);
	ck_assert_int_ge(count, 90);
	ck_assert_int_le(count, 102);
	reader.expected = 7;
	emit(7, 1);
	ck_assert_int_eq(bpf_ringbuf_consume(&ringbuf, read_record, &reader), 1);
}
END_TEST

START_TEST(epoll_reports_records)
{
	struct epoll_event event = { .events = EPOLLIN };
	CLEANUP_FD int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct reader reader = { .expected = 0 };

	ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, bpf_map_set_find(&set, "events"), &event),
			 0);
	ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 0);
	emit(0, 1);
	ck_assert_int_eq(epoll_wait(epoll, &event, 1, 1000), 1);
	ck_assert_int_eq(bpf_ringbuf_consume(&ringbuf, read_record, &reader), 1);
	ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 0);
}
END_TEST

START_TEST(not_a_ring_buffer)
{
	CLEANUP_FD int map = bpf_map_create("hash", &hash);
	struct bpf_ringbuf other;

	ck_assert_int_eq(bpf_ringbuf_open(&other, map), -EINVAL);
	ck_assert_int_lt(bpf_ringbuf_open(&other, -1), 0);
}
END_TEST

/* --- features ---------------------------------------------------------- */

/* Everything that Kloak needs, and that every kernel from 6.1 on has. */
START_TEST(required_features)
{
	struct rlimit limit, none;

	ck_assert_msg(bpf_feature_has(_i), "%s: %s", bpf_feature_name(_i),
		      strerror(-bpf_feature_probe(_i)));
	/* The answer is remembered: a new trial could open no fd. */
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ 0, limit.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(bpf_feature_probe(_i), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
END_TEST

int main(void)
{
	const TTest *const maps[] = {
		elements, full_map, frozen_map, shape_is_read_back, sum_over_cpus, set_limits,
	};
	const TTest *const ring[] = {
		records_in_order, discarded_records_are_skipped, callback_stops,
		overflow,	  epoll_reports_records,	 not_a_ring_buffer,
	};
	TCase *const cases[] = {
		suite_case("maps", maps, ARRAY_SIZE(maps), 0, NULL, NULL),
		suite_case("ringbuf", ring, ARRAY_SIZE(ring), 60, start_ringbuf, stop_ringbuf),
		suite_case("features", NULL, 0, 60, NULL, NULL),
	};

	tcase_add_loop_test(cases[2], required_features, 0, BPF_FEATURE_UPROBE_MULTI);
	return suite_run_cases("bpf_map", cases, ARRAY_SIZE(cases));
}
