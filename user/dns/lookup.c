// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking names up: see lookup.h.
 *
 * Every name makes two items, for IPv4 and for IPv6. An item is due at some
 * time; when it is, it takes a free slot and asks one resolver after the other,
 * three rounds, the last without EDNS. Then it is due again: when the answer
 * ends, or after a while if there was none.
 */
#include "user/dns/lookup.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "user/dns/exchange.h"

#define SLOTS	    16 /* questions at a time, and so many descriptors */
#define ROUNDS	    3
#define EDNS_ROUNDS 2

#define RCODE_NO_NAME 3
#define RCODE_REFUSED 5

struct item {
	struct dns_question question;
	uint64_t due; /* when it is to be asked for; not looked at while it has a slot */
	unsigned int attempt;
	bool busy;  /* it has a slot */
	bool tried; /* it had its turn at least once */
	/* How the last turn ended. */
	int code;	    /* 0: with an answer; a negative errno */
	unsigned int rcode; /* of the answer */
	size_t addresses;
	const struct resolver_endpoint *server;
};

struct slot {
	struct item *item; /* NULL: free */
	struct dns_exchange exchange;
};

struct dns_lookup {
	struct dns_lookup_options options;
	struct dns_reader *reader;
	struct dns_answer answer;
	struct slot slot[SLOTS];
	size_t busy;   /* slots in use */
	uint64_t wake; /* no item is due before */
	bool full;     /* an address could not be handed on; warned of once */
	bool forged;   /* somebody forged answers: TCP only from then on */
	size_t count;
	struct item item[]; /* of one name side by side: IPv4, IPv6 */
};

/* ---- opening ---- */

static bool has_name(const struct dns_lookup *lookup, const char *name)
{
	for (size_t i = 0; i < lookup->count; i++)
		if (strcmp(lookup->item[i].question.name, name) == 0)
			return true;
	return false;
}

/* Names, and not wildcards: nobody knows what these will be. A name may have several ports. */
static void collect_names(struct dns_lookup *lookup, const struct rule_set *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->grant[i].rule;

		if (rule->kind != RULE_NAME || rule->name[0] == '*' || has_name(lookup, rule->name))
			continue;
		if (lookup->count == 2 * (size_t)DNS_LOOKUP_NAMES) {
			warning("--resolve looks up the first %d names only, and not %s; use "
				"--pin for the others",
				DNS_LOOKUP_NAMES, rule->name);
			return;
		}
		lookup->item[lookup->count++].question =
			(struct dns_question){ rule->name, DNS_TYPE_ADDRESS4 };
		lookup->item[lookup->count++].question =
			(struct dns_question){ rule->name, DNS_TYPE_ADDRESS6 };
	}
}

/* Room for as many names as there are rules at the most. */
static struct dns_lookup *lookup_alloc(const struct dns_lookup_options *options)
{
	size_t names = options->rules->count < DNS_LOOKUP_NAMES ? options->rules->count
								: DNS_LOOKUP_NAMES;
	struct dns_lookup *lookup = calloc(1, sizeof(*lookup) + 2 * names * sizeof(struct item));

	if (lookup) {
		lookup->options = *options;
		lookup->reader = dns_reader_open();
	}
	return lookup;
}

int dns_lookup_open(const struct dns_lookup_options *options, struct dns_lookup **result,
		    struct error *err)
{
	struct dns_lookup *lookup = lookup_alloc(options);

	*result = NULL;
	if (!lookup || !lookup->reader) {
		dns_lookup_close(lookup);
		return error_no_memory(err, "looking names up");
	}
	collect_names(lookup, options->rules);
	if (lookup->count == 0)
		warning("--resolve has no effect: no rule has a name in full; write -s "
			"NAME@HOST");
	else if (options->resolvers->count == 0)
		warning("--resolve has no effect: there is no name server to ask; write "
			"--resolver ADDRESS");
	else
		*result = TAKE_PTR(lookup);
	dns_lookup_close(lookup);
	return 0;
}

void dns_lookup_close(struct dns_lookup *lookup)
{
	if (!lookup)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		if (lookup->slot[i].item)
			dns_exchange_end(&lookup->slot[i].exchange);
	dns_reader_close(lookup->reader);
	free(lookup);
}

/* ---- one turn of an item ---- */

static void turn_end(struct dns_lookup *lookup, struct slot *slot, uint64_t due)
{
	slot->item->busy = false;
	slot->item->tried = true;
	slot->item->due = due;
	slot->item = NULL;
	lookup->busy--;
	if (due < lookup->wake)
		lookup->wake = due;
}

/* Asks the next resolver, and the one after it if that cannot be asked at all. */
static void attempt_next(struct dns_lookup *lookup, struct slot *slot, uint64_t now)
{
	const struct resolver_set *resolvers = lookup->options.resolvers;
	struct item *item = slot->item;

	while (item->attempt < ROUNDS * resolvers->count) {
		unsigned int way = 0;

		if (item->attempt < EDNS_ROUNDS * resolvers->count)
			way |= DNS_EXCHANGE_EDNS;
		if (lookup->forged)
			way |= DNS_EXCHANGE_TCP;
		item->server = &resolvers->resolver[item->attempt++ % resolvers->count];
		item->code = dns_exchange_start(&slot->exchange, &item->question, item->server, way,
						now);
		if (item->code == 0)
			return;
	}
	turn_end(lookup, slot, now + DNS_LOOKUP_RETRY * NSEC_PER_SEC);
}

static uint32_t lifetime(const struct dns_lookup *lookup, uint32_t ttl)
{
	if (ttl < lookup->options.min_ttl)
		ttl = lookup->options.min_ttl;
	return ttl < TTL_MAX ? ttl : TTL_MAX;
}

/* Hands on what was found. Returns the seconds until it is to be asked for again. */
static uint32_t take_answer(struct dns_lookup *lookup, const struct item *item, uint64_t now)
{
	const struct dns_answer *answer = &lookup->answer;
	uint32_t next = answer->count ? TTL_MAX : DNS_LOOKUP_EMPTY;

	for (size_t i = 0; i < answer->count; i++) {
		uint32_t seconds = lifetime(lookup, answer->address[i].ttl);
		int ret = lookup->options.found(lookup->options.context, item->question.name,
						answer->address[i].address,
						now + (seconds + DNS_LOOKUP_GRACE) * NSEC_PER_SEC);

		if (ret < 0 && !lookup->full)
			warning("cannot give the kernel an address of %s: %s; use narrower rules",
				item->question.name, strerror(-ret));
		lookup->full |= ret < 0;
		if (seconds < next)
			next = seconds;
	}
	/* An answer that ends at once is asked for again within the grace. */
	return next < DNS_LOOKUP_GRACE ? DNS_LOOKUP_GRACE : next;
}

/* A server that fails says nothing of the name: perhaps another one knows. */
static bool is_final(const struct dns_answer *answer)
{
	return answer->rcode == 0 || answer->rcode == RCODE_NO_NAME;
}

/* Each question lets a forger guess a few times; so there are no more over UDP. */
static void note_forgery(struct dns_lookup *lookup, const struct item *item)
{
	char server[INET6_ADDRSTRLEN];

	lookup->forged = true;
	warning("somebody sends forged answers in the name of %s; --resolve asks over TCP from "
		"now on",
		address_format(item->server->address, server));
}

static void slot_step(struct dns_lookup *lookup, struct slot *slot, uint64_t now)
{
	struct item *item = slot->item;
	int ret = dns_exchange_step(&slot->exchange, lookup->reader, now, &lookup->answer);

	if (slot->exchange.forged && !lookup->forged)
		note_forgery(lookup, item);
	if (ret == 0)
		return;
	item->code = ret < 0 ? ret : 0;
	item->rcode = ret > 0 ? lookup->answer.rcode : 0;
	item->addresses = ret > 0 ? lookup->answer.count : 0;
	if (ret > 0 && is_final(&lookup->answer))
		turn_end(lookup, slot, now + take_answer(lookup, item, now) * NSEC_PER_SEC);
	else
		attempt_next(lookup, slot, now);
}

/* ---- all items ---- */

static struct slot *free_slot(struct dns_lookup *lookup)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (!lookup->slot[i].item)
			return &lookup->slot[i];
	return NULL;
}

/* Gives slots to items that are due. If there are not enough, the others stay due. */
static void start_due(struct dns_lookup *lookup, uint64_t now)
{
	lookup->wake = UINT64_MAX;
	for (size_t i = 0; i < lookup->count; i++) {
		struct item *item = &lookup->item[i];
		struct slot *slot = item->due <= now && !item->busy ? free_slot(lookup) : NULL;

		if (slot) {
			slot->item = item;
			item->busy = true;
			item->attempt = 0;
			lookup->busy++;
			attempt_next(lookup, slot, now);
		} else if (!item->busy && item->due < lookup->wake) {
			lookup->wake = item->due;
		}
	}
}

void dns_lookup_step(struct dns_lookup *lookup, uint64_t now)
{
	if (!lookup)
		return;
	for (size_t i = 0; i < SLOTS && lookup->busy; i++)
		if (lookup->slot[i].item)
			slot_step(lookup, &lookup->slot[i], now);
	if (now >= lookup->wake && lookup->busy < SLOTS)
		start_due(lookup, now);
}

/* ---- the start ---- */

static bool all_tried(const struct dns_lookup *lookup)
{
	for (size_t i = 0; i < lookup->count; i++)
		if (!lookup->item[i].tried)
			return false;
	return true;
}

/* Sleeps until something comes, the next attempt is due, or @deadline. */
static void sleep_until(const struct dns_lookup *lookup, uint64_t now, uint64_t deadline)
{
	struct pollfd fds[SLOTS];
	nfds_t count = 0;

	for (size_t i = 0; i < SLOTS; i++) {
		const struct dns_exchange *exchange = &lookup->slot[i].exchange;

		if (!lookup->slot[i].item)
			continue;
		fds[count++] = (struct pollfd){
			.fd = exchange->fd,
			.events = dns_exchange_events(exchange),
		};
		if (exchange->deadline < deadline)
			deadline = exchange->deadline;
	}
	/* A signal may cut it short, which does not matter. */
	poll(fds, count, deadline > now ? (int)((deadline - now) / 1000000) + 1 : 0);
}

/* Why the name of two items has no address. Of the two causes the graver one. */
static void warn_of(const struct item *v4, const struct item *v6)
{
	const struct item *item = v4->code || v4->rcode || !v4->tried ? v4 : v6;
	const char *name = item->question.name;
	char server[INET6_ADDRSTRLEN] = "the name server";

	if (item->server)
		address_format(item->server->address, server);
	if (!item->tried || item->code == -ETIMEDOUT)
		warning("%s is not resolved: no answer from %s in time; check that name server, or "
			"use --resolver ADDRESS or --pin",
			name, server);
	else if (item->code)
		warning("%s is not resolved: %s: %s; check that name server, or use --resolver "
			"ADDRESS or --pin",
			name, server, strerror(-item->code));
	else if (item->rcode == RCODE_NO_NAME)
		warning("%s is not resolved: %s says that there is no such name; check it", name,
			server);
	else if (item->rcode)
		warning("%s is not resolved: %s %s (code %u); check that name server, or use "
			"--resolver ADDRESS or --pin",
			name, server, item->rcode == RCODE_REFUSED ? "refuses" : "failed",
			item->rcode);
	else
		warning("%s is not resolved: %s says that it has no address; check the name", name,
			server);
}

void dns_lookup_wait(struct dns_lookup *lookup, uint64_t timeout)
{
	uint64_t now = clock_now(), deadline = now + timeout;

	if (!lookup)
		return;
	for (;;) {
		dns_lookup_step(lookup, now);
		if (all_tried(lookup) || now >= deadline)
			break;
		sleep_until(lookup, now, deadline);
		now = clock_now();
	}
	for (size_t i = 0; i < lookup->count; i += 2)
		if (!lookup->item[i].addresses && !lookup->item[i + 1].addresses)
			warn_of(&lookup->item[i], &lookup->item[i + 1]);
}
