// SPDX-License-Identifier: GPL-2.0-only
/* The dynamic section: see dynamic.h. */
#include "elf/dynamic.h"

#include <errno.h>
#include <string.h>

#define CHUNK 64 /* entries read at once: most files have fewer */

static const struct {
	int64_t tag;
	size_t field; /* a uint64_t in struct elf_dynamic */
	bool address; /* to be translated to a file offset */
} tags[] = {
	{ DT_STRTAB, offsetof(struct elf_dynamic, strings), true },
	{ DT_STRSZ, offsetof(struct elf_dynamic, strings_size), false },
	{ DT_SYMTAB, offsetof(struct elf_dynamic, symbols), true },
	{ DT_SYMENT, offsetof(struct elf_dynamic, symbol_size), false },
	{ DT_GNU_HASH, offsetof(struct elf_dynamic, gnu_hash), true },
	{ DT_HASH, offsetof(struct elf_dynamic, sysv_hash), true },
	{ DT_VERSYM, offsetof(struct elf_dynamic, versions), true },
	{ DT_RELA, offsetof(struct elf_dynamic, relocations), true },
	{ DT_RELASZ, offsetof(struct elf_dynamic, relocations_size), false },
	{ DT_SONAME, offsetof(struct elf_dynamic, soname), false },
	{ DT_RPATH, offsetof(struct elf_dynamic, rpath), false },
	{ DT_RUNPATH, offsetof(struct elf_dynamic, runpath), false },
};

static void take_entry(const struct elf_image *image, struct elf_dynamic *dynamic,
		       const Elf64_Dyn *entry)
{
	uint64_t value = entry->d_un.d_val;
	size_t i;

	if (entry->d_tag == DT_NEEDED && dynamic->needed_count < ELF_NEEDED_MAX)
		dynamic->needed[dynamic->needed_count++] = value;
	for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		if (tags[i].tag != entry->d_tag)
			continue;
		if (tags[i].address && elf_address_to_offset(image, value, &value))
			value = 0;
		memcpy((char *)dynamic + tags[i].field, &value, sizeof(value));
	}
}

/*
 * A separate debug file keeps the program headers of the original, whose
 * offsets mean nothing in it; its section headers say so (SHT_NOBITS).
 */
static int visit_removed(void *data, const Elf64_Shdr *section)
{
	const Elf64_Phdr *segment = data;

	return section->sh_type == SHT_NOBITS && (section->sh_flags & SHF_ALLOC) &&
	       section->sh_addr == segment->p_vaddr && section->sh_size == segment->p_memsz;
}

static bool contents_removed(const struct elf_image *image, const Elf64_Phdr *segment)
{
	return elf_image_walk_sections(image, visit_removed, (void *)segment) > 0;
}

static int read_entries(const struct elf_image *image, struct elf_dynamic *dynamic, uint64_t offset,
			uint64_t count)
{
	Elf64_Dyn chunk[CHUNK];
	size_t have, i;
	int ret;

	for (; count; count -= have, offset += have * sizeof(chunk[0])) {
		have = count < CHUNK ? (size_t)count : CHUNK;
		ret = elf_image_read(image, offset, chunk, have * sizeof(chunk[0]));
		if (ret)
			return ret;
		for (i = 0; i < have; i++) {
			if (chunk[i].d_tag == DT_NULL)
				return 0;
			take_entry(image, dynamic, &chunk[i]);
		}
	}
	return 0;
}

int elf_dynamic_read(const struct elf_image *image, struct elf_dynamic *dynamic)
{
	const Elf64_Phdr *segment = elf_image_find_segment(image, PT_DYNAMIC);
	uint64_t count;
	int ret;

	memset(dynamic, 0, sizeof(*dynamic));
	if (!segment || contents_removed(image, segment))
		return -ENOENT;
	count = segment->p_filesz / sizeof(Elf64_Dyn);
	ret = read_entries(image, dynamic, segment->p_offset,
			   count < ELF_DYNAMIC_MAX ? count : ELF_DYNAMIC_MAX);
	if (ret)
		return ret;
	if (!elf_range_valid(image->size, dynamic->strings, dynamic->strings_size))
		return -EBADMSG;
	return 0;
}

int elf_dynamic_string(const struct elf_image *image, const struct elf_dynamic *dynamic,
		       uint64_t offset, char *buffer, size_t size)
{
	if (offset == 0)
		return -ENOENT;
	if (!dynamic->strings || offset >= dynamic->strings_size)
		return -EBADMSG;
	return elf_image_string(image, dynamic->strings + offset, dynamic->strings_size - offset,
				buffer, size);
}

int elf_interpreter(const struct elf_image *image, char *buffer, size_t size)
{
	const Elf64_Phdr *segment = elf_image_find_segment(image, PT_INTERP);

	if (!segment || contents_removed(image, segment))
		return -ENOENT;
	return elf_image_string(image, segment->p_offset, segment->p_filesz, buffer, size);
}
