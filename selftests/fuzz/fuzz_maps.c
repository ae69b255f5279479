// SPDX-License-Identifier: GPL-2.0-only
/* Any text as /proc/PID/maps, line by line. */
#include "lib/text.c"
#include "user/attach/maps.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *rest = text, *line;
	struct mapping mapping;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	while ((line = text_line(&rest))) {
		size_t length = strlen(line);
		char *copy = strdup(line); /* of just its size, so that reading on is noticed */

		if (!copy)
			abort();
		if (!maps_parse(copy, &mapping) &&
		    (mapping.path <= copy || mapping.path + strlen(mapping.path) != copy + length))
			abort();
		free(copy);
	}
	free(text);
	return 0;
}
