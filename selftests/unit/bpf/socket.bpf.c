// SPDX-License-Identifier: GPL-2.0-only
/*
 * Client sockets of a cgroup: each gets storage and enters a sockhash; the
 * sk_msg program counts its messages and bytes there, by socket and in total.
 */
#include "kernel/bpf.h"

struct state {
	u64 messages;
	u8 padding[1000];
};

struct totals {
	u64 sockets, messages, bytes;
};

BPF_MAP(states, BPF_MAP_TYPE_SK_STORAGE, sizeof(u32), sizeof(struct state), 0, 0);
BPF_MAP(sockets, BPF_MAP_TYPE_SOCKHASH, sizeof(u64), sizeof(u64), 64, 0);
BPF_MAP(totals, BPF_MAP_TYPE_ARRAY, sizeof(u32), sizeof(struct totals), 1, 0);

static struct totals *totals_get(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&totals, &zero);
}

SEC("sockops")
int on_socket(struct bpf_sock_ops *skops)
{
	struct totals *sum = totals_get();
	u64 cookie;

	if (skops->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB || !sum || !skops->sk)
		return 1;
	if (!bpf_sk_storage_get(&states, skops->sk, 0, BPF_SK_STORAGE_GET_F_CREATE))
		return 1;
	cookie = bpf_get_socket_cookie(skops);
	if (!bpf_sock_hash_update(skops, &sockets, &cookie, BPF_ANY))
		sum->sockets++;
	return 1;
}

SEC("sk_msg")
int on_message(struct sk_msg_md *msg)
{
	struct totals *sum = totals_get();
	struct state *state;

	if (!sum || !msg->sk)
		return SK_PASS;
	state = bpf_sk_storage_get(&states, msg->sk, 0, 0);
	if (!state)
		return SK_PASS;
	sum->messages = ++state->messages;
	sum->bytes += msg->size;
	return SK_PASS;
}

SEC("cgroup/setsockopt")
int on_setsockopt(struct bpf_sockopt *ctx)
{
	return !(ctx->level == 6 && ctx->optname == 31); /* TCP_ULP: EPERM */
}

SEC("cgroup_skb/egress")
int on_packet(struct __sk_buff *skb)
{
	return skb->len != 0;
}

LICENSE("GPL");
