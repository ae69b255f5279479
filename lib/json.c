// SPDX-License-Identifier: GPL-2.0-only
/* JSON writer: see json.h for the contract. */
#include "lib/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void put(struct json *json, const char *text, size_t size)
{
	/* One byte stays free for the NUL of json_finish(). */
	if (json->overflow || json->size - json->used <= size) {
		json->overflow = true;
		return;
	}
	memcpy(json->text + json->used, text, size);
	json->used += size;
}

static void put_text(struct json *json, const char *text)
{
	put(json, text, strlen(text));
}

struct utf8_range {
	uint8_t first_low, first_high;	 /* lead byte */
	uint8_t second_low, second_high; /* the range that excludes overlong forms and surrogates */
	uint8_t size;
};

/* RFC 3629 section 4, UTF8-octets; the continuation bytes after the second are 80-BF. */
static const struct utf8_range utf8_ranges[] = {
	{ 0x00, 0x7f, 0x00, 0x00, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static bool continues(const uint8_t *at, const struct utf8_range *range)
{
	if (range->size > 1 && (at[1] < range->second_low || at[1] > range->second_high))
		return false;
	for (size_t i = 2; i < range->size; i++)
		if ((at[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/* Bytes of the valid UTF-8 sequence at @at, or 0. */
static size_t utf8_size(const uint8_t *at, size_t left)
{
	for (size_t i = 0; i < sizeof(utf8_ranges) / sizeof(utf8_ranges[0]); i++) {
		const struct utf8_range *range = &utf8_ranges[i];

		if (at[0] >= range->first_low && at[0] <= range->first_high)
			return range->size <= left && continues(at, range) ? range->size : 0;
	}
	return 0;
}

static bool is_control(const uint8_t *at, size_t size)
{
	if (size == 1)
		return at[0] < 0x20 || at[0] == 0x7f;
	return size == 2 && at[0] == 0xc2 && at[1] < 0xa0; /* C1: U+0080 to U+009F */
}

static void put_escape(struct json *json, uint8_t code)
{
	static const char from[] = "\b\f\n\r\t", to[] = "bfnrt";
	const char *known = code ? strchr(from, code) : NULL;
	char text[8];

	if (known)
		snprintf(text, sizeof(text), "\\%c", to[known - from]);
	else
		snprintf(text, sizeof(text), "\\u%04x", code);
	put_text(json, text);
}

/* Writes one character of the string and returns how many bytes it took. */
static size_t put_character(struct json *json, const uint8_t *at, size_t left)
{
	size_t size = utf8_size(at, left);

	if (!size) {
		put_text(json, "\\ufffd");
		return 1;
	}
	if (is_control(at, size))
		put_escape(json, at[size - 1]);
	else if (at[0] == '"' || at[0] == '\\')
		put(json, (const char[]){ '\\', (char)at[0] }, 2);
	else
		put(json, (const char *)at, size);
	return size;
}

static void put_string(struct json *json, const void *text, size_t size)
{
	const uint8_t *at = text;

	put_text(json, "\"");
	while (size) {
		size_t taken = put_character(json, at, size);

		at += taken;
		size -= taken;
	}
	put_text(json, "\"");
}

static void put_key(struct json *json, const char *key)
{
	if (json->comma)
		put_text(json, ",");
	json->comma = true;
	if (!key)
		return;
	put_string(json, key, strlen(key));
	put_text(json, ":");
}

static void put_open(struct json *json, const char *key, const char *bracket)
{
	put_key(json, key);
	put_text(json, bracket);
	json->comma = false;
}

static void put_close(struct json *json, const char *bracket)
{
	put_text(json, bracket);
	json->comma = true;
}

void json_start(struct json *json, char *buffer, size_t size)
{
	*json = (struct json){ .text = buffer, .size = size, .overflow = size == 0 };
}

void json_object(struct json *json, const char *key)
{
	put_open(json, key, "{");
}

void json_object_end(struct json *json)
{
	put_close(json, "}");
}

void json_array(struct json *json, const char *key)
{
	put_open(json, key, "[");
}

void json_array_end(struct json *json)
{
	put_close(json, "]");
}

void json_string(struct json *json, const char *key, const char *value)
{
	json_bytes(json, key, value, strlen(value));
}

void json_bytes(struct json *json, const char *key, const void *value, size_t size)
{
	put_key(json, key);
	put_string(json, value, strnlen(value, size));
}

void json_number(struct json *json, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	put_key(json, key);
	put_text(json, text);
}

void json_bool(struct json *json, const char *key, bool value)
{
	put_key(json, key);
	put_text(json, value ? "true" : "false");
}

ssize_t json_finish(struct json *json)
{
	if (json->overflow)
		return -ENOSPC;
	json->text[json->used] = '\0';
	return (ssize_t)json->used;
}
