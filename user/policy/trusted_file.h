/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of the system that say which address a name has, or whom to ask
 * (hosts, resolv.conf). They count only if the application cannot have written
 * them: a regular file of root or of Kloak's user that nobody else may write.
 */
#ifndef KLOAK_POLICY_TRUSTED_FILE_H
#define KLOAK_POLICY_TRUSTED_FILE_H

#include <stdbool.h>
#include <stddef.h>

#define TRUSTED_FILE_MAX (1 << 20) /* bytes; the rest of a larger file is not read */

struct trusted_file {
	char *data; /* whole lines, not terminated; NULL if there is .why */
	size_t size;
	bool cut;	 /* the file is larger */
	const char *why; /* it does not count; the reason and a remedy */
};

/*
 * Reads @path without ever blocking. Returns 0 with @file filled, to be given to
 * trusted_file_release(), or a negative errno: -ENOENT if there is no such file.
 */
int trusted_file_read(const char *path, struct trusted_file *file);

void trusted_file_release(struct trusted_file *file);

#endif
