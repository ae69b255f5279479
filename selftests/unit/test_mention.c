// SPDX-License-Identifier: GPL-2.0-only
/* user/attach/mention: executables among the words of a command line. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "selftests/unit/suite.h"
#include "user/attach/mention.h"

static char directory[] = "/tmp/kloak-test-XXXXXX";
static char path_variable[64];
static char *envp[] = { path_variable, NULL };

static void make_file(const char *name, mode_t mode)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_CREAT | O_WRONLY, mode);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static void set_up(void)
{
	char name[8];
	int i;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
	snprintf(path_variable, sizeof(path_variable), "PATH=/nonexistent:%s", directory);
	make_file("node", 0755);
	make_file("client", 0755);
	make_file("data", 0644);
	for (i = 0; i < 2 * MENTION_MAX; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		make_file(name, 0755);
	}
}

static void tear_down(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static struct mention mention;

static const struct {
	char *argv[5];
	const char *found[3]; /* behind "DIRECTORY/", or beginning with "./" */
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

		snprintf(want, sizeof(want), "%s%s%s", *name == '.' ? "" : directory,
			 *name == '.' ? "" : "/", name);
		ck_assert_uint_gt(mention.count, i);
		ck_assert_str_eq(mention.paths[i], want);
	}
	ck_assert_uint_eq(mention.count, i);
}
END_TEST

START_TEST(many_found)
{
	char text[256] = "";
	char *argv[] = { "sh", text, NULL };
	int i;

	for (i = 0; i < 2 * MENTION_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "p%d ", i);
	mention_find(argv, envp, &mention);
	ck_assert_uint_eq(mention.count, MENTION_MAX);
	ck_assert_str_eq(strrchr(mention.paths[MENTION_MAX - 1], '/'), "/p7");
}
END_TEST

/* The program is the last word that is looked at, the first one that is not, or behind options. */
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

int main(void)
{
	const TTest *const tests[] = {many_found, long_word};
	TCase *tcase = suite_case("mention", tests, ARRAY_SIZE(tests), 0, set_up, tear_down);

	tcase_add_loop_test(tcase, found, 0, ARRAY_SIZE(lines));
	tcase_add_loop_test(tcase, many_words, 0, 3);
	return suite_run_cases("mention", &tcase, 1);
}
