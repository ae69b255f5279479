// SPDX-License-Identifier: GPL-2.0-only
/* Searching tables of strings: see strings.h. */
#include "elf/strings.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"

#define STRINGS_CHUNK 32768 /* bytes of strings read at once */

struct strings_search {
	const char *const *names;
	size_t lengths[ELF_STRINGS_NAMES_MAX];
	size_t count;
	const char *ends;
	elf_strings_visit visit;
	void *data;
};

static int take_names(struct strings_search *search)
{
	size_t i;

	if (search->count > ELF_STRINGS_NAMES_MAX)
		return -EINVAL;
	for (i = 0; i < search->count; i++) {
		search->lengths[i] = strnlen(search->names[i], ELF_STRINGS_NAME_MAX + 1);
		if (search->lengths[i] == 0 || search->lengths[i] > ELF_STRINGS_NAME_MAX)
			return -EINVAL;
	}
	return 0;
}

/* Which names end at text[end]? @base is the offset of text[0] in the table. */
static int match_ending(const struct strings_search *search, const char *text, size_t end,
			uint64_t base)
{
	size_t i, length;
	int ret;

	for (i = 0; i < search->count; i++) {
		length = search->lengths[i];
		if (length > end || text[end - 1] != search->names[i][length - 1] ||
		    memcmp(text + end - length, search->names[i], length) != 0)
			continue;
		ret = search->visit(search->data, i, base + end - length);
		if (ret)
			return ret;
	}
	return 0;
}

static int match_byte(const struct strings_search *search, char byte, const char *text, size_t from,
		      size_t size, uint64_t base)
{
	const char *at;
	int ret;

	for (at = text + from; (at = memchr(at, byte, text + size - at)); at++) {
		ret = match_ending(search, text, at - text, base);
		if (ret)
			return ret;
	}
	return 0;
}

static int match_endings(const struct strings_search *search, const char *text, size_t from,
			 size_t size, uint64_t base)
{
	const char *end;
	int ret = match_byte(search, '\0', text, from, size, base);

	for (end = search->ends; *end && !ret; end++)
		ret = match_byte(search, *end, text, from, size, base);
	return ret;
}

/* Chunks overlap by the longest name, so that one across their border is seen whole. */
int elf_strings_search(const struct elf_image *image, uint64_t offset, uint64_t size,
		       const char *const names[], size_t count, const char *ends,
		       elf_strings_visit visit, void *data)
{
	struct strings_search search = {
		.names = names,
		.count = count,
		.ends = ends,
		.visit = visit,
		.data = data,
	};
	CLEANUP_FREE char *text = malloc(ELF_STRINGS_NAME_MAX + STRINGS_CHUNK);
	uint64_t at, have;
	size_t kept = 0;
	int ret = text ? take_names(&search) : -ENOMEM;

	for (at = 0; at < size && !ret; at += have) {
		have = size - at < STRINGS_CHUNK ? size - at : STRINGS_CHUNK;
		ret = elf_image_read(image, offset + at, text + kept, have);
		if (!ret)
			ret = match_endings(&search, text, kept, kept + have, at - kept);
		if (kept + have > ELF_STRINGS_NAME_MAX) {
			memmove(text, text + kept + have - ELF_STRINGS_NAME_MAX,
				ELF_STRINGS_NAME_MAX);
			kept = ELF_STRINGS_NAME_MAX;
		} else {
			kept += have;
		}
	}
	return ret;
}
