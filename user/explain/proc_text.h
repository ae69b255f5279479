/* SPDX-License-Identifier: GPL-2.0-only */
/* Two texts of /proc/PID that tell how a process stands with Kloak. */
#ifndef KLOAK_EXPLAIN_PROC_TEXT_H
#define KLOAK_EXPLAIN_PROC_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The name of the run's cgroup that a process of /proc/PID/cgroup @text is in, the
 * innermost if there are several; "" if it is in none. @text is cut up.
 */
void proc_workload(char *text, char *name, size_t size);

/* Whether /proc/PID/net/tls_stat @text counts sockets that send by kernel TLS. It is cut up. */
bool proc_uses_ktls(char *text);

#endif
