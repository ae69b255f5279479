/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small ELF files that look like Go programs: a function table in any of the four
 * formats, a record of the module and build info, laid out as the linkers do it.
 * Tests overwrite what is to be a lie.
 */
#ifndef KLOAK_SELFTESTS_GO_FILE_H
#define KLOAK_SELFTESTS_GO_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "elf/pclntab.h"

#define GO_TEXT	    0x200 /* offsets in the file */
#define GO_TABLE    0x1020
#define GO_MODULE   0x3800
#define GO_BUILD    0x3400
#define GO_RELA	    0x4000
#define GO_DYNAMIC  0x5f00
#define GO_SECTIONS 0x6000
#define GO_SIZE	    0x6800
#define GO_SHIFT    0x2000 /* data are so much higher in memory, besides the base */
#define GO_FUNCTION 0x10   /* bytes of each */
#define GO_LEAD	    0x40   /* C code in front of Go's, as the system's linker has it */

struct go_options {
	enum pclntab_format format;
	bool pie;
	bool relocated;		/* addresses are in relocations only, as lld leaves them */
	bool no_code;		/* the header does not say where the code is, as in Go 1.26 */
	bool no_sections;	/* no section headers at all */
	const char *table;	/* name of the table's section; NULL: .gopclntab */
	const char *module;	/* the same of the module's record; NULL: .go.module */
	unsigned int functions; /* after those of go_names[]; 0: none */
	const char *version;	/* NULL: no build info */
	const char *settings;
	bool pointers; /* build info as up to Go 1.17 */
};

struct go_file {
	struct go_options options;
	uint8_t bytes[GO_SIZE];
	uint64_t base;	/* address of the file's first byte */
	uint64_t names; /* offsets in the file, as in struct pclntab */
	uint64_t functions;
	uint64_t records[512];
	uint64_t end; /* of the table */
	size_t relocations;
	size_t count;
};

static const char *const go_names[] = {
	"go:buildid",
	"runtime.main",
	"crypto/tls.aeadAESGCM",
	"crypto/tls.aeadAESGCMTLS13",
	"crypto/tls.(*Conn).Write",
	"main.main",
};
#define GO_NAMES (sizeof(go_names) / sizeof(go_names[0]))

static inline uint64_t go_code(const struct go_file *file)
{
	return file->base + GO_TEXT + GO_LEAD;
}

static inline uint64_t go_data(const struct go_file *file, uint64_t offset)
{
	return file->base + GO_SHIFT + offset;
}

static inline void go_put(struct go_file *file, uint64_t offset, uint64_t value, size_t size)
{
	memcpy(file->bytes + offset, &value, size);
}

/* An address, which is in a relocation if the file has such. */
static inline void go_put_address(struct go_file *file, uint64_t offset, uint64_t address)
{
	Elf64_Rela rela = {
		.r_offset = go_data(file, offset),
		.r_info = ELF64_R_INFO(0, R_X86_64_RELATIVE),
		.r_addend = (int64_t)address,
	};

	if (!file->options.relocated || !address) {
		go_put(file, offset, address, 8);
		return;
	}
	memcpy(file->bytes + GO_RELA + file->relocations++ * sizeof(rela), &rela, sizeof(rela));
}

static inline bool go_is_wide(const struct go_file *file)
{
	return file->options.format <= PCLNTAB_GO116;
}

static inline void go_put_function(struct go_file *file, uint64_t offset, size_t index)
{
	if (go_is_wide(file))
		go_put_address(file, offset, go_code(file) + index * GO_FUNCTION);
	else
		go_put(file, offset, index * GO_FUNCTION, 4);
}

static inline const char *go_name(size_t index, char *buffer, size_t size)
{
	if (index < GO_NAMES)
		return go_names[index];
	snprintf(buffer, size, "main.f%zu", index);
	return buffer;
}

/* Names, and records after the table of functions; in Go 1.2 each name follows its record. */
static inline void go_put_records(struct go_file *file)
{
	size_t word = go_is_wide(file) ? 8 : 4, i;
	uint64_t name_at = file->names, at;
	bool together = file->options.format == PCLNTAB_GO12;
	char buffer[32];

	at = file->functions + (2 * file->count + 1) * word;
	at = (at + 7) & ~7ULL;
	for (i = 0; i < file->count; i++) {
		const char *name = go_name(i, buffer, sizeof(buffer));
		uint64_t base = together ? GO_TABLE : file->functions;

		go_put_function(file, file->functions + i * 2 * word, i);
		go_put(file, file->functions + i * 2 * word + word, at - base, word);
		file->records[i] = at;
		go_put_function(file, at, i);
		at += word + 12;
		at = (at + 7) & ~7ULL;
		if (together)
			name_at = at;
		go_put(file, file->records[i] + word, name_at - (together ? GO_TABLE : file->names),
		       4);
		strcpy((char *)file->bytes + name_at, name);
		name_at += strlen(name) + 1;
		if (together)
			at = (name_at + 7) & ~7ULL;
	}
	go_put_function(file, file->functions + file->count * 2 * word, file->count);
	file->end = at;
}

static inline void go_put_table(struct go_file *file)
{
	static const uint32_t magics[] = { 0xfffffffb, 0xfffffffa, 0xfffffff0, 0xfffffff1 };
	enum pclntab_format format = file->options.format;
	uint64_t at = GO_TABLE + 8, names_end, i;

	go_put(file, GO_TABLE, magics[format], 4);
	go_put(file, GO_TABLE + 4, 0x08010000, 4);
	go_put(file, at, file->count, 8);
	if (format == PCLNTAB_GO12) {
		file->names = GO_TABLE;
		file->functions = at + 8;
		go_put_records(file);
		return;
	}
	go_put(file, at += 8, 3, 8);
	if (format >= PCLNTAB_GO118)
		go_put_address(file, at += 8, file->options.no_code ? 0 : go_code(file));
	file->names = GO_TABLE + 0x60;
	names_end = file->names + 0x100 + file->options.functions * 16;
	file->functions = names_end + 0x40;
	go_put(file, at += 8, file->names - GO_TABLE, 8);
	for (i = 0; i < 3; i++)
		go_put(file, at += 8, names_end - GO_TABLE + i * 8, 8);
	go_put(file, at += 8, file->functions - GO_TABLE, 8);
	go_put_records(file);
}

/* Two slices, and the addresses of the first function and of the end. */
static inline void go_put_module(struct go_file *file)
{
	go_put_address(file, GO_MODULE, go_data(file, GO_TABLE));
	go_put_address(file, GO_MODULE + 8, go_data(file, file->names));
	go_put(file, GO_MODULE + 16, 0x100, 8);
	go_put_address(file, GO_MODULE + 0x48, go_code(file));
	go_put_address(file, GO_MODULE + 0x50, go_code(file) + file->count * GO_FUNCTION);
}

static inline uint64_t go_put_counted(struct go_file *file, uint64_t at, const char *text)
{
	size_t size = strlen(text);

	if (size > 127)
		file->bytes[at++] = (uint8_t)(0x80 | (size & 0x7f));
	file->bytes[at++] = (uint8_t)(size > 127 ? size >> 7 : size);
	memcpy(file->bytes + at, text, size);
	return at + size;
}

static inline void go_put_build(struct go_file *file)
{
	char settings[1024] = "";
	uint64_t at = GO_BUILD;

	if (file->options.settings)
		snprintf(settings, sizeof(settings), "0123456789abcdef%sfedcba9876543210",
			 file->options.settings);
	memcpy(file->bytes + at, "\xff Go buildinf:", 14);
	file->bytes[at + 14] = 8;
	if (!file->options.pointers) {
		file->bytes[at + 15] = 2;
		at = go_put_counted(file, at + 32, file->options.version);
		go_put_counted(file, at, settings);
		return;
	}
	go_put_address(file, at + 16, go_data(file, at + 0x40));
	go_put_address(file, at + 24, go_data(file, at + 0x50));
	go_put_address(file, at + 0x40, go_data(file, at + 0x60));
	go_put(file, at + 0x48, strlen(file->options.version), 8);
	go_put_address(file, at + 0x50, go_data(file, at + 0xa0));
	go_put(file, at + 0x58, strlen(settings), 8);
	strcpy((char *)file->bytes + at + 0x60, file->options.version);
	strcpy((char *)file->bytes + at + 0xa0, settings);
}

static inline void go_put_section(struct go_file *file, size_t index, const char *name,
				  uint64_t offset, uint64_t size)
{
	Elf64_Shdr section = {
		.sh_name = (uint32_t)(index * 32),
		.sh_type = SHT_PROGBITS,
		.sh_addr = go_data(file, offset),
		.sh_offset = offset,
		.sh_size = size,
	};

	memcpy(file->bytes + GO_SECTIONS + index * sizeof(section), &section, sizeof(section));
	strcpy((char *)file->bytes + GO_SECTIONS + 0x400 + index * 32, name);
}

static inline void go_put_segment(struct go_file *file, size_t index, uint32_t type, uint32_t flags,
				  uint64_t offset, uint64_t address, uint64_t size)
{
	Elf64_Phdr segment = {
		.p_type = type,
		.p_flags = flags,
		.p_offset = offset,
		.p_vaddr = address,
		.p_filesz = size,
		.p_memsz = size,
	};

	memcpy(file->bytes + sizeof(Elf64_Ehdr) + index * sizeof(segment), &segment,
	       sizeof(segment));
}

#define GO_SECTION_COUNT 6

static inline void go_put_headers(struct go_file *file)
{
	const struct go_options *options = &file->options;
	Elf64_Ehdr header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = options->pie ? ET_DYN : ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = options->relocated ? 3 : 2,
	};
	Elf64_Dyn dynamic[] = {
		{ DT_RELA, { go_data(file, GO_RELA) } },
		{ DT_RELASZ, { file->relocations * sizeof(Elf64_Rela) } },
		{ DT_NULL, { 0 } },
	};

	if (!options->no_sections) {
		header.e_shoff = GO_SECTIONS;
		header.e_shentsize = sizeof(Elf64_Shdr);
		header.e_shnum = GO_SECTION_COUNT;
		header.e_shstrndx = 5;
		go_put_section(file, 1, ".data", GO_RELA, 8);
		go_put_section(file, 2, options->table ? options->table : ".gopclntab", GO_TABLE,
			       file->end - GO_TABLE);
		go_put_section(file, 3, options->module ? options->module : ".go.module", GO_MODULE,
			       0x100);
		go_put_section(file, 4, options->version ? ".go.buildinfo" : ".note.go.buildid",
			       GO_BUILD, 0x100);
		go_put_section(file, 5, ".shstrtab", GO_SECTIONS + 0x400, 0x100);
	}
	memcpy(file->bytes, &header, sizeof(header));
	memcpy(file->bytes + GO_DYNAMIC, dynamic, sizeof(dynamic));
	go_put_segment(file, 0, PT_LOAD, PF_R | PF_X, 0, file->base, 0x1000);
	go_put_segment(file, 1, PT_LOAD, PF_R | PF_W, 0x1000, go_data(file, 0x1000), 0x5000);
	go_put_segment(file, 2, PT_DYNAMIC, PF_R, GO_DYNAMIC, go_data(file, GO_DYNAMIC),
		       sizeof(dynamic));
}

static inline void go_file_make(struct go_file *file, const struct go_options *options)
{
	memset(file, 0, sizeof(*file));
	file->options = *options;
	file->base = options->pie ? 0 : 0x400000;
	file->count = GO_NAMES + options->functions;
	go_put_table(file);
	go_put_module(file);
	if (options->version)
		go_put_build(file);
	go_put_headers(file);
}

#endif
