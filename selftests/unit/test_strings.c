// SPDX-License-Identifier: GPL-2.0-only
/* elf/strings: names at every place around the borders of the chunks. */
#include <errno.h>

#include "elf/strings.h"
#include "selftests/unit/elf_copy.h"
#include "selftests/unit/suite.h"

#define TABLE  100000
#define BEFORE 5 /* bytes in front of the table */
#define BORDER 32768

static char bytes[BEFORE + TABLE];
static struct elf_image image;

struct seen {
	size_t count;
	size_t name;
	uint64_t offset;
};

static int note(void *data, size_t name, uint64_t offset)
{
	struct seen *seen = data;

	*seen = (struct seen){ seen->count + 1, name, offset };
	return 0;
}

static struct seen search(const char *text, uint64_t at, const char *ends)
{
	const char *const names[] = { "another", "crypto/tls.(*Conn).Write" };
	struct seen seen = { 0 };

	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes + BEFORE + at, text, strlen(text) + 1);
	image = (struct elf_image){ .fd = memory_file(bytes, sizeof(bytes)),
				    .size = sizeof(bytes) };
	ck_assert_int_eq(elf_strings_search(&image, BEFORE, TABLE, names, 2, ends, note, &seen), 0);
	close(image.fd);
	return seen;
}

START_TEST(finds_across_borders)
{
	const char *name = "crypto/tls.(*Conn).Write";
	uint64_t border, at;

	for (border = BORDER; border < TABLE; border += BORDER)
		for (at = border - strlen(name) - 2; at < border + 2; at++) {
			struct seen seen = search(name, at, "");

			ck_assert_msg(seen.count == 1 && seen.name == 1 && seen.offset == at,
				      "at %lu: %zu times, %lu", at, seen.count, seen.offset);
		}
	ck_assert_uint_eq(search(name, 0, "").count, 1);
	ck_assert_uint_eq(search(name, TABLE - strlen(name) - 1, "").count, 1);
}
END_TEST

START_TEST(names_end)
{
	ck_assert_uint_eq(search("a tail of another", 50, "").offset, 60);
	ck_assert_uint_eq(search("another@V1", 50, "").count, 0);
	ck_assert_uint_eq(search("another@V1", 50, "@").count, 1);
	ck_assert_uint_eq(search("anothers", 50, "@").count, 0);
}
END_TEST

START_TEST(refuses_names)
{
	char name[ELF_STRINGS_NAME_MAX + 2];
	const char *const names[] = { name };

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(elf_strings_search(&image, 0, 0, names, 1, "", note, NULL), -EINVAL);
	name[0] = '\0';
	ck_assert_int_eq(elf_strings_search(&image, 0, 0, names, 1, "", note, NULL), -EINVAL);
	ck_assert_int_eq(
		elf_strings_search(&image, 0, 0, names, ELF_STRINGS_NAMES_MAX + 1, "", note, NULL),
		-EINVAL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { finds_across_borders, names_end, refuses_names };

	return suite_run("strings", tests, ARRAY_SIZE(tests), 60, NULL, NULL);
}
