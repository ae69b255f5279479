// SPDX-License-Identifier: GPL-2.0-only
/*
 * elf/ against libelf, on every ELF file of this system: all defined symbols of
 * .dynsym and .symtab, lookups by name, build-id, needed libraries, soname and
 * interpreter have to be the same. The files that are installed are the test
 * data: they come from many linkers, languages and years.
 *
 * Then .dynsym is read again with the section headers taken away, as the loader
 * sees it, and must give the same symbols.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "elf/dynamic.h"
#include "elf/note.h"
#include "elf/symbol.h"
#include "selftests/unit/suite.h"

#define LOOKUPS		64 /* names looked up per file, spread over its .dynsym */
#define DIFFERENCES_MAX 20 /* printed */
#define NAME_SIZE	65536

static struct {
	unsigned long files, refused, symbols, stripped_symbols, lookups, local_lookups, needed;
	unsigned long build_ids, sonames, interpreters, differences;
} total;

static const char *current; /* the file being compared */

static void difference(const char *what, const char *detail)
{
	if (total.differences++ < DIFFERENCES_MAX)
		fprintf(stderr, "# difference: %s: %s %s\n", current, what, detail);
}

/* --- symbols ----------------------------------------------------------- */

struct comparison {
	const struct elf_symtab *table;
	Elf *elf;
	Elf_Data *symbols;
	size_t strings; /* index of the string section */
	bool names;	/* compare them too */
};

static int compare_entry(void *data, uint64_t index, const Elf64_Sym *ours)
{
	static char name[NAME_SIZE];
	struct comparison *comparison = data;
	const char *expected;
	GElf_Sym theirs;

	if (!gelf_getsym(comparison->symbols, (int)index, &theirs)) {
		difference("a symbol that libelf does not have", "");
		return 1;
	}
	if (theirs.st_shndx == SHN_UNDEF && ours->st_shndx == SHN_UNDEF)
		return 0;
	total.symbols++;
	expected = elf_strptr(comparison->elf, comparison->strings, theirs.st_name);
	if (elf_symtab_name(comparison->table, ours, name, sizeof(name)) < 0 || !expected ||
	    strcmp(name, expected) != 0)
		difference("name of", expected ? expected : "(none)");
	if (ours->st_value != theirs.st_value || ours->st_size != theirs.st_size ||
	    ours->st_info != theirs.st_info || ours->st_shndx != theirs.st_shndx)
		difference("value, size, type or binding of", expected ? expected : "(none)");
	return 0;
}

/* With the section headers gone: the same entries, and no defined one is missing at the end. */
static int compare_stripped(void *data, uint64_t index, const Elf64_Sym *ours)
{
	struct comparison *comparison = data;
	GElf_Sym theirs;

	total.stripped_symbols += ours->st_shndx != SHN_UNDEF;
	if (!gelf_getsym(comparison->symbols, (int)index, &theirs) ||
	    ours->st_value != theirs.st_value || ours->st_info != theirs.st_info ||
	    ours->st_name != theirs.st_name) {
		difference("without sections, symbol", "");
		return 1;
	}
	return 0;
}

static void check_stripped(const struct elf_image *image, struct comparison *comparison,
			   size_t count)
{
	struct elf_image bare = *image;
	struct elf_symtab table;
	GElf_Sym theirs;
	size_t i;
	int ret;

	bare.section_count = 0;
	ret = elf_symtab_open(&bare, ELF_DYNSYM, &table);
	if (ret) {
		if (elf_image_find_segment(image, PT_DYNAMIC))
			difference("without sections:", strerror(-ret));
		return;
	}
	elf_symtab_walk(&table, compare_stripped, comparison);
	for (i = table.count; i < count; i++) {
		if (gelf_getsym(comparison->symbols, (int)i, &theirs) &&
		    theirs.st_shndx != SHN_UNDEF) {
			difference("without sections, a defined symbol is missing", "");
			return;
		}
	}
}

/* --- lookups ----------------------------------------------------------- */

struct answer {
	uint64_t value, size;
	unsigned char info;
	int defaults; /* global entries that are not hidden */
	int others;   /* hidden versions */
	int locals;
	bool ambiguous_locals, ambiguous_others;
};

static bool is_answer(const GElf_Sym *symbol, bool dynamic)
{
	return symbol->st_shndx != SHN_UNDEF && GELF_ST_TYPE(symbol->st_info) != STT_FILE &&
	       GELF_ST_TYPE(symbol->st_info) != STT_SECTION &&
	       !(dynamic && GELF_ST_BIND(symbol->st_info) == STB_LOCAL);
}

static void take_answer(struct answer *answer, const GElf_Sym *symbol, bool hidden)
{
	bool local = GELF_ST_BIND(symbol->st_info) == STB_LOCAL;
	int *class = local ? &answer->locals : hidden ? &answer->others : &answer->defaults;
	bool better = local ? !answer->defaults && !answer->others : !hidden || !answer->defaults;

	(*class)++;
	if (*class > 1 && answer->value != symbol->st_value) {
		answer->ambiguous_locals |= local;
		answer->ambiguous_others |= !local && hidden;
	}
	if (!better || *class > 1)
		return;
	answer->value = symbol->st_value;
	answer->size = symbol->st_size;
	answer->info = symbol->st_info;
}

/*
 * Where answers begin in .dynsym. ld of binutils 2.47 may leave _end before the first symbol that
 * .gnu.hash knows, among the undefined ones; neither the loader nor a lookup finds it there.
 */
static size_t first_answer(const struct elf_symtab *table)
{
	return table->kind == ELF_DYNSYM && table->hash.buckets_count ? table->hash.first : 0;
}

/* What symbol.h promises, worked out naively from libelf's view of one table. */
static struct answer answer_of(Elf *elf, Elf_Data *symbols, size_t strings, size_t first,
			       size_t count, Elf_Data *versions, bool dynamic, const char *name)
{
	struct answer answer = { 0 };
	size_t i, length = strlen(name);
	GElf_Versym version;
	const char *text;
	GElf_Sym symbol;
	bool hidden;

	for (i = first; i < count; i++) {
		gelf_getsym(symbols, (int)i, &symbol);
		if (!is_answer(&symbol, dynamic))
			continue;
		text = elf_strptr(elf, strings, symbol.st_name);
		if (!text || strncmp(text, name, length) != 0)
			continue;
		hidden = false;
		if (versions && text[length] == '\0') {
			gelf_getversym(versions, (int)i, &version);
			hidden = version & 0x8000;
		} else if (!dynamic && text[length] == '@') {
			hidden = text[length + 1] != '@';
		} else if (text[length]) {
			continue;
		}
		take_answer(&answer, &symbol, hidden);
	}
	return answer;
}

static void compare_answer(const struct answer *theirs, const struct elf_symbol *ours,
			   const char *name)
{
	bool ambiguous = !theirs->defaults &&
			 (theirs->others ? theirs->ambiguous_others : theirs->ambiguous_locals);

	total.lookups++;
	if (ours->error != (ambiguous ? -ENOTUNIQ : 0))
		difference("error when looking up", name);
	else if (!ambiguous && (ours->value != theirs->value || ours->size != theirs->size ||
				ours->type != GELF_ST_TYPE(theirs->info) ||
				ours->binding != GELF_ST_BIND(theirs->info)))
		difference("looking up", name);
}

static size_t pick_names(Elf *elf, Elf_Data *symbols, size_t strings, size_t first, size_t count,
			 bool dynamic, const char *names[LOOKUPS])
{
	size_t i, step = count / LOOKUPS + 1, found = 0;
	GElf_Sym symbol;
	const char *name;

	for (i = count; i > first && found < LOOKUPS; i -= i < step ? i : step) {
		gelf_getsym(symbols, (int)(i - 1), &symbol);
		name = elf_strptr(elf, strings, symbol.st_name);
		if (is_answer(&symbol, dynamic) && name && *name &&
		    strlen(name) <= ELF_SYMBOL_NAME_MAX && !strchr(name, '@'))
			names[found++] = name;
	}
	return found;
}

static void check_lookups(const struct elf_image *image, struct comparison *comparison,
			  size_t count, Elf_Data *versions)
{
	const char *names[LOOKUPS];
	struct elf_symbol found[LOOKUPS];
	bool dynamic = comparison->table->kind == ELF_DYNSYM;
	struct answer answer;
	size_t i, picked, first = first_answer(comparison->table);

	picked = pick_names(comparison->elf, comparison->symbols, comparison->strings, first, count,
			    dynamic, names);
	if (picked == 0)
		return;
	if (elf_symbols_find(image, names, picked, found) < 0) {
		difference("elf_symbols_find", "");
		return;
	}
	for (i = 0; i < picked; i++) {
		if (found[i].error == 0 && found[i].origin != comparison->table->kind)
			continue; /* .dynsym had it: compared there */
		answer = answer_of(comparison->elf, comparison->symbols, comparison->strings, first,
				   count, versions, dynamic, names[i]);
		compare_answer(&answer, &found[i], names[i]);
		total.local_lookups += found[i].binding == STB_LOCAL;
	}
}

/* --- one table --------------------------------------------------------- */

static Elf_Data *find_data(Elf *elf, GElf_Word type, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		if (gelf_getshdr(section, header) && header->sh_type == type)
			return elf_getdata(section, NULL);
	}
	return NULL;
}

static void check_table(const struct elf_image *image, Elf *elf, enum elf_symtab_kind kind)
{
	GElf_Shdr header, unused;
	Elf_Data *symbols = find_data(elf, kind == ELF_DYNSYM ? SHT_DYNSYM : SHT_SYMTAB, &header);
	Elf_Data *versions = find_data(elf, SHT_GNU_versym, &unused);
	struct elf_symtab table;
	struct comparison comparison = { .table = &table, .elf = elf, .symbols = symbols };
	int ret = elf_symtab_open(image, kind, &table);
	size_t count;

	if (!symbols || !symbols->d_buf) {
		if (ret != -ENOENT)
			difference("a table that libelf does not have", "");
		return;
	}
	if (ret) {
		difference("a table that libelf has:", strerror(-ret));
		return;
	}
	count = symbols->d_size / sizeof(Elf64_Sym);
	comparison.strings = header.sh_link;
	elf_symtab_walk(&table, compare_entry, &comparison);
	for (size_t i = table.count; i < count; i++) {
		GElf_Sym theirs;

		if (gelf_getsym(symbols, (int)i, &theirs) && theirs.st_shndx != SHN_UNDEF)
			difference("a defined symbol is missing", "");
	}
	check_lookups(image, &comparison, count, kind == ELF_DYNSYM ? versions : NULL);
	if (kind == ELF_DYNSYM)
		check_stripped(image, &comparison, count);
}

/* --- dynamic section, interpreter, build-id ---------------------------- */

static void compare_string(const char *what, const char *ours, int ret, const char *theirs)
{
	if ((ret >= 0) != (theirs != NULL) || (theirs && strcmp(ours, theirs) != 0))
		difference(what, theirs ? theirs : "(none)");
}

static void check_dynamic(const struct elf_image *image, Elf *elf)
{
	static char text[NAME_SIZE];
	struct elf_dynamic dynamic;
	GElf_Shdr header;
	Elf_Data *entries = find_data(elf, SHT_DYNAMIC, &header);
	const char *soname = NULL, *name;
	size_t needed = 0, i;
	GElf_Dyn entry;
	int ret = elf_dynamic_read(image, &dynamic);

	if (!entries || !entries->d_buf) {
		if (ret != -ENOENT)
			difference("a dynamic section that libelf does not have", "");
		return;
	}
	if (ret) {
		if (elf_image_find_segment(image, PT_DYNAMIC))
			difference("dynamic section:", strerror(-ret));
		return;
	}
	for (i = 0; gelf_getdyn(entries, (int)i, &entry) && entry.d_tag != DT_NULL; i++) {
		name = elf_strptr(elf, header.sh_link, entry.d_un.d_val);
		if (entry.d_tag == DT_SONAME)
			soname = name;
		if (entry.d_tag != DT_NEEDED)
			continue;
		ret = -ENOENT;
		if (needed < dynamic.needed_count)
			ret = elf_dynamic_string(image, &dynamic, dynamic.needed[needed], text,
						 sizeof(text));
		compare_string("needed", text, ret, name);
		needed++;
	}
	if (needed != dynamic.needed_count)
		difference("number of needed libraries", "");
	compare_string("soname", text,
		       elf_dynamic_string(image, &dynamic, dynamic.soname, text, sizeof(text)),
		       soname);
	total.needed += needed;
	total.sonames += soname != NULL;
}

static void check_interpreter(const struct elf_image *image, Elf *elf)
{
	static char text[NAME_SIZE];
	const char *theirs = NULL;
	Elf_Scn *section = NULL;
	size_t names = 0;
	GElf_Shdr header;
	const char *name;
	Elf_Data *data;

	elf_getshdrstrndx(elf, &names);
	while ((section = elf_nextscn(elf, section))) {
		gelf_getshdr(section, &header);
		name = elf_strptr(elf, names, header.sh_name);
		if (!name || strcmp(name, ".interp") != 0 || header.sh_type != SHT_PROGBITS)
			continue;
		data = elf_getdata(section, NULL);
		theirs = data ? data->d_buf : NULL;
	}
	compare_string("interpreter", text, elf_interpreter(image, text, sizeof(text)), theirs);
	total.interpreters += theirs != NULL;
}

/* libelf's own walk over notes; the first build-id in section order. */
static void check_build_id(const struct elf_image *image, Elf *elf)
{
	struct elf_build_id id;
	const uint8_t *theirs = NULL;
	size_t size = 0, at, name, content;
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	GElf_Nhdr note;
	Elf_Data *data;

	while (!theirs && (section = elf_nextscn(elf, section))) {
		gelf_getshdr(section, &header);
		if (header.sh_type != SHT_NOTE || !(data = elf_getdata(section, NULL)))
			continue;
		for (at = 0; (at = gelf_getnote(data, at, &note, &name, &content)) > 0;) {
			if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
			    memcmp((char *)data->d_buf + name, "GNU", 4) != 0)
				continue;
			theirs = (uint8_t *)data->d_buf + content;
			size = note.n_descsz;
			break;
		}
	}
	if (elf_build_id_read(image, &id))
		id.size = 0;
	if (id.size != size || (size && memcmp(id.bytes, theirs, size) != 0))
		difference("build-id", "");
	total.build_ids += size != 0;
}

/* --- the walk ---------------------------------------------------------- */

static void check_file(int fd)
{
	struct elf_image image;
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	const char *ident = elf ? elf_getident(elf, NULL) : NULL;
	int ret = elf_image_open(&image, fd);

	if (!ident || ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB) {
		total.refused++;
		if (ret != -ENOTSUP)
			difference("expected ENOTSUP, got", strerror(-ret));
	} else if (ret) {
		difference("cannot be opened:", strerror(-ret));
	} else {
		total.files++;
		check_table(&image, elf, ELF_DYNSYM);
		check_table(&image, elf, ELF_SYMTAB);
		check_dynamic(&image, elf);
		check_interpreter(&image, elf);
		check_build_id(&image, elf);
	}
	if (!ret)
		elf_image_close(&image);
	elf_end(elf);
}

static int visit_path(const char *path, const struct stat *status, int type, struct FTW *where)
{
	char magic[SELFMAG];
	int fd;

	(void)where;
	if (type != FTW_F || !S_ISREG(status->st_mode) || status->st_size < EI_NIDENT)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	if (pread(fd, magic, sizeof(magic), 0) == SELFMAG && memcmp(magic, ELFMAG, SELFMAG) == 0) {
		current = path;
		check_file(fd);
	}
	close(fd);
	return 0;
}

START_TEST(all_files_of_the_system)
{
	static const char *const roots[] = { "/usr/bin", "/usr/sbin", "/usr/lib" };
	size_t i;

	ck_assert_uint_ne(elf_version(EV_CURRENT), EV_NONE);
	for (i = 0; i < ARRAY_SIZE(roots); i++)
		ck_assert_int_eq(nftw(roots[i], visit_path, 64, FTW_PHYS), 0);
	printf("# %lu files (and %lu refused: 32-bit), %lu defined symbols, of .dynsym %lu again "
	       "without section headers, %lu lookups by name (%lu of local symbols), %lu needed, "
	       "%lu sonames, %lu interpreters, %lu build-ids: %lu differences\n",
	       total.files, total.refused, total.symbols, total.stripped_symbols, total.lookups,
	       total.local_lookups, total.needed, total.sonames, total.interpreters,
	       total.build_ids, total.differences);
	ck_assert_uint_eq(total.differences, 0);
	/* A Debian that can build this has more than that. */
	ck_assert_uint_gt(total.files, 300);
	ck_assert_uint_gt(total.symbols, 50000);
	ck_assert_uint_gt(total.lookups, 5000);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { all_files_of_the_system };

	return suite_run("elf against libelf", tests, ARRAY_SIZE(tests), 240, NULL, NULL);
}
