// SPDX-License-Identifier: GPL-2.0-only
/* The files that a program, library or script would load: see explain.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf/image.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "user/attach/library.h"
#include "user/attach/script.h"
#include "user/explain/explain.h"
#include "user/workload/command.h"

#define HEAD_BYTES 256 /* looked at to tell a text from other data */

/* --- opening ----------------------------------------------------------- */

/* What root may not read, the user who called sudo(8) may. */
static int open_as(const struct explain *explain, const char *path, struct foreign_file *file)
{
	file->origin = -1;
	file->fd = file_open_regular(path, &file->status);
	if (file->fd >= 0 || !foreign_may_help(&explain->reader, file->fd))
		return file->fd < 0 ? file->fd : 0;
	return foreign_open(&explain->reader, path, NULL, NULL, file);
}

/* A name without slash that is no file here is one of PATH, as for a shell. */
static int open_program(const char *path, char *const *envp, struct explain *explain,
			struct foreign_file *file)
{
	int ret = open_as(explain, path, file);

	if (strlen(path) >= sizeof(explain->path))
		return -ENAMETOOLONG;
	snprintf(explain->path, sizeof(explain->path), "%s", path);
	if (ret != -ENOENT || strchr(path, '/') || command_find(path, envp, explain->path))
		return ret;
	return open_as(explain, explain->path, file);
}

static int cannot_open(const char *path, int code, struct error *err)
{
	if (access("/proc/self/fd", F_OK)) /* file_open_regular() needs it */
		return error_set(err, code, "cannot open %.200s: /proc is missing; mount it", path);
	if (code == -EACCES && !geteuid())
		return error_set(err, code,
				 "cannot read %.200s: not even root may (FUSE, NFS); run kloak "
				 "explain as the user who may",
				 path);
	if (code == -ETIMEDOUT)
		return error_set(err, code,
				 "cannot read %.200s: its file system does not answer; see whether "
				 "its server runs",
				 path);
	if (code == -EACCES)
		return error_set(err, code, "cannot read %.200s: permission denied; use sudo",
				 path);
	if (code == -EINVAL)
		return error_config(
			err, code,
			"%.200s is no regular file; name a program, a library, a script or "
			"the number of a process",
			path);
	return error_config(err, code,
			    "cannot open %.200s: %s; name a program, a library, a script or the "
			    "number of a process",
			    path, strerror(-code));
}

/* --- what it is -------------------------------------------------------- */

enum kind { KIND_ELF, KIND_SCRIPT, KIND_OTHER };

/* As shells do: a text file that may be executed is a script even without "#!". */
static bool is_text(const uint8_t *head, ssize_t size)
{
	return size > 0 && !memchr(head, 0, (size_t)size);
}

static enum kind kind_of(int fd, const struct stat *status)
{
	uint8_t head[HEAD_BYTES];
	struct script script;
	ssize_t size = pread(fd, head, sizeof(head), 0);

	if (size >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
		return KIND_ELF;
	if (!script_read(fd, &script))
		return KIND_SCRIPT;
	return status->st_mode & 0111 && is_text(head, size) ? KIND_SCRIPT : KIND_OTHER;
}

/* Whether there is anything to resolve for the file that was just added. */
static bool loads_libraries(const struct explain_file *file)
{
	return !file->error && file->machine == EM_X86_64 &&
	       (file->type == ET_EXEC || file->type == ET_DYN);
}

/* --- all that it loads --------------------------------------------------- */

static enum explain_role role_of(const struct library_set *set, size_t index)
{
	if (set->items[index].reason == LIBRARY_EXECUTABLE)
		return EXPLAIN_PROGRAM;
	return library_is_for_later(set, index) ? EXPLAIN_LATER : EXPLAIN_LOADED;
}

/* By the executable itself, not by a library that it uses for something else. */
static bool is_needed_directly(const struct library_set *set, const struct library *library)
{
	return library->reason != LIBRARY_NEEDED ||
	       set->items[library->parent].reason == LIBRARY_EXECUTABLE;
}

/*
 * A call of dlopen(3) says something of the program itself, and of a library that it
 * consists of; not of what a library does for itself, such as libselinux.
 */
static bool is_part_of_program(const struct library *library)
{
	static const char *const interpreters[] = {
		"libpython", "libperl", "libruby",  "libnode",	"libphp",     "liblua",
		"libR.so",   "libtcl",	"libguile", "libjulia", "libhostfxr", "libmono",
	};

	if (library->reason == LIBRARY_EXECUTABLE)
		return true;
	for (size_t i = 0; library->name && i < ARRAY_SIZE(interpreters); i++)
		if (strncmp(library->name, interpreters[i], strlen(interpreters[i])) == 0)
			return true;
	return false;
}

static int add_set(struct explain *explain, const struct library_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct library *library = &set->items[i];
		size_t before = explain->count;
		int ret = explain_add_file(explain, library->path, role_of(set, i), library->fd, 0);

		if (ret)
			return ret;
		if (explain->count == before)
			continue;
		explain->files[before].is_indirect = !is_needed_directly(set, library);
		if (!is_part_of_program(library))
			explain->files[before].loads_more = false;
	}
	explain->left_out += set->left_out;
	return 0;
}

static int resolve(struct explain *explain, char *const *envp, struct error *err)
{
	const char *sonames[HOOK_SONAMES_MAX];
	const struct library_request request = {
		.path = explain->path,
		.envp = envp,
		.prefixes = sonames,
		.reader = &explain->reader,
		.prefix_count = explain->is_brief ? 0 : hook_sonames(sonames),
	};
	struct library_set set;
	int ret = library_resolve(&request, &set, err);

	if (ret)
		return ret;
	ret = add_set(explain, &set);
	library_set_release(&set);
	return ret ? error_no_memory(err, "what is found") : 0;
}

/* A file that needs nothing else to be looked at, or is not for us, stands alone. */
static int explain_elf(struct explain *explain, int fd, char *const *envp, struct error *err)
{
	if (explain_add_file(explain, explain->path, EXPLAIN_PROGRAM, fd, 0))
		return error_no_memory(err, "what is found");
	if (!loads_libraries(&explain->files[0]))
		return 0;
	explain_forget_files(explain);
	return resolve(explain, envp, err);
}

static int explain_opened(struct explain *explain, const struct foreign_file *file,
			  char *const *envp, struct error *err)
{
	switch (kind_of(file->fd, &file->status)) {
	case KIND_ELF:
		return explain_elf(explain, file->fd, envp, err);
	case KIND_SCRIPT:
		explain->is_script = true;
		return resolve(explain, envp, err);
	case KIND_OTHER:
		break;
	}
	return 0;
}

static int look(const char *path, char *const *envp, struct explain *explain, struct error *err)
{
	struct foreign_file file = { .fd = -1, .origin = -1 };
	int ret = open_program(path, envp, explain, &file);

	if (ret)
		return cannot_open(path, ret, err);
	ret = explain_opened(explain, &file, envp, err);
	foreign_release(&file);
	if (ret)
		explain_release(explain);
	else
		explain_judge(explain);
	return ret;
}

int explain_program(const char *path, char *const *envp, struct explain *explain, struct error *err)
{
	memset(explain, 0, sizeof(*explain));
	if (!geteuid() && account_find(NULL, &explain->reader, NULL))
		explain->reader = (struct account){ 0 };
	return look(path, envp, explain, err);
}

int explain_outlook(const char *path, char *const *envp, const struct account *reader,
		    struct explain *explain, struct error *err)
{
	memset(explain, 0, sizeof(*explain));
	explain->reader = *reader;
	explain->is_brief = true;
	return look(path, envp, explain, err);
}
