// SPDX-License-Identifier: GPL-2.0-only
/* The report for programs: see explain.h; the members are documented in kloak-events(5). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/site.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "user/explain/explain.h"

/* Every character of every path escaped. */
#define HEAD_SIZE     65536
#define FILE_SIZE     (6 * PATH_MAX + 16384)
#define FUNCTION_SIZE 512

static size_t capacity_for(const struct explain *explain)
{
	size_t size = HEAD_SIZE + explain->count * FILE_SIZE;

	for (size_t i = 0; i < explain->count; i++)
		for (size_t k = 0; explain->files[i].plans && k < hook_count; k++)
			size += explain->files[i].plans->by_hook[k].count * FUNCTION_SIZE;
	return size;
}

/* Addresses may be larger than what JavaScript keeps of a number. */
static void write_hex(struct json *json, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
	json_string(json, key, text);
}

static void write_build_id(struct json *json, const struct elf_build_id *id)
{
	char text[2 * ELF_BUILD_ID_MAX + 1] = "";

	for (size_t i = 0; i < id->size; i++)
		snprintf(text + 2 * i, 3, "%02x", id->bytes[i]);
	json_string(json, "build_id", text);
}

static void write_probe(struct json *json, const struct explain_file *file, size_t hook, size_t i)
{
	const struct hook_probe *probe = &file->plans->by_hook[hook].probes[i];

	json_object(json, NULL);
	json_string(json, "symbol", probe->function->symbol);
	json_string(json, "gives", explain_is_write(probe->function) ? "plaintext" : "keys");
	write_hex(json, "address", probe->symbol.value);
	write_hex(json, "offset", probe->offset);
	json_number(json, "site", probe->site.offset);
	json_string(json, "instruction", insn_kind_name(probe->site.kind));
	json_string(json, "cost", site_cost_name(probe->site.cost));
	json_number(json, "stack_moved", probe->site.stack_moved);
	json_bool(json, "on_return", probe->function->on_return != NULL);
	json_bool(json, "attached", probe->attached);
	json_object_end(json);
}

static void write_hooks(struct json *json, const struct explain_file *file)
{
	json_array(json, "hooks");
	for (size_t i = 0; file->plans && i < hook_count; i++) {
		if (!file->plans->by_hook[i].count)
			continue;
		json_object(json, NULL);
		json_string(json, "hook", hooks[i].name);
		json_string(json, "library", hooks[i].title);
		json_string(json, "version", explain_version(file, i));
		json_array(json, "functions");
		for (size_t k = 0; k < file->plans->by_hook[i].count; k++)
			write_probe(json, file, i, k);
		json_array_end(json);
		json_object_end(json);
	}
	json_array_end(json);
}

static void write_passed(struct json *json, const struct explain_file *file)
{
	json_array(json, "not_probed");
	for (size_t i = 0; i < file->passed_count; i++) {
		json_object(json, NULL);
		json_string(json, "symbol", file->passed[i].symbol);
		json_string(json, "text", file->passed[i].why);
		json_object_end(json);
	}
	json_array_end(json);
}

static void write_names(struct json *json, const char *key, uint64_t reasons)
{
	json_array(json, key);
	for (unsigned int i = 0; i < EXPLAIN_REASONS; i++)
		if (reasons & EXPLAIN_BIT(i))
			json_string(json, NULL, explain_reasons[i].name);
	json_array_end(json);
}

static void write_file(struct json *json, const struct explain_file *file)
{
	json_object(json, NULL);
	json_string(json, "path", file->path);
	json_string(json, "role", explain_role_name(file->role));
	json_bool(json, "deleted", file->deleted);
	json_string(json, "soname", file->soname);
	write_build_id(json, &file->build_id);
	json_string(json, "error",
		    file->trouble[0] ? file->trouble
		    : file->error    ? strerror(-file->error)
				     : "");
	write_hooks(json, file);
	write_passed(json, file);
	write_names(json, "known", file->reasons);
	json_object_end(json);
}

static void write_live(struct json *json, const struct explain_live *live)
{
	json_object(json, "process");
	json_string(json, "comm", live->comm);
	json_string(json, "workload", live->workload);
	json_string(json, "unknown", live->unknown);
	json_bool(json, "probes_known", live->links_known);
	json_number(json, "keys", live->keys);
	json_number(json, "keys_not_served", live->unserved);
	json_number(json, "threads_staged", live->staged);
	json_object_end(json);
}

static void write_notes(struct json *json, uint64_t notes)
{
	json_array(json, "notes");
	for (unsigned int i = 0; i < EXPLAIN_REASONS; i++) {
		if (!(notes & EXPLAIN_BIT(i)))
			continue;
		json_object(json, NULL);
		json_string(json, "name", explain_reasons[i].name);
		json_string(json, "text", explain_reasons[i].text);
		json_string(json, "remedy", explain_reasons[i].remedy);
		json_object_end(json);
	}
	json_array_end(json);
}

static void write_later(struct json *json, const struct explain *explain)
{
	json_array(json, "later");
	for (size_t i = 0; i < hook_count; i++) {
		if (!(explain->later & 1U << i))
			continue;
		json_object(json, NULL);
		json_string(json, "runtime", hooks[i].title);
		json_string(json, "version", explain->later_version[i]);
		json_string(json, "state", explain_state_name(EXPLAIN_WOULD));
		json_object_end(json);
	}
	json_array_end(json);
}

static void write_all(struct json *json, const struct explain *explain)
{
	const struct reason_row *reason = &explain_reasons[explain->reason];

	json_object(json, NULL);
	json_string(json, "kloak", KLOAK_VERSION);
	json_string(json, "path", explain->path);
	if (explain->pid)
		json_number(json, "pid", (uint64_t)explain->pid);
	json_string(json, "state", explain_state_name(explain->state));
	json_bool(json, "hookable", explain_is_hookable(explain));
	json_string(json, "runtime", explain->runtime ? explain->runtime->title : "");
	json_string(json, "version", explain->version);
	json_string(json, "reason", reason->name);
	json_string(json, "text", reason->text);
	json_string(json, "remedy", reason->remedy);
	write_later(json, explain);
	if (explain->pid)
		write_live(json, &explain->live);
	write_notes(json, explain->notes);
	json_array(json, "files");
	for (size_t i = 0; i < explain->count; i++)
		write_file(json, &explain->files[i]);
	json_array_end(json);
	json_number(json, "files_left_out", explain->left_out);
	json_object_end(json);
}

int explain_print_json(FILE *out, const struct explain *explain)
{
	size_t capacity = capacity_for(explain);
	CLEANUP_FREE char *text = malloc(capacity);
	struct json json;
	ssize_t size;

	if (!text)
		return -ENOMEM;
	json_start(&json, text, capacity);
	write_all(&json, explain);
	size = json_finish(&json);
	if (size < 0)
		return (int)size;
	return fprintf(out, "%s\n", text) < 0 ? -EIO : 0;
}
