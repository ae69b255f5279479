/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What becomes of events: one JSON object a line (kloak-events(5)), and, where
 * nobody asked for those, one line of refusals at the end.
 */
#ifndef KLOAK_EVENT_REPORT_H
#define KLOAK_EVENT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "kernel/abi.h"
#include "lib/error.h"
#include "user/secret/set.h"

struct report {
	int fd;	     /* of the events; -1: none are wanted */
	bool failed; /* a write failed; later ones are not tried */
	const struct secret_set *secrets;
	const char *workload; /* its name in events */
	uint64_t refused;     /* events seen */
	uint64_t refused_by[REASON_COUNT];
	struct event first; /* refusal */
};

/*
 * @events: a path (created with mode 0600, appended to), "-" for standard
 * output, or NULL. @secrets and @workload must outlive the report.
 */
int report_open(struct report *report, const char *events, const struct secret_set *secrets,
		const char *workload, struct error *err);

void report_add(struct report *report, const struct event *event);

/* One line on stderr if anything was refused and no events were asked for. */
void report_summary(const struct report *report);

void report_close(struct report *report);

/* The event as JSON object with newline. Returns its length, or -ENOSPC. */
ssize_t report_format(const struct report *report, const struct event *event, char *text,
		      size_t size);

#endif
