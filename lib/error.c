// SPDX-License-Identifier: GPL-2.0-only
/* Error sentences: see error.h for the contract. */
#include "lib/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int error_fill(struct error *err, int code, int exit_code, const char *format, va_list args)
{
	if (!err)
		return code;
	err->code = code;
	err->exit_code = exit_code;
	vsnprintf(err->text, sizeof(err->text), format, args);
	return code;
}

int error_set(struct error *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	error_fill(err, code, EXIT_KLOAK, format, args);
	va_end(args);
	return code;
}

int error_config(struct error *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	error_fill(err, code, EXIT_CONFIG, format, args);
	va_end(args);
	return code;
}

int error_no_memory(struct error *err, const char *what)
{
	return error_set(err, -ENOMEM, "not enough memory for %s; free some", what);
}

int error_prefix(struct error *err, const char *format, ...)
{
	char tail[sizeof(err->text)];
	va_list args;
	size_t used;

	if (!err)
		return 0;
	memcpy(tail, err->text, sizeof(tail));
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", tail);
	return err->code;
}

void warning(const char *format, ...)
{
	va_list args;

	fputs("kloak: warning: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}
