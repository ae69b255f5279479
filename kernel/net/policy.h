/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a secret may go. Decided from the socket alone: its remote address and
 * port when it connected, and the name that its own ClientHello asked for. The
 * answer is a set of secrets, kept with the socket for its life.
 *
 * A name counts only together with an address that a trusted resolver, or a
 * static pin, gave for it: the address alone would let another tenant of the
 * same address have the secret, the name alone would believe the application.
 */
#ifndef KLOAK_NET_POLICY_H
#define KLOAK_NET_POLICY_H

#include "kernel/address.h"
#include "kernel/net/maps.h"
#include "kernel/tls/hello.h"

/* At connect: the secrets that may go to this address whatever name is asked for. */
KERNEL_INLINE secret_mask policy_by_address(const struct tls_socket *s)
{
	struct net_key key = {
		.prefix_bits = 64 + 128,
		.workload = __builtin_bswap32(s->workload),
		.port = __builtin_bswap32(s->port),
	};
	secret_mask *mask;

	__builtin_memcpy(key.address, s->address, sizeof(key.address));
	mask = bpf_map_lookup_elem(&nets, &key);
	return mask ? *mask : 0;
}

struct name_copy {
	struct sk_msg_md *m;
	struct tls_socket *s;
};

static long policy_copy_step(u32 i, struct name_copy *copy)
{
	struct hello *hello = &copy->s->scratch_hello;
	int c = hello_u8((const u8 *)copy->m->data, (const u8 *)copy->m->data_end,
			 hello->name_at + i);
	u64 to = i;

	barrier_var(to);
	c = c < 0 ? c : name_byte(c);
	if (c < 0 || to >= NAME_SIZE) {
		hello->bad = 1;
		return 1;
	}
	copy->s->sni.key.name[to] = to + 1 == hello->name_size && c == '.' ? 0 : c;
	return 0;
}

/*
 * Copies the host name of the ClientHello in lower case into s->sni.key.name and
 * pads it with zeros. -1 if it has a byte that no host name has.
 */
KERNEL_INLINE int policy_copy_name(struct sk_msg_md *m, struct tls_socket *s)
{
	struct name_copy copy = { .m = m, .s = s };

	__builtin_memset(s->sni.key.name, 0, NAME_SIZE);
	bpf_loop(s->scratch_hello.name_size, policy_copy_step, &copy, 0);
	return s->scratch_hello.bad ? -1 : 0;
}

/* Why the address of this socket does not count for the name in s->name_key. */
KERNEL_INLINE u32 policy_rejection(const struct tls_socket *s)
{
	struct rejection *rejection = bpf_map_lookup_elem(&rejections, &s->name_key);

	return rejection ? rejection->reason : REASON_NOT_VERIFIED;
}

/* The verdict on the name that was just copied, at this address. */
KERNEL_INLINE void policy_decide(struct tls_socket *s)
{
	struct verified *answer;

	s->sni.workload = s->workload;
	s->sni.port = s->port;
	s->sni.size = s->scratch_hello.name_size;
	name_ask(&s->sni);
	s->name_key.workload = s->workload;
	__builtin_memcpy(s->name_key.address, s->address, sizeof(s->address));
	__builtin_memcpy(s->name_key.name, s->sni.name, NAME_SIZE);
	answer = bpf_map_lookup_elem(&verified, &s->name_key);
	if (!answer)
		s->unverified = policy_rejection(s);
	else
		s->unverified = answer->expires >= s->connected ? REASON_NONE : REASON_EXPIRED;
}

/* Does the name that was just copied differ from the one of the first ClientHello? */
KERNEL_INLINE int policy_name_differs(const struct tls_socket *s)
{
	u64 difference = 0;
	u32 i;

	for (i = 0; i < NAME_SIZE; i += 8)
		difference |= load_le64(s->sni.name + i) ^ load_le64(s->sni.key.name + i);
	return difference != 0;
}

/*
 * Takes the ClientHello in the linear data of @m, which begins with its record.
 * A second one (after HelloRetryRequest) must say the same as the first.
 */
KERNEL_GLOBAL int policy_hello(struct sk_msg_md *m)
{
	struct tls_socket *s;
	struct bpf_sock *sk;
	u32 state = HELLO_NAME;

	if (!m)
		return -1;
	sk = m->sk;
	if (!sk)
		return -1;
	/* Not an argument: Linux 6.1 takes no key from the memory of one. */
	s = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (!s)
		return -1;
	if (hello_parse(m, &s->scratch_hello))
		state = HELLO_BAD; /* NOLINT(bugprone-branch-clone): asked in this order */
	else if (s->scratch_hello.encrypted)
		state = HELLO_ENCRYPTED;
	else if (!s->scratch_hello.name_at)
		state = HELLO_NO_NAME;
	else if (policy_copy_name(m, s))
		state = HELLO_BAD;
	if (s->hello != HELLO_NONE) {
		if (s->hello != state || (state == HELLO_NAME && policy_name_differs(s)))
			s->hello = HELLO_CHANGED;
		return 0;
	}
	s->hello = state;
	if (state == HELLO_NAME)
		policy_decide(s);
	return 0;
}

/*
 * Is the other end still the one that the verdict is about? Disconnected, a
 * socket may be pointed elsewhere and send before it is established again:
 * data in the SYN (TCP_FASTOPEN_CONNECT).
 */
KERNEL_INLINE int policy_peer_changed(struct sk_msg_md *m, const struct tls_socket *s)
{
	u32 v6[4] = { m->remote_ip6[0], m->remote_ip6[1], m->remote_ip6[2], m->remote_ip6[3] };
	u64 address[2];

	address_form(m->family, m->remote_ip4, v6, (u8 *)address);
	return __builtin_bswap32(m->remote_port) != s->port ||
	       address[0] != load_le64(s->address) || address[1] != load_le64(s->address + 8);
}

/* REASON_NONE if the secret with this index may be sent on this socket. */
KERNEL_INLINE u32 policy_verdict(const struct tls_socket *s, u32 index)
{
	secret_mask secret = 1ULL << (index & (WORKLOAD_SECRETS - 1));

	if (s->foreign_netns)
		return REASON_NETNS;
	if (s->bound_device)
		return REASON_DEVICE;
	if (s->peer_changed)
		return REASON_PEER;
	if (s->by_address & secret)
		return REASON_NONE;
	switch (s->hello) {
	case HELLO_NAME:
		break;
	case HELLO_NO_NAME:
		return REASON_NO_SNI;
	case HELLO_ENCRYPTED:
		return REASON_ECH;
	case HELLO_CHANGED:
		return REASON_SNI_CHANGED;
	default:
		return REASON_HELLO;
	}
	if (!(s->sni.at_port & secret))
		return s->sni.any_port & secret ? REASON_PORT : REASON_HOST;
	return s->unverified;
}

#endif
