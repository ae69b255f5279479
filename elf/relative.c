// SPDX-License-Identifier: GPL-2.0-only
/* Relative relocations: see relative.h. */
#include "elf/relative.h"

#include <errno.h>
#include <string.h>

#include "elf/dynamic.h"
#include "lib/cleanup.h"

#define CHUNK 2048 /* relocations read at once: 48 KB */

/* The bytes that are being read. */
struct span {
	uint64_t address;
	uint8_t *bytes;
	size_t size;
};

static void relocate(const struct span *span, const Elf64_Rela *relocation)
{
	uint64_t at = relocation->r_offset - span->address;

	if (ELF64_R_TYPE(relocation->r_info) == R_X86_64_RELATIVE &&
	    elf_range_valid(span->size, at, sizeof(relocation->r_addend)))
		memcpy(span->bytes + at, &relocation->r_addend, sizeof(relocation->r_addend));
}

static int relocate_all(const struct elf_image *image, const struct span *span)
{
	CLEANUP_FREE Elf64_Rela *chunk = NULL;
	struct elf_dynamic dynamic;
	uint64_t at, count;
	size_t have, i;
	int ret = elf_dynamic_read(image, &dynamic);

	if (ret || !dynamic.relocations)
		return ret == -ENOENT ? 0 : ret;
	if (dynamic.relocations_size > ELF_RELOCATIONS_MAX)
		return -E2BIG;
	chunk = malloc(CHUNK * sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	count = dynamic.relocations_size / sizeof(*chunk);
	for (at = 0; at < count; at += have) {
		have = count - at < CHUNK ? (size_t)(count - at) : CHUNK;
		ret = elf_image_read(image, dynamic.relocations + at * sizeof(*chunk), chunk,
				     have * sizeof(*chunk));
		if (ret)
			return ret;
		for (i = 0; i < have; i++)
			relocate(span, &chunk[i]);
	}
	return 0;
}

int elf_relative_read(const struct elf_image *image, uint64_t address, void *buffer, size_t size)
{
	const struct span span = { .address = address, .bytes = buffer, .size = size };
	uint64_t offset;
	int ret = elf_address_to_offset(image, address, &offset);

	if (!ret)
		ret = elf_image_read(image, offset, buffer, size);
	if (ret || image->type != ET_DYN)
		return ret;
	return relocate_all(image, &span);
}
