// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding symbols by name: see symbol.h.
 *
 * Without a hash the obvious way, reading the name of every symbol, would read at
 * 100,000 random places. So there are two sequential passes: one searches the
 * strings for places where one of the names ends (a string may be the tail of a
 * longer one: linkers share them), the other the entries for one that starts
 * there. If no string matches, the entries need not be read at all.
 */
#include "elf/symbol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/strings.h"

#define PLACES_MAX   65536
#define VERSION_ENDS "@" /* a name ends before its version, too */

/* One search in one table. */
struct search {
	struct elf_symtab table;
	const char *const *names;
	size_t lengths[ELF_SYMBOL_NAMES_MAX];
	size_t count;
	struct elf_symbol *out;
	size_t current; /* the name that a lookup by hash is about */
	/* Where names were seen in the strings, sorted by offset. */
	struct place {
		uint64_t offset;
		size_t name;
	} * places;
	size_t places_count;
	size_t places_room;
};

/* How good a symbol is as the answer to a name; equally good ones are ambiguous. */
static int rank(const struct elf_symbol *symbol)
{
	if (symbol->binding == STB_LOCAL)
		return 1;
	return symbol->hidden ? 2 : 3;
}

/* Two global symbols of one name do not happen; if they do, the loader takes the first as well. */
static void consider(struct elf_symbol *best, const struct elf_symbol *symbol)
{
	if (best->error == -ENOENT || rank(symbol) > rank(best))
		*best = *symbol;
	else if (rank(symbol) == rank(best) && rank(best) < 3 && symbol->value != best->value)
		best->error = -ENOTUNIQ;
}

/* In .dynsym versions have a table of their own, in .symtab they are part of the name. */
static int take_version(const struct search *search, uint64_t index, const Elf64_Sym *entry,
			size_t length, struct elf_symbol *symbol)
{
	const struct elf_symtab *table = &search->table;
	uint16_t version;
	char tail[2];
	int ret;

	if (table->kind == ELF_DYNSYM) {
		ret = elf_symtab_version(table, index, &version);
		symbol->hidden = (version & 0x8000) != 0;
		symbol->versioned = (version & 0x7fff) > VER_NDX_GLOBAL;
		return ret;
	}
	if (!elf_range_valid(table->strings_size, (uint64_t)entry->st_name + length, sizeof(tail)))
		return 0; /* it is the last string, and ends here: "", no "@" */
	ret = elf_image_read(table->image, table->strings + entry->st_name + length, tail,
			     sizeof(tail));
	symbol->versioned = !ret && tail[0] == '@';
	symbol->hidden = symbol->versioned && tail[1] != '@';
	return ret;
}

static int take(struct search *search, size_t name, uint64_t index, const Elf64_Sym *entry)
{
	struct elf_symbol symbol = {
		.value = entry->st_value,
		.size = entry->st_size,
		.section = entry->st_shndx,
		.type = ELF64_ST_TYPE(entry->st_info),
		.binding = ELF64_ST_BIND(entry->st_info),
		.origin = search->table.kind,
	};
	int ret;

	if (symbol.section == SHN_UNDEF || symbol.type == STT_SECTION || symbol.type == STT_FILE ||
	    (symbol.binding == STB_LOCAL && symbol.origin == ELF_DYNSYM))
		return 0;
	ret = take_version(search, index, entry, search->lengths[name], &symbol);
	if (!ret)
		consider(&search->out[name], &symbol);
	return ret;
}

/* --- by hash ----------------------------------------------------------- */

static int visit_current(void *data, uint64_t index, const Elf64_Sym *entry)
{
	struct search *search = data;

	return take(search, search->current, index, entry);
}

static int find_by_hash(struct search *search)
{
	int ret = 0;

	for (search->current = 0; search->current < search->count && !ret; search->current++)
		ret = elf_symtab_lookup(&search->table, search->names[search->current],
					visit_current, search);
	return ret;
}

/* --- by reading everything --------------------------------------------- */

static int add_place(void *data, size_t name, uint64_t offset)
{
	struct search *search = data;
	size_t room = search->places_room ? search->places_room * 2 : 16;
	struct place *places;

	if (search->out[name].error != -ENOENT)
		return 0;
	if (search->places_count == PLACES_MAX)
		return -E2BIG;
	if (search->places_count == search->places_room) {
		places = realloc(search->places, room * sizeof(*places));
		if (!places)
			return -ENOMEM;
		search->places = places;
		search->places_room = room;
	}
	search->places[search->places_count++] = (struct place){ offset, name };
	return 0;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	return (left->offset > right->offset) - (left->offset < right->offset);
}

/* The first place whose offset is not below @offset. */
static size_t lower_place(const struct search *search, uint64_t offset)
{
	size_t low = 0, high = search->places_count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (search->places[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int visit_entry(void *data, uint64_t index, const Elf64_Sym *entry)
{
	struct search *search = data;
	size_t i;
	int ret;

	for (i = lower_place(search, entry->st_name);
	     i < search->places_count && search->places[i].offset == entry->st_name; i++) {
		ret = take(search, search->places[i].name, index, entry);
		if (ret)
			return ret;
	}
	return 0;
}

static int find_by_reading(struct search *search)
{
	const struct elf_symtab *table = &search->table;
	int ret = elf_strings_search(table->image, table->strings, table->strings_size,
				     search->names, search->count, VERSION_ENDS, add_place, search);

	if (!ret && search->places_count) {
		qsort(search->places, search->places_count, sizeof(*search->places),
		      compare_places);
		ret = elf_symtab_walk(&search->table, visit_entry, search);
	}
	free(search->places);
	search->places = NULL;
	search->places_count = search->places_room = 0;
	return ret;
}

/* --- both tables ------------------------------------------------------- */

static size_t count_state(const struct search *search, int error)
{
	size_t i, found = 0;

	for (i = 0; i < search->count; i++)
		found += search->out[i].error == error;
	return found;
}

static void forget(const struct search *search)
{
	size_t i;

	for (i = 0; i < search->count; i++)
		search->out[i] = (struct elf_symbol){ .error = -ENOENT };
}

static int find_in(struct search *search, const struct elf_image *image, enum elf_symtab_kind kind)
{
	int ret = elf_symtab_open(image, kind, &search->table);

	if (ret)
		return ret == -ENOENT ? 0 : ret;
	if (kind == ELF_DYNSYM) {
		ret = find_by_hash(search);
		if (ret != -EOPNOTSUPP && ret != -EBADMSG)
			return ret;
		forget(search);
	}
	return find_by_reading(search);
}

static int check_names(struct search *search)
{
	size_t i;

	if (search->count > ELF_SYMBOL_NAMES_MAX)
		return -EINVAL;
	for (i = 0; i < search->count; i++) {
		search->lengths[i] = strnlen(search->names[i], ELF_SYMBOL_NAME_MAX + 1);
		if (search->lengths[i] == 0 || search->lengths[i] > ELF_SYMBOL_NAME_MAX ||
		    strchr(search->names[i], '@'))
			return -EINVAL;
	}
	return 0;
}

int elf_symbols_find(const struct elf_image *image, const char *const names[], size_t count,
		     struct elf_symbol out[])
{
	struct search search = { .names = names, .count = count, .out = out };
	int ret = check_names(&search);

	if (ret)
		return ret;
	forget(&search);
	ret = find_in(&search, image, ELF_DYNSYM);
	if (!ret && count_state(&search, -ENOENT))
		ret = find_in(&search, image, ELF_SYMTAB);
	return ret ? ret : (int)count_state(&search, 0);
}

int elf_symbol_find(const struct elf_image *image, const char *name, struct elf_symbol *out)
{
	int ret = elf_symbols_find(image, &name, 1, out);

	return ret < 0 ? ret : out->error;
}
