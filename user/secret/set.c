// SPDX-License-Identifier: GPL-2.0-only
/* The secrets of one workload: see set.h for their life cycle. */
#include "user/secret/set.h"

#include <errno.h>
#include <string.h>

_Static_assert(sizeof(secret_mask) * 8 == WORKLOAD_SECRETS, "one bit for each secret");

int secret_set_init(struct secret_set *set, struct error *err)
{
	*set = (struct secret_set){ 0 };
	return secret_memory_map(&set->memory, (size_t)WORKLOAD_SECRETS * SECRET_SLOT_SIZE, err);
}

static int option_check(const struct secret_set *set, const struct secret_option *option,
			struct error *err)
{
	for (unsigned int i = 0; i < set->count; i++)
		if (strcmp(set->entry[i].name, option->name) == 0)
			return error_config(err, -EEXIST,
					    "secret %s is given twice; name all its hosts in one "
					    "-s, separated by commas",
					    option->name);
	if (set->count == WORKLOAD_SECRETS)
		return error_config(err, -E2BIG,
				    "secret %s is one too many: a workload has at most %d; start "
				    "several kloak run",
				    option->name, WORKLOAD_SECRETS);
	return 0;
}

static void values_warn(const struct secret_set *set, const struct secret_entry *new,
			const struct placeholder *placeholder)
{
	for (unsigned int i = 0; i < set->count; i++)
		if (set->entry[i].size == new->size &&
		    memcmp(set->entry[i].value, new->value, new->size) == 0)
			warning("secrets %s and %s have the same value", set->entry[i].name,
				new->name);
	if (!placeholder->hpack_equal)
		warning("secret %s has no placeholder of the same Huffman length: it works "
			"everywhere but in compressed HTTP/2 headers",
			new->name);
}

int secret_set_add(struct secret_set *set, const char *text, const char **hosts, struct error *err)
{
	struct secret_option option;
	struct secret_entry entry = { 0 };
	int ret = secret_option_parse(text, &option, err);

	if (ret == 0)
		ret = option_check(set, &option, err);
	if (ret < 0)
		return ret;
	memcpy(entry.name, option.name, sizeof(entry.name));
	entry.source = option.source;
	entry.value = set->memory.base + (size_t)set->count * SECRET_SLOT_SIZE;
	ret = secret_source_read(&option, entry.value, &entry.size, err);
	if (ret == 0) {
		ret = placeholder_make(entry.value, entry.size, set->placeholder, set->count,
				       &set->placeholder[set->count], err);
		if (ret < 0)
			error_prefix(err, "secret %s", entry.name);
	}
	if (ret < 0) {
		secret_wipe(entry.value, SECRET_SLOT_SIZE);
		return ret;
	}
	values_warn(set, &entry, &set->placeholder[set->count]);
	set->entry[set->count] = entry;
	*hosts = option.hosts;
	return (int)set->count++;
}

uint64_t secret_set_lengths(const struct secret_set *set)
{
	uint64_t lengths = 0;

	for (unsigned int i = 0; i < set->count; i++) {
		size_t size = set->placeholder[i].size;

		lengths |= (uint64_t)1 << (size < PLACEHOLDER_HEAD ? size : PLACEHOLDER_HEAD);
	}
	return lengths;
}

static void row_fill(const struct secret_set *set, unsigned int index, uint32_t workload,
		     struct secret_key *key, struct secret *row)
{
	const struct secret_entry *entry = &set->entry[index];
	const char *text = set->placeholder[index].text;
	size_t head = entry->size < PLACEHOLDER_HEAD ? entry->size : PLACEHOLDER_HEAD;

	*key = (struct secret_key){ .workload = workload };
	memcpy(key->head, text, head);
	*row = (struct secret){ .index = index, .size = (uint32_t)entry->size };
	memcpy(row->placeholder, text, entry->size);
	for (size_t i = 0; i < entry->size; i++)
		row->delta[i] = row->placeholder[i] ^ entry->value[i];
}

/* Placeholder and delta together are the value: the row is as secret as that. */
int secret_set_emit(const struct secret_set *set, uint32_t workload, secret_emit emit,
		    void *context)
{
	struct secret_key key;
	struct secret row;
	int ret = 0;

	for (unsigned int i = 0; i < set->count && ret == 0; i++) {
		if (!set->entry[i].value)
			return -ENODATA;
		row_fill(set, i, workload, &key, &row);
		ret = emit(context, &key, &row);
	}
	secret_wipe(&row, sizeof(row));
	return ret;
}

/* The longest secret that stands at @text, or -1. */
static int secret_at(const struct secret_set *set, const char *text, size_t size)
{
	int best = -1;

	for (unsigned int i = 0; i < set->count; i++) {
		const struct secret_entry *entry = &set->entry[i];

		if (!entry->value || entry->size > size ||
		    memcmp(text, entry->value, entry->size) != 0)
			continue;
		if (best < 0 || entry->size > set->entry[best].size)
			best = (int)i;
	}
	return best;
}

secret_mask secret_set_redact(const struct secret_set *set, char *text)
{
	size_t size = strlen(text);
	secret_mask found = 0;

	for (size_t at = 0; at + SECRET_MIN <= size;) {
		int index = secret_at(set, text + at, size - at);

		if (index < 0) {
			at++;
			continue;
		}
		memcpy(text + at, set->placeholder[index].text, set->entry[index].size);
		at += set->entry[index].size;
		found |= (secret_mask)1 << index;
	}
	return found;
}

void secret_set_wipe(struct secret_set *set)
{
	for (unsigned int i = 0; i < set->count; i++)
		set->entry[i].value = NULL;
	secret_memory_release(&set->memory);
}
