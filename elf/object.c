// SPDX-License-Identifier: GPL-2.0-only
/* BPF object files: see object.h for the contract. */
#include "elf/object.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifndef EM_BPF
#define EM_BPF 247
#endif

/* Linux Documentation/bpf/llvm_reloc.rst; absent from musl's and older elf.h. */
#define RELOCATION_64_64 1
#define RELOCATION_64_32 10

/* Our largest object is far below each of these; they bound what a hostile one can cost. */
#define SIZE_LIMIT	 (16U << 20)
#define SECTION_LIMIT	 512
#define SYMBOL_LIMIT	 16384
#define RELOCATION_LIMIT 65536
#define DATA_LIMIT	 (4U << 20)

#define DEFINITION_SIZE 20 /* struct bpf_map_definition: five __u32 */

/*
 * All access to the bytes of the object: NULL unless [offset, offset + size)
 * lies inside. Fields are copied out of the range, since a hostile file aligns
 * nothing.
 */
static const uint8_t *object_bytes(const struct object *object, uint64_t offset, uint64_t size)
{
	if (offset > object->size || size > object->size - offset)
		return NULL;
	return object->bytes + offset;
}

static bool copy_out(const struct object *object, void *to, uint64_t offset, size_t size)
{
	const uint8_t *bytes = object_bytes(object, offset, size);

	if (bytes)
		memcpy(to, bytes, size);
	return bytes;
}

/* The string at @offset of a table, or NULL if it does not end inside of it. */
static const char *table_string(const struct object_section *table, uint64_t offset)
{
	if (table->type != SHT_STRTAB || offset >= table->size ||
	    !memchr(table->bytes + offset, 0, table->size - offset))
		return NULL;
	return (const char *)table->bytes + offset;
}

/* ".rodata" and ".rodata.cst16", not ".rodatax". */
static bool is_family(const char *name, const char *family)
{
	size_t length = strlen(family);

	return strncmp(name, family, length) == 0 && (!name[length] || name[length] == '.');
}

static enum object_section_kind section_kind(const char *name, const Elf64_Shdr *header)
{
	if (!(header->sh_flags & SHF_ALLOC))
		return OBJECT_SECTION_OTHER;
	if (header->sh_type == SHT_NOBITS)
		return is_family(name, ".bss") ? OBJECT_SECTION_BSS : OBJECT_SECTION_OTHER;
	if (header->sh_type != SHT_PROGBITS)
		return OBJECT_SECTION_OTHER;
	if (header->sh_flags & SHF_EXECINSTR)
		return OBJECT_SECTION_CODE;
	if (strcmp(name, "maps") == 0)
		return OBJECT_SECTION_MAPS;
	if (is_family(name, ".rodata"))
		return OBJECT_SECTION_RODATA;
	return is_family(name, ".data") ? OBJECT_SECTION_DATA : OBJECT_SECTION_OTHER;
}

static int check_header(const struct object *object, Elf64_Ehdr *header)
{
	static const uint8_t ident[] = {
		ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT,
	};

	if (!copy_out(object, header, 0, sizeof(*header)) ||
	    memcmp(header->e_ident, ident, sizeof(ident)) != 0 || header->e_machine != EM_BPF ||
	    header->e_type != ET_REL || header->e_shentsize != sizeof(Elf64_Shdr) ||
	    header->e_shstrndx >= header->e_shnum)
		return -EINVAL;
	return header->e_shnum > SECTION_LIMIT ? -E2BIG : 0;
}

static bool read_section_header(const struct object *object, const Elf64_Ehdr *header,
				uint32_t index, Elf64_Shdr *raw)
{
	uint64_t offset;

	return !__builtin_add_overflow(header->e_shoff, (uint64_t)index * sizeof(*raw), &offset) &&
	       copy_out(object, raw, offset, sizeof(*raw));
}

static int read_section(const struct object *object, const Elf64_Shdr *header,
			struct object_section *section)
{
	section->type = header->sh_type;
	section->link = header->sh_link;
	section->info = header->sh_info;
	if (header->sh_type == SHT_NULL)
		return 0;
	if (header->sh_flags & SHF_COMPRESSED)
		return -EINVAL;
	if (header->sh_size > SIZE_LIMIT)
		return -E2BIG;
	section->size = header->sh_size;
	if (header->sh_type == SHT_NOBITS)
		return 0;
	section->bytes = object_bytes(object, header->sh_offset, header->sh_size);
	return section->bytes ? 0 : -EINVAL;
}

static int check_kind(const struct object_section *section)
{
	switch (section->kind) {
	case OBJECT_SECTION_CODE:
		return section->size % OBJECT_INSN_SIZE ? -EINVAL : 0;
	case OBJECT_SECTION_MAPS:
		return section->size % DEFINITION_SIZE ? -EINVAL : 0;
	case OBJECT_SECTION_RODATA:
	case OBJECT_SECTION_DATA:
	case OBJECT_SECTION_BSS:
		return section->size > DATA_LIMIT ? -E2BIG : 0;
	default:
		return 0;
	}
}

/* Names come last: the table that holds them is itself a section. */
static int name_sections(struct object *object, const Elf64_Ehdr *header)
{
	const struct object_section *names = &object->sections[header->e_shstrndx];
	uint32_t i;

	for (i = 0; i < object->section_count; i++) {
		struct object_section *section = &object->sections[i];
		Elf64_Shdr raw;
		int ret;

		if (!read_section_header(object, header, i, &raw))
			return -EINVAL;
		section->name = table_string(names, raw.sh_name);
		if (!section->name)
			return -EINVAL;
		section->kind = section_kind(section->name, &raw);
		ret = check_kind(section);
		if (ret)
			return ret;
	}
	return 0;
}

static int read_sections(struct object *object)
{
	Elf64_Ehdr header;
	uint32_t i;
	int ret;

	ret = check_header(object, &header);
	if (ret)
		return ret;
	object->section_count = header.e_shnum;
	object->sections = calloc(header.e_shnum, sizeof(*object->sections));
	if (!object->sections)
		return -ENOMEM;
	for (i = 0; i < object->section_count; i++) {
		Elf64_Shdr raw;

		if (!read_section_header(object, &header, i, &raw))
			return -EINVAL;
		ret = read_section(object, &raw, &object->sections[i]);
		if (ret)
			return ret;
	}
	return name_sections(object, &header);
}

static const struct object_section *section_of_type(const struct object *object, uint32_t type)
{
	uint32_t i;

	for (i = 0; i < object->section_count; i++)
		if (object->sections[i].type == type)
			return &object->sections[i];
	return NULL;
}

static int read_symbol(const struct object *object, const struct object_section *strings,
		       const Elf64_Sym *raw, struct object_symbol *symbol)
{
	symbol->name = table_string(strings, raw->st_name);
	if (!symbol->name)
		return -EINVAL;
	symbol->type = ELF64_ST_TYPE(raw->st_info);
	symbol->global = ELF64_ST_BIND(raw->st_info) != STB_LOCAL;
	symbol->value = raw->st_value;
	symbol->size = raw->st_size;
	if (raw->st_shndx == SHN_UNDEF || raw->st_shndx >= SHN_LORESERVE)
		return 0;
	if (raw->st_shndx >= object->section_count)
		return -EINVAL;
	symbol->section = raw->st_shndx;
	if (symbol->value > object->sections[symbol->section].size ||
	    symbol->size > object->sections[symbol->section].size - symbol->value)
		return -EINVAL;
	return 0;
}

static int read_symbols(struct object *object)
{
	const struct object_section *table = section_of_type(object, SHT_SYMTAB);
	const struct object_section *strings;
	uint32_t i;
	int ret;

	if (!table || table->size % sizeof(Elf64_Sym) || table->link >= object->section_count)
		return -EINVAL;
	if (table->size / sizeof(Elf64_Sym) > SYMBOL_LIMIT)
		return -E2BIG;
	strings = &object->sections[table->link];
	object->symbol_count = (uint32_t)(table->size / sizeof(Elf64_Sym));
	object->symbols = calloc(object->symbol_count + 1, sizeof(*object->symbols));
	if (!object->symbols)
		return -ENOMEM;
	for (i = 0; i < object->symbol_count; i++) {
		Elf64_Sym raw;

		memcpy(&raw, table->bytes + i * sizeof(raw), sizeof(raw));
		ret = read_symbol(object, strings, &raw, &object->symbols[i]);
		if (ret)
			return ret;
	}
	return 0;
}

static bool symbol_is_in(const struct object *object, const struct object_symbol *symbol,
			 uint32_t type, enum object_section_kind kind)
{
	return symbol->section && symbol->type == type &&
	       object->sections[symbol->section].kind == kind;
}

static int add_function(struct object *object, const struct object_symbol *symbol)
{
	struct object_function *function = &object->functions[object->function_count];

	if (!symbol->size || symbol->value % OBJECT_INSN_SIZE || symbol->size % OBJECT_INSN_SIZE)
		return -EINVAL;
	*function = (struct object_function){
		.name = symbol->name,
		.section = symbol->section,
		.offset = (uint32_t)symbol->value,
		.size = (uint32_t)symbol->size,
		.global = symbol->global,
	};
	object->function_count++;
	return 0;
}

static int add_map(struct object *object, const struct object_symbol *symbol)
{
	const struct object_section *section = &object->sections[symbol->section];
	struct object_map *map = &object->maps[object->map_count];
	uint32_t fields[DEFINITION_SIZE / sizeof(uint32_t)];

	if (symbol->size != sizeof(fields) || symbol->value % sizeof(fields))
		return -EINVAL;
	memcpy(fields, section->bytes + symbol->value, sizeof(fields));
	*map = (struct object_map){
		.name = symbol->name,
		.offset = (uint32_t)symbol->value,
		.type = fields[0],
		.key_size = fields[1],
		.value_size = fields[2],
		.max_entries = fields[3],
		.flags = fields[4],
	};
	object->map_count++;
	return 0;
}

static int index_symbols(struct object *object)
{
	uint32_t i;
	int ret = 0;

	object->functions = calloc(object->symbol_count + 1, sizeof(*object->functions));
	object->maps = calloc(object->symbol_count + 1, sizeof(*object->maps));
	if (!object->functions || !object->maps)
		return -ENOMEM;
	for (i = 0; i < object->symbol_count && !ret; i++) {
		const struct object_symbol *symbol = &object->symbols[i];

		if (symbol_is_in(object, symbol, STT_FUNC, OBJECT_SECTION_CODE))
			ret = add_function(object, symbol);
		else if (symbol_is_in(object, symbol, STT_OBJECT, OBJECT_SECTION_MAPS))
			ret = add_map(object, symbol);
	}
	return ret;
}

static int read_relocation(const struct object *object, uint32_t section, const Elf64_Rel *raw,
			   struct object_relocation *relocation)
{
	*relocation = (struct object_relocation){
		.section = section,
		.offset = (uint32_t)raw->r_offset,
		.type = ELF64_R_TYPE(raw->r_info),
		.symbol = (uint32_t)ELF64_R_SYM(raw->r_info),
	};
	if (raw->r_offset >= object->sections[section].size || raw->r_offset % OBJECT_INSN_SIZE ||
	    relocation->symbol >= object->symbol_count)
		return -EINVAL;
	if (relocation->type != RELOCATION_64_64 && relocation->type != RELOCATION_64_32)
		return -EINVAL;
	return 0;
}

/* Relocations of debug sections and .BTF.ext do not matter; those of data are not supported. */
static int add_relocations(struct object *object, const struct object_section *table)
{
	size_t count = table->size / sizeof(Elf64_Rel), i;
	struct object_relocation *grown;
	int ret;

	if (table->info >= object->section_count)
		return -EINVAL;
	if (object->sections[table->info].kind == OBJECT_SECTION_OTHER)
		return 0;
	if (object->sections[table->info].kind != OBJECT_SECTION_CODE ||
	    table->size % sizeof(Elf64_Rel))
		return -EINVAL;
	if (count > RELOCATION_LIMIT - object->relocation_count)
		return -E2BIG;
	grown = realloc(object->relocations,
			(object->relocation_count + count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	object->relocations = grown;
	for (i = 0; i < count; i++) {
		Elf64_Rel raw;

		memcpy(&raw, table->bytes + i * sizeof(raw), sizeof(raw));
		ret = read_relocation(object, table->info, &raw,
				      &object->relocations[object->relocation_count]);
		if (ret)
			return ret;
		object->relocation_count++;
	}
	return 0;
}

static int relocation_compare(const void *left, const void *right)
{
	const struct object_relocation *a = left, *b = right;

	if (a->section != b->section)
		return a->section < b->section ? -1 : 1;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static int read_relocations(struct object *object)
{
	uint32_t i;
	int ret;

	for (i = 0; i < object->section_count; i++) {
		if (object->sections[i].type == SHT_RELA)
			return -EINVAL;
		if (object->sections[i].type != SHT_REL)
			continue;
		ret = add_relocations(object, &object->sections[i]);
		if (ret)
			return ret;
	}
	if (object->relocation_count)
		qsort(object->relocations, object->relocation_count, sizeof(*object->relocations),
		      relocation_compare);
	return 0;
}

int object_parse(struct object *object, const void *data, size_t size)
{
	int ret;

	*object = (struct object){ .bytes = data, .size = size };
	if (size > SIZE_LIMIT)
		return -E2BIG;
	ret = read_sections(object);
	if (!ret)
		ret = read_symbols(object);
	if (!ret)
		ret = index_symbols(object);
	if (!ret)
		ret = read_relocations(object);
	if (ret)
		object_free(object);
	return ret;
}

void object_free(struct object *object)
{
	free(object->sections);
	free(object->symbols);
	free(object->functions);
	free(object->maps);
	free(object->relocations);
	*object = (struct object){ 0 };
}

const struct object_section *object_find_section(const struct object *object, const char *name)
{
	uint32_t i;

	for (i = 0; i < object->section_count; i++)
		if (strcmp(object->sections[i].name, name) == 0)
			return &object->sections[i];
	return NULL;
}

const struct object_symbol *object_find_variable(const struct object *object, const char *name)
{
	uint32_t i;

	for (i = 0; i < object->symbol_count; i++) {
		const struct object_symbol *symbol = &object->symbols[i];

		if (strcmp(symbol->name, name) == 0 &&
		    (symbol_is_in(object, symbol, STT_OBJECT, OBJECT_SECTION_RODATA) ||
		     symbol_is_in(object, symbol, STT_OBJECT, OBJECT_SECTION_DATA) ||
		     symbol_is_in(object, symbol, STT_OBJECT, OBJECT_SECTION_BSS)))
			return symbol;
	}
	return NULL;
}

const struct object_function *object_find_function(const struct object *object, uint32_t section,
						   uint64_t offset)
{
	uint32_t i;

	for (i = 0; i < object->function_count; i++)
		if (object->functions[i].section == section &&
		    object->functions[i].offset == offset)
			return &object->functions[i];
	return NULL;
}

const struct object_relocation *object_find_relocation(const struct object *object,
						       uint32_t section, uint32_t offset)
{
	struct object_relocation key = { .section = section, .offset = offset };

	if (!object->relocation_count)
		return NULL;
	return bsearch(&key, object->relocations, object->relocation_count, sizeof(key),
		       relocation_compare);
}

const struct object_map *object_find_map(const struct object *object, uint64_t offset)
{
	uint32_t i;

	for (i = 0; i < object->map_count; i++)
		if (object->maps[i].offset == offset)
			return &object->maps[i];
	return NULL;
}
