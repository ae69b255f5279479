/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading BPF object files: relocatable ELF64 of machine EM_BPF, as clang
 * --target=bpf writes them. This reader knows the container only: sections,
 * functions, map definitions, variables, relocations. What they mean to the
 * kernel is the business of user/bpf/object.c.
 *
 * The object stays in the caller's buffer (it is embedded in Kloak's binary);
 * struct object points into it and owns only its index arrays. Whatever the
 * buffer holds, every offset handed out has been checked against it: see
 * object_bytes(), through which all reading goes.
 *
 * Source: System V gABI, chapters 4 (object files); Linux
 * Documentation/bpf/llvm_reloc.rst for the two relocation types in use.
 */
#ifndef KLOAK_ELF_OBJECT_H
#define KLOAK_ELF_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OBJECT_INSN_SIZE 8 /* bytes of one BPF instruction */

enum object_section_kind {
	OBJECT_SECTION_OTHER,
	OBJECT_SECTION_CODE,
	OBJECT_SECTION_MAPS,
	OBJECT_SECTION_RODATA,
	OBJECT_SECTION_DATA,
	OBJECT_SECTION_BSS, /* has a size but no bytes in the file */
};

struct object_section {
	const char *name;
	const uint8_t *bytes; /* NULL: none in the file (.bss) */
	size_t size;
	enum object_section_kind kind;
	uint32_t type; /* SHT_* */
	uint32_t link; /* sh_link and sh_info, unchecked */
	uint32_t info;
};

struct object_symbol {
	const char *name; /* "" for section symbols */
	uint32_t section; /* index, or 0 for undefined and absolute symbols */
	uint32_t type;	  /* STT_* */
	uint64_t value;	  /* offset in its section */
	uint64_t size;
	bool global; /* STB_GLOBAL or STB_WEAK */
};

/* A function lies wholly in its code section; offset and size are multiples of an instruction. */
struct object_function {
	const char *name;
	uint32_t section;
	uint32_t offset; /* bytes */
	uint32_t size;	 /* bytes, never 0 */
	bool global;
};

/* struct bpf_map_definition of kernel/bpf.h, in section "maps". */
struct object_map {
	const char *name;
	uint32_t offset; /* of the definition in its section */
	uint32_t type;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
	uint32_t flags;
};

struct object_relocation {
	uint32_t section; /* that is patched; always a code section */
	uint32_t offset;  /* in it: an instruction's first byte */
	uint32_t type;	  /* R_BPF_64_64 or R_BPF_64_32 */
	uint32_t symbol;  /* index into symbols */
};

struct object {
	const uint8_t *bytes;
	size_t size;
	struct object_section *sections;
	uint32_t section_count;
	struct object_symbol *symbols;
	uint32_t symbol_count;
	struct object_function *functions;
	uint32_t function_count;
	struct object_map *maps;
	uint32_t map_count;
	struct object_relocation *relocations; /* sorted by section, offset */
	uint32_t relocation_count;
};

/*
 * Indexes the object in @data, which must outlive @object.
 * -EINVAL: not a BPF object, or a field points outside of it, or something in
 * it that Kloak's objects never contain (data with relocations, SHF_COMPRESSED,
 * map definitions of another size); -E2BIG: more sections, symbols or
 * relocations than any of ours has; -ENOMEM. On error there is nothing to free.
 */
int object_parse(struct object *object, const void *data, size_t size);
void object_free(struct object *object);

/* The section of that name, or NULL. */
const struct object_section *object_find_section(const struct object *object, const char *name);

/* The variable (STT_OBJECT) of that name in a rodata, data or bss section, or NULL. */
const struct object_symbol *object_find_variable(const struct object *object, const char *name);

/* The function that begins at that place, or NULL. */
const struct object_function *object_find_function(const struct object *object, uint32_t section,
						   uint64_t offset);

/* The relocation of the instruction at that place, or NULL. */
const struct object_relocation *object_find_relocation(const struct object *object,
						       uint32_t section, uint32_t offset);

/* The map definition at that offset of section "maps", or NULL. */
const struct object_map *object_find_map(const struct object *object, uint64_t offset);

#endif
