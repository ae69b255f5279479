// SPDX-License-Identifier: GPL-2.0-only
/* Loading, attaching and feeding the DNS object: see dns.h. */
#include "user/run/dns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "user/bpf/link.h"
#include "user/bpf/map.h"

extern const uint8_t bpf_dns_start[], bpf_dns_end[];

#define DNS_PORTS      4	      /* as kernel/net/dns.bpf.c has them */
#define SWEEP_INTERVAL 60000000000ULL /* ns */
#define SWEEP_BATCH    256	      /* rows removed in one go */

/* ---- opening ---- */

/* Port 53 is always among them: untrusted servers are to be recognised as such. */
static int collect_ports(const struct resolver_set *resolvers, uint32_t ports[static DNS_PORTS],
			 struct error *err)
{
	size_t count = 1;

	for (size_t i = 0; i < DNS_PORTS; i++)
		ports[i] = RESOLVER_PORT_DEFAULT;
	for (size_t i = 0; i < resolvers->count; i++) {
		size_t k = 0;

		while (k < count && ports[k] != resolvers->resolver[i].port)
			k++;
		if (k < count)
			continue;
		if (count == DNS_PORTS)
			return error_config(err, -E2BIG,
					    "the resolvers listen on more than %d different ports "
					    "besides 53; name fewer by --resolver",
					    DNS_PORTS - 1);
		ports[count++] = resolvers->resolver[i].port;
	}
	return 0;
}

static int set_variables(struct bpf_object *object, const struct dns_options *options,
			 uint32_t daemon, const uint32_t ports[static DNS_PORTS])
{
	uint64_t seed;
	const struct {
		const char *name;
		const void *value;
		size_t size;
	} variables[] = {
		{ "workload_id", &options->workload, sizeof(options->workload) },
		{ "workload_netns", &options->netns_cookie, sizeof(options->netns_cookie) },
		{ "dns_ttl_min", &options->min_ttl, sizeof(options->min_ttl) },
		{ "dns_daemon", &daemon, sizeof(daemon) },
		{ "dns_seed", &seed, sizeof(seed) },
		{ "dns_ports", ports, DNS_PORTS * sizeof(*ports) },
	};
	int ret = 0;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	for (size_t i = 0; !ret && i < ARRAY_SIZE(variables); i++)
		ret = bpf_object_set(object, variables[i].name, variables[i].value,
				     variables[i].size);
	return ret;
}

int dns_watch_open(struct dns_watch *watch, const struct dns_options *options, struct error *err)
{
	size_t wanted = options->resolvers->cgroup_count ? 2 : 1;
	uint32_t ports[DNS_PORTS];
	int ret = collect_ports(options->resolvers, ports, err);

	watch->resolvers = options->resolvers;
	while (!ret && watch->object_count < wanted) {
		struct bpf_object **object = &watch->objects[watch->object_count];

		ret = bpf_object_open(object, "dns", bpf_dns_start,
				      (size_t)(bpf_dns_end - bpf_dns_start), err);
		if (ret)
			break;
		ret = set_variables(*object, options, watch->object_count > 0, ports);
		if (ret)
			error_set(err, ret,
				  "the embedded DNS object is damaged; build kloak again");
		watch->object_count++;
	}
	return ret;
}

/* ---- attaching ---- */

static const struct {
	const char *name;
	uint32_t type;
	bool workload_only; /* a daemon's sockets need no mark */
} programs[] = {
	{ "dns_socket_created", BPF_CGROUP_INET_SOCK_CREATE, true },
	{ "dns_ingress", BPF_CGROUP_INET_INGRESS, false },
	{ "dns_egress", BPF_CGROUP_INET_EGRESS, false },
};

static int attach_programs(struct dns_watch *watch, const struct bpf_object *object, int cgroup,
			   bool daemon, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		int ret;

		if (daemon && programs[i].workload_only)
			continue;
		ret = link_create_cgroup(bpf_object_program(object, programs[i].name), cgroup,
					 programs[i].type);
		if (ret < 0)
			return error_set(err, ret,
					 "cannot attach %s to the cgroup: %s; see 'kloak doctor'",
					 programs[i].name, strerror(-ret));
		watch->links[watch->link_count++] = ret;
	}
	return 0;
}

static int attach_daemon(struct dns_watch *watch, const char *mount, const char *cgroup,
			 struct error *err)
{
	CLEANUP_FD int fd = -1;
	char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", mount, cgroup);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_config(err, -errno,
				    "--resolver cgroup:%s: cannot open %s: %s; is the daemon "
				    "running? systemd-cgls shows its cgroup",
				    cgroup, path, strerror(errno));
	return attach_programs(watch, watch->objects[1], fd, true, err);
}

/* One that is there already keeps its state. */
static int emit_resolver(void *context, uint32_t workload,
			 const uint8_t address[static ADDRESS_SIZE], uint16_t port)
{
	const struct bpf_map_set *maps = context;
	struct resolver_key key = { .workload = workload, .port = port };
	struct resolver_state state = { 0 };
	int ret;

	memcpy(key.address, address, sizeof(key.address));
	ret = bpf_map_update(bpf_map_set_find(maps, "resolvers"), &key, &state, BPF_NOEXIST);
	return ret == -EEXIST ? 0 : ret;
}

int dns_watch_attach(struct dns_watch *watch, const struct bpf_map_set *maps, uint32_t workload,
		     int cgroup, const char *mount, struct error *err)
{
	int ret = resolver_set_emit(watch->resolvers, workload, emit_resolver, (void *)maps);

	if (ret)
		return error_set(err, ret,
				 "cannot give the kernel the resolvers: %s; see "
				 "'kloak doctor'",
				 strerror(-ret));
	ret = attach_programs(watch, watch->objects[0], cgroup, false, err);
	for (size_t i = 0; !ret && i < watch->resolvers->cgroup_count; i++)
		ret = attach_daemon(watch, mount, watch->resolvers->cgroup[i], err);
	return ret;
}

/* ---- while it runs ---- */

void dns_watch_follow(const struct dns_watch *watch, const struct bpf_map_set *maps,
		      uint32_t workload, const struct resolver_set *before)
{
	int ret = resolver_set_emit(watch->resolvers, workload, emit_resolver, (void *)maps);

	if (ret)
		warning("cannot give the kernel the new name servers: %s", strerror(-ret));
	for (size_t i = 0; i < before->count; i++) {
		struct resolver_key key = { .workload = workload,
					    .port = before->resolver[i].port };

		memcpy(key.address, before->resolver[i].address, sizeof(key.address));
		if (!resolver_set_has(watch->resolvers, &before->resolver[i]))
			bpf_map_delete(bpf_map_set_find(maps, "resolvers"), &key);
	}
}

/* Keys that follow one that is deleted cannot be found any more: they are collected first. */
void dns_watch_sweep(struct dns_watch *watch, const struct bpf_map_set *maps, uint64_t now)
{
	CLEANUP_FREE struct verified_key *over = NULL;
	int map = bpf_map_set_find(maps, "verified");
	struct verified_key key;
	struct verified row;
	size_t count = 0;
	int ret;

	if (!watch->object_count || now < watch->next_sweep)
		return;
	watch->next_sweep = now + SWEEP_INTERVAL;
	ret = bpf_map_next_key(map, NULL, &key);
	if (ret)
		return;
	over = calloc(SWEEP_BATCH, sizeof(*over));
	for (; over && !ret && count < SWEEP_BATCH; ret = bpf_map_next_key(map, &key, &key))
		if (!bpf_map_lookup(map, &key, &row) && row.expires < now &&
		    now - row.expires > VERIFIED_KEPT)
			over[count++] = key;
	if (count == SWEEP_BATCH)
		watch->next_sweep = now; /* there may be more: at the next turn */
	while (count)
		bpf_map_delete(map, &over[--count]);
}

void dns_watch_close(struct dns_watch *watch)
{
	while (watch->link_count)
		close(watch->links[--watch->link_count]);
	while (watch->object_count)
		bpf_object_close(watch->objects[--watch->object_count]);
}
