// SPDX-License-Identifier: GPL-2.0-only
/*
 * Secrets from the argument to the map row: grammar, sources, bad input, the
 * child's environment and Kloak's own.
 */
#include "selftests/unit/scratch.h"
#include "selftests/unit/stderr_capture.h"
#include "selftests/unit/suite.h"
#include "user/secret/environment.h"
#include "user/secret/memory.h"
#include "user/secret/set.h"
#include "user/secret/source.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define VALUE "s3cr3t-of-the-tests-0123456789" /* 30 bytes */

/* AddressSanitizer replaces mlock(2) by nothing. */
#if defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#elif defined(__has_feature)
#define ASAN __has_feature(address_sanitizer)
#else
#define ASAN 0
#endif

static struct error err;
static struct secret_set set;
static char path[128];

static void setup(void)
{
	err = (struct error){ 0 };
	ck_assert_int_eq(secret_set_init(&set, &err), 0);
	scratch_make();
	strcpy(path, scratch_path("secret"));
}

static void teardown(void)
{
	secret_set_wipe(&set);
	scratch_remove();
}

static int add(const char *text)
{
	const char *hosts = NULL;

	return secret_set_add(&set, text, &hosts, &err);
}

/* Adds "NAME=file:<path>@h". */
static int add_file(const char *name)
{
	char text[256];

	snprintf(text, sizeof(text), "%s=file:%s@h", name, path);
	return add(text);
}

/* The argument is refused with EXIT_CONFIG and a sentence that holds @part. */
static void assert_refused(const char *text, const char *part)
{
	err = (struct error){ 0 };
	ck_assert_msg(add(text) < 0, "%s was accepted", text);
	ck_assert_int_eq(err.exit_code, EXIT_CONFIG);
	ck_assert_msg(strstr(err.text, part) != NULL, "%s: %s", text, err.text);
	ck_assert_uint_eq(set.count, 0);
}

static void assert_value(unsigned int index, const char *value)
{
	ck_assert_uint_eq(set.entry[index].size, strlen(value));
	ck_assert_int_eq(memcmp(set.entry[index].value, value, strlen(value)), 0);
	ck_assert_uint_eq(strlen(set.placeholder[index].text), strlen(value));
}

/* ---- memory ---- */

START_TEST(memory_is_private)
{
	struct secret_memory memory;
	int status;
	pid_t child;

	ck_assert_int_eq(secret_memory_map(&memory, 5000, &err), 0);
	ck_assert_uint_ge(memory.size, 5000);
	memset(memory.base, 'x', memory.size);
	child = fork();
	if (child == 0)
		_exit(memory.base[0] == 0 && memory.base[memory.size - 1] == 0 ? 0 : 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	secret_memory_release(&memory);
	ck_assert_ptr_null(memory.base);
	secret_memory_release(&memory);
}
END_TEST

/* "VmFlags" of the mapping: dd = not in core dumps, wf = wiped in children, lo = locked. */
START_TEST(memory_flags)
{
	struct secret_memory memory;
	char line[512], start[32], flags[512] = "";
	bool ours = false;
	FILE *maps;

	ck_assert_int_eq(secret_memory_map(&memory, 100, &err), 0);
	snprintf(start, sizeof(start), "%lx-", (unsigned long)memory.base);
	maps = fopen("/proc/self/smaps", "re");
	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps)) {
		ours |= strncmp(line, start, strlen(start)) == 0;
		if (ours && strncmp(line, "VmFlags:", 8) == 0) {
			strcpy(flags, line);
			break;
		}
	}
	fclose(maps);
	ck_assert_msg(strstr(flags, " dd"), "%s", flags);
	ck_assert_msg(strstr(flags, " wf"), "%s", flags);
	if (memory.locked && !ASAN)
		ck_assert_msg(strstr(flags, " lo"), "%s", flags);
	secret_memory_release(&memory);
}
END_TEST

/* Root may lock without limit, so the child becomes nobody first. */
START_TEST(memory_without_lock_warns_once)
{
	struct rlimit none = { 0, 0 };
	struct secret_memory memory;
	const char *printed, *first;

	if (ASAN)
		return;
	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	capture_begin();
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(secret_memory_map(&memory, 100, &err), 0);
		ck_assert(!memory.locked);
		secret_memory_release(&memory);
	}
	printed = capture_end();
	ck_assert_int_eq(seteuid(getuid()), 0);
	first = strstr(printed, "ulimit -l");
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_null(strstr(first + 1, "ulimit -l"));
}
END_TEST

/* ---- grammar ---- */

START_TEST(grammar)
{
	struct secret_option option;

	ck_assert_int_eq(secret_option_parse("API_KEY@api.example.com:8443,b", &option, &err), 0);
	ck_assert_str_eq(option.name, "API_KEY");
	ck_assert_int_eq(option.source, SECRET_FROM_ENVIRONMENT);
	ck_assert_str_eq(option.hosts, "api.example.com:8443,b");

	ck_assert_int_eq(secret_option_parse("_a9=file:/run/a@b=c/d@h", &option, &err), 0);
	ck_assert_str_eq(option.name, "_a9");
	ck_assert_int_eq(option.source, SECRET_FROM_FILE);
	ck_assert_str_eq(option.place, "/run/a@b=c/d");
	ck_assert_str_eq(option.hosts, "h");

	ck_assert_int_eq(secret_option_parse("K=fd:3@*", &option, &err), 0);
	ck_assert_int_eq(option.source, SECRET_FROM_DESCRIPTOR);
	ck_assert_str_eq(option.place, "3");

	ck_assert_int_eq(secret_option_parse("K=cred:token@[::1]:1", &option, &err), 0);
	ck_assert_int_eq(option.source, SECRET_FROM_CREDENTIAL);
	ck_assert_str_eq(option.place, "token");
	ck_assert_str_eq(option.hosts, "[::1]:1");
}
END_TEST

START_TEST(names)
{
	struct secret_option option;
	char text[128];

	memset(text, 'A', sizeof(text));
	strcpy(text + 64, "@h");
	ck_assert_int_eq(secret_option_parse(text, &option, &err), 0);
	ck_assert_uint_eq(strlen(option.name), 64);
	memset(text, 'A', sizeof(text));
	strcpy(text + 65, "@h");
	assert_refused(text, "at most 64");
	assert_refused("9A@h", "no name of a variable");
	assert_refused("A-B@h", "no name of a variable");
	assert_refused("A B=file:/x@h", "no name of a variable");
	assert_refused("@h", "no name of a variable");
	assert_refused("=file:/x@h", "no name of a variable");
	assert_refused("", "NAME@HOST");
	assert_refused("\xc3\xa9@h", "no name of a variable");
}
END_TEST

START_TEST(no_host)
{
	setenv("KLOAK_T", VALUE, 1);
	assert_refused("KLOAK_T", "has no host");
	assert_refused("KLOAK_T@", "has no host");
	assert_refused("KLOAK_T=file:/etc/passwd", "has no host");
}
END_TEST

/* Somebody who writes the value into the argument does not find it in a log as well. */
START_TEST(unknown_source_is_not_printed)
{
	assert_refused("K=hunter2hunter2@h", "unknown source");
	ck_assert_ptr_null(strstr(err.text, "hunter"));
	assert_refused("K=FILE:/x@h", "unknown source");
	assert_refused("K=@h", "unknown source");
	assert_refused("K=file:@h", "empty after the colon");
	assert_refused("K=cred:@h", "empty after the colon");
	assert_refused("hunter2-hunter2@h", "no name of a variable");
	ck_assert_ptr_null(strstr(err.text, "hunter"));
}
END_TEST

START_TEST(path_too_long)
{
	char text[8192];

	memset(text, 'x', sizeof(text));
	memcpy(text, "K=file:", 7);
	strcpy(text + 7 + PATH_MAX, "@h");
	assert_refused(text, "too long");
}
END_TEST

/* ---- sources ---- */

START_TEST(from_environment)
{
	setenv("KLOAK_T", VALUE "\n", 1);
	ck_assert_int_eq(add("KLOAK_T@h"), 0);
	assert_value(0, VALUE "\n"); /* taken unchanged */
	unsetenv("KLOAK_U");
	ck_assert_int_eq(add("KLOAK_U@h"), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "KLOAK_U is not set"));
}
END_TEST

START_TEST(from_file)
{
	static const struct {
		const char *content, *value;
	} file[] = {
		{ VALUE, VALUE },
		{ VALUE "\n", VALUE },
		{ VALUE "\r\n", VALUE },
		{ VALUE "\n\n", VALUE "\n" },
		{ VALUE "\r", VALUE "\r" },
		{ VALUE " \n", VALUE " " },
		{ "line 1\nline 2\n", "line 1\nline 2" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(file); i++) {
		char name[8];

		snprintf(name, sizeof(name), "N%u", i);
		write_file(path, file[i].content, strlen(file[i].content), 0600);
		ck_assert_msg(add_file(name) == (int)i, "%u: %s", i, err.text);
		assert_value(i, file[i].value);
	}
}
END_TEST

START_TEST(file_through_a_link)
{
	char link[256], text[512];

	write_file(path, VALUE, strlen(VALUE), 0600);
	snprintf(link, sizeof(link), "%s.link", path);
	ck_assert_int_eq(symlink(path, link), 0);
	snprintf(text, sizeof(text), "K=file:%s@h", link);
	ck_assert_int_eq(add(text), 0);
	unlink(link);
	assert_value(0, VALUE);
}
END_TEST

START_TEST(file_that_is_none)
{
	assert_refused("K=file:/nonexistent/kloak@h", "cannot open /nonexistent/kloak");
	assert_refused("K=file:/tmp@h", "not a regular file");
	assert_refused("K=file:/dev/zero@h", "not a regular file");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_lt(add_file("K"), 0); /* does not block */
	ck_assert_ptr_nonnull(strstr(err.text, "fd:N"));
}
END_TEST

START_TEST(file_that_all_may_read)
{
	write_file(path, VALUE, strlen(VALUE), 0644);
	capture_begin();
	ck_assert_int_eq(add_file("K"), 0);
	ck_assert_ptr_nonnull(strstr(capture_end(), "chmod 600"));
	write_file(path, VALUE, strlen(VALUE), 0600);
	capture_begin();
	ck_assert_int_eq(add_file("L"), 1);
	ck_assert_ptr_null(strstr(capture_end(), "chmod 600"));
}
END_TEST

START_TEST(from_descriptor)
{
	int pipe_fd[2];
	char text[32];

	ck_assert_int_eq(pipe(pipe_fd), 0);
	ck_assert_int_eq(write(pipe_fd[1], VALUE "\n", strlen(VALUE) + 1), strlen(VALUE) + 1);
	close(pipe_fd[1]);
	snprintf(text, sizeof(text), "K=fd:%d@h", pipe_fd[0]);
	ck_assert_msg(add(text) == 0, "%s", err.text);
	assert_value(0, VALUE);
	ck_assert_int_eq(fcntl(pipe_fd[0], F_GETFD), -1); /* closed: the child must not have it */
	snprintf(text, sizeof(text), "L=fd:%d@h", pipe_fd[0]);
	ck_assert_int_eq(add(text), -EBADF);
	ck_assert_ptr_nonnull(strstr(err.text, "not open"));
}
END_TEST

/* Standard input stays open for the child, but shows nothing. */
START_TEST(from_standard_input)
{
	char byte;

	write_file(path, VALUE "\n", strlen(VALUE) + 1, 0600);
	ck_assert_int_ge(close(STDIN_FILENO), -1);
	ck_assert_int_eq(open(path, O_RDONLY), STDIN_FILENO);
	ck_assert_int_eq(add("K=fd:0@h"), 0);
	assert_value(0, VALUE);
	ck_assert_int_eq(lseek(STDIN_FILENO, 0, SEEK_SET), 0);
	ck_assert_int_eq(read(STDIN_FILENO, &byte, 1), 0);
}
END_TEST

START_TEST(descriptor_text)
{
	assert_refused("K=fd:x@h", "no descriptor number");
	assert_refused("K=fd:3x@h", "no descriptor number");
	assert_refused("K=fd:-1@h", "no descriptor number");
	assert_refused("K=fd: 3@h", "no descriptor number");
	assert_refused("K=fd:99999999999999999999@h", "no descriptor number");
	assert_refused("K=fd:2147483648@h", "no descriptor number");
	assert_refused("K=fd:999@h", "not open");
	assert_refused("K=fd:@h", "empty after the colon");
}
END_TEST

START_TEST(from_credential)
{
	write_file(path, VALUE "\n", strlen(VALUE) + 1, 0400);
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_refused("K=cred:secret@h", "LoadCredential");
	setenv("CREDENTIALS_DIRECTORY", "relative", 1);
	assert_refused("K=cred:secret@h", "LoadCredential");
	setenv("CREDENTIALS_DIRECTORY", scratch, 1);
	assert_refused("K=cred:../secret@h", "no name of a credential");
	assert_refused("K=cred:..@h", "no name of a credential");
	assert_refused("K=cred:other@h", "cannot open other");
	ck_assert_msg(add("K=cred:secret@h") == 0, "%s", err.text);
	assert_value(0, VALUE);
}
END_TEST

/* ---- values ---- */

START_TEST(value_sizes)
{
	static const struct {
		size_t size;
		const char *fault; /* NULL: accepted */
	} value[] = {
		{ 0, "is empty" },
		{ 1, "has 1 byte;" },
		{ 7, "at least 8" },
		{ 8, NULL },
		{ 31, NULL },
		{ 32, NULL },
		{ 512, NULL },
		{ 513, "not supported yet" },
		{ 514, "not supported yet" },
		{ 519, "not supported yet" },
		{ 520, "not supported yet" },
		{ 100000, "not supported yet" },
	};
	static char data[100001];
	int accepted = 0;

	memset(data, 'v', sizeof(data));
	for (unsigned int i = 0; i < ARRAY_SIZE(value); i++) {
		for (int newline = 0; newline <= 1; newline++) {
			char name[16];
			int ret;

			snprintf(name, sizeof(name), "N%u_%d", i, newline);
			data[value[i].size] = '\n';
			write_file(path, data, value[i].size + (size_t)newline, 0600);
			data[value[i].size] = 'v';
			ret = add_file(name);
			if (!value[i].fault) {
				ck_assert_msg(ret == accepted, "%zu: %s", value[i].size, err.text);
				ck_assert_uint_eq(set.entry[accepted++].size, value[i].size);
				continue;
			}
			ck_assert_int_eq(ret, -EINVAL);
			ck_assert_int_eq(err.exit_code, EXIT_CONFIG);
			ck_assert_msg(strstr(err.text, value[i].fault) != NULL, "%s", err.text);
		}
	}
}
END_TEST

START_TEST(environment_value_sizes)
{
	char value[600];

	memset(value, 'v', sizeof(value));
	for (size_t size = 0; size < 599; size++) {
		value[size] = '\0';
		setenv("KLOAK_T", value, 1);
		value[size] = 'v';
		secret_set_wipe(&set);
		ck_assert_int_eq(secret_set_init(&set, &err), 0);
		ck_assert_int_eq(add("KLOAK_T@h") == 0, size >= 8 && size <= 512);
	}
}
END_TEST

START_TEST(value_with_nul)
{
	write_file(path,
		   "0123456\0"
		   "9abcdef",
		   15, 0600);
	ck_assert_int_eq(add_file("K"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "NUL"));
}
END_TEST

START_TEST(value_is_a_placeholder)
{
	setenv("KLOAK_T", "kloak:0123456789", 1);
	assert_refused("KLOAK_T@h", "placeholder");
	ck_assert_ptr_null(strstr(err.text, "0123456789"));
}
END_TEST

/* A refused value does not stay in memory. */
START_TEST(refused_value_is_wiped)
{
	write_file(path, "1234567", 7, 0600);
	ck_assert_int_eq(add_file("K"), -EINVAL);
	for (size_t i = 0; i < set.memory.size; i++)
		ck_assert_uint_eq(set.memory.base[i], 0);
}
END_TEST

/* No sentence about a value ever shows it. */
START_TEST(values_are_never_printed)
{
	char many[600];

	memset(many, 'Q', sizeof(many));
	write_file(path, many, sizeof(many), 0644);
	capture_begin();
	ck_assert_int_lt(add_file("K"), 0);
	ck_assert_ptr_null(strstr(err.text, "QQ"));
	write_file(path, "QQQQQQ", 6, 0644);
	ck_assert_int_lt(add_file("K"), 0);
	ck_assert_ptr_null(strstr(err.text, "QQ"));
	setenv("KLOAK_T", "{QQ}{QQ}{QQ}", 1);
	setenv("KLOAK_V", "{QQ}{QQ}{QQ}", 1);
	ck_assert_int_ge(add("KLOAK_T@h"), 0);
	ck_assert_int_ge(add("KLOAK_V@h"), 0);
	ck_assert_ptr_null(strstr(capture_end(), "QQ"));
	ck_assert_ptr_nonnull(strstr(captured, "compressed HTTP/2"));
	ck_assert_ptr_nonnull(strstr(captured, "KLOAK_T and KLOAK_V have the same value"));
}
END_TEST

START_TEST(same_name_twice)
{
	setenv("KLOAK_T", VALUE, 1);
	ck_assert_int_eq(add("KLOAK_T@h"), 0);
	ck_assert_int_eq(add("KLOAK_T@i"), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, "given twice"));
	ck_assert_uint_eq(set.count, 1);
}
END_TEST

START_TEST(too_many)
{
	char text[16];

	for (int i = 0; i <= WORKLOAD_SECRETS; i++) {
		snprintf(text, sizeof(text), "KLOAK_%d", i);
		setenv(text, VALUE, 1);
		strcat(text, "@h");
		capture_begin();
		ck_assert_int_eq(add(text), i < WORKLOAD_SECRETS ? i : -E2BIG);
		capture_end();
	}
	ck_assert_ptr_nonnull(strstr(err.text, "at most 64"));
}
END_TEST

/* ---- rows ---- */

struct rows {
	unsigned int count;
	struct secret_key key[WORKLOAD_SECRETS];
	struct secret row[WORKLOAD_SECRETS];
};

static int row_take(void *context, const struct secret_key *key, const struct secret *row)
{
	struct rows *rows = context;

	rows->key[rows->count] = *key;
	rows->row[rows->count++] = *row;
	return 0;
}

static int row_refuse(void *context, const struct secret_key *key, const struct secret *row)
{
	(void)context, (void)key, (void)row;
	return -E2BIG;
}

START_TEST(map_rows)
{
	static const size_t sizes[] = { 8, 31, 32, 33, 512 };
	static struct rows rows;
	char value[SECRET_MAX + 1], text[32];

	for (unsigned int i = 0; i < 5; i++) {
		memset(value, 'a' + (int)i, sizeof(value));
		value[sizes[i]] = '\0';
		snprintf(text, sizeof(text), "KLOAK_%u", i);
		setenv(text, value, 1);
		strcat(text, "@h");
		capture_begin();
		ck_assert_int_eq(add(text), i);
		capture_end();
	}
	ck_assert_uint_eq(secret_set_lengths(&set), 1ull << 8 | 1ull << 31 | 1ull << 32);
	ck_assert_int_eq(secret_set_emit(&set, 7, row_refuse, NULL), -E2BIG);
	ck_assert_int_eq(secret_set_emit(&set, 7, row_take, &rows), 0);
	ck_assert_uint_eq(rows.count, 5);
	for (unsigned int i = 0; i < 5; i++) {
		const struct secret *row = &rows.row[i];
		size_t head = sizes[i] < PLACEHOLDER_HEAD ? sizes[i] : PLACEHOLDER_HEAD;

		ck_assert_uint_eq(rows.key[i].workload, 7);
		ck_assert_int_eq(memcmp(rows.key[i].head, row->placeholder, head), 0);
		for (size_t at = head; at < PLACEHOLDER_HEAD; at++)
			ck_assert_uint_eq(rows.key[i].head[at], 0);
		ck_assert_uint_eq(row->index, i);
		ck_assert_uint_eq(row->size, sizes[i]);
		ck_assert_int_eq(memcmp(row->placeholder, set.placeholder[i].text, sizes[i]), 0);
		for (size_t at = 0; at < SECRET_MAX; at++)
			ck_assert_uint_eq(row->placeholder[at] ^ row->delta[at],
					  at < sizes[i] ? 'a' + i : 0);
	}
}
END_TEST

START_TEST(wiped_set_gives_no_rows)
{
	static struct rows rows;

	setenv("KLOAK_T", VALUE, 1);
	ck_assert_int_eq(add("KLOAK_T@h"), 0);
	secret_set_wipe(&set);
	ck_assert_int_eq(secret_set_emit(&set, 1, row_take, &rows), -ENODATA);
	ck_assert_uint_eq(rows.count, 0);
	ck_assert_str_eq(set.entry[0].name, "KLOAK_T");
	ck_assert_int_eq(strncmp(set.placeholder[0].text, "kloak:", 6), 0);
}
END_TEST

START_TEST(redact)
{
	char text[128], expected[2 * SECRET_MAX + 64];

	setenv("KLOAK_A", "aaaaaaaa", 1);
	setenv("KLOAK_B", "aaaaaaaabbbb", 1); /* begins with the other: the longer one counts */
	capture_begin();
	ck_assert_int_eq(add("KLOAK_A@h"), 0);
	ck_assert_int_eq(add("KLOAK_B@h"), 1);
	capture_end();
	strcpy(text, "x aaaaaaaabbbb aaaaaaa aaaaaaaa");
	ck_assert_uint_eq(secret_set_redact(&set, text), 3);
	snprintf(expected, sizeof(expected), "x %s aaaaaaa %s", set.placeholder[1].text,
		 set.placeholder[0].text);
	ck_assert_str_eq(text, expected);
	strcpy(text, "aaaaaaa");
	ck_assert_uint_eq(secret_set_redact(&set, text), 0);
	ck_assert_str_eq(text, "aaaaaaa");
}
END_TEST

/* ---- environments ---- */

static const char *find(char **environment, const char *name)
{
	const char *value = NULL;

	for (; *environment; environment++) {
		if (strncmp(*environment, name, strlen(name)) != 0 ||
		    (*environment)[strlen(name)] != '=')
			continue;
		ck_assert_ptr_null(value); /* each name once */
		value = *environment + strlen(name) + 1;
	}
	return value;
}

START_TEST(child_environment)
{
	char *parent[] = {
		"PATH=/bin",
		"KLOAK_T=" VALUE,
		"KLOAK_T=second",
		"URL=https://u:" VALUE "@h/" VALUE,
		"KLOAK_TOO=kept",
		"odd",
		"CREDENTIALS_DIRECTORY=/run/credentials",
		"K=old",
		NULL,
	};
	char **child, expected[2 * SECRET_MAX + 64];

	setenv("KLOAK_T", VALUE, 1);
	write_file(path, "other-value-of-a-file", 21, 0600);
	ck_assert_int_eq(add("KLOAK_T@h"), 0);
	ck_assert_int_eq(add_file("K"), 1);
	ck_assert_int_eq(add_file("NEW"), 2);
	capture_begin();
	ck_assert_int_eq(environment_for_child(&set, parent, &child, &err), 0);
	capture_end();
	ck_assert_ptr_nonnull(strstr(captured, "environment variable URL held the value of secret "
					       "KLOAK_T"));
	ck_assert_ptr_null(strstr(captured, VALUE));
	ck_assert_str_eq(find(child, "PATH"), "/bin");
	ck_assert_str_eq(find(child, "KLOAK_T"), set.placeholder[0].text);
	ck_assert_str_eq(find(child, "K"), set.placeholder[1].text);
	ck_assert_str_eq(find(child, "NEW"), set.placeholder[2].text);
	ck_assert_str_eq(find(child, "KLOAK_TOO"), "kept");
	ck_assert_str_eq(find(child, "CREDENTIALS_DIRECTORY"), "/run/credentials");
	snprintf(expected, sizeof(expected), "https://u:%s@h/%s", set.placeholder[0].text,
		 set.placeholder[0].text);
	ck_assert_str_eq(find(child, "URL"), expected);
	ck_assert_str_eq(parent[1], "KLOAK_T=" VALUE); /* the original is untouched */
	environment_release(child);
}
END_TEST

START_TEST(child_does_not_see_the_credentials)
{
	char *parent[] = { "CREDENTIALS_DIRECTORY=/run/credentials", "A=b", NULL };
	char **child;

	write_file(path, VALUE, strlen(VALUE), 0400);
	setenv("CREDENTIALS_DIRECTORY", scratch, 1);
	ck_assert_int_eq(add("K=cred:secret@h"), 0);
	ck_assert_int_eq(environment_for_child(&set, parent, &child, &err), 0);
	ck_assert_ptr_null(find(child, "CREDENTIALS_DIRECTORY"));
	ck_assert_str_eq(find(child, "A"), "b");
	environment_release(child);
}
END_TEST

/* How many bytes of /proc/PID/environ are not zero; -1 if it cannot be read. */
static long environ_bytes(pid_t pid)
{
	char name[64], buffer[4096];
	long bytes = 0;
	ssize_t got;
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/environ", (int)pid);
	fd = open(name, O_RDONLY);
	if (fd < 0)
		return -1;
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < got; i++)
			bytes += buffer[i] != 0;
	close(fd);
	return bytes;
}

/* The child of a process that wiped its environment looks at its parent's. */
START_TEST(own_environment_is_wiped)
{
	pid_t self = getpid(), child;
	int status;

	ck_assert_ptr_nonnull(getenv("PATH"));
	ck_assert_int_gt(environ_bytes(self), 0);
	ck_assert_msg(secret_environment_wipe(&err) == 0, "%s", err.text);
	ck_assert_int_eq(environ_bytes(self), 0);
	ck_assert_ptr_null(getenv("PATH"));
	ck_assert_ptr_null(environ[0]);
	child = fork();
	if (child == 0)
		_exit(environ_bytes(self) == 0 ? 0 : 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(setenv("KLOAK_T", VALUE, 1), 0); /* the empty environment works */
	ck_assert_str_eq(getenv("KLOAK_T"), VALUE);
}
END_TEST

/* A changed environment moves to the heap; the block that /proc shows is wiped all the same. */
START_TEST(changed_environment_is_wiped)
{
	ck_assert_int_eq(unsetenv("PATH"), 0);
	ck_assert_int_eq(setenv("KLOAK_T", VALUE, 1), 0);
	ck_assert_int_eq(secret_environment_wipe(&err), 0);
	ck_assert_int_eq(environ_bytes(getpid()), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		memory_is_private,
		memory_flags,
		memory_without_lock_warns_once,
		grammar,
		names,
		no_host,
		unknown_source_is_not_printed,
		path_too_long,
		from_environment,
		from_file,
		file_through_a_link,
		file_that_is_none,
		file_that_all_may_read,
		from_descriptor,
		from_standard_input,
		descriptor_text,
		from_credential,
		value_sizes,
		environment_value_sizes,
		value_with_nul,
		value_is_a_placeholder,
		refused_value_is_wiped,
		values_are_never_printed,
		same_name_twice,
		too_many,
		map_rows,
		wiped_set_gives_no_rows,
		redact,
		child_environment,
		child_does_not_see_the_credentials,
		own_environment_is_wiped,
		changed_environment_is_wiped,
	};

	return suite_run("secret", tests, ARRAY_SIZE(tests), 0, setup, teardown);
}
