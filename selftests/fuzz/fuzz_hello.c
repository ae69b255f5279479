// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ClientHello of a hostile application, as the kernel side reads it: nothing
 * is read beyond the data, and a name that is believed is a host name.
 */
#include "selftests/unit/host_world.h"

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

static void require_name(const struct tls_socket *s)
{
	size_t size = strlen((const char *)s->sni.name);

	REQUIRE(s->sni.size > 0 && s->sni.size < NAME_SIZE);
	REQUIRE(size == s->sni.size || size + 1 == s->sni.size);
	for (size_t i = 0; i < sizeof(s->sni.name); i++) {
		u8 c = s->sni.name[i];

		REQUIRE(i < size ? name_byte(c) == c : c == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tls_socket s;
	uint8_t *copy = host_alloc(size ? size : 1);
	struct host_socket socket = { .storage = { { &sockets, &s } } };
	struct sk_msg_md m = { .data = copy, .data_end = copy + size, .sk = (void *)&socket };

	memcpy(copy, data, size);
	memset(&s, 0, sizeof(s));
	policy_hello(&m);
	REQUIRE(s.hello >= HELLO_NAME && s.hello <= HELLO_BAD);
	if (s.hello == HELLO_NAME) {
		require_name(&s);
		policy_hello(&m); /* the same again says the same */
		REQUIRE(s.hello == HELLO_NAME);
	}
	free(copy);
	host_maps_clear();
	return 0;
}
