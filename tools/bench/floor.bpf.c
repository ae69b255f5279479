// SPDX-License-Identifier: GPL-2.0-only
/* Programs that do nothing, in the places of Kloak's: what they cost is the kernel's share. */
#include "kernel/bpf.h"

/* The socket's key in the sockhash, which sk_msg programs cannot ask for. */
BPF_MAP(floor_cookies, BPF_MAP_TYPE_SK_STORAGE, sizeof(u32), sizeof(u64), 0, 0);
BPF_MAP(floor_sockets, BPF_MAP_TYPE_SOCKHASH, sizeof(u64), sizeof(u64), 1024, 0);

SEC("uprobe.s/floor")
int floor_probe(__attribute__((unused)) void *ctx)
{
	return 0;
}

SEC("uretprobe.s/floor")
int floor_return(__attribute__((unused)) void *ctx)
{
	return 0;
}

SEC("sockops")
int floor_connected(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	u64 cookie;
	u64 *kept;

	if (ctx->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB || !sk)
		return 1;
	cookie = bpf_get_socket_cookie(ctx);
	kept = bpf_sk_storage_get(&floor_cookies, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (kept)
		*kept = cookie;
	bpf_sock_hash_update(ctx, &floor_sockets, &cookie, BPF_NOEXIST);
	return 1;
}

SEC("sk_msg")
int floor_message(__attribute__((unused)) struct sk_msg_md *message)
{
	return SK_PASS;
}

/* What a patched message needs besides: it is redirected to its own socket. */
SEC("sk_msg")
int floor_redirect(struct sk_msg_md *message)
{
	struct bpf_sock *sk = message->sk;
	u64 *cookie = sk ? bpf_sk_storage_get(&floor_cookies, sk, NULL, 0) : NULL;

	return cookie ? bpf_msg_redirect_hash(message, &floor_sockets, cookie, 0) : SK_PASS;
}

LICENSE("GPL");
