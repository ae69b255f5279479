// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files that a program will load: see library.h.
 *
 * The set is also the queue: the program's own files go in first, then each
 * file's needed libraries are looked for and appended, breadth first as the
 * loader does. The first file found for a soname answers for it from then on.
 * Discovered libraries come last, so that they cannot answer for a soname that
 * the program finds elsewhere.
 */
#include "user/attach/library.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf/dynamic.h"
#include "user/attach/ldcache.h"
#include "user/attach/regular.h"
#include "user/attach/script.h"
#include "user/attach/search.h"
#include "user/lib/cleanup.h"
#include "user/workload/command.h"

#define SCRIPT_DEPTH_MAX  4
#define PARENT_DEPTH_MAX  64
#define DIRECTORY_ENTRIES 65536
#define SEARCH_LIST_MAX	  4096 /* bytes of an RPATH */
#define LISTED_MAX	  32   /* directories remembered as listed */

/* Builds for newer CPUs, preferred by the loader: ld.so(8), "glibc-hwcaps". "": the directory. */
static const char *const hwcaps[] = {
	"glibc-hwcaps/x86-64-v4/",
	"glibc-hwcaps/x86-64-v3/",
	"glibc-hwcaps/x86-64-v2/",
	"",
};

struct resolver {
	const struct library_request *request;
	struct library_set *set;
	struct ldcache cache;
	uint16_t machine; /* of the program; 0: not known yet */
	bool musl;
	size_t program; /* index of the last executable: whose RPATH counts for dlopen(3) */
	/* What is being looked for: */
	const char *name;
	size_t parent;
	enum library_reason reason;
	bool found;
	/* Directories that were listed already: /lib is usually /usr/lib. */
	struct {
		dev_t dev;
		ino_t ino;
	} listed[LISTED_MAX];
	size_t listed_count;
};

static const char *environment(const struct library_request *request, const char *name)
{
	size_t length = strlen(name);
	char *const *entry;

	for (entry = request->envp; *entry; entry++) {
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
		if (set->items[i].dev == status->st_dev && set->items[i].ino == status->st_ino)
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

/* Takes over @fd in any case; @image is NULL if it could not be opened, for @error. */
static int append(struct resolver *resolver, const char *path, int fd, const struct stat *status,
		  const struct elf_image *image, int error)
{
	struct library_set *set = resolver->set;
	struct library *item = &set->items[set->count];
	CLEANUP_FD int owned = fd;

	if (set->count == LIBRARY_MAX) {
		set->left_out++;
		return 0;
	}
	*item = (struct library){
		.path = strdup(path),
		.fd = -1,
		.dev = status->st_dev,
		.ino = status->st_ino,
		.reason = resolver->reason,
		.error = error,
		.name = resolver->name ? strdup(resolver->name) : NULL,
		.parent = resolver->parent,
	};
	set->count++;
	if (!item->path || (resolver->name && !item->name))
		return -ENOMEM;
	item->fd = TAKE_FD(owned);
	if (image)
		read_paths(item, image);
	return 0;
}

/* A file of another machine is passed over, as the loader does; lib32 may come before lib64. */
static int add_library(struct resolver *resolver, const char *path)
{
	struct elf_image image;
	struct stat status;
	CLEANUP_FD int fd = regular_open(path, &status);
	int ret = 0;

	if (fd < 0)
		return fd == -ENOMEM ? fd : 0;
	if (contains(resolver->set, &status)) {
		resolver->found = true;
		return 0;
	}
	if (elf_image_open(&image, fd))
		return 0;
	if (image.machine == resolver->machine) {
		resolver->found = true;
		ret = append(resolver, path, TAKE_FD(fd), &status, &image, 0);
	}
	elf_image_close(&image);
	return ret;
}

/* --- executables ------------------------------------------------------- */

static int add_program(struct resolver *resolver, const char *path, int fd,
		       const struct stat *status)
{
	char loader[PATH_MAX];
	struct elf_image image;
	int ret, error = elf_image_open(&image, fd);

	*resolver = (struct resolver){ .request = resolver->request,
				       .set = resolver->set,
				       .cache = resolver->cache,
				       .program = resolver->set->count,
				       .parent = resolver->set->count,
				       .reason = LIBRARY_EXECUTABLE };
	ret = append(resolver, path, fd, status, error ? NULL : &image, error);
	if (error)
		return ret;
	resolver->machine = image.machine;
	if (!ret && elf_interpreter(&image, loader, sizeof(loader)) >= 0) {
		resolver->musl = strstr(loader, "/ld-musl-") != NULL;
		resolver->reason = LIBRARY_LOADER;
		resolver->name = strrchr(loader, '/') ? strrchr(loader, '/') + 1 : loader;
		ret = add_library(resolver, loader);
		resolver->name = NULL;
	}
	elf_image_close(&image);
	return ret;
}

static int add_executable(struct resolver *resolver, const char *path, int depth);

/* env(1) itself, and then what it will start. */
static int add_interpreters(struct resolver *resolver, const struct script *script, int depth)
{
	char name[SCRIPT_LINE_MAX], path[PATH_MAX];
	int ret = add_executable(resolver, script->interpreter, depth + 1);

	if (ret || script_env_command(script, name) ||
	    command_find(name, resolver->request->envp, path))
		return ret;
	return add_executable(resolver, path, depth + 1);
}

/* What is neither ELF nor has a "#!" line is run by the shell, as execvp(3) does. */
static int add_executable(struct resolver *resolver, const char *path, int depth)
{
	static const struct script shell = { .interpreter = "/bin/sh" };
	char magic[SELFMAG];
	struct script script;
	struct stat status;
	CLEANUP_FD int fd = regular_open(path, &status);
	int ret;

	if (fd < 0)
		return depth ? 0 : fd; /* an interpreter that is missing is found out by execve */
	if (pread(fd, magic, sizeof(magic), 0) == SELFMAG && !memcmp(magic, ELFMAG, SELFMAG))
		return add_program(resolver, path, TAKE_FD(fd), &status);
	if (depth == SCRIPT_DEPTH_MAX)
		return 0;
	ret = script_read(fd, &script);
	if (ret && ret != -ENOEXEC)
		return ret;
	return add_interpreters(resolver, ret ? &shell : &script, depth);
}

/* --- looking for a library by name ------------------------------------- */

static int try_directory(void *data, const char *directory)
{
	struct resolver *resolver = data;
	char path[PATH_MAX];
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(hwcaps); i++) {
		if (snprintf(path, sizeof(path), "%s/%s%s", directory, hwcaps[i],
			     resolver->name) >= (int)sizeof(path))
			continue;
		ret = add_library(resolver, path);
		if (ret)
			return ret;
	}
	return resolver->found;
}

static int try_cached(void *data, const struct ldcache_entry *entry)
{
	return add_library(data, entry->path);
}

/* The directories in the DT_RPATH or DT_RUNPATH (@list) of a file. */
static int search_own(struct resolver *resolver, const struct library *item, const char *list,
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
			ret = search_own(resolver, item, item->rpath, visit);
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
	const char *list = environment(resolver->request, "LD_LIBRARY_PATH");

	if (!*list)
		return 0;
	return search_list(list, resolver->set->items[resolver->program].path, visit, resolver);
}

/* The order of ld.so(8). Returns 1 when found, 0 when not, negative errno. */
static int search_library(struct resolver *resolver)
{
	const struct library *parent = &resolver->set->items[resolver->parent];
	int ret;

	if (strchr(resolver->name, '/'))
		return add_library(resolver, resolver->name);
	ret = search_rpaths(resolver, try_directory);
	if (!ret)
		ret = search_environment(resolver, try_directory);
	if (!ret)
		ret = search_own(resolver, parent, parent->runpath, try_directory);
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
		if (set->items[i].name && !strcmp(set->items[i].name, name))
			return true;
	}
	return false;
}

static int want(struct resolver *resolver, const char *name, size_t parent,
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

static int add_needed(struct resolver *resolver, size_t index)
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
				ret = want(resolver, name, index, LIBRARY_NEEDED);
		}
	}
	elf_image_close(&image);
	return ret;
}

/* Names separated by blanks or colons. */
static int add_preloaded(struct resolver *resolver)
{
	const char *list = environment(resolver->request, "LD_PRELOAD");
	char name[PATH_MAX];
	size_t length;
	int ret = 0;

	for (; *list && !ret; list += length) {
		list += strspn(list, " \t\n:");
		length = strcspn(list, " \t\n:");
		if (length == 0 || length >= sizeof(name))
			continue;
		memcpy(name, list, length);
		name[length] = '\0';
		ret = want(resolver, name, resolver->program, LIBRARY_PRELOADED);
	}
	return ret;
}

/* --- libraries that may be loaded later -------------------------------- */

static bool is_wanted(const struct library_request *request, const char *name)
{
	size_t i;

	for (i = 0; i < request->prefix_count; i++) {
		if (!strncmp(name, request->prefixes[i], strlen(request->prefixes[i])))
			return true;
	}
	return false;
}

static int discover_file(struct resolver *resolver, const char *path, const char *name)
{
	int ret;

	resolver->name = name;
	ret = add_library(resolver, path);
	resolver->name = NULL;
	return ret;
}

static int discover_cached(void *data, const struct ldcache_entry *entry)
{
	return discover_file(data, entry->path, entry->soname);
}

/* Whether the directory was listed before; remembers it. */
static bool was_listed(struct resolver *resolver, int directory)
{
	struct stat status;
	size_t i;

	if (fstat(directory, &status))
		return false;
	for (i = 0; i < resolver->listed_count; i++) {
		if (resolver->listed[i].dev == status.st_dev &&
		    resolver->listed[i].ino == status.st_ino)
			return true;
	}
	if (i < LISTED_MAX) {
		resolver->listed[i].dev = status.st_dev;
		resolver->listed[i].ino = status.st_ino;
		resolver->listed_count++;
	}
	return false;
}

static int discover_directory(void *data, const char *directory)
{
	struct resolver *resolver = data;
	DIR *stream = opendir(directory);
	char path[PATH_MAX];
	struct dirent *entry;
	int count, ret = 0;

	if (!stream)
		return 0;
	if (was_listed(resolver, dirfd(stream))) {
		closedir(stream);
		return 0;
	}
	for (count = 0; count < DIRECTORY_ENTRIES && !ret && (entry = readdir(stream)); count++) {
		if (is_wanted(resolver->request, entry->d_name) &&
		    snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) <
			    (int)sizeof(path))
			ret = discover_file(resolver, path, entry->d_name);
	}
	closedir(stream);
	return ret;
}

/*
 * Everywhere that a dlopen("libssl.so.3") in the program would look, and ../lib
 * of the program: what conda, pyenv and /opt packages use.
 */
static int discover(struct resolver *resolver)
{
	const struct library *program = &resolver->set->items[resolver->program];
	size_t i;
	int ret;

	resolver->parent = resolver->program;
	resolver->reason = LIBRARY_DISCOVERED;
	ret = search_rpaths(resolver, discover_directory);
	if (!ret)
		ret = search_environment(resolver, discover_directory);
	if (!ret)
		ret = search_own(resolver, program, program->runpath, discover_directory);
	if (!ret)
		ret = search_list("$ORIGIN/../lib", program->path, discover_directory, resolver);
	for (i = 0; i < resolver->request->prefix_count && !ret; i++)
		ret = ldcache_find_prefix(&resolver->cache, resolver->request->prefixes[i],
					  resolver->machine, discover_cached, resolver);
	return ret ? ret :
		     search_default(resolver->machine, resolver->musl, discover_directory, resolver);
}

/* --- all of it --------------------------------------------------------- */

static int resolve(struct resolver *resolver)
{
	size_t next = 0;
	int ret;

	if (resolver->machine == 0) /* the program is not for us to read: its item says why */
		return 0;
	ret = add_preloaded(resolver);
	while (!ret && next < resolver->set->count)
		ret = add_needed(resolver, next++);
	if (!ret)
		ret = discover(resolver);
	while (!ret && next < resolver->set->count)
		ret = add_needed(resolver, next++);
	return ret;
}

int library_resolve(const struct library_request *request, struct library_set *set,
		    struct error *err)
{
	struct resolver resolver = { .request = request, .set = set };
	int ret;

	*set = (struct library_set){ .items = calloc(LIBRARY_MAX, sizeof(*set->items)) };
	if (!set->items)
		return error_set(err, -ENOMEM, "out of memory while resolving the libraries of %s",
				 request->path);
	/* Without a cache the loader searches its directories, and so do we. */
	ldcache_open(&resolver.cache, request->cache ? request->cache : LDCACHE_PATH);
	ret = add_executable(&resolver, request->path, 0);
	if (!ret)
		ret = resolve(&resolver);
	ldcache_close(&resolver.cache);
	if (!ret)
		return 0;
	library_set_release(set);
	return error_set(err, ret, "cannot read %s to see which libraries it loads: %s; check that "
			 "it is a readable regular file", request->path, strerror(-ret));
}

void library_set_release(struct library_set *set)
{
	size_t i;

	for (i = 0; i < set->count; i++) {
		free(set->items[i].path);
		free(set->items[i].name);
		free(set->items[i].rpath);
		free(set->items[i].runpath);
		cleanup_fd(&set->items[i].fd);
	}
	free(set->items);
	*set = (struct library_set){ 0 };
}
