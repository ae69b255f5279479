// SPDX-License-Identifier: GPL-2.0-only
/* Loading programs: see prog.h for the contract. */
#include "user/bpf/prog.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "user/bpf/syscall.h"

#define LOG_SIZE_FIRST (256U << 10)
#define LOG_SIZE_LAST  (16U << 20)
#define LOG_LINES      12
#define LOAD_ATTEMPTS  5

void bpf_clean_name(char *name)
{
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '_' && *name != '.')
			*name = '_';
}

int bpf_btf_load(const void *blob, uint32_t size)
{
	union bpf_attr attr;

	bpf_attr_clear(&attr);
	attr.btf = bpf_pointer(blob);
	attr.btf_size = size;
	return bpf_syscall(BPF_BTF_LOAD, &attr);
}

static void fill(union bpf_attr *attr, const struct bpf_prog_source *source)
{
	bpf_attr_clear(attr);
	attr->prog_type = source->type;
	attr->expected_attach_type = source->expected_attach_type;
	attr->prog_flags = source->flags;
	attr->license = bpf_pointer(source->license);
	attr->insns = bpf_pointer(source->insns);
	attr->insn_cnt = source->insn_count;
	strncpy(attr->prog_name, source->name, sizeof(attr->prog_name) - 1);
	bpf_clean_name(attr->prog_name);
	if (source->btf < 0)
		return;
	attr->prog_btf_fd = source->btf;
	attr->func_info = bpf_pointer(source->functions);
	attr->func_info_cnt = source->function_count;
	attr->func_info_rec_size = sizeof(*source->functions);
}

/* A signal during verification gives EAGAIN, from which a second try recovers. */
static int load(union bpf_attr *attr)
{
	int attempt, ret;

	for (attempt = 0; attempt < LOAD_ATTEMPTS; attempt++) {
		ret = bpf_syscall(BPF_PROG_LOAD, attr);
		if (ret != -EAGAIN)
			break;
	}
	return ret;
}

/* Loads again with a log; ENOSPC means that the log, not the program, was too large. */
static int load_with_log(union bpf_attr *attr, char **log)
{
	uint32_t size;
	int ret = -ENOMEM;

	for (size = LOG_SIZE_FIRST; size <= LOG_SIZE_LAST; size *= 4) {
		free(*log);
		*log = calloc(1, size);
		if (!*log)
			return -ENOMEM;
		attr->log_level = 1;
		attr->log_buf = bpf_pointer(*log);
		attr->log_size = size;
		ret = load(attr);
		if (ret != -ENOSPC)
			break;
	}
	return ret;
}

/* Cuts the lines off the end that every log has and that say nothing about the cause. */
static void cut_statistics(char *log)
{
	char *line = strstr(log, "\nverification time ");

	if (!line)
		line = strstr(log, "\nprocessed ");
	if (line)
		*line = 0;
}

/* The beginning of the last @lines lines of @log. */
static const char *last_lines(const char *log, unsigned int lines)
{
	const char *at = log + strlen(log);

	while (at > log && at[-1] == '\n')
		at--;
	while (at > log)
		if (*--at == '\n' && !--lines)
			return at + 1;
	return at;
}

static const struct {
	int code;
	const char *text;
} remedies[] = {
	{ -EPERM, "this process may not load BPF; run as root, or with CAP_BPF, CAP_PERFMON and "
		  "CAP_NET_ADMIN" },
	{ -EACCES, "the kernel's verifier rejects it; please report this with the kernel version" },
	{ -E2BIG, "too complex for this kernel's verifier; use Linux 6.1 or later" },
	{ -EINVAL, "this kernel lacks something that it uses; use Linux 6.1 or later" },
	{ -ENOSPC, "the verifier's log exceeds 16 MB; please report this with the kernel version" },
	{ -ENOMEM, "not enough memory; before Linux 5.11 also raise 'ulimit -l'" },
};

static const char *remedy(int code)
{
	const char *text = "run 'kloak doctor' to see what this kernel can do";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(remedies); i++)
		if (remedies[i].code == code)
			text = remedies[i].text;
	return bpf_remedy(code, text);
}

static int explain(int code, const char *name, char *log, char **excerpt, struct error *err)
{
	const char *cause = "";

	if (log) {
		cut_statistics(log);
		cause = last_lines(log, 1);
		if (excerpt && *log)
			*excerpt = strdup(last_lines(log, LOG_LINES));
	}
	return error_set(err, code, "BPF program %s: %s%s%.*s%s; %s", name, strerror(-code),
			 *cause ? " (verifier: " : "", (int)strcspn(cause, "\n"), cause,
			 *cause ? ")" : "", remedy(code));
}

int bpf_prog_load(const struct bpf_prog_source *source, char **log, struct error *err)
{
	CLEANUP_FREE char *full = NULL;
	union bpf_attr attr;
	int ret, again;

	if (log)
		*log = NULL;
	fill(&attr, source);
	ret = load(&attr);
	if (ret >= 0)
		return ret;
	again = load_with_log(&attr, &full);
	if (again >= 0) /* whatever was in the way is gone */
		return again;
	return explain(ret, source->name, full, log, err);
}

int bpf_prog_run(int program)
{
	union bpf_attr attr;
	int ret;

	bpf_attr_clear(&attr);
	attr.test.prog_fd = (uint32_t)program;
	ret = bpf_syscall(BPF_PROG_TEST_RUN, &attr);
	return ret < 0 ? ret : (int)attr.test.retval;
}
