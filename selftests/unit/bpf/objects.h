/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The small BPF objects of this directory, embedded into the tests that load
 * them. Weak, so that a test built without them fails with a sentence instead
 * of breaking the build of all others.
 */
#ifndef KLOAK_TEST_OBJECTS_H
#define KLOAK_TEST_OBJECTS_H

#include <check.h>
#include <stddef.h>

#define TEST_OBJECT(name)                                             \
	extern const char bpf_##name##_start[] __attribute__((weak)), \
		bpf_##name##_end[] __attribute__((weak))

TEST_OBJECT(calls);
TEST_OBJECT(events);
TEST_OBJECT(guarded);
TEST_OBJECT(mismatch);
TEST_OBJECT(socket);
TEST_OBJECT(unchecked);

#define OBJECT_START(name) (bpf_##name##_start)
#define OBJECT_SIZE(name)  ((size_t)(bpf_##name##_end - bpf_##name##_start))

/* For a checked fixture: the linker has put the objects in. */
static inline void require_objects(void)
{
	const char *volatile start = bpf_calls_start;

	ck_assert_msg(start != NULL, "built without selftests/unit/bpf/embedded.o");
}

#endif
