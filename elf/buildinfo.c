// SPDX-License-Identifier: GPL-2.0-only
/* How a Go program was built: see buildinfo.h. */
#include "elf/buildinfo.h"

#include <errno.h>
#include <string.h>

#include "elf/relative.h"
#include "lib/cleanup.h"

/* In two parts: Kloak's own program must not look like one of Go. */
#define MAGIC_HEAD	"\xff Go "
#define MAGIC_HEAD_SIZE 5
#define MAGIC_TAIL	"buildinf:"
#define MAGIC_SIZE	14
#define ALIGNMENT	16
#define HEADER_SIZE	32 /* the strings follow it, or pointers to them at 16 and 24 */
#define POINTER_SIZE	8
#define FLAG_BIG	1     /* big endian */
#define FLAG_INLINE	2     /* the strings are here */
#define GUARD		16    /* bytes before and after the modules' text */
#define SEARCHED	65536 /* of a file without section headers, as Go does */

struct header {
	uint8_t bytes[HEADER_SIZE];
};

static bool is_header(const uint8_t *bytes)
{
	return memcmp(bytes, MAGIC_HEAD, MAGIC_HEAD_SIZE) == 0 &&
	       memcmp(bytes + MAGIC_HEAD_SIZE, MAGIC_TAIL, MAGIC_SIZE - MAGIC_HEAD_SIZE) == 0 &&
	       !(bytes[15] & FLAG_BIG) && ((bytes[15] & FLAG_INLINE) || bytes[14] == POINTER_SIZE);
}

/* --- where it is ------------------------------------------------------- */

struct place {
	const struct elf_image *image;
	uint64_t address; /* 0: not found */
};

static int visit_section(void *data, const Elf64_Shdr *section)
{
	struct place *place = data;
	char name[16];

	if (section->sh_type == SHT_NOBITS ||
	    elf_image_section_name(place->image, section, name, sizeof(name)) < 0 ||
	    strcmp(name, ".go.buildinfo") != 0)
		return 0;
	place->address = section->sh_addr;
	return 1;
}

/* It is near the start of the first segment that may be written. */
static int search_segments(struct place *place)
{
	const struct elf_image *image = place->image;
	CLEANUP_FREE uint8_t *bytes = NULL;
	const Elf64_Phdr *segment = NULL;
	uint64_t size, at;
	size_t i;
	int ret;

	for (i = 0; i < image->segment_count && !segment; i++)
		if (image->segments[i].p_type == PT_LOAD && (image->segments[i].p_flags & PF_W))
			segment = &image->segments[i];
	if (!segment)
		return -ENOENT;
	size = segment->p_filesz < SEARCHED ? segment->p_filesz : SEARCHED;
	bytes = malloc(SEARCHED);
	ret = bytes ? elf_image_read(image, segment->p_offset, bytes, size) : -ENOMEM;
	for (at = -segment->p_vaddr & (ALIGNMENT - 1); !ret && at + HEADER_SIZE <= size;
	     at += ALIGNMENT)
		if (is_header(bytes + at)) {
			place->address = segment->p_vaddr + at;
			return 0;
		}
	return ret ? ret : -ENOENT;
}

static int find_place(struct place *place)
{
	int ret = elf_image_walk_sections(place->image, visit_section, place);

	if (ret < 0 || place->address)
		return ret < 0 ? ret : 0;
	return place->image->section_count ? -ENOENT : search_segments(place);
}

/* --- its strings ------------------------------------------------------- */

/* A string in the file. */
struct text {
	uint64_t offset;
	uint64_t size;
};

/*
 * The Go string at @address: the address of its bytes, and its length. An empty
 * one may be where the file has nothing, among zeroed data.
 */
static int follow(const struct elf_image *image, uint64_t address, struct text *text)
{
	uint64_t string[2] = { 0, 0 };
	int ret = elf_relative_read(image, address, &address, sizeof(address));

	if (!ret)
		ret = elf_relative_read(image, address, string, sizeof(string));
	text->size = string[1];
	if ((ret && ret != -EFAULT) || !text->size)
		return ret == -EFAULT ? 0 : ret;
	ret = elf_address_to_offset(image, string[0], &text->offset);
	return ret ? -EBADMSG : 0;
}

/* The string after its length, which has 7 bits in a byte, the lowest first. */
static int take_counted(const struct elf_image *image, uint64_t *offset, struct text *text)
{
	uint8_t byte = 0x80;
	unsigned int shift;
	int ret = 0;

	text->size = 0;
	for (shift = 0; shift < 35 && (byte & 0x80); shift += 7) {
		ret = elf_image_read(image, (*offset)++, &byte, 1);
		if (ret)
			return ret;
		text->size |= (uint64_t)(byte & 0x7f) << shift;
	}
	text->offset = *offset;
	*offset += text->size;
	return (byte & 0x80) ? -EBADMSG : 0;
}

static int find_strings(const struct elf_image *image, uint64_t address, struct text *version,
			struct text *modules)
{
	struct header header;
	uint64_t offset;
	int ret = elf_address_to_offset(image, address, &offset);

	if (!ret)
		ret = elf_image_read(image, offset, &header, sizeof(header));
	if (ret || !is_header(header.bytes))
		return ret && ret != -EFAULT ? ret : -EBADMSG;
	if (header.bytes[15] & FLAG_INLINE) {
		offset += HEADER_SIZE;
		ret = take_counted(image, &offset, version);
		return ret ? ret : take_counted(image, &offset, modules);
	}
	ret = follow(image, address + 16, version);
	return ret ? ret : follow(image, address + 24, modules);
}

/* --- what they say ----------------------------------------------------- */

/* "go1.N" somewhere in the version. */
static unsigned int minor_of(const char *version)
{
	const char *at = strstr(version, "go1.");
	unsigned long minor = at ? strtoul(at + 4, NULL, 10) : 0;

	return minor < 1000 ? (unsigned int)minor : 0;
}

/* Is @word, up to a comma or the end of the line, one of the words after @name in the settings? */
static bool is_set(const char *settings, const char *name, const char *word)
{
	const char *line = strstr(settings, name), *end, *at;

	if (!line)
		return false;
	line += strlen(name);
	end = line + strcspn(line, "\n");
	for (at = line; (at = strstr(at, word)) && at < end; at++)
		if (at[-1] == '=' || at[-1] == ',')
			return true;
	return false;
}

static int read_settings(const struct elf_image *image, const struct text *modules,
			 struct buildinfo *info)
{
	CLEANUP_FREE char *text = NULL;
	uint64_t size = modules->size;
	int ret;

	if (size <= 2 * GUARD)
		return 0;
	if (size > BUILDINFO_MODULES_MAX)
		return -E2BIG;
	text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	ret = elf_image_read(image, modules->offset, text, size);
	if (ret)
		return ret;
	text[size] = '\0';
	/* The guards mean nothing, but a NUL in them would end the text for strstr(). */
	text[size - GUARD] = '\0';
	info->boring |= is_set(text + GUARD, "\nbuild\tGOEXPERIMENT=", "boringcrypto");
	info->fips = strstr(text + GUARD, "\nbuild\tGOFIPS140=") ||
		     is_set(text + GUARD, "\nbuild\tDefaultGODEBUG=", "fips140=on") ||
		     is_set(text + GUARD, "\nbuild\tDefaultGODEBUG=", "fips140=only");
	return 0;
}

int buildinfo_read(const struct elf_image *image, struct buildinfo *info)
{
	struct place place = { .image = image };
	struct text version = { 0 }, modules = { 0 };
	int ret = find_place(&place);

	memset(info, 0, sizeof(*info));
	if (!ret)
		ret = find_strings(image, place.address, &version, &modules);
	if (!ret && version.size >= sizeof(info->version))
		ret = -ENAMETOOLONG;
	if (!ret)
		ret = elf_image_read(image, version.offset, info->version, version.size);
	if (ret)
		return ret;
	info->minor = minor_of(info->version);
	info->stack_arguments = info->minor &&
				(info->minor < 17 || strstr(info->version, "noregabi"));
	info->boring = strstr(info->version, "X:boringcrypto") != NULL;
	/* Settings are for reports: a program that has too many of them is still accepted. */
	ret = read_settings(image, &modules, info);
	return ret == -E2BIG || ret == -EBADMSG ? 0 : ret;
}
