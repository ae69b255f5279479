// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any bytes as the symbol table of an ELF file: names, versions, and patterns.
 * The file around the table is right, so that every input gets there: 1 byte says
 * how many entries there are (in fours), 1 byte which of the names are looked up;
 * then entries; the rest are the strings. What is found is compared with a
 * plain walk over the table.
 */
#include "elf/image.c"
#include "elf/dynamic.c"
#undef CHUNK
#include "elf/symtab.c"
#include "elf/strings.c"
#include "elf/symbol.c"
#include "elf/pattern.c"

#include <fnmatch.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_MAX (1 << 20)

struct file {
	Elf64_Ehdr header;
	Elf64_Shdr sections[3]; /* none, .symtab, its strings */
	uint8_t rest[FILE_MAX];
};

static const char *const names[] = { "f", "one", "versioned", "local", "write" };
static const char *const patterns[] = {
	"*5write*", "one*two", "*Sink*5write*", "f*", "*end", "a*a"
};

/* The bytes of the input as a file; its size, or 0. */
static size_t make_file(struct file *file, const uint8_t *data, size_t size)
{
	uint64_t entries = size ? data[0] * 4UL * sizeof(Elf64_Sym) : 0;
	uint64_t begin = offsetof(struct file, rest);

	if (size < 2 || size - 2 > sizeof(file->rest) || size - 2 < entries)
		return 0;
	memset(file, 0, begin);
	memcpy(file->header.e_ident, ELFMAG "\2\1\1", SELFMAG + 3);
	file->header.e_type = ET_DYN;
	file->header.e_machine = EM_X86_64;
	file->header.e_version = EV_CURRENT;
	file->header.e_ehsize = sizeof(file->header);
	file->header.e_shoff = offsetof(struct file, sections);
	file->header.e_shentsize = sizeof(Elf64_Shdr);
	file->header.e_shnum = 3;
	file->sections[1] = (Elf64_Shdr){
		.sh_type = SHT_SYMTAB,
		.sh_offset = begin,
		.sh_size = entries,
		.sh_link = 2,
		.sh_entsize = sizeof(Elf64_Sym),
	};
	file->sections[2] = (Elf64_Shdr){
		.sh_type = SHT_STRTAB,
		.sh_offset = begin + entries,
		.sh_size = size - 2 - entries,
	};
	memcpy(file->rest, data + 2, size - 2);
	return begin + size - 2;
}

/* The entry's name, if it has one that ends in the table and is not too long. */
static const char *name_of(const struct file *file, const Elf64_Sym *entry)
{
	const Elf64_Shdr *strings = &file->sections[2];
	const char *text = (const char *)file + strings->sh_offset;
	const char *end;

	if (entry->st_name >= strings->sh_size)
		return NULL;
	end = memchr(text + entry->st_name, 0, strings->sh_size - entry->st_name);
	if (!end || end - (text + entry->st_name) > ELF_PATTERN_NAME_MAX)
		return NULL;
	return text + entry->st_name;
}

static bool is_function(const struct file *file, const Elf64_Sym *entry, const char *pattern)
{
	const char *name = name_of(file, entry);

	return entry->st_shndx != SHN_UNDEF && ELF64_ST_TYPE(entry->st_info) == STT_FUNC && name &&
	       !fnmatch(pattern, name, 0);
}

/* Each match is one of the plain walk, and (except for strings whose end is one) the reverse. */
static void check_matches(const struct file *file, const struct elf_match *found, int count)
{
	const Elf64_Sym *entries = (const void *)file->rest;
	size_t i, total = file->sections[1].sh_size / sizeof(*entries);
	int k;

	for (k = 0; k < count; k++) {
		for (i = 0; i < total; i++)
			if (entries[i].st_value == found[k].symbol.value &&
			    is_function(file, &entries[i], patterns[found[k].pattern]))
				break;
		if (i == total)
			__builtin_trap();
	}
	for (i = 0; i < total; i++) {
		if (strlen(name_of(file, &entries[i]) ?: "") > 100 ||
		    !is_function(file, &entries[i], "*5write*"))
			continue;
		for (k = 0; k < count; k++)
			if (found[k].pattern == 0 && found[k].symbol.value == entries[i].st_value)
				break;
		if (k == count && file->sections[2].sh_size < ELF_PATTERN_NAME_MAX)
			__builtin_trap();
	}
}

/* A name that was found is at an entry, up to its end or its version. */
static void check_symbols(const struct file *file, const struct elf_symbol *found)
{
	const Elf64_Sym *entries = (const void *)file->rest;
	size_t i, k, total = file->sections[1].sh_size / sizeof(*entries);

	for (k = 0; k < ARRAY_SIZE(names); k++) {
		size_t length = strlen(names[k]);

		for (i = 0; !found[k].error && i < total; i++) {
			const char *text = (const char *)file + file->sections[2].sh_offset;

			if (entries[i].st_value == found[k].value &&
			    elf_range_valid(file->sections[2].sh_size, entries[i].st_name,
					    length + 1) &&
			    memcmp(text + entries[i].st_name, names[k], length) == 0 &&
			    (!text[entries[i].st_name + length] ||
			     text[entries[i].st_name + length] == '@'))
				break;
		}
		if (i == total && !found[k].error)
			__builtin_trap();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct file file;
	static int fd = -1;
	struct elf_symbol symbols[ARRAY_SIZE(names)];
	struct elf_match matches[64];
	struct elf_image image;
	size_t used = make_file(&file, data, size);
	int count, room;

	if (!used)
		return 0;
	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, &file, used, 0) != (ssize_t)used)
		abort();
	if (elf_image_open(&image, fd))
		__builtin_trap();
	if (elf_symbols_find(&image, names, ARRAY_SIZE(names), symbols) >= 0)
		check_symbols(&file, symbols);
	room = data[1] % (ARRAY_SIZE(matches) + 1);
	count = elf_symbols_match(&image, patterns, ARRAY_SIZE(patterns), matches, (size_t)room);
	if (count > room + 1)
		__builtin_trap();
	if (count >= 0 && count <= room)
		check_matches(&file, matches, count);
	/* A file that is cut meanwhile. */
	if (ftruncate(fd, (off_t)(used / 2)))
		abort();
	elf_symbols_find(&image, names, ARRAY_SIZE(names), symbols);
	elf_symbols_match(&image, patterns, ARRAY_SIZE(patterns), matches, ARRAY_SIZE(matches));
	elf_image_close(&image);
	return 0;
}
