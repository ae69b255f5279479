// SPDX-License-Identifier: GPL-2.0-only
/* What one ELF file is: see explain.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf/buildinfo.h"
#include "elf/dynamic.h"
#include "elf/image.h"
#include "elf/symbol.h"
#include "lib/cleanup.h"
#include "user/explain/explain.h"

bool explain_is_write(const struct hook_function *function)
{
	static const char *const words[] = { "_write", "_send", "cork", "_end" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(function->entry, words[i]))
			return true;
	return false;
}

/* --- what the loader is told --------------------------------------------- */

struct imports {
	const struct elf_symtab *table;
	struct explain_file *file;
};

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static int see_import(void *data, uint64_t index, const Elf64_Sym *entry)
{
	static const char *const loading[] = { "dlopen", "dlmopen" };
	static const char *const starting[] = {
		"execl",   "execle",   "execlp",      "execv",	      "execve", "execvp", "execvpe",
		"fexecve", "execveat", "posix_spawn", "posix_spawnp", "system", "popen",
	};
	const struct imports *imports = data;
	char name[16];

	(void)index;
	if (entry->st_shndx != SHN_UNDEF ||
	    elf_symtab_name(imports->table, entry, name, sizeof(name)) <= 0)
		return 0;
	imports->file->loads_more |= is_one_of(name, loading, ARRAY_SIZE(loading));
	imports->file->starts_others |= is_one_of(name, starting, ARRAY_SIZE(starting));
	return 0;
}

static void read_imports(struct explain_file *file, const struct elf_image *image)
{
	struct elf_symtab table;
	struct imports imports = { .table = &table, .file = file };

	if (!elf_symtab_open(image, ELF_DYNSYM, &table))
		elf_symtab_walk(&table, see_import, &imports);
	else
		file->starts_others = true;
}

static void read_dynamic(struct explain_file *file, const struct elf_image *image)
{
	struct elf_dynamic *dynamic = malloc(sizeof(*dynamic));
	char interpreter[PATH_MAX];

	if (dynamic && !elf_dynamic_read(image, dynamic)) {
		if (elf_dynamic_string(image, dynamic, dynamic->soname, file->soname,
				       sizeof(file->soname)) < 0)
			file->soname[0] = '\0';
		/* A static position-independent program has no interpreter either, but an entry. */
		file->is_library = image->type == ET_DYN &&
				   (file->soname[0] ||
				    (!image->entry &&
				     elf_interpreter(image, interpreter, sizeof(interpreter)) < 0));
	}
	free(dynamic);
}

/*
 * struct l_info of UPX's src/stub/src/include/linux.h: it follows the program headers;
 * its second word is the magic.
 */
static bool is_packed(const struct elf_image *image)
{
	const uint64_t size = image->segment_count * sizeof(Elf64_Phdr);
	Elf64_Ehdr header;
	char magic[4];

	return !image->section_count && !elf_image_read(image, 0, &header, sizeof(header)) &&
	       !elf_image_read(image, header.e_phoff + size + sizeof(uint32_t), magic,
			       sizeof(magic)) &&
	       memcmp(magic, "UPX!", sizeof(magic)) == 0;
}

/* --- what is known of it --------------------------------------------------- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_named(const struct explain_file *file, const struct reason_row *row)
{
	for (size_t i = 0; i < REASON_SONAMES && row->sonames[i]; i++) {
		size_t size = strlen(row->sonames[i]);

		if (strncmp(file->soname, row->sonames[i], size) == 0 ||
		    strncmp(base_name(file->path), row->sonames[i], size) == 0)
			return true;
	}
	return false;
}

static bool defines(const struct elf_image *image, const char *symbol)
{
	struct elf_symbol found;

	return symbol && !elf_symbol_find(image, symbol, &found);
}

/* What stands for a library that is named by a row before it. */
static bool is_only_the_rest(enum explain_reason reason, uint64_t found)
{
	return reason == EXPLAIN_CUSTOM && found & ~EXPLAIN_BIT(EXPLAIN_QUIC);
}

/* What is hooked needs no reason why it is not. */
static bool is_out_of_question(const struct explain_file *file, const struct reason_row *row)
{
	if (!file->plans || row->always)
		return false;
	for (size_t i = 0; row->hook && i < hook_count; i++)
		if (strcmp(hooks[i].name, row->hook) == 0)
			return file->plans->by_hook[i].count > 0;
	return true;
}

static void recognise(struct explain_file *file, const struct elf_image *image)
{
	for (unsigned int i = 0; i < EXPLAIN_REASONS; i++) {
		const struct reason_row *row = &explain_reasons[i];
		bool marked = row->marks && (file->marks.found & row->marks) == row->marks;

		if (is_out_of_question(file, row) || is_only_the_rest(i, file->reasons))
			continue;
		if (marked || is_named(file, row) || defines(image, row->symbol))
			file->reasons |= EXPLAIN_BIT(i);
	}
}

/* --- what would be probed ---------------------------------------------------- */

static void plan(struct explain_file *file, int fd)
{
	struct hook_plans *plans = malloc(sizeof(*plans));
	struct error err = { 0 };
	int ret = plans ? hook_plan_file(fd, file->path, plans, &err) : -ENOMEM;

	if (ret < 0) {
		snprintf(file->trouble, sizeof(file->trouble), "%.200s", err.text);
		free(plans);
		return;
	}
	file->passed_count = plans->passed_count;
	memcpy(file->passed, plans->passed, sizeof(file->passed));
	if (ret > 0)
		file->plans = plans;
	else
		free(plans);
}

static void note_class(struct explain_file *file, int fd)
{
	uint8_t identity[EI_NIDENT];

	file->is_32_bit = pread(fd, identity, sizeof(identity), 0) == EI_NIDENT &&
			  memcmp(identity, ELFMAG, SELFMAG) == 0 &&
			  identity[EI_CLASS] == ELFCLASS32;
}

static char *real_path(int fd)
{
	char link[32], path[PATH_MAX];
	ssize_t size;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = readlink(link, path, sizeof(path) - 1);
	return size < 0 ? NULL : strndup(path, (size_t)size);
}

/* "go1.24.4" is version 1.24.4; experiments may follow. */
static void read_go_version(struct explain_file *file, const struct elf_image *image)
{
	char *version = file->marks.version[MARK_GO];
	struct buildinfo info;

	if (!buildinfo_read(image, &info) && strncmp(info.version, "go", 2) == 0)
		snprintf(version, MARK_VERSION_MAX, "%.*s", MARK_VERSION_MAX - 1, info.version + 2);
}

void explain_examine(struct explain_file *file, int fd, bool brief)
{
	struct elf_image image;

	file->real = real_path(fd);
	note_class(file, fd);
	file->error = elf_image_open(&image, fd);
	if (file->error)
		return;
	file->machine = image.machine;
	file->type = image.type;
	if (elf_build_id_read(&image, &file->build_id))
		file->build_id.size = 0;
	read_dynamic(file, &image);
	read_imports(file, &image);
	if (is_packed(&image))
		file->reasons |= EXPLAIN_BIT(EXPLAIN_PACKED);
	plan(file, fd);
	if (!brief || file->role == EXPLAIN_PROGRAM)
		marks_find(&image, &file->marks);
	read_go_version(file, &image);
	recognise(file, &image);
	elf_image_close(&image);
}

/* --- the list of files --------------------------------------------------------- */

int explain_add_file(struct explain *explain, const char *path, enum explain_role role, int fd,
		     int error)
{
	struct explain_file *file, *grown;

	if (explain->count == EXPLAIN_FILES_MAX) {
		explain->left_out++;
		return 0;
	}
	grown = reallocarray(explain->files, explain->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	explain->files = grown;
	file = &grown[explain->count];
	memset(file, 0, sizeof(*file));
	file->path = strdup(path);
	if (!file->path)
		return -ENOMEM;
	file->role = role;
	file->error = error;
	explain->count++;
	if (fd >= 0)
		explain_examine(file, fd, explain->is_brief);
	return 0;
}

void explain_forget_files(struct explain *explain)
{
	for (size_t i = 0; i < explain->count; i++) {
		free(explain->files[i].path);
		free(explain->files[i].real);
		if (explain->files[i].plans)
			hook_plans_release(explain->files[i].plans);
		free(explain->files[i].plans);
	}
	explain->count = 0;
}

void explain_release(struct explain *explain)
{
	explain_forget_files(explain);
	free(explain->files);
	memset(explain, 0, sizeof(*explain));
}
