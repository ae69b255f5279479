// SPDX-License-Identifier: GPL-2.0-only
/*
 * elf/symtab and elf/symbol: which symbol is meant by a name, on this program
 * (its own functions, whose addresses it knows) and on the C library (versions
 * and IFUNCs, with dlvsym(3) as the judge); then with lying tables.
 */
#include <dlfcn.h>
#include <errno.h>
#include <time.h>

#include "elf/dynamic.h"
#include "elf/symbol.h"
#include "lib/cleanup.h"
#include "selftests/unit/elf_copy.h"
#include "selftests/unit/suite.h"

/* Two static functions; a test gives them the same name. */
static __attribute__((noinline, used)) int kloak_local_one(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x + 1;
}

static __attribute__((noinline, used)) int kloak_local_two(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x * 3;
}

static uint64_t value_here(int (*function)(int))
{
	return (uint64_t)(uintptr_t)function - load_base();
}

/* The C library as a file, and its base in this process. */
static int copy_of_libc(uint64_t *base)
{
	Dl_info info;

	ck_assert_int_ne(dladdr(dlsym(RTLD_NEXT, "getpid"), &info), 0);
	*base = (uint64_t)(uintptr_t)info.dli_fbase;
	return copy_of(info.dli_fname);
}

static int find(int fd, const char *name, struct elf_symbol *symbol)
{
	struct elf_image image;
	int ret;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ret = elf_symbol_find(&image, name, symbol);
	elf_image_close(&image);
	return ret;
}

START_TEST(local_function_of_this_program)
{
	CLEANUP_FD int fd = copy_of_self();
	struct elf_symbol symbol;

	ck_assert_int_eq(find(fd, "kloak_local_one", &symbol), 0);
	ck_assert_uint_eq(symbol.value, value_here(kloak_local_one));
	ck_assert_int_eq(symbol.origin, ELF_SYMTAB);
	ck_assert_int_eq(symbol.binding, STB_LOCAL);
	ck_assert_int_eq(symbol.type, STT_FUNC);
	ck_assert_uint_gt(symbol.size, 0);
	ck_assert_int_eq(find(fd, "kloak_local_on", &symbol), -ENOENT);
	ck_assert_int_eq(find(fd, "kloak_local_onee", &symbol), -ENOENT);
	ck_assert_int_eq(find(fd, "local_one", &symbol), -ENOENT); /* a tail is not a name */
}
END_TEST

START_TEST(undefined_symbols_are_not_found)
{
	CLEANUP_FD int fd = copy_of_self();
	struct elf_symbol symbol;

	ck_assert_int_eq(find(fd, "ftruncate", &symbol), -ENOENT); /* imported by this program */
}
END_TEST

START_TEST(many_names_at_once)
{
	static const char *const names[] = { "kloak_local_two", "nothing_like_this", "main",
					     "kloak_local_one", "main" };
	CLEANUP_FD int fd = copy_of_self();
	struct elf_symbol symbols[ARRAY_SIZE(names)];
	struct elf_image image;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(elf_symbols_find(&image, names, ARRAY_SIZE(names), symbols), 4);
	ck_assert_uint_eq(symbols[0].value, value_here(kloak_local_two));
	ck_assert_int_eq(symbols[1].error, -ENOENT);
	ck_assert_int_eq(symbols[2].binding, STB_GLOBAL);
	ck_assert_uint_eq(symbols[3].value, value_here(kloak_local_one));
	ck_assert_uint_eq(symbols[4].value, symbols[2].value);
	ck_assert_int_eq(elf_symbols_find(&image, names, 0, symbols), 0);
	elf_image_close(&image);
}
END_TEST

START_TEST(bad_names)
{
	CLEANUP_FD int fd = copy_of_self();
	struct elf_symbol symbol;
	char name[ELF_SYMBOL_NAME_MAX + 2];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(find(fd, name, &symbol), -EINVAL);
	ck_assert_int_eq(find(fd, name + 1, &symbol), -ENOENT);
	ck_assert_int_eq(find(fd, "", &symbol), -EINVAL);
	ck_assert_int_eq(find(fd, "main@V1", &symbol), -EINVAL);
}
END_TEST

struct renaming {
	struct elf_symtab *table;
	int fd;
	uint32_t from, to; /* st_name */
	uint64_t from_value, to_value;
	uint64_t from_index;
};

static int visit_local(void *data, uint64_t index, const Elf64_Sym *entry)
{
	struct renaming *renaming = data;

	if (entry->st_value == renaming->from_value) {
		renaming->from = entry->st_name;
		renaming->from_index = index;
	}
	if (entry->st_value == renaming->to_value)
		renaming->to = entry->st_name;
	return 0;
}

/* Gives kloak_local_one the name kloak_local_two, and @binding. */
static void rename_local(int fd, unsigned char binding)
{
	struct renaming renaming = { .from_value = value_here(kloak_local_one),
				     .to_value = value_here(kloak_local_two) };
	struct elf_symtab table;
	struct elf_image image;
	uint64_t entry;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(elf_symtab_open(&image, ELF_SYMTAB, &table), 0);
	ck_assert_int_eq(elf_symtab_walk(&table, visit_local, &renaming), 0);
	ck_assert(renaming.from && renaming.to);
	entry = table.entries + renaming.from_index * sizeof(Elf64_Sym);
	PATCH_FIELD(fd, entry, Elf64_Sym, st_name, renaming.to);
	PATCH_FIELD(fd, entry, Elf64_Sym, st_info, (unsigned char)ELF64_ST_INFO(binding, STT_FUNC));
	elf_image_close(&image);
}

START_TEST(two_locals_of_one_name_are_ambiguous)
{
	CLEANUP_FD int fd = copy_of_self();
	struct elf_symbol symbol;

	rename_local(fd, STB_LOCAL);
	ck_assert_int_eq(find(fd, "kloak_local_two", &symbol), -ENOTUNIQ);
	ck_assert_int_eq(symbol.error, -ENOTUNIQ);
}
END_TEST

START_TEST(a_global_beats_a_local)
{
	CLEANUP_FD int fd = copy_of_self();
	struct elf_symbol symbol;

	rename_local(fd, STB_WEAK);
	ck_assert_int_eq(find(fd, "kloak_local_two", &symbol), 0);
	ck_assert_uint_eq(symbol.value, value_here(kloak_local_one));
	ck_assert_int_eq(symbol.binding, STB_WEAK);
}
END_TEST

START_TEST(function_of_the_c_library)
{
	uint64_t base;
	CLEANUP_FD int fd = copy_of_libc(&base);
	struct elf_symbol symbol;

	ck_assert_int_eq(find(fd, "getpid", &symbol), 0);
	ck_assert_uint_eq(symbol.value + base, (uint64_t)(uintptr_t)dlsym(RTLD_NEXT, "getpid"));
	ck_assert_int_eq(symbol.origin, ELF_DYNSYM);
	ck_assert(symbol.versioned);
	ck_assert(!symbol.hidden);
}
END_TEST

START_TEST(ifunc_is_reported_as_such)
{
	uint64_t base;
	CLEANUP_FD int fd = copy_of_libc(&base);
	struct elf_symbol symbol;

	ck_assert_int_eq(find(fd, "strlen", &symbol), 0);
	ck_assert_int_eq(symbol.type, STT_GNU_IFUNC);
}
END_TEST

/* Two versions of one name on x86-64: since 2.3.2 (default) and 2.2.5 (hidden). */
#define TWO_VERSIONS "pthread_cond_wait"

START_TEST(default_version_wins)
{
	uint64_t base;
	CLEANUP_FD int fd = copy_of_libc(&base);
	void *old = dlvsym(RTLD_NEXT, TWO_VERSIONS, "GLIBC_2.2.5");
	struct elf_symbol symbol;

	ck_assert_ptr_nonnull(old);
	ck_assert_int_eq(find(fd, TWO_VERSIONS, &symbol), 0);
	ck_assert_uint_ne(symbol.value + base, (uint64_t)(uintptr_t)old);
	ck_assert_uint_eq(symbol.value + base,
			  (uint64_t)(uintptr_t)dlvsym(RTLD_NEXT, TWO_VERSIONS, "GLIBC_2.3.2"));
	ck_assert(symbol.versioned && !symbol.hidden);
}
END_TEST

/* For hiding every version of TWO_VERSIONS. */
struct versions {
	int fd;
	const struct elf_symtab *table;
	int seen;
	int undefine; /* how many of them to make undefined */
};

static int visit_hide(void *data, uint64_t index, const Elf64_Sym *entry)
{
	struct versions *versions = data;
	uint16_t version;

	ck_assert_int_eq(elf_symtab_version(versions->table, index, &version), 0);
	version |= 0x8000;
	patch(versions->fd, versions->table->versions + index * sizeof(version), &version,
	      sizeof(version));
	if (versions->seen++ < versions->undefine)
		PATCH_FIELD(versions->fd, versions->table->entries + index * sizeof(*entry),
			    Elf64_Sym, st_shndx, SHN_UNDEF);
	return 0;
}

static void hide_versions(int fd, int undefine)
{
	struct versions versions = { .fd = fd, .undefine = undefine };
	struct elf_symtab table;
	struct elf_image image;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(elf_symtab_open(&image, ELF_DYNSYM, &table), 0);
	versions.table = &table;
	ck_assert_int_eq(elf_symtab_lookup(&table, TWO_VERSIONS, visit_hide, &versions), 0);
	ck_assert_int_eq(versions.seen, 2);
	elf_image_close(&image);
}

START_TEST(hidden_versions)
{
	uint64_t base;
	CLEANUP_FD int both = copy_of_libc(&base), one = copy_of_libc(&base);
	struct elf_symbol symbol;

	hide_versions(both, 0);
	ck_assert_int_eq(find(both, TWO_VERSIONS, &symbol), -ENOTUNIQ);
	hide_versions(one, 1);
	ck_assert_int_eq(find(one, TWO_VERSIONS, &symbol), 0);
	ck_assert(symbol.hidden);
}
END_TEST

/* --- without help, and with lies --------------------------------------- */

static void strip_sections(int fd)
{
	PATCH_HEADER(fd, e_shoff, 0);
	PATCH_HEADER(fd, e_shnum, 0);
}

START_TEST(without_section_headers)
{
	uint64_t base;
	CLEANUP_FD int fd = copy_of_libc(&base);
	struct elf_symbol symbol;

	strip_sections(fd);
	ck_assert_int_eq(find(fd, "getpid", &symbol), 0);
	ck_assert_uint_eq(symbol.value + base, (uint64_t)(uintptr_t)dlsym(RTLD_NEXT, "getpid"));
	ck_assert_int_eq(find(fd, "no_such_function", &symbol), -ENOENT);
}
END_TEST

/* Where the GNU hash of the file is. */
static struct elf_symtab hashed_table(int fd, uint64_t *header)
{
	struct elf_dynamic dynamic;
	struct elf_symtab table;
	struct elf_image image;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(elf_dynamic_read(&image, &dynamic), 0);
	ck_assert_int_eq(elf_symtab_open(&image, ELF_DYNSYM, &table), 0);
	elf_image_close(&image);
	ck_assert_uint_ne(table.hash.buckets_count, 0);
	*header = dynamic.gnu_hash;
	return table;
}

static void fill(int fd, uint64_t offset, uint64_t words, uint32_t value)
{
	for (; words; words--, offset += sizeof(value))
		patch(fd, offset, &value, sizeof(value));
}

static const struct lie {
	const char *name;
	int word; /* of the hash header; -1: all buckets */
	uint32_t value;
} lies[] = {
	{ "no buckets", 0, 0 },
	{ "too many buckets", 0, UINT32_MAX },
	{ "first symbol beyond the table", 1, UINT32_MAX },
	{ "no Bloom words", 2, 0 },
	{ "not a power of two", 2, 3 },
	{ "too many Bloom words", 2, 1U << 31 },
	{ "shift too far", 3, 32 },
	{ "buckets before the first symbol", -1, 1 },
	{ "buckets beyond the table", -1, UINT32_MAX },
};

/* Renames an entry of the dynamic section, if it has it. */
static void patch_tag(int fd, int64_t from, int64_t to)
{
	const Elf64_Phdr *segment;
	struct elf_image image;
	Elf64_Dyn entry;
	uint64_t at;

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	segment = elf_image_find_segment(&image, PT_DYNAMIC);
	ck_assert_ptr_nonnull(segment);
	for (at = 0; at + sizeof(entry) <= segment->p_filesz; at += sizeof(entry)) {
		ck_assert_int_eq(
			elf_image_read(&image, segment->p_offset + at, &entry, sizeof(entry)), 0);
		if (entry.d_tag == from)
			PATCH_FIELD(fd, segment->p_offset + at, Elf64_Dyn, d_tag, to);
	}
	elf_image_close(&image);
}

/* A table without a GNU hash, its length told by DT_HASH or by its section header. */
START_TEST(without_gnu_hash)
{
	uint64_t base;
	CLEANUP_FD int fd = copy_of_libc(&base);
	struct elf_symbol symbol;

	patch_tag(fd, DT_GNU_HASH, DT_DEBUG);
	ck_assert_int_eq(find(fd, TWO_VERSIONS, &symbol), 0);
	ck_assert_uint_eq(symbol.value + base,
			  (uint64_t)(uintptr_t)dlvsym(RTLD_NEXT, TWO_VERSIONS, "GLIBC_2.3.2"));
	patch_tag(fd, DT_HASH, DT_DEBUG);
	ck_assert_int_eq(find(fd, TWO_VERSIONS, &symbol), 0);
	ck_assert_uint_eq(symbol.value + base,
			  (uint64_t)(uintptr_t)dlvsym(RTLD_NEXT, TWO_VERSIONS, "GLIBC_2.3.2"));
}
END_TEST

/* Every lie about the hash is seen, and the symbol is found by reading all of the table. */
START_TEST(lying_hash)
{
	const struct lie *lie = &lies[_i];
	uint64_t base, header;
	CLEANUP_FD int fd = copy_of_libc(&base);
	struct elf_symtab table = hashed_table(fd, &header);
	struct elf_symbol symbol;

	if (lie->word >= 0)
		fill(fd, header + (uint64_t)lie->word * 4, 1, lie->value);
	else
		fill(fd, table.hash.buckets, table.hash.buckets_count, lie->value);
	ck_assert_msg(find(fd, "getpid", &symbol) == 0, "%s", lie->name);
	ck_assert_uint_eq(symbol.value + base, (uint64_t)(uintptr_t)dlsym(RTLD_NEXT, "getpid"));
	ck_assert(symbol.versioned);
	strip_sections(fd); /* now the length comes from DT_HASH, where the library has it */
	patch_tag(fd, DT_HASH, DT_DEBUG);
	ck_assert_msg(find(fd, "getpid", &symbol) == -ENOENT, "%s", lie->name);
}
END_TEST

/* A hash may hide what the table has (the loader would not find it either); it may not hang us. */
START_TEST(chain_without_end_is_given_up)
{
	uint64_t base, header;
	CLEANUP_FD int fd = copy_of_libc(&base);
	struct elf_symtab table = hashed_table(fd, &header);
	struct elf_symbol symbol;
	struct timespec from, to;

	fill(fd, table.hash.bloom, table.hash.bloom_count * 2, UINT32_MAX);
	fill(fd, table.hash.chains, table.count - table.hash.first, 0);
	clock_gettime(CLOCK_MONOTONIC, &from);
	ck_assert_int_eq(find(fd, "no_such_function", &symbol), -ENOENT);
	/* Only the last one ends. */
	fill(fd, table.hash.chains + (table.count - table.hash.first - 1) * 4, 1, 1);
	ck_assert_int_eq(find(fd, "no_such_function", &symbol), -ENOENT);
	clock_gettime(CLOCK_MONOTONIC, &to);
	ck_assert_int_lt(to.tv_sec - from.tv_sec, 2);
}
END_TEST

START_TEST(lying_tables)
{
	CLEANUP_FD int size = copy_of_self(), link = copy_of_self(), entry = copy_of_self();
	CLEANUP_FD int shrunk = copy_of_self();
	struct elf_symbol symbol;
	struct elf_image image;
	uint64_t header;

	ck_assert_int_eq(elf_image_open(&image, size), 0);
	header = section_header(&image, SHT_SYMTAB);
	elf_image_close(&image);

	PATCH_FIELD(size, header, Elf64_Shdr, sh_size, UINT64_MAX - 24);
	ck_assert_int_eq(find(size, "kloak_local_one", &symbol), -ENOENT);
	PATCH_FIELD(link, header, Elf64_Shdr, sh_link, UINT32_MAX);
	ck_assert_int_eq(find(link, "kloak_local_one", &symbol), -EBADMSG);
	PATCH_FIELD(link, header, Elf64_Shdr, sh_link, 1);
	ck_assert_int_eq(find(link, "kloak_local_one", &symbol), -EBADMSG);
	PATCH_FIELD(entry, header, Elf64_Shdr, sh_entsize, 0);
	ck_assert_int_eq(find(entry, "kloak_local_one", &symbol), -EBADMSG);

	ck_assert_int_eq(elf_image_open(&image, shrunk), 0);
	ck_assert_int_eq(ftruncate(shrunk, 8192), 0);
	ck_assert_int_eq(elf_symbol_find(&image, "kloak_local_one", &symbol), -ESTALE);
	elf_image_close(&image);
}
END_TEST

/* The last string of the table without its NUL: it is not a name, and nothing is read after it. */
START_TEST(string_without_nul)
{
	CLEANUP_FD int fd = copy_of_self();
	struct elf_symbol symbol;
	struct elf_symtab table;
	struct elf_image image;
	Elf64_Sym entry = { .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
			    .st_shndx = 1,
			    .st_value = 42 };
	char text[16];

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(elf_symtab_open(&image, ELF_SYMTAB, &table), 0);
	entry.st_name = (uint32_t)(table.strings_size - 4);
	patch(fd, table.strings + entry.st_name, "abcd", 4);
	patch(fd, table.entries + sizeof(entry), &entry, sizeof(entry));
	ck_assert_int_eq(elf_symtab_name(&table, &entry, text, sizeof(text)), -EBADMSG);
	ck_assert_int_eq(elf_symbol_find(&image, "abcd", &symbol), -ENOENT);
	patch(fd, table.strings + entry.st_name, "abc", 4);
	ck_assert_int_eq(elf_symbol_find(&image, "abc", &symbol), 0);
	ck_assert_uint_eq(symbol.value, 42);
	entry.st_name = UINT32_MAX;
	ck_assert_int_eq(elf_symtab_name(&table, &entry, text, sizeof(text)), -EBADMSG);
	elf_image_close(&image);
}
END_TEST

/* In .symtab the version is part of the name. */
START_TEST(versions_in_symtab)
{
	CLEANUP_FD int fd = copy_of_self();
	struct elf_symbol symbol;
	struct elf_symtab table;
	struct elf_image image;
	Elf64_Sym entries[2] = {
		{ .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), .st_shndx = 1, .st_value = 1 },
		{ .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), .st_shndx = 1, .st_value = 2 },
	};
	static const char names[] = "\0kf@V1\0kf@@V2";

	ck_assert_int_eq(elf_image_open(&image, fd), 0);
	ck_assert_int_eq(elf_symtab_open(&image, ELF_SYMTAB, &table), 0);
	entries[0].st_name = (uint32_t)(table.strings_size - sizeof(names) + 1);
	entries[1].st_name = entries[0].st_name + 6;
	patch(fd, table.strings + table.strings_size - sizeof(names), names, sizeof(names));
	patch(fd, table.entries + sizeof(entries[0]), entries, sizeof(entries));
	ck_assert_int_eq(elf_symbol_find(&image, "kf", &symbol), 0);
	ck_assert_uint_eq(symbol.value, 2);
	ck_assert(symbol.versioned && !symbol.hidden);
	elf_image_close(&image);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		local_function_of_this_program,
		undefined_symbols_are_not_found,
		many_names_at_once,
		bad_names,
		two_locals_of_one_name_are_ambiguous,
		a_global_beats_a_local,
		function_of_the_c_library,
		ifunc_is_reported_as_such,
		default_version_wins,
		hidden_versions,
		without_section_headers,
		without_gnu_hash,
		chain_without_end_is_given_up,
		lying_tables,
		string_without_nul,
		versions_in_symtab,
	};
	TCase *tcase = suite_case("elf symbol", tests, ARRAY_SIZE(tests), 60, NULL, NULL);

	tcase_add_loop_test(tcase, lying_hash, 0, ARRAY_SIZE(lies));
	return suite_run_cases("elf symbol", &tcase, 1);
}
