/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Can this kernel and this user run Kloak? A table of checks, each of which
 * says what it found and, if that is not good, what to do about it. Wherever
 * possible a check uses the thing instead of reading a version: vendors
 * backport, containers forbid. The last word has a check that goes through the
 * start of kloak run; the others tell why it may fail.
 */
#ifndef KLOAK_DOCTOR_DOCTOR_H
#define KLOAK_DOCTOR_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum doctor_verdict {
	DOCTOR_OK,
	DOCTOR_WARN, /* kloak run works, but something is worse than it could be */
	DOCTOR_FAIL, /* kloak run does not work */
};

struct doctor_finding {
	enum doctor_verdict verdict;
	char found[240];
	char remedy[480]; /* empty if there is nothing to do; room for a struct error's sentence */
};

struct doctor_check {
	const char *name;
	/* @root is put before the paths of files that are read: "", or a test's directory. */
	void (*examine)(const char *root, struct doctor_finding *finding);
};

#define DOCTOR_CHECKS 19

extern const struct doctor_check doctor_checks[DOCTOR_CHECKS];

/* One finding for each check. Returns true if none failed. Takes about a second. */
bool doctor_examine(const char *root, struct doctor_finding findings[static DOCTOR_CHECKS]);

/* A table for people, with the remedies below it. */
void doctor_print(FILE *out, const struct doctor_finding findings[static DOCTOR_CHECKS]);

/*
 * {"kloak":VERSION,"ok":bool,"checks":[{"name","verdict","found","remedy"}]} and
 * a newline. Returns 0 or -errno.
 */
int doctor_print_json(FILE *out, const struct doctor_finding findings[static DOCTOR_CHECKS]);

/* For the checks: sets verdict, remedy (NULL: none) and what was found. */
void doctor_set(struct doctor_finding *finding, enum doctor_verdict verdict, const char *remedy,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
