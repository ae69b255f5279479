// SPDX-License-Identifier: GPL-2.0-only
/*
 * elf/pclntab: functions of small files of every format, and of programs that Go
 * links here, judged by the symbol tables of the same programs, not stripped; then
 * tables that lie.
 */
#include <errno.h>
#include <libelf.h>
#include <gelf.h>
#include <time.h>

#include "lib/cleanup.h"
#include "selftests/unit/elf_copy.h"
#include "selftests/unit/go_file.h"
#include "selftests/unit/scratch.h"
#include "selftests/unit/suite.h"
#include "user/attach/go.h"

static struct go_file file;

static int open_bytes(struct elf_image *image)
{
	int fd = memory_file(file.bytes, sizeof(file.bytes));

	ck_assert_int_eq(elf_image_open(image, fd), 0);
	return fd;
}

/* pclntab_open() and pclntab_find() of what is in @file: an error, or how many were found. */
static int find_in_file(const char *const names[], size_t count, struct elf_symbol out[])
{
	struct elf_image image;
	CLEANUP_FD int fd = open_bytes(&image);
	struct pclntab table;
	int ret = pclntab_open(&image, &table);

	if (!ret)
		ret = pclntab_find(&table, names, count, out);
	elf_image_close(&image);
	return ret;
}

static int find_all(void)
{
	struct elf_symbol symbols[GO_NAMES];

	return find_in_file(go_names, GO_NAMES, symbols);
}

/* --- every format, every place ----------------------------------------- */

static const struct go_options variants[] = {
	{ .format = PCLNTAB_GO120 },
	{ .pie = true },
	{ .pie = true, .relocated = true },
	{ .table = ".data.rel.ro" },
	{ .pie = true, .table = ".data.rel.ro.gopclntab" },
	{ .pie = true, .relocated = true, .table = ".data.rel.ro" },
	{ .no_sections = true },
	{ .no_code = true },
	{ .no_code = true, .pie = true, .relocated = true },
	{ .no_code = true, .module = ".data", .table = ".data.rel.ro" },
	{ .no_code = true, .no_sections = true },
	{ .functions = 150 },
};

START_TEST(finds_functions)
{
	struct elf_symbol symbols[GO_NAMES + 1];
	const char *names[GO_NAMES + 1];
	struct go_options options = variants[_i / 4];
	size_t i;

	options.format = (enum pclntab_format)(_i % 4);
	go_file_make(&file, &options);
	memcpy(names, go_names, sizeof(go_names));
	names[GO_NAMES] = "crypto/tls.aeadAES"; /* the beginning of one is none */
	ck_assert_int_eq(find_in_file(names, GO_NAMES + 1, symbols), GO_NAMES);
	for (i = 0; i < GO_NAMES; i++) {
		ck_assert_int_eq(symbols[i].error, 0);
		ck_assert_uint_eq(symbols[i].value, go_code(&file) + i * GO_FUNCTION);
		ck_assert_uint_eq(symbols[i].size, GO_FUNCTION);
		ck_assert_uint_eq(symbols[i].type, STT_FUNC);
	}
	ck_assert_int_eq(symbols[GO_NAMES].error, -ENOENT);
}
END_TEST

/* --- lies --------------------------------------------------------------- */

static void put(uint64_t offset, uint64_t value, size_t size)
{
	go_put(&file, offset, value, size);
}

static uint64_t entry(size_t index)
{
	return file.functions + index * 8;
}

static void no_functions(void)
{
	put(GO_TABLE + 8, 0, 8);
}
static void many_functions(void)
{
	put(GO_TABLE + 8, PCLNTAB_FUNCTIONS_MAX + 1ULL, 8);
}
static void more_than_fit(void)
{
	put(GO_TABLE + 8, 5000, 8);
}
static void other_quantum(void)
{
	file.bytes[GO_TABLE + 6] = 4;
}
static void other_pointers(void)
{
	file.bytes[GO_TABLE + 7] = 4;
}
static void other_magic(void)
{
	file.bytes[GO_TABLE] = 0xf7;
}
static void names_behind_units(void)
{
	put(GO_TABLE + 32, 0x4000, 8);
}
static void functions_outside(void)
{
	put(GO_TABLE + 64, 1ULL << 40, 8);
}
static void code_elsewhere(void)
{
	put(GO_TABLE + 24, go_data(&file, GO_TABLE), 8);
}
static void code_too_far(void)
{
	put(GO_TABLE + 24, go_code(&file) + 0x2000, 8);
}
static void code_wraps(void)
{
	put(GO_TABLE + 24, ~0ULL - 8, 8);
}
static void descending(void)
{
	put(entry(2), 5 * GO_FUNCTION, 4);
}
static void descending_alike(void)
{
	put(entry(20), 25 * GO_FUNCTION, 4);
	put(file.records[20], 25 * GO_FUNCTION, 4);
}
static void record_outside(void)
{
	put(entry(3) + 4, 0xffffff, 4);
}
static void record_of_another(void)
{
	put(entry(3) + 4, file.records[2] - file.functions, 4);
}
static void record_disagrees(void)
{
	put(file.records[1], 1, 4);
}
static void name_outside(void)
{
	put(file.records[1] + 4, 0x100000, 4);
}
static void negative_name(void)
{
	put(file.records[1] + 4, ~0U, 4);
}
static void late_disorder(void)
{
	put(entry(100) + 4, file.records[1] - file.functions, 4);
}
/* Each record is right, but the second comes first. */
static void late_swap(void)
{
	uint8_t first[12];

	memcpy(first, file.bytes + file.records[100], sizeof(first));
	memcpy(file.bytes + file.records[100], file.bytes + file.records[101], sizeof(first));
	memcpy(file.bytes + file.records[101], first, sizeof(first));
	put(entry(100) + 4, file.records[101] - file.functions, 4);
	put(entry(101) + 4, file.records[100] - file.functions, 4);
}
static void late_disagreement(void)
{
	put(file.records[100], 1, 4);
}
static void late_name(void)
{
	put(file.records[100] + 4, ~0U, 4);
}
static void end_before_start(void)
{
	put(entry(file.count), 0, 4);
}
static void section_lies(size_t offset, uint64_t value)
{
	put(GO_SECTIONS + 2 * sizeof(Elf64_Shdr) + offset, value, 8);
}
static void section_elsewhere(void)
{
	section_lies(offsetof(Elf64_Shdr, sh_addr), 1ULL << 50);
}
static void section_outside(void)
{
	section_lies(offsetof(Elf64_Shdr, sh_size), 1ULL << 30);
}
static void section_short(void)
{
	section_lies(offsetof(Elf64_Shdr, sh_size), 20);
}
static void section_cut(void)
{
	section_lies(offsetof(Elf64_Shdr, sh_size), 0x1000);
}
static void not_executed(void)
{
	put(sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_flags), PF_R, 4);
}
static void no_name_section(void)
{
	put(offsetof(Elf64_Ehdr, e_shstrndx), 0, 2);
}
static void not_go(void)
{
	for (size_t i = 2; i < 5; i++)
		strcpy((char *)file.bytes + GO_SECTIONS + 0x400 + i * 32, ".rodata");
}

static const struct lie {
	const char *text;
	void (*tell)(void);
	int error;
} lies[] = {
	{ "no functions", no_functions, -EBADMSG },
	{ "more functions than anybody has", many_functions, -E2BIG },
	{ "more functions than fit", more_than_fit, -EBADMSG },
	{ "another instruction quantum", other_quantum, -EBADMSG },
	{ "another pointer size", other_pointers, -EBADMSG },
	{ "another magic", other_magic, -EBADMSG },
	{ "names end after what follows", names_behind_units, -EBADMSG },
	{ "functions outside", functions_outside, -EBADMSG },
	{ "code among data", code_elsewhere, -EBADMSG },
	{ "code that ends after the segment", code_too_far, -EBADMSG },
	{ "code that wraps around", code_wraps, -EBADMSG },
	{ "functions out of order", descending, -EBADMSG },
	{ "functions out of order, with their records", descending_alike, -EBADMSG },
	{ "a record outside", record_outside, -EBADMSG },
	{ "the record of another function", record_of_another, -EBADMSG },
	{ "a record with another address", record_disagrees, -EBADMSG },
	{ "a name outside", name_outside, -EBADMSG },
	{ "a negative name", negative_name, -EBADMSG },
	{ "a late record out of order", late_disorder, -EBADMSG },
	{ "late records in each other's place", late_swap, -EBADMSG },
	{ "a late record with another address", late_disagreement, -EBADMSG },
	{ "a late name outside", late_name, -EBADMSG },
	{ "an end before the start", end_before_start, -EBADMSG },
	{ "a section at no address", section_elsewhere, -EBADMSG },
	{ "a section that ends after the file", section_outside, -EBADMSG },
	{ "a section shorter than a header", section_short, -EBADMSG },
	{ "a section cut in the functions", section_cut, -EBADMSG },
	{ "no code at all", not_executed, -EBADMSG },
	{ "sections without names", no_name_section, -ENOENT },
	{ "no sections of Go", not_go, -ENOENT },
};

START_TEST(refuses_lies)
{
	const struct go_options options = { .format = PCLNTAB_GO120, .functions = 150 };
	int ret;

	go_file_make(&file, &options);
	ck_assert_int_eq(find_all(), GO_NAMES);
	lies[_i].tell();
	ret = find_all();
	ck_assert_msg(ret == lies[_i].error, "%s: %d", lies[_i].text, ret);
}
END_TEST

/* The word that begins a table is in the data by chance, before and after the real one. */
START_TEST(refuses_chance)
{
	const struct go_options options = { .format = (enum pclntab_format)_i, .table = ".data" };
	size_t i;

	go_file_make(&file, &options);
	memcpy(file.bytes + GO_RELA, file.bytes + GO_TABLE, 24);
	for (i = 0; i < 5; i++)
		memcpy(file.bytes + GO_RELA + 0x100 + i * 8, file.bytes + GO_TABLE, 8);
	ck_assert_int_eq(find_all(), GO_NAMES);
	for (i = 0; i < 5; i++)
		memcpy(file.bytes + GO_RELA + 0x200 + i * 8, file.bytes + GO_TABLE, 8);
	ck_assert_int_eq(find_all(), -E2BIG); /* somebody tries */
}
END_TEST

/* A whole second table, as a program has that embeds another one: which is it? */
START_TEST(refuses_two)
{
	const struct go_options options = { .format = PCLNTAB_GO120, .table = ".data" };

	go_file_make(&file, &options);
	memcpy(file.bytes + GO_RELA, file.bytes + GO_TABLE, file.end - GO_TABLE);
	ck_assert_int_eq(find_all(), -ENOTUNIQ);
	/* Of another program, whose code is not here: */
	put(GO_RELA + 24, 0x7000000, 8);
	ck_assert_int_eq(find_all(), GO_NAMES);
}
END_TEST

/* Two functions of one name, as the ends of two that the linker did not tell apart. */
START_TEST(refuses_a_name_twice)
{
	const struct go_options options = { .format = PCLNTAB_GO120 };
	struct elf_symbol symbols[GO_NAMES];

	go_file_make(&file, &options);
	memcpy(file.bytes + file.records[4] + 4, file.bytes + file.records[5] + 4, 4);
	ck_assert_int_eq(find_in_file(go_names, GO_NAMES, symbols), GO_NAMES - 2);
	ck_assert_int_eq(symbols[5].error, -ENOTUNIQ);
	ck_assert_int_eq(symbols[4].error, -ENOENT);
}
END_TEST

START_TEST(refuses_unknown_code)
{
	const struct go_options options = { .format = PCLNTAB_GO120, .no_code = true };
	uint64_t end;

	go_file_make(&file, &options);
	put(GO_MODULE + 0x50, go_code(&file) + 1, 8);
	ck_assert_int_eq(find_all(), -EBADMSG);
	/* The same size somewhere else, and then two answers. */
	end = go_code(&file) + file.count * GO_FUNCTION;
	put(GO_MODULE + 0x48, 16, 8);
	put(GO_MODULE + 0x50, 16 + file.count * GO_FUNCTION, 8);
	ck_assert_int_eq(find_all(), -EBADMSG);
	put(GO_MODULE + 0x60, go_code(&file), 8);
	put(GO_MODULE + 0x68, end, 8);
	ck_assert_int_eq(find_all(), GO_NAMES);
	put(GO_MODULE + 0x70, go_code(&file) + 16, 8);
	put(GO_MODULE + 0x78, end + 16, 8);
	ck_assert_int_eq(find_all(), -ENOTUNIQ);
}
END_TEST

START_TEST(shrinking_file)
{
	const struct go_options options = { .format = PCLNTAB_GO120 };
	struct elf_symbol symbols[GO_NAMES];
	struct elf_image image;
	struct pclntab table;
	int fd;

	go_file_make(&file, &options);
	fd = open_bytes(&image);
	ck_assert_int_eq(pclntab_open(&image, &table), 0);
	ck_assert_int_eq(ftruncate(fd, GO_TABLE + 0x80), 0);
	ck_assert_int_eq(pclntab_find(&table, go_names, GO_NAMES, symbols), -ESTALE);
	ck_assert_int_lt(pclntab_open(&image, &table), 0);
	elf_image_close(&image);
	close(fd);
}
END_TEST

/* --- which hook --------------------------------------------------------- */

static const struct {
	enum pclntab_format format;
	const char *version;
	const char *extra; /* name of a function instead of go:buildid */
	bool on_stack;
} conventions[] = {
	{ PCLNTAB_GO12, "go1.15.15", NULL, true },
	{ PCLNTAB_GO116, "go1.16.2", NULL, true },
	{ PCLNTAB_GO116, "go1.17", NULL, false },
	{ PCLNTAB_GO116, "go1.17 X:noregabi", NULL, true },
	{ PCLNTAB_GO118, "go1.18.1", NULL, false },
	{ PCLNTAB_GO120, "go1.27.3", NULL, false },
	{ PCLNTAB_GO120, "devel", NULL, false },
	{ PCLNTAB_GO12, NULL, NULL, true },
	{ PCLNTAB_GO116, NULL, NULL, true },
	{ PCLNTAB_GO116, NULL, "runtime.spillArgs", false },
	{ PCLNTAB_GO118, NULL, NULL, false },
	{ PCLNTAB_GO120, NULL, NULL, false },
};

START_TEST(tells_where_arguments_are)
{
	const struct go_options options = {
		.format = conventions[_i].format,
		.version = conventions[_i].version,
		.functions = 1,
	};
	struct elf_symbol symbols[GO_NAMES];
	struct elf_image image;
	int fd;

	go_file_make(&file, &options);
	if (conventions[_i].extra) {
		put(file.records[GO_NAMES] + 8, 0x90, 4);
		strcpy((char *)file.bytes + file.names + 0x90, conventions[_i].extra);
	}
	fd = open_bytes(&image);
	ck_assert_int_eq(go_find(&image, go_names, GO_NAMES, symbols),
			 conventions[_i].on_stack ? 0 : GO_NAMES);
	ck_assert_int_eq(go_find_stack(&image, go_names, GO_NAMES, symbols),
			 conventions[_i].on_stack ? GO_NAMES : 0);
	elf_image_close(&image);
	close(fd);
}
END_TEST

/* --- what Go itself links ------------------------------------------------ */

#define SOURCE            \
	"package main\n"  \
	"import \"os\"\n" \
	"func main() { os.Stdout.WriteString(\"hello\\n\") }\n"

static const char *const builds[] = {
	"",
	"-buildmode=pie",
	"-ldflags=-linkmode=external",
	"-buildmode=pie -ldflags=-linkmode=external",
	"-buildmode=pie '-ldflags=-linkmode=external -extldflags=-fuse-ld=lld'",
};

static bool build(const char *options, const char *name)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "cd %s && HOME=%s GOCACHE=%s/cache GOPATH=%s/path GO111MODULE=off GOFLAGS= "
		 "GOTOOLCHAIN=local CGO_ENABLED=0 go build -o %s %s main.go >log 2>&1",
		 scratch, scratch, scratch, scratch, name, options);
	return !system(command);
}

/* Functions of some of Go's packages, by the symbol table. */
static size_t read_functions(const char *path, const char **names, uint64_t *values, size_t room,
			     Elf **elf)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf_Scn *section = NULL;
	size_t count = 0;

	*elf = elf_begin(fd, ELF_C_READ, NULL);
	ck_assert_ptr_nonnull(*elf);
	while ((section = elf_nextscn(*elf, section))) {
		Elf_Data *data = elf_getdata(section, NULL);
		GElf_Shdr header;
		GElf_Sym symbol;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_SYMTAB || !data)
			continue;
		for (int i = 1; count < room && gelf_getsym(data, i, &symbol); i++) {
			const char *name = elf_strptr(*elf, header.sh_link, symbol.st_name);

			if (GELF_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_size == 0 ||
			    (strncmp(name, "os.", 3) != 0 && strncmp(name, "main.", 5) != 0 &&
			     strncmp(name, "internal/poll.", 14) != 0))
				continue;
			names[count] = name;
			values[count++] = symbol.st_value;
		}
	}
	return count;
}

static void check_build(const char *path, const char *const names[], const uint64_t values[],
			size_t count)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_symbol symbols[ELF_SYMBOL_NAMES_MAX];
	struct elf_image image;
	struct pclntab table;
	size_t i;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(pclntab_open(&image, &table), 0);
	ck_assert_int_eq(pclntab_find(&table, names, count, symbols), (int)count);
	for (i = 0; i < count; i++)
		ck_assert_msg(symbols[i].value == values[i], "%s of %s: %lx, not %lx", names[i],
			      path, symbols[i].value, values[i]);
	elf_image_close(&image);
}

START_TEST(agrees_with_symbols)
{
	static const char *names[60];
	static uint64_t values[60];
	char command[600];
	size_t i, count, checked = 0;
	Elf *elf;

	ck_assert_uint_ne(elf_version(EV_CURRENT), EV_NONE);
	scratch_write("main.go", SOURCE, 0644);
	for (i = 0; i < ARRAY_SIZE(builds); i++) {
		if (!build(builds[i], "program")) {
			printf("skip go build %s: not possible here\n", builds[i]);
			continue;
		}
		count = read_functions(scratch_path("program"), names, values, ARRAY_SIZE(names),
				       &elf);
		ck_assert_uint_gt(count, 30);
		check_build(scratch_path("program"), names, values, count);
		snprintf(command, sizeof(command), "cd %s && strip program", scratch);
		ck_assert_int_eq(system(command), 0);
		check_build(scratch_path("program"), names, values, count);
		elf_end(elf);
		checked++;
	}
	printf("%zu builds of %zu\n", checked, ARRAY_SIZE(builds));
	ck_assert_uint_gt(checked, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { refuses_two, refuses_a_name_twice, refuses_unknown_code,
				       shrinking_file };
	const TTest *const real[] = { agrees_with_symbols };
	TCase *cases[] = {
		suite_case("pclntab", tests, ARRAY_SIZE(tests), 10, NULL, NULL),
		suite_case("go", real, ARRAY_SIZE(real), 200, scratch_make, scratch_remove),
	};

	tcase_add_loop_test(cases[0], finds_functions, 0, 4 * ARRAY_SIZE(variants));
	tcase_add_loop_test(cases[0], refuses_lies, 0, ARRAY_SIZE(lies));
	tcase_add_loop_test(cases[0], refuses_chance, 0, 4);
	tcase_add_loop_test(cases[0], tells_where_arguments_are, 0, ARRAY_SIZE(conventions));
	return suite_run_cases("pclntab", cases, ARRAY_SIZE(cases));
}
