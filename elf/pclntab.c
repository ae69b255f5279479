// SPDX-License-Identifier: GPL-2.0-only
/* Functions of a Go program: see pclntab.h. */
#include "elf/pclntab.h"

#include <errno.h>
#include <string.h>

#include "elf/relative.h"
#include "elf/strings.h"
#include "lib/cleanup.h"

#define CHECKED	       64 /* functions at the start of a table that have to be consistent */
#define CANDIDATES_MAX 8  /* places that look like a table and are checked */
#define PLACES_MAX     64 /* where names were found */
#define SCAN_CHUNK     65536
#define MODULE_MAX     (32U << 20) /* bytes that are searched for the module's record */

#define HEADER_SIZE  8
#define HEADER_WORDS 8		 /* after these, at most */
#define HEADER_REST  0x08010000U /* 0, 0, quantum 1, pointer size 8 */

/* Where the header has what, in words after the first 8 bytes; 0: nowhere. */
static const struct layout {
	uint32_t magic;
	uint8_t code;
	uint8_t offsets; /* of names, units, files, tables, functions */
	uint8_t words;
} layouts[] = {
	[PCLNTAB_GO12] = { 0xfffffffb, 0, 0, 1 },
	[PCLNTAB_GO116] = { 0xfffffffa, 0, 2, 7 },
	[PCLNTAB_GO118] = { 0xfffffff0, 2, 3, 8 },
	[PCLNTAB_GO120] = { 0xfffffff1, 2, 3, 8 },
};

/* An entry of the function table, without relocation. */
struct entry {
	uint64_t address;
	uint64_t record;
};

/* Do entries hold whole addresses? */
static bool is_wide(const struct pclntab *table)
{
	return table->format <= PCLNTAB_GO116;
}

static size_t word_size(const struct pclntab *table)
{
	return is_wide(table) ? 8 : 4;
}

static uint64_t take_word(const uint8_t *bytes, size_t size)
{
	uint64_t word = 0;

	memcpy(&word, bytes, size);
	return word;
}

/* --- reading in order -------------------------------------------------- */

/* A part of the table, refilled from where it is asked for. */
struct window {
	const struct pclntab *table;
	uint8_t *bytes;
	uint64_t at;
	size_t have;
};

static int window_open(struct window *window, const struct pclntab *table)
{
	*window = (struct window){ .table = table, .bytes = malloc(SCAN_CHUNK) };
	return window->bytes ? 0 : -ENOMEM;
}

/* @size bytes at @offset of the file, which must be in the table. */
static int window_get(struct window *window, uint64_t offset, size_t size, const uint8_t **bytes)
{
	const struct pclntab *table = window->table;
	uint64_t end = table->offset + table->size;
	int ret;

	if (offset < table->offset || !elf_range_valid(end, offset, size))
		return -EBADMSG;
	if (offset < window->at || !elf_range_valid(window->at + window->have, offset, size)) {
		window->at = offset;
		window->have = end - offset < SCAN_CHUNK ? end - offset : SCAN_CHUNK;
		ret = elf_image_read(table->image, offset, window->bytes, window->have);
		if (ret) {
			window->have = 0;
			return ret;
		}
	}
	*bytes = window->bytes + (offset - window->at);
	return 0;
}

static int entry_get(struct window *window, uint64_t index, struct entry *entry)
{
	size_t size = word_size(window->table);
	const uint8_t *bytes;
	int ret = window_get(window, window->table->functions + index * 2 * size, 2 * size, &bytes);

	if (ret)
		return ret;
	entry->address = take_word(bytes, size);
	entry->record = take_word(bytes + size, size);
	return 0;
}

/* The name's offset in the names, of the function that @entry is about. */
static int record_get(struct window *window, const struct entry *entry, uint64_t *name)
{
	const struct pclntab *table = window->table;
	size_t size = word_size(table);
	const uint8_t *bytes;
	int ret;

	if (entry->record > table->size)
		return -EBADMSG;
	ret = window_get(window, table->records + entry->record, size + 4, &bytes);
	if (ret)
		return ret;
	if (take_word(bytes, size) != entry->address)
		return -EBADMSG;
	*name = take_word(bytes + size, 4);
	return *name < table->names_size ? 0 : -EBADMSG;
}

/* --- what the header says ---------------------------------------------- */

static bool is_executed(const struct elf_image *image, uint64_t start, uint64_t end)
{
	const Elf64_Phdr *segment;
	size_t i;

	for (i = 0; i < image->segment_count; i++) {
		segment = &image->segments[i];
		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) && start < end &&
		    elf_range_valid(image->size, segment->p_offset, segment->p_filesz) &&
		    start >= segment->p_vaddr &&
		    elf_range_valid(segment->p_filesz, start - segment->p_vaddr, end - start))
			return true;
	}
	return false;
}

static int format_of(uint64_t first)
{
	int format;

	if (first >> 32 != HEADER_REST)
		return -ENOENT;
	for (format = PCLNTAB_GO12; format <= PCLNTAB_GO120; format++)
		if ((uint32_t)first == layouts[format].magic)
			return format;
	return -ENOENT;
}

/* The linker lays the areas out in this order. */
static int take_offsets(struct pclntab *table, const uint64_t *offsets)
{
	size_t i;

	for (i = 1; i < 5; i++)
		if (offsets[i - 1] > offsets[i] || offsets[i] > table->size)
			return -EBADMSG;
	table->names = table->offset + offsets[0];
	table->names_size = offsets[1] - offsets[0];
	table->functions = table->records = table->offset + offsets[4];
	return 0;
}

static int take_header(struct pclntab *table)
{
	const struct layout *layout = &layouts[table->format];
	uint64_t words[HEADER_WORDS] = { 0 };
	uint64_t entries;
	int ret;

	if (table->size < HEADER_SIZE + layout->words * sizeof(words[0]))
		return -EBADMSG;
	ret = elf_relative_read(table->image, table->address + HEADER_SIZE, words,
				layout->words * sizeof(words[0]));
	if (ret)
		return ret;
	table->count = words[0];
	if (table->count == 0 || table->count > PCLNTAB_FUNCTIONS_MAX)
		return table->count ? -E2BIG : -EBADMSG;
	table->code = words[layout->code] * !!layout->code;
	if (layout->offsets) {
		ret = take_offsets(table, words + layout->offsets);
	} else {
		table->names = table->records = table->offset;
		table->names_size = table->size;
		table->functions = table->offset + HEADER_SIZE + sizeof(words[0]);
	}
	entries = (2 * table->count + 1) * word_size(table);
	if (!ret && !elf_range_valid(table->offset + table->size, table->functions, entries))
		ret = -EBADMSG;
	return ret;
}

/* Addresses of @count entries from @index on; after the last function's comes that of the end. */
static int read_addresses(const struct pclntab *table, uint64_t index, uint64_t *addresses,
			  size_t count)
{
	uint8_t bytes[16 * (CHECKED + 1)];
	size_t size = word_size(table), i;
	uint64_t at = table->functions - table->offset + index * 2 * size;
	uint64_t length = (2 * count - 1) * size;
	int ret;

	if (length > sizeof(bytes))
		return -EINVAL;
	ret = is_wide(table) ? elf_relative_read(table->image, table->address + at, bytes, length)
			     : elf_image_read(table->image, table->offset + at, bytes, length);
	for (i = 0; i < count && !ret; i++)
		addresses[i] = take_word(bytes + i * 2 * size, size);
	return ret;
}

/* --- where Go's code begins -------------------------------------------- */

/* The sections of a Go program that matter here; zeroed: it has no such section. */
struct sections {
	const struct elf_image *image;
	Elf64_Shdr table;
	Elf64_Shdr module;
	bool is_go;
};

static int visit_section(void *data, const Elf64_Shdr *section)
{
	struct sections *sections = data;
	char name[32];

	if (section->sh_type == SHT_NOBITS ||
	    elf_image_section_name(sections->image, section, name, sizeof(name)) < 0)
		return 0;
	if (strcmp(name, ".gopclntab") == 0 || strcmp(name, ".data.rel.ro.gopclntab") == 0)
		sections->table = *section;
	else if (strcmp(name, ".go.module") == 0)
		sections->module = *section;
	else if (strcmp(name, ".go.buildinfo") != 0 && strcmp(name, ".note.go.buildid") != 0)
		return 0;
	sections->is_go = true;
	return 0;
}

static int read_sections(const struct elf_image *image, struct sections *sections)
{
	*sections = (struct sections){ .image = image };
	return elf_image_walk_sections(image, visit_section, sections);
}

/* What is known of the code that a table describes, and where it begins. */
struct code_search {
	const struct pclntab *table;
	uint64_t first, end; /* counted from the start of the code */
	uint64_t start;	     /* 0: not found yet */
};

/* Two adjacent words may be the addresses of the first function and of the end. */
static int consider_code(struct code_search *search, const uint64_t words[2])
{
	uint64_t start = words[0] - search->first;

	if (words[0] < search->first || words[1] <= words[0] ||
	    words[1] - words[0] != search->end - search->first ||
	    !is_executed(search->table->image, words[0], words[1]))
		return 0;
	if (search->start && search->start != start)
		return -ENOTUNIQ;
	search->start = start;
	return 0;
}

static int search_words(struct code_search *search, uint64_t address, uint64_t size)
{
	CLEANUP_FREE uint64_t *words = NULL;
	size_t i, count = size / sizeof(*words);
	int ret;

	if (size > MODULE_MAX)
		return -E2BIG;
	words = malloc(size);
	if (!words)
		return -ENOMEM;
	ret = elf_relative_read(search->table->image, address, words, count * sizeof(*words));
	for (i = 0; i + 1 < count && !ret; i++)
		ret = consider_code(search, words + i);
	return ret;
}

/*
 * Fills table->code where the header does not say it. The runtime's record of the
 * module has the addresses of the first function and of the end, one after the
 * other (minpc, maxpc), and the runtime refuses to start if they are not what the
 * table says. So two such words are looked for: in .go.module, where Go 1.26 and
 * later have that record, or else in all data.
 */
static int code_start(struct pclntab *table, const struct sections *sections)
{
	struct code_search search = { .table = table };
	const struct elf_image *image = table->image;
	int ret;
	size_t i;

	ret = read_addresses(table, 0, &search.first, 1);
	if (!ret)
		ret = read_addresses(table, table->count, &search.end, 1);
	if (!ret && sections->module.sh_size)
		ret = search_words(&search, sections->module.sh_addr, sections->module.sh_size);
	for (i = 0; i < image->segment_count && !ret && !sections->module.sh_size; i++) {
		const Elf64_Phdr *segment = &image->segments[i];

		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) && segment->p_filesz)
			ret = search_words(&search, segment->p_vaddr, segment->p_filesz);
	}
	table->code = search.start;
	if (!ret && !search.start)
		ret = -EBADMSG;
	return ret;
}

/* --- is it one? -------------------------------------------------------- */

/* The first functions: in order, each with a record that says the same, and a name. */
static int check_functions(const struct pclntab *table)
{
	uint64_t addresses[CHECKED + 1], name, i;
	uint64_t count = table->count < CHECKED ? table->count : CHECKED;
	struct window window;
	struct entry entry;
	int ret = read_addresses(table, 0, addresses, count + 1);

	for (i = 0; i < count && !ret; i++)
		if (addresses[i] > addresses[i + 1])
			ret = -EBADMSG;
	if (ret)
		return ret;
	ret = window_open(&window, table);
	for (i = 0; i < count && !ret; i++) {
		ret = entry_get(&window, i, &entry);
		if (!ret)
			ret = record_get(&window, &entry, &name);
	}
	free(window.bytes);
	return ret;
}

/* All that it describes is code that the file executes. */
static int check_code(const struct pclntab *table)
{
	uint64_t first, end;
	int ret = read_addresses(table, 0, &first, 1);

	if (!ret)
		ret = read_addresses(table, table->count, &end, 1);
	if (!ret && !is_executed(table->image, table->code + first, table->code + end))
		ret = -EBADMSG;
	return ret;
}

/* Is there a table at @address that ends within @size bytes? */
static int open_at(const struct sections *sections, uint64_t address, uint64_t size,
		   struct pclntab *table)
{
	const struct elf_image *image = sections->image;
	uint64_t first;
	int ret;

	*table = (struct pclntab){ .image = image, .address = address };
	table->size = size < PCLNTAB_SIZE_MAX ? size : PCLNTAB_SIZE_MAX;
	ret = elf_address_to_offset(image, address, &table->offset);
	if (!ret && !elf_range_valid(image->size, table->offset, table->size))
		ret = -EBADMSG;
	if (!ret)
		ret = elf_image_read(image, table->offset, &first, sizeof(first));
	if (ret)
		return ret;
	ret = format_of(first);
	if (ret < 0)
		return ret;
	table->format = (enum pclntab_format)ret;
	ret = take_header(table);
	if (!ret)
		ret = check_functions(table);
	if (!ret && !is_wide(table) && !table->code)
		ret = code_start(table, sections);
	return ret ? ret : check_code(table);
}

/* --- where it is ------------------------------------------------------- */

struct table_search {
	const struct sections *sections;
	struct pclntab *found; /* .image is NULL: none yet */
	unsigned int candidates;
};

static int consider_table(struct table_search *search, uint64_t address, uint64_t size)
{
	struct pclntab table;
	int ret;

	if (search->candidates++ == CANDIDATES_MAX)
		return -E2BIG;
	ret = open_at(search->sections, address, size, &table);
	if (ret)
		return ret == -EBADMSG || ret == -EFAULT || ret == -E2BIG ? 0 : ret;
	if (search->found->image)
		return -ENOTUNIQ;
	*search->found = table;
	return 0;
}

/* The linkers align the table to 32 bytes, and anything that has words to 8. */
static int search_segment(struct table_search *search, const Elf64_Phdr *segment)
{
	uint64_t size = segment->p_filesz, at, have, i;
	CLEANUP_FREE uint64_t *words = malloc(SCAN_CHUNK);
	int ret = words ? 0 : -ENOMEM;

	if (size > PCLNTAB_SIZE_MAX)
		size = PCLNTAB_SIZE_MAX;
	for (at = -segment->p_vaddr & 7; at < size && !ret; at += have) {
		have = size - at < SCAN_CHUNK ? size - at : SCAN_CHUNK;
		ret = elf_image_read(search->sections->image, segment->p_offset + at, words, have);
		for (i = 0; i < have / sizeof(*words) && !ret; i++)
			if (words[i] >> 32 == HEADER_REST && format_of(words[i]) >= 0)
				ret = consider_table(search, segment->p_vaddr + at + i * 8,
						     segment->p_filesz - at - i * 8);
	}
	return ret;
}

static int search_segments(const struct sections *sections, struct pclntab *table)
{
	const struct elf_image *image = sections->image;
	struct table_search search = { .sections = sections, .found = table };
	int ret = 0;
	size_t i;

	*table = (struct pclntab){ 0 };
	for (i = 0; i < image->segment_count && !ret; i++) {
		const Elf64_Phdr *segment = &image->segments[i];

		if (segment->p_type == PT_LOAD &&
		    elf_range_valid(image->size, segment->p_offset, segment->p_filesz))
			ret = search_segment(&search, segment);
	}
	if (!ret && !table->image)
		ret = -ENOENT;
	return ret;
}

int pclntab_open(const struct elf_image *image, struct pclntab *table)
{
	struct sections sections;
	int ret = read_sections(image, &sections);

	if (ret)
		return ret;
	if (sections.table.sh_size) {
		ret = open_at(&sections, sections.table.sh_addr, sections.table.sh_size, table);
		return ret == -EFAULT || ret == -ENOENT ? -EBADMSG : ret;
	}
	if (!sections.is_go && image->section_count)
		return -ENOENT;
	return search_segments(&sections, table);
}

/* --- functions by name ------------------------------------------------- */

struct name_search {
	struct elf_symbol *out;
	size_t count;
	struct name_place {
		uint64_t offset;
		size_t name;
	} places[PLACES_MAX];
};

static int add_place(void *data, size_t name, uint64_t offset)
{
	struct name_search *search = data;

	if (search->count == PLACES_MAX)
		return -E2BIG;
	search->places[search->count++] = (struct name_place){ offset, name };
	return 0;
}

static int take_function(const struct pclntab *table, uint64_t index, struct elf_symbol *symbol)
{
	uint64_t addresses[2];
	int ret;

	if (symbol->error != -ENOENT) {
		symbol->error = -ENOTUNIQ;
		return 0;
	}
	ret = read_addresses(table, index, addresses, 2);
	if (ret)
		return ret;
	if (!is_executed(table->image, table->code + addresses[0], table->code + addresses[1]))
		return -EBADMSG;
	*symbol = (struct elf_symbol){
		.value = table->code + addresses[0],
		.size = addresses[1] - addresses[0],
		.type = STT_FUNC,
		.binding = STB_LOCAL,
		.origin = ELF_SYMTAB,
	};
	return 0;
}

/*
 * All functions, in order. Records come in the same order, so that both are read
 * once; if they do not, the table is not what a linker makes.
 */
static int walk_functions(const struct pclntab *table, const struct name_search *search)
{
	struct window entries, records;
	struct entry entry;
	uint64_t i, name, before = 0;
	size_t k;
	int ret = window_open(&entries, table);
	int ret_records = window_open(&records, table);

	ret = ret ? ret : ret_records;
	for (i = 0; i < table->count && !ret; i++) {
		ret = entry_get(&entries, i, &entry);
		if (ret)
			break;
		if (entry.record <= before)
			ret = -EBADMSG;
		before = entry.record;
		if (!ret)
			ret = record_get(&records, &entry, &name);
		for (k = 0; k < search->count && !ret; k++)
			if (search->places[k].offset == name)
				ret = take_function(table, i, &search->out[search->places[k].name]);
	}
	free(entries.bytes);
	free(records.bytes);
	return ret;
}

int pclntab_find(const struct pclntab *table, const char *const names[], size_t count,
		 struct elf_symbol out[])
{
	struct name_search search = { .out = out };
	int ret, found = 0;
	size_t i;

	for (i = 0; i < count; i++)
		out[i] = (struct elf_symbol){ .error = -ENOENT };
	ret = elf_strings_search(table->image, table->names, table->names_size, names, count, "",
				 add_place, &search);
	if (!ret && search.count)
		ret = walk_functions(table, &search);
	for (i = 0; i < count && !ret; i++)
		found += !out[i].error;
	return ret ? ret : found;
}
