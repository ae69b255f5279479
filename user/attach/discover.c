// SPDX-License-Identifier: GPL-2.0-only
/*
 * Libraries that the program may load later with dlopen(3), by the beginning of
 * their soname: see library.h for why, resolver.h for the parts.
 */
#include "user/attach/resolver.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DIRECTORY_ENTRIES 65536

static bool is_wanted(const struct library_request *request, const char *name)
{
	size_t i;

	for (i = 0; i < request->prefix_count; i++) {
		if (strncmp(name, request->prefixes[i], strlen(request->prefixes[i])) == 0)
			return true;
	}
	return false;
}

static int discover_file(struct resolver *resolver, const char *path, const char *name)
{
	int ret;

	resolver->name = name;
	ret = resolver_add(resolver, path);
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
int resolver_discover(struct resolver *resolver)
{
	const struct library *program = &resolver->set->items[resolver->program];
	size_t i;
	int ret;

	resolver->parent = resolver->program;
	resolver->reason = LIBRARY_DISCOVERED;
	ret = resolver_search_own(resolver, discover_directory);
	if (!ret)
		ret = search_list("$ORIGIN/../lib", program->path, discover_directory, resolver);
	for (i = 0; i < resolver->request->prefix_count && !ret; i++)
		ret = ldcache_find_prefix(&resolver->cache, resolver->request->prefixes[i],
					  resolver->machine, discover_cached, resolver);
	return ret ? ret
		   : search_default(resolver->machine, resolver->musl, discover_directory,
				    resolver);
}
