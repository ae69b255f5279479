// SPDX-License-Identifier: GPL-2.0-only
/* BPF object files and the linker: libelf is the oracle; then damaged and hostile copies. */
#include <errno.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#include "elf/object.h"
#include "lib/cleanup.h"
#include "selftests/unit/bpf/objects.h"
#include "selftests/unit/suite.h"
#include "user/bpf/linker.h"

static struct object object;

static void open_calls(void)
{
	require_objects();
	ck_assert_int_eq(object_parse(&object, OBJECT_START(calls), OBJECT_SIZE(calls)), 0);
}

static void close_calls(void)
{
	object_free(&object);
}

/* --- against libelf ---------------------------------------------------- */

static Elf_Data *oracle_table(Elf *elf, uint32_t type, Elf64_Shdr *header)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		*header = *elf64_getshdr(section);
		if (header->sh_type == type)
			return elf_getdata(section, NULL);
	}
	return NULL;
}

static Elf *oracle_open(void)
{
	elf_version(EV_CURRENT);
	return elf_memory((char *)(uintptr_t)OBJECT_START(calls), OBJECT_SIZE(calls));
}

START_TEST(sections_as_libelf_sees_them)
{
	Elf *elf = oracle_open();
	size_t count, names, i;

	ck_assert_int_eq(elf_getshdrnum(elf, &count), 0);
	ck_assert_int_eq(elf_getshdrstrndx(elf, &names), 0);
	ck_assert_uint_eq(object.section_count, count);
	for (i = 1; i < count; i++) {
		Elf64_Shdr *header = elf64_getshdr(elf_getscn(elf, i));

		ck_assert_str_eq(object.sections[i].name, elf_strptr(elf, names, header->sh_name));
		ck_assert_uint_eq(object.sections[i].size, header->sh_size);
		ck_assert_uint_eq(object.sections[i].type, header->sh_type);
		if (header->sh_type != SHT_NOBITS)
			ck_assert_ptr_eq(object.sections[i].bytes,
					 OBJECT_START(calls) + header->sh_offset);
	}
	elf_end(elf);
}
END_TEST

START_TEST(symbols_as_libelf_sees_them)
{
	Elf *elf = oracle_open();
	Elf64_Shdr header;
	Elf64_Sym *symbols = oracle_table(elf, SHT_SYMTAB, &header)->d_buf;
	uint32_t i, functions = 0;

	ck_assert_uint_eq(object.symbol_count, header.sh_size / sizeof(*symbols));
	for (i = 0; i < object.symbol_count; i++) {
		const struct object_symbol *symbol = &object.symbols[i];

		ck_assert_str_eq(symbol->name, elf_strptr(elf, header.sh_link, symbols[i].st_name));
		ck_assert_uint_eq(symbol->value, symbols[i].st_value);
		ck_assert_uint_eq(symbol->size, symbols[i].st_size);
		functions += ELF64_ST_TYPE(symbols[i].st_info) == STT_FUNC;
	}
	ck_assert_uint_eq(object.function_count, functions);
	elf_end(elf);
}
END_TEST

START_TEST(relocations_as_libelf_sees_them)
{
	Elf *elf = oracle_open();
	Elf_Scn *section = NULL;
	uint32_t seen = 0;

	while ((section = elf_nextscn(elf, section))) {
		Elf64_Shdr *header = elf64_getshdr(section);
		Elf64_Rel *rel = elf_getdata(section, NULL)->d_buf;

		if (header->sh_type != SHT_REL ||
		    object.sections[header->sh_info].kind != OBJECT_SECTION_CODE)
			continue;
		for (size_t i = 0; i < header->sh_size / sizeof(*rel); i++, seen++) {
			const struct object_relocation *found = object_find_relocation(
				&object, header->sh_info, (uint32_t)rel[i].r_offset);

			ck_assert_ptr_nonnull(found);
			ck_assert_uint_eq(found->symbol, ELF64_R_SYM(rel[i].r_info));
			ck_assert_uint_eq(found->type, ELF64_R_TYPE(rel[i].r_info));
		}
	}
	ck_assert_uint_gt(seen, 10);
	ck_assert_uint_eq(object.relocation_count, seen);
	elf_end(elf);
}
END_TEST

START_TEST(what_the_source_says)
{
	const struct object_symbol *table = object_find_variable(&object, "table");

	ck_assert_uint_eq(object.map_count, 1);
	ck_assert_str_eq(object.maps[0].name, "results");
	ck_assert_uint_eq(object.maps[0].key_size, 4);
	ck_assert_uint_eq(object.maps[0].value_size, 8);
	ck_assert_uint_eq(object.maps[0].max_entries, 16);
	ck_assert_ptr_eq(object_find_map(&object, 0), &object.maps[0]);
	ck_assert_ptr_null(object_find_map(&object, 4));
	ck_assert_ptr_nonnull(table);
	ck_assert_uint_eq(table->size, 32);
	ck_assert_int_eq(object.sections[table->section].kind, OBJECT_SECTION_RODATA);
	ck_assert_ptr_null(object_find_variable(&object, "results"));
	ck_assert_str_eq((const char *)object_find_section(&object, "license")->bytes, "GPL");
	ck_assert_ptr_null(object_find_section(&object, "nothing"));
}
END_TEST

/* --- the linker -------------------------------------------------------- */

static const struct object_function *function_named(const char *name)
{
	for (uint32_t i = 0; i < object.function_count; i++)
		if (strcmp(object.functions[i].name, name) == 0)
			return &object.functions[i];
	ck_abort_msg("no function %s", name);
}

static bool begins_function(const struct linked_program *program, int64_t index)
{
	for (uint32_t i = 0; i < program->function_count; i++)
		if (program->functions[i].start == index)
			return true;
	return false;
}

static int assemble(const char *name, struct linked_program *program)
{
	const int map_fds[] = { 77 };
	int section_fds[64];
	const struct linker_targets targets = { map_fds, section_fds };
	const char *culprit;
	size_t i;

	ck_assert_uint_le(object.section_count, ARRAY_SIZE(section_fds));
	for (i = 0; i < ARRAY_SIZE(section_fds); i++)
		section_fds[i] = 100 + (int)i;
	return linker_assemble(&object, function_named(name), &targets, program, &culprit);
}

START_TEST(linked_program)
{
	unsigned int calls = 0, callbacks = 0, maps = 0, values = 0;
	struct linked_program program;

	ck_assert_int_eq(assemble("on_entry", &program), 0);
	/* and static_add, static_deep, global_sum, add_index, global_context, in_section */
	ck_assert_uint_eq(program.function_count, 7);
	ck_assert_str_eq(program.functions[0].function->name, "on_entry");
	for (uint32_t i = 0; i < program.insn_count; i++) {
		const struct bpf_insn *insn = &program.insns[i];

		if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) {
			ck_assert(begins_function(&program, (int64_t)i + insn->imm + 1));
			calls++;
		}
		if (insn->code != (BPF_LD | BPF_DW | BPF_IMM))
			continue;
		if (insn->src_reg == BPF_PSEUDO_FUNC) {
			ck_assert(begins_function(&program, (int64_t)i + insn->imm + 1));
			callbacks++;
		}
		if (insn->src_reg == BPF_PSEUDO_MAP_FD) {
			ck_assert_int_eq(insn->imm, 77);
			maps++;
		}
		if (insn->src_reg == BPF_PSEUDO_MAP_VALUE) {
			ck_assert_int_ge(insn->imm, 100);
			values++;
		}
		i++;
	}
	ck_assert_uint_eq(calls, 6); /* four in on_entry, two in global_sum */
	ck_assert_uint_eq(callbacks, 1);
	ck_assert_uint_ge(maps, 10);
	ck_assert_uint_ge(values, 5);
	linker_free(&program);
}
END_TEST

START_TEST(unused_functions_stay_out)
{
	struct linked_program program;

	ck_assert_int_eq(assemble("on_return", &program), 0);
	ck_assert_uint_eq(program.function_count, 1);
	linker_free(&program);
	ck_assert(linker_is_called(&object, function_named("global_sum")));
	ck_assert(linker_is_called(&object, function_named("add_index")));
	ck_assert(!linker_is_called(&object, function_named("on_entry")));
}
END_TEST

START_TEST(linker_refuses_unknown_targets)
{
	struct linked_program program;
	uint32_t i;

	/* All symbols undefined: every reference leads nowhere. */
	for (i = 0; i < object.symbol_count; i++)
		object.symbols[i].section = 0;
	ck_assert_int_eq(assemble("on_entry", &program), -EINVAL);
	/* A symbol beside the functions: calls end inside of one. */
	object_free(&object);
	open_calls();
	for (i = 0; i < object.symbol_count; i++)
		if (object.symbols[i].type == STT_FUNC || object.symbols[i].type == STT_SECTION)
			object.symbols[i].value += 8;
	ck_assert_int_eq(assemble("on_entry", &program), -EINVAL);
}
END_TEST

/* --- damaged objects --------------------------------------------------- */

/* Parses a copy that ends where the bytes end, so that ASan sees any read after it. */
static int parse_copy(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct object parsed;
	int ret;

	memcpy(copy, bytes, size);
	ret = object_parse(&parsed, copy, size);
	if (!ret) {
		for (uint32_t i = 0; i < parsed.function_count; i++)
			linker_is_called(&parsed, &parsed.functions[i]);
		object_free(&parsed);
	}
	free(copy);
	return ret;
}

START_TEST(truncated_anywhere)
{
	const uint8_t *bytes = (const uint8_t *)OBJECT_START(calls);
	size_t size;

	/* The section headers come last, so no shorter file is complete. */
	for (size = 0; size < OBJECT_SIZE(calls); size++)
		ck_assert_int_eq(parse_copy(bytes, size), -EINVAL);
	ck_assert_int_eq(parse_copy(bytes, size), 0);
}
END_TEST

START_TEST(every_byte_damaged)
{
	const uint8_t values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	uint8_t *bytes = malloc(OBJECT_SIZE(calls));
	unsigned int refused = 0;

	memcpy(bytes, OBJECT_START(calls), OBJECT_SIZE(calls));
	for (size_t at = 0; at < OBJECT_SIZE(calls); at++) {
		uint8_t before = bytes[at];

		for (size_t i = 0; i < sizeof(values); i++) {
			bytes[at] = values[i];
			refused += parse_copy(bytes, OBJECT_SIZE(calls)) != 0;
		}
		bytes[at] = before;
	}
	ck_assert_uint_gt(refused, 500);
	free(bytes);
}
END_TEST

struct damage {
	size_t header; /* 0: the ELF header, n: the header of the first section of type n */
	size_t offset; /* in that header */
	size_t size;
	uint64_t value;
	int expected;
};

static const struct damage damages[] = {
	{ 0, offsetof(Elf64_Ehdr, e_machine), 2, EM_X86_64, -EINVAL },
	{ 0, offsetof(Elf64_Ehdr, e_type), 2, ET_EXEC, -EINVAL },
	{ 0, offsetof(Elf64_Ehdr, e_ident) + EI_DATA, 1, ELFDATA2MSB, -EINVAL },
	{ 0, offsetof(Elf64_Ehdr, e_shoff), 8, ~0ULL - 63, -EINVAL },
	{ 0, offsetof(Elf64_Ehdr, e_shnum), 2, 0, -EINVAL },
	{ 0, offsetof(Elf64_Ehdr, e_shnum), 2, 0xfeff, -E2BIG },
	{ 0, offsetof(Elf64_Ehdr, e_shentsize), 2, 63, -EINVAL },
	{ SHT_SYMTAB, offsetof(Elf64_Shdr, sh_offset), 8, ~0ULL, -EINVAL },
	{ SHT_SYMTAB, offsetof(Elf64_Shdr, sh_size), 8, ~0ULL, -E2BIG },
	{ SHT_SYMTAB, offsetof(Elf64_Shdr, sh_size), 8, 25, -EINVAL },
	{ SHT_SYMTAB, offsetof(Elf64_Shdr, sh_link), 4, ~0U, -EINVAL },
	{ SHT_SYMTAB, offsetof(Elf64_Shdr, sh_type), 4, SHT_NOTE, -EINVAL },
	{ SHT_REL, offsetof(Elf64_Shdr, sh_info), 4, ~0U, -EINVAL },
	{ SHT_REL, offsetof(Elf64_Shdr, sh_type), 4, SHT_RELA, -EINVAL },
	{ SHT_STRTAB, offsetof(Elf64_Shdr, sh_size), 8, 1, -EINVAL },
	{ SHT_STRTAB, offsetof(Elf64_Shdr, sh_flags), 8, SHF_COMPRESSED, -EINVAL },
};

static uint8_t *damaged_header(uint8_t *bytes, size_t type)
{
	Elf64_Ehdr *header = (void *)bytes;
	Elf64_Shdr *sections = (void *)(bytes + header->e_shoff);

	if (!type)
		return bytes;
	for (size_t i = 0; i < header->e_shnum; i++)
		if (sections[i].sh_type == type)
			return (uint8_t *)&sections[i];
	ck_abort_msg("no section of type %zu", type);
}

START_TEST(hostile_fields)
{
	const struct damage *damage = &damages[_i];
	uint8_t *bytes = malloc(OBJECT_SIZE(calls));

	memcpy(bytes, OBJECT_START(calls), OBJECT_SIZE(calls));
	memcpy(damaged_header(bytes, damage->header) + damage->offset, &damage->value,
	       damage->size);
	ck_assert_int_eq(parse_copy(bytes, OBJECT_SIZE(calls)), damage->expected);
	free(bytes);
}
END_TEST

static Elf64_Shdr *code_relocations(uint8_t *bytes)
{
	Elf64_Shdr *section = (void *)damaged_header(bytes, SHT_REL);

	while (section->sh_type != SHT_REL || section->sh_size < 2 * sizeof(Elf64_Rel) ||
	       object.sections[section->sh_info].kind != OBJECT_SECTION_CODE)
		section++;
	return section;
}

START_TEST(relocations_in_any_order)
{
	uint8_t *bytes = malloc(OBJECT_SIZE(calls));
	Elf64_Shdr *section;
	struct object parsed;
	Elf64_Rel *rel, first;

	memcpy(bytes, OBJECT_START(calls), OBJECT_SIZE(calls));
	section = code_relocations(bytes);
	rel = (void *)(bytes + section->sh_offset);
	first = rel[0];
	rel[0] = rel[section->sh_size / sizeof(*rel) - 1];
	rel[section->sh_size / sizeof(*rel) - 1] = first;
	ck_assert_int_eq(object_parse(&parsed, bytes, OBJECT_SIZE(calls)), 0);
	for (uint32_t i = 0; i < object.relocation_count; i++)
		ck_assert_uint_eq(object_find_relocation(&parsed, object.relocations[i].section,
							 object.relocations[i].offset)
					  ->symbol,
				  object.relocations[i].symbol);
	object_free(&parsed);
	free(bytes);
}
END_TEST

START_TEST(relocation_inside_an_instruction)
{
	uint8_t *bytes = malloc(OBJECT_SIZE(calls));

	memcpy(bytes, OBJECT_START(calls), OBJECT_SIZE(calls));
	bytes[code_relocations(bytes)->sh_offset] += 4;
	ck_assert_int_eq(parse_copy(bytes, OBJECT_SIZE(calls)), -EINVAL);
	free(bytes);
}
END_TEST

START_TEST(string_without_end)
{
	uint8_t *bytes = malloc(OBJECT_SIZE(calls));
	Elf64_Shdr *strings;

	memcpy(bytes, OBJECT_START(calls), OBJECT_SIZE(calls));
	strings = (void *)damaged_header(bytes, SHT_STRTAB);
	bytes[strings->sh_offset + strings->sh_size - 1] = 'x';
	ck_assert_int_eq(parse_copy(bytes, OBJECT_SIZE(calls)), -EINVAL);
	free(bytes);
}
END_TEST

int main(void)
{
	const TTest *const reader[] = {
		sections_as_libelf_sees_them,
		symbols_as_libelf_sees_them,
		relocations_as_libelf_sees_them,
		what_the_source_says,
		linked_program,
		unused_functions_stay_out,
		linker_refuses_unknown_targets,
	};
	const TTest *const damaged[] = {
		truncated_anywhere,	  every_byte_damaged,
		relocations_in_any_order, relocation_inside_an_instruction,
		string_without_end,
	};
	TCase *const cases[] = {
		suite_case("reader", reader, ARRAY_SIZE(reader), 0, open_calls, close_calls),
		suite_case("damaged", damaged, ARRAY_SIZE(damaged), 60, open_calls, close_calls),
	};

	tcase_add_loop_test(cases[1], hostile_fields, 0, ARRAY_SIZE(damages));
	return suite_run_cases("bpf_object", cases, ARRAY_SIZE(cases));
}
