/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small world for the kernel side in a test: one workload, to which some
 * secrets are granted for every destination. Errors in the world itself abort.
 */
#ifndef KLOAK_SELFTESTS_HOST_WORLD_H
#define KLOAK_SELFTESTS_HOST_WORLD_H

#include "selftests/unit/host_kernel.h"
#include "selftests/unit/reference.h"

#define WORLD_SECRETS  12
#define WORLD_WORKLOAD 1
#define WORLD_THREAD   (1000ULL << 32 | 1001)
#define WORLD_CGROUP   42
#define WORLD_ALPHABET "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

struct world_secret {
	uint32_t size;
	uint8_t placeholder[SECRET_MAX];
	uint8_t value[SECRET_MAX];
};

struct world {
	uint64_t random;
	uint32_t count;
	struct world_secret secret[WORLD_SECRETS];
};

static inline void world_put(struct host_map *map, const void *key, const void *value)
{
	if (bpf_map_update_elem(map, key, value, BPF_ANY))
		abort();
}

/* The bytes by which the kernel knows a placeholder. */
static inline void world_head(const struct world_secret *secret, uint8_t head[PLACEHOLDER_HEAD])
{
	memset(head, 0, PLACEHOLDER_HEAD);
	memcpy(head, secret->placeholder,
	       secret->size < PLACEHOLDER_HEAD ? secret->size : PLACEHOLDER_HEAD);
}

/* Grants one more secret of @size bytes, made of random bytes. */
static inline void world_grant(struct world *world, uint32_t size)
{
	struct world_secret *made = &world->secret[world->count];
	struct secret_key key = { .workload = WORLD_WORKLOAD };
	struct secret entry = { .index = world->count, .size = size };
	uint32_t zero = 0;
	struct config *settings = bpf_map_lookup_elem(&config, &zero);

	if (world->count == WORLD_SECRETS || size < SECRET_MIN || size > SECRET_MAX)
		abort();
	made->size = size;
	memcpy(made->placeholder, PLACEHOLDER_PREFIX, PLACEHOLDER_PREFIX_SIZE);
	for (uint32_t i = PLACEHOLDER_PREFIX_SIZE; i < size; i++)
		made->placeholder[i] = (uint8_t)WORLD_ALPHABET[random_below(&world->random, 32)];
	/* The first random byte numbers them: none is the beginning of another. */
	made->placeholder[PLACEHOLDER_PREFIX_SIZE] = (uint8_t)WORLD_ALPHABET[world->count];
	random_fill(&world->random, made->value, size);
	memcpy(entry.placeholder, made->placeholder, size);
	for (uint32_t i = 0; i < size; i++)
		entry.delta[i] = made->placeholder[i] ^ made->value[i];
	world_head(made, key.head);
	world_put(&secrets, &key, &entry);
	settings->placeholder_lengths |= 1ULL << (size < 32 ? size : 32);
	world->count++;
}

static inline void world_end(void)
{
	host_maps_clear();
	host_events_clear();
	memset(&host, 0, sizeof(host));
}

/* An empty world in which the current thread belongs to the workload. */
static inline void world_begin(struct world *world, uint64_t seed)
{
	struct workload workload = { .id = WORLD_WORKLOAD };
	struct config settings = { .report_swaps = 1 };
	uint64_t cgroup = WORLD_CGROUP;
	uint32_t zero = 0;

	world_end();
	memset(world, 0, sizeof(*world));
	world->random = seed * 0x9e3779b97f4a7c15ULL + 1;
	host.thread = WORLD_THREAD;
	host.cgroup[0] = WORLD_CGROUP;
	host.time = 1000000;
	world_put(&config, &zero, &settings);
	world_put(&workloads, &cgroup, &workload);
}

/* Every address may have every secret. */
static inline void world_allow_all(void)
{
	struct net_key key = {
		.prefix_bits = 64,
		.workload = __builtin_bswap32(WORLD_WORKLOAD),
		.port = __builtin_bswap32(443),
	};
	secret_mask all = ~0ULL;

	world_put(&nets, &key, &all);
}

/* What a library's write function is called with, as the hook sees it. */
static inline void world_write(uint64_t session, const void *text, size_t size)
{
	host.user = text;
	host.user_size = size;
	scan_plaintext(session, (u64)text, size);
}

static inline struct staged *world_staged(void)
{
	return bpf_map_lookup_elem(&staged, &host.thread);
}

/* How many events have this verdict and reason. */
static inline unsigned int world_events(uint32_t verdict, uint32_t reason)
{
	unsigned int count = 0;

	for (uint32_t i = 0; i < host.events; i++) {
		struct event event;

		memcpy(&event, host.event[i], sizeof(event));
		count += event.verdict == verdict && event.reason == reason;
	}
	return count;
}

#endif
