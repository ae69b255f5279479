// SPDX-License-Identifier: GPL-2.0-only
/* ELF headers, segments and sections of a file that may lie: see image.h. */
#include "elf/image.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTIONS_CHUNK 64 /* headers read at once: 4 KB, enough for most files */

_Static_assert(BYTE_ORDER == LITTLE_ENDIAN, "fields of the file are copied as they are");

bool elf_range_valid(uint64_t limit, uint64_t offset, uint64_t size)
{
	uint64_t end;

	return !__builtin_add_overflow(offset, size, &end) && end <= limit;
}

int elf_image_read(const struct elf_image *image, uint64_t offset, void *buffer, size_t size)
{
	char *to = buffer;
	ssize_t got;

	if (!elf_range_valid(image->size, offset, size))
		return -EBADMSG;
	while (size) {
		got = pread(image->fd, to, size, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -ESTALE;
		to += got;
		offset += (size_t)got;
		size -= (size_t)got;
	}
	return 0;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int elf_image_string(const struct elf_image *image, uint64_t offset, uint64_t limit, char *buffer,
		     size_t size)
{
	uint64_t have;
	int ret;

	if (offset >= image->size)
		return -EBADMSG;
	have = min_u64(min_u64(limit, image->size - offset), size);
	ret = elf_image_read(image, offset, buffer, have);
	if (ret)
		return ret;
	if (!memchr(buffer, '\0', have))
		return have == size ? -ENAMETOOLONG : -EBADMSG;
	return (int)strlen(buffer);
}

int elf_image_section(const struct elf_image *image, size_t index, Elf64_Shdr *section)
{
	if (index >= image->section_count)
		return -ENOENT;
	return elf_image_read(image, image->section_table + index * sizeof(*section), section,
			      sizeof(*section));
}

int elf_image_walk_sections(const struct elf_image *image,
			    int (*visit)(void *data, const Elf64_Shdr *section), void *data)
{
	Elf64_Shdr chunk[SECTIONS_CHUNK];
	size_t at, have, i;
	int ret;

	for (at = 0; at < image->section_count; at += have) {
		have = min_u64(image->section_count - at, SECTIONS_CHUNK);
		ret = elf_image_read(image, image->section_table + at * sizeof(chunk[0]), chunk,
				     have * sizeof(chunk[0]));
		for (i = 0; i < have && !ret; i++)
			ret = visit(data, &chunk[i]);
		if (ret)
			return ret;
	}
	return 0;
}

struct wanted_section {
	const struct elf_image *image;
	uint32_t type;
	Elf64_Shdr *section;
};

static int visit_wanted(void *data, const Elf64_Shdr *section)
{
	const struct wanted_section *wanted = data;

	if (section->sh_type != wanted->type ||
	    !elf_range_valid(wanted->image->size, section->sh_offset, section->sh_size))
		return 0;
	*wanted->section = *section;
	return 1;
}

int elf_image_find_section(const struct elf_image *image, uint32_t type, Elf64_Shdr *section)
{
	struct wanted_section wanted = { image, type, section };
	int ret = elf_image_walk_sections(image, visit_wanted, &wanted);

	if (ret < 0)
		return ret;
	return ret ? 0 : -ENOENT;
}

int elf_image_section_name(const struct elf_image *image, const Elf64_Shdr *section, char *buffer,
			   size_t size)
{
	Elf64_Shdr names;
	uint64_t offset;
	int ret;

	if (image->section_names == SHN_UNDEF)
		return -ENOENT;
	ret = elf_image_section(image, image->section_names, &names);
	if (ret)
		return ret;
	if (section->sh_name >= names.sh_size ||
	    __builtin_add_overflow(names.sh_offset, section->sh_name, &offset))
		return -EBADMSG;
	return elf_image_string(image, offset, names.sh_size - section->sh_name, buffer, size);
}

const Elf64_Phdr *elf_image_find_segment(const struct elf_image *image, uint32_t type)
{
	const Elf64_Phdr *segment;
	size_t i;

	for (i = 0; i < image->segment_count; i++) {
		segment = &image->segments[i];
		if (segment->p_type == type &&
		    elf_range_valid(image->size, segment->p_offset, segment->p_filesz))
			return segment;
	}
	return NULL;
}

/* The offset of @address by a segment that holds it in the file; -EFAULT by another. */
static int segment_offset(const struct elf_image *image, const Elf64_Phdr *segment,
			  uint64_t address, uint64_t *offset)
{
	if (segment->p_type != PT_LOAD || address < segment->p_vaddr ||
	    address - segment->p_vaddr >= segment->p_filesz)
		return -EFAULT;
	if (__builtin_add_overflow(segment->p_offset, address - segment->p_vaddr, offset) ||
	    !elf_range_valid(image->size, *offset, 1))
		return -EFAULT;
	return 0;
}

/* In the first segment whose flags under @mask are @flags. */
static const Elf64_Phdr *find_address(const struct elf_image *image, uint64_t address,
				      uint64_t *offset, uint32_t mask, uint32_t flags)
{
	size_t i;

	for (i = 0; i < image->segment_count; i++)
		if ((image->segments[i].p_flags & mask) == flags &&
		    !segment_offset(image, &image->segments[i], address, offset))
			return &image->segments[i];
	return NULL;
}

int elf_address_to_offset(const struct elf_image *image, uint64_t address, uint64_t *offset)
{
	return find_address(image, address, offset, 0, 0) ? 0 : -EFAULT;
}

static bool is_data_too(const struct elf_image *image, uint64_t offset)
{
	const Elf64_Phdr *segment;
	size_t i;

	for (i = 0; i < image->segment_count; i++) {
		segment = &image->segments[i];
		if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_X) &&
		    offset >= segment->p_offset && offset - segment->p_offset < segment->p_filesz)
			return true;
	}
	return false;
}

int elf_code_to_offset(const struct elf_image *image, uint64_t address, uint64_t *offset)
{
	const Elf64_Phdr *segment = find_address(image, address, offset, PF_X, PF_X);

	if (!segment)
		return -EFAULT;
	if (segment->p_flags & PF_W)
		return -ETXTBSY;
	return is_data_too(image, *offset) ? -EEXIST : 0;
}

static int stat_regular(struct elf_image *image)
{
	struct stat status;

	if (fstat(image->fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	image->size = (uint64_t)status.st_size;
	return 0;
}

static int read_header(struct elf_image *image, Elf64_Ehdr *header)
{
	int ret = elf_image_read(image, 0, header, EI_NIDENT);

	if (ret == -EBADMSG || (!ret && memcmp(header->e_ident, ELFMAG, SELFMAG) != 0))
		return -ENOEXEC;
	if (ret)
		return ret;
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOTSUP;
	ret = elf_image_read(image, 0, header, sizeof(*header));
	if (ret == -EBADMSG || (!ret && header->e_ident[EI_VERSION] != EV_CURRENT))
		return -ENOEXEC;
	return ret;
}

/*
 * 0xffff (segments, index of names) and 0 (number of sections) stand for "too
 * large for 16 bits: see section header 0" (gABI, "ELF Header", e_phnum, e_shnum
 * and e_shstrndx).
 */
static int locate_sections(struct elf_image *image, const Elf64_Ehdr *header, uint64_t *segments)
{
	Elf64_Shdr first;
	uint64_t count = header->e_shnum;
	int ret;

	*segments = header->e_phnum;
	if (header->e_shoff == 0 || header->e_shentsize != sizeof(first))
		return 0;
	ret = elf_image_read(image, header->e_shoff, &first, sizeof(first));
	if (ret)
		return ret == -EBADMSG ? 0 : ret;
	if (header->e_phnum == PN_XNUM)
		*segments = first.sh_info;
	if (count == 0)
		count = first.sh_size;
	if (count > ELF_SECTIONS_MAX ||
	    !elf_range_valid(image->size, header->e_shoff, count * sizeof(first)))
		return 0;
	image->section_table = header->e_shoff;
	image->section_count = (size_t)count;
	image->section_names = header->e_shstrndx == SHN_XINDEX ? first.sh_link
								: header->e_shstrndx;
	return 0;
}

static int read_segments(struct elf_image *image, const Elf64_Ehdr *header, uint64_t count)
{
	int ret;

	if (count == 0)
		return 0;
	if (count > ELF_SEGMENTS_MAX)
		return -E2BIG;
	if (header->e_phentsize != sizeof(*image->segments))
		return -ENOEXEC;
	image->segments = calloc(count, sizeof(*image->segments));
	if (!image->segments)
		return -ENOMEM;
	image->segment_count = (size_t)count;
	ret = elf_image_read(image, header->e_phoff, image->segments,
			     count * sizeof(*image->segments));
	return ret == -EBADMSG ? -ENOEXEC : ret;
}

int elf_image_open(struct elf_image *image, int fd)
{
	Elf64_Ehdr header;
	uint64_t segments = 0;
	int ret;

	*image = (struct elf_image){ .fd = fd };
	ret = stat_regular(image);
	if (!ret)
		ret = read_header(image, &header);
	if (!ret)
		ret = locate_sections(image, &header, &segments);
	if (!ret)
		ret = read_segments(image, &header, segments);
	if (ret) {
		elf_image_close(image);
		return ret;
	}
	image->type = header.e_type;
	image->machine = header.e_machine;
	image->entry = header.e_entry;
	return 0;
}

void elf_image_close(struct elf_image *image)
{
	free(image->segments);
	*image = (struct elf_image){ .fd = -1 };
}
