/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A read-only view of an ELF file that may be hostile.
 *
 * The file is read with pread(2), never mapped: its owner may truncate it at
 * any moment, and a mapping would then raise SIGBUS where pread returns a short
 * count. It also keeps memory small: node has 100 MB, of which a symbol lookup
 * touches a few hundred bytes.
 *
 * All access goes through elf_image_read(), which checks the range against the
 * size that the file had when it was opened. Fields are read into local copies.
 *
 * The file may have any size, and offsets in it are 64 bits wide. What is bounded
 * is what is read of it: the number of segments and sections, the size of a symbol
 * table (symtab.h), the bytes of a function.
 *
 * Only 64-bit little-endian files are read; for other ELF files elf_image_open()
 * returns -ENOTSUP. Whether the machine is the right one is for the caller to judge.
 *
 * Format: System V gABI, chapters 4 and 5; elf(5).
 */
#ifndef KLOAK_ELF_IMAGE_H
#define KLOAK_ELF_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_SEGMENTS_MAX 1024 /* linkers make about 14 */
#define ELF_SECTIONS_MAX 65536

/*
 * Filled by elf_image_open(), valid until elf_image_close(). The descriptor
 * remains the caller's and must stay open until then. Section headers are a help
 * for tools, not for the loader: a file whose table is missing or broken has
 * section_count 0 and is otherwise as good as any.
 */
struct elf_image {
	int fd;
	uint64_t size;	  /* bytes, when it was opened */
	uint16_t type;	  /* ET_* */
	uint16_t machine; /* EM_* */
	uint64_t entry;	  /* virtual address */
	Elf64_Phdr *segments;
	size_t segment_count;
	uint64_t section_table; /* file offset */
	size_t section_count;
	uint32_t section_names; /* index of the section that has their names; 0: none */
};

/*
 * -EINVAL not a regular file; -ENOEXEC not ELF or its headers lie; -ENOTSUP ELF
 * of 32 bits or big-endian; -E2BIG more than ELF_SEGMENTS_MAX segments; -ESTALE
 * the file shrank meanwhile; other -errno from fstat, pread or malloc. On error
 * nothing needs to be closed.
 */
int elf_image_open(struct elf_image *image, int fd);
void elf_image_close(struct elf_image *image);

/*
 * Whether [@offset, @offset + @size) lies in [0, @limit). Every
 * access is tested by it, also to other formats that are read from files.
 */
bool elf_range_valid(uint64_t limit, uint64_t offset, uint64_t size);

/*
 * Copies @size bytes from @offset. -EBADMSG: the range is not within the file;
 * -ESTALE: it was, but the file has shrunk.
 */
int elf_image_read(const struct elf_image *image, uint64_t offset, void *buffer, size_t size);

/*
 * Copies the NUL-terminated string at @offset; the NUL must come before
 * @offset + @limit. Returns its length; -EBADMSG if no NUL is there,
 * -ENAMETOOLONG if it needs more than @size bytes with its NUL.
 */
int elf_image_string(const struct elf_image *image, uint64_t offset, uint64_t limit, char *buffer,
		     size_t size);

/* Copies section header @index. -ENOENT: there are not so many. */
int elf_image_section(const struct elf_image *image, size_t index, Elf64_Shdr *section);

/*
 * Calls @visit for every section header in order, until it returns other than
 * 0. Returns that, 0 at the end, or an error of reading.
 */
int elf_image_walk_sections(const struct elf_image *image,
			    int (*visit)(void *data, const Elf64_Shdr *section), void *data);

/* The first section of @type (SHT_*) whose contents lie in the file. -ENOENT if none. */
int elf_image_find_section(const struct elf_image *image, uint32_t type, Elf64_Shdr *section);

/*
 * Copies the name of a section. Returns its length; errors as elf_image_string(),
 * and -ENOENT if sections have no names in this file.
 */
int elf_image_section_name(const struct elf_image *image, const Elf64_Shdr *section, char *buffer,
			   size_t size);

/* The first segment of @type (PT_*) whose contents lie in the file; NULL if none. */
const Elf64_Phdr *elf_image_find_segment(const struct elf_image *image, uint32_t type);

/*
 * Where in the file the byte at virtual @address is, by PT_LOAD. -EFAULT if no
 * segment has it, or only in its zero-filled part.
 */
int elf_address_to_offset(const struct elf_image *image, uint64_t address, uint64_t *offset);

/*
 * The same for code: the segment is executable. -EFAULT also if it is not; -ETXTBSY
 * if the program may write there, and -EEXIST if another segment that is not
 * executable has the same byte of the file: a change of the one would be seen as data.
 */
int elf_code_to_offset(const struct elf_image *image, uint64_t address, uint64_t *offset);

#endif
