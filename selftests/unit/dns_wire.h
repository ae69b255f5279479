/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes DNS messages according to RFC 1035, to judge kernel/dns by; it shares no
 * code with it. Names are text with dots; wire_label() writes what text cannot
 * express. With a dictionary, names are compressed at random.
 */
#ifndef KLOAK_SELFTESTS_DNS_WIRE_H
#define KLOAK_SELFTESTS_DNS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "selftests/unit/reference.h"

#define WIRE_MAX	70000
#define WIRE_HEADER	12
#define WIRE_DICTIONARY 256

enum {
	WIRE_A = 1,
	WIRE_NS = 2,
	WIRE_CNAME = 5,
	WIRE_TXT = 16,
	WIRE_AAAA = 28,
	WIRE_ANY = 255,
	WIRE_IN = 1,
	WIRE_QUERY = 0x0100,	/* recursion desired */
	WIRE_RESPONSE = 0x8180, /* ... and available */
};

struct wire {
	size_t size;
	uint8_t byte[WIRE_MAX];
	uint64_t random; /* 0: names are not compressed */
	unsigned int known;
	struct {
		char name[256];
		size_t at;
	} dictionary[WIRE_DICTIONARY];
};

static inline void wire_put(struct wire *w, const void *bytes, size_t size)
{
	if (size > sizeof(w->byte) - w->size)
		abort();
	memcpy(w->byte + w->size, bytes, size);
	w->size += size;
}

static inline void wire_u8(struct wire *w, unsigned int value)
{
	uint8_t byte = (uint8_t)value;

	wire_put(w, &byte, 1);
}

static inline void wire_u16(struct wire *w, unsigned int value)
{
	wire_u8(w, value >> 8);
	wire_u8(w, value);
}

static inline void wire_u32(struct wire *w, uint32_t value)
{
	wire_u16(w, value >> 16);
	wire_u16(w, value & 0xffff);
}

static inline void wire_set_u16(struct wire *w, size_t at, size_t value)
{
	w->byte[at] = (uint8_t)(value >> 8);
	w->byte[at + 1] = (uint8_t)value;
}

static inline unsigned int wire_get_u16(const struct wire *w, size_t at)
{
	return (unsigned int)w->byte[at] << 8 | w->byte[at + 1];
}

/* ---- names ---- */

static inline void wire_label(struct wire *w, const void *bytes, size_t size)
{
	wire_u8(w, (unsigned int)size);
	wire_put(w, bytes, size);
}

static inline void wire_pointer(struct wire *w, size_t target)
{
	wire_u16(w, 0xc000 | (unsigned int)target);
}

/* Where the name was written before, or 0; chance may say 0 too. Notes it else. */
static inline size_t wire_known(struct wire *w, const char *name)
{
	if (!w->random)
		return 0;
	for (unsigned int i = 0; i < w->known; i++)
		if (strcmp(w->dictionary[i].name, name) == 0 && random_below(&w->random, 3))
			return w->dictionary[i].at;
	if (w->known < WIRE_DICTIONARY && w->size < 0x4000) {
		strncpy(w->dictionary[w->known].name, name, 255);
		w->dictionary[w->known++].at = w->size;
	}
	return 0;
}

/* "" is the root. */
static inline void wire_name(struct wire *w, const char *name)
{
	while (*name) {
		size_t size = strcspn(name, "."), known = wire_known(w, name);

		if (known) {
			wire_pointer(w, known);
			return;
		}
		wire_label(w, name, size);
		name += size + (name[size] == '.');
	}
	wire_u8(w, 0);
}

/* ---- messages ---- */

static inline void wire_begin(struct wire *w, unsigned int id, unsigned int flags)
{
	w->size = 0;
	w->known = 0;
	wire_u16(w, id);
	wire_u16(w, flags);
	for (unsigned int i = 0; i < 4; i++) /* counts */
		wire_u16(w, 0);
}

/* One more in the section: 0 questions, 1 answers, 2 authority, 3 additional. */
static inline void wire_count(struct wire *w, unsigned int section)
{
	size_t at = 4 + 2 * section;

	wire_set_u16(w, at, wire_get_u16(w, at) + 1);
}

static inline void wire_question(struct wire *w, const char *name, unsigned int type)
{
	wire_count(w, 0);
	wire_name(w, name);
	wire_u16(w, type);
	wire_u16(w, WIRE_IN);
}

/* The part after the owner, up to the data. */
static inline void wire_head(struct wire *w, unsigned int type, unsigned int class, uint32_t ttl,
			     size_t size)
{
	wire_u16(w, type);
	wire_u16(w, class);
	wire_u32(w, ttl);
	wire_u16(w, (unsigned int)size);
}

/* Whose record it is; NULL: the name in the question, by a pointer to it. */
static inline void wire_owner(struct wire *w, const char *owner)
{
	if (owner)
		wire_name(w, owner);
	else
		wire_pointer(w, WIRE_HEADER);
}

/* A record of the answer section. */
static inline void wire_record(struct wire *w, const char *owner, unsigned int type, uint32_t ttl,
			       const void *data, size_t size)
{
	wire_count(w, 1);
	wire_owner(w, owner);
	wire_head(w, type, WIRE_IN, ttl, size);
	wire_put(w, data, size);
}

/* The @number-th address of the type, 4 or 16 bytes. */
static inline size_t wire_address(unsigned int type, uint32_t number, uint8_t *out)
{
	const uint8_t v4[4] = { 192, (uint8_t)(number >> 16), (uint8_t)(number >> 8),
				(uint8_t)number };
	const uint8_t v6[16] = { 0x20,
				 1,
				 0xd,
				 0xb8,
				 [8] = 7,
				 [13] = (uint8_t)(number >> 16),
				 (uint8_t)(number >> 8),
				 (uint8_t)number };

	memcpy(out, type == WIRE_A ? v4 : v6, type == WIRE_A ? 4 : 16);
	return type == WIRE_A ? 4 : 16;
}

/* The same as a key of the kernel's maps. */
static inline void wire_mapped(unsigned int type, uint32_t number, uint8_t *out)
{
	memset(out, 0, 16);
	if (type != WIRE_A) {
		wire_address(type, number, out);
		return;
	}
	out[10] = 0xff;
	out[11] = 0xff;
	wire_address(type, number, out + 12);
}

static inline void wire_has(struct wire *w, const char *owner, unsigned int type, uint32_t ttl,
			    uint32_t number)
{
	uint8_t address[16];
	size_t size = wire_address(type, number, address);

	wire_record(w, owner, type, ttl, address, size);
}

static inline void wire_alias(struct wire *w, const char *owner, uint32_t ttl, const char *target)
{
	size_t start;

	wire_count(w, 1);
	wire_owner(w, owner);
	wire_head(w, WIRE_CNAME, WIRE_IN, ttl, 0);
	start = w->size;
	wire_name(w, target);
	wire_set_u16(w, start - 2, w->size - start);
}

#endif
