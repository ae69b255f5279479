// SPDX-License-Identifier: GPL-2.0-only
/* The JSON writer: structure, escapes, invalid UTF-8, overflow. */
#include "lib/json.h"
#include "selftests/unit/suite.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void expect_string(const void *value, size_t size, const char *expected)
{
	char text[256];
	struct json json;

	json_start(&json, text, sizeof(text));
	json_bytes(&json, NULL, value, size);
	ck_assert_int_eq(json_finish(&json), strlen(expected));
	ck_assert_str_eq(text, expected);
}

START_TEST(structure)
{
	char text[256];
	struct json json;

	json_start(&json, text, sizeof(text));
	json_object(&json, NULL);
	json_string(&json, "name", "a");
	json_array(&json, "list");
	json_number(&json, NULL, 0);
	json_number(&json, NULL, UINT64_MAX);
	json_object(&json, NULL);
	json_object_end(&json);
	json_array_end(&json);
	json_array(&json, "empty");
	json_array_end(&json);
	json_bool(&json, "yes", true);
	json_bool(&json, "no", false);
	json_object_end(&json);
	ck_assert_int_gt(json_finish(&json), 0);
	ck_assert_str_eq(text, "{\"name\":\"a\",\"list\":[0,18446744073709551615,{}],"
			       "\"empty\":[],\"yes\":true,\"no\":false}");
}
END_TEST

START_TEST(escapes)
{
	expect_string("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
	expect_string("\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"");
	expect_string("\x01\x1f\x7f\x1b[31m", 7, "\"\\u0001\\u001f\\u007f\\u001b[31\"");
	/* C1 control sequence introducer, as UTF-8 */
	expect_string("\xc2\x9b", 2, "\"\\u009b\"");
}
END_TEST

START_TEST(every_control_character_is_escaped)
{
	for (int c = 1; c < 0x20; c++) {
		char text[32], value = (char)c;
		struct json json;

		json_start(&json, text, sizeof(text));
		json_bytes(&json, NULL, &value, 1);
		ck_assert_int_gt(json_finish(&json), 0);
		ck_assert_int_eq(text[1], '\\');
		ck_assert_ptr_null(strchr(text, c));
	}
}
END_TEST

START_TEST(utf8_passes)
{
	const char *text =
		"\xc2\xa0 \xc3\xa4 \xe2\x82\xac \xed\x9f\xbf \xf0\x9f\x94\x91 \xf4\x8f\xbf\xbf";
	char expected[64] = "\"";

	strcat(expected, text);
	strcat(expected, "\"");
	expect_string(text, strlen(text), expected);
}
END_TEST

START_TEST(invalid_utf8_is_replaced)
{
	expect_string("\xff"
		      "a",
		      2, "\"\\ufffda\"");
	expect_string("\x80", 1, "\"\\ufffd\"");
	expect_string("\xc0\xaf", 2, "\"\\ufffd\\ufffd\"");	       /* overlong '/' */
	expect_string("\xe0\x80\xaf", 3, "\"\\ufffd\\ufffd\\ufffd\""); /* overlong */
	expect_string("\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\""); /* surrogate */
	expect_string("\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	expect_string("\xe2\x82", 2, "\"\\ufffd\\ufffd\"");	  /* cut */
	expect_string("\xe2\x82\xac", 2, "\"\\ufffd\\ufffd\"");	  /* what follows is not ours */
	expect_string("\xe2\x82\"", 3, "\"\\ufffd\\ufffd\\\"\""); /* the quote survives */
	expect_string("\xc3\"", 2, "\"\\ufffd\\\"\"");
}
END_TEST

START_TEST(bytes_stop_at_nul)
{
	expect_string("sh\0rest", 7, "\"sh\"");
	expect_string("0123456789abcdefXX", 16, "\"0123456789abcdef\"");
	expect_string("", 0, "\"\"");
}
END_TEST

/* Every size is tried in a heap buffer, so that the sanitizer sees one byte too many. */
START_TEST(overflow_is_reported)
{
	const char *full = "{\"k\":\"a\\ufffd\"}";

	for (size_t size = 0; size <= strlen(full) + 1; size++) {
		char *text = malloc(size ? size : 1);
		struct json json;
		ssize_t done;

		ck_assert_ptr_nonnull(text);
		json_start(&json, text, size);
		json_object(&json, NULL);
		json_string(&json, "k", "a\xff");
		json_object_end(&json);
		done = json_finish(&json);
		if (size <= strlen(full))
			ck_assert_int_eq(done, -ENOSPC);
		else
			ck_assert_str_eq(text, full);
		free(text);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		structure,
		escapes,
		every_control_character_is_escaped,
		utf8_passes,
		invalid_utf8_is_replaced,
		bytes_stop_at_nul,
		overflow_is_reported,
	};

	return suite_run("json", tests, ARRAY_SIZE(tests), 0, NULL, NULL);
}
