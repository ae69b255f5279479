/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a BPF program of Kloak is written with: section names, maps, helpers.
 * Only the kernel's UAPI headers are behind it; helpers are called by their
 * UAPI numbers, so nothing here depends on the running kernel's types.
 *
 * Conventions that the loader (user/bpf/object.h) relies on:
 *	- a program is a global function in SEC("type") or SEC("type/anything"):
 *	  sockops, sk_msg, cgroup_skb/ingress, cgroup_skb/egress,
 *	  cgroup/setsockopt, cgroup/sock_create, cgroup/connect4, cgroup/connect6, uprobe,
 *	  uprobe.s (may sleep), uretprobe, uretprobe.s, tracepoint;
 *	- functions without SEC go to .text and are appended to each program that
 *	  reaches them by calls or as a bpf_loop callback;
 *	- a map is a BPF_MAP(); maps of the same name are shared by all objects;
 *	- variables (.rodata, .data, .bss) belong to their object; user space may
 *	  patch them before loading. Those marked BPF_SETTING become constants of
 *	  the verifier then.
 */
#ifndef KLOAK_BPF_H
#define KLOAK_BPF_H

#include <linux/bpf.h>

#include "kernel/types.h"

#define SEC(name) __attribute__((section(name), used))

/* A variable that user space sets before loading; a constant for the verifier. */
#define BPF_SETTING const volatile

#define LICENSE(text) const char program_license[] SEC("license") = text

struct bpf_map_definition {
	__u32 type, key_size, value_size, max_entries, flags;
};

/*
 * The value of a storage map (whose rows hang on a socket, inode, task or cgroup) is
 * allocated together with the kernel's own header of up to 136 bytes, and from Linux 7
 * on where no lock may be taken: both have to fit into two pages. A map of larger ones
 * can be made there all the same, but never gets a row.
 */
#define BPF_STORAGE_MAX	      (8192 - 192)
#define MAP_TYPE_CGRP_STORAGE 32 /* since Linux 6.2, so not in every UAPI header */

#define bpf_is_storage(type)                                                             \
	((type) == BPF_MAP_TYPE_SK_STORAGE || (type) == BPF_MAP_TYPE_INODE_STORAGE ||    \
	 (type) == BPF_MAP_TYPE_TASK_STORAGE || (type) == BPF_MAP_TYPE_CGROUP_STORAGE || \
	 (type) == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE || (type) == MAP_TYPE_CGRP_STORAGE)

/* Static and not "used", so that an object has just those maps of a header that it names. */
#define BPF_MAP(name, type, key_size, value_size, max_entries, flags)                    \
	_Static_assert(!bpf_is_storage(type) || (value_size) <= BPF_STORAGE_MAX,         \
		       "storage " #name " is larger than BPF_STORAGE_MAX");              \
	static const struct bpf_map_definition name                                      \
		__attribute__((section("maps"), unused)) = { type, key_size, value_size, \
							     max_entries, flags }

/* Byte order of BPF code here is little endian: the only one Kloak is built for. */
#define bpf_ntohs(x) ((u16)__builtin_bswap16(x))
#define bpf_htons(x) ((u16)__builtin_bswap16(x))
#define bpf_ntohl(x) ((u32)__builtin_bswap32(x))
#define bpf_htonl(x) ((u32)__builtin_bswap32(x))

/* A helper's address is its number; the loader has nothing to do. */
#define BPF_HELPER(result, name, ...) \
	static result (*const bpf_##name)(__VA_ARGS__) = (void *)BPF_FUNC_##name

/* Maps. */
BPF_HELPER(void *, map_lookup_elem, const void *map, const void *key);
BPF_HELPER(long, map_update_elem, const void *map, const void *key, const void *value, u64 flags);
BPF_HELPER(long, map_delete_elem, const void *map, const void *key);
BPF_HELPER(void *, sk_storage_get, const void *map, void *sk, void *value, u64 flags);
BPF_HELPER(long, sk_storage_delete, const void *map, void *sk);
BPF_HELPER(long, sock_hash_update, struct bpf_sock_ops *skops, const void *map, void *key,
	   u64 flags);

/* The ring buffer. */
BPF_HELPER(void *, ringbuf_reserve, const void *ringbuf, u64 size, u64 flags);
BPF_HELPER(void, ringbuf_submit, void *data, u64 flags);
BPF_HELPER(void, ringbuf_discard, void *data, u64 flags);
BPF_HELPER(long, ringbuf_output, const void *ringbuf, const void *data, u64 size, u64 flags);
BPF_HELPER(u64, ringbuf_query, const void *ringbuf, u64 flags);

/* Time, thread, workload. */
BPF_HELPER(u64, ktime_get_ns, void);
BPF_HELPER(u64, get_current_pid_tgid, void);
BPF_HELPER(u64, get_current_uid_gid, void);
BPF_HELPER(long, get_current_comm, void *buffer, u32 size);
BPF_HELPER(u32, get_smp_processor_id, void);
BPF_HELPER(u64, get_current_cgroup_id, void);
BPF_HELPER(u64, get_current_ancestor_cgroup_id, int level);

/* Reading memory. */
BPF_HELPER(long, probe_read_user, void *to, u32 size, const void *from);
BPF_HELPER(long, probe_read_kernel, void *to, u32 size, const void *from);
BPF_HELPER(long, copy_from_user, void *to, u32 size, const void *from);

/* callback: static long f(u64 index, void *context), 0 to go on, 1 to stop. */
BPF_HELPER(long, loop, u32 count, void *callback, void *context, u64 flags);

/* Messages of a socket (sk_msg). */
BPF_HELPER(long, msg_redirect_hash, struct sk_msg_md *msg, const void *map, void *key, u64 flags);
BPF_HELPER(long, msg_pull_data, struct sk_msg_md *msg, u32 start, u32 end, u64 flags);
BPF_HELPER(long, msg_apply_bytes, struct sk_msg_md *msg, u32 bytes);
BPF_HELPER(long, msg_cork_bytes, struct sk_msg_md *msg, u32 bytes);

/* Sockets. Which context types each takes is in bpf-helpers(7). */
BPF_HELPER(u64, get_socket_cookie, void *ctx);
BPF_HELPER(u64, get_netns_cookie, void *ctx);
BPF_HELPER(struct bpf_sock *, sk_fullsock, struct bpf_sock *sk);
BPF_HELPER(u64, sk_cgroup_id, void *sk);
BPF_HELPER(u64, sk_ancestor_cgroup_id, void *sk, int level);
BPF_HELPER(u64, skb_cgroup_id, struct __sk_buff *skb);
BPF_HELPER(u64, skb_ancestor_cgroup_id, struct __sk_buff *skb, int level);
BPF_HELPER(long, skb_load_bytes, const void *skb, u32 offset, void *to, u32 size);
BPF_HELPER(long, getsockopt, void *ctx, int level, int name, void *value, int size);
BPF_HELPER(long, sock_ops_cb_flags_set, struct bpf_sock_ops *skops, int flags);

#undef BPF_HELPER

#endif
