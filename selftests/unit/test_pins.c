// SPDX-License-Identifier: GPL-2.0-only
/* Static pins: --pin, the hosts file, and the rows of the map "verified". */
#include "selftests/unit/mapped.h"
#include "selftests/unit/scratch.h"
#include "selftests/unit/stderr_capture.h"
#include "selftests/unit/suite.h"
#include "user/policy/hosts.h"
#include "user/policy/pins.h"
#include "user/policy/trusted_file.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct error err;
static struct rule_set rules;
static struct pin_set pins;
static char path[64];

static void setup(void)
{
	err = (struct error){ 0 };
	scratch_make();
	strcpy(path, scratch_path("hosts"));
	write_file(path, "", 0, 0600);
	ck_assert_int_eq(rule_set_add(&rules, "api.example,*.b.example:8443,192.0.2.0/24", 0, &err),
			 0);
}

static void teardown(void)
{
	pin_set_release(&pins);
	rule_set_release(&rules);
	scratch_remove();
}

static void add_hosts(const char *text)
{
	write_file(path, text, strlen(text), 0644);
	ck_assert_msg(pin_set_add_hosts(&pins, &rules, path, &err) == 0, "%s", err.text);
}

static bool pinned(const char *name, const char *text)
{
	uint8_t address[16];

	to_mapped(text, address);
	for (size_t i = 0; i < pins.count; i++)
		if (strcmp(pins.pin[i].name, name) == 0 &&
		    memcmp(pins.pin[i].address, address, 16) == 0)
			return true;
	return false;
}

/* ---- --pin ---- */

START_TEST(option)
{
	static const struct {
		const char *text, *name, *address;
	} pin[] = {
		{ "api.example=192.0.2.7", "api.example", "192.0.2.7" },
		{ "API.Example.=192.0.2.8", "api.example", "192.0.2.8" },
		{ "api.example=2001:db8::7", "api.example", "2001:db8::7" },
		{ "api.example=[2001:db8::8]", "api.example", "2001:db8::8" },
		{ "api.example=::ffff:192.0.2.9", "api.example", "192.0.2.9" },
		{ "x.b.example=127.0.0.1", "x.b.example", "127.0.0.1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pin); i++) {
		ck_assert_msg(pin_set_add(&pins, &rules, pin[i].text, &err) == 0, "%s", err.text);
		ck_assert_uint_eq(pins.count, i + 1);
		ck_assert_msg(pinned(pin[i].name, pin[i].address), "%s", pin[i].text);
	}
	ck_assert_int_eq(pin_set_add(&pins, &rules, pin[0].text, &err), 0);
	ck_assert_uint_eq(pins.count, ARRAY_SIZE(pin)); /* the same again is no second pin */
}
END_TEST

START_TEST(option_refused)
{
	static const struct {
		const char *text, *remedy;
	} bad[] = {
		{ "", "HOST=ADDRESS" },
		{ "api.example", "HOST=ADDRESS" },
		{ "api.example:192.0.2.7", "HOST=ADDRESS" },
		{ "=192.0.2.7", "is empty" },
		{ "*.b.example=192.0.2.7", "each name" },
		{ "*=192.0.2.7", "each name" },
		{ "192.0.2.7=192.0.2.7", "needs no pin" },
		{ "::1=::1", "needs no pin" },
		{ "[::1]=::1", "needs no pin" },
		{ "a..b=192.0.2.7", "empty label" },
		{ "api.example:443=192.0.2.7", "character" },
		{ "\xc3\xbc.example=192.0.2.7", "xn--" },
		{ "api.example=", "what follows '='" },
		{ "api.example=other.example", "what follows '='" },
		{ "api.example=192.0.2", "what follows '='" },
		{ "api.example=192.0.2.7:443", "what follows '='" },
		{ "api.example=192.0.2.0/24", "what follows '='" },
		{ "api.example=[192.0.2.7]", "what follows '='" },
		{ "api.example=[2001:db8::1", "what follows '='" },
		{ "api.example=[2001:db8::1]:443", "what follows '='" },
		{ "api.example=fe80::1%eth0", "without zone" },
		{ "api.example=192.0.2.7 ", "what follows '='" },
		{ "api.example==192.0.2.7", "what follows '='" },
		{ "api.example=0.0.0.0", "nobody's" },
		{ "api.example=::", "nobody's" },
		{ "api.example=::ffff:0.0.0.0", "nobody's" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int ret = pin_set_add(&pins, &rules, bad[i].text, &err);

		ck_assert_msg(ret == -EINVAL, "\"%s\" was accepted", bad[i].text);
		ck_assert_msg(strstr(err.text, bad[i].remedy) != NULL, "\"%s\": %s", bad[i].text,
			      err.text);
		ck_assert_int_eq(err.exit_code, EXIT_CONFIG);
	}
	ck_assert_uint_eq(pins.count, 0);
}
END_TEST

START_TEST(option_without_rule_warns)
{
	capture_begin();
	ck_assert_int_eq(pin_set_add(&pins, &rules, "other.example=192.0.2.7", &err), 0);
	ck_assert_ptr_nonnull(strstr(capture_end(), "no effect"));
	capture_begin();
	ck_assert_int_eq(pin_set_add(&pins, &rules, "api.example=192.0.2.7", &err), 0);
	ck_assert_str_eq(capture_end(), "");
}
END_TEST

/* ---- the hosts file ---- */

START_TEST(hosts_file)
{
	add_hosts("# the usual\n"
		  "127.0.0.1\tlocalhost\n"
		  "::1 localhost ip6-localhost\n"
		  "\n"
		  "  192.0.2.1 \t API.Example other.example x.b.example. # api.b.example\n"
		  "2001:db8::1 api.example\r\n"
		  "#192.0.2.2 api.example\n"
		  "192.0.2.3#api.example\n"
		  "192.0.2.4 b.example\n"
		  "192.0.2.1 api.example\n"
		  "192.0.2.5 y.b.example"); /* no newline at the end */
	ck_assert(pinned("api.example", "192.0.2.1"));
	ck_assert(pinned("x.b.example", "192.0.2.1"));
	ck_assert(pinned("api.example", "2001:db8::1"));
	ck_assert(pinned("y.b.example", "192.0.2.5"));
	ck_assert_uint_eq(pins.count, 4);
}
END_TEST

START_TEST(hosts_bad_lines)
{
	static const char nul[] = "192.0.2.1 api.example\0.x\n192.0.2\0.2 api.example\n"
				  "192.0.2.9 api.example\n";
	char line[HOSTS_LINE_MAX + 64];

	add_hosts("192.0.2 api.example\n"
		  "api.example 192.0.2.1\n"
		  "192.0.2.1\n"
		  "192.0.2.1,api.example\n"
		  "192.0.2.1/24 api.example\n"
		  "fe80::1%lo api.example\n"
		  "0.0.0.0 api.example\n"
		  ":: api.example\n"
		  "[::1] api.example\n"
		  "010.0.0.1 api.example\n"
		  "192.0.2.1 *.b.example -x.b.example a..b.example 7.b.7\n");
	ck_assert_uint_eq(pins.count, 0);
	write_file(path, nul, sizeof(nul) - 1, 0644);
	ck_assert_int_eq(pin_set_add_hosts(&pins, &rules, path, &err), 0);
	ck_assert_uint_eq(pins.count, 1);
	ck_assert(pinned("api.example", "192.0.2.9"));

	/* 1,024 bytes are read, 1,025 are not. */
	memset(line, ' ', sizeof(line));
	memcpy(line, "192.0.2.6", 9);
	strcpy(line + HOSTS_LINE_MAX - 11, "api.example\n");
	add_hosts(line);
	ck_assert(pinned("api.example", "192.0.2.6"));
	memset(line, ' ', sizeof(line));
	memcpy(line, "192.0.2.8", 9);
	strcpy(line + HOSTS_LINE_MAX - 10, "api.example\n192.0.2.7 api.example\n");
	add_hosts(line);
	ck_assert(!pinned("api.example", "192.0.2.8"));
	ck_assert(pinned("api.example", "192.0.2.7"));
}
END_TEST

START_TEST(hosts_missing_or_no_file)
{
	ck_assert_int_eq(pin_set_add_hosts(&pins, &rules, "/nonexistent/hosts", &err), 0);
	capture_begin();
	ck_assert_int_eq(pin_set_add_hosts(&pins, &rules, "/dev/zero", &err), 0);
	ck_assert_ptr_nonnull(strstr(capture_end(), "not a regular file"));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	capture_begin();
	ck_assert_int_eq(pin_set_add_hosts(&pins, &rules, path, &err), 0); /* does not block */
	capture_end();
	ck_assert_uint_eq(pins.count, 0);
}
END_TEST

/* What the application may have written says nothing. */
START_TEST(hosts_of_others)
{
	static const char text[] = "192.0.2.1 api.example\n";

	write_file(path, text, strlen(text), 0644);
	ck_assert_int_eq(chmod(path, 0666), 0);
	capture_begin();
	ck_assert_int_eq(pin_set_add_hosts(&pins, &rules, path, &err), 0);
	ck_assert_ptr_nonnull(strstr(capture_end(), "chmod 644"));
	ck_assert_uint_eq(pins.count, 0);
	ck_assert_int_eq(chmod(path, 0644), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(path, 65534, 65534), 0);
		capture_begin();
		ck_assert_int_eq(pin_set_add_hosts(&pins, &rules, path, &err), 0);
		ck_assert_ptr_nonnull(strstr(capture_end(), "chown root"));
		ck_assert_uint_eq(pins.count, 0);
		ck_assert_int_eq(chown(path, 0, 0), 0);
	}
	ck_assert_int_eq(pin_set_add_hosts(&pins, &rules, path, &err), 0);
	ck_assert_uint_eq(pins.count, 1);
}
END_TEST

/* After 1 MiB nothing is read, and the line that is cut there is not taken for whole. */
START_TEST(hosts_too_large)
{
	static char data[TRUSTED_FILE_MAX + 4096];
	static const char first[] = "192.0.2.1 api.example\n";
	static const char cut[] = "192.0.2.22 api.example\n";

	memset(data, '\n', sizeof(data));
	memcpy(data, first, strlen(first));
	memcpy(data + TRUSTED_FILE_MAX - strlen(cut) + 1, cut, strlen(cut));
	memcpy(data + TRUSTED_FILE_MAX + 100, "192.0.2.3 api.example", 21);
	write_file(path, data, sizeof(data), 0644);
	capture_begin();
	ck_assert_int_eq(pin_set_add_hosts(&pins, &rules, path, &err), 0);
	ck_assert_ptr_nonnull(strstr(capture_end(), "1 MiB"));
	ck_assert_uint_eq(pins.count, 1);
	ck_assert(pinned("api.example", "192.0.2.1"));
}
END_TEST

START_TEST(too_many_pins)
{
	static char data[TRUSTED_FILE_MAX];
	size_t size = 0;

	for (int i = 0; i <= PIN_SET_MAX; i++)
		size += (size_t)snprintf(data + size, sizeof(data) - size,
					 "192.0.2.1 h%d.b.example h%d.c.example\n", i, i);
	write_file(path, data, size, 0644);
	ck_assert_int_eq(pin_set_add_hosts(&pins, &rules, path, &err), -E2BIG);
	ck_assert_ptr_nonnull(strstr(err.text, "narrower"));
	ck_assert_uint_eq(pins.count, PIN_SET_MAX);
}
END_TEST

/* The machine's own file is at least parsed to its end. */
START_TEST(hosts_of_this_machine)
{
	capture_begin();
	ck_assert_int_eq(pin_set_add_hosts(&pins, &rules, PINS_HOSTS_PATH, &err), 0);
	capture_end();
}
END_TEST

/* ---- map rows ---- */

struct rows {
	size_t count;
	struct verified_key key[16];
	struct verified row[16];
};

static int take(void *context, const struct verified_key *key, const struct verified *row)
{
	struct rows *rows = context;

	rows->key[rows->count] = *key;
	rows->row[rows->count++] = *row;
	return 0;
}

static int refuse(void *context, const struct verified_key *key, const struct verified *row)
{
	(void)context, (void)key, (void)row;
	return -E2BIG;
}

START_TEST(verified_rows)
{
	static struct rows rows;
	uint8_t address[16];

	capture_begin();
	ck_assert_int_eq(pin_set_add(&pins, &rules, "other.example=192.0.2.1", &err), 0);
	capture_end();
	ck_assert_int_eq(pin_set_add(&pins, &rules, "api.example=192.0.2.7", &err), 0);
	add_hosts("2001:db8::1 x.b.example\n");
	ck_assert_int_eq(pin_set_emit(&pins, &rules, 9, take, &rows), 0);
	ck_assert_uint_eq(rows.count, 2); /* not the name that no rule covers */
	ck_assert_str_eq((const char *)rows.key[0].name, "api.example");
	to_mapped("192.0.2.7", address);
	ck_assert_int_eq(memcmp(rows.key[0].address, address, 16), 0);
	ck_assert_str_eq((const char *)rows.key[1].name, "x.b.example");
	to_mapped("2001:db8::1", address);
	ck_assert_int_eq(memcmp(rows.key[1].address, address, 16), 0);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(rows.key[i].workload, 9);
		ck_assert_uint_eq(rows.row[i].expires, UINT64_MAX);
		for (size_t at = 11; at < NAME_SIZE; at++) /* keys are compared whole */
			ck_assert_uint_eq(rows.key[i].name[at], 0);
	}
	ck_assert_int_eq(pin_set_emit(&pins, &rules, 9, refuse, NULL), -E2BIG);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		option,
		option_refused,
		option_without_rule_warns,
		hosts_file,
		hosts_bad_lines,
		hosts_missing_or_no_file,
		hosts_of_others,
		hosts_too_large,
		too_many_pins,
		hosts_of_this_machine,
		verified_rows,
	};

	return suite_run("pins", tests, ARRAY_SIZE(tests), 30, setup, teardown);
}
