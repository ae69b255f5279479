// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as an ELF file: image, symbols, dynamic section, notes. */
#include "elf/image.c"
#include "elf/dynamic.c"
#include "elf/note.c"
#undef CHUNK
#include "elf/symtab.c"
#include "elf/strings.c"
#include "elf/symbol.c"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int visit_name(void *data, uint64_t index, const Elf64_Sym *entry)
{
	const struct elf_symtab *table = data;
	char name[64];
	uint16_t version;

	elf_symtab_name(table, entry, name, sizeof(name));
	elf_symtab_version(table, index, &version);
	return 0;
}

static void read_symbols(const struct elf_image *image)
{
	static const char *const names[] = { "f", "one", "versioned", "no_such_name", "local" };
	struct elf_symbol found[ARRAY_SIZE(names)];
	struct elf_symtab table;
	uint64_t offset;
	size_t i;
	int kind;

	if (elf_symbols_find(image, names, ARRAY_SIZE(names), found) > 0) {
		for (i = 0; i < ARRAY_SIZE(names); i++) {
			if (!elf_address_to_offset(image, found[i].value, &offset) &&
			    offset >= image->size)
				__builtin_trap();
		}
	}
	for (kind = ELF_DYNSYM; kind <= ELF_SYMTAB; kind++) {
		if (!elf_symtab_open(image, (enum elf_symtab_kind)kind, &table))
			elf_symtab_walk(&table, visit_name, &table);
	}
}

static void read_strings(const struct elf_image *image)
{
	struct elf_build_id id;
	struct elf_dynamic dynamic;
	char text[256];
	size_t i;

	elf_interpreter(image, text, sizeof(text));
	if (!elf_build_id_read(image, &id) && (id.size == 0 || id.size > sizeof(id.bytes)))
		__builtin_trap();
	if (elf_dynamic_read(image, &dynamic))
		return;
	elf_dynamic_string(image, &dynamic, dynamic.soname, text, sizeof(text));
	for (i = 0; i < dynamic.needed_count; i++)
		elf_dynamic_string(image, &dynamic, dynamic.needed[i], text, sizeof(text));
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
	read_symbols(&image);
	read_strings(&image);
	/* The same as seen by a reader whose file is cut to half in the middle of its work. */
	if (ftruncate(fd, (off_t)(size / 2)))
		abort();
	read_symbols(&image);
	read_strings(&image);
	elf_image_close(&image);
	return 0;
}
