/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Real ELF files with lies in them: a copy of this test program (or of a
 * library) in a memory file, whose fields the tests then overwrite.
 */
#ifndef KLOAK_SELFTESTS_ELF_COPY_H
#define KLOAK_SELFTESTS_ELF_COPY_H

#include <check.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf/image.h"

/* A memory file with this content; it is a regular file to fstat(2). */
static inline int memory_file(const void *content, size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, content, size, 0), (ssize_t)size);
	return fd;
}

static inline int copy_of(const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), fd;
	struct stat status;
	char *content;

	ck_assert_int_ge(from, 0);
	ck_assert_int_eq(fstat(from, &status), 0);
	content = malloc((size_t)status.st_size);
	ck_assert_ptr_nonnull(content);
	ck_assert_int_eq(pread(from, content, (size_t)status.st_size, 0), status.st_size);
	fd = memory_file(content, (size_t)status.st_size);
	free(content);
	close(from);
	return fd;
}

static inline int copy_of_self(void)
{
	return copy_of("/proc/self/exe");
}

static inline void patch(int fd, uint64_t offset, const void *value, size_t size)
{
	ck_assert_int_eq(pwrite(fd, value, size, (off_t)offset), (ssize_t)size);
}

#define PATCH_FIELD(fd, base, type, field, value)                                             \
	do {                                                                                  \
		__typeof__(((type *)0)->field) patch_value = (value);                         \
		patch(fd, (base) + offsetof(type, field), &patch_value, sizeof(patch_value)); \
	} while (0)

#define PATCH_HEADER(fd, field, value) PATCH_FIELD(fd, 0, Elf64_Ehdr, field, value)

/* Where the section header of @type is in the file. */
static inline uint64_t section_header(const struct elf_image *image, uint32_t type)
{
	Elf64_Shdr section;
	size_t i;

	for (i = 0; i < image->section_count; i++) {
		ck_assert_int_eq(elf_image_section(image, i, &section), 0);
		if (section.sh_type == type)
			return image->section_table + i * sizeof(section);
	}
	ck_abort_msg("no section of type %u", type);
	return 0;
}

static inline int take_base(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	*(uint64_t *)data = info->dlpi_addr;
	return 1; /* the first one is the program */
}

/* What is to be subtracted from an address in this process to get that in its file. */
static inline uint64_t load_base(void)
{
	uint64_t base = 0;

	dl_iterate_phdr(take_base, &base);
	return base;
}

#endif
