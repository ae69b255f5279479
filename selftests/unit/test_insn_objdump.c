// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instruction lengths of real programs, compared with objdump's.
 *
 * Every line of "objdump -d" is one instruction with its bytes; the decoder
 * gets exactly these bytes and has to take them all. Where the two may differ:
 *
 *  - "(bad)", ".byte" and hex dumps: data in the code. Not compared.
 *  - objdump prints prefixes alone where they cannot belong to what follows (a
 *    REX before another prefix, more prefixes than it shows in one line). The
 *    CPU sees one instruction; such a line is joined with the next one.
 *  - objdump takes fwait (9b) and the x87 instruction after it for one, as
 *    assemblers do. To the CPU they are two.
 *  - Things that no compiler emits, but data in the code may look like: a
 *    near branch with a 66 prefix (its length depends on the CPU's maker;
 *    objdump assumes AMD) and a REX before VEX or EVEX (raises #UD; objdump
 *    ignores the REX). And d6, which no instruction of 64 bits begins with:
 *    objdump from 2.45 on knows it as udb, which raises #UD. The decoder must
 *    refuse all of them. They are counted.
 */
#include <check.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf/insn.h"
#include "lib/cleanup.h"
#include "selftests/unit/suite.h"

#define UDB 0xd6

#define REQUIRED       1000000L
#define SHOWN	       20 /* differences printed in full */
#define REFUSED_ONE_IN 10000

/* The first match of the pattern is taken. Caps keep the run short and spread it. */
static const struct {
	const char *pattern;
	long cap;
	const char *why;
} binaries[] = {
	{ "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", 1000000, "C and hand-written AVX512" },
	{ "/usr/bin/node", 150000, "C++" },
	{ "/usr/bin/python3.[0-9]*[0-9]", 150000, "C" },
	{ "/usr/sbin/gosu", 150000, "Go" },
	{ "/usr/lib/x86_64-linux-gnu/libssl.so.3", 100000, "what Kloak probes" },
	{ "/usr/lib/x86_64-linux-gnu/libc.so.6", 400000, "string functions" },
	{ "/usr/lib/x86_64-linux-gnu/libLLVM-*.so.1", 400000, "C++; there if clang is" },
};

struct comparison {
	long compared;
	long different;
	long refused;			/* by the decoder, rightly */
	uint8_t pending[INSN_SIZE_MAX]; /* prefixes that wait for their instruction */
	size_t pending_size;
};

/*
 * "  35980:\t48 83 ec 18    \tsub ...": returns the number of bytes, 0 for other
 * lines. What is known to be data is shown without the second tab.
 */
static size_t parse_line(const char *line, uint8_t bytes[static INSN_SIZE_MAX], const char **text)
{
	const char *at = strchr(line, ':');
	size_t count = 0;

	if (line[0] != ' ' || !at || at[1] != '\t')
		return 0;
	for (at += 2; count < INSN_SIZE_MAX; at++) {
		char *end = NULL;
		unsigned long byte = strtoul(at, &end, 16);

		if (end != at + 2)
			break;
		bytes[count++] = (uint8_t)byte;
		at = end;
		if (*at != ' ')
			break;
	}
	at = strchr(at, '\t');
	*text = at ? at + 1 : "";
	return at ? count : 0;
}

static size_t prefixes_in(const uint8_t *bytes, size_t count)
{
	static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
					    0x66, 0x67, 0xf0, 0xf2, 0xf3 };
	size_t i = 0;

	while (i < count &&
	       (memchr(prefixes, bytes[i], sizeof(prefixes)) || (bytes[i] & 0xf0) == 0x40))
		i++;
	return i;
}

static bool must_be_refused(const uint8_t *bytes, size_t count)
{
	size_t at = prefixes_in(bytes, count);
	const uint8_t *opcode = bytes + at;
	bool rex = at > 0 && (opcode[-1] & 0xf0) == 0x40;

	if (at < count && opcode[0] == UDB)
		return true;
	if (at == 0 || count - at < 2)
		return false;
	if (rex && (opcode[0] == 0xc4 || opcode[0] == 0xc5 || opcode[0] == 0x62))
		return true;
	if (!memchr(bytes, 0x66, at) || (rex && (opcode[-1] & 8)))
		return false;
	return opcode[0] == 0xe8 || opcode[0] == 0xe9 ||
	       (opcode[0] == 0x0f && (opcode[1] & 0xf0) == 0x80);
}

static void compare(struct comparison *cmp, const uint8_t *bytes, size_t count, const char *line)
{
	struct insn insn;
	int length = insn_decode(bytes, count, &insn);

	if (length > 0 && length < (int)count && bytes[length - 1] == 0x9b) {
		compare(cmp, bytes + length, count - (size_t)length, line);
		return;
	}
	cmp->compared++;
	if (must_be_refused(bytes, count) && length == -EINVAL) {
		cmp->refused++;
		return;
	}
	if (length == (int)count)
		return;
	if (cmp->different++ < SHOWN)
		printf("decoder says %d, objdump %zu: %s", length, count, line);
}

static void compare_line(struct comparison *cmp, const char *line)
{
	uint8_t bytes[2 * INSN_SIZE_MAX];
	const char *text;
	size_t count;

	memcpy(bytes, cmp->pending, cmp->pending_size);
	count = parse_line(line, bytes + cmp->pending_size, &text);
	if (count == 0 || strstr(text, "(bad)") || strstr(text, ".byte")) {
		cmp->pending_size = 0;
		return;
	}
	count += cmp->pending_size;
	cmp->pending_size = 0;
	if (count < INSN_SIZE_MAX && prefixes_in(bytes, count) == count) {
		memcpy(cmp->pending, bytes, count);
		cmp->pending_size = count;
		return;
	}
	compare(cmp, bytes, count, line);
}

static struct comparison compare_binary(const char *path, long cap)
{
	struct comparison cmp = { 0 };
	CLEANUP_FREE char *line = NULL;
	char command[512];
	size_t size = 0;
	FILE *pipe;

	snprintf(command, sizeof(command), "exec objdump -d -w --insn-width=15 '%s' 2>/dev/null",
		 path);
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	while (cmp.compared < cap && getline(&line, &size, pipe) > 0)
		compare_line(&cmp, line);
	pclose(pipe); /* ends with SIGPIPE if the cap was reached */
	return cmp;
}

START_TEST(lengths_equal_objdump)
{
	struct comparison total = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(binaries); i++) {
		struct comparison cmp;
		glob_t found;

		if (glob(binaries[i].pattern, 0, NULL, &found) != 0) {
			printf("skip %s: not on this machine\n", binaries[i].pattern);
			continue;
		}
		cmp = compare_binary(found.gl_pathv[0], binaries[i].cap);
		printf("%8ld compared, %ld different, %ld refused: %s (%s)\n", cmp.compared,
		       cmp.different, cmp.refused, found.gl_pathv[0], binaries[i].why);
		globfree(&found);
		total.compared += cmp.compared;
		total.different += cmp.different;
		total.refused += cmp.refused;
	}
	printf("%8ld compared in total\n", total.compared);
	fflush(stdout);
	ck_assert_int_eq(total.different, 0);
	ck_assert_int_lt(total.refused, total.compared / REFUSED_ONE_IN);
	ck_assert_int_ge(total.compared, REQUIRED);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { lengths_equal_objdump };

	return suite_run("insn_objdump", tests, ARRAY_SIZE(tests), 300, NULL, NULL);
}
