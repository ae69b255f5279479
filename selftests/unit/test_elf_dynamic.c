// SPDX-License-Identifier: GPL-2.0-only
/* elf/dynamic and elf/note on this program, which knows itself, and on copies that lie. */
#include <errno.h>

#include "elf/dynamic.h"
#include "elf/note.h"
#include "lib/cleanup.h"
#include "selftests/unit/elf_copy.h"
#include "selftests/unit/suite.h"

static uint64_t segment_header(int fd, uint32_t type)
{
	struct elf_image image;
	uint64_t table;
	size_t i;

	ck_assert_int_eq(pread(fd, &table, sizeof(table), offsetof(Elf64_Ehdr, e_phoff)),
			 sizeof(table));
	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	for (i = 0; i < image.segment_count && image.segments[i].p_type != type; i++)
		;
	ck_assert_uint_lt(i, image.segment_count);
	elf_image_close(&image);
	return table + i * sizeof(Elf64_Phdr);
}

static int read_dynamic(int fd, struct elf_dynamic *dynamic)
{
	struct elf_image image;
	int ret;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ret = elf_dynamic_read(&image, dynamic);
	elf_image_close(&image);
	return ret;
}

/* Replaces the dynamic section by @entries. */
static void write_entries(int fd, const Elf64_Dyn *entries, size_t count)
{
	uint64_t header = segment_header(fd, PT_DYNAMIC);
	struct stat status;

	ck_assert_int_eq(fstat(fd, &status), 0);
	patch(fd, (uint64_t)status.st_size, entries, count * sizeof(*entries));
	PATCH_FIELD(fd, header, Elf64_Phdr, p_offset, (uint64_t)status.st_size);
	PATCH_FIELD(fd, header, Elf64_Phdr, p_filesz, count * sizeof(*entries));
}

START_TEST(this_program_needs_the_c_library)
{
	CLEANUP_FD int fd = copy_of_self();
	struct elf_dynamic dynamic;
	struct elf_image image;
	char name[256];
	bool libc = false, libelf = false;
	size_t i;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(elf_dynamic_read(&image, &dynamic), 0);
	for (i = 0; i < dynamic.needed_count; i++) {
		ck_assert_int_gt(
			elf_dynamic_string(&image, &dynamic, dynamic.needed[i], name, sizeof(name)),
			0);
		libc |= strcmp(name, "libc.so.6") == 0;
		libelf |= strcmp(name, "libelf.so.1") == 0;
	}
	ck_assert(libc || libelf);
	ck_assert_int_eq(elf_dynamic_string(&image, &dynamic, dynamic.soname, name, sizeof(name)),
			 -ENOENT);
	ck_assert_int_gt(elf_interpreter(&image, name, sizeof(name)), 0);
	ck_assert_int_eq(access(name, X_OK), 0);
	ck_assert_int_eq(elf_interpreter(&image, name, 4), -ENAMETOOLONG);
	elf_image_close(&image);
}
END_TEST

START_TEST(paths_and_soname)
{
	CLEANUP_FD int fd = copy_of_self();
	static const char strings[] = "\0libx.so.1\0/a:/b\0$ORIGIN/../lib";
	struct elf_dynamic dynamic;
	struct elf_image image;
	char text[64];
	Elf64_Dyn entries[] = {
		{ DT_SONAME, { 1 } },	{ DT_RPATH, { 11 } },
		{ DT_RUNPATH, { 17 } }, { DT_STRSZ, { sizeof(strings) } },
		{ DT_STRTAB, { 0 } },	{ DT_NULL, { 0 } },
		{ DT_NEEDED, { 1 } }, /* after the end */
	};

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	entries[4].d_un.d_ptr = elf_image_find_segment(&image, PT_INTERP)->p_vaddr;
	patch(fd, elf_image_find_segment(&image, PT_INTERP)->p_offset, strings, sizeof(strings));
	elf_image_close(&image);
	write_entries(fd, entries, ARRAY_SIZE(entries));
	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(elf_dynamic_read(&image, &dynamic), 0);
	elf_dynamic_string(&image, &dynamic, dynamic.soname, text, sizeof(text));
	ck_assert_str_eq(text, "libx.so.1");
	elf_dynamic_string(&image, &dynamic, dynamic.rpath, text, sizeof(text));
	ck_assert_str_eq(text, "/a:/b");
	elf_dynamic_string(&image, &dynamic, dynamic.runpath, text, sizeof(text));
	ck_assert_str_eq(text, "$ORIGIN/../lib");
	ck_assert_uint_eq(dynamic.needed_count, 0);
	ck_assert_int_eq(elf_dynamic_string(&image, &dynamic, sizeof(strings), text, 64), -EBADMSG);
	ck_assert_int_eq(elf_dynamic_string(&image, &dynamic, UINT64_MAX, text, 64), -EBADMSG);
	elf_image_close(&image);
}
END_TEST

START_TEST(lying_entries)
{
	static const Elf64_Dyn rows[][2] = {
		{ { DT_STRSZ, { UINT64_MAX } }, { DT_NULL, { 0 } } },
		{ { DT_STRSZ, { 1ULL << 40 } }, { DT_NULL, { 0 } } },
	};
	static const Elf64_Dyn nowhere[] = { { DT_STRTAB, { UINT64_MAX } },
					     { DT_GNU_HASH, { 1ULL << 60 } },
					     { DT_STRSZ, { 100 } },
					     { DT_NEEDED, { 5 } } };
	CLEANUP_FD int fd = copy_of_self();
	struct elf_dynamic dynamic;
	struct elf_image image;
	char text[8];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		write_entries(fd, rows[i], ARRAY_SIZE(rows[i]));
		ck_assert_int_eq(read_dynamic(fd, &dynamic), -EBADMSG);
	}
	write_entries(fd, nowhere, ARRAY_SIZE(nowhere)); /* and no DT_NULL at the end */
	ck_assert_int_eq(read_dynamic(fd, &dynamic), 0);
	ck_assert_uint_eq(dynamic.strings, 0);
	ck_assert_uint_eq(dynamic.gnu_hash, 0);
	ck_assert_uint_eq(dynamic.needed_count, 1);
	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(elf_dynamic_string(&image, &dynamic, 5, text, sizeof(text)), -EBADMSG);
	elf_image_close(&image);
}
END_TEST

START_TEST(too_many_entries)
{
	CLEANUP_FD int fd = copy_of_self();
	CLEANUP_FREE Elf64_Dyn *entries = calloc(2 * ELF_DYNAMIC_MAX, sizeof(*entries));
	struct elf_dynamic dynamic;
	size_t i;

	ck_assert_ptr_nonnull(entries);
	for (i = 0; i < 2 * ELF_DYNAMIC_MAX; i++)
		entries[i] = (Elf64_Dyn){ DT_NEEDED, { 1 } };
	entries[ELF_DYNAMIC_MAX] = (Elf64_Dyn){ DT_SONAME, { 1 } }; /* just too far */
	write_entries(fd, entries, 2 * ELF_DYNAMIC_MAX);
	ck_assert_int_eq(read_dynamic(fd, &dynamic), 0);
	ck_assert_uint_eq(dynamic.needed_count, ELF_NEEDED_MAX);
	ck_assert_uint_eq(dynamic.soname, 0);
}
END_TEST

START_TEST(interpreter_without_nul)
{
	CLEANUP_FD int fd = copy_of_self();
	uint64_t header = segment_header(fd, PT_INTERP);
	struct elf_image image;
	char text[256];

	PATCH_FIELD(fd, header, Elf64_Phdr, p_filesz, 5);
	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(elf_interpreter(&image, text, sizeof(text)), -EBADMSG);
	elf_image_close(&image);
	PATCH_FIELD(fd, header, Elf64_Phdr, p_type, PT_NULL);
	PATCH_FIELD(fd, segment_header(fd, PT_DYNAMIC), Elf64_Phdr, p_type, PT_NULL);
	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(elf_interpreter(&image, text, sizeof(text)), -ENOENT);
	ck_assert_int_eq(elf_dynamic_read(&image, &(struct elf_dynamic){ 0 }), -ENOENT);
	elf_image_close(&image);
}
END_TEST

/* --- notes ------------------------------------------------------------- */

/* A file that is nothing but one PT_NOTE segment with this content. */
static int note_file(const void *notes, size_t size, uint64_t align)
{
	const Elf64_Ehdr header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN,
		.e_phoff = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	const Elf64_Phdr segment = { .p_type = PT_NOTE,
				     .p_offset = sizeof(header) + sizeof(segment),
				     .p_filesz = size,
				     .p_align = align };
	int fd = memory_file(&header, sizeof(header));

	patch(fd, sizeof(header), &segment, sizeof(segment));
	patch(fd, segment.p_offset, notes, size);
	return fd;
}

static int read_build_id(int fd, struct elf_build_id *id)
{
	struct elf_image image;
	int ret;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ret = elf_build_id_read(&image, id);
	elf_image_close(&image);
	return ret;
}

struct note {
	Elf64_Nhdr header;
	char name[4];
	uint8_t content[16];
};

START_TEST(build_id_behind_another_note)
{
	static const struct note notes[] = {
		{ { 4, 16, NT_GNU_ABI_TAG }, "GNU", { 9 } },
		{ { 4, 16, NT_GNU_BUILD_ID }, "XYZ", { 8 } },
		{ { 4, 13, NT_GNU_BUILD_ID }, "GNU", { 1, 2, 3 } },
	};
	CLEANUP_FD int fd = note_file(notes, sizeof(notes), 4);
	struct elf_build_id id;

	ck_assert_int_eq(read_build_id(fd, &id), 0);
	ck_assert_uint_eq(id.size, 13);
	ck_assert_mem_eq(id.bytes, notes[2].content, 13);
}
END_TEST

/* A .note.gnu.property before it, in an area of alignment 8. */
START_TEST(notes_aligned_to_8)
{
	static const struct {
		Elf64_Nhdr header;
		char name[4];
		uint8_t content[12], padding[4];
		struct note id;
	} notes = { { 4, 12, 5 }, "GNU", { 0 }, { 0 }, { { 4, 16, 3 }, "GNU", { 7 } } };
	CLEANUP_FD int eight = note_file(&notes, sizeof(notes), 8);
	CLEANUP_FD int four = note_file(&notes, sizeof(notes), 4);
	struct elf_build_id id;

	ck_assert_int_eq(read_build_id(eight, &id), 0);
	ck_assert_uint_eq(id.bytes[0], 7);
	ck_assert_int_eq(read_build_id(four, &id), -ENOENT);
}
END_TEST

START_TEST(lying_notes)
{
	static const struct note rows[] = {
		{ { UINT32_MAX, 16, NT_GNU_BUILD_ID }, "GNU", { 1 } },
		{ { 4, UINT32_MAX, NT_GNU_BUILD_ID }, "GNU", { 1 } },
		{ { 4, 17, NT_GNU_BUILD_ID }, "GNU", { 1 } }, /* one byte too many */
		{ { 4, 0, NT_GNU_BUILD_ID }, "GNU", { 1 } },
		{ { 0, 0, 0 }, "", { 0 } },
		{ { 3, 16, NT_GNU_BUILD_ID }, "GNU", { 1 } },
	};
	struct elf_build_id id;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP_FD int fd = note_file(&rows[i], sizeof(rows[i]), 4);

		ck_assert_msg(read_build_id(fd, &id) == -ENOENT, "row %zu", i);
		ck_assert_uint_eq(id.size, 0);
	}
}
END_TEST

START_TEST(too_long_build_id)
{
	struct {
		struct note first;
		uint8_t more[ELF_BUILD_ID_MAX - 15];
	} note = { { { 4, ELF_BUILD_ID_MAX + 1, NT_GNU_BUILD_ID }, "GNU", { 1 } }, { 0 } };
	CLEANUP_FD int fd = note_file(&note, sizeof(note), 4);
	struct elf_build_id id;

	ck_assert_int_eq(read_build_id(fd, &id), -ENOENT);
	note.first.header.n_descsz = ELF_BUILD_ID_MAX;
	patch(fd, sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr), &note, sizeof(note));
	ck_assert_int_eq(read_build_id(fd, &id), 0);
	ck_assert_uint_eq(id.size, ELF_BUILD_ID_MAX);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		this_program_needs_the_c_library,
		paths_and_soname,
		lying_entries,
		too_many_entries,
		interpreter_without_nul,
		build_id_behind_another_note,
		notes_aligned_to_8,
		lying_notes,
		too_long_build_id,
	};

	return suite_run("elf dynamic and notes", tests, ARRAY_SIZE(tests), 60, NULL, NULL);
}
