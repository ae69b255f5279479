/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kernel/bpf.h for a test: the same names over memory, so that the very code of
 * kernel/ runs in a process, under a debugger and under ASan. Include it before
 * any header of kernel/ (host_kernel.h does).
 *
 * What a test sees and sets is in "struct host host". Models of the kernel keep
 * its hard rules: bpf_msg_pull_data() gives a fresh range of exactly the bytes
 * asked for and makes earlier pointers invalid, a packet ends at a page that
 * faults, user memory can fault, maps, socket storage and the ring buffer can be
 * full.
 */
#ifndef KLOAK_SELFTESTS_HOST_BPF_H
#define KLOAK_SELFTESTS_HOST_BPF_H

#define KLOAK_BPF_H /* in place of kernel/bpf.h */

#include <linux/bpf.h>
#include <sys/mman.h>

#include "kernel/loop.h"
#include "kernel/types.h"
#include "selftests/unit/host_map.h"

#define HOST_LEVELS   16
#define HOST_STORAGES 4	    /* maps that a socket has storage in */
#define HOST_PACKET   65536 /* largest linear part */

/* What the helpers know of the world. */
struct host {
	u64 thread; /* tgid << 32 | tid */
	u64 cgroup[HOST_LEVELS];
	u64 netns_cookie;
	u64 time;
	const void *user; /* the only user memory that can be read */
	u64 user_size;
	/* The n-th call from now fails; 0: none does. */
	u32 pull_failure;    /* of bpf_msg_pull_data() */
	u32 storage_failure; /* of those that make a socket's storage */
	u32 load_failure;    /* of bpf_skb_load_bytes() */
	bool ring_full;
	bool moves; /* the hook is of a library whose writes may be sent by another thread */
	/* What another CPU does in a later bpf_msg_pull_data(). */
	void (*meanwhile)(void);
	u32 pulls_before_meanwhile;
	u8 *event[4096]; /* submitted records, in order */
	u32 events;
};

static struct host host;

struct host_storage {
	const struct host_map *map;
	void *value;
};

/* A socket, as the pointers in a BPF context lead to it. The kernel's view must come first. */
struct host_socket {
	struct bpf_sock sock;
	u64 cookie;
	struct host_storage storage[HOST_STORAGES];
	bool watched;  /* in a sockhash */
	bool not_full; /* a request, or in state TIME_WAIT */
};

/* A message of a socket. The context must be its first member. */
struct host_message {
	struct sk_msg_md context;
	u8 *byte;
	u32 size;
	u8 *view; /* the range that was pulled last */
	u32 view_start, view_size;
	bool redirected;
};

/* A packet at a cgroup_skb program. The context must be its first member. */
struct host_packet {
	struct __sk_buff context;
	const u8 *byte;
	u32 size;
};

#define SEC(name)     static __attribute__((unused))
#define BPF_SETTING   static __attribute__((unused)) volatile /* a test may change it */
#define LICENSE(text) struct host_license
#define BPF_MAP(name, type, key_size, value_size, max_entries, flags)                              \
	static __attribute__((unused)) struct host_map name = { type,	     key_size, value_size, \
								max_entries, 0,	       { NULL },   \
								NULL,	     false }
/* Little endian, as kernel/bpf.h. */
#define bpf_ntohs(x) ((u16)__builtin_bswap16(x))

#define HOST_HELPER static inline __attribute__((unused))

/* ---- maps ---- */

HOST_HELPER void *bpf_map_lookup_elem(struct host_map *map, const void *key)
{
	return host_map_lookup(map, key);
}

HOST_HELPER long bpf_map_update_elem(struct host_map *map, const void *key, const void *value,
				     u64 flags)
{
	return host_map_update(map, key, value, flags);
}

HOST_HELPER long bpf_map_delete_elem(struct host_map *map, const void *key)
{
	return host_map_delete(map, key);
}

/* ---- sockets ---- */

/* The storage of a socket in a map, or the first one that is free. NULL: the model has no more. */
HOST_HELPER struct host_storage *host_storage_find(struct host_socket *socket,
						   const struct host_map *map)
{
	for (unsigned int i = 0; i < HOST_STORAGES; i++)
		if (!socket->storage[i].map || socket->storage[i].map == map)
			return &socket->storage[i];
	return NULL;
}

HOST_HELPER void *bpf_sk_storage_get(struct host_map *map, void *sk, void *value, u64 flags)
{
	struct host_storage *storage = host_storage_find(sk, map);

	if (!storage)
		abort();
	if (storage->map)
		return storage->value;
	if (!(flags & BPF_SK_STORAGE_GET_F_CREATE))
		return NULL;
	if (host.storage_failure && !--host.storage_failure)
		return NULL;
	storage->map = map;
	storage->value = host_alloc(map->value_size);
	if (value)
		memcpy(storage->value, value, map->value_size);
	return storage->value;
}

/* The socket is closed: the kernel frees its storage. */
HOST_HELPER void host_socket_close(struct host_socket *socket)
{
	for (unsigned int i = 0; i < HOST_STORAGES; i++)
		free(socket->storage[i].value);
	memset(socket, 0, sizeof(*socket));
}

HOST_HELPER struct bpf_sock *bpf_sk_fullsock(struct bpf_sock *sk)
{
	return ((struct host_socket *)(void *)sk)->not_full ? NULL : sk;
}

HOST_HELPER long bpf_sk_storage_delete(struct host_map *map, void *sk)
{
	struct host_storage *storage = host_storage_find(sk, map);
	struct host_storage *end = ((struct host_socket *)sk)->storage + HOST_STORAGES;

	if (!storage || !storage->map)
		return -ENOENT;
	free(storage->value);
	for (; storage + 1 < end; storage++)
		*storage = storage[1];
	memset(storage, 0, sizeof(*storage));
	return 0;
}

HOST_HELPER long bpf_sock_hash_update(struct bpf_sock_ops *context, struct host_map *map, void *key,
				      u64 flags)
{
	(void)map;
	(void)key;
	(void)flags;
	((struct host_socket *)(void *)context->sk)->watched = true;
	return 0;
}

/* ---- the ring buffer ---- */

HOST_HELPER void *bpf_ringbuf_reserve(struct host_map *map, u64 size, u64 flags)
{
	(void)map;
	(void)flags;
	return host.ring_full ? NULL : host_alloc(size);
}

HOST_HELPER void bpf_ringbuf_discard(void *record, u64 flags)
{
	(void)flags;
	free(record);
}

/* Records beyond those that a test can want to see are forgotten. */
HOST_HELPER void bpf_ringbuf_submit(void *record, u64 flags)
{
	(void)flags;
	if (host.events == sizeof(host.event) / sizeof(host.event[0]))
		free(record);
	else
		host.event[host.events++] = record;
}

HOST_HELPER u64 bpf_ringbuf_query(struct host_map *map, u64 flags)
{
	(void)map;
	(void)flags;
	return host.events;
}

HOST_HELPER void host_events_clear(void)
{
	while (host.events)
		free(host.event[--host.events]);
}

/* ---- time, thread, workload ---- */

HOST_HELPER u64 bpf_ktime_get_ns(void)
{
	return ++host.time;
}

HOST_HELPER u64 bpf_get_current_pid_tgid(void)
{
	return host.thread;
}

HOST_HELPER long bpf_get_current_comm(void *buffer, u32 size)
{
	strncpy(buffer, "test", size);
	return 0;
}

HOST_HELPER u32 bpf_get_smp_processor_id(void)
{
	return 0;
}

HOST_HELPER u64 bpf_get_current_ancestor_cgroup_id(int level)
{
	return level >= 0 && level < HOST_LEVELS ? host.cgroup[level] : 0;
}

HOST_HELPER u64 bpf_get_socket_cookie(struct bpf_sock_ops *context)
{
	return ((struct host_socket *)(void *)context->sk)->cookie;
}

HOST_HELPER u64 bpf_get_netns_cookie(void *context)
{
	(void)context;
	return host.netns_cookie;
}

/* ---- memory ---- */

HOST_HELPER long bpf_copy_from_user(void *to, u32 size, const void *from)
{
	u64 at = (u64)from - (u64)host.user;

	if ((u64)from < (u64)host.user || at > host.user_size || size > host.user_size - at) {
		memset(to, 0, size);
		return -EFAULT;
	}
	memcpy(to, from, size);
	return 0;
}

HOST_HELPER long bpf_probe_read_user(void *to, u32 size, const void *from)
{
	return bpf_copy_from_user(to, size, from);
}

HOST_HELPER long bpf_probe_read_kernel(void *to, u32 size, const void *from)
{
	memcpy(to, from, size);
	return 0;
}

/* ---- packets ---- */

/* Where the linear part of a packet lies: a context has 32 bits for its address. */
HOST_HELPER u8 *host_packet_end(void)
{
	static u8 *end;
	u8 *start;

	if (end)
		return end;
	start = mmap(NULL, 2 * HOST_PACKET, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (start == MAP_FAILED || mprotect(start + HOST_PACKET, HOST_PACKET, PROT_NONE))
		abort();
	end = start + HOST_PACKET;
	return end;
}

/* A packet of @size bytes, of which direct access reaches the first @linear. */
HOST_HELPER void host_packet_set(struct host_packet *packet, const void *bytes, u32 size,
				 u32 linear, struct host_socket *socket)
{
	u8 *end = host_packet_end();

	if (linear > size || linear > HOST_PACKET)
		abort();
	memset(packet, 0, sizeof(*packet));
	memcpy(end - linear, bytes, linear);
	packet->byte = bytes;
	packet->size = size;
	packet->context.len = size;
	packet->context.data = (u32)(unsigned long)(end - linear);
	packet->context.data_end = (u32)(unsigned long)end;
	packet->context.sk = socket ? &socket->sock : NULL;
}

/* All of the packet, not of its linear part only; as the kernel does it, zeros on failure. */
HOST_HELPER long bpf_skb_load_bytes(const struct __sk_buff *context, u32 offset, void *to, u32 size)
{
	const struct host_packet *packet = (const struct host_packet *)context;
	bool fails = host.load_failure && !--host.load_failure;

	if (fails || !size || offset > packet->size || size > packet->size - offset) {
		memset(to, 0, size);
		return -EFAULT;
	}
	memcpy(to, packet->byte + offset, size);
	return 0;
}

/* ---- messages ---- */

/* Takes over what was written through the pulled range. */
HOST_HELPER void host_message_settle(struct host_message *message)
{
	if (message->view)
		memcpy(message->byte + message->view_start, message->view, message->view_size);
	free(message->view);
	message->view = NULL;
	message->context.data = NULL;
	message->context.data_end = NULL;
}

/* bpf-helpers(7): [start, end) becomes readable and writable, older pointers are void. */
HOST_HELPER long bpf_msg_pull_data(struct sk_msg_md *context, u32 start, u32 end, u64 flags)
{
	struct host_message *message = (struct host_message *)context;

	if (host.meanwhile && !host.pulls_before_meanwhile--) {
		host.meanwhile();
		host.meanwhile = NULL;
	}
	if (host.pull_failure && !--host.pull_failure)
		return -ENOMEM;
	if (flags || end <= start || end > message->size)
		return -EINVAL;
	host_message_settle(message);
	message->view = host_alloc(end - start);
	message->view_start = start;
	message->view_size = end - start;
	memcpy(message->view, message->byte + start, end - start);
	context->data = message->view;
	context->data_end = message->view + (end - start);
	return 0;
}

HOST_HELPER long bpf_msg_redirect_hash(struct sk_msg_md *context, struct host_map *map, void *key,
				       u64 flags)
{
	(void)map;
	(void)key;
	(void)flags;
	((struct host_message *)context)->redirected = true;
	return SK_PASS;
}

#endif
