// SPDX-License-Identifier: GPL-2.0-only
/* kernel/tls/record.h: what may be the header of a TLS record. */
#include "kernel/tls/record.h"
#include "selftests/unit/suite.h"

#include <check.h>

/* Every first byte with every version. */
START_TEST(types_and_versions)
{
	for (unsigned int type = 0; type < 256; type++) {
		for (unsigned int version = 0; version < 65536; version++) {
			u8 head[5] = { (u8)type, (u8)(version >> 8), (u8)version, 0, 100 };
			int right = type >= 20 && type <= 23 && version >= 0x0300 &&
				    version <= 0x0303;

			if (record_plausible(head) != right)
				ck_abort_msg("type %u, version %04x", type, version);
		}
	}
}
END_TEST

/* RFC 5246, 6.2.3: 2^14 + 2048 is the most, and no protected record is empty. */
START_TEST(lengths)
{
	for (unsigned int length = 0; length < 65536; length++) {
		u8 head[5] = { 23, 3, 3, (u8)(length >> 8), (u8)length };

		ck_assert_uint_eq(record_length(head), length);
		ck_assert_int_eq(record_plausible(head), length > 0 && length <= 16384 + 2048);
	}
}
END_TEST

/* What other protocols begin with. */
START_TEST(not_tls)
{
	static const char *const text[] = { "GET / HTTP/1.1",	    "SSH-2.0-x", "PRI * HTTP/2.0",
					    "\x80\x2e\x01\x03\x01", "EHLO x",	 "\0\0\0\0\0" };

	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		ck_assert_int_eq(record_plausible((const u8 *)text[i]), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { types_and_versions, lengths, not_tls };

	return suite_run("record", tests, ARRAY_SIZE(tests), 60, NULL, NULL);
}
