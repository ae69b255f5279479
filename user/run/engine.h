/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data path of one workload, from user space: maps, programs, links.
 *
 *	engine_open()		load the BPF objects, attach them to the cgroup
 *	engine_grant_*()	fill the maps
 *	engine_attach_file()	probe an executable or a library
 *	engine_poll()		hand out events
 *	engine_close()		detach everything
 *
 * Nothing is pinned: should Kloak die, the kernel takes everything down.
 */
#ifndef KLOAK_RUN_ENGINE_H
#define KLOAK_RUN_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/abi.h"
#include "lib/error.h"
#include "user/attach/foreign.h"
#include "user/attach/hook.h"
#include "user/bpf/object.h"
#include "user/bpf/ringbuf.h"
#include "user/policy/pins.h"
#include "user/policy/resolvers.h"
#include "user/policy/rule_set.h"
#include "user/run/dns.h"
#include "user/secret/set.h"

#define ENGINE_LINKS 4

struct engine {
	struct bpf_map_set maps;
	struct bpf_object *socket;
	struct bpf_object *hook[HOOKS_MAX]; /* as in hooks[]; NULL until a file needs it */
	struct config config;
	int cgroup_links[ENGINE_LINKS];
	size_t cgroup_link_count;
	struct dns_watch dns;
	struct hook_links probes;
	struct bpf_ringbuf events;
	bool no_loading;    /* files that need a hook whose object is not loaded yet have to wait */
	bool warned_served; /* of files that are not probed since a user serves them */
	uint32_t workload;
	uint64_t next_sweep; /* CLOCK_MONOTONIC, ns */
};

struct engine_options {
	int cgroup;		  /* directory fd */
	const char *cgroup_mount; /* where cgroup2 is mounted */
	uint64_t cgroup_id;
	unsigned int cgroup_level;
	uint64_t netns_cookie; /* 0: any */
	bool report_swaps;
	uint64_t placeholder_lengths;
	const struct resolver_set *resolvers; /* NULL: no rule has a name to be verified */
	uint32_t min_ttl;		      /* seconds */
};

/* On failure nothing is left attached. */
int engine_open(struct engine *engine, const struct engine_options *options, struct error *err);

/* Gives the kernel the secrets; the caller wipes its own copy then. */
int engine_grant_secrets(struct engine *engine, const struct secret_set *secrets,
			 struct error *err);
int engine_grant_destinations(struct engine *engine, const struct rule_set *rules,
			      const struct pin_set *pins, struct error *err);

/* Host @name (normalised) has @address until @expires, ns of CLOCK_MONOTONIC. Returns -errno. */
int engine_pin(struct engine *engine, const char *name, const uint8_t address[static ADDRESS_SIZE],
	       uint64_t expires);

/*
 * Probes what hooks know in the file @file. Returns the number of functions, or
 * -errno with a sentence. The probes' links are added to @links, even then.
 * -EAGAIN: an object would have to be loaded, which @engine->no_loading forbids;
 * nothing was done.
 */
int engine_attach_file(struct engine *engine, const struct foreign_file *file, const char *path,
		       struct hook_links *links, struct error *err);

/* For poll(2). */
int engine_events_fd(const struct engine *engine);

/* Hands every waiting event to @callback. */
void engine_poll(struct engine *engine, void (*callback)(void *data, const struct event *event),
		 void *data);

/* The resolvers of the options are others now than @before. */
void engine_follow_resolvers(struct engine *engine, const struct resolver_set *before);

/* What is due now and then, beside the events: forgets addresses whose time is long over. */
void engine_tidy(struct engine *engine);

/*
 * Turns placeholders that were given to TLS and never seen leaving into events,
 * if that was longer than @age nanoseconds ago. Looks once a second only, but
 * always with @age 0.
 */
void engine_sweep_staged(struct engine *engine, uint64_t age,
			 void (*callback)(void *data, const struct event *event), void *data);

uint64_t engine_counter(const struct engine *engine, enum counter counter);

void engine_close(struct engine *engine);

#endif
