// SPDX-License-Identifier: GPL-2.0-only
/* Parsing hosts(5): see hosts.h. */
#include "user/policy/hosts.h"

#include "user/policy/name.h"

#include <stdbool.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* The next word of @line from *@at on; *@at moves after it. Returns its size, 0 at the end. */
static size_t word_next(const char *line, size_t size, size_t *at, const char **word)
{
	size_t start = *at;

	while (start < size && is_blank(line[start]))
		start++;
	*at = start;
	while (*at < size && !is_blank(line[*at]))
		(*at)++;
	*word = line + start;
	return *at - start;
}

static int line_parse(const char *line, size_t size, hosts_visit visit, void *context)
{
	uint8_t address[ADDRESS_SIZE];
	char name[NAME_SIZE];
	const char *word, *why;
	size_t at = 0;
	size_t length = word_next(line, size, &at, &word);
	int ret = 0;

	if (length == 0 || address_parse(word, length, address) < 0 || address_unspecified(address))
		return 0;
	while (ret == 0 && (length = word_next(line, size, &at, &word)) > 0)
		if (name_normalise(word, length, name, &why) == 0)
			ret = visit(context, name, address);
	return ret;
}

int hosts_parse(const char *data, size_t size, hosts_visit visit, void *context)
{
	const char *end = data + size;
	int ret = 0;

	for (const char *line = data; line < end && ret == 0;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t length = (size_t)((newline ? newline : end) - line);
		const char *comment = memchr(line, '#', length);

		if (length <= HOSTS_LINE_MAX)
			ret = line_parse(line, comment ? (size_t)(comment - line) : length, visit,
					 context);
		line += length + 1;
	}
	return ret;
}
