// SPDX-License-Identifier: GPL-2.0-only
/* Trusted resolvers: see resolvers.h. */
#include "user/policy/resolvers.h"

#include "lib/cleanup.h"
#include "lib/number.h"
#include "user/policy/trusted_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define CGROUP_PREFIX	 "cgroup:"
#define CGROUP_PATH_MAX	 1024
#define PORT_START_PATH	 "/proc/sys/net/ipv4/ip_unprivileged_port_start"
#define PORT_START_USUAL 1024

/* ---- addresses ---- */

/* Prefixes of the mapped form that no resolver answers from. */
static const struct {
	uint8_t prefix[ADDRESS_SIZE];
	unsigned int bits;
	const char *why;
} unusable[] = {
	{ { 0 }, 128, "it is nobody's address; write the resolver's own" },
	{ { [10] = 0xff, [11] = 0xff }, 104, "it is nobody's address; write the resolver's own" },
	{ { [10] = 0xff, [11] = 0xff, [12] = 0xff, [13] = 0xff, [14] = 0xff, [15] = 0xff },
	  128,
	  "it is the broadcast address; write the resolver's own" },
	{ { [10] = 0xff, [11] = 0xff, [12] = 0xe0 },
	  100,
	  "it is a multicast address; write the resolver's own" },
	{ { 0xff }, 8, "it is a multicast address; write the resolver's own" },
	{ { 0xfe, 0x80 },
	  10,
	  "it is link-local: another host on every interface; write the resolver's global or "
	  "unique local address" },
};

const char *resolver_address_fault(const uint8_t address[static ADDRESS_SIZE])
{
	for (size_t i = 0; i < ARRAY_SIZE(unusable); i++)
		if (address_in_prefix(address, unusable[i].prefix, unusable[i].bits))
			return unusable[i].why;
	return NULL;
}

/* ---- the set ---- */

bool resolver_set_has(const struct resolver_set *set, const struct resolver_endpoint *resolver)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->resolver[i].port == resolver->port &&
		    memcmp(set->resolver[i].address, resolver->address, ADDRESS_SIZE) == 0)
			return true;
	return false;
}

static int append(struct resolver_set *set, const struct resolver_endpoint *resolver)
{
	if (resolver_set_has(set, resolver))
		return 0;
	if (set->count == RESOLVER_SET_MAX)
		return -E2BIG;
	set->resolver[set->count++] = *resolver;
	return 0;
}

/* ---- --resolver ---- */

/* ADDRESS[:PORT], taken apart. */
struct endpoint {
	const char *address;
	size_t address_size;
	const char *port; /* NULL: none */
};

/* Whatever has several colons and no brackets is an IPv6 address without port. */
static const char *endpoint_split(const char *text, struct endpoint *endpoint)
{
	const char *colon = strchr(text, ':');
	const char *close = text[0] == '[' ? strchr(text, ']') : NULL;

	*endpoint = (struct endpoint){ .address = text, .address_size = strlen(text) };
	if (text[0] == '[' && !close)
		return "']' is missing; write [ADDRESS] or [ADDRESS]:PORT";
	if (close) {
		*endpoint = (struct endpoint){ text + 1, (size_t)(close - text) - 1, NULL };
		colon = close[1] ? close + 1 : NULL;
		if (colon && *colon != ':')
			return "there is text after ']'; write [ADDRESS] or [ADDRESS]:PORT";
	} else if (colon && strchr(colon + 1, ':')) {
		colon = NULL;
	} else if (colon) {
		endpoint->address_size = (size_t)(colon - text);
	}
	endpoint->port = colon ? colon + 1 : NULL;
	return NULL;
}

static const char *address_fault(const struct endpoint *endpoint, bool bracketed,
				 uint8_t address[static ADDRESS_SIZE])
{
	int family = address_parse(endpoint->address, endpoint->address_size, address);

	if (memchr(endpoint->address, '%', endpoint->address_size))
		return "it has a zone, and is another host on every interface; write the "
		       "resolver's global or unique local address";
	if (bracketed && family != AF_INET6)
		return "between the brackets is no IPv6 address; write [2001:db8::1]:53";
	if (family < 0)
		return "it is no IPv4 or IPv6 address; write the resolver's address and not its "
		       "name, as 192.0.2.53, 192.0.2.53:5353, 2001:db8::53 or "
		       "[2001:db8::53]:5353";
	return resolver_address_fault(address);
}

/* NULL, or what is wrong. */
static const char *endpoint_parse(const char *text, struct resolver_endpoint *resolver)
{
	struct endpoint endpoint;
	const char *why;
	int port = RESOLVER_PORT_DEFAULT;

	if (text[0] == '\0')
		return "it is empty; write the resolver's address";
	if (strstr(text, "://"))
		return "answers over HTTPS or TLS cannot be verified; write the address of a "
		       "resolver that is asked over UDP or TCP";
	why = endpoint_split(text, &endpoint);
	if (!why)
		why = address_fault(&endpoint, text[0] == '[', resolver->address);
	if (!why && endpoint.port)
		port = number_parse(endpoint.port, strlen(endpoint.port), UINT16_MAX);
	if (!why && port <= 0)
		return "the port is no number from 1 to 65535; name one, or none for 53";
	resolver->port = (uint16_t)port;
	return why;
}

/* Is there a component ".." in the path? */
static bool climbs(const char *path)
{
	for (const char *at = path; (at = strstr(at, "/..")); at += 3)
		if (at[3] == '/' || at[3] == '\0')
			return true;
	return false;
}

static const char *cgroup_fault(const char *path)
{
	if (path[0] != '/')
		return "the path of a cgroup begins with '/'; write it as it stands below the "
		       "cgroup2 mount, as cgroup:/system.slice/systemd-resolved.service";
	if (path[strspn(path, "/")] == '\0')
		return "the root cgroup is everybody's; write the resolver's own";
	if (climbs(path))
		return "the path climbs by '..'; write it without";
	if (strlen(path) > CGROUP_PATH_MAX)
		return "the path has more than 1024 bytes; check it";
	return NULL;
}

static int resolver_fault(struct error *err, const char *text, const char *why)
{
	char quote[RULE_QUOTE_SIZE];

	return error_config(err, -EINVAL, "--resolver \"%s\": %s",
			    rule_quote(text, strlen(text), quote), why);
}

static int add_cgroup(struct resolver_set *set, const char *text, struct error *err)
{
	const char *path = text + strlen(CGROUP_PREFIX);
	const char *why = cgroup_fault(path);

	if (why)
		return resolver_fault(err, text, why);
	for (size_t i = 0; i < set->cgroup_count; i++)
		if (strcmp(set->cgroup[i], path) == 0)
			return 0;
	if (set->cgroup_count == RESOLVER_CGROUPS_MAX)
		return error_config(err, -E2BIG,
				    "more than %d cgroups of resolvers; name their slice instead",
				    RESOLVER_CGROUPS_MAX);
	set->cgroup[set->cgroup_count++] = path;
	return 0;
}

int resolver_set_add(struct resolver_set *set, const char *text, struct error *err)
{
	struct resolver_endpoint resolver;
	const char *why;

	if (strncmp(text, CGROUP_PREFIX, strlen(CGROUP_PREFIX)) == 0)
		return add_cgroup(set, text, err);
	why = endpoint_parse(text, &resolver);
	if (why)
		return resolver_fault(err, text, why);
	if (append(set, &resolver) < 0)
		return error_config(err, -E2BIG,
				    "more than %d resolvers; name those that the command asks",
				    RESOLVER_SET_MAX);
	return 0;
}

/* ---- resolv.conf ---- */

struct conf_context {
	struct resolver_set *set;
	const char *path; /* NULL: nobody is to be warned */
};

static int conf_server(void *context, const char *server, size_t size)
{
	const struct conf_context *conf = context;
	struct resolver_endpoint resolver = { .port = RESOLVER_PORT_DEFAULT };
	char quote[RULE_QUOTE_SIZE];
	const char *why = "it is no IPv4 or IPv6 address without zone";
	int ret = -EINVAL;

	if (address_parse(server, size, resolver.address) > 0)
		why = resolver_address_fault(resolver.address);
	if (!why)
		ret = append(conf->set, &resolver);
	if (ret == 0 || !conf->path)
		return 0;
	if (why)
		warning("%s: name server \"%s\" is not trusted: %s; see --resolver", conf->path,
			rule_quote(server, size, quote), why);
	else
		warning("%s: only the first %d name servers are trusted; name the right ones "
			"by --resolver",
			conf->path, RESOLVER_SET_MAX);
	return 0;
}

/* Notes which state of the file the endpoints are from. */
static void note_file(struct resolver_set *set, const char *path)
{
	struct stat status;

	if (stat(path, &status))
		return;
	set->file_time = status.st_mtim;
	set->file_number = status.st_ino;
}

int resolver_set_add_resolv_conf(struct resolver_set *set, const char *path, struct error *err)
{
	struct conf_context context = { .set = set, .path = path };
	struct trusted_file file;
	int ret;

	if (set->count > 0)
		return 0;
	note_file(set, path);
	ret = trusted_file_read(path, &file);
	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return error_set(err, ret, "cannot read %s: %s; check its permissions", path,
				 strerror(-ret));
	if (file.why)
		warning("the name servers of %s are not trusted: %s, or use --resolver", path,
			file.why);
	if (file.data)
		resolv_conf_parse(file.data, file.size, conf_server, &context);
	trusted_file_release(&file);
	return 0;
}

static bool file_changed(const struct resolver_set *set, const char *path)
{
	struct stat status;

	return set->file_number && !stat(path, &status) &&
	       (set->file_number != status.st_ino ||
		set->file_time.tv_sec != status.st_mtim.tv_sec ||
		set->file_time.tv_nsec != status.st_mtim.tv_nsec);
}

static bool endpoints_equal(const struct resolver_set *a, const struct resolver_set *b)
{
	for (size_t i = 0; i < a->count; i++)
		if (!resolver_set_has(b, &a->resolver[i]))
			return false;
	return a->count == b->count;
}

bool resolver_set_follow(struct resolver_set *set, const char *path, struct resolver_set *before)
{
	struct resolver_set fresh = *set;
	struct conf_context context = { .set = &fresh };
	struct trusted_file file;

	if (!file_changed(set, path))
		return false;
	note_file(&fresh, path);
	fresh.count = 0;
	if (trusted_file_read(path, &file) < 0)
		return false;
	if (file.data)
		resolv_conf_parse(file.data, file.size, conf_server, &context);
	trusted_file_release(&file);
	if (fresh.count == 0)
		return false;
	*before = *set;
	*set = fresh;
	return !endpoints_equal(before, set);
}

/* ---- warnings ---- */

/* A wildcard has no pins of its own, since nobody knows its names. */
static bool is_pinned(const struct pin_set *pins, const char *name)
{
	for (size_t i = 0; i < pins->count; i++)
		if (strcmp(pins->pin[i].name, name) == 0)
			return true;
	return false;
}

static const char *first_unpinned(const struct rule_set *rules, const struct pin_set *pins)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->grant[i].rule;

		if (rule->kind == RULE_NAME && !is_pinned(pins, rule->name))
			return rule->name;
	}
	return NULL;
}

/* The first port that users without privileges may listen at; ip-sysctl in the kernel's docs. */
static int port_start(void)
{
	CLEANUP_FD int fd = open(PORT_START_PATH, O_RDONLY | O_CLOEXEC);
	char text[16];
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));
	int port;

	while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == ' '))
		size--;
	port = size > 0 ? number_parse(text, (size_t)size, UINT16_MAX + 1) : -1;
	return port < 0 ? PORT_START_USUAL : port;
}

/* An address is this machine's if a socket can be bound to it. */
static bool is_local(const uint8_t address[static ADDRESS_SIZE])
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	bool mapped = address_mapped(address);
	CLEANUP_FD int fd = socket(mapped ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(&v4.sin_addr, address + ADDRESS_MAPPED_BITS / 8, sizeof(v4.sin_addr));
	memcpy(&v6.sin6_addr, address, sizeof(v6.sin6_addr));
	return fd >= 0 && (mapped ? bind(fd, (const struct sockaddr *)&v4, sizeof(v4))
				  : bind(fd, (const struct sockaddr *)&v6, sizeof(v6))) == 0;
}

void resolver_set_warn(const struct resolver_set *set, const struct rule_set *rules,
		       const struct pin_set *pins)
{
	const char *name = first_unpinned(rules, pins);
	int start = port_start();
	char text[INET6_ADDRSTRLEN];

	if (name && set->count == 0 && set->cgroup_count == 0)
		warning("no name server is trusted, so %s can only be verified by a pin; write "
			"--resolver ADDRESS or --pin HOST=ADDRESS",
			name);
	for (size_t i = 0; i < set->count; i++) {
		const struct resolver_endpoint *resolver = &set->resolver[i];

		if (resolver->port >= start && is_local(resolver->address))
			warning("resolver %s port %u: any user of this machine may listen there "
				"while the resolver does not, and answer in its place; let it "
				"listen at port 53",
				address_format(resolver->address, text), resolver->port);
	}
}

/* ---- map rows ---- */

int resolver_set_emit(const struct resolver_set *set, uint32_t workload, resolver_emit emit,
		      void *context)
{
	int ret = 0;

	for (size_t i = 0; i < set->count && ret == 0; i++)
		ret = emit(context, workload, set->resolver[i].address, set->resolver[i].port);
	return ret;
}
