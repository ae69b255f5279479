// SPDX-License-Identifier: GPL-2.0-only
/* user/attach/mention: executables among the words of a command line. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "selftests/unit/scratch.h"
#include "selftests/unit/suite.h"
#include "user/attach/mention.h"

static char path_variable[64];
static char *envp[] = { path_variable, NULL };

static void set_up(void)
{
	char name[8];
	int i;

	scratch_make();
	ck_assert_int_eq(chdir(scratch), 0);
	snprintf(path_variable, sizeof(path_variable), "PATH=/nonexistent:%s", scratch);
	scratch_write("node", "", 0755);
	scratch_write("client", "", 0755);
	scratch_write("data", "", 0644);
	for (i = 0; i < 2 * MENTION_MAX; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		scratch_write(name, "", 0755);
	}
}

static struct mention mention;

static const struct {
	char *argv[5];
	const char *found[3]; /* after "DIRECTORY/", or beginning with "./" */
} lines[] = {
	{ { "sh", "-c", "node app.js" }, { "node" } },
	{ { "sh", "-c", "cd /srv&&exec node" }, { "node" } },
	{ { "sh", "-c", "x=$(client);(node)|client>data" }, { "client", "node" } },
	{ { "sh", "-c", "X='node' \"client\"" }, { "node", "client" } },
	{ { "sh", "-c", "`node`\t{client,data}\nfoo" }, { "node", "client" } },
	{ { "env", "A=B", "node", "app.js" }, { "node" } },
	{ { "timeout", "5", "./client" }, { "./client" } },
	{ { "run", "--with=./node" }, { "./node" } },
	{ { "sh", "-c", "node; node; node" }, { "node" } },
	{ { "node", "app.js" }, { NULL } },
	{ { "sh", "-node", "nodes", "data" }, { NULL } },
	{ { "sh", "", "   ", "https://node/client" }, { NULL } },
	{ { "sh" }, { NULL } },
	{ { NULL }, { NULL } },
};

START_TEST(found)
{
	char want[64];
	size_t i;

	mention_find(lines[_i].argv, envp, &mention);
	for (i = 0; i < 3 && lines[_i].found[i]; i++) {
		const char *name = lines[_i].found[i];

		snprintf(want, sizeof(want), "%s%s%s", *name == '.' ? "" : scratch,
			 *name == '.' ? "" : "/", name);
		ck_assert_uint_gt(mention.count, i);
		ck_assert_str_eq(mention.paths[i], want);
	}
	ck_assert_uint_eq(mention.count, i);
}
END_TEST

START_TEST(many_found)
{
	char text[512] = "";
	char *argv[] = { "sh", text, NULL };
	int i;

	for (i = 0; i < 2 * MENTION_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "p%d ", i);
	mention_find(argv, envp, &mention);
	ck_assert_uint_eq(mention.count, MENTION_MAX);
	ck_assert_str_eq(strrchr(mention.paths[MENTION_MAX - 1], '/'), "/p15");
}
END_TEST

/* The program is the last word that is looked at, the first one that is not, or after options. */
START_TEST(many_words)
{
	char text[4 * MENTION_WORDS] = "";
	char *argv[] = { "sh", text, "node", NULL };
	int i;

	for (i = 0; i < MENTION_WORDS - 1 + _i; i++)
		strcat(text, _i == 2 ? "-o " : "no ");
	mention_find(argv, envp, &mention);
	ck_assert_uint_eq(mention.count, _i == 1 ? 0 : 1);
}
END_TEST

START_TEST(long_word)
{
	size_t size = 2 * PATH_MAX;
	char *text = malloc(size);
	char *argv[] = { "sh", text, NULL };

	ck_assert_ptr_nonnull(text);
	memset(text, 'x', size);
	memcpy(text + size - 6, " node", 6);
	mention_find(argv, envp, &mention);
	ck_assert_uint_eq(mention.count, 1);
	free(text);
}
END_TEST

static const struct {
	const char *text;
	const char *found[3];
} scripts[] = {
	{ "#!/bin/sh\nexec node app.js\n", { "/node" } },
	{ "#!/bin/bash -e\nexec \"$(dirname \"$0\")/inner\" x\n", { "/bin/inner" } },
	{ "#!/usr/bin/env bash\n\t# client\nnode", { "/node" } },
	{ "#!/bin/sh\n$HERE/inner || client || inner\n", { "/bin/inner", "/client" } },
	{ "#!/usr/bin/python3\nnode\n", { NULL } },
	{ "#!/usr/bin/env node\nclient\n", { NULL } },
	{ "#! node\nclient\n", { NULL } },
	{ "node\n", { NULL } },
	{ "", { NULL } },
};

/* Neither executable nor in PATH. */
START_TEST(found_in_script)
{
	char want[64];
	size_t i;

	scratch_write("bin/inner", "", 0755);
	scratch_write("bin/script", scripts[_i].text, 0644);
	mention.count = 0;
	mention_find_in_script(scratch_path("bin/script"), envp, &mention);
	for (i = 0; i < 3 && scripts[_i].found[i]; i++) {
		snprintf(want, sizeof(want), "%s%s", scratch, scripts[_i].found[i]);
		ck_assert_uint_gt(mention.count, i);
		ck_assert_str_eq(mention.paths[i], want);
	}
	ck_assert_uint_eq(mention.count, i);
}
END_TEST

/* Beyond what is read of it, and with no directory in its name. */
START_TEST(long_script)
{
	static char text[3 * MENTION_SCRIPT_MAX] = "#!/bin/sh\nnode\n";

	memset(text + strlen(text), 'x', 2 * MENTION_SCRIPT_MAX);
	strcat(text, "\nclient\n");
	scratch_write("script", text, 0644);
	mention.count = 0;
	mention_find_in_script("script", envp, &mention);
	ck_assert_uint_eq(mention.count, 1);
	mention_find_in_script("no script", envp, &mention);
	ck_assert_uint_eq(mention.count, 1);
}
END_TEST

START_TEST(many_found_in_script)
{
	char text[512] = "#!/bin/sh\n";
	int i;

	for (i = 0; i < 2 * MENTION_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "./p%d\n", i);
	scratch_write("script", text, 0644);
	mention.count = 0;
	mention_find_in_script(scratch_path("script"), envp, &mention);
	ck_assert_uint_eq(mention.count, MENTION_MAX);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { many_found, long_word, long_script, many_found_in_script };
	TCase *tcase = suite_case("mention", tests, ARRAY_SIZE(tests), 0, set_up, scratch_remove);

	tcase_add_loop_test(tcase, found, 0, ARRAY_SIZE(lines));
	tcase_add_loop_test(tcase, found_in_script, 0, ARRAY_SIZE(scripts));
	tcase_add_loop_test(tcase, many_words, 0, 3);
	return suite_run_cases("mention", &tcase, 1);
}
