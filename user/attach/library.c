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

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "elf/dynamic.h"
#include "lib/cleanup.h"
#include "user/attach/resolver.h"
#include "user/attach/script.h"
#include "user/workload/command.h"

#define SCRIPT_DEPTH_MAX 4

/* --- executables ------------------------------------------------------- */

static int add_program(struct resolver *resolver, const char *path, struct foreign_file *file)
{
	char loader[PATH_MAX], real[PATH_MAX];
	struct elf_image image;
	int ret, error = elf_image_open(&image, file->fd);

	*resolver = (struct resolver){ .request = resolver->request,
				       .set = resolver->set,
				       .cache = resolver->cache,
				       .program = resolver->set->count,
				       .parent = resolver->set->count,
				       .reason = LIBRARY_EXECUTABLE };
	/* $ORIGIN of a program is where its file is, not where a link to it is. */
	if (realpath(path, real))
		path = real;
	ret = resolver_append(resolver, path, file, error ? NULL : &image, error);
	if (error)
		return ret;
	resolver->machine = image.machine;
	if (!ret && elf_interpreter(&image, loader, sizeof(loader)) >= 0) {
		resolver->musl = strstr(loader, "/ld-musl-") != NULL;
		resolver->reason = LIBRARY_LOADER;
		resolver->name = strrchr(loader, '/') ? strrchr(loader, '/') + 1 : loader;
		ret = resolver_add(resolver, loader);
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
static int add_opened(struct resolver *resolver, const char *path, struct foreign_file *file,
		      int depth)
{
	static const struct script shell = { .interpreter = "/bin/sh" };
	char magic[SELFMAG];
	struct script script;
	int ret;

	if (pread(file->fd, magic, sizeof(magic), 0) == SELFMAG &&
	    memcmp(magic, ELFMAG, SELFMAG) == 0)
		return add_program(resolver, path, file);
	if (depth == SCRIPT_DEPTH_MAX)
		return 0;
	ret = script_read(file->fd, &script);
	if (ret && ret != -ENOEXEC)
		return ret;
	return add_interpreters(resolver, ret ? &shell : &script, depth);
}

static int add_executable(struct resolver *resolver, const char *path, int depth)
{
	struct foreign_file file;
	int ret = resolver_open(resolver, path, &file);

	if (ret)
		return depth ? 0 : ret; /* an interpreter that is missing is found out by execve */
	ret = add_opened(resolver, path, &file, depth);
	foreign_release(&file);
	return ret;
}

/* --- all of it --------------------------------------------------------- */

/* Names separated by blanks or colons. */
static int add_preloaded(struct resolver *resolver)
{
	const char *list = resolver_environment(resolver, "LD_PRELOAD");
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
		ret = resolver_want(resolver, name, resolver->program, LIBRARY_PRELOADED);
	}
	return ret;
}

static int resolve(struct resolver *resolver)
{
	size_t next = 0;
	int ret;

	if (resolver->machine == 0) /* the program is not for us to read: its item says why */
		return 0;
	ret = add_preloaded(resolver);
	while (!ret && next < resolver->set->count)
		ret = resolver_add_needed(resolver, next++);
	if (!ret)
		ret = resolver_discover(resolver);
	while (!ret && next < resolver->set->count)
		ret = resolver_add_needed(resolver, next++);
	return ret;
}

int library_resolve(const struct library_request *request, struct library_set *set,
		    struct error *err)
{
	struct resolver resolver = { .request = request, .set = set };
	int ret;

	*set = (struct library_set){ .items = calloc(LIBRARY_MAX, sizeof(*set->items)) };
	if (!set->items)
		return error_no_memory(err, "the list of libraries");
	/* Without a cache the loader searches its directories, and so do we. */
	ldcache_open(&resolver.cache, request->cache ? request->cache : LDCACHE_PATH);
	ret = add_executable(&resolver, request->path, 0);
	if (!ret)
		ret = resolve(&resolver);
	ldcache_close(&resolver.cache);
	if (!ret)
		return 0;
	library_set_release(set);
	return error_set(err, ret,
			 "cannot read %s to see which libraries it loads: %s; check that "
			 "it is a readable regular file",
			 request->path, strerror(-ret));
}

bool library_is_for_later(const struct library_set *set, size_t index)
{
	const struct library *library = &set->items[index];

	while (library->reason == LIBRARY_NEEDED && library->parent < index) {
		index = library->parent;
		library = &set->items[index];
	}
	return library->reason == LIBRARY_DISCOVERED;
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
		cleanup_fd(&set->items[i].origin);
	}
	free(set->items);
	*set = (struct library_set){ 0 };
}
