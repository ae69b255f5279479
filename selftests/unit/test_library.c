// SPDX-License-Identifier: GPL-2.0-only
/*
 * user/attach/library, script and search: what a program will load, compared
 * with what the dynamic loader says itself (LD_TRACE_LOADED_OBJECTS, which is
 * what ldd(1) uses), and with programs built here for the harder cases.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>

#include "lib/cleanup.h"
#include "selftests/unit/elf_copy.h"
#include "selftests/unit/scratch.h"
#include "selftests/unit/suite.h"
#include "user/attach/library.h"
#include "user/attach/script.h"
#include "user/attach/search.h"

#define PROGRAMS_MAX 120 /* of /usr/bin that are compared with the loader */

static const char *const tls[] = { "libssl.so", "libcrypto.so" };

static int resolve(const char *path, char *const *envp, struct library_set *set)
{
	const struct library_request request = {
		.path = path, .envp = envp, .prefixes = tls, .prefix_count = ARRAY_SIZE(tls)
	};
	struct error err = { 0 };
	int ret = library_resolve(&request, set, &err);

	ck_assert((ret != 0) == (err.text[0] != '\0'));
	return ret;
}

static const struct library *find(const struct library_set *set, const char *path)
{
	struct stat status;
	size_t i;

	if (stat(path, &status))
		return NULL;
	for (i = 0; i < set->count; i++) {
		if (set->items[i].status.st_dev == status.st_dev &&
		    set->items[i].status.st_ino == status.st_ino)
			return &set->items[i];
	}
	return NULL;
}

/* --- against the loader ------------------------------------------------ */

static char *const plain[] = { "PATH=/usr/bin:/bin", NULL };

/* Every file that the loader lists has to be in the set. Returns how many it lists. */
static int compare_with_loader(const char *program, const char *environment,
			       const struct library_set *set)
{
	char command[1024], line[1024], file[512];
	FILE *list;
	int count = 0;

	snprintf(command, sizeof(command),
		 "%s LD_TRACE_LOADED_OBJECTS=1 /lib64/ld-linux-x86-64.so.2 %s 2>/dev/null",
		 environment, program);
	list = popen(command, "r");
	ck_assert_ptr_nonnull(list);
	while (fgets(line, sizeof(line), list)) {
		if (sscanf(line, " %*s => %511s (", file) != 1 || file[0] != '/')
			continue;
		count++;
		ck_assert_msg(find(set, file) != NULL, "%s: %s is missing", program, file);
	}
	pclose(list);
	return count;
}

static bool has_loader(const char *path)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_NONBLOCK);
	struct elf_image image;
	bool has;

	if (fd < 0 || elf_image_open(&image, fd))
		return false;
	has = elf_image_find_segment(&image, PT_INTERP) && image.machine == EM_X86_64;
	elf_image_close(&image);
	return has;
}

START_TEST(agrees_with_the_loader)
{
	DIR *stream = opendir("/usr/bin");
	struct dirent *entry;
	struct library_set set;
	char path[512];
	int programs = 0, files = 0;

	ck_assert_ptr_nonnull(stream);
	while (programs < PROGRAMS_MAX && (entry = readdir(stream))) {
		snprintf(path, sizeof(path), "/usr/bin/%s", entry->d_name);
		if (!has_loader(path))
			continue;
		ck_assert_int_eq(resolve(path, plain, &set), 0);
		ck_assert_ptr_nonnull(find(&set, path));
		files += compare_with_loader(path, "", &set);
		ck_assert_uint_eq(set.left_out, 0);
		library_set_release(&set);
		programs++;
	}
	closedir(stream);
	printf("# %d programs, %d libraries compared with the loader\n", programs, files);
	ck_assert_int_gt(programs, 20);
	ck_assert_int_gt(files, 2 * programs);
}
END_TEST

START_TEST(nothing_twice)
{
	struct library_set set;
	size_t i, j;

	ck_assert_int_eq(resolve("/proc/self/exe", plain, &set), 0);
	for (i = 0; i < set.count; i++) {
		ck_assert_int_ge(set.items[i].fd, 0);
		for (j = 0; j < i; j++)
			ck_assert(set.items[i].status.st_ino != set.items[j].status.st_ino ||
				  set.items[i].status.st_dev != set.items[j].status.st_dev);
	}
	library_set_release(&set);
	ck_assert_ptr_null(set.items);
}
END_TEST

/* --- programs built here ----------------------------------------------- */

static void shell(const char *script)
{
	char command[2048];

	ck_assert_int_lt(snprintf(command, sizeof(command), "set -e; cd %s; %s", scratch, script),
			 (int)sizeof(command));
	ck_assert_int_eq(system(command), 0);
}

/* program -> libone (in DIR/lib, by @flags) -> libtwo (next to it) */
static void build(const char *flags)
{
	char script[1024];

	snprintf(
		script, sizeof(script),
		"mkdir -p lib bin other;"
		"echo 'int two(void) { return 2; }' > two.c;"
		"echo 'int two(void); int one(void) { return two(); }' > one.c;"
		"echo 'int one(void); int main(void) { return one(); }' > main.c;"
		"cc -shared -fPIC -Wl,-soname,libtwo.so.1 -o lib/libtwo.so.1 two.c;"
		"cc -shared -fPIC -Wl,-soname,libone.so.1 -o lib/libone.so.1 one.c lib/libtwo.so.1;"
		"cc -o bin/program main.c lib/libone.so.1 -Wl,-rpath-link,lib %s",
		flags);
	shell(script);
}

START_TEST(rpath_counts_further_down)
{
	struct library_set set;

	build("-Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'");
	ck_assert_int_eq(resolve(scratch_path("bin/program"), plain, &set), 0);
	ck_assert_ptr_nonnull(find(&set, scratch_path("lib/libone.so.1")));
	ck_assert_ptr_nonnull(find(&set, scratch_path("lib/libtwo.so.1")));
	ck_assert_int_gt(compare_with_loader(scratch_path("bin/program"), "", &set), 2);
	library_set_release(&set);
}
END_TEST

START_TEST(runpath_counts_for_one_file)
{
	struct library_set set;

	build("-Wl,--enable-new-dtags -Wl,-rpath,'${ORIGIN}/../lib'");
	ck_assert_int_eq(resolve(scratch_path("bin/program"), plain, &set), 0);
	ck_assert_ptr_nonnull(find(&set, scratch_path("lib/libone.so.1")));
	ck_assert_ptr_null(find(&set, scratch_path("lib/libtwo.so.1")));
	compare_with_loader(scratch_path("bin/program"), "", &set);
	library_set_release(&set);
}
END_TEST

START_TEST(origin_is_where_the_file_is)
{
	struct library_set set;

	build("-Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/../lib'");
	shell("ln -s bin/program linked");
	ck_assert_int_eq(resolve(scratch_path("linked"), plain, &set), 0);
	ck_assert_ptr_nonnull(find(&set, scratch_path("lib/libone.so.1")));
	library_set_release(&set);
}
END_TEST

START_TEST(origin_in_the_name_of_a_library)
{
	struct library_set set;

	build("");
	shell("cc -shared -fPIC -Wl,-soname,'$ORIGIN/../lib/libone.so.1' -o lib/libone.so.1 one.c;"
	      "cc -shared -fPIC -o lib/libtwo.so.1 two.c;"
	      "cc -o bin/program main.c lib/libone.so.1 lib/libtwo.so.1 "
	      "-Wl,-rpath,'$ORIGIN/../lib'");
	ck_assert_int_eq(resolve(scratch_path("bin/program"), plain, &set), 0);
	ck_assert_ptr_nonnull(find(&set, scratch_path("lib/libone.so.1")));
	library_set_release(&set);
}
END_TEST

START_TEST(environment_of_the_program)
{
	char variable[600], preload[600];
	char *envp[] = { "LD_LIBRARY_PATHX=/nowhere", variable, preload, NULL };
	struct library_set set;

	build("");
	shell("cp lib/libtwo.so.1 other/preloaded.so");
	snprintf(variable, sizeof(variable), "LD_LIBRARY_PATH=/nonexistent:%s",
		 scratch_path("lib"));
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", scratch_path("other/preloaded.so"));
	ck_assert_int_eq(resolve(scratch_path("bin/program"), plain, &set), 0);
	ck_assert_ptr_null(find(&set, scratch_path("lib/libone.so.1")));
	library_set_release(&set);

	ck_assert_int_eq(resolve(scratch_path("bin/program"), envp, &set), 0);
	ck_assert_ptr_nonnull(find(&set, scratch_path("lib/libone.so.1")));
	ck_assert_ptr_nonnull(find(&set, scratch_path("lib/libtwo.so.1")));
	ck_assert_int_eq(find(&set, scratch_path("other/preloaded.so"))->reason, LIBRARY_PRELOADED);
	ck_assert_int_gt(compare_with_loader(scratch_path("bin/program"), variable, &set), 2);
	library_set_release(&set);
}
END_TEST

/* A FIFO and a text under the name of a library are passed over, without hanging. */
START_TEST(what_is_not_a_library)
{
	char variable[600];
	char *envp[] = { variable, NULL };
	struct library_set set;

	build("");
	shell("mkdir first second; mkfifo first/libone.so.1; echo no > second/libone.so.1");
	snprintf(variable, sizeof(variable), "LD_LIBRARY_PATH=%s:%s:%s", scratch_path("first"),
		 scratch_path("second"), scratch_path("lib"));
	ck_assert_int_eq(resolve(scratch_path("bin/program"), envp, &set), 0);
	ck_assert_ptr_nonnull(find(&set, scratch_path("lib/libone.so.1")));
	library_set_release(&set);
	ck_assert_int_eq(resolve(scratch_path("first/libone.so.1"), envp, &set), -EINVAL);
	ck_assert_int_eq(resolve(scratch_path("first"), envp, &set), -EINVAL);
	ck_assert_int_eq(resolve(scratch_path("nothing"), envp, &set), -ENOENT);
	ck_assert_uint_eq(set.count, 0);
}
END_TEST

/* Libraries for later: next to the program, and in LD_LIBRARY_PATH; other names are not. */
START_TEST(libraries_for_later)
{
	char variable[600];
	char *envp[] = { variable, NULL };
	struct library_set set;

	build("");
	shell("cp lib/libtwo.so.1 lib/libssl.so.9; cp lib/libtwo.so.1 other/libcrypto.so.9;"
	      "cp lib/libtwo.so.1 other/libother.so.9");
	snprintf(variable, sizeof(variable), "LD_LIBRARY_PATH=%s", scratch_path("other"));
	ck_assert_int_eq(resolve(scratch_path("bin/program"), envp, &set), 0);
	ck_assert_int_eq(find(&set, scratch_path("lib/libssl.so.9"))->reason, LIBRARY_DISCOVERED);
	ck_assert_ptr_nonnull(find(&set, scratch_path("other/libcrypto.so.9")));
	ck_assert_ptr_null(find(&set, scratch_path("other/libother.so.9")));
	library_set_release(&set);
}
END_TEST

START_TEST(too_many_libraries)
{
	char variable[600];
	char *envp[] = { variable, NULL };
	struct library_set set;

	build("-Wl,-rpath,'$ORIGIN/../lib'");
	shell("i=0; while [ $i -lt 400 ]; do cp lib/libtwo.so.1 other/libssl.so.$i; i=$((i+1)); "
	      "done");
	snprintf(variable, sizeof(variable), "LD_LIBRARY_PATH=%s", scratch_path("other"));
	ck_assert_int_eq(resolve(scratch_path("bin/program"), envp, &set), 0);
	ck_assert_uint_eq(set.count, LIBRARY_MAX);
	ck_assert_uint_gt(set.left_out, 0);
	library_set_release(&set);
}
END_TEST

/* --- scripts ----------------------------------------------------------- */

START_TEST(script_interpreters)
{
	char line[600];
	struct library_set set;

	scratch_write("inner", "#! /bin/sh -e\n", 0755);
	snprintf(line, sizeof(line), "#!%s\n", scratch_path("inner"));
	scratch_write("outer", line, 0755);
	scratch_write("env", "#!/usr/bin/env -S A=b cat -u\n", 0755);
	scratch_write("none", "echo no first line\n", 0755);
	snprintf(line, sizeof(line), "#!%s\n", scratch_path("loop"));
	scratch_write("loop", line, 0755);

	ck_assert_int_eq(resolve(scratch_path("outer"), plain, &set), 0);
	ck_assert_int_eq(find(&set, "/bin/sh")->reason, LIBRARY_EXECUTABLE);
	library_set_release(&set);
	ck_assert_int_eq(resolve(scratch_path("env"), plain, &set), 0);
	ck_assert_int_eq(find(&set, "/usr/bin/env")->reason, LIBRARY_EXECUTABLE);
	ck_assert_int_eq(find(&set, "/usr/bin/cat")->reason, LIBRARY_EXECUTABLE);
	library_set_release(&set);
	ck_assert_int_eq(resolve(scratch_path("none"), plain, &set), 0);
	ck_assert_ptr_nonnull(find(&set, "/bin/sh"));
	library_set_release(&set);
	ck_assert_int_eq(resolve(scratch_path("loop"), plain, &set), 0);
	ck_assert_uint_eq(set.count, 0);
	library_set_release(&set);
}
END_TEST

START_TEST(script_lines)
{
	static const struct {
		const char *text, *interpreter, *argument, *command;
	} rows[] = {
		{ "#!/bin/sh", "/bin/sh", "", NULL },
		{ "#! \t/bin/sh  -e -u \t\nrest", "/bin/sh", "-e -u", NULL },
		{ "#!/usr/bin/env python3\n", "/usr/bin/env", "python3", "python3" },
		{ "#!/usr/bin/env -S python3 -u", "/usr/bin/env", "-S python3 -u", "python3" },
		{ "#!/usr/bin/env -Spython3", "/usr/bin/env", "-Spython3", "python3" },
		{ "#!/usr/bin/env -i A=1 B=2 ruby", "/usr/bin/env", "-i A=1 B=2 ruby", "ruby" },
		{ "#!/usr/bin/env -i", "/usr/bin/env", "-i", NULL },
		{ "#!/usr/bin/env", "/usr/bin/env", "", NULL },
		{ "#!\n/bin/sh", NULL, NULL, NULL },
		{ "#! \t", NULL, NULL, NULL },
		{ "#", NULL, NULL, NULL },
		{ "", NULL, NULL, NULL },
	};
	char name[SCRIPT_LINE_MAX];
	struct script script;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP_FD int fd = memory_file(rows[i].text, strlen(rows[i].text));
		int ret = script_read(fd, &script);

		ck_assert_msg(ret == (rows[i].interpreter ? 0 : -ENOEXEC), "row %zu", i);
		if (ret)
			continue;
		ck_assert_str_eq(script.interpreter, rows[i].interpreter);
		ck_assert_str_eq(script.argument, rows[i].argument);
		ret = script_env_command(&script, name);
		ck_assert_msg(ret == (rows[i].command ? 0 : -ENOENT), "row %zu", i);
		if (!ret)
			ck_assert_str_eq(name, rows[i].command);
	}
}
END_TEST

/* As long as the kernel reads, without a newline. */
START_TEST(longest_script_line)
{
	char text[1000], name[SCRIPT_LINE_MAX];
	struct script script;

	memset(text, 'x', sizeof(text));
	memcpy(text, "#!/env ", 7);
	CLEANUP_FD int fd = memory_file(text, sizeof(text));
	ck_assert_int_eq(script_read(fd, &script), 0);
	ck_assert_str_eq(script.interpreter, "/env");
	ck_assert_uint_eq(strlen(script.argument), SCRIPT_LINE_MAX - 7);
	ck_assert_int_eq(script_env_command(&script, name), 0);
	memset(text + 2, 'x', sizeof(text) - 2);
	patch(fd, 0, text, sizeof(text));
	ck_assert_int_eq(script_read(fd, &script), 0);
	ck_assert_uint_eq(strlen(script.interpreter), SCRIPT_LINE_MAX - 2);
}
END_TEST

/* --- search paths ------------------------------------------------------ */

static int join(void *data, const char *found)
{
	strcat(data, found);
	strcat(data, "|");
	return 0;
}

START_TEST(search_lists)
{
	static const struct {
		const char *list, *origin, *expected;
	} rows[] = {
		{ "/a:/b;/c", "/o/p", "/a|/b|/c|" },
		{ "", "/o/p", ".|" },
		{ "/a::", "/o/p", "/a|.|.|" },
		{ "$ORIGIN/../lib", "/o/p", "/o/../lib|" },
		{ "x${ORIGIN}y", "/o/p", "x/oy|" },
		{ "$ORIGIN", "/p", "/|" },
		{ "$ORIGIN", "p", ".|" },
		{ "$ORIGIN:/a", NULL, "/a|" },
		{ "/x/$PLATFORM:/a", "/o/p", "/a|" },
		{ "${ORIGIN:/a", "/o/p", "/a|" },
		{ "$", "/o/p", "" },
		{ "/u/$LIB", "/o/p",
		  "/u/lib64|/u/lib/x86_64-linux-gnu|/u/lib/aarch64-linux-gnu|/u/lib|" },
	};
	char found[1024];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		found[0] = '\0';
		ck_assert_int_eq(search_list(rows[i].list, rows[i].origin, join, found), 0);
		ck_assert_msg(strcmp(found, rows[i].expected) == 0, "%s: %s", rows[i].list, found);
	}
}
END_TEST

START_TEST(too_long_search_elements)
{
	char list[3 * PATH_MAX], found[64] = "";
	size_t used = 5000;

	memset(list, 'x', used);
	strcpy(list + used, ":/a:");
	for (used += 4; used < 5000 + 2000; used += 7) /* short, but long when expanded */
		strcpy(list + used, "$ORIGIN");
	ck_assert_int_eq(search_list(list, "/a/long/enough/directory/to/outgrow/it/p", join, found),
			 0);
	ck_assert_str_eq(found, "/a|");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		agrees_with_the_loader,
		nothing_twice,
		rpath_counts_further_down,
		origin_is_where_the_file_is,
		origin_in_the_name_of_a_library,
		runpath_counts_for_one_file,
		environment_of_the_program,
		what_is_not_a_library,
		libraries_for_later,
		too_many_libraries,
		script_interpreters,
		script_lines,
		longest_script_line,
		search_lists,
		too_long_search_elements,
	};

	return suite_run("libraries", tests, ARRAY_SIZE(tests), 60, scratch_make, scratch_remove);
}
