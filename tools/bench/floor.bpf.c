// SPDX-License-Identifier: GPL-2.0-only
/* Programs that do nothing, where Kloak's would be: what is left is the kernel's own cost. */
#include "kernel/bpf.h"

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
	u64 cookie;

	if (ctx->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		return 1;
	cookie = bpf_get_socket_cookie(ctx);
	bpf_sock_hash_update(ctx, &floor_sockets, &cookie, BPF_NOEXIST);
	return 1;
}

SEC("sk_msg")
int floor_message(__attribute__((unused)) struct sk_msg_md *message)
{
	return SK_PASS;
}

LICENSE("GPL");
