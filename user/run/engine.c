// SPDX-License-Identifier: GPL-2.0-only
/* Loading, feeding and closing the data path: see engine.h. */
#include "user/run/engine.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "user/bpf/feature.h"
#include "user/bpf/link.h"
#include "user/bpf/map.h"
#include "user/bpf/syscall.h"
#include "user/run/storage.h"

extern const uint8_t bpf_socket_start[], bpf_socket_end[];

#define WORKLOAD_ID    1
#define SWEEP_INTERVAL NSEC_PER_SEC

static int engine_map(const struct engine *engine, const char *name)
{
	return bpf_map_set_find(&engine->maps, name);
}

static int map_set(const struct engine *engine, const char *name, const void *key,
		   const void *value, struct error *err)
{
	int ret = bpf_map_update(engine_map(engine, name), key, value, BPF_ANY);

	if (ret)
		return error_set(err, ret, "cannot write to BPF map %s: %s; see 'kloak doctor'",
				 name, strerror(-ret));
	return 0;
}

static int prepare_socket_object(struct engine *engine, const struct engine_options *options,
				 struct error *err)
{
	uint32_t workload = engine->workload;
	uint64_t netns = options->netns_cookie;
	int ret;

	ret = bpf_object_open(&engine->socket, "socket", bpf_socket_start,
			      (size_t)(bpf_socket_end - bpf_socket_start), err);
	if (ret)
		return ret;
	ret = bpf_object_set(engine->socket, "workload_id", &workload, sizeof(workload));
	if (!ret)
		ret = bpf_object_set(engine->socket, "workload_netns", &netns, sizeof(netns));
	if (ret)
		error_set(err, ret, "the embedded socket object is damaged; build kloak again");
	return ret;
}

static int prepare_hook_object(struct engine *engine, size_t index, struct error *err)
{
	const struct hook *hook = &hooks[index];
	int ret = bpf_object_open(&engine->hook[index], hook->name, hook->object,
				  (size_t)(hook->object_end - hook->object), err);

	if (!ret)
		bpf_object_use_uprobe_multi(engine->hook[index],
					    bpf_feature_has(BPF_FEATURE_UPROBE_MULTI));
	return ret;
}

static int prepare_dns(struct engine *engine, const struct engine_options *options,
		       struct error *err)
{
	const struct dns_options dns = {
		.resolvers = options->resolvers,
		.workload = engine->workload,
		.netns_cookie = options->netns_cookie,
		.min_ttl = options->min_ttl,
	};

	return dns_watch_open(&engine->dns, &dns, err);
}

static int load_objects(struct engine *engine, const struct engine_options *options,
			struct error *err)
{
	struct bpf_object *objects[HOOKS_MAX + DNS_OBJECTS + 1];
	unsigned int count = 0;
	size_t i;
	int ret;

	ret = prepare_socket_object(engine, options, err);
	objects[count++] = engine->socket;
	for (i = 0; !ret && i < hook_count; i++) {
		if (!hooks[i].usual)
			continue;
		ret = prepare_hook_object(engine, i, err);
		objects[count++] = engine->hook[i];
	}
	if (!ret && options->resolvers)
		ret = prepare_dns(engine, options, err);
	for (i = 0; i < engine->dns.object_count; i++)
		objects[count++] = engine->dns.objects[i];
	return ret ? ret : bpf_object_load_all(objects, count, &engine->maps, err);
}

static int configure(struct engine *engine, const struct engine_options *options, struct error *err)
{
	struct workload workload = { .id = engine->workload,
				     .netns_cookie = options->netns_cookie };
	uint64_t id = options->cgroup_id;
	uint32_t zero = 0;
	size_t i;
	int ret;

	engine->config.report_swaps = options->report_swaps;
	engine->config.placeholder_lengths = options->placeholder_lengths;
	for (i = 0; i < CGROUP_DEPTHS; i++)
		engine->config.cgroup_level[i] = options->cgroup_level;
	ret = map_set(engine, "config", &zero, &engine->config, err);
	return ret ? ret : map_set(engine, "workloads", &id, &workload, err);
}

/* The order matters little: the workload's first process is not in the cgroup yet, or waits. */
static int attach_cgroup(struct engine *engine, int cgroup, struct error *err)
{
	static const struct {
		const char *program;
		uint32_t type;
	} programs[] = {
		{ "socket_connected", BPF_CGROUP_SOCK_OPS },
		{ "socket_option", BPF_CGROUP_SETSOCKOPT },
		{ "socket_connect4", BPF_CGROUP_INET4_CONNECT },
		{ "socket_connect6", BPF_CGROUP_INET6_CONNECT },
	};
	size_t i;
	int ret;

	ret = bpf_prog_attach_map(bpf_object_program(engine->socket, "socket_message"),
				  engine_map(engine, "sockhash"), BPF_SK_MSG_VERDICT);
	if (ret)
		return error_set(err, ret, "cannot watch sockets: %s; see 'kloak doctor'",
				 strerror(-ret));
	for (i = 0; i < ARRAY_SIZE(programs); i++) {
		ret = link_create_cgroup(bpf_object_program(engine->socket, programs[i].program),
					 cgroup, programs[i].type);
		if (ret < 0)
			return error_set(err, ret,
					 "cannot attach %s to the cgroup: %s; see 'kloak doctor'",
					 programs[i].program, strerror(-ret));
		engine->cgroup_links[engine->cgroup_link_count++] = ret;
	}
	return 0;
}

int engine_open(struct engine *engine, const struct engine_options *options, struct error *err)
{
	int ret;

	memset(engine, 0, sizeof(*engine));
	engine->workload = WORKLOAD_ID;
	ret = load_objects(engine, options, err);
	if (!ret)
		ret = storage_try(engine_map(engine, "sockets"), err);
	if (!ret)
		ret = configure(engine, options, err);
	if (!ret)
		ret = attach_cgroup(engine, options->cgroup, err);
	if (!ret && options->resolvers)
		ret = dns_watch_attach(&engine->dns, &engine->maps, engine->workload,
				       options->cgroup, options->cgroup_mount, err);
	if (!ret) {
		ret = bpf_ringbuf_open(&engine->events, engine_map(engine, "events"));
		if (ret)
			error_set(err, ret, "cannot map the event buffer: %s; free memory",
				  strerror(-ret));
	}
	if (ret)
		engine_close(engine);
	return ret;
}

static int emit_secret(void *context, const struct secret_key *key, const struct secret *row)
{
	const struct engine *engine = context;

	return bpf_map_update(engine_map(engine, "secrets"), key, row, BPF_ANY);
}

static int emit_rule(void *context, const struct rule_key *key, secret_mask secrets)
{
	const struct engine *engine = context;

	return bpf_map_update(engine_map(engine, "rules"), key, &secrets, BPF_ANY);
}

static int emit_net(void *context, const struct net_key *key, secret_mask secrets)
{
	const struct engine *engine = context;

	return bpf_map_update(engine_map(engine, "nets"), key, &secrets, BPF_ANY);
}

static int emit_verified(void *context, const struct verified_key *key, const struct verified *row)
{
	const struct engine *engine = context;

	return bpf_map_update(engine_map(engine, "verified"), key, row, BPF_ANY);
}

static int granted(int ret, const char *what, struct error *err)
{
	if (ret)
		error_set(err, ret, "cannot give the kernel the %s: %s; see 'kloak doctor'", what,
			  strerror(-ret));
	return ret;
}

int engine_grant_secrets(struct engine *engine, const struct secret_set *secrets, struct error *err)
{
	return granted(secret_set_emit(secrets, engine->workload, emit_secret, engine), "secrets",
		       err);
}

int engine_grant_destinations(struct engine *engine, const struct rule_set *rules,
			      const struct pin_set *pins, struct error *err)
{
	int ret = rule_set_emit_names(rules, engine->workload, emit_rule, engine);

	if (!ret)
		ret = rule_set_emit_nets(rules, engine->workload, emit_net, engine);
	if (!ret)
		ret = pin_set_emit(pins, rules, engine->workload, emit_verified, engine);
	return granted(ret, "destination rules", err);
}

/* As the DNS object does it: of two that say so, the later end counts. */
int engine_pin(struct engine *engine, const char *name, const uint8_t address[static ADDRESS_SIZE],
	       uint64_t expires)
{
	struct verified_key key = { .workload = engine->workload };
	struct verified row, fresh = { .expires = expires };

	memcpy(key.address, address, sizeof(key.address));
	strncpy((char *)key.name, name, sizeof(key.name) - 1);
	if (!bpf_map_lookup(engine_map(engine, "verified"), &key, &row) && row.expires >= expires)
		return 0;
	return emit_verified(engine, &key, &fresh);
}

/* Loads the object of a hook, when the first file needs it. */
static int need_hook(struct engine *engine, size_t index, struct error *err)
{
	uint32_t zero = 0;
	int ret;

	if (!engine->hook[index]) {
		ret = prepare_hook_object(engine, index, err);
		if (!ret)
			ret = bpf_object_load(engine->hook[index], &engine->maps, err);
		if (ret) {
			bpf_object_close(TAKE_PTR(engine->hook[index]));
			return ret;
		}
	}
	if (!hooks[index].moves || engine->config.movers)
		return 0;
	engine->config.movers = 1;
	return map_set(engine, "config", &zero, &engine->config, err);
}

static bool is_loaded(const struct engine *engine, const struct hook_plans *plans)
{
	size_t i;

	for (i = 0; i < hook_count; i++)
		if (plans->by_hook[i].count && !engine->hook[i])
			return false;
	return true;
}

static int attach_plans(struct engine *engine, const struct hook_plans *plans, int fd,
			const char *path, struct hook_links *links, struct error *err)
{
	int ret = 0;
	size_t i;

	for (i = 0; !ret && i < hook_count; i++) {
		if (!plans->by_hook[i].count)
			continue;
		ret = need_hook(engine, i, err);
		if (!ret)
			ret = hook_attach(&plans->by_hook[i], engine->hook[i], fd, path, links,
					  err);
	}
	return ret;
}

/*
 * For a probe in a file that is mapped the kernel reads the file, and no process of the
 * machine can fork until it has been read (dup_mmap_sem in kernel/events/uprobes.c). A
 * user who serves the file, in FUSE, would let all of them wait as long as he likes. Root is
 * not allowed there, so the kernel answers statfs(2) without asking him.
 */
static bool is_served_by_user(const struct foreign_file *file)
{
	struct statfs status;

	return file->origin >= 0 &&
	       (fstatfs(file->origin, &status) || status.f_type == FUSE_SUPER_MAGIC);
}

static void warn_served(struct engine *engine, const char *path)
{
	if (!engine->warned_served)
		warning("%s is not hooked, nor is what else is in FUSE file systems of users: they "
			"could stop the whole machine; run it from another file system",
			path);
	engine->warned_served = true;
}

int engine_attach_file(struct engine *engine, const struct foreign_file *file, const char *path,
		       struct hook_links *links, struct error *err)
{
	struct hook_plans plans;
	int ret, total = hook_plan_file(file->fd, path, &plans, err);

	if (total <= 0)
		return total;
	if (is_served_by_user(file)) {
		warn_served(engine, path);
		ret = total = 0;
	} else if (engine->no_loading && !is_loaded(engine, &plans))
		ret = -EAGAIN;
	else
		ret = attach_plans(engine, &plans, file->origin < 0 ? file->fd : file->origin, path,
				   links, err);
	hook_plans_release(&plans);
	return ret ? ret : total;
}

int engine_events_fd(const struct engine *engine)
{
	return engine_map(engine, "events");
}

struct consumer {
	void (*callback)(void *data, const struct event *event);
	void *data;
};

static int consume(void *context, const void *record, uint32_t size)
{
	const struct consumer *consumer = context;

	if (size >= sizeof(struct event))
		consumer->callback(consumer->data, record);
	return 0;
}

void engine_poll(struct engine *engine, void (*callback)(void *data, const struct event *event),
		 void *data)
{
	struct consumer consumer = { .callback = callback, .data = data };

	bpf_ringbuf_consume(&engine->events, consume, &consumer);
}

static void sweep_write(const struct staged *staged, const struct staged_write *write,
			uint64_t thread, const struct consumer *consumer)
{
	struct event event = {
		.verdict = VERDICT_REFUSED,
		.time = write->time,
		.reason = write->reason ? write->reason : REASON_UNSEEN,
		.workload = staged->workload,
		.pid = (uint32_t)(thread >> 32),
		.tid = (uint32_t)thread,
		.secret = ~0U,
	};
	uint32_t i;

	memcpy(event.comm, staged->comm, sizeof(event.comm));
	for (i = 0; i < write->count && i < STAGED_PLACEHOLDERS; i++) {
		if (write->placeholder[i].served)
			continue;
		event.size = write->placeholder[i].size;
		memcpy(event.head, write->placeholder[i].head, sizeof(event.head));
		consumer->callback(consumer->data, &event);
	}
}

/* Has the thread ended? */
static bool thread_ended(uint64_t thread)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u", (unsigned int)thread);
	return access(path, F_OK) && errno == ENOENT;
}

/*
 * Reports and drops one thread's record, if all of it is old enough, or the
 * thread is gone. @staged is for its copy.
 */
static void sweep_thread(int map, uint64_t thread, uint64_t before, struct staged *staged,
			 const struct consumer *consumer)
{
	bool ended = thread_ended(thread);
	size_t i;

	if (bpf_map_lookup(map, &thread, staged) || (!staged->pending && !ended))
		return;
	for (i = 0; i < STAGED_WRITES; i++)
		if (staged->write[i].id && staged->write[i].time > before && !ended)
			return;
	if (bpf_map_delete(map, &thread))
		return;
	for (i = 0; i < STAGED_WRITES; i++)
		if (staged->write[i].id && !staged->write[i].repeat)
			sweep_write(staged, &staged->write[i], thread, consumer);
}

void engine_sweep_staged(struct engine *engine, uint64_t age,
			 void (*callback)(void *data, const struct event *event), void *data)
{
	struct consumer consumer = { .callback = callback, .data = data };
	uint64_t now = clock_now();
	int map = engine_map(engine, "staged");
	uint64_t thread, next;
	CLEANUP_FREE struct staged *staged = NULL;
	int ret;

	if (age && now < engine->next_sweep)
		return;
	engine->next_sweep = now + SWEEP_INTERVAL;
	ret = bpf_map_next_key(map, NULL, &next);
	if (ret)
		return;
	staged = malloc(sizeof(*staged));
	while (staged && !ret) {
		thread = next;
		ret = bpf_map_next_key(map, &thread, &next);
		sweep_thread(map, thread, now - age, staged, &consumer);
	}
}

void engine_follow_resolvers(struct engine *engine, const struct resolver_set *before)
{
	dns_watch_follow(&engine->dns, &engine->maps, engine->workload, before);
}

void engine_tidy(struct engine *engine)
{
	dns_watch_sweep(&engine->dns, &engine->maps, clock_now());
}

uint64_t engine_counter(const struct engine *engine, enum counter counter)
{
	uint32_t key = counter;
	uint64_t sum = 0;

	bpf_map_sum(engine_map(engine, "counters"), &key, &sum);
	return sum;
}

void engine_close(struct engine *engine)
{
	size_t i;

	hook_links_release(&engine->probes);
	for (i = 0; i < engine->cgroup_link_count; i++)
		close(engine->cgroup_links[i]);
	engine->cgroup_link_count = 0;
	dns_watch_close(&engine->dns);
	bpf_ringbuf_close(&engine->events);
	for (i = 0; i < HOOKS_MAX; i++)
		bpf_object_close(engine->hook[i]);
	bpf_object_close(engine->socket);
	bpf_map_set_close(&engine->maps);
	memset(engine, 0, sizeof(*engine));
}
