// SPDX-License-Identifier: GPL-2.0-only
/* hosts(5): every pair that is reported is a normalised name and a real address. */
#include "lib/address.c"
#include "user/policy/hosts.c"
#include "user/policy/name.c"

#include <stdlib.h>

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

static int check_pair(void *context, const char *name, const uint8_t address[static ADDRESS_SIZE])
{
	char again[NAME_SIZE];
	const char *why;

	REQUIRE(!address_unspecified(address));
	REQUIRE(strlen(name) <= NAME_MAX_BYTES);
	REQUIRE(name_normalise(name, strlen(name), again, &why) == 0 && strcmp(name, again) == 0);
	++*(size_t *)context;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1); /* its end is where ASan looks */
	size_t pairs = 0;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	REQUIRE(hosts_parse(copy, size, check_pair, &pairs) == 0);
	REQUIRE(pairs <= size);
	free(copy);
	return 0;
}
