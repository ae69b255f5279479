// SPDX-License-Identifier: GPL-2.0-only
/* elf/buildinfo: both formats, with and without section headers; and lies. */
#include <errno.h>

#include "elf/buildinfo.h"
#include "lib/cleanup.h"
#include "selftests/unit/elf_copy.h"
#include "selftests/unit/go_file.h"
#include "selftests/unit/suite.h"

#define BUILD_FLAGS (GO_BUILD + 15)

static struct go_file file;

static int read_file(struct buildinfo *info)
{
	struct elf_image image;
	CLEANUP_FD int fd = memory_file(file.bytes, sizeof(file.bytes));
	int ret;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ret = buildinfo_read(&image, info);
	elf_image_close(&image);
	return ret;
}

static const struct {
	const char *version;
	const char *settings;
	unsigned int minor;
	bool stack_arguments, boring, fips;
} samples[] = {
	{ "go1.15.15", NULL, 15, true, false, false },
	{ "go1.16", "path\tx\n", 16, true, false, false },
	{ "go1.17", NULL, 17, false, false, false },
	{ "go1.17.1 X:noregabiargs", NULL, 17, true, false, false },
	{ "go1.19.8 X:boringcrypto", "", 19, false, true, false },
	{ "go1.27.3-X:boringcrypto", NULL, 27, false, true, false },
	{ "devel go1.23-0f1e2d Tue", NULL, 23, false, false, false },
	{ "devel +0f1e2d", NULL, 0, false, false, false },
	{ "go1.", NULL, 0, false, false, false },
	{ "go1.99999999999999999999", NULL, 0, false, false, false },
	{ "go1.22", "path\tx\nbuild\tGOEXPERIMENT=rangefunc,boringcrypto\nbuild\tGOOS=linux\n", 22,
	  false, true, false },
	{ "go1.22", "path\tx\nbuild\tGOEXPERIMENT=rangefunc\nbuild\tX=boringcrypto\n", 22, false,
	  false, false },
	{ "go1.24", "path\tx\nbuild\tGOFIPS140=latest\n", 24, false, false, true },
	{ "go1.24", "path\tx\nbuild\tDefaultGODEBUG=a=1,fips140=on,b=2\n", 24, false, false, true },
	{ "go1.24", "path\tx\nbuild\tDefaultGODEBUG=a=1,fips140=only\n", 24, false, false, true },
	{ "go1.24", "path\tx\nbuild\tDefaultGODEBUG=a=1,xfips140=on\n", 24, false, false, false },
};

#define PLACES 5

START_TEST(reads_what_is_there)
{
	struct go_options options = {
		.format = PCLNTAB_GO120,
		.version = samples[_i / PLACES].version,
		.settings = samples[_i / PLACES].settings,
		.no_sections = _i % PLACES == 1,
		.pointers = _i % PLACES >= 2,
		.pie = _i % PLACES >= 3,
		.relocated = _i % PLACES == 4,
	};
	struct buildinfo info;

	go_file_make(&file, &options);
	ck_assert_int_eq(read_file(&info), 0);
	ck_assert_str_eq(info.version, options.version);
	ck_assert_uint_eq(info.minor, samples[_i / PLACES].minor);
	ck_assert_int_eq(info.stack_arguments, samples[_i / PLACES].stack_arguments);
	ck_assert_int_eq(info.boring, samples[_i / PLACES].boring);
	ck_assert_int_eq(info.fips, samples[_i / PLACES].fips);
}
END_TEST

static void put(uint64_t offset, uint64_t value, size_t size)
{
	go_put(&file, offset, value, size);
}

static void other_magic(void)
{
	file.bytes[GO_BUILD] = 0xfe;
}
static void big_endian(void)
{
	file.bytes[BUILD_FLAGS] |= 1;
}
static void other_pointers(void)
{
	file.bytes[GO_BUILD + 14] = 4;
}
static void pointer_outside(void)
{
	put(GO_BUILD + 16, 1ULL << 60, 8);
}
static void text_outside(void)
{
	put(GO_BUILD + 0x40, 1ULL << 60, 8);
}
static void text_long(void)
{
	put(GO_BUILD + 0x48, 128, 8);
}
static void text_too_long(void)
{
	put(GO_BUILD + 0x48, 1ULL << 40, 8);
}
static void counted_long(void)
{
	file.bytes[BUILD_FLAGS] = 2;
	file.bytes[GO_BUILD + 32] = 127;
}
static void counted_without_end(void)
{
	file.bytes[BUILD_FLAGS] = 2;
	memset(file.bytes + GO_BUILD + 32, 0x80, 5);
}
static void modules_long(void)
{
	put(GO_BUILD + 0x58, BUILDINFO_MODULES_MAX + 1, 8);
}
static void modules_outside(void)
{
	put(GO_BUILD + 0x58, 0x8000, 8);
}
static void section_elsewhere(void)
{
	put(GO_SECTIONS + 4 * sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_addr), 1ULL << 50, 8);
}
static void no_section(void)
{
	strcpy((char *)file.bytes + GO_SECTIONS + 0x480, ".data");
}
static void no_sections(void)
{
	put(offsetof(Elf64_Ehdr, e_shoff), 0, 8);
	other_magic();
}

static const struct {
	const char *text;
	void (*tell)(void);
	int error;
} lies[] = {
	{ "another magic", other_magic, -EBADMSG },
	{ "big endian", big_endian, -EBADMSG },
	{ "pointers of 4 bytes", other_pointers, -EBADMSG },
	{ "a pointer to nowhere is an empty string, as in zeroed data", pointer_outside, 0 },
	{ "text outside", text_outside, -EBADMSG },
	{ "text of more than fits", text_long, -ENAMETOOLONG },
	{ "text that is longer than the file", text_too_long, -ENAMETOOLONG },
	{ "counted text that has zeros in it", counted_long, 0 },
	{ "a length without end", counted_without_end, -EBADMSG },
	{ "many modules", modules_long, 0 },
	{ "modules that end after the file", modules_outside, 0 },
	{ "a section at no address", section_elsewhere, -EBADMSG },
	{ "no section", no_section, -ENOENT },
	{ "no sections, and nothing in the data", no_sections, -ENOENT },
};

START_TEST(refuses_lies)
{
	const struct go_options options = {
		.format = PCLNTAB_GO120,
		.version = "go1.17",
		.settings = "x",
		.pointers = true,
	};
	struct buildinfo info;
	int ret;

	go_file_make(&file, &options);
	lies[_i].tell();
	ret = read_file(&info);
	ck_assert_msg(ret == lies[_i].error, "%s: %d", lies[_i].text, ret);
	ck_assert_uint_lt(strlen(info.version), sizeof(info.version));
	ck_assert(!info.boring && !info.fips);
}
END_TEST

START_TEST(nothing_in_another_program)
{
	CLEANUP_FD int fd = copy_of_self();
	struct elf_image image;
	struct buildinfo info;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(buildinfo_read(&image, &info), -ENOENT);
	elf_image_close(&image);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { nothing_in_another_program };
	TCase *tcase = suite_case("buildinfo", tests, ARRAY_SIZE(tests), 0, NULL, NULL);

	tcase_add_loop_test(tcase, reads_what_is_there, 0, PLACES * ARRAY_SIZE(samples));
	tcase_add_loop_test(tcase, refuses_lies, 0, ARRAY_SIZE(lies));
	return suite_run_cases("buildinfo", &tcase, 1);
}
