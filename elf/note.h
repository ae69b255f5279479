/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ELF notes: the build-id, which names one build of a file and leads to its
 * separate debug file. Format: gABI chapter 5, "Note Section".
 */
#ifndef KLOAK_ELF_NOTE_H
#define KLOAK_ELF_NOTE_H

#include "elf/image.h"

#define ELF_BUILD_ID_MAX 64

struct elf_build_id {
	uint8_t bytes[ELF_BUILD_ID_MAX];
	size_t size; /* 20 for SHA-1, as usual; 8 and 16 occur as well */
};

/* From PT_NOTE, else SHT_NOTE. -ENOENT if the file has none (or one over ELF_BUILD_ID_MAX). */
int elf_build_id_read(const struct elf_image *image, struct elf_build_id *id);

#endif
