// SPDX-License-Identifier: GPL-2.0-only
/* Reading ld.so.cache: see ldcache.h. */
#include "user/attach/ldcache.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "elf/image.h"
#include "lib/cleanup.h"
#include "lib/file.h"

/* glibc sysdeps/generic/dl-cache.h: cache_file, file_entry, cache_file_new, file_entry_new. */
#define OLD_MAGIC	"ld.so-1.7.0"
#define OLD_HEADER_SIZE 16 /* magic, padding, uint32_t count */
#define OLD_ENTRY_SIZE	12
#define NEW_MAGIC	"glibc-ld.so.cache1.1"
#define NEW_ALIGN	8

struct new_header {
	char magic[20];
	uint32_t count;
	uint32_t strings_size;
	uint8_t flags; /* 0: not said, else: bits 0 and 1 are 2 for little-endian */
	uint8_t padding[3];
	uint32_t extensions;
	uint32_t unused[3];
};

struct new_entry {
	uint32_t flags;
	uint32_t soname; /* offsets from the header */
	uint32_t path;
	uint32_t os_version;
	uint64_t hwcap;
};

_Static_assert(sizeof(struct new_header) == 48 && sizeof(struct new_entry) == 24, "as in the file");

#define FLAG_TYPE_MASK	   0x00ff
#define FLAG_ELF_LIBC6	   0x0003
#define FLAG_REQUIRED_MASK 0xff00

static const struct {
	uint16_t machine;
	uint32_t required;
} machines[] = {
	{ EM_X86_64, 0x0300 },
	{ EM_AARCH64, 0x0a00 },
};

static int copy_out(const struct ldcache *cache, uint64_t offset, void *to, size_t size)
{
	if (!elf_range_valid(cache->size, offset, size))
		return -EBADMSG;
	memcpy(to, cache->data + offset, size);
	return 0;
}

/* An old table in front is skipped: everything that reads it today reads the new one too. */
static int skip_old_table(struct ldcache *cache)
{
	uint32_t count;
	uint64_t size;

	if (cache->size < OLD_HEADER_SIZE ||
	    memcmp(cache->data, OLD_MAGIC, sizeof(OLD_MAGIC) - 1) != 0)
		return 0;
	memcpy(&count, cache->data + OLD_HEADER_SIZE - sizeof(count), sizeof(count));
	size = OLD_HEADER_SIZE + (uint64_t)count * OLD_ENTRY_SIZE;
	size = (size + NEW_ALIGN - 1) / NEW_ALIGN * NEW_ALIGN;
	if (size > cache->size)
		return -EBADMSG;
	cache->data += size;
	cache->size -= size;
	return 0;
}

static int check_header(struct ldcache *cache)
{
	struct new_header header;
	int ret = skip_old_table(cache);

	if (!ret)
		ret = copy_out(cache, 0, &header, sizeof(header));
	if (ret)
		return ret;
	if (memcmp(header.magic, NEW_MAGIC, sizeof(header.magic)) != 0 ||
	    (header.flags && (header.flags & 3) != 2))
		return -EBADMSG;
	if (!elf_range_valid(cache->size, sizeof(header),
			     header.count * (uint64_t)sizeof(struct new_entry)))
		return -EBADMSG;
	cache->count = header.count;
	return 0;
}

int ldcache_open(struct ldcache *cache, const char *path)
{
	int ret;

	*cache = (struct ldcache){ 0 };
	ret = file_read_regular(path, LDCACHE_MAX, &cache->memory, &cache->size);
	if (ret)
		return ret;
	cache->data = cache->memory;
	ret = check_header(cache);
	if (ret)
		ldcache_close(cache);
	return ret;
}

void ldcache_close(struct ldcache *cache)
{
	free(cache->memory);
	*cache = (struct ldcache){ 0 };
}

static const char *string_at(const struct ldcache *cache, uint32_t offset)
{
	if (offset >= cache->size || !memchr(cache->data + offset, '\0', cache->size - offset))
		return NULL;
	return cache->data + offset;
}

int ldcache_entry(const struct ldcache *cache, uint32_t index, struct ldcache_entry *entry)
{
	struct new_entry raw;
	int ret;

	if (index >= cache->count)
		return -ENOENT;
	ret = copy_out(cache, sizeof(struct new_header) + (uint64_t)index * sizeof(raw), &raw,
		       sizeof(raw));
	if (ret)
		return ret;
	entry->flags = raw.flags;
	entry->soname = string_at(cache, raw.soname);
	entry->path = string_at(cache, raw.path);
	return entry->soname && entry->path ? 0 : -EBADMSG;
}

static bool is_for_machine(uint32_t flags, uint16_t machine)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(machines); i++) {
		if (machines[i].machine == machine)
			return (flags & FLAG_TYPE_MASK) == FLAG_ELF_LIBC6 &&
			       (flags & FLAG_REQUIRED_MASK) == machines[i].required;
	}
	return false;
}

/* @length: how much of the soname has to be equal. */
static int find(const struct ldcache *cache, const char *soname, size_t length, uint16_t machine,
		ldcache_visit visit, void *data)
{
	struct ldcache_entry entry;
	uint32_t i;
	int ret;

	for (i = 0; i < cache->count; i++) {
		if (ldcache_entry(cache, i, &entry) || !is_for_machine(entry.flags, machine) ||
		    strncmp(entry.soname, soname, length) != 0)
			continue;
		ret = visit(data, &entry);
		if (ret)
			return ret;
	}
	return 0;
}

int ldcache_find(const struct ldcache *cache, const char *soname, uint16_t machine,
		 ldcache_visit visit, void *data)
{
	return find(cache, soname, strlen(soname) + 1, machine, visit, data);
}

int ldcache_find_prefix(const struct ldcache *cache, const char *prefix, uint16_t machine,
			ldcache_visit visit, void *data)
{
	return find(cache, prefix, strlen(prefix), machine, visit, data);
}
