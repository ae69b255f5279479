/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BPF maps in memory, for kernel code that runs in a test (host_bpf.h). Every
 * value is an allocation of exactly its size, so that ASan sees an access
 * beyond it.
 */
#ifndef KLOAK_SELFTESTS_HOST_MAP_H
#define KLOAK_SELFTESTS_HOST_MAP_H

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HOST_BUCKETS 256

struct host_entry {
	struct host_entry *next;
	void *key;
	void *value;
};

struct host_map {
	uint32_t type, key_size, value_size, max_entries;
	uint32_t count;
	struct host_entry *bucket[HOST_BUCKETS];
	struct host_map *next; /* in host_maps, once it has an entry */
	bool used;
};

static struct host_map *host_maps;

/* Memory that a test cannot do without. */
static inline void *host_alloc(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		abort();
	return memory;
}

static inline bool host_map_is_array(const struct host_map *map)
{
	return map->type == BPF_MAP_TYPE_ARRAY || map->type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

static inline struct host_entry **host_map_bucket(struct host_map *map, const uint8_t *key)
{
	uint32_t hash = 2166136261; /* FNV-1a */

	for (uint32_t i = 0; map->type != BPF_MAP_TYPE_LPM_TRIE && i < map->key_size; i++)
		hash = (hash ^ key[i]) * 16777619;
	return &map->bucket[(hash ^ hash >> 16) % HOST_BUCKETS];
}

static inline struct host_entry *host_map_find(struct host_map *map, const void *key)
{
	struct host_entry *entry = *host_map_bucket(map, key);

	while (entry && memcmp(entry->key, key, map->key_size) != 0)
		entry = entry->next;
	return entry;
}

static inline void host_entry_free(struct host_map *map, struct host_entry **link)
{
	struct host_entry *entry = *link;

	*link = entry->next;
	free(entry->key);
	free(entry->value);
	free(entry);
	map->count--;
}

/* An LRU map makes room; which entry goes is not promised by the kernel either. */
static inline void host_map_evict(struct host_map *map)
{
	for (unsigned int i = 0; i < HOST_BUCKETS; i++) {
		if (map->bucket[i]) {
			host_entry_free(map, &map->bucket[i]);
			return;
		}
	}
}

static inline struct host_entry *host_map_add(struct host_map *map, const void *key)
{
	struct host_entry *entry, **link = host_map_bucket(map, key);

	if (map->count == map->max_entries) {
		if (map->type != BPF_MAP_TYPE_LRU_HASH)
			return NULL;
		host_map_evict(map);
	}
	if (!map->used) {
		map->used = true;
		map->next = host_maps;
		host_maps = map;
	}
	entry = host_alloc(sizeof(*entry));
	entry->key = host_alloc(map->key_size);
	memcpy(entry->key, key, map->key_size);
	entry->value = host_alloc(map->value_size);
	entry->next = *link;
	*link = entry;
	map->count++;
	return entry;
}

/*
 * The longest prefix: a key begins with its length in bits (bpf_lpm_trie_key).
 * Not inline, lest the compiler warns of the keys of other maps.
 */
static __attribute__((noinline, unused)) void *host_map_longest(struct host_map *map,
								const void *key)
{
	uint32_t bits, best = 0, size;
	void *value = NULL;

	memcpy(&bits, key, sizeof(bits));
	for (struct host_entry *entry = *host_map_bucket(map, key); entry; entry = entry->next) {
		const uint8_t *a = (const uint8_t *)entry->key + 4, *b = (const uint8_t *)key + 4;

		memcpy(&size, entry->key, sizeof(size));
		if (size > bits || memcmp(a, b, size / 8) != 0 || (value && size < best))
			continue;
		if (size % 8 && (a[size / 8] ^ b[size / 8]) >> (8 - size % 8))
			continue;
		best = size;
		value = entry->value;
	}
	return value;
}

static inline void *host_map_lookup(struct host_map *map, const void *key)
{
	struct host_entry *entry;
	uint32_t index;

	if (map->type == BPF_MAP_TYPE_LPM_TRIE)
		return host_map_longest(map, key);
	entry = host_map_find(map, key);
	if (!entry && host_map_is_array(map)) {
		memcpy(&index, key, sizeof(index));
		entry = index < map->max_entries ? host_map_add(map, key) : NULL;
	}
	return entry ? entry->value : NULL;
}

static inline long host_map_update(struct host_map *map, const void *key, const void *value,
				   uint64_t flags)
{
	struct host_entry *entry = host_map_find(map, key);

	if (entry && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!entry && flags == BPF_EXIST)
		return -ENOENT;
	if (!entry)
		entry = host_map_add(map, key);
	if (!entry)
		return -E2BIG;
	memcpy(entry->value, value, map->value_size);
	return 0;
}

static inline long host_map_delete(struct host_map *map, const void *key)
{
	struct host_entry **link = host_map_bucket(map, key);

	for (; *link; link = &(*link)->next) {
		if (memcmp((*link)->key, key, map->key_size) != 0)
			continue;
		host_entry_free(map, link);
		return 0;
	}
	return -ENOENT;
}

/* Empties every map. */
static inline void host_maps_clear(void)
{
	while (host_maps) {
		struct host_map *map = host_maps;

		for (unsigned int i = 0; i < HOST_BUCKETS; i++)
			while (map->bucket[i])
				host_entry_free(map, &map->bucket[i]);
		host_maps = map->next;
		map->used = false;
	}
}

#endif
