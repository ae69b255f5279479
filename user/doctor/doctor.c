// SPDX-License-Identifier: GPL-2.0-only
/* The table of checks, and the two ways to print what they found. */
#include "user/doctor/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "user/doctor/checks.h"

#define JSON_SIZE (128 << 10) /* every character of every finding escaped */

const struct doctor_check doctor_checks[DOCTOR_CHECKS] = {
	{ "kernel", check_kernel },
	{ "capabilities", check_capabilities },
	{ "lockdown", check_lockdown },
	{ "bpf", check_programs },
	{ "jit", check_jit },
	{ "ring buffer", check_ringbuf },
	{ "socket storage", check_storage },
	{ "sockmap", check_sockhash },
	{ "uprobes", check_uprobes },
	{ "probe cost", check_cost },
	{ "later libraries", check_watch },
	{ "cgroup2", check_cgroup },
	{ "netns cookie", check_netns },
	{ "memlock", check_memlock },
	{ "start", check_start },
	{ "unprivileged bpf", check_unprivileged },
	{ "ktls", check_ktls },
	{ "name service", check_names },
	{ "resolvers", check_resolvers },
};

static const char *const verdicts[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_WARN] = "warn",
	[DOCTOR_FAIL] = "fail",
};

void doctor_set(struct doctor_finding *finding, enum doctor_verdict verdict, const char *remedy,
		const char *format, ...)
{
	va_list args;

	finding->verdict = verdict;
	snprintf(finding->remedy, sizeof(finding->remedy), "%s", remedy ? remedy : "");
	va_start(args, format);
	vsnprintf(finding->found, sizeof(finding->found), format, args);
	va_end(args);
}

static size_t count(const struct doctor_finding findings[static DOCTOR_CHECKS],
		    enum doctor_verdict verdict)
{
	size_t found = 0;

	for (size_t i = 0; i < DOCTOR_CHECKS; i++)
		found += findings[i].verdict == verdict;
	return found;
}

bool doctor_examine(const char *root, struct doctor_finding findings[static DOCTOR_CHECKS])
{
	for (size_t i = 0; i < DOCTOR_CHECKS; i++)
		doctor_checks[i].examine(root, &findings[i]);
	return count(findings, DOCTOR_FAIL) == 0;
}

void doctor_print(FILE *out, const struct doctor_finding findings[static DOCTOR_CHECKS])
{
	size_t failed = count(findings, DOCTOR_FAIL), warned = count(findings, DOCTOR_WARN);

	for (size_t i = 0; i < DOCTOR_CHECKS; i++)
		fprintf(out, "%-5s %-20s %s\n", verdicts[findings[i].verdict],
			doctor_checks[i].name, findings[i].found);
	fputc('\n', out);
	for (size_t i = 0; i < DOCTOR_CHECKS; i++)
		if (findings[i].remedy[0])
			fprintf(out, "%s: %s\n", doctor_checks[i].name, findings[i].remedy);
	if (failed)
		fprintf(out, "kloak run does not work here: %zu checks failed.\n", failed);
	else
		fprintf(out, "kloak run works here: no check failed, %zu warned.\n", warned);
}

static void write_findings(struct json *json,
			   const struct doctor_finding findings[static DOCTOR_CHECKS])
{
	json_object(json, NULL);
	json_string(json, "kloak", KLOAK_VERSION);
	json_bool(json, "ok", count(findings, DOCTOR_FAIL) == 0);
	json_array(json, "checks");
	for (size_t i = 0; i < DOCTOR_CHECKS; i++) {
		json_object(json, NULL);
		json_string(json, "name", doctor_checks[i].name);
		json_string(json, "verdict", verdicts[findings[i].verdict]);
		json_string(json, "found", findings[i].found);
		json_string(json, "remedy", findings[i].remedy);
		json_object_end(json);
	}
	json_array_end(json);
	json_object_end(json);
}

int doctor_print_json(FILE *out, const struct doctor_finding findings[static DOCTOR_CHECKS])
{
	CLEANUP_FREE char *text = malloc(JSON_SIZE);
	struct json json;
	ssize_t size;

	if (!text)
		return -ENOMEM;
	json_start(&json, text, JSON_SIZE);
	write_findings(&json, findings);
	size = json_finish(&json);
	if (size < 0)
		return (int)size;
	return fprintf(out, "%s\n", text) < 0 ? -EIO : 0;
}
