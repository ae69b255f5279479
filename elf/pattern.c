// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding functions by parts of their names: see pattern.h.
 *
 * The strings are read in order, in chunks, and searched for the longest part of
 * each pattern, which very few strings have. Where it is found, the whole string
 * is compared. The entries are read only if a string matched. An entry may point
 * to the middle of a string: then its name is the tail, which is compared again.
 */
#include "elf/pattern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define PATTERN_CHUNK 65536 /* bytes of strings read at once */
#define STRINGS_MAX   1024  /* that may match */
#define NAMES_MAX     65536 /* of entries that point there */

struct matching {
	struct elf_symtab table;
	const char *const *patterns;
	size_t count;
	struct part {
		const char *text;
		size_t size;
	} anchors[ELF_PATTERNS_MAX];
	/* Strings that may match a pattern: where each begins, and where its NUL is. */
	struct string {
		uint64_t offset;
		uint64_t end;
	} strings[STRINGS_MAX];
	size_t strings_count;
	size_t names; /* of entries that were read */
	struct elf_match *out;
	size_t found, room;
};

/* The part of a pattern that begins at @text, or the next one; size 0 after the last. */
static struct part part_next(const char *text)
{
	struct part part;

	part.text = text + strspn(text, "*");
	part.size = strcspn(part.text, "*");
	return part;
}

/* Parts are taken where they come first, which leaves most for the others. */
bool elf_pattern_matches(const char *pattern, const char *name)
{
	struct part part = { .text = pattern, .size = strcspn(pattern, "*") };
	size_t left;

	if (strncmp(pattern, name, part.size) != 0)
		return false;
	name += part.size;
	if (!part.text[part.size])
		return !*name; /* there is no star */
	for (part = part_next(part.text + part.size); part.size;
	     part = part_next(part.text + part.size)) {
		left = strlen(name);
		if (!part.text[part.size]) /* the last one, and no star after it */
			return left >= part.size &&
			       memcmp(name + left - part.size, part.text, part.size) == 0;
		name = memmem(name, left, part.text, part.size);
		if (!name)
			return false;
		name += part.size;
	}
	return true;
}

static int take_anchors(struct matching *matching)
{
	struct part part, *anchor;
	size_t i;

	if (matching->count > ELF_PATTERNS_MAX)
		return -EINVAL;
	for (i = 0; i < matching->count; i++) {
		anchor = &matching->anchors[i];
		*anchor = (struct part){ 0 };
		if (strnlen(matching->patterns[i], ELF_PATTERN_MAX + 1) > ELF_PATTERN_MAX)
			return -EINVAL;
		for (part = part_next(matching->patterns[i]); part.size;
		     part = part_next(part.text + part.size))
			if (part.size > anchor->size)
				*anchor = part;
		if (!anchor->size)
			return -EINVAL;
	}
	return 0;
}

/* --- strings ----------------------------------------------------------- */

/* A pattern that begins with no star may match the tail of a string that it does not match. */
static bool may_match(const char *pattern, const char *text)
{
	return pattern[0] != '*' || elf_pattern_matches(pattern, text);
}

static int add_string(struct matching *matching, uint64_t offset, uint64_t end)
{
	size_t i;

	for (i = 0; i < matching->strings_count; i++)
		if (matching->strings[i].end == end)
			return 0;
	if (matching->strings_count == STRINGS_MAX)
		return -E2BIG;
	matching->strings[matching->strings_count++] = (struct string){ offset, end };
	return 0;
}

/*
 * Strings of text[0..size) that may match one pattern. One that is cut here is
 * whole in the next or previous chunk, or is too long for any.
 */
static int search_anchor(struct matching *matching, size_t pattern, const char *text, size_t size,
			 uint64_t base)
{
	const struct part *anchor = &matching->anchors[pattern];
	const char *hit, *begin, *end;
	int ret = 0;

	for (end = text; !ret;) {
		hit = memmem(end, size - (end - text), anchor->text, anchor->size);
		end = hit ? memchr(hit, '\0', size - (hit - text)) : NULL;
		if (!end)
			break;
		begin = memrchr(text, '\0', hit - text);
		if (!begin && base)
			continue;
		begin = begin ? begin + 1 : text;
		if (end - begin <= ELF_PATTERN_NAME_MAX &&
		    may_match(matching->patterns[pattern], begin))
			ret = add_string(matching, base + (begin - text), base + (end - text));
	}
	return ret;
}

/* Chunks overlap by the longest name, so that one across their border is seen whole. */
static int match_strings(struct matching *matching)
{
	const struct elf_symtab *table = &matching->table;
	CLEANUP_FREE char *text = malloc(ELF_PATTERN_NAME_MAX + 1 + PATTERN_CHUNK);
	uint64_t at, have;
	size_t i, kept = 0;
	int ret = text ? 0 : -ENOMEM;

	for (at = 0; at < table->strings_size && !ret; at += have) {
		have = table->strings_size - at < PATTERN_CHUNK ? table->strings_size - at
								: PATTERN_CHUNK;
		ret = elf_image_read(table->image, table->strings + at, text + kept, have);
		for (i = 0; i < matching->count && !ret; i++)
			ret = search_anchor(matching, i, text, kept + have, at - kept);
		kept += have;
		if (kept > ELF_PATTERN_NAME_MAX + 1) {
			memmove(text, text + kept - ELF_PATTERN_NAME_MAX - 1,
				ELF_PATTERN_NAME_MAX + 1);
			kept = ELF_PATTERN_NAME_MAX + 1;
		}
	}
	return ret;
}

/* --- entries ----------------------------------------------------------- */

static int compare_strings(const void *a, const void *b)
{
	const struct string *left = a, *right = b;

	return (left->offset > right->offset) - (left->offset < right->offset);
}

/* The string that holds @offset, its NUL excluded. */
static const struct string *string_at(const struct matching *matching, uint64_t offset)
{
	size_t low = 0, high = matching->strings_count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (matching->strings[middle].end <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == matching->strings_count || matching->strings[low].offset > offset)
		return NULL;
	return &matching->strings[low];
}

static int add_match(struct matching *matching, size_t pattern, const Elf64_Sym *entry)
{
	size_t i;

	for (i = 0; i < matching->found && i < matching->room; i++)
		if (matching->out[i].pattern == pattern &&
		    matching->out[i].symbol.value == entry->st_value)
			return 0;
	if (matching->found >= matching->room) {
		matching->found = matching->room + 1;
		return 0;
	}
	matching->out[matching->found++] = (struct elf_match){
		.pattern = pattern,
		.symbol = {
			.value = entry->st_value,
			.size = entry->st_size,
			.section = entry->st_shndx,
			.type = ELF64_ST_TYPE(entry->st_info),
			.binding = ELF64_ST_BIND(entry->st_info),
			.origin = ELF_SYMTAB,
		},
	};
	return 0;
}

static int match_entry(void *data, uint64_t index, const Elf64_Sym *entry)
{
	struct matching *matching = data;
	char name[ELF_PATTERN_NAME_MAX + 1];
	size_t i;
	int ret;

	(void)index;
	if (entry->st_shndx == SHN_UNDEF || ELF64_ST_TYPE(entry->st_info) != STT_FUNC ||
	    !string_at(matching, entry->st_name))
		return 0;
	if (matching->names++ == NAMES_MAX)
		return -E2BIG;
	ret = elf_symtab_name(&matching->table, entry, name, sizeof(name));
	for (i = 0; i < matching->count && ret >= 0; i++)
		if (elf_pattern_matches(matching->patterns[i], name))
			ret = add_match(matching, i, entry);
	return ret < 0 ? ret : 0;
}

static int match_in(struct matching *matching)
{
	int ret = match_strings(matching);

	if (ret || !matching->strings_count)
		return ret;
	qsort(matching->strings, matching->strings_count, sizeof(matching->strings[0]),
	      compare_strings);
	return elf_symtab_walk(&matching->table, match_entry, matching);
}

int elf_symbols_match(const struct elf_image *image, const char *const patterns[], size_t count,
		      struct elf_match out[], size_t room)
{
	CLEANUP_FREE struct matching *matching = calloc(1, sizeof(*matching));
	int ret;

	if (!matching)
		return -ENOMEM;
	matching->patterns = patterns;
	matching->count = count;
	matching->out = out;
	matching->room = room;
	ret = take_anchors(matching);
	if (ret || !count)
		return ret;
	ret = elf_symtab_open(image, ELF_SYMTAB, &matching->table);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	ret = match_in(matching);
	return ret ? ret : (int)matching->found;
}
