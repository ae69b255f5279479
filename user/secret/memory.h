/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory for secret values: never in a core dump, never on the swap device,
 * empty in a forked child, zeroised when it is given back.
 */
#ifndef KLOAK_SECRET_MEMORY_H
#define KLOAK_SECRET_MEMORY_H

#include "lib/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret_memory {
	uint8_t *base; /* NULL: none */
	size_t size;   /* bytes, whole pages */
	bool locked;   /* mlock(2) succeeded */
};

/*
 * Maps at least @size zeroed bytes. A kernel that refuses to lock them (limit
 * RLIMIT_MEMLOCK) costs one warning, not the run: the values live in user
 * space only for the moment between reading them and loading them.
 * Returns 0, or a negative errno with a sentence in @err.
 */
int secret_memory_map(struct secret_memory *memory, size_t size, struct error *err);

/* Zeroises and unmaps; a second call does nothing. */
void secret_memory_release(struct secret_memory *memory);

/* Overwrites @size bytes with zeros; the compiler cannot leave it out. */
void secret_wipe(void *data, size_t size);

#endif
