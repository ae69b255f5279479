// SPDX-License-Identifier: GPL-2.0-only
/*
 * elf/pattern: which names match (fnmatch(3) is the judge), and which functions
 * of a file (libelf is): this program, and files that the assembler makes here,
 * with names like those of Rust, very long ones, and more than one chunk of them.
 */
#include <check.h>
#include <errno.h>
#include <fnmatch.h>
#include <gelf.h>

#include "elf/pattern.h"
#include "lib/cleanup.h"
#include "selftests/unit/elf_copy.h"
#include "selftests/unit/reference.h"
#include "selftests/unit/scratch.h"
#include "selftests/unit/suite.h"

#define ROOM 64

/* One function in either mangling, and what must not be taken for one. */
__asm__(".text\n"
	".type \"_ZN3KLO$LT$kloak..Sink$u20$as$GT$5write17h0123456789abcdefE\", @function\n"
	"\"_ZN3KLO$LT$kloak..Sink$u20$as$GT$5write17h0123456789abcdefE\": nop\n"
	".type _RNvXs6_NtC_5kloakNtB5_4Sink5writeCs2_1x, @function\n"
	"_RNvXs6_NtC_5kloakNtB5_4Sink5writeCs2_1x: nop\n"
	".type _RNvXs6_NtC_5kloakNtB5_4Sink14write_vectoredCs2_1x, @function\n"
	"_RNvXs6_NtC_5kloakNtB5_4Sink14write_vectoredCs2_1x: nop\n"
	".type alias_of_kloak_4Sink5write, @function\n"
	".set alias_of_kloak_4Sink5write, _RNvXs6_NtC_5kloakNtB5_4Sink5writeCs2_1x\n"
	".data\n.type kloak_4Sink5write_table, @object\nkloak_4Sink5write_table: .quad 0\n.text\n");

static int match(int fd, const char *const patterns[], size_t count, struct elf_match out[],
		 size_t room)
{
	struct elf_image image;
	int ret;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ret = elf_symbols_match(&image, patterns, count, out, room);
	elf_image_close(&image);
	return ret;
}

/* ---- names ---- */

START_TEST(names)
{
	static const char letters[] = "ab*";
	uint64_t state = 1;
	char pattern[12], name[16];
	unsigned int matched = 0;

	for (unsigned int i = 0; i < 2000000; i++) {
		size_t k, pattern_size = random_below(&state, sizeof(pattern));
		size_t name_size = random_below(&state, sizeof(name));

		for (k = 0; k < pattern_size; k++)
			pattern[k] = letters[random_below(&state, 3)];
		pattern[k] = '\0';
		for (k = 0; k < name_size; k++)
			name[k] = letters[random_below(&state, 2)];
		name[k] = '\0';
		ck_assert_msg(elf_pattern_matches(pattern, name) == !fnmatch(pattern, name, 0),
			      "'%s' and '%s'", pattern, name);
		matched += elf_pattern_matches(pattern, name);
	}
	ck_assert_uint_gt(matched, 10000);
	ck_assert(elf_pattern_matches("a[?.]*", "a[?.]b") && !elf_pattern_matches("?", "a"));
	ck_assert(elf_is_pattern("*a*b") && !elf_is_pattern("ab"));
	ck_assert(!elf_is_pattern("crypto/tls.(*Conn).Write"));
}
END_TEST

/* ---- this program ---- */

START_TEST(both_manglings)
{
	static const char *const patterns[] = { "*kloak*Sink*5write*", "*Sink*14write_vectored*",
						"*kloak*Sink*6nothing*" };
	CLEANUP_FD int fd = copy_of_self();
	struct elf_match found[ROOM];
	int count = match(fd, patterns, 3, found, ROOM), of[3] = { 0 };

	ck_assert_int_eq(count, 3); /* not the alias, not the table */
	for (int i = 0; i < count; i++) {
		of[found[i].pattern]++;
		ck_assert_int_eq(found[i].symbol.type, STT_FUNC);
		ck_assert_int_eq(found[i].symbol.error, 0);
	}
	ck_assert_int_eq(of[0], 2);
	ck_assert_int_eq(of[1], 1);
}
END_TEST

START_TEST(refusals)
{
	static const char *const sink[] = { "*kloak*Sink*5write*" }, *const stars[] = { "**" };
	static const char *const empty[] = { "" };
	const char *many[ELF_PATTERNS_MAX + 1];
	char text[ELF_PATTERN_MAX + 2];
	const char *const over[] = { text }, *const most[] = { text + 1 };
	CLEANUP_FD int fd = copy_of_self();
	struct elf_match found[ROOM];

	memset(text, 'k', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = sink[0];
	ck_assert_int_eq(match(fd, stars, 1, found, ROOM), -EINVAL);
	ck_assert_int_eq(match(fd, empty, 1, found, ROOM), -EINVAL);
	ck_assert_int_eq(match(fd, over, 1, found, ROOM), -EINVAL);
	ck_assert_int_eq(match(fd, most, 1, found, ROOM), 0);
	ck_assert_int_eq(match(fd, many, ELF_PATTERNS_MAX + 1, found, ROOM), -EINVAL);
	ck_assert_int_eq(match(fd, many, ELF_PATTERNS_MAX, found, ROOM), 2 * ELF_PATTERNS_MAX);
	ck_assert_int_eq(match(fd, sink, 1, found, 1), 2);
	ck_assert_int_eq(match(fd, sink, 0, found, ROOM), 0);
}
END_TEST

static void strip_symtab(int fd)
{
	struct elf_image image;
	uint64_t header;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	header = section_header(&image, SHT_SYMTAB);
	elf_image_close(&image);
	PATCH_FIELD(fd, header, Elf64_Shdr, sh_type, SHT_PROGBITS);
}

START_TEST(without_symtab)
{
	static const char *const sink[] = { "*kloak*Sink*5write*" };
	CLEANUP_FD int none = copy_of_self(), lying = copy_of_self(), link = copy_of_self();
	struct elf_match found[ROOM];
	struct elf_image image;
	uint64_t header;

	strip_symtab(none);
	ck_assert_int_eq(match(none, sink, 1, found, ROOM), 0);
	ck_assert_int_eq(elf_image_open(&image, lying), 0);
	header = section_header(&image, SHT_SYMTAB);
	elf_image_close(&image);
	PATCH_FIELD(lying, header, Elf64_Shdr, sh_size, UINT64_MAX - 24);
	ck_assert_int_eq(match(lying, sink, 1, found, ROOM), 0); /* outside of the file: none */
	PATCH_FIELD(link, header, Elf64_Shdr, sh_link, UINT32_MAX);
	ck_assert_int_eq(match(link, sink, 1, found, ROOM), -EBADMSG);
}
END_TEST

/* ---- files of the assembler ---- */

/* An object file that defines a function for each line of "names". */
static int assemble(void)
{
	char command[600];

	snprintf(command, sizeof(command),
		 "awk '{ printf \".type %%s, @function\\n%%s: nop\\n\", $1, $1 }' %s > %s.s && "
		 "as -o %s %s.s",
		 scratch_path("names"), scratch_path("names"), scratch_path("names.o"),
		 scratch_path("names"));
	ck_assert_int_eq(system(command), 0);
	return open(scratch_path("names.o"), O_RDWR | O_CLOEXEC);
}

/* How many functions libelf sees whose names match; names that are too long do not count. */
static int count_of(int fd, const char *pattern)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	Elf_Scn *section = NULL;
	GElf_Shdr header = { 0 };
	GElf_Sym symbol;
	Elf_Data *data;
	int i, count = 0;

	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_SYMTAB)
			break;
	ck_assert_ptr_nonnull(section);
	data = elf_getdata(section, NULL);
	for (i = 0; gelf_getsym(data, i, &symbol); i++) {
		const char *name = elf_strptr(elf, header.sh_link, symbol.st_name);

		count += name && GELF_ST_TYPE(symbol.st_info) == STT_FUNC &&
			 strlen(name) <= ELF_PATTERN_NAME_MAX && !fnmatch(pattern, name, 0);
	}
	elf_end(elf);
	return count;
}

/* Names of 1 to some 6,000 bytes, 400 KB and more of them: chunks and the limit cut anywhere. */
START_TEST(against_libelf)
{
	static const char *const patterns[] = {
		"*Needle*part*", "Needle*", "*ends_so", "*Needle*Needle*", "begin*Needle*ends_so",
	};
	uint64_t state = (uint64_t)_i + 1;
	FILE *file = fopen(scratch_path("names"), "w");
	struct elf_match found[ROOM * 4];
	int total = 0;

	ck_assert_ptr_nonnull(file);
	for (int i = 0; i < 600; i++) {
		size_t fill = random_below(&state, i % 50 ? 900 : 6000);
		bool needle = !random_below(&state, 12);

		fprintf(file, "%sf%d_", random_below(&state, 3) ? "" : "begin", i);
		for (size_t k = 0; k < fill; k++) {
			fputc((int)('a' + random_below(&state, 26)), file);
			if (needle && !random_below(&state, 300))
				fputs("Needle", file);
		}
		fputs(needle ? "Needle" : "", file);
		fputs(random_below(&state, 2) ? "part" : "ends_so", file);
		fputc('\n', file);
	}
	fputs("Needle_first\nNeedle\n", file);
	fclose(file);
	CLEANUP_FD int fd = assemble();
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		int want = count_of(fd, patterns[i]);
		int got = match(fd, &patterns[i], 1, found, ARRAY_SIZE(found));

		ck_assert_msg(got == want || (want > (int)ARRAY_SIZE(found) &&
					      got == ARRAY_SIZE(found) + 1),
			      "%s: %d, libelf %d", patterns[i], got, want);
		total += want;
	}
	ck_assert_int_gt(total, 50);
}
END_TEST

/* A name of the longest size, and one that is longer by one byte. */
START_TEST(longest_name)
{
	static const char *const patterns[] = { "*Needle*" };
	FILE *file = fopen(scratch_path("names"), "w");
	struct elf_match found[ROOM];

	ck_assert_ptr_nonnull(file);
	for (int over = 0; over < 2; over++) {
		for (int i = 0; i < ELF_PATTERN_NAME_MAX - 6 + over; i++)
			fputc('a' + over, file);
		fputs("Needle\n", file);
	}
	fclose(file);
	CLEANUP_FD int fd = assemble();
	ck_assert_int_eq(match(fd, patterns, 1, found, ROOM), 1);
	ck_assert_uint_eq(found[0].symbol.value, 0);
}
END_TEST

/* An entry may point into a string: then the rest of it is its name. */
START_TEST(tail_of_a_string)
{
	static const char *const patterns[] = { "Tail*5write*", "*Longer*Tail*5write*" };
	CLEANUP_FD int fd = copy_of_self();
	struct elf_symtab table;
	struct elf_match found[ROOM];
	struct elf_image image;
	static const char name[] = "\0LongerTail5write";
	Elf64_Sym entries[2] = {
		{ .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), .st_shndx = 1, .st_value = 1 },
		{ .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), .st_shndx = 1, .st_value = 2 },
	};

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(elf_symtab_open(&image, ELF_SYMTAB, &table), 0);
	entries[0].st_name = (uint32_t)(table.strings_size - sizeof(name) + 1);
	entries[1].st_name = entries[0].st_name + 6;
	patch(fd, table.strings + table.strings_size - sizeof(name), name, sizeof(name));
	patch(fd, table.entries + sizeof(entries[0]), entries, sizeof(entries));
	elf_image_close(&image);
	ck_assert_int_eq(match(fd, patterns, 1, found, ROOM), 1); /* the string does not match */
	ck_assert_int_eq(match(fd, patterns, 2, found, ROOM), 2);
	ck_assert_uint_eq(found[0].symbol.value, 1);
	ck_assert_uint_eq(found[0].pattern, 1);
	ck_assert_uint_eq(found[1].symbol.value, 2);
	ck_assert_uint_eq(found[1].pattern, 0);
}
END_TEST

/* Strings that look like it without end cost little, and are given up. */
START_TEST(absurdly_many)
{
	static const char *const patterns[] = { "*Needle*" };
	FILE *file = fopen(scratch_path("names"), "w");
	struct elf_match found[ROOM];

	ck_assert_ptr_nonnull(file);
	for (int i = 0; i < 5000; i++)
		fprintf(file, "f%d_Needle\n", i);
	fclose(file);
	CLEANUP_FD int fd = assemble();
	ck_assert_int_eq(match(fd, patterns, 1, found, ROOM), -E2BIG);
}
END_TEST

static void setup(void)
{
	scratch_make();
	elf_version(EV_CURRENT);
}

int main(void)
{
	const TTest *const tests[] = {
		names,	      both_manglings,	refusals,      without_symtab,
		longest_name, tail_of_a_string, absurdly_many,
	};
	TCase *tcase =
		suite_case("elf pattern", tests, ARRAY_SIZE(tests), 60, setup, scratch_remove);

	tcase_add_loop_test(tcase, against_libelf, 0, 12);
	return suite_run_cases("elf pattern", &tcase, 1);
}
