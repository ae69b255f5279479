/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rules of a workload say of a host name: the exact rule, and each
 * wildcard that covers it. Asked by the socket object for the name of a
 * ClientHello, and by the DNS object for the name of a question.
 */
#ifndef KLOAK_NET_NAMES_H
#define KLOAK_NET_NAMES_H

#include "kernel/loop.h"
#include "kernel/maps.h"

#define WILDCARD_LABELS 16 /* deepest name, in labels, that a wildcard is looked up for */
#define MAX_VERIFIED	8192

BPF_MAP(rules, BPF_MAP_TYPE_HASH, sizeof(struct rule_key), sizeof(secret_mask), MAX_RULES,
	BPF_F_NO_PREALLOC);
BPF_MAP(verified, BPF_MAP_TYPE_HASH, sizeof(struct verified_key), sizeof(struct verified),
	MAX_VERIFIED, BPF_F_NO_PREALLOC);
/* The application can fill it with what untrusted servers say: the oldest goes. */
BPF_MAP(rejections, BPF_MAP_TYPE_LRU_HASH, sizeof(struct verified_key), sizeof(struct rejection),
	512, 0);

/*
 * Must be in a map value, not on the stack (kernel/loop.h) and not a global
 * function's argument: Linux 6.1 takes no key from the memory of one.
 */
struct name_rules {
	u8 name[2 * NAME_SIZE]; /* second half always zero, see name_add_suffix() */
	u32 size;
	u32 workload;
	u32 port;
	u32 labels;	      /* scratch */
	secret_mask at_port;  /* may go to this name and port */
	secret_mask any_port; /* would be allowed at another port */
	struct rule_key key;  /* scratch; its name is where a caller puts a new one */
};

/* Adds what the rules say of n->key.name. */
KERNEL_INLINE void name_add(struct name_rules *n)
{
	secret_mask *mask;

	n->key.workload = n->workload;
	n->key.port = n->port;
	mask = bpf_map_lookup_elem(&rules, &n->key);
	if (mask)
		n->at_port |= *mask;
	n->key.port = 0;
	mask = bpf_map_lookup_elem(&rules, &n->key);
	if (mask)
		n->any_port |= *mask;
}

/* "*.example.com" for the name from byte @dot on, a dot. The zeros behind it are copied too. */
KERNEL_INLINE void name_add_suffix(struct name_rules *n, u64 dot)
{
	u32 i;

	n->key.name[0] = '*';
	for (i = 0; i + 8 < NAME_SIZE; i += 8)
		store_le64(n->key.name + 1 + i, load_le64(n->name + dot + i));
	for (; i < NAME_SIZE - 1; i++)
		n->key.name[1 + i] = n->name[dot + i];
	name_add(n);
}

static long name_suffix_step(u32 i, struct name_rules **context)
{
	struct name_rules *n = *context;
	u64 at = i;

	barrier_var(at);
	if (at >= NAME_SIZE || n->labels > WILDCARD_LABELS)
		return 1;
	if (n->name[at] == '.') {
		n->labels++;
		name_add_suffix(n, at);
	}
	return 0;
}

/* Takes over the name in n->key.name, n->size bytes, and asks the rules for it. */
KERNEL_INLINE void name_ask(struct name_rules *n)
{
	struct name_rules *context = n;

	__builtin_memcpy(n->name, n->key.name, NAME_SIZE);
	n->at_port = 0;
	n->any_port = 0;
	n->labels = 0;
	name_add(n);
	bpf_loop(n->size, name_suffix_step, &context, 0);
}

#endif
