// SPDX-License-Identifier: GPL-2.0-only
/* kloak run: run a command whose secrets are swapped in by the kernel. */
#include "user/cmd/run.h"

#include <stdio.h>

#include "user/run/session.h"
#include "user/workload/child.h"

static int fail(const struct error *err)
{
	fprintf(stderr, "kloak: %s\n", err->text);
	return err->exit_code ? err->exit_code : EXIT_KLOAK;
}

int cmd_run(int argc, char **argv)
{
	struct run_options options;
	struct error err = { 0 };
	int status;

	if (run_options_parse(&options, argc, argv, &err))
		return fail(&err);
	if (options.help) {
		fputs(run_usage, stdout);
		return EXIT_OK;
	}
	if (session_run(&options, &status, &err))
		return fail(&err);
	return child_exit_code(status);
}
