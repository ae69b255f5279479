// SPDX-License-Identifier: GPL-2.0-only
/* Texts of /proc/PID: see proc_text.h. */
#include "user/explain/proc_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"
#include "user/workload/cgroup.h"

static void take_component(const char *path, char *name, size_t size)
{
	const char *at, *last = NULL;

	for (at = path; (at = strstr(at, "/" CGROUP_PREFIX)); at++)
		last = at + 1;
	if (last)
		snprintf(name, size, "%.*s", (int)strcspn(last, "/"), last);
}

void proc_workload(char *text, char *name, size_t size)
{
	const char *line;

	*name = '\0';
	while ((line = text_line(&text)))
		if (strncmp(line, "0::/", 4) == 0)
			take_component(line + 3, name, size);
}

/* Lines such as "TlsCurrTxSw                     2" (Documentation/networking/tls.rst). */
bool proc_uses_ktls(char *text)
{
	static const char *const names[] = { "TlsCurrTxSw", "TlsCurrTxDevice" };
	const char *line;

	while ((line = text_line(&text)))
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			size_t length = strlen(names[i]);

			if (strncmp(line, names[i], length) == 0 &&
			    (line[length] == ' ' || line[length] == '\t') &&
			    strtol(line + length, NULL, 10) > 0)
				return true;
		}
	return false;
}
