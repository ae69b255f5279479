// SPDX-License-Identifier: GPL-2.0-only
/* kloak explain: what is or would be hooked in a process or file, and why not. */
#include "user/cmd/explain.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/error.h"
#include "user/explain/explain.h"

#define EXIT_NOT_HOOKABLE 1

static const char usage[] = "usage: kloak explain PID|FILE [--json]\n";

static int fail(const struct error *err)
{
	fprintf(stderr, "kloak: %s\n", err->text);
	return err->exit_code;
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static int look(const char *what, struct explain *explain, struct error *err)
{
	unsigned long long pid;

	if (!is_number(what))
		return explain_program(what, environ, explain, err);
	errno = 0;
	pid = strtoull(what, NULL, 10);
	if (errno || pid == 0 || pid > INT_MAX)
		return error_config(err, -ESRCH, "there is no process %.40s; look at ps(1)", what);
	return explain_process((pid_t)pid, explain, err);
}

static int report(const struct explain *explain, bool json)
{
	int ret = 0;

	if (json)
		ret = explain_print_json(stdout, explain);
	else
		explain_print(stdout, explain);
	if (!ret && fflush(stdout))
		ret = -errno;
	if (ret) {
		fprintf(stderr, "kloak: cannot write: %s\n", strerror(-ret));
		return EXIT_KLOAK;
	}
	return explain_is_hookable(explain) ? EXIT_OK : EXIT_NOT_HOOKABLE;
}

int cmd_explain(int argc, char **argv)
{
	const char *what = NULL;
	struct explain explain = { 0 };
	struct error err = { 0 };
	bool json = false;
	int status;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			fputs(usage, stdout);
			return EXIT_OK;
		}
		if (strcmp(argv[i], "--json") == 0) {
			json = true;
		} else if (what || argv[i][0] == '-') {
			fprintf(stderr,
				"kloak: explain takes one PID or FILE, and --json: %.200s\n%s",
				argv[i], usage);
			return EXIT_CONFIG;
		} else {
			what = argv[i];
		}
	}
	if (!what) {
		fprintf(stderr, "kloak: explain what? Name a process or a file\n%s", usage);
		return EXIT_CONFIG;
	}
	if (look(what, &explain, &err))
		return fail(&err);
	status = report(&explain, json);
	explain_release(&explain);
	return status;
}
