/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The secrets of one workload: values, names, placeholders, and the rows that
 * the kernel gets.
 *
 * Life cycle: secret_set_init() -> secret_set_add() for each option ->
 * environment_for_child() -> secret_environment_wipe() -> secret_set_emit() ->
 * secret_set_wipe(). From then on the set holds names and placeholders only,
 * which events need; they are no secret.
 */
#ifndef KLOAK_SECRET_SET_H
#define KLOAK_SECRET_SET_H

#include <stdint.h>

#include "kernel/abi.h"
#include "user/secret/memory.h"
#include "user/secret/placeholder.h"
#include "user/secret/source.h"

struct secret_entry {
	char name[SECRET_NAME_MAX + 1];
	enum secret_source source;
	size_t size;
	uint8_t *value; /* in the set's memory; NULL once wiped */
};

struct secret_set {
	struct secret_memory memory;
	unsigned int count;
	struct secret_entry entry[WORKLOAD_SECRETS]; /* the index is the bit in a secret_mask */
	struct placeholder placeholder[WORKLOAD_SECRETS];
};

/* Returns 0, or a negative errno with a sentence in @err. */
int secret_set_init(struct secret_set *set, struct error *err);

/*
 * Adds the secret of one -s argument: reads its value, makes its placeholder,
 * warns of what will not work. @hosts becomes its host list, for rule_set_add();
 * it points into @text. Returns the secret's index, or a negative errno with a
 * sentence in @err (and the set is unchanged).
 */
int secret_set_add(struct secret_set *set, const char *text, const char **hosts, struct error *err);

/* What struct config wants to know of the placeholders: see kernel/abi.h. */
uint64_t secret_set_lengths(const struct secret_set *set);

/* Takes a row for the map "secrets"; the row is wiped afterwards. Returns 0 or a negative errno. */
typedef int (*secret_emit)(void *context, const struct secret_key *key, const struct secret *row);

/* Hands every secret to @emit. Returns 0, or what @emit returned when it failed. */
int secret_set_emit(const struct secret_set *set, uint32_t workload, secret_emit emit,
		    void *context);

/*
 * Puts the placeholder in the place of every value that stands in the string
 * @text. Returns the secrets that were found. For text that the child will see,
 * as its arguments: a shell may have expanded $NAME there.
 */
secret_mask secret_set_redact(const struct secret_set *set, char *text);

/* Zeroises the values; names and placeholders stay. A second call does nothing. */
void secret_set_wipe(struct secret_set *set);

#endif
