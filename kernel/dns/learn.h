/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From messages to the map "verified": which questions are noted, and which
 * answers count.
 *
 * A question is noted if some rule of the workload covers its name, so that the
 * application can fill the maps with nothing else. An answer counts if it came
 * from a trusted resolver and matches a question of the same socket. One that
 * does not leaves a row in "rejections", for the reason in a later event.
 */
#ifndef KLOAK_DNS_LEARN_H
#define KLOAK_DNS_LEARN_H

#include "kernel/dns/socket.h"
#include "kernel/net/names.h"

#define DNS_WORKS 16
#define NS_PER_S  1000000000ULL

/* Set before loading. */
BPF_SETTING u32 workload_id = 1;
BPF_SETTING u64 workload_netns;	       /* cookie; 0: any */
BPF_SETTING u64 dns_seed = 1;	       /* of hashes; random */
BPF_SETTING u32 dns_ttl_min = TTL_MIN; /* seconds */
/*
 * The programs are attached to the cgroup of a resolver daemon, which asks for
 * others: any server that it asks is trusted, and its sockets may be older than
 * the programs.
 */
BPF_SETTING u32 dns_daemon;

/* Room to work on a message; claimed, since these programs interrupt each other. */
struct dns_work {
	u64 busy;
	struct endpoint server;
	u32 trusted;
	u32 is_answer;
	struct dns_message message; /* of a datagram */
	struct dns_reading reading;
	struct name_rules names;
	struct verified_key key;
};

BPF_MAP(dns_works, BPF_MAP_TYPE_ARRAY, sizeof(u32), sizeof(struct dns_work), DNS_WORKS, 0);
BPF_MAP(resolvers, BPF_MAP_TYPE_HASH, sizeof(struct resolver_key), sizeof(struct resolver_state),
	1024, BPF_F_NO_PREALLOC);

KERNEL_INLINE struct dns_work *dns_work_get(u64 slot)
{
	u32 index = slot;

	return bpf_map_lookup_elem(&dns_works, &index);
}

/* DNS_WORKS if all are in use. Global, so that its turns are not verified for each caller. */
KERNEL_GLOBAL int dns_work_claim(void)
{
	u32 i;

	for (i = 0; i < DNS_WORKS; i++) {
		struct dns_work *work = dns_work_get(i);

		if (work && !__sync_lock_test_and_set(&work->busy, 1))
			return i;
	}
	counter_add(COUNTER_ANSWERS_LOST);
	return DNS_WORKS;
}

KERNEL_INLINE void dns_work_release(u64 slot)
{
	struct dns_work *work = dns_work_get(slot);

	if (work)
		work->busy = 0;
}

/* The row of a trusted resolver, or NULL. */
KERNEL_INLINE struct resolver_state *resolver_find(const struct endpoint *server)
{
	struct resolver_key key = { .workload = workload_id, .port = server->port };

	__builtin_memcpy(key.address, server->address, sizeof(key.address));
	return bpf_map_lookup_elem(&resolvers, &key);
}

/* Is the name of the question one that some rule covers? */
KERNEL_INLINE int dns_name_ruled(struct dns_work *work)
{
	work->names.workload = workload_id;
	work->names.size = work->reading.name_size;
	__builtin_memcpy(work->names.key.name, work->reading.name, NAME_SIZE);
	name_ask(&work->names);
	return work->names.any_port != 0;
}

KERNEL_INLINE u64 dns_lifetime(u32 ttl)
{
	u64 seconds = ttl;

	if (seconds < dns_ttl_min)
		seconds = dns_ttl_min;
	if (seconds > TTL_MAX)
		seconds = TTL_MAX;
	return seconds * NS_PER_S;
}

/* The name of the question has the address in work->key. */
KERNEL_INLINE void dns_verify(struct dns_work *work, u32 ttl)
{
	struct verified row = { .expires = bpf_ktime_get_ns() + dns_lifetime(ttl) };
	struct verified *old = bpf_map_lookup_elem(&verified, &work->key);

	if (old && old->expires >= row.expires)
		return;
	if (bpf_map_update_elem(&verified, &work->key, &row, BPF_ANY))
		counter_add(COUNTER_ANSWERS_LOST);
	else
		counter_add(COUNTER_ANSWERS);
}

struct dns_lesson {
	struct dns_work *work;
	struct rejection rejection; /* its reason is 0 if the answer counts */
};

static long dns_lesson_step(u32 i, struct dns_lesson *lesson)
{
	struct dns_work *work = lesson->work;
	u64 index = i;
	u32 ttl;

	barrier_var(index);
	if (index >= DNS_ADDRESSES || index >= work->reading.address_count)
		return 1;
	if (!dns_address_use(&work->reading, &work->reading.address[index], &ttl))
		return 0;
	__builtin_memcpy(work->key.address, work->reading.address[index].address, 16);
	if (lesson->rejection.reason)
		bpf_map_update_elem(&rejections, &work->key, &lesson->rejection, BPF_ANY);
	else
		dns_verify(work, ttl);
	return 0;
}

/* What the answer in work->reading says counts, or is doubted for @reason. */
KERNEL_GLOBAL int dns_learn(u64 slot, u64 reason)
{
	struct dns_lesson lesson = { .work = dns_work_get(slot),
				     .rejection = { .reason = reason } };

	if (!lesson.work)
		return -1;
	lesson.rejection.time = bpf_ktime_get_ns();
	lesson.work->key.workload = workload_id;
	__builtin_memcpy(lesson.work->key.name, lesson.work->names.name, NAME_SIZE);
	bpf_loop(DNS_ADDRESSES, dns_lesson_step, &lesson, 0);
	return 0;
}

/* An answer from work->server. */
KERNEL_INLINE void dns_answer(struct dns_work *work, struct dns_socket *socket, u64 slot)
{
	u64 reason = REASON_NONE;

	if (!work->trusted)
		reason = REASON_RESOLVER;
	else if (!dns_pending_take(socket, dns_question_hash(&work->reading, &work->server)))
		reason = REASON_QUERY;
	dns_learn(slot, reason);
}

/*
 * A message that a socket has sent to, or got from, work->server. Most are about
 * names that are in no rule, and end before their records are read.
 */
KERNEL_GLOBAL int dns_message(const struct dns_message *m, struct dns_socket *socket, u64 slot)
{
	struct dns_work *work = dns_work_get(slot);
	u32 response;

	if (!m || !socket || !work)
		return -1;
	work->reading.seed = dns_seed;
	if (dns_read_question(m, &work->reading))
		return -1;
	response = !!(work->reading.flags & DNS_FLAG_RESPONSE);
	if (response != work->is_answer || !dns_name_ruled(work))
		return -1;
	if (!response) {
		dns_pending_add(socket, dns_question_hash(&work->reading, &work->server));
		counter_add(COUNTER_QUERIES);
	} else if (!dns_read_answer(m, &work->reading)) {
		dns_answer(work, socket, slot);
	}
	return 0;
}

#endif
