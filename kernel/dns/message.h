/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DNS messages in memory (RFC 1035, section 4): the question, and what the
 * answer section says of the addresses of the name that was asked for.
 *
 * The bytes come from the network and from the application: every read goes
 * through dns_u8(), dns_u16(), dns_u32() or dns_word(), which check against the
 * end of the message. Compiles for BPF and for the host, where `kloak run
 * --resolve` and the tests use it:
 *
 *	dns_read_question()	header and question, the name also as text
 *	dns_read_answer()	the same, then records: address[] and alias[]
 *	dns_address_use()	is this one reached from the question?
 *
 * Names are compared by a 64-bit hash of their folded labels. A collision would
 * let a record of one name pass for another's; both stand in one answer of a
 * resolver that is trusted for any name, and the hash is seeded at random.
 */
#ifndef KLOAK_DNS_MESSAGE_H
#define KLOAK_DNS_MESSAGE_H

#include "kernel/abi.h"
#include "kernel/loop.h"
#include "kernel/name.h"
#include "kernel/types.h"

/* What is read of a message; the records behind are not. EDNS clients ask for no more. */
#define DNS_MESSAGE_MAX	 4096
#define DNS_MESSAGE_MASK (DNS_MESSAGE_MAX - 1)
#define DNS_PIECE	 512 /* bytes that are loaded at a time, at any offset */
#define DNS_HEADER	 12
#define DNS_WIRE_NAME	 255 /* bytes of a name, RFC 1035, 2.3.4 */
#define DNS_LABEL	 63
#define DNS_NAME_TURNS	 384 /* 127 labels of one byte: length, byte and a pointer each */
#define DNS_RECORDS	 96  /* of an answer section that are read */
#define DNS_ADDRESSES	 64
#define DNS_ALIASES	 16

#define DNS_TYPE_A     1
#define DNS_TYPE_CNAME 5
#define DNS_TYPE_AAAA  28
#define DNS_CLASS_IN   1

#define DNS_FLAG_RESPONSE  0x8000
#define DNS_FLAG_TRUNCATED 0x0200
#define DNS_OPCODE	   0x7800
#define DNS_RCODE	   0x000f

struct dns_message {
	u32 size; /* at most DNS_MESSAGE_MAX */
	u32 reserved;
	u8 byte[DNS_MESSAGE_MAX + DNS_PIECE]; /* room to read and write on in pieces */
};

/* Where dns_read_name() stands. */
struct dns_cursor {
	u32 at;	    /* next byte */
	u32 limit;  /* a pointer must lead to before here: so no loop has a way back */
	u32 label;  /* bytes left of the current label */
	u32 after;  /* where the message goes on behind the name, 0: not known yet */
	u32 length; /* of the name in wire form */
	u32 state;  /* enum dns_name_state */
	u64 hash;
};

enum dns_name_state {
	DNS_NAME_READING = 0,
	DNS_NAME_WHOLE,
};

struct dns_address {
	u64 owner; /* hash of its name */
	u32 ttl;   /* seconds */
	u32 reserved;
	u8 address[16]; /* IPv4 is v4-mapped */
};

struct dns_alias {
	u64 owner; /* 0: used up, or empty */
	u64 target;
	u32 ttl;
	u32 reserved;
};

/* What was read; too large for a stack, and in BPF in a map value (kernel/loop.h). */
struct dns_reading {
	u64 seed; /* of all hashes; set by the caller */
	u16 id;
	u16 flags;
	u16 type; /* of the question */
	u16 class;
	u64 name_hash; /* of the question's name */
	u32 name_size;
	u32 at;	   /* next record */
	u32 label; /* scratch of dns_text_step() */
	u32 text_state;
	u32 records; /* that the header promises */
	u32 malformed;
	u32 address_count;
	u32 alias_count;
	u64 canonical; /* hash of the name at the end of the chain of aliases */
	u32 ttl;       /* the least of that chain */
	u32 hop_at;    /* scratch of dns_chain_step() */
	struct dns_cursor cursor;
	u8 name[NAME_SIZE]; /* of the question: lower case text, padded with zeros */
	struct dns_address address[DNS_ADDRESSES];
	struct dns_alias alias[DNS_ALIASES];
};

/* ---- checked access ---- */

KERNEL_INLINE int dns_u8(const struct dns_message *m, u64 at)
{
	if (at >= m->size)
		return -1;
	barrier_var(at);
	at &= DNS_MESSAGE_MASK;
	barrier_var(at);
	return m->byte[at];
}

KERNEL_INLINE int dns_u16(const struct dns_message *m, u64 at)
{
	int high = dns_u8(m, at), low = dns_u8(m, at + 1);

	return high < 0 || low < 0 ? -1 : high << 8 | low;
}

/* Sets *failed if there are no four bytes. */
KERNEL_INLINE u32 dns_u32(const struct dns_message *m, u64 at, u32 *failed)
{
	int high = dns_u16(m, at), low = dns_u16(m, at + 2);

	if (high < 0 || low < 0) {
		*failed = 1;
		return 0;
	}
	return (u32)high << 16 | (u32)low;
}

/* @size (1 to 8) bytes as a little endian number; 0 if they are not all there. */
KERNEL_INLINE u64 dns_word(const struct dns_message *m, u64 at, u64 size)
{
	if (at + size > m->size)
		return 0;
	barrier_var(at);
	at &= DNS_MESSAGE_MASK;
	barrier_var(at);
	return load_le64(m->byte + at) & (~0ULL >> ((64 - 8 * size) & 63));
}

/* ---- names ---- */

#define DNS_EACH_BYTE(b) (0x0101010101010101ULL * (b))

/* Eight letters to lower case at once: bit 7 of @upper marks bytes from 'A' to 'Z'. */
KERNEL_INLINE u64 dns_fold(u64 word)
{
	u64 low = word & DNS_EACH_BYTE(0x7f);
	u64 upper = (low + DNS_EACH_BYTE(0x80 - 'A')) ^ (low + DNS_EACH_BYTE(0x80 - 'Z' - 1));

	upper &= ~word & DNS_EACH_BYTE(0x80);
	return word | upper >> 2;
}

/* Multiply and shift, as MurmurHash's finalizer does. */
KERNEL_INLINE u64 dns_mix(u64 hash, u64 word)
{
	hash = (hash ^ word) * 0xff51afd7ed558ccdULL;
	return hash ^ hash >> 32;
}

struct dns_name_context {
	const struct dns_message *m;
	struct dns_cursor *cursor;
};

/* The length byte of a label, a pointer, or the end. Returns 1 when there is no more. */
KERNEL_INLINE long dns_name_label(const struct dns_message *m, struct dns_cursor *c)
{
	int first = dns_u8(m, c->at);
	int target;

	if (first >= 0xc0) {
		target = dns_u16(m, c->at) & 0x3fff;
		if (dns_u8(m, c->at + 1) < 0 || (u32)target >= c->limit)
			return 1;
		if (!c->after)
			c->after = c->at + 2;
		c->limit = target;
		c->at = target;
		return 0;
	}
	c->length += first + 1;
	if (first < 0 || first > DNS_LABEL || c->length > DNS_WIRE_NAME)
		return 1;
	c->at++;
	c->label = first;
	c->hash = dns_mix(c->hash, first);
	if (first)
		return 0;
	if (!c->after)
		c->after = c->at;
	c->state = DNS_NAME_WHOLE;
	return 1;
}

/* One label's beginning, or up to eight bytes of it. */
static long dns_name_step(__attribute__((unused)) u32 i, struct dns_name_context *context)
{
	struct dns_cursor *c = context->cursor;
	u64 take = c->label < 8 ? c->label : 8;

	if (!c->label)
		return dns_name_label(context->m, c);
	if (c->at + take > context->m->size)
		return 1;
	c->hash = dns_mix(c->hash, dns_fold(dns_word(context->m, c->at, take)));
	c->at += take;
	c->label -= take;
	return 0;
}

/*
 * Reads the name at @at: hash in r->cursor.hash, what follows at
 * r->cursor.after. -1 if it is malformed, cut, or longer than a name can be.
 */
KERNEL_GLOBAL int dns_read_name(const struct dns_message *m, struct dns_reading *r, u64 at)
{
	struct dns_name_context context = { .m = m, .cursor = NULL };

	if (!m || !r)
		return -1;
	context.cursor = &r->cursor;
	r->cursor.at = at;
	r->cursor.limit = at;
	r->cursor.label = 0;
	r->cursor.after = 0;
	r->cursor.length = 0;
	r->cursor.state = DNS_NAME_READING;
	r->cursor.hash = r->seed;
	bpf_loop(DNS_NAME_TURNS, dns_name_step, &context, 0);
	return r->cursor.state == DNS_NAME_WHOLE ? 0 : -1;
}

/* ---- the question ---- */

enum dns_text_state {
	DNS_TEXT_READING = 0,
	DNS_TEXT_WHOLE,
	DNS_TEXT_OTHER, /* not a host name, or compressed: nobody asks like that */
};

struct dns_context {
	const struct dns_message *m;
	struct dns_reading *r;
};

/* Byte @i of the question's name: a label's length becomes the dot in front of it. */
static long dns_text_step(u32 i, struct dns_context *context)
{
	struct dns_reading *r = context->r;
	int c = dns_u8(context->m, DNS_HEADER + i);
	u64 to = (u64)i - 1;

	r->text_state = DNS_TEXT_OTHER;
	if (c < 0)
		return 1;
	if (!r->label) {
		if (c > DNS_LABEL)
			return 1;
		r->label = c;
		if (c == 0) {
			r->name_size = i ? i - 1 : 0;
			r->text_state = i ? DNS_TEXT_WHOLE : DNS_TEXT_OTHER;
			return 1;
		}
		c = '.';
	} else {
		r->label--;
		c = c == '.' ? -1 : name_byte(c);
		if (c < 0)
			return 1;
	}
	r->text_state = DNS_TEXT_READING;
	if (i == 0)
		return 0;
	barrier_var(to);
	if (to >= NAME_SIZE - 1)
		return 1;
	r->name[to] = c;
	return 0;
}

/*
 * Reads header and question. -1 if there is not exactly one question, for
 * addresses, of class IN, in a plain query's form, about a host name.
 */
KERNEL_GLOBAL int dns_read_question(const struct dns_message *m, struct dns_reading *r)
{
	struct dns_context context = { .m = m, .r = r };

	if (!m || !r || m->size < DNS_HEADER || m->size > DNS_MESSAGE_MAX)
		return -1;
	r->id = dns_u16(m, 0);
	r->flags = dns_u16(m, 2);
	r->records = dns_u16(m, 6);
	r->label = 0;
	__builtin_memset(r->name, 0, sizeof(r->name));
	if (dns_u16(m, 4) != 1 || r->flags & DNS_OPCODE)
		return -1;
	bpf_loop(DNS_WIRE_NAME, dns_text_step, &context, 0);
	if (r->text_state != DNS_TEXT_WHOLE || dns_read_name(m, r, DNS_HEADER))
		return -1;
	r->name_hash = r->cursor.hash;
	r->type = dns_u16(m, r->cursor.after);
	r->class = dns_u16(m, r->cursor.after + 2);
	r->at = r->cursor.after + 4;
	if (r->at > m->size || r->class != DNS_CLASS_IN ||
	    (r->type != DNS_TYPE_A && r->type != DNS_TYPE_AAAA))
		return -1;
	return 0;
}

/* ---- the answer section ---- */

/* An address of the type that was asked for, in @size bytes at @at. */
KERNEL_INLINE void dns_take_address(const struct dns_message *m, struct dns_reading *r, u64 at,
				    u32 size, u64 owner, u32 ttl)
{
	u64 to = r->address_count;
	struct dns_address *address;

	if (size != (r->type == DNS_TYPE_A ? 4 : 16))
		return;
	barrier_var(to);
	if (to >= DNS_ADDRESSES)
		return;
	address = &r->address[to];
	address->owner = owner;
	address->ttl = ttl;
	if (size == 4) {
		store_le64(address->address, 0);
		store_le64(address->address + 8, dns_word(m, at, 4) << 32 | 0xffff0000ULL);
	} else {
		store_le64(address->address, dns_word(m, at, 8));
		store_le64(address->address + 8, dns_word(m, at + 8, 8));
	}
	r->address_count = to + 1;
}

KERNEL_INLINE void dns_take_alias(struct dns_reading *r, u64 owner, u64 target, u32 ttl)
{
	u64 to = r->alias_count;

	barrier_var(to);
	if (to >= DNS_ALIASES)
		return;
	r->alias[to].owner = owner;
	r->alias[to].target = target;
	r->alias[to].ttl = ttl;
	r->alias_count = to + 1;
}

/* One record: owner, type, class, TTL, length, data. */
static long dns_record_step(u32 i, struct dns_context *context)
{
	const struct dns_message *m = context->m;
	struct dns_reading *r = context->r;
	u32 failed = 0, ttl, data;
	int type, class, size;
	u64 owner;

	if (i >= r->records)
		return 1;
	if (dns_read_name(m, r, r->at))
		goto malformed;
	owner = r->cursor.hash;
	data = r->cursor.after + 10;
	type = dns_u16(m, data - 10);
	class = dns_u16(m, data - 8);
	ttl = dns_u32(m, data - 6, &failed);
	size = dns_u16(m, data - 2);
	if (type < 0 || class < 0 || failed || size < 0 || data + size > m->size)
		goto malformed;
	r->at = data + size;
	if (ttl >> 31)
		ttl = 0; /* RFC 2181, section 8 */
	if (class != DNS_CLASS_IN)
		return 0;
	if (type == r->type) {
		dns_take_address(m, r, data, size, owner, ttl);
	} else if (type == DNS_TYPE_CNAME) {
		if (dns_read_name(m, r, data) || r->cursor.after != r->at)
			goto malformed;
		dns_take_alias(r, owner, r->cursor.hash, ttl);
	}
	return 0;
malformed:
	r->malformed = 1;
	return 1;
}

/*
 * Follows one alias if it is the current name's. Turns go round the aliases:
 * most answers have them in the order of the chain, and need one round.
 */
static long dns_chain_step(u32 i, struct dns_reading **context)
{
	struct dns_reading *r = *context;
	u64 index = i % DNS_ALIASES;

	barrier_var(index);
	if (i - r->hop_at >= DNS_ALIASES || index >= DNS_ALIASES)
		return 1;
	if (index >= r->alias_count || !r->alias[index].owner ||
	    r->alias[index].owner != r->canonical)
		return 0;
	r->alias[index].owner = 0;
	r->canonical = r->alias[index].target;
	if (r->alias[index].ttl < r->ttl)
		r->ttl = r->alias[index].ttl;
	r->hop_at = i;
	return 0;
}

/*
 * Reads a response: question, and records of the answer section as far as they
 * are whole (a truncated one says less, but nothing wrong). -1 if it is no
 * response to a question that dns_read_question() takes.
 */
KERNEL_GLOBAL int dns_read_answer(const struct dns_message *m, struct dns_reading *r)
{
	struct dns_context context = { .m = m, .r = r };
	struct dns_reading *reading = r;

	if (!m || !r)
		return -1;
	if (dns_read_question(m, r) || !(r->flags & DNS_FLAG_RESPONSE))
		return -1;
	r->malformed = 0;
	r->address_count = 0;
	r->alias_count = 0;
	r->canonical = r->name_hash;
	r->ttl = ~0U;
	r->hop_at = 0;
	bpf_loop(DNS_RECORDS, dns_record_step, &context, 0);
	bpf_loop(DNS_ALIASES * DNS_ALIASES, dns_chain_step, &reading, 0);
	return 0;
}

/* Is this address one of the name that was asked for? *ttl: the least on the way to it. */
KERNEL_INLINE int dns_address_use(const struct dns_reading *r, const struct dns_address *address,
				  u32 *ttl)
{
	*ttl = address->ttl < r->ttl ? address->ttl : r->ttl;
	return address->owner == r->canonical && !(r->flags & DNS_RCODE);
}

#endif
