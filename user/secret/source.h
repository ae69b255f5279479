/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a secret comes from: the argument of kloak run -s.
 *
 *	NAME[=SOURCE]@HOST[:PORT][,HOST[:PORT]...]
 *
 *	SOURCE	none		the environment variable NAME of Kloak itself
 *		file:PATH	a regular file; symbolic links are followed
 *		fd:N		an open descriptor, read to its end, then closed
 *		cred:ID		the systemd credential ID (systemd.exec(5))
 *
 * No host holds an '@', so the last '@' of the argument is the one before the
 * hosts, and a PATH may hold others.
 *
 * From file, fd and cred exactly one newline ("\n" or "\r\n") at the end is
 * dropped: editors and echo(1) add it. The environment's value is taken as it is.
 */
#ifndef KLOAK_SECRET_SOURCE_H
#define KLOAK_SECRET_SOURCE_H

#include "kernel/abi.h"
#include "lib/error.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#define SECRET_NAME_MAX 64

/* What a reader needs: the value, its "\r\n", and one byte that shows that there is more. */
#define SECRET_SLOT_SIZE (SECRET_MAX + 8)

enum secret_source {
	SECRET_FROM_ENVIRONMENT,
	SECRET_FROM_FILE,
	SECRET_FROM_DESCRIPTOR,
	SECRET_FROM_CREDENTIAL,
};

struct secret_option {
	char name[SECRET_NAME_MAX + 1];
	enum secret_source source;
	char place[PATH_MAX]; /* what follows "file:", "fd:" or "cred:" */
	const char *hosts;    /* points into the text that was parsed */
};

/*
 * Takes the argument @text apart; reads nothing and checks no host. Returns 0,
 * or -EINVAL with a sentence in @err, which never holds more of @text than a
 * valid NAME: somebody may have written the value there.
 */
int secret_option_parse(const char *text, struct secret_option *option, struct error *err);

/*
 * Reads the value into @value and its length into @size. The value has
 * SECRET_MIN to SECRET_MAX bytes and no NUL. A descriptor is closed, or if it
 * is 0, 1 or 2 becomes /dev/null, so that no child can read it again.
 *
 * Returns 0, or a negative errno with a sentence in @err; @value may then hold
 * part of the secret, and the caller wipes it.
 */
int secret_source_read(const struct secret_option *option, uint8_t value[static SECRET_SLOT_SIZE],
		       size_t *size, struct error *err);

#endif
