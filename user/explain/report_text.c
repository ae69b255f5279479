// SPDX-License-Identifier: GPL-2.0-only
/*
 * The report for people: see explain.h. Names of files and processes were chosen by
 * others: what could steer a terminal is replaced.
 */
#include <string.h>

#include "elf/site.h"
#include "lib/json.h"
#include "user/explain/explain.h"

/* As in JSON, but for the quotation marks around it: control characters are escaped there. */
static void put_safe(FILE *out, const char *text)
{
	char escaped[6 * PATH_MAX + 3];
	struct json json;
	ssize_t size;

	json_start(&json, escaped, sizeof(escaped));
	json_string(&json, NULL, text);
	size = json_finish(&json);
	if (size >= 2)
		fwrite(escaped + 1, 1, (size_t)size - 2, out);
}

static void put_line(FILE *out, const char *name, const char *text)
{
	fprintf(out, "  %-10s ", name);
	put_safe(out, text);
	fputc('\n', out);
}

static void put_library(FILE *out, const char *name, const struct hook *hook, const char *version)
{
	fprintf(out, "  %-10s %s%s%s\n", name, hook->title, version[0] ? ", version " : "",
		version);
}

static void put_build_id(FILE *out, const struct elf_build_id *id)
{
	if (!id->size)
		return;
	fprintf(out, "  %-10s ", "build-id");
	for (size_t i = 0; i < id->size; i++)
		fprintf(out, "%02x", id->bytes[i]);
	fputc('\n', out);
}

/* --- one file ------------------------------------------------------------ */

static void put_probe(FILE *out, const struct hook_probe *probe)
{
	const struct site *site = &probe->site;

	fprintf(out, "    %s at %#llx (file offset %#llx), probe at +%u: %s, %s%s",
		probe->function->symbol, (unsigned long long)probe->symbol.value,
		(unsigned long long)probe->offset, site->offset, insn_kind_name(site->kind),
		site_cost_name(site->cost),
		probe->function->on_return ? ", and at the return" : "");
	if (site->stack_moved)
		fprintf(out, ", stack moved by %u", site->stack_moved);
	fprintf(out, "%s\n", probe->attached ? "; attached" : "");
}

static void put_plan(FILE *out, const struct explain_file *file, size_t hook)
{
	const struct hook_plan *plan = &file->plans->by_hook[hook];

	if (!plan->count)
		return;
	put_library(out, "hook", &hooks[hook], explain_version(file, hook));
	for (size_t i = 0; i < plan->count; i++)
		put_probe(out, &plan->probes[i]);
}

/* A name of a hook that is nothing to be probed here. */
static void put_passed(FILE *out, const struct explain_file *file)
{
	for (size_t i = 0; i < file->passed_count; i++)
		fprintf(out, "  %-10s %s: %s\n", "not probed", file->passed[i].symbol,
			file->passed[i].why);
}

static void put_known(FILE *out, const struct explain_file *file)
{
	for (unsigned int i = 0; i < EXPLAIN_REASONS; i++)
		if (file->reasons & EXPLAIN_BIT(i))
			put_line(out, "known", explain_reasons[i].text);
}

static bool is_of_interest(const struct explain_file *file)
{
	return file->plans || file->reasons || file->trouble[0] || file->passed_count ||
	       file->role == EXPLAIN_PROGRAM || explain_is_unread(file);
}

static void put_file(FILE *out, const struct explain_file *file)
{
	fputc('\n', out);
	put_safe(out, file->path);
	fprintf(out, " (%s%s)\n", explain_role_name(file->role),
		file->deleted ? ", replaced or deleted on disk" : "");
	if (file->soname[0])
		put_line(out, "soname", file->soname);
	put_build_id(out, &file->build_id);
	if (file->error)
		put_line(out, "error", strerror(-file->error));
	if (file->trouble[0])
		put_line(out, "error", file->trouble);
	for (size_t i = 0; file->plans && i < hook_count; i++)
		put_plan(out, file, i);
	put_passed(out, file);
	put_known(out, file);
}

/* Of what may be loaded later the line above has said all that matters. */
static void put_files(FILE *out, const struct explain *explain)
{
	size_t others = explain->left_out;

	for (size_t i = 0; i < explain->count; i++) {
		if (explain->files[i].role == EXPLAIN_LATER)
			continue;
		if (is_of_interest(&explain->files[i]))
			put_file(out, &explain->files[i]);
		else
			others++;
	}
	if (others)
		fprintf(out, "\n%zu other files without TLS\n", others);
}

/* --- the whole ------------------------------------------------------------- */

static void put_live(FILE *out, const struct explain *explain)
{
	const struct explain_live *live = &explain->live;

	put_line(out, "process", live->comm);
	put_line(out, "workload",
		 live->workload[0] ? live->workload : "none: no kloak run started it");
	if (live->unknown[0]) {
		put_line(out, "kernel", live->unknown);
		return;
	}
	fprintf(out, "  %-10s %llu seen", "keys", (unsigned long long)live->keys);
	if (live->unserved)
		fprintf(out, "; of the last %llu, %llu of suites that are not served",
			(unsigned long long)live->kept, (unsigned long long)live->unserved);
	fputc('\n', out);
	if (live->staged)
		fprintf(out, "  %-10s threads with placeholders on their way: %llu\n", "writes",
			(unsigned long long)live->staged);
}

static void put_remedy(FILE *out, const struct reason_row *row)
{
	put_line(out, "remedy", row->remedy);
}

/* Whether it will is not known. */
static void put_later(FILE *out, const struct explain *explain)
{
	const char *between = "";

	if (!explain->later)
		return;
	fprintf(out, "  %-10s ", "later");
	for (size_t i = 0; i < hook_count; i++) {
		if (!(explain->later & 1U << i))
			continue;
		fprintf(out, "%s%s%s%s", between, hooks[i].title,
			explain->later_version[i][0] ? " " : "", explain->later_version[i]);
		between = ", ";
	}
	fputs(" would be hooked, should it load one\n", out);
}

static void put_head(FILE *out, const struct explain *explain)
{
	if (explain->pid)
		fprintf(out, "process %d%s", explain->pid, explain->path[0] ? ", " : "");
	put_safe(out, explain->path);
	fprintf(out, ": %s", explain_state_text(explain->state));
	if (explain->reason)
		fprintf(out, ": %s", explain_reasons[explain->reason].text);
	fputc('\n', out);
}

void explain_print(FILE *out, const struct explain *explain)
{
	put_head(out, explain);
	if (explain->runtime)
		put_library(out, "runtime", explain->runtime, explain->version);
	if (explain->reason)
		put_remedy(out, &explain_reasons[explain->reason]);
	put_later(out, explain);
	if (explain->pid)
		put_live(out, explain);
	for (unsigned int i = 0; i < EXPLAIN_REASONS; i++)
		if (explain->notes & EXPLAIN_BIT(i)) {
			put_line(out, "besides", explain_reasons[i].text);
			put_remedy(out, &explain_reasons[i]);
		}
	put_files(out, explain);
}
