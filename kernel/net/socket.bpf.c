// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket object: the TLS record layer of a workload's client sockets, seen
 * from the kernel. It knows nothing about TLS libraries; they speak to it
 * through the maps "keys" and "staged" (kernel/abi.h).
 *
 * Attached to the workload's cgroup (sockops, setsockopt) and to the sockhash
 * (sk_msg).
 */
#include "kernel/net/stream.h"

/* Set before loading: the workload whose cgroup the programs are attached to. */
const volatile u32 workload_id = 1;
const volatile u64 workload_netns; /* cookie; 0: any */

/* All fields are read in any case: clang would merge reads in branches into one by pointer. */
static inline void remote_address(struct bpf_sock_ops *ctx, u8 *address)
{
	u32 v4 = ctx->remote_ip4;
	u32 v6[4] = {ctx->remote_ip6[0], ctx->remote_ip6[1], ctx->remote_ip6[2],
		     ctx->remote_ip6[3]};

	barrier_var(v4);
	if (ctx->family == 2 /* AF_INET */) {
		v6[0] = 0;
		v6[1] = 0;
		v6[2] = __builtin_bswap32(0xffff);
		v6[3] = v4;
	}
	__builtin_memcpy(address, v6, sizeof(v6));
}

/*
 * A connection is established from this side: give it its state and let every
 * later send pass through socket_message(). Reads address and port of the
 * socket, map nets; writes maps sockets, sockhash.
 */
SEC("sockops")
int socket_connected(struct bpf_sock_ops *ctx)
{
	struct tls_socket *s;
	struct bpf_sock *sk;
	u64 cookie;

	if (ctx->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		return 1;
	sk = ctx->sk;
	if (!sk)
		return 1;
	s = bpf_sk_storage_get(&sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!s) {
		counter_add(COUNTER_NO_STATE);
		return 1;
	}
	cookie = bpf_get_socket_cookie(ctx);
	s->cookie = cookie;
	s->connected = bpf_ktime_get_ns();
	s->workload = workload_id;
	s->port = __builtin_bswap32(ctx->remote_port);
	s->foreign_netns = workload_netns && bpf_get_netns_cookie(ctx) != workload_netns;
	remote_address(ctx, s->address);
	s->by_address = policy_by_address(s);
	if (bpf_sock_hash_update(ctx, &sockhash, &cookie, BPF_NOEXIST))
		counter_add(COUNTER_NO_STATE);
	else
		counter_add(COUNTER_SOCKETS);
	return 1;
}

struct message_patches {
	struct sk_msg_md *m;
	struct tls_socket *s;
	u32 undo; /* apply once more: that takes the change back */
	u32 failed;
};

static long message_patch_step(u32 i, struct message_patches *patches)
{
	struct tls_socket *s = patches->s;
	u64 index = i;

	barrier_var(index);
	if (index >= PATCHES || index >= s->patch_count)
		return 1;
	if (patches->undo && s->patch[index].start < s->position)
		patches->failed = 1;
	if (!patch_apply(patches->m, s, index))
		return 0;
	patches->failed = 1;
	return 1;
}

/*
 * The kernel had no memory to change all of the message: undo the first @count
 * patches, and let the placeholders leave unchanged. Where part of a record
 * left changed in an earlier message nothing can be undone: rather an error for
 * the sender than a record that the peer cannot authenticate.
 */
KERNEL_GLOBAL int message_give_up(struct sk_msg_md *m, struct tls_socket *s, u64 count)
{
	struct message_patches patches = {.m = m, .s = s, .undo = 1};

	if (!m || !s)
		return SK_PASS;
	bpf_loop(count, message_patch_step, &patches, 0);
	s->patch_count = 0;
	s->tail_armed = 0;
	return patches.failed ? SK_DROP : SK_PASS;
}

/* Applies what was found, and makes sure that the rest of a partial send comes back. */
KERNEL_GLOBAL int message_patch(struct sk_msg_md *m, struct tls_socket *s)
{
	struct message_patches patches = {.m = m, .s = s};
	long turns;
	u64 cookie;

	if (!m || !s)
		return SK_PASS;
	cookie = s->cookie;
	s->patched = 0;
	if (tail_save(m, s))
		return message_give_up(m, s, 0);
	turns = bpf_loop(s->patch_count, message_patch_step, &patches, 0);
	if (patches.failed)
		return message_give_up(m, s, turns - 1);
	if (s->patched)
		return bpf_msg_redirect_hash(m, &sockhash, &cookie, 0);
	s->tail_armed = 0;
	return SK_PASS;
}

/*
 * A message on its way into TCP, with the socket locked. Reads and may change
 * the message; reads map keys, secrets, rules, verified; writes sockets, staged,
 * events. Loop bounds: records per message, keys per search, patches per socket.
 */
SEC("sk_msg")
int socket_message(struct sk_msg_md *m)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct walk walk = {.m = m};
	struct tls_socket *s;
	struct bpf_sock *sk;
	int verdict = SK_PASS;

	sk = m->sk;
	if (!sk)
		return SK_PASS;
	s = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (!s)
		return SK_PASS;
	walk.st = bpf_map_lookup_elem(&staged, &thread);
	if (walk.st && !walk.st->pending)
		walk.st = NULL;
	if (s->stream == STREAM_NOT_TLS) {
		if (walk.st)
			match_not_tls(walk.st);
		return SK_PASS;
	}
	counter_add(COUNTER_MESSAGES);
	s->size = m->size;
	s->cursor = 0;
	s->laid_out = 0;
	s->matching = 0;
	if (walk.st)
		s->now = bpf_ktime_get_ns();
	if (stream_enter(m, s)) {
		walk.s = s;
		if (s->cursor < s->size)
			bpf_loop(MESSAGE_TURNS, stream_step, &walk, 0);
		if (s->patch_count)
			verdict = message_patch(m, s);
	}
	s->position += s->size;
	return verdict;
}

/*
 * Kernel TLS takes records out of this program's sight, and a kTLS message must
 * never be redirected: refuse the upper layer protocol. Libraries then encrypt
 * in user space. (level SOL_TCP = 6, optname TCP_ULP = 31)
 */
SEC("cgroup/setsockopt")
int socket_no_ktls(struct bpf_sockopt *ctx)
{
	return !(ctx->level == 6 && ctx->optname == 31);
}

LICENSE("GPL");
