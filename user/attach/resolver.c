// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking for a library by its name, as the dynamic loader does: see resolver.h
 * and ld.so(8).
 */
#include "user/attach/resolver.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf/dynamic.h"
#include "lib/cleanup.h"
#include "lib/file.h"

#define PARENT_DEPTH_MAX 64
#define SEARCH_LIST_MAX	 4096 /* bytes of an RPATH */

/* Builds for newer CPUs, preferred by the loader: ld.so(8), "glibc-hwcaps". "": the directory. */
static const char *const hwcaps[] = {
	"glibc-hwcaps/x86-64-v4/",
	"glibc-hwcaps/x86-64-v3/",
	"glibc-hwcaps/x86-64-v2/",
	"",
};

const char *resolver_environment(const struct resolver *resolver, const char *name)
{
	size_t length = strlen(name);
	char *const *entry;

	for (entry = resolver->request->envp; *entry; entry++) {
		if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
			return *entry + length + 1;
	}
	return "";
}

/* --- the set ----------------------------------------------------------- */

static bool contains(const struct library_set *set, const struct stat *status)
{
	size_t i;

	for (i = 0; i < set->count; i++) {
		if (set->items[i].status.st_dev == status->st_dev &&
		    set->items[i].status.st_ino == status->st_ino)
			return true;
	}
	return false;
}

/* Reads one string of the dynamic section into new memory; NULL if there is none. */
static char *dynamic_string(const struct elf_image *image, const struct elf_dynamic *dynamic,
			    uint64_t offset)
{
	char text[SEARCH_LIST_MAX];

	if (elf_dynamic_string(image, dynamic, offset, text, sizeof(text)) <= 0)
		return NULL;
	return strdup(text);
}

static void read_paths(struct library *item, const struct elf_image *image)
{
	struct elf_dynamic dynamic;

	if (elf_dynamic_read(image, &dynamic))
		return;
	item->rpath = dynamic_string(image, &dynamic, dynamic.rpath);
	item->runpath = dynamic_string(image, &dynamic, dynamic.runpath);
}

int resolver_open(const struct resolver *resolver, const char *path, struct foreign_file *file)
{
	const struct account *reader = resolver->request->reader;

	file->origin = -1;
	file->fd = file_open_regular(path, &file->status);
	if (file->fd >= 0 || !foreign_may_help(reader, file->fd))
		return file->fd < 0 ? file->fd : 0;
	return foreign_open(reader, path, NULL, NULL, file);
}

int resolver_append(struct resolver *resolver, const char *path, struct foreign_file *file,
		    const struct elf_image *image, int error)
{
	struct library_set *set = resolver->set;
	struct library *item = &set->items[set->count];

	if (set->count == LIBRARY_MAX) {
		set->left_out++;
		return 0;
	}
	*item = (struct library){
		.path = strdup(path),
		.status = file->status,
		.reason = resolver->reason,
		.error = error,
		.name = resolver->name ? strdup(resolver->name) : NULL,
		.parent = resolver->parent,
	};
	item->fd = TAKE_FD(file->fd);
	item->origin = TAKE_FD(file->origin);
	set->count++;
	if (!item->path || (resolver->name && !item->name))
		return -ENOMEM;
	if (image)
		read_paths(item, image);
	return 0;
}

static int add_library(struct resolver *resolver, const char *path, struct foreign_file *file)
{
	struct elf_image image;
	int ret = 0;

	if (contains(resolver->set, &file->status)) {
		resolver->found = true;
		return 0;
	}
	if (elf_image_open(&image, file->fd))
		return 0;
	if (image.machine == resolver->machine) {
		resolver->found = true;
		ret = resolver_append(resolver, path, file, &image, 0);
	}
	elf_image_close(&image);
	return ret;
}

int resolver_add(struct resolver *resolver, const char *path)
{
	struct foreign_file file;
	int ret = resolver_open(resolver, path, &file);

	if (ret)
		return ret == -ENOMEM ? ret : 0;
	ret = add_library(resolver, path, &file);
	foreign_release(&file);
	return ret;
}

/* --- looking for a library --------------------------------------------- */

static int try_directory(void *data, const char *directory)
{
	struct resolver *resolver = data;
	char path[PATH_MAX];
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(hwcaps); i++) {
		if (snprintf(path, sizeof(path), "%s/%s%s", directory, hwcaps[i], resolver->name) >=
		    (int)sizeof(path))
			continue;
		ret = resolver_add(resolver, path);
		if (ret)
			return ret;
	}
	return resolver->found;
}

static int try_cached(void *data, const struct ldcache_entry *entry)
{
	return resolver_add(data, entry->path);
}

/* The directories in the DT_RPATH or DT_RUNPATH (@list) of a file. */
static int search_list_of(struct resolver *resolver, const struct library *item, const char *list,
			  search_visit visit)
{
	return list ? search_list(list, item->path, visit, resolver) : 0;
}

/* DT_RPATH counts for what is needed further down too, unless a file has DT_RUNPATH. */
static int search_rpaths(struct resolver *resolver, search_visit visit)
{
	const struct library *item = &resolver->set->items[resolver->parent], *parent;
	int depth, ret;

	for (depth = 0; depth < PARENT_DEPTH_MAX; depth++, item = parent) {
		if (!item->runpath) {
			ret = search_list_of(resolver, item, item->rpath, visit);
			if (ret)
				return ret;
		}
		parent = &resolver->set->items[item->parent];
		if (parent == item)
			return 0;
	}
	return 0;
}

/* LD_LIBRARY_PATH, whose $ORIGIN is that of the program. */
static int search_environment(struct resolver *resolver, search_visit visit)
{
	const char *list = resolver_environment(resolver, "LD_LIBRARY_PATH");

	if (!*list)
		return 0;
	return search_list(list, resolver->set->items[resolver->program].path, visit, resolver);
}

/* The order of ld.so(8). */
int resolver_search_own(struct resolver *resolver, search_visit visit)
{
	const struct library *parent = &resolver->set->items[resolver->parent];
	int ret = search_rpaths(resolver, visit);

	if (!ret)
		ret = search_environment(resolver, visit);
	if (!ret)
		ret = search_list_of(resolver, parent, parent->runpath, visit);
	return ret;
}

static int try_path(void *data, const char *path)
{
	struct resolver *resolver = data;
	int ret = resolver_add(resolver, path);

	return ret ? ret : resolver->found;
}

/* A path, which may have $ORIGIN in it as well: so Python's relocatable builds name libpython. */
static int search_path(struct resolver *resolver)
{
	if (!strchr(resolver->name, '$'))
		return resolver_add(resolver, resolver->name);
	return search_list(resolver->name, resolver->set->items[resolver->parent].path, try_path,
			   resolver);
}

/* Returns 1 when found, 0 when not, negative errno. */
static int search_library(struct resolver *resolver)
{
	int ret;

	if (strchr(resolver->name, '/'))
		return search_path(resolver);
	ret = resolver_search_own(resolver, try_directory);
	if (!ret && !resolver->musl)
		ret = ldcache_find(&resolver->cache, resolver->name, resolver->machine, try_cached,
				   resolver);
	if (ret || resolver->found)
		return ret;
	return search_default(resolver->machine, resolver->musl, try_directory, resolver);
}

static bool is_known(const struct library_set *set, const char *name)
{
	size_t i;

	for (i = 0; i < set->count; i++) {
		if (set->items[i].name && strcmp(set->items[i].name, name) == 0)
			return true;
	}
	return false;
}

int resolver_want(struct resolver *resolver, const char *name, size_t parent,
		  enum library_reason reason)
{
	int ret;

	if (is_known(resolver->set, name))
		return 0;
	resolver->name = name;
	resolver->parent = parent;
	resolver->reason = reason;
	resolver->found = false;
	ret = search_library(resolver);
	resolver->name = NULL;
	return ret < 0 ? ret : 0;
}

int resolver_add_needed(struct resolver *resolver, size_t index)
{
	struct elf_dynamic dynamic;
	struct elf_image image;
	char name[NAME_MAX + 1];
	size_t i;
	int ret = 0;

	if (resolver->set->items[index].error ||
	    elf_image_open(&image, resolver->set->items[index].fd))
		return 0;
	if (elf_dynamic_read(&image, &dynamic) == 0) {
		for (i = 0; i < dynamic.needed_count && !ret; i++) {
			if (elf_dynamic_string(&image, &dynamic, dynamic.needed[i], name,
					       sizeof(name)) > 0)
				ret = resolver_want(resolver, name, index, LIBRARY_NEEDED);
		}
	}
	elf_image_close(&image);
	return ret;
}
