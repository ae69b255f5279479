// SPDX-License-Identifier: GPL-2.0-only
/* Events as JSON lines and as a summary: see report.h. */
#include "user/event/report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/address.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "user/event/reason.h"

#define LINE_SIZE 2048

int report_open(struct report *report, const char *events, const struct secret_set *secrets,
		const char *workload, struct error *err)
{
	memset(report, 0, sizeof(*report));
	report->fd = -1;
	report->secrets = secrets;
	report->workload = workload;
	if (!events)
		return 0;
	if (strcmp(events, "-") == 0)
		report->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		report->fd =
			open(events, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	if (report->fd < 0)
		return error_config(err, -errno, "cannot open %s for events: %s; check the path",
				    events, strerror(errno));
	return 0;
}

/* CLOCK_MONOTONIC nanoseconds as RFC 3339 text in UTC. */
static void format_time(uint64_t monotonic, char *text, size_t size)
{
	uint64_t at = clock_real(monotonic);
	time_t seconds = (time_t)(at / NSEC_PER_SEC);
	struct tm tm;
	char date[32];

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, size, "%s.%06uZ", date, (unsigned int)(at % NSEC_PER_SEC / 1000));
}

/* The name of the secret, also where the kernel knew the placeholder only. "" if unknown. */
static const char *secret_name(const struct report *report, const struct event *event)
{
	const struct secret_set *set = report->secrets;
	unsigned int i;

	if (event->secret < set->count)
		return set->entry[event->secret].name;
	for (i = 0; i < set->count && event->head[0]; i++) {
		size_t size = set->placeholder[i].size;

		if (size > PLACEHOLDER_HEAD)
			size = PLACEHOLDER_HEAD;
		if (memcmp(set->placeholder[i].text, event->head, size) == 0)
			return set->entry[i].name;
	}
	return "";
}

ssize_t report_format(const struct report *report, const struct event *event, char *text,
		      size_t size)
{
	char address[INET6_ADDRSTRLEN] = "";
	char time[64];
	struct json json;

	format_time(event->time, time, sizeof(time));
	json_start(&json, text, size);
	json_object(&json, NULL);
	json_string(&json, "time", time);
	json_string(&json, "workload", report->workload);
	json_number(&json, "pid", event->pid);
	json_number(&json, "tid", event->tid);
	json_bytes(&json, "comm", event->comm, sizeof(event->comm));
	json_string(&json, "secret", secret_name(report, event));
	json_bytes(&json, "host", event->name, sizeof(event->name));
	if (event->port)
		address_format(event->address, address);
	json_string(&json, "address", address);
	json_number(&json, "port", event->port);
	json_string(&json, "verdict", event->verdict == VERDICT_SWAPPED ? "swapped" : "refused");
	if (event->verdict != VERDICT_SWAPPED) {
		json_string(&json, "reason", reason_text(event->reason)->name);
		json_string(&json, "advice", reason_text(event->reason)->advice);
	}
	json_object_end(&json);
	return json_finish(&json);
}

static void write_line(struct report *report, const char *line, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = write(report->fd, line + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			warning("events cannot be written: %s; no more will be", strerror(errno));
			report->failed = true;
			return;
		}
		done += (size_t)n;
	}
}

void report_add(struct report *report, const struct event *event)
{
	char line[LINE_SIZE];
	ssize_t size;

	if (event->verdict == VERDICT_REFUSED) {
		if (!report->refused++)
			report->first = *event;
		if (event->reason < REASON_COUNT)
			report->refused_by[event->reason]++;
	}
	if (report->fd < 0 || report->failed)
		return;
	size = report_format(report, event, line, sizeof(line) - 1);
	if (size < 0)
		return;
	line[size] = '\n';
	write_line(report, line, (size_t)size + 1);
}

void report_summary(const struct report *report)
{
	const struct event *first = &report->first;
	const char *secret = secret_name(report, first);
	char address[INET6_ADDRSTRLEN] = "";

	if (report->fd >= 0 || !report->refused)
		return;
	fprintf(stderr, "kloak: %llu placeholder%s left unchanged; the first: ",
		(unsigned long long)report->refused, report->refused == 1 ? "" : "s");
	fprintf(stderr, "secret %s", secret[0] ? secret : "unknown");
	if (first->port) {
		address_format(first->address, address);
		fprintf(stderr, " to %.255s (%s) port %u",
			first->name[0] ? (const char *)first->name : "no name", address,
			first->port);
	}
	fprintf(stderr, ": %s: %s. --events FILE lists all\n", reason_text(first->reason)->name,
		reason_text(first->reason)->advice);
}

void report_close(struct report *report)
{
	if (report->fd >= 0)
		close(report->fd);
	report->fd = -1;
}
