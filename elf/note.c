// SPDX-License-Identifier: GPL-2.0-only
/* Walking notes to the build-id: see note.h. */
#include "elf/note.h"

#include <errno.h>
#include <string.h>

#define NOTES_MAX 4096 /* per area */

/* Name and descriptor are padded to 4 bytes, to 8 where the area is aligned to 8. */
static uint64_t padded(uint64_t size, uint64_t align)
{
	uint64_t to = align == 8 ? 8 : 4;

	return (size + to - 1) / to * to;
}

static int take_build_id(const struct elf_image *image, uint64_t offset, uint32_t size,
			 struct elf_build_id *id)
{
	if (size == 0 || size > sizeof(id->bytes))
		return -ENOENT;
	id->size = size;
	return elf_image_read(image, offset, id->bytes, size);
}

/* Returns 1 and the name's first bytes if @note at @offset is called "GNU". */
static int named_gnu(const struct elf_image *image, uint64_t offset, const Elf64_Nhdr *note)
{
	char name[sizeof(ELF_NOTE_GNU)];
	int ret;

	if (note->n_namesz != sizeof(name))
		return 0;
	ret = elf_image_read(image, offset + sizeof(*note), name, sizeof(name));
	return ret ? ret : memcmp(name, ELF_NOTE_GNU, sizeof(name)) == 0;
}

static int search_area(const struct elf_image *image, uint64_t offset, uint64_t size,
		       uint64_t align, struct elf_build_id *id)
{
	uint64_t name, next, end = offset + size;
	Elf64_Nhdr note;
	int ret, count;

	for (count = 0; count < NOTES_MAX; count++, offset = next) {
		if (!elf_range_valid(end, offset, sizeof(note)))
			return -ENOENT;
		ret = elf_image_read(image, offset, &note, sizeof(note));
		if (ret)
			return ret;
		name = offset + padded(sizeof(note) + (uint64_t)note.n_namesz, align);
		next = name + padded(note.n_descsz, align);
		if (!elf_range_valid(end, name, note.n_descsz))
			return -ENOENT;
		ret = named_gnu(image, offset, &note);
		if (ret < 0)
			return ret;
		if (ret && note.n_type == NT_GNU_BUILD_ID)
			return take_build_id(image, name, note.n_descsz, id);
	}
	return -ENOENT;
}

static int search_segments(const struct elf_image *image, struct elf_build_id *id)
{
	const Elf64_Phdr *segment;
	size_t i;
	int ret;

	for (i = 0; i < image->segment_count; i++) {
		segment = &image->segments[i];
		if (segment->p_type != PT_NOTE ||
		    !elf_range_valid(image->size, segment->p_offset, segment->p_filesz))
			continue;
		ret = search_area(image, segment->p_offset, segment->p_filesz, segment->p_align,
				  id);
		if (ret != -ENOENT)
			return ret;
	}
	return -ENOENT;
}

struct section_search {
	const struct elf_image *image;
	struct elf_build_id *id;
};

/* Returns 1 when found. */
static int visit_note_section(void *data, const Elf64_Shdr *section)
{
	struct section_search *search = data;
	int ret;

	if (section->sh_type != SHT_NOTE ||
	    !elf_range_valid(search->image->size, section->sh_offset, section->sh_size))
		return 0;
	ret = search_area(search->image, section->sh_offset, section->sh_size,
			  section->sh_addralign, search->id);
	if (ret == -ENOENT)
		return 0;
	return ret ? ret : 1;
}

static int search_sections(const struct elf_image *image, struct elf_build_id *id)
{
	struct section_search search = { image, id };
	int ret = elf_image_walk_sections(image, visit_note_section, &search);

	if (ret < 0)
		return ret;
	return ret ? 0 : -ENOENT;
}

int elf_build_id_read(const struct elf_image *image, struct elf_build_id *id)
{
	int ret;

	memset(id, 0, sizeof(*id));
	ret = search_segments(image, id);
	return ret == -ENOENT ? search_sections(image, id) : ret;
}
