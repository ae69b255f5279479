// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as a Go program: its function table, its build info. */
#include "elf/image.c"
#include "elf/dynamic.c"
#undef CHUNK
#include "elf/relative.c"
#include "elf/strings.c"
#include "elf/pclntab.c"
#undef HEADER_SIZE
#define visit_section	visit_section_of_build
#define search_segments search_segments_of_build
#include "elf/buildinfo.c"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void read_functions(const struct elf_image *image)
{
	static const char *const names[] = { "runtime.main", "main.main", "no.such",
					     "crypto/tls.(*Conn).Write" };
	struct elf_symbol found[ARRAY_SIZE(names)];
	struct pclntab table;
	uint64_t offset;
	size_t i;

	if (pclntab_open(image, &table))
		return;
	REQUIRE(table.offset < image->size && table.count <= PCLNTAB_FUNCTIONS_MAX);
	if (pclntab_find(&table, names, ARRAY_SIZE(names), found) < 0)
		return;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (found[i].error)
			continue;
		REQUIRE(found[i].size > 0);
		REQUIRE(!elf_address_to_offset(image, found[i].value, &offset));
		REQUIRE(offset < image->size || image->size == 0);
	}
}

static void read_build(const struct elf_image *image)
{
	struct buildinfo info;

	if (!buildinfo_read(image, &info))
		REQUIRE(strlen(info.version) < sizeof(info.version));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct elf_image image;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (elf_image_open(&image, fd))
		return 0;
	read_functions(&image);
	read_build(&image);
	/* The same as seen by a reader whose file is cut to half in the middle of its work. */
	if (ftruncate(fd, (off_t)(size / 2)))
		abort();
	read_functions(&image);
	read_build(&image);
	elf_image_close(&image);
	return 0;
}
