/* SPDX-License-Identifier: GPL-2.0-only */
/* The "nameserver" lines of resolv.conf(5). */
#ifndef KLOAK_POLICY_RESOLV_CONF_H
#define KLOAK_POLICY_RESOLV_CONF_H

#include <stddef.h>

#define RESOLV_CONF_PATH     "/etc/resolv.conf"
#define RESOLV_CONF_LINE_MAX 1024 /* bytes; a longer line is skipped */

/*
 * Takes what a line names: @size bytes, without blanks, at least one; not
 * necessarily an address. Returns 0 to go on, or a negative errno.
 */
typedef int (*resolv_conf_visit)(void *context, const char *server, size_t size);

/*
 * Calls @visit for every name server of the @size bytes of @data, in order. As
 * in C libraries the keyword begins the line, and what follows the address is
 * ignored. Returns 0, or what @visit returned when it failed.
 */
int resolv_conf_parse(const char *data, size_t size, resolv_conf_visit visit, void *context);

#endif
