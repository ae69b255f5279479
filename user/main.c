// SPDX-License-Identifier: GPL-2.0-only
/* kloak: subcommands by name. */
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/error.h"
#include "user/cmd/doctor.h"
#include "user/cmd/explain.h"
#include "user/cmd/run.h"

static int cmd_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("kloak " KLOAK_VERSION);
	return EXIT_OK;
}

static const struct {
	const char *name;
	const char *what;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "run", "run a command with placeholders instead of secrets", cmd_run },
	{ "doctor", "tell whether this kernel and this user can run Kloak", cmd_doctor },
	{ "explain", "tell what is or would be hooked in a process or file, or why not",
	  cmd_explain },
	{ "version", "print the version", cmd_version },
};

static void print_usage(FILE *out)
{
	size_t i;

	fputs("usage: kloak COMMAND [ARG...]\n\n", out);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].what);
	fputs("\nSee kloak(1).\n", out);
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		print_usage(stderr);
		return EXIT_CONFIG;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_usage(stdout);
		return EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0)
		return cmd_version(argc, argv);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "kloak: unknown command; the commands are:");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(stderr, " %s", commands[i].name);
	fputc('\n', stderr);
	return EXIT_CONFIG;
}
