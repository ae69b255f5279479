/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A JSON writer (RFC 8259) into a buffer of the caller. The writer
 * sees to commas, quotes and escapes; the caller pairs the open and end calls.
 * Overflow is remembered and reported once, by json_finish().
 *
 * Strings may hold any bytes, such as a process's comm: what is not valid
 * UTF-8 (RFC 3629) becomes U+FFFD, byte by byte, and control characters,
 * including DEL and C1, are escaped so that a line is safe on a terminal.
 */
#ifndef KLOAK_LIB_JSON_H
#define KLOAK_LIB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct json {
	char *text;
	size_t size;
	size_t used;   /* bytes written, without the final NUL */
	bool overflow; /* something did not fit: the text is worthless */
	bool comma;    /* a value was written at this level */
};

void json_start(struct json *json, char *buffer, size_t size);

/* @key is NULL for elements of an array and for the outermost value. */
void json_object(struct json *json, const char *key);
void json_object_end(struct json *json);
void json_array(struct json *json, const char *key);
void json_array_end(struct json *json);
void json_string(struct json *json, const char *key, const char *value);
/* At most @size bytes of @value, fewer if there is a NUL: for fixed fields such as comm. */
void json_bytes(struct json *json, const char *key, const void *value, size_t size);
void json_number(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);

/* Ends the text with NUL. Returns its length, or -ENOSPC if the buffer was too small. */
ssize_t json_finish(struct json *json);

#endif
