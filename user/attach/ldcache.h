/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dynamic loader's cache, /etc/ld.so.cache: which file ldconfig(8) found
 * for which soname. Read to know what a program may load later with dlopen(3).
 *
 * Format "glibc-ld.so.cache1.1", alone or after a table of the format before
 * it ("ld.so-1.7.0"), as written by glibc's elf/cache.c. musl has no cache.
 */
#ifndef KLOAK_ATTACH_LDCACHE_H
#define KLOAK_ATTACH_LDCACHE_H

#include <stddef.h>
#include <stdint.h>

#define LDCACHE_PATH "/etc/ld.so.cache"
#define LDCACHE_MAX  (16U << 20) /* bytes; distributions have about 100 KB */

/* A copy of the file in memory; entries and strings are checked when they are read. */
struct ldcache {
	char *data; /* from the header of the new format on */
	size_t size;
	uint32_t count;
	void *memory;
};

struct ldcache_entry {
	const char *soname; /* both valid until ldcache_close() */
	const char *path;
	uint32_t flags;
};

/*
 * -ENOENT: there is no cache; -EINVAL: not a regular file; -EFBIG: over
 * LDCACHE_MAX; -EBADMSG: unknown format or truncated; other -errno of reading.
 */
int ldcache_open(struct ldcache *cache, const char *path);
void ldcache_close(struct ldcache *cache);

/* -ENOENT: there are not so many; -EBADMSG: this entry points outside the file. */
int ldcache_entry(const struct ldcache *cache, uint32_t index, struct ldcache_entry *entry);

typedef int (*ldcache_visit)(void *data, const struct ldcache_entry *entry);

/*
 * Visits the entries for 64-bit @machine (EM_X86_64, EM_AARCH64) whose soname
 * is @soname: several where there are builds for different CPU levels. Entries
 * that lie are left out. Returns 0, or the first non-zero that @visit returned.
 */
int ldcache_find(const struct ldcache *cache, const char *soname, uint16_t machine,
		 ldcache_visit visit, void *data);

/* The same for sonames that begin with @prefix, e.g. "libssl.so". */
int ldcache_find_prefix(const struct ldcache *cache, const char *prefix, uint16_t machine,
			ldcache_visit visit, void *data);

#endif
