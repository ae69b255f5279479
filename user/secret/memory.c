// SPDX-License-Identifier: GPL-2.0-only
/* Memory for secret values: see memory.h for the contract. */
#include "user/secret/memory.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void secret_wipe(void *data, size_t size)
{
	explicit_bzero(data, size);
}

static bool memory_lock(void *base, size_t size)
{
	static bool warned;

	if (mlock(base, size) == 0)
		return true;
	if (!warned)
		warning("cannot lock %zu bytes for secrets in memory: %s; while they are loaded "
			"they may reach the swap device; raise the limit (ulimit -l, "
			"LimitMEMLOCK= in a systemd unit)",
			size, strerror(errno));
	warned = true;
	return false;
}

/*
 * MADV_WIPEONFORK rather than MADV_DONTFORK: a child that runs its parent's
 * cleanup finds zeros and not a segmentation fault. The child has the value
 * neither way.
 */
int secret_memory_map(struct secret_memory *memory, size_t size, struct error *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *base;

	*memory = (struct secret_memory){ 0 };
	if (size == 0 || size > SIZE_MAX - page)
		return error_set(err, -EINVAL, "cannot map %zu bytes for secrets", size);
	size = (size + page - 1) / page * page;
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return error_set(err, -errno, "cannot map %zu bytes for secrets: %s; free memory",
				 size, strerror(errno));
	if (madvise(base, size, MADV_DONTDUMP) || madvise(base, size, MADV_WIPEONFORK)) {
		int code = -errno;

		munmap(base, size);
		return error_set(err, code,
				 "cannot keep secrets out of core dumps and children: %s; Linux "
				 "4.14 or later is needed",
				 strerror(-code));
	}
	*memory = (struct secret_memory){ .base = base,
					  .size = size,
					  .locked = memory_lock(base, size) };
	return 0;
}

void secret_memory_release(struct secret_memory *memory)
{
	if (!memory->base)
		return;
	secret_wipe(memory->base, memory->size);
	munmap(memory->base, memory->size);
	*memory = (struct secret_memory){ 0 };
}
