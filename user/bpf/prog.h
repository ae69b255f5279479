/* SPDX-License-Identifier: GPL-2.0-only */
/* Loading programs and BTF into the kernel. A program is its fd. */
#ifndef KLOAK_BPF_PROG_H
#define KLOAK_BPF_PROG_H

#include <linux/bpf.h>
#include <stdint.h>

#include "lib/error.h"

/* What the kernel is given; everything stays the caller's. */
struct bpf_prog_source {
	const char *name;
	uint32_t type;		       /* enum bpf_prog_type */
	uint32_t expected_attach_type; /* enum bpf_attach_type, 0 if the type has none */
	uint32_t flags;		       /* BPF_F_SLEEPABLE */
	const char *license;
	const struct bpf_insn *insns;
	uint32_t insn_count;
	int btf;			       /* fd, < 0: no function records */
	const struct bpf_func_info *functions; /* sorted by insn_off */
	uint32_t function_count;
};

/*
 * Returns the program's fd. On failure -errno, a sentence in @err, and in *@log
 * the last lines of the verifier's log for a developer to read (the caller
 * frees it; NULL if there is none; @log may be NULL). The log is only asked for
 * after a refusal: writing it makes a load several times slower.
 */
int bpf_prog_load(const struct bpf_prog_source *source, char **log, struct error *err);

/* Runs a BPF_PROG_TYPE_RAW_TRACEPOINT once, here and now. Returns what it returns, or -errno. */
int bpf_prog_run(int program);

/* Returns the fd of a BTF blob, or -errno. */
int bpf_btf_load(const void *blob, uint32_t size);

/* Makes @name one that the kernel takes: [A-Za-z0-9_.], others become '_'. */
void bpf_clean_name(char *name);

#endif
