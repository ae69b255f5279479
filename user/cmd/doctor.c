// SPDX-License-Identifier: GPL-2.0-only
/* kloak doctor: can this kernel and this user run Kloak? */
#include "user/cmd/doctor.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/error.h"
#include "user/doctor/doctor.h"

static const char usage[] = "usage: kloak doctor [--json]\n";

int cmd_doctor(int argc, char **argv)
{
	struct doctor_finding findings[DOCTOR_CHECKS];
	bool json = argc == 2 && strcmp(argv[1], "--json") == 0, good;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return EXIT_OK;
	}
	if (argc > 1 && !json) {
		fprintf(stderr, "kloak: doctor takes no argument but --json: %.200s\n%s", argv[1],
			usage);
		return EXIT_CONFIG;
	}
	good = doctor_examine("", findings);
	if (!json)
		doctor_print(stdout, findings);
	else if (doctor_print_json(stdout, findings))
		good = false;
	if (fflush(stdout)) {
		fprintf(stderr, "kloak: cannot write: %s\n", strerror(errno));
		good = false;
	}
	return good ? EXIT_OK : EXIT_KLOAK;
}
