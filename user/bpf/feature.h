/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What this kernel can do, for this process: tried by use, once, and
 * remembered. Most trials take less than 0.2 ms. Version numbers mislead (vendors
 * backport), and so does loading alone: Linux 6.1 loads a program for
 * BPF_TRACE_UPROBE_MULTI and knows no such link.
 */
#ifndef KLOAK_BPF_FEATURE_H
#define KLOAK_BPF_FEATURE_H

#include <stdbool.h>
#include <stdint.h>

enum bpf_feature {
	BPF_FEATURE_PROGRAM,	      /* BPF programs at all, with maps */
	BPF_FEATURE_RINGBUF,	      /* 5.8 */
	BPF_FEATURE_SK_STORAGE,	      /* 5.2, a socket gets storage of our kind */
	BPF_FEATURE_SOCKHASH,	      /* with an sk_msg program on it */
	BPF_FEATURE_LOOP,	      /* 5.17, bpf_loop with a callback */
	BPF_FEATURE_UPROBE,	      /* the uprobe PMU: a probe on ourselves fires (100 ms) */
	BPF_FEATURE_SLEEPABLE_UPROBE, /* 6.0, the same with a program that may sleep (100 ms) */
	BPF_FEATURE_UPROBE_MULTI,     /* 6.6, many probes of a file in one link */
	BPF_FEATURE_MULTI_PROBE,      /* the same, and a probe on ourselves fires (50 ms) */
	BPF_FEATURE_COUNT,
};

/* 0, or the -errno that the first trial met. */
int bpf_feature_probe(enum bpf_feature feature);

bool bpf_feature_has(enum bpf_feature feature);

/* A few words for reports: "ring buffer". */
const char *bpf_feature_name(enum bpf_feature feature);

/*
 * Probes a file in memory that nobody maps, where the kernel has uprobe_multi links.
 * The first probe after some 15 ms waits up to 10 ms for all mappings to stand
 * still, those after it need not. The fd is as slow to close as others.
 */
int bpf_prime_uprobes(void);

#endif
