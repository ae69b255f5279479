// SPDX-License-Identifier: GPL-2.0-only
/* elf/image: this program read as a file, then the same with lying headers. */
#include <errno.h>

#include "lib/cleanup.h"
#include "selftests/unit/elf_copy.h"
#include "selftests/unit/scratch.h"
#include "selftests/unit/suite.h"

static const char initialised[] = "bytes to find in the file";
static char zeroed[1 << 16];

static int open_error(int fd)
{
	struct elf_image image;
	int ret = elf_image_open(&image, fd);

	if (ret == 0)
		elf_image_close(&image);
	ck_assert_ptr_null(image.segments);
	return ret;
}

START_TEST(reads_this_program)
{
	CLEANUP_FD int fd = copy_of_self();
	struct elf_image image;
	char text[sizeof(initialised)];
	uint64_t offset;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_uint_gt(image.segment_count, 4);
	ck_assert_uint_gt(image.section_count, 10);
	ck_assert(image.type == ET_DYN || image.type == ET_EXEC);
	ck_assert_int_eq(elf_address_to_offset(
				 &image, (uint64_t)(uintptr_t)initialised - load_base(), &offset),
			 0);
	ck_assert_int_eq(elf_image_read(&image, offset, text, sizeof(text)), 0);
	ck_assert_str_eq(text, initialised);
	ck_assert_int_eq(elf_address_to_offset(&image, image.entry, &offset), 0);
	elf_image_close(&image);
}
END_TEST

START_TEST(zero_filled_memory_is_not_in_the_file)
{
	CLEANUP_FD int fd = copy_of_self();
	struct elf_image image;
	uint64_t offset;

	memset(zeroed, 1, sizeof(zeroed));
	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(elf_address_to_offset(&image,
					       (uint64_t)(uintptr_t)zeroed - load_base() +
						       sizeof(zeroed) - 1,
					       &offset),
			 -EFAULT);
	ck_assert_int_eq(elf_address_to_offset(&image, UINT64_MAX, &offset), -EFAULT);
	elf_image_close(&image);
}
END_TEST

START_TEST(ranges_do_not_wrap)
{
	static const struct {
		uint64_t limit, offset, size;
		bool valid;
	} rows[] = {
		{ 0, 0, 0, true },
		{ 10, 0, 10, true },
		{ 10, 10, 0, true },
		{ 10, 0, 11, false },
		{ 10, 11, 0, false },
		{ 10, 5, 6, false },
		{ 10, UINT64_MAX, 1, false },
		{ 10, UINT64_MAX - 4, 10, false },
		{ 10, 5, UINT64_MAX, false },
		{ UINT64_MAX, UINT64_MAX - 1, 1, true },
		{ UINT64_MAX, UINT64_MAX, 1, false },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		ck_assert_msg(elf_range_valid(rows[i].limit, rows[i].offset, rows[i].size) ==
				      rows[i].valid,
			      "row %zu", i);
}
END_TEST

START_TEST(only_regular_files)
{
	CLEANUP_FD int null = open("/dev/null", O_RDONLY);
	CLEANUP_FD int dir = -1, pipe_end = -1;

	scratch_make();
	ck_assert_int_eq(mkfifo(scratch_path("fifo"), 0600), 0);
	dir = open(scratch, O_RDONLY);
	pipe_end = open(scratch_path("fifo"), O_RDONLY | O_NONBLOCK);
	scratch_remove();
	ck_assert_int_eq(open_error(null), -EINVAL);
	ck_assert_int_eq(open_error(dir), -EINVAL);
	ck_assert_int_eq(open_error(pipe_end), -EINVAL);
	ck_assert_int_eq(open_error(-1), -EBADF);
}
END_TEST

START_TEST(only_elf_files)
{
	CLEANUP_FD int empty = memory_file("", 0);
	CLEANUP_FD int text = memory_file("#!/bin/sh\necho this is a script, not ELF\n", 40);
	CLEANUP_FD int magic = memory_file(ELFMAG, SELFMAG);

	ck_assert_int_eq(open_error(empty), -ENOEXEC);
	ck_assert_int_eq(open_error(text), -ENOEXEC);
	ck_assert_int_eq(open_error(magic), -ENOEXEC);
}
END_TEST

START_TEST(other_kinds_have_their_own_error)
{
	CLEANUP_FD int narrow = copy_of_self(), swapped = copy_of_self();
	unsigned char class = ELFCLASS32, order = ELFDATA2MSB;

	patch(narrow, EI_CLASS, &class, 1);
	patch(swapped, EI_DATA, &order, 1);
	ck_assert_int_eq(open_error(narrow), -ENOTSUP);
	ck_assert_int_eq(open_error(swapped), -ENOTSUP);
}
END_TEST

/* The size says nothing about what is in the file; the end of it is where it is. */
START_TEST(files_of_any_size)
{
	CLEANUP_FD int huge = copy_of_self();
	const off_t size = 1LL << 42;
	struct elf_image image;
	char byte = 1;

	ck_assert_int_eq(ftruncate(huge, size), 0);
	ck_assert_int_eq(elf_image_open(&image, huge), 0);
	ck_assert_int_eq(elf_image_read(&image, (uint64_t)size - 1, &byte, 1), 0);
	ck_assert_int_eq(byte, 0);
	ck_assert_int_eq(elf_image_read(&image, (uint64_t)size, &byte, 1), -EBADMSG);
	ck_assert_int_eq(elf_image_read(&image, UINT64_MAX, &byte, 1), -EBADMSG);
	elf_image_close(&image);
}
END_TEST

/* At every length up to the end of the program headers it is refused, then it opens. */
START_TEST(truncated_headers)
{
	CLEANUP_FD int fd = copy_of_self();
	struct elf_image image;
	Elf64_Ehdr header;
	off_t end, size;

	ck_assert_int_eq(pread(fd, &header, sizeof(header), 0), sizeof(header));
	end = (off_t)header.e_phoff + header.e_phnum * header.e_phentsize;
	ck_assert_int_eq(ftruncate(fd, end), 0);
	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_uint_eq(image.section_count, 0);
	ck_assert_uint_eq(image.segment_count, header.e_phnum);
	elf_image_close(&image);
	for (size = end - 1; size >= 0; size--) {
		ck_assert_int_eq(ftruncate(fd, size), 0);
		ck_assert_int_eq(open_error(fd), -ENOEXEC);
	}
}
END_TEST

START_TEST(lying_program_headers)
{
	CLEANUP_FD int size = copy_of_self(), wrap = copy_of_self(), outside = copy_of_self();

	PATCH_HEADER(size, e_phentsize, 55);
	PATCH_HEADER(wrap, e_phoff, UINT64_MAX - 8);
	PATCH_HEADER(outside, e_phoff, 1ULL << 40);
	ck_assert_int_eq(open_error(size), -ENOEXEC);
	ck_assert_int_eq(open_error(wrap), -ENOEXEC);
	ck_assert_int_eq(open_error(outside), -ENOEXEC);
}
END_TEST

static size_t sections_seen(int fd)
{
	struct elf_image image;
	size_t count;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	count = image.section_count;
	elf_image_close(&image);
	return count;
}

/* The loader does not read them, so a file with broken ones runs, and is opened. */
START_TEST(lying_section_headers)
{
	CLEANUP_FD int size = copy_of_self(), wrap = copy_of_self(), many = copy_of_self();

	PATCH_HEADER(size, e_shentsize, 63);
	PATCH_HEADER(wrap, e_shoff, UINT64_MAX - 63);
	PATCH_HEADER(many, e_shnum, 0xfffe);
	ck_assert_uint_eq(sections_seen(size), 0);
	ck_assert_uint_eq(sections_seen(wrap), 0);
	ck_assert_uint_eq(sections_seen(many), 0);
}
END_TEST

START_TEST(counts_over_16_bits)
{
	CLEANUP_FD int fd = copy_of_self();
	struct elf_image image;
	size_t segments, sections;
	uint64_t table;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	segments = image.segment_count;
	sections = image.section_count;
	table = image.section_table;
	elf_image_close(&image);

	PATCH_HEADER(fd, e_phnum, PN_XNUM);
	PATCH_HEADER(fd, e_shnum, 0);
	PATCH_FIELD(fd, table, Elf64_Shdr, sh_info, (uint32_t)segments);
	PATCH_FIELD(fd, table, Elf64_Shdr, sh_size, sections);
	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_uint_eq(image.segment_count, segments);
	ck_assert_uint_eq(image.section_count, sections);
	elf_image_close(&image);

	PATCH_FIELD(fd, table, Elf64_Shdr, sh_size, UINT64_MAX / 64 + 2);
	ck_assert_uint_eq(sections_seen(fd), 0);
	PATCH_FIELD(fd, table, Elf64_Shdr, sh_info, UINT32_MAX);
	ck_assert_int_eq(open_error(fd), -E2BIG);
	PATCH_HEADER(fd, e_shoff, 0);
	ck_assert_int_eq(open_error(fd), -E2BIG);
}
END_TEST

/* Two segments over the same addresses: the first is taken; one that wraps is passed over. */
START_TEST(lying_segments)
{
	CLEANUP_FD int fd = copy_of_self();
	struct elf_image image;
	uint64_t offset = 0;
	Elf64_Phdr lies[] = {
		{ .p_type = PT_LOAD,
		  .p_vaddr = 0x1000,
		  .p_filesz = 0x1000,
		  .p_offset = UINT64_MAX - 0x10 },
		{ .p_type = PT_LOAD, .p_vaddr = 0x1000, .p_filesz = UINT64_MAX, .p_offset = 0x40 },
		{ .p_type = PT_LOAD, .p_vaddr = 0x1000, .p_filesz = 0x1000, .p_offset = 0x80 },
		{ .p_type = PT_NOTE, .p_offset = 8, .p_filesz = UINT64_MAX - 4 },
	};

	PATCH_HEADER(fd, e_phnum, ARRAY_SIZE(lies));
	PATCH_HEADER(fd, e_phoff, sizeof(Elf64_Ehdr));
	patch(fd, sizeof(Elf64_Ehdr), lies, sizeof(lies));
	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(elf_address_to_offset(&image, 0x1020, &offset), 0);
	ck_assert_uint_eq(offset, 0x60);
	ck_assert_int_eq(elf_address_to_offset(&image, 1ULL << 50, &offset), -EFAULT);
	ck_assert_ptr_null(elf_image_find_segment(&image, PT_NOTE));
	elf_image_close(&image);
}
END_TEST

START_TEST(shrinks_while_open)
{
	CLEANUP_FD int fd = copy_of_self();
	struct elf_image image;
	char byte;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(elf_image_read(&image, image.size - 1, &byte, 1), 0);
	ck_assert_int_eq(elf_image_read(&image, image.size, &byte, 1), -EBADMSG);
	ck_assert_int_eq(elf_image_read(&image, UINT64_MAX, &byte, 1), -EBADMSG);
	ck_assert_int_eq(ftruncate(fd, 4096), 0);
	ck_assert_int_eq(elf_image_read(&image, image.size - 1, &byte, 1), -ESTALE);
	elf_image_close(&image);
}
END_TEST

START_TEST(strings_end_within_their_table)
{
	CLEANUP_FD int fd = copy_of_self();
	struct elf_image image;
	char text[8];

	patch(fd, 100, "abc\0defgh", 9);
	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(elf_image_string(&image, 100, 4, text, sizeof(text)), 3);
	ck_assert_str_eq(text, "abc");
	ck_assert_int_eq(elf_image_string(&image, 100, 3, text, sizeof(text)), -EBADMSG);
	ck_assert_int_eq(elf_image_string(&image, 104, 5, text, sizeof(text)), -EBADMSG);
	ck_assert_int_eq(elf_image_string(&image, 104, 100, text, 5), -ENAMETOOLONG);
	ck_assert_int_eq(elf_image_string(&image, image.size, 5, text, 5), -EBADMSG);
	ck_assert_int_eq(elf_image_string(&image, 104, 0, text, 5), -EBADMSG);
	patch(fd, image.size - 2, "xy", 2);
	ck_assert_int_eq(elf_image_string(&image, image.size - 2, UINT64_MAX, text, 8), -EBADMSG);
	elf_image_close(&image);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		reads_this_program,    zero_filled_memory_is_not_in_the_file,
		ranges_do_not_wrap,    only_regular_files,
		only_elf_files,	       other_kinds_have_their_own_error,
		files_of_any_size,     truncated_headers,
		lying_program_headers, lying_section_headers,
		counts_over_16_bits,   lying_segments,
		shrinks_while_open,    strings_end_within_their_table,
	};

	return suite_run("elf image", tests, ARRAY_SIZE(tests), 60, NULL, NULL);
}
