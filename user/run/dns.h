/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The DNS object from user space: who may verify names for a workload.
 *
 * One instance watches the workload's own questions and answers; a second one,
 * if resolver daemons are named, watches theirs. Both fill the map "verified".
 *
 * Life cycle: dns_watch_open() -> (the engine loads .objects) ->
 * dns_watch_attach() -> dns_watch_sweep() now and then -> dns_watch_close().
 */
#ifndef KLOAK_RUN_DNS_H
#define KLOAK_RUN_DNS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "user/bpf/object.h"
#include "user/policy/resolvers.h"

#define DNS_OBJECTS 2
#define DNS_LINKS   (3 + 2 * RESOLVER_CGROUPS_MAX)

struct dns_watch {
	const struct resolver_set *resolvers;
	struct bpf_object *objects[DNS_OBJECTS]; /* the workload's, the daemons' */
	size_t object_count;
	int links[DNS_LINKS];
	size_t link_count;
	uint64_t next_sweep; /* CLOCK_MONOTONIC, ns */
};

struct dns_options {
	const struct resolver_set *resolvers;
	uint32_t workload;
	uint64_t netns_cookie; /* 0: any */
	uint32_t min_ttl;      /* seconds */
};

/* -EINVAL if the resolvers listen on too many different ports. */
int dns_watch_open(struct dns_watch *watch, const struct dns_options *options, struct error *err);

/*
 * Attaches the loaded objects: to the directory @cgroup, and to the daemons'
 * cgroups below @mount, the mount point of cgroup2. @maps gets the resolvers.
 */
int dns_watch_attach(struct dns_watch *watch, const struct bpf_map_set *maps, uint32_t workload,
		     int cgroup, const char *mount, struct error *err);

/* The resolvers are others now than @before. */
void dns_watch_follow(const struct dns_watch *watch, const struct bpf_map_set *maps,
		      uint32_t workload, const struct resolver_set *before);

/* Removes rows of the map "verified" that are over for long. Looks once a minute only. */
void dns_watch_sweep(struct dns_watch *watch, const struct bpf_map_set *maps, uint64_t now);

void dns_watch_close(struct dns_watch *watch);

#endif
