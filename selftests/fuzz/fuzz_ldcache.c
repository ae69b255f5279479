// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as /etc/ld.so.cache. */
#include "elf/image.c"
#include "lib/file.c"
#include "user/attach/ldcache.c"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int visit(void *data, const struct ldcache_entry *entry)
{
	size_t *total = data;

	*total += strlen(entry->soname) + strlen(entry->path);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[64];
	struct ldcache cache;
	size_t total = 0;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (ldcache_open(&cache, path))
		return 0;
	ldcache_find(&cache, "libssl.so.3", EM_X86_64, visit, &total);
	ldcache_find_prefix(&cache, "lib", EM_X86_64, visit, &total);
	ldcache_find_prefix(&cache, "", EM_AARCH64, visit, &total);
	ldcache_close(&cache);
	return 0;
}
