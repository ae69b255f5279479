/* SPDX-License-Identifier: GPL-2.0-only */
/* Maps that only the socket object uses. Contents: kernel/abi.h, kernel/net/socket.h. */
#ifndef KLOAK_NET_MAPS_H
#define KLOAK_NET_MAPS_H

#include "kernel/maps.h"
#include "kernel/net/socket.h"

BPF_MAP(sockets, BPF_MAP_TYPE_SK_STORAGE, sizeof(u32), sizeof(struct tls_socket), 0,
	BPF_F_NO_PREALLOC);
BPF_MAP(sockhash, BPF_MAP_TYPE_SOCKHASH, sizeof(u64), sizeof(u64), MAX_SOCKETS, 0);
BPF_MAP(nets, BPF_MAP_TYPE_LPM_TRIE, sizeof(struct net_key), sizeof(secret_mask), MAX_RULES,
	BPF_F_NO_PREALLOC);

#endif
