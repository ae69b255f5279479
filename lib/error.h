/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Errors inside Kloak are negative errno values. Where a user has to act on
 * one, the function also takes a struct error and leaves a sentence in it that
 * names the thing, the cause and the remedy:
 *
 *	return error_set(err, -ENOENT, "cannot open %s: %s; check the path", ...);
 *
 * The innermost function that knows the remedy writes the sentence; callers
 * may put a prefix before it. Sentences never hold secret values.
 */
#ifndef KLOAK_LIB_ERROR_H
#define KLOAK_LIB_ERROR_H

/* Exit codes, as documented in kloak(1). */
enum exit_code {
	EXIT_OK = 0,
	EXIT_CONFIG = 78,	/* EX_CONFIG: bad option, rule, secret or file */
	EXIT_KLOAK = 125,	/* Kloak itself failed */
	EXIT_CANNOT_EXEC = 126, /* the command was found but cannot be run */
	EXIT_NOT_FOUND = 127,	/* the command was not found */
};

struct error {
	int code;	/* negative errno of the first failure, 0 if none */
	int exit_code;	/* what main() returns; EXIT_KLOAK unless set */
	char text[480]; /* one sentence, no "kloak:" prefix, no newline */
};

/* Writes the sentence (err may be NULL) and returns @code, for the caller to return in turn. */
int error_set(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, and marks it as a mistake in what the user wrote: exit code EXIT_CONFIG. */
int error_config(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "not enough memory for @what; ...". Returns -ENOMEM. */
int error_no_memory(struct error *err, const char *what);

/* Puts "prefix: " before the sentence that is already there. Returns err->code. */
int error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One warning line on stderr: "kloak: warning: ...". */
void warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
