// SPDX-License-Identifier: GPL-2.0-only
/* Parsing resolv.conf(5): see resolv_conf.h. */
#include "user/policy/resolv_conf.h"

#include <stdbool.h>
#include <string.h>

#define KEYWORD	     "nameserver"
#define KEYWORD_SIZE (sizeof(KEYWORD) - 1)

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static int line_parse(const char *line, size_t size, resolv_conf_visit visit, void *context)
{
	size_t start = KEYWORD_SIZE, end;

	if (size <= KEYWORD_SIZE || memcmp(line, KEYWORD, KEYWORD_SIZE) != 0 ||
	    !is_space(line[KEYWORD_SIZE]))
		return 0;
	while (start < size && is_space(line[start]))
		start++;
	for (end = start; end < size && !is_space(line[end]);)
		end++;
	return end > start ? visit(context, line + start, end - start) : 0;
}

int resolv_conf_parse(const char *data, size_t size, resolv_conf_visit visit, void *context)
{
	const char *end = data + size;
	int ret = 0;

	for (const char *line = data; line < end && ret == 0;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t length = (size_t)((newline ? newline : end) - line);

		if (length <= RESOLV_CONF_LINE_MAX)
			ret = line_parse(line, length, visit, context);
		line += length + 1;
	}
	return ret;
}
