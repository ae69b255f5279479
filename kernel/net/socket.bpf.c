// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket object: the TLS record layer of a workload's client sockets, seen
 * from the kernel. It knows nothing about TLS libraries; they speak to it
 * through the maps "keys" and "staged" (kernel/abi.h).
 *
 * Attached to the workload's cgroup (sockops, connect, setsockopt) and to the
 * sockhash (sk_msg).
 */
#include "kernel/net/stream.h"

/* Set before loading: the workload whose cgroup the programs are attached to. */
BPF_SETTING u32 workload_id = 1;
BPF_SETTING u64 workload_netns; /* cookie; 0: any */

KERNEL_INLINE void remote_address(struct bpf_sock_ops *ctx, u8 *address)
{
	u32 v6[4] = { ctx->remote_ip6[0], ctx->remote_ip6[1], ctx->remote_ip6[2],
		      ctx->remote_ip6[3] };

	address_form(ctx->family, ctx->remote_ip4, v6, address);
}

/*
 * A connection is established from this side: give it its state and let every
 * later send pass through socket_message(). Reads address and port of the
 * socket, map nets; writes maps sockets, sockhash. A socket can be disconnected
 * and connected anew (connect(2), AF_UNSPEC): nothing that was true of the
 * connection before must stay.
 */
SEC("sockops")
int socket_connected(struct bpf_sock_ops *ctx)
{
	struct tls_socket *s;
	struct bpf_sock *sk;
	long again;
	u64 cookie;

	if (ctx->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		return 1;
	sk = ctx->sk;
	if (!sk)
		return 1;
	again = !bpf_sk_storage_delete(&sockets, sk);
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
	s->bound_device = sk->bound_dev_if != 0;
	remote_address(ctx, s->address);
	s->by_address = policy_by_address(s);
	if (!bpf_sock_hash_update(ctx, &sockhash, &cookie, BPF_NOEXIST))
		counter_add(COUNTER_SOCKETS);
	else if (!again) /* else it is still in there */
		counter_add(COUNTER_NO_STATE);
	return 1;
}

struct message_patches {
	struct sk_msg_md *m;
	struct tls_socket *s;
	u32 undo; /* apply once more: that takes the change back */
	u32 failed;
	u32 seals; /* some records have to be hashed */
	u32 reserved;
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
	if (s->patch[index].kind == PATCH_SEAL) {
		patches->seals = 1;
		return 0;
	}
	if (!patch_apply(patches->m, s, index))
		return 0;
	patches->failed = 1;
	return 1;
}

static long message_seal_step(u32 i, struct message_patches *patches)
{
	struct tls_socket *s = patches->s;
	u64 index = i;

	barrier_var(index);
	if (index >= PATCHES || index >= s->patch_count)
		return 1;
	if (s->patch[index].kind != PATCH_SEAL || !patch_seal(patches->m, s, index))
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
	struct message_patches patches = { .m = m, .s = s, .undo = 1 };

	if (!m || !s)
		return SK_PASS;
	bpf_loop(count, message_patch_step, &patches, 0);
	s->patch_count = 0;
	s->tail_armed = 0;
	if (s->suite == CIPHER_CHACHA20_POLY1305)
		s->key.sealing.end = 0;
	return patches.failed ? SK_DROP : SK_PASS;
}

/* Applies what was found, and makes sure that the rest of a partial send comes back. */
KERNEL_GLOBAL int message_patch(struct sk_msg_md *m, struct tls_socket *s)
{
	struct message_patches patches = { .m = m, .s = s };
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
	if (patches.seals)
		bpf_loop(s->patch_count, message_seal_step, &patches, 0);
	if (patches.failed)
		return message_give_up(m, s, s->patch_count);
	if (s->patched)
		return bpf_msg_redirect_hash(m, &sockhash, &cookie, 0);
	s->tail_armed = 0;
	return SK_PASS;
}

/* Threads of the sender's process that have staged something which may leave by others. */
KERNEL_INLINE struct movers *movers_get(u64 thread)
{
	const struct config *settings;
	u32 tgid = thread >> 32;
	u32 zero = 0;

	settings = bpf_map_lookup_elem(&config, &zero);
	if (!settings || !settings->movers)
		return NULL;
	return bpf_map_lookup_elem(&movers, &tgid);
}

/*
 * A message on its way into TCP, with the socket locked. Reads and may change
 * the message; reads map keys, movers, secrets, rules, verified; writes sockets,
 * staged, events. Loop bounds: records per message, keys per search, patches per socket.
 */
SEC("sk_msg")
int socket_message(struct sk_msg_md *m)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct walk walk = { .m = m, .thread = thread };
	struct tls_socket *s;
	struct bpf_sock *sk;
	int verdict = SK_PASS;
	u64 written, moving;

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
	walk.of = movers_get(thread);
	/* As numbers: newer clangs test two pointers by one OR of both, which the verifier refuses. */
	written = walk.st != NULL;
	moving = walk.of != NULL;
	barrier_var(written);
	barrier_var(moving);
	s->movers = moving;
	if (written || moving)
		s->now = bpf_ktime_get_ns();
	if (stream_enter(m, s)) {
		walk.s = s;
		if (s->cursor < s->size)
			bpf_loop(MESSAGE_TURNS, stream_step, &walk, 0);
		if (s->patch_count)
			verdict = message_patch(m, s);
		if (s->left && s->bound == CIPHER_CHACHA20_POLY1305 &&
		    s->record.type == CONTENT_APPLICATION_DATA)
			seal_follow(m, s);
	}
	s->position += s->size;
	return verdict;
}

/*
 * May the socket be connected? Not (EPERM) if it was before: disconnected
 * (connect(2), AF_UNSPEC) and connected elsewhere it would take along a record
 * that has its secret already and waits, with the socket unlocked, between this
 * object and TCP: see message_patch(), which redirects a socket to itself.
 */
KERNEL_INLINE int socket_may_connect(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	return !sk || !bpf_sk_storage_get(&sockets, sk, NULL, 0);
}

SEC("cgroup/connect4")
int socket_connect4(struct bpf_sock_addr *ctx)
{
	return socket_may_connect(ctx);
}

SEC("cgroup/connect6")
int socket_connect6(struct bpf_sock_addr *ctx)
{
	return socket_may_connect(ctx);
}

#define SOCK_STREAM 1
#define SOL_SOCKET  1
#define SOL_IP	    0
#define SOL_TCP	    6
#define SOL_IPV6    41

#define SO_BINDTODEVICE	    25
#define SO_TIMESTAMPING_OLD 37
#define SO_BINDTOIFINDEX    62
#define SO_TIMESTAMPING_NEW 65
#define IP_OPTIONS	    4
#define TCP_ULP		    31
#define IPV6_2292RTHDR	    5
#define IPV6_2292PKTOPTIONS 6
#define IPV6_RTHDR	    57

/* Once it is connected, a socket's packets must not be led another way. */
KERNEL_INLINE int socket_is_watched(struct bpf_sockopt *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	return sk && bpf_sk_storage_get(&sockets, sk, NULL, 0);
}

KERNEL_INLINE int socket_is_stream(struct bpf_sockopt *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	return !sk || sk->type == SOCK_STREAM;
}

/*
 * Options that are refused (EPERM), as what they do would undo the promises:
 *
 *	TCP_ULP		kernel TLS takes records out of this object's sight, and
 *			its messages must never be redirected. Libraries then
 *			encrypt in user space.
 *	source routes	packets go to another host than the one that the socket
 *			names, which may be anybody's.
 *	the device	of a connected socket: the same, on any network that
 *			this machine is attached to. Before connecting it may be
 *			chosen, and nothing is swapped then.
 *	timestamps	of what a stream sends: they come with the packet as it
 *			left, with the secret in a record whose keys the
 *			application has.
 */
SEC("cgroup/setsockopt")
int socket_option(struct bpf_sockopt *ctx)
{
	int name = ctx->optname;

	switch (ctx->level) {
	case SOL_TCP:
		return name != TCP_ULP;
	case SOL_IP:
		return name != IP_OPTIONS;
	case SOL_IPV6:
		return name != IPV6_RTHDR && name != IPV6_2292RTHDR && name != IPV6_2292PKTOPTIONS;
	case SOL_SOCKET:
		if (name == SO_TIMESTAMPING_OLD || name == SO_TIMESTAMPING_NEW)
			return !socket_is_stream(ctx);
		if (name != SO_BINDTODEVICE && name != SO_BINDTOIFINDEX)
			return 1;
		return !socket_is_watched(ctx);
	}
	return 1;
}

LICENSE("GPL");
