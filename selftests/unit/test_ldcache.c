// SPDX-License-Identifier: GPL-2.0-only
/* user/attach/ldcache: this system's cache against ldconfig(8), then caches that lie. */
#include <errno.h>

#include "lib/cleanup.h"
#include "selftests/unit/elf_copy.h"
#include "selftests/unit/suite.h"
#include "user/attach/ldcache.h"

static char path[64]; /* of the memory file, for ldcache_open() */

static int open_cache(struct ldcache *cache, const void *content, size_t size)
{
	CLEANUP_FD int fd = memory_file(content, size);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return ldcache_open(cache, path);
}

struct seen {
	char text[4096];
	int count;
	int stop_at;
};

static int note_entry(void *data, const struct ldcache_entry *entry)
{
	struct seen *seen = data;
	size_t used = strlen(seen->text);

	snprintf(seen->text + used, sizeof(seen->text) - used, "%s=%s ", entry->soname,
		 entry->path);
	return ++seen->count == seen->stop_at ? 77 : 0;
}

START_TEST(agrees_with_ldconfig)
{
	FILE *list = popen("LC_ALL=C /sbin/ldconfig -p", "r");
	char line[1024], soname[512], kind[256], file[512], expected[1100];
	struct ldcache cache;
	uint32_t count = 0;

	ck_assert_ptr_nonnull(list);
	ck_assert_int_eq(ldcache_open(&cache, LDCACHE_PATH), 0);
	while (fgets(line, sizeof(line), list)) {
		struct seen seen = { .count = 0 };

		if (sscanf(line, " %511s (%255[^)]) => %511s", soname, kind, file) != 3)
			continue;
		count++;
		if (strcmp(kind, "libc6,x86-64") != 0)
			continue;
		ck_assert_int_eq(ldcache_find(&cache, soname, EM_X86_64, note_entry, &seen), 0);
		snprintf(expected, sizeof(expected), "%s=%s ", soname, file);
		ck_assert_msg(strstr(seen.text, expected) != NULL, "%s", expected);
	}
	ck_assert_int_eq(pclose(list), 0);
	ck_assert_uint_eq(count, cache.count);
	ck_assert_uint_gt(count, 10);
	ldcache_close(&cache);
}
END_TEST

/* A cache as ldconfig would write it; offsets count from the header of the new format. */
struct entry {
	uint32_t flags, soname, path, os_version;
	uint64_t hwcap;
};

struct file {
	struct {
		char magic[20];
		uint32_t count, strings_size;
		uint8_t flags, padding[3];
		uint32_t unused[4];
	} header;
	struct entry entries[4];
	char strings[64];
};

#define STRINGS offsetof(struct file, strings)

static const struct file sample = {
	.header = { .magic = "glibc-ld.so.cache1.", .count = 4, .strings_size = 64, .flags = 2 },
	.entries = { { 0x0303, STRINGS, STRINGS + 12, 0, 0 },
		     { 0x0003, STRINGS, STRINGS + 18, 0, 0 }, /* i386 */
		     { 0x0a03, STRINGS, STRINGS + 24, 0, 0 }, /* arm64 */
		     { 0x0303, STRINGS + 30, STRINGS + 45, 0, 0 } },
	.strings = "libssl.so.3\0/a/64\0/a/32\0/arm6\0libcrypto.so.3\0x\0",
};

static struct file sample_file(void)
{
	struct file file = sample;

	file.header.magic[19] = '1';
	return file;
}

START_TEST(machines_are_told_apart)
{
	struct file file = sample_file();
	struct ldcache cache;
	struct seen amd = { .count = 0 }, arm = { .count = 0 }, other = { .count = 0 };

	ck_assert_int_eq(open_cache(&cache, &file, sizeof(file)), 0);
	ldcache_find(&cache, "libssl.so.3", EM_X86_64, note_entry, &amd);
	ldcache_find(&cache, "libssl.so.3", EM_AARCH64, note_entry, &arm);
	ldcache_find(&cache, "libssl.so.3", EM_386, note_entry, &other);
	ldcache_find(&cache, "libssl.so", EM_X86_64, note_entry, &other);
	ck_assert_str_eq(amd.text, "libssl.so.3=/a/64 ");
	ck_assert_str_eq(arm.text, "libssl.so.3=/arm6 ");
	ck_assert_int_eq(other.count, 0);
	ldcache_close(&cache);
}
END_TEST

START_TEST(prefixes)
{
	struct file file = sample_file();
	struct ldcache cache;
	struct seen ssl = { .count = 0 }, all = { .count = 0 }, stopped = { .stop_at = 1 };

	ck_assert_int_eq(open_cache(&cache, &file, sizeof(file)), 0);
	ck_assert_int_eq(ldcache_find_prefix(&cache, "libssl.so", EM_X86_64, note_entry, &ssl), 0);
	ck_assert_int_eq(ldcache_find_prefix(&cache, "lib", EM_X86_64, note_entry, &all), 0);
	ck_assert_int_eq(ldcache_find_prefix(&cache, "lib", EM_X86_64, note_entry, &stopped), 77);
	ck_assert_int_eq(ssl.count, 1);
	ck_assert_int_eq(all.count, 2);
	ck_assert_int_eq(stopped.count, 1);
	ldcache_close(&cache);
}
END_TEST

START_TEST(behind_an_old_table)
{
	struct {
		char magic[12];
		uint32_t count;
		uint8_t entries[3 * 12], padding[4];
		struct file new;
	} both = { "ld.so-1.7.0", 3, { 0 }, { 0 }, sample_file() };
	struct ldcache cache;
	struct seen seen = { .count = 0 };

	ck_assert_int_eq(open_cache(&cache, &both, sizeof(both)), 0);
	ldcache_find(&cache, "libssl.so.3", EM_X86_64, note_entry, &seen);
	ck_assert_str_eq(seen.text, "libssl.so.3=/a/64 ");
	ldcache_close(&cache);
	both.count = UINT32_MAX;
	ck_assert_int_eq(open_cache(&cache, &both, sizeof(both)), -EBADMSG);
	ck_assert_int_eq(open_cache(&cache, &both, 16), -EBADMSG);
}
END_TEST

/* Cut anywhere: refused, or only whole entries and strings are seen. */
START_TEST(truncated)
{
	struct file file = sample_file();
	struct ldcache cache;
	size_t size;

	for (size = 0; size < sizeof(file); size++) {
		struct seen seen = { .count = 0 };
		int ret = open_cache(&cache, &file, size);

		ck_assert_msg(ret == (size < STRINGS ? -EBADMSG : 0), "%zu bytes: %d", size, ret);
		if (ret)
			continue;
		ldcache_find_prefix(&cache, "lib", EM_X86_64, note_entry, &seen);
		ck_assert_int_eq(seen.count, (size >= STRINGS + 18) + (size >= STRINGS + 47));
		ldcache_close(&cache);
	}
}
END_TEST

START_TEST(lying)
{
	struct file many = sample_file(), order = sample_file(), outside = sample_file();
	struct ldcache_entry entry;
	struct ldcache cache;
	struct seen seen = { .count = 0 };

	many.header.count = UINT32_MAX;
	ck_assert_int_eq(open_cache(&cache, &many, sizeof(many)), -EBADMSG);
	order.header.flags = 3;
	ck_assert_int_eq(open_cache(&cache, &order, sizeof(order)), -EBADMSG);
	outside.entries[0].soname = UINT32_MAX;
	outside.entries[3].path = sizeof(outside) - 1;
	outside.strings[sizeof(outside.strings) - 1] = 'x'; /* no NUL up to the end */
	ck_assert_int_eq(open_cache(&cache, &outside, sizeof(outside)), 0);
	ck_assert_int_eq(ldcache_entry(&cache, 0, &entry), -EBADMSG);
	ck_assert_int_eq(ldcache_entry(&cache, 1, &entry), 0);
	ck_assert_int_eq(ldcache_entry(&cache, 3, &entry), -EBADMSG);
	ck_assert_int_eq(ldcache_entry(&cache, 4, &entry), -ENOENT);
	ldcache_find_prefix(&cache, "", EM_X86_64, note_entry, &seen);
	ck_assert_int_eq(seen.count, 0);
	ldcache_close(&cache);
}
END_TEST

START_TEST(not_a_cache)
{
	struct ldcache cache;

	ck_assert_int_eq(ldcache_open(&cache, "/nonexistent/cache"), -ENOENT);
	ck_assert_int_eq(ldcache_open(&cache, "/dev/null"), -EINVAL);
	ck_assert_int_eq(ldcache_open(&cache, "/etc"), -EINVAL);
	ck_assert_int_eq(open_cache(&cache, "hello", 5), -EBADMSG);
	ck_assert_int_eq(open_cache(&cache, "", 0), -EBADMSG);
	ck_assert_ptr_null(cache.memory);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		agrees_with_ldconfig,
		machines_are_told_apart,
		prefixes,
		behind_an_old_table,
		truncated,
		lying,
		not_a_cache,
	};

	return suite_run("loader cache", tests, ARRAY_SIZE(tests), 60, NULL, NULL);
}
