// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile application and hostile servers against the DNS object. The input
 * is a list of orders (enum order): messages are prepared, honest, damaged or
 * made of input bytes, and sent in either direction on one of two sockets, as
 * datagrams or cut into segments; servers, the clock and failures change.
 *
 * What is verified in the end is compared with logs of all bytes that passed
 * between the sockets and trusted resolvers, by a search that knows nothing of
 * messages.
 */
#include "selftests/unit/dns_world.h"

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

#define LINKS	     2
#define LOG_SIZE     (1 << 18)
#define PREPARED_MAX 20000

enum how {
	HOW_V6 = 1,
	HOW_TCP = 2,
	HOW_CONNECTED = 4,
	HOW_DAEMON = 8,
	HOW_UNMARKED = 16, /* the second socket has no mark */
};

enum order {
	ORDER_QUESTION, /* these prepare something */
	ORDER_ANSWER,
	ORDER_CHAIN,
	ORDER_MESSAGE,
	ORDER_BYTES,
	ORDER_DAMAGE,
	ORDER_SEND, /* these send what was prepared */
	ORDER_RECEIVE,
	ORDER_PART,
	ORDER_SEGMENT,
	ORDER_PACKET,
	ORDER_SERVER, /* these change the world */
	ORDER_LINK,
	ORDER_WAIT,
	ORDER_IMPERSONATE,
	ORDER_FAIL,
	ORDERS,
};

/* Bytes in one direction; of TCP those that come in their turn. */
struct log {
	size_t size;
	uint32_t next;
	bool going; /* TCP: it began */
	uint8_t byte[LOG_SIZE];
};

struct side {
	struct link link;
	struct log out, in;
	bool marked, trusted;
	unsigned int server;
};

static struct side side[LINKS];
static struct wire wire;
static struct packet prepared;
static bool impersonated[4][2];
static uint8_t how;

static const char *const names[] = {
	"www.example.com", "a.wild.example",   "WWW.exAMPLE.com", "wild.example",
	"other.example",   "b.a.wild.example", "www.example.co",  "localhost",
};

/* ---- the input ---- */

static const uint8_t *input, *input_end;

static unsigned int take(void)
{
	return input < input_end ? *input++ : 0;
}

static size_t take_size(void)
{
	size_t high = take(), size = high << 8 | take();

	return size < (size_t)(input_end - input) ? size : (size_t)(input_end - input);
}

/* ---- logs ---- */

static void log_add(struct log *log, const void *bytes, size_t size)
{
	if (size > sizeof(log->byte) - log->size || !size)
		return;
	memcpy(log->byte + log->size, bytes, size);
	log->size += size;
}

/* What follows is no continuation. */
static void log_break(struct log *log)
{
	uint8_t end[300]; /* longer than a name, and not like what failures leave */

	memset(end, 0xa5, sizeof(end));
	log_add(log, end, sizeof(end));
}

/* As a receiver would take it (RFC 9293, 3.10.7.4), but with no window to wait in. */
static void log_segment(struct log *log, uint32_t sequence, unsigned int flags,
			const uint8_t *bytes, uint32_t size)
{
	if (flags & TCP_RST)
		return;
	if (flags & TCP_SYN) {
		log_break(log);
		log->going = true;
		log->next = ++sequence;
	}
	if (!log->going || !size || (int32_t)(log->next - sequence - size) >= 0 ||
	    (int32_t)(log->next - sequence) < 0)
		return;
	log_add(log, bytes + (log->next - sequence), size - (log->next - sequence));
	log->next = sequence + size;
}

/* Does what goes this way now count for anything? */
static bool counts(const struct side *s, bool out)
{
	return s->marked && s->trusted && (out || !impersonated[s->server][s->link.tcp]);
}

/* ---- sending ---- */

static void send(struct side *s, bool out, uint32_t sequence, unsigned int flags,
		 const uint8_t *bytes, uint32_t size)
{
	struct log *log = out ? &s->out : &s->in;

	if (flags & TCP_SYN)
		host.load_failure = 0; /* the log starts over with it, and so must the object */
	if (s->link.tcp) {
		if (counts(s, out))
			log_segment(log, sequence, flags, bytes, size);
		else
			log->going = false;
	} else if (counts(s, out)) {
		log_break(log);
		log_add(log, bytes, size);
	}
	link_segment(&s->link, out, sequence, flags, bytes, size);
}

/* The first @size bytes of what was prepared, in their turn. */
static void send_prepared(struct side *s, bool out, uint32_t size)
{
	uint32_t *next = out ? &s->link.sent : &s->link.received;

	size = size < prepared.size ? size : prepared.size;
	send(s, out, *next, TCP_ACK_FLAG, prepared.byte, size);
	*next += size;
	prepared.size -= size;
	memmove(prepared.byte, prepared.byte + size, prepared.size);
}

/* What was prepared, with another sequence number and other flags. */
static void send_segment(struct side *s)
{
	unsigned int dice = take();
	bool out = dice & 1;
	uint32_t sequence = (out ? s->link.sent : s->link.received) + (uint32_t)(int8_t)take();

	send(s, out, sequence, dice & 2 ? take() : TCP_ACK_FLAG, prepared.byte,
	     prepared.size < take() * 8 ? prepared.size : 0);
}

/* A packet of input bytes. TCP and UDP are kept to their sockets, as the kernel does it. */
static void send_packet(struct side *s)
{
	static struct packet p;
	bool out = take() & 1;
	size_t size = take_size(), protocol;
	struct log *log = out ? &s->out : &s->in;

	p.size = 0;
	packet_put(&p, input, size);
	input += size;
	protocol = size && p.byte[0] >> 4 == 4 ? 9 : 6;
	if (size > protocol && p.byte[protocol] == PROTOCOL_TCP)
		p.byte[protocol] = PROTOCOL_UDP;
	if (size > protocol && s->link.tcp)
		p.byte[protocol] = 0;
	if (s->marked && !s->link.tcp) {
		log_break(log);
		log_add(log, p.byte, size);
	}
	link_show(&s->link, out, &p);
}

/* ---- preparing ---- */

static void prepare_wire(const struct link *l)
{
	if (prepared.size + wire.size + 2 > PREPARED_MAX)
		return;
	if (l->tcp)
		packet_be(&prepared, (uint32_t)wire.size, 2);
	packet_put(&prepared, wire.byte, wire.size);
}

static void prepare_message(const struct link *l, bool answer, unsigned int aliases)
{
	const char *name = names[take() % 8], *owner = name;
	unsigned int id = take(), dice = take();
	unsigned int type = dice & 1 ? WIRE_AAAA : WIRE_A;

	wire.random = dice & 2 ? 1 + dice : 0;
	wire_begin(&wire, id, answer ? WIRE_RESPONSE : WIRE_QUERY);
	wire_question(&wire, name, type);
	for (unsigned int i = 0; i < aliases; i++) {
		const char *target = names[(i + dice) % 8];

		wire_alias(&wire, owner, take(), target);
		owner = target;
	}
	for (unsigned int i = 0; answer && i <= dice >> 5; i++)
		wire_has(&wire, owner, type, take() << (dice >> 3 & 3) * 8, take());
	prepare_wire(l);
}

static void prepare_input(const struct link *l)
{
	size_t size = take_size();

	wire.size = 0;
	wire_put(&wire, input, size);
	input += size;
	prepare_wire(l);
}

/* With no length before it, and zeros after it. */
static void prepare_bytes(void)
{
	unsigned int zeros = take() * 32;
	size_t size = take_size();

	if (prepared.size + size + zeros > PREPARED_MAX)
		return;
	packet_put(&prepared, input, size);
	packet_fill(&prepared, 0, zeros);
	input += size;
}

static void damage(void)
{
	size_t high = take(), at = high << 8 | take();

	if (prepared.size)
		prepared.byte[at % prepared.size] ^= (uint8_t)take();
}

/* ---- the world ---- */

static struct party server_of(unsigned int number)
{
	return party(how & HOW_V6, 53 + number, 53);
}

/* Another peer: 0 and 1 are trusted. With bit 2 the SYN of a TCP server is missed. */
static void change_server(struct side *s, unsigned int dice)
{
	struct party server = server_of(dice & 3);

	s->server = dice & 3;
	s->trusted = s->server < 2 || how & HOW_DAEMON;
	s->link.server = server;
	link_connect(&s->link, s->link.tcp || how & HOW_CONNECTED ? &server : NULL);
	if (!s->link.tcp)
		return;
	host.load_failure = 0;
	s->in.going = false;
	send(s, true, s->link.sent++, TCP_SYN, NULL, 0);
	if (!(dice & 4))
		send(s, false, s->link.received++, TCP_SYN | TCP_ACK_FLAG, NULL, 0);
}

static void impersonate(struct side *s, unsigned int dice)
{
	static struct packet p;
	struct party from = server_of(dice & 3), to = party(how & HOW_V6, 1, 40000);

	if (dice & 4)
		packet_tcp(&p, how & HOW_V6, &from, &to, 1, TCP_SYN | TCP_ACK_FLAG, NULL, 0);
	else
		packet_udp(&p, how & HOW_V6, &from, &to, "x", 1);
	host.load_failure = 0;
	link_show(&s->link, true, &p);
	if (!(how & HOW_DAEMON))
		impersonated[dice & 3][dice >> 2 & 1] = true;
}

static void obey(struct side **current)
{
	struct side *s = *current;
	unsigned int order = take() % ORDERS;

	switch (order) {
	case ORDER_QUESTION:
	case ORDER_ANSWER:
		prepare_message(&s->link, order == ORDER_ANSWER, 0);
		break;
	case ORDER_CHAIN:
		prepare_message(&s->link, true, take() % 20);
		break;
	case ORDER_MESSAGE:
		prepare_input(&s->link);
		break;
	case ORDER_BYTES:
		prepare_bytes();
		break;
	case ORDER_DAMAGE:
		damage();
		break;
	case ORDER_SEND:
	case ORDER_RECEIVE:
		send_prepared(s, order == ORDER_SEND, prepared.size);
		break;
	case ORDER_PART:
		send_prepared(s, take() & 1, take());
		break;
	case ORDER_SEGMENT:
		send_segment(s);
		break;
	case ORDER_PACKET:
		send_packet(s);
		break;
	case ORDER_SERVER:
		change_server(s, take());
		break;
	case ORDER_LINK:
		*current = &side[*current == side];
		break;
	case ORDER_WAIT:
		host.time += 1ULL << take() % 40;
		break;
	case ORDER_IMPERSONATE:
		impersonate(s, take());
		break;
	case ORDER_FAIL:
		host.load_failure = take() % 32;
		break;
	}
}

/* ---- judging ---- */

static bool fold_equal(const uint8_t *bytes, const uint8_t *name, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((bytes[i] >= 'A' && bytes[i] <= 'Z' ? bytes[i] + 32 : bytes[i]) != name[i])
			return false;
	return true;
}

/* The next place, from @at on, where a message may have this name as its question; 0: none. */
static size_t find_question(const struct log *log, size_t at, const uint8_t *name, size_t size)
{
	for (at = at < WIRE_HEADER ? WIRE_HEADER : at; at + size + 4 <= log->size; at++)
		if (fold_equal(log->byte + at, name, size))
			return at;
	return 0;
}

/* Went a question for @name out, and came one with the same number and type back? */
static bool was_asked(const struct side *s, const uint8_t *name, size_t size, bool v4)
{
	for (size_t in = find_question(&s->in, 0, name, size); in;
	     in = find_question(&s->in, in + 1, name, size)) {
		if (s->in.byte[in + size + 1] != (v4 ? WIRE_A : WIRE_AAAA))
			continue;
		for (size_t out = find_question(&s->out, 0, name, size); out;
		     out = find_question(&s->out, out + 1, name, size))
			if (memcmp(s->out.byte + out - 12, s->in.byte + in - 12, 2) == 0 &&
			    memcmp(s->out.byte + out + size, s->in.byte + in + size, 4) == 0)
				return true;
	}
	return false;
}

static bool is_ruled(const char *name)
{
	static const char wild[] = ".wild.example";
	size_t size = strlen(name);

	return strcmp(name, names[0]) == 0 ||
	       (size > sizeof(wild) - 1 && strcmp(name + size - (sizeof(wild) - 1), wild) == 0);
}

static void judge_key(const struct verified_key *key)
{
	size_t size = strnlen((const char *)key->name, NAME_SIZE);

	REQUIRE(size && size < 254 && key->workload == WORLD_WORKLOAD);
	for (size_t i = 0; i < NAME_SIZE; i++)
		REQUIRE(i < size ? name_byte(key->name[i]) == key->name[i] : !key->name[i]);
	REQUIRE(is_ruled((const char *)key->name));
}

static void judge_verified(const struct verified_key *key, const struct verified *row)
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };
	bool v4 = memcmp(key->address, mapped, 12) == 0;
	const uint8_t *address = v4 ? key->address + 12 : key->address;
	bool found = false;
	struct wire *w = &wire;

	w->random = 0;
	w->size = 0;
	wire_name(w, (const char *)key->name);
	for (unsigned int i = 0; i < LINKS; i++) {
		/* An IPv6 address may look mapped. */
		found |= memmem(side[i].in.byte, side[i].in.size, address, v4 ? 4 : 16) &&
			 (was_asked(&side[i], w->byte, w->size, v4) ||
			  (v4 && was_asked(&side[i], w->byte, w->size, false)));
	}
	REQUIRE(found);
	REQUIRE(row->expires > 1000 * WORLD_SECOND &&
		row->expires <= host.time + (u64)TTL_MAX * WORLD_SECOND);
}

static void judge(void)
{
	for (unsigned int i = 0; i < HOST_BUCKETS; i++) {
		for (struct host_entry *e = verified.bucket[i]; e; e = e->next) {
			judge_key(e->key);
			judge_verified(e->key, e->value);
		}
		for (struct host_entry *e = rejections.bucket[i]; e; e = e->next) {
			const struct rejection *rejection = e->value;

			judge_key(e->key);
			REQUIRE(rejection->reason == REASON_QUERY ||
				rejection->reason == REASON_RESOLVER);
		}
	}
	for (unsigned int i = 0; i < LINKS; i++)
		REQUIRE(!world_claims(&side[i].link));
}

/* ---- a message alone ---- */

static struct dns_message message;

static int read_alone(struct dns_reading *r, const uint8_t *bytes, size_t size, uint8_t after)
{
	memset(&message, after, sizeof(message));
	memset(r, 0, sizeof(*r));
	memcpy(message.byte, bytes, size);
	message.size = (u32)size;
	r->seed = 7;
	return dns_read_answer(&message, r);
}

/* What follows the message changes nothing, and an address is one that it holds. */
static void read_message(const uint8_t *bytes, size_t size)
{
	static struct dns_reading a, b;
	u32 ttl;

	size = size < DNS_MESSAGE_MAX ? size : DNS_MESSAGE_MAX;
	REQUIRE(read_alone(&a, bytes, size, 0) == read_alone(&b, bytes, size, 0xc0));
	REQUIRE(memcmp(&a, &b, sizeof(a)) == 0);
	REQUIRE(a.address_count <= DNS_ADDRESSES && a.alias_count <= DNS_ALIASES);
	for (u32 i = 0; i < a.address_count; i++) {
		const uint8_t *address = a.address[i].address + (a.type == WIRE_A ? 12 : 0);

		REQUIRE(memmem(bytes, size, address, a.type == WIRE_A ? 4 : 16));
		dns_address_use(&a, &a.address[i], &ttl);
		REQUIRE(ttl <= 0x7fffffff);
	}
}

/* ---- */

static void begin(void)
{
	const struct party first = server_of(0), second = server_of(1);

	world_reset();
	memset(impersonated, 0, sizeof(impersonated));
	prepared.size = 0;
	dns_daemon = !!(how & HOW_DAEMON);
	world_rule(WORLD_WORKLOAD, names[0]);
	world_rule(WORLD_WORKLOAD, "*.wild.example");
	world_trust(WORLD_WORKLOAD, &first);
	world_trust(WORLD_WORKLOAD, &second);
	for (unsigned int i = 0; i < LINKS; i++) {
		struct side *s = &side[i];

		s->out.size = s->in.size = 0;
		s->out.going = s->in.going = false;
		s->marked = !i || !(how & HOW_UNMARKED) || dns_daemon;
		host.storage_failure = !s->marked;
		link_open(&s->link, how & HOW_V6, how & HOW_TCP, &first);
		host.storage_failure = 0;
		change_server(s, 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct side *current = side;

	read_message(data, size);
	input = data;
	input_end = data + size;
	how = (uint8_t)take();
	begin();
	while (input < input_end)
		obey(&current);
	judge();
	for (unsigned int i = 0; i < LINKS; i++)
		link_close(&side[i].link);
	host_maps_clear();
	return 0;
}
