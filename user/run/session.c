// SPDX-License-Identifier: GPL-2.0-only
/* One kloak run: see session.h. */
#include "user/run/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "user/attach/sideband.h"
#include "user/dns/lookup.h"
#include "user/event/report.h"
#include "user/policy/pins.h"
#include "user/policy/resolvers.h"
#include "user/run/attachment.h"
#include "user/run/engine.h"
#include "user/secret/environment.h"
#include "user/secret/set.h"
#include "user/workload/account.h"
#include "user/workload/cgroup.h"
#include "user/workload/child.h"
#include "user/workload/netns.h"
#include "user/workload/protect.h"

#define FOLLOW_INTERVAL 2000000000ULL /* ns: resolv.conf is looked at so often */
#define POLL_MS		100 /* events are read so often; the kernel wakes us when many wait */
#define RESOLVE_TIMEOUT 5000000000ULL /* ns that the command waits for --resolve */

struct session {
	const struct run_options *options;
	struct account account; /* who runs the command */
	struct protect_limits limits;
	struct secret_set secrets;
	struct rule_set rules;
	struct pin_set pins;
	struct resolver_set resolvers;
	uint64_t next_follow; /* clock_now() */
	char **environment;   /* the command's */
	struct cgroup_place place;
	struct cgroup cgroup;
	bool has_cgroup;
	struct engine engine;
	bool has_engine;
	struct dns_lookup *lookup; /* NULL: no --resolve */
	struct attachment attachment;
	struct report report;
	struct sideband_primer primer;
	struct child child;
};

static int read_secrets(struct session *session, struct error *err)
{
	const struct run_options *options = session->options;
	int ret = secret_set_init(&session->secrets, err);
	size_t i;

	for (i = 0; !ret && i < options->secret_count; i++) {
		const char *hosts;
		int index = secret_set_add(&session->secrets, options->secrets[i], &hosts, err);

		ret = index < 0 ? index
				: rule_set_add(&session->rules, hosts, (unsigned int)index, err);
	}
	return ret;
}

static int read_pins(struct session *session, struct error *err)
{
	const struct run_options *options = session->options;
	int ret = 0;
	size_t i;

	for (i = 0; !ret && i < options->pin_count; i++)
		ret = pin_set_add(&session->pins, &session->rules, options->pins[i], err);
	return ret ? ret : pin_set_add_hosts(&session->pins, &session->rules, PINS_HOSTS_PATH, err);
}

/* Only names are verified by what resolvers say. */
static int read_resolvers(struct session *session, struct error *err)
{
	const struct run_options *options = session->options;
	int ret = 0;
	size_t i;

	for (i = 0; !ret && i < options->resolver_count; i++)
		ret = resolver_set_add(&session->resolvers, options->resolvers[i], err);
	if (ret || !rule_set_has_names(&session->rules))
		return ret;
	ret = resolver_set_add_resolv_conf(&session->resolvers, RESOLV_CONF_PATH, err);
	if (!ret)
		resolver_set_warn(&session->resolvers, &session->rules, &session->pins);
	return ret;
}

/* A shell may have expanded $NAME in the command's arguments. */
static void redact_command(struct session *session)
{
	char **arg;

	for (arg = session->options->command; *arg; arg++)
		if (secret_set_redact(&session->secrets, *arg))
			warning("argument %td of the command held a secret; it gets the "
				"placeholder",
				arg - session->options->command);
}

static int make_cgroup(struct session *session, struct error *err)
{
	int ret = cgroup_find(&session->place, err);

	if (ret)
		return ret;
	cgroup_sweep(&session->place);
	ret = cgroup_create(&session->place, &session->cgroup, err);
	session->has_cgroup = !ret;
	return ret;
}

/* The engine removes the primer's probes with its own. @again: one more, for what is probed now. */
static void end_priming(struct session *session, bool again)
{
	struct sideband_primer *primer = &session->primer;
	size_t i;

	sideband_primed(primer);
	if (again)
		sideband_prime_once(primer);
	for (i = 0; i < primer->probe_count; i++) {
		if (session->has_engine)
			hook_links_add(&session->engine.probes, primer->probe[i]);
		else
			close(primer->probe[i]);
	}
	primer->probe_count = 0;
}

static int start_engine(struct session *session, struct error *err)
{
	struct engine_options options = {
		.cgroup = session->cgroup.fd,
		.cgroup_mount = session->place.mount,
		.cgroup_id = session->cgroup.id,
		.report_swaps = session->options->events != NULL,
		.placeholder_lengths = secret_set_lengths(&session->secrets),
		.resolvers = rule_set_has_names(&session->rules) ? &session->resolvers : NULL,
		.min_ttl = session->options->min_ttl,
	};
	int level = cgroup_level(&session->place, err);
	int ret;

	if (level < 0)
		return level;
	options.cgroup_level = (unsigned int)level + 1;
	ret = workload_netns_cookie(&options.netns_cookie);
	if (ret)
		return error_set(err, ret,
				 "cannot identify the network namespace: %s; Linux 5.14 or later "
				 "is needed",
				 strerror(-ret));
	sideband_prime(&session->primer);
	ret = engine_open(&session->engine, &options, err);
	session->has_engine = !ret;
	end_priming(session, !ret);
	return ret;
}

/* From here on only the kernel has the secrets. */
static int hand_over_secrets(struct session *session, struct error *err)
{
	int ret = engine_grant_secrets(&session->engine, &session->secrets, err);

	secret_set_wipe(&session->secrets);
	if (!ret)
		ret = engine_grant_destinations(&session->engine, &session->rules, &session->pins,
						err);
	return ret;
}

static int take_address(void *data, const char *name, const uint8_t address[static ADDRESS_SIZE],
			uint64_t expires)
{
	struct session *session = data;

	return engine_pin(&session->engine, name, address, expires);
}

/* Not before the secrets are gone: what comes from the network is parsed here. */
static int resolve_names(struct session *session, struct error *err)
{
	const struct dns_lookup_options options = {
		.rules = &session->rules,
		.resolvers = &session->resolvers,
		.min_ttl = session->options->min_ttl,
		.found = take_address,
		.context = session,
	};
	int ret;

	if (!session->options->resolve)
		return 0;
	ret = dns_lookup_open(&options, &session->lookup, err);
	dns_lookup_wait(session->lookup, RESOLVE_TIMEOUT);
	return ret;
}

static int attach(struct session *session, struct error *err)
{
	const struct attachment_options options = {
		.engine = &session->engine,
		.path = session->child.path,
		.argv = session->options->command,
		.envp = session->environment,
		.cgroup = &session->cgroup,
		.pid = session->child.pid,
	};

	return attachment_start(&session->attachment, &options, err);
}

static int start_command(struct session *session, struct error *err)
{
	struct child_options options = {
		.argv = session->options->command,
		.envp = session->environment,
		.account = &session->account,
		.keep_caps = session->options->keep_caps,
		.cgroup = session->cgroup.fd,
		.limits = &session->limits,
	};
	int ret = child_prepare(&options, &session->child, err);

	if (ret)
		return ret;
	if (session->account.uid == 0)
		warning("the command runs as root, which can get around Kloak by changing the "
			"system; --user USER runs it as somebody else");
	ret = attach(session, err);
	sideband_unprime(&session->primer);
	if (!ret)
		ret = child_go(&session->child, err);
	if (ret)
		child_release(&session->child);
	return ret;
}

static void take_event(void *data, const struct event *event)
{
	report_add(data, event);
}

/*
 * The machine may move to another network while the command runs. Not if the
 * command could have written the file: then it counts as it was at the start.
 */
static void follow_resolvers(struct session *session, uint64_t now)
{
	struct resolver_set before;

	if (now < session->next_follow || session->account.uid == 0 ||
	    session->account.uid == geteuid())
		return;
	session->next_follow = now + FOLLOW_INTERVAL;
	if (resolver_set_follow(&session->resolvers, RESOLV_CONF_PATH, &before))
		engine_follow_resolvers(&session->engine, &before);
}

static void watch_events(void *data)
{
	struct session *session = data;

	attachment_poll(&session->attachment);
	engine_poll(&session->engine, take_event, &session->report);
	engine_sweep_staged(&session->engine, STAGED_TIMEOUT, take_event, &session->report);
	engine_tidy(&session->engine);
	follow_resolvers(session, clock_now());
	if (session->lookup)
		dns_lookup_step(session->lookup, clock_now());
}

/* One descriptor that is readable when any of ours is. -errno: the interval has to do. */
static int make_epoll(const struct session *session)
{
	CLEANUP_FD int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };

	if (epoll < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, engine_events_fd(&session->engine), &event))
		return -errno;
	if (attachment_register(&session->attachment, epoll))
		return -errno;
	return TAKE_FD(epoll);
}

static int wait_command(struct session *session, int *status)
{
	CLEANUP_FD int epoll = make_epoll(session);
	struct child_watch watch = {
		.fd = epoll,
		.interval_ms = POLL_MS,
		.ready = watch_events,
		.data = session,
	};
	int ret;

	environment_release(session->environment);
	session->environment = NULL;
	sideband_prime(&session->primer);
	ret = child_wait(&session->child, &watch, status);
	end_priming(session, false);
	sideband_unprime(&session->primer);
	engine_poll(&session->engine, take_event, &session->report);
	engine_sweep_staged(&session->engine, 0, take_event, &session->report);
	return ret;
}

static int session_start(struct session *session, struct error *err)
{
	int ret = protect_self(&session->limits, err);

	/* Before the environment is wiped: sudo says there who called it. */
	if (!ret)
		ret = account_find(session->options->user, &session->account, err);
	if (!ret)
		ret = read_secrets(session, err);
	if (!ret)
		ret = read_pins(session, err);
	if (!ret)
		ret = read_resolvers(session, err);
	if (!ret)
		ret = environment_for_child(&session->secrets, environ, &session->environment, err);
	if (ret)
		return ret;
	redact_command(session);
	ret = secret_environment_wipe(err);
	if (!ret)
		ret = make_cgroup(session, err);
	if (!ret)
		ret = report_open(&session->report, session->options->events, &session->secrets,
				  session->cgroup.name, err);
	if (!ret)
		ret = start_engine(session, err);
	if (!ret)
		ret = hand_over_secrets(session, err);
	if (!ret)
		ret = resolve_names(session, err);
	return ret;
}

/* What no event could tell. */
static void report_losses(const struct session *session)
{
	uint64_t events = engine_counter(&session->engine, COUNTER_EVENTS_LOST);
	uint64_t sockets = engine_counter(&session->engine, COUNTER_NO_STATE);
	uint64_t answers = engine_counter(&session->engine, COUNTER_ANSWERS_LOST);
	uint64_t unread = engine_counter(&session->engine, COUNTER_NO_DNS_STATE);

	if (events)
		warning("%llu events were lost: they came faster than they were read",
			(unsigned long long)events);
	if (sockets)
		warning("%llu connections could not be watched, and nothing was swapped on them: "
			"the kernel had no room for more",
			(unsigned long long)sockets);
	if (answers)
		warning("%llu answers of name servers could not be read: their TCP segments came "
			"out "
			"of order, or too many names are in use; --resolve or --pin do without",
			(unsigned long long)answers);
	if (unread)
		warning("the kernel had no room to watch %llu socket%s for answers of name "
			"servers, and what these said did not count; --resolve or --pin do without",
			(unsigned long long)unread, unread == 1 ? "" : "s");
	if (engine_counter(&session->engine, COUNTER_IMPERSONATED))
		warning("the command sent packets in the name of a trusted resolver; from then on "
			"no answer of that one counted");
}

static void session_close(struct session *session)
{
	unsigned int left;

	sideband_unprime(&session->primer);
	secret_set_wipe(&session->secrets);
	attachment_close(&session->attachment);
	dns_lookup_close(session->lookup);
	if (session->has_engine)
		engine_close(&session->engine);
	if (session->has_cgroup && cgroup_remove(&session->cgroup, &left) == -EBUSY)
		warning("%u process%s of the command still running; placeholders are not swapped "
			"any more",
			left, left == 1 ? " is" : "es are");
	environment_release(session->environment);
	rule_set_release(&session->rules);
	pin_set_release(&session->pins);
	report_close(&session->report);
}

int session_run(const struct run_options *options, int *status, struct error *err)
{
	struct session *session = calloc(1, sizeof(*session));
	int ret;

	if (!session)
		return error_no_memory(err, "the run");
	session->options = options;
	session->report.fd = -1;
	session->primer.event = -1;
	session->primer.stop = -1;
	ret = session_start(session, err);
	if (!ret)
		ret = start_command(session, err);
	if (!ret) {
		protect_shrink();
		ret = wait_command(session, status);
		report_summary(&session->report);
		report_losses(session);
	}
	session_close(session);
	free(session);
	return ret;
}
