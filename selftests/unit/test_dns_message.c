// SPDX-License-Identifier: GPL-2.0-only
/*
 * DNS messages: what kernel/dns/message.h makes of real ones, of odd ones and
 * of lies. Every message is followed by bytes that would change the result if they
 * were read, and the memory for the result still holds that of an earlier message.
 */
#include "selftests/unit/dns_wire.h"
#include "selftests/unit/suite.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include "kernel/dns/message.h"
#pragma GCC diagnostic pop

#include <check.h>
#include <ctype.h>
#include <stdio.h>

#define QNAME WIRE_HEADER

static struct wire wire, other;
static struct dns_message message;
static struct dns_reading reading;

/* ---- reading ---- */

/* The first @size bytes of @w are the message; the rest follows it. */
static void load(const struct wire *w, size_t size)
{
	size_t all = w->size < sizeof(message.byte) ? w->size : sizeof(message.byte);

	memset(&message, 0xc0, sizeof(message));
	memset(&reading, 0xa5, sizeof(reading));
	reading.seed = 42;
	memcpy(message.byte, w->byte, all);
	message.size = (u32)size;
}

static int question(const struct wire *w)
{
	load(w, w->size);
	return dns_read_question(&message, &reading);
}

static int answer_cut(const struct wire *w, size_t size)
{
	load(w, size);
	return dns_read_answer(&message, &reading);
}

static int answer(const struct wire *w)
{
	return answer_cut(w, w->size);
}

/* How many addresses count. */
static unsigned int used(void)
{
	unsigned int count = 0;
	u32 ttl;

	for (u32 i = 0; i < reading.address_count; i++)
		count += dns_address_use(&reading, &reading.address[i], &ttl) != 0;
	return count;
}

/* The TTL of an address that counts; -1: it does not. */
static long ttl_of(unsigned int type, uint32_t number)
{
	uint8_t address[16];
	u32 ttl;

	wire_mapped(type, number, address);
	for (u32 i = 0; i < reading.address_count; i++)
		if (memcmp(reading.address[i].address, address, 16) == 0 &&
		    dns_address_use(&reading, &reading.address[i], &ttl))
			return ttl;
	return -1;
}

/* A response with a question and no records yet. */
static void begin(unsigned int type)
{
	wire_begin(&wire, 7, WIRE_RESPONSE);
	wire_question(&wire, "www.example.com", type);
}

static void setup(void)
{
	memset(&wire, 0, sizeof(wire));
	memset(&other, 0, sizeof(other));
}

/* ---- checked access ---- */

/* Where the message ends, for every way to read it. */
START_TEST(checked_access)
{
	for (u32 size = 0; size <= DNS_MESSAGE_MAX; size += size < 20 ? 1 : 4076 / 4) {
		memset(&message, 0xff, sizeof(message));
		message.size = size;
		for (u64 at = size > 10 ? size - 10 : 0; at < size + 20ULL; at++) {
			u32 failed = 0;

			ck_assert_int_eq(dns_u8(&message, at), at < size ? 0xff : -1);
			ck_assert_int_eq(dns_u16(&message, at), at + 2 <= size ? 0xffff : -1);
			ck_assert_uint_eq(dns_u32(&message, at, &failed), at + 4 <= size ? ~0U : 0);
			ck_assert_uint_eq(failed, at + 4 > size);
			for (u64 bytes = 1; bytes <= 8; bytes++)
				ck_assert_uint_eq(dns_word(&message, at, bytes),
						  at + bytes <= size ? ~0ULL >> (64 - 8 * bytes)
								     : 0);
		}
	}
}
END_TEST

/* ---- folding and hashes ---- */

START_TEST(fold)
{
	static const u64 around[] = { 0,
				      ~0ULL,
				      0x4040404040404040,
				      0x5b5b5b5b5b5b5b5b,
				      0x7f7f7f7f7f7f7f7f,
				      0x8080808080808080 };

	for (unsigned int c = 0; c < 256; c++) {
		for (unsigned int shift = 0; shift < 64; shift += 8) {
			for (size_t i = 0; i < ARRAY_SIZE(around); i++) {
				u64 rest = around[i] & ~(0xffULL << shift);
				u64 low = c < 128 ? (u64)tolower((int)c) : c;

				ck_assert_uint_eq(dns_fold(rest | (u64)c << shift),
						  rest | low << shift);
			}
		}
	}
}
END_TEST

/* The hash of a name that begins after the header, and its bytes as they are compared. */
static u64 hash_of(const struct wire *w)
{
	load(w, w->size);
	ck_assert_int_eq(dns_read_name(&message, &reading, QNAME), 0);
	ck_assert_uint_eq(reading.cursor.after, w->size);
	return reading.cursor.hash;
}

static bool same_name(const struct wire *a, const struct wire *b)
{
	if (a->size != b->size)
		return false;
	for (size_t i = QNAME; i < a->size; i++)
		if (tolower(a->byte[i]) != tolower(b->byte[i]))
			return false;
	return true;
}

static void random_name(struct wire *w, uint64_t *random)
{
	static const char letter[] = "aAbB\0.";
	unsigned int labels = random_below(random, 4);

	wire_begin(w, 0, 0);
	for (unsigned int i = 0; i < labels; i++) {
		uint8_t label[12];
		unsigned int size = 1 + random_below(random, random_below(random, 2) ? 2 : 12);

		for (unsigned int k = 0; k < size; k++)
			label[k] = (uint8_t)letter[random_below(random, sizeof(letter) - 1)];
		wire_label(w, label, size);
	}
	wire_u8(w, 0);
}

START_TEST(hashes)
{
	uint64_t random = 1;
	unsigned int same = 0;

	for (unsigned int i = 0; i < 200000; i++) {
		random_name(&wire, &random);
		random_name(&other, &random);
		same += same_name(&wire, &other);
		ck_assert_int_eq(hash_of(&wire) == hash_of(&other), same_name(&wire, &other));
	}
	ck_assert_uint_gt(same, 1000);
}
END_TEST

/* Names whose bytes are alike, where only the ends of labels differ, or zeros. */
START_TEST(hashes_of_boundaries)
{
	static const struct {
		const char *label;
		size_t size;
	} name[][4] = {
		{ { "ab", 2 }, { "c", 1 } },
		{ { "a", 1 }, { "bc", 2 } },
		{ { "abc", 3 } },
		{ { "a", 1 }, { "b", 1 }, { "c", 1 } },
		{ { "a.b", 3 }, { "c", 1 } },
		{ { "a.b.c", 5 } },
		{ { "abc\0", 4 } },
		{ { "abc\0\0", 5 } },
		{ { "\0abc", 4 } },
		{ { "\0", 1 } },
		{ { "\0\0", 2 } },
		{ { NULL, 0 } },
		{ { "abcdefgh", 8 } },
		{ { "abcdefg", 7 }, { "h", 1 } },
		{ { "a", 1 }, { "bcdefgh", 7 } },
		{ { "abcdefghi", 9 } },
		{ { "abcdefgh", 8 }, { "i", 1 } },
		{ { "ihgfedcba", 9 } },
		{ { "c", 1 }, { "ab", 2 } },
		{ { "abcdefghabcdefgh", 16 } },
		{ { "abcdefgh\0", 9 } },
		{ { "\1b", 2 }, { "c", 1 } },
		{ { "a\1b", 3 }, { "c", 1 } },
		{ { "a\1b\1c", 5 } },
		{ { "abcdefgh", 8 }, { "abcdefgh", 8 } },
	};
	u64 hash[ARRAY_SIZE(name)];

	for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
		wire_begin(&wire, 0, 0);
		for (size_t k = 0; k < 4 && name[i][k].label; k++)
			wire_label(&wire, name[i][k].label, name[i][k].size);
		wire_u8(&wire, 0);
		hash[i] = hash_of(&wire);
		for (size_t k = 0; k < i; k++)
			ck_assert_msg(hash[k] != hash[i], "names %zu and %zu", k, i);
	}
}
END_TEST

START_TEST(hash_is_seeded)
{
	u64 hash;

	begin(WIRE_A);
	ck_assert_int_eq(question(&wire), 0);
	hash = reading.name_hash;
	reading.seed = 43;
	ck_assert_int_eq(dns_read_question(&message, &reading), 0);
	ck_assert_uint_ne(reading.name_hash, hash);
}
END_TEST

/* ---- the question ---- */

static void require_text(const char *text)
{
	ck_assert_str_eq((const char *)reading.name, text);
	ck_assert_uint_eq(reading.name_size, strlen(text));
	for (size_t i = strlen(text); i < NAME_SIZE; i++)
		ck_assert_uint_eq(reading.name[i], 0);
}

START_TEST(question_names)
{
	static const struct {
		const char *sent, *text;
	} row[] = {
		{ "api.example.com", "api.example.com" },
		{ "aPi.EXAMPLE.cOm", "api.example.com" },
		{ "localhost", "localhost" },
		{ "_dmarc.a-b.x9", "_dmarc.a-b.x9" },
		{ "1.2.3.4", "1.2.3.4" },
		{ "a", "a" },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example" },
		{ "", NULL },
		{ "*.example.com", NULL },
		{ "a b.example", NULL },
		{ "a@b.example", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		wire_begin(&wire, 0xbeef, WIRE_QUERY);
		wire_question(&wire, row[i].sent, i % 2 ? WIRE_A : WIRE_AAAA);
		ck_assert_msg(question(&wire) == (row[i].text ? 0 : -1), "%s", row[i].sent);
		if (!row[i].text)
			continue;
		require_text(row[i].text);
		ck_assert_uint_eq(reading.id, 0xbeef);
		ck_assert_uint_eq(reading.flags, WIRE_QUERY);
		ck_assert_uint_eq(reading.type, i % 2 ? WIRE_A : WIRE_AAAA);
	}
}
END_TEST

START_TEST(question_bytes)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_";

	for (unsigned int c = 0; c < 256; c++) {
		for (size_t at = 0; at < 3; at++) {
			uint8_t label[] = "xyz";

			label[at] = (uint8_t)c;
			wire_begin(&wire, 1, WIRE_QUERY);
			wire_count(&wire, 0);
			wire_label(&wire, label, 3);
			wire_name(&wire, "example");
			wire_u16(&wire, WIRE_A);
			wire_u16(&wire, WIRE_IN);
			ck_assert_msg(question(&wire) == (c && strchr(allowed, (int)c) ? 0 : -1),
				      "byte %u at %zu", c, at);
		}
	}
}
END_TEST

/* Text of @size bytes in labels of up to @label bytes. */
static const char *long_name(size_t size, size_t label)
{
	static char text[400];

	for (size_t i = 0; i < size; i++)
		text[i] = i % (label + 1) == label ? '.' : 'a';
	text[size] = 0;
	return text;
}

START_TEST(question_sizes)
{
	static const size_t label[] = { 1, 2, 7, 8, 9, 62, 63 };

	for (size_t i = 0; i < ARRAY_SIZE(label); i++) {
		for (size_t size = 1; size < 300; size++) {
			const char *text = long_name(size, label[i]);

			if (size % (label[i] + 1) == 0) /* no dot at the end */
				continue;
			wire_begin(&wire, 1, WIRE_QUERY);
			wire_question(&wire, text, WIRE_A);
			ck_assert_msg(question(&wire) == (size <= 253 ? 0 : -1),
				      "%zu bytes in labels of %zu", size, label[i]);
			if (size <= 253)
				require_text(text);
		}
	}
	for (unsigned int size = 64; size < 256; size++) { /* other types of label */
		static const char zeros[256];

		wire_begin(&wire, 1, WIRE_QUERY);
		wire_count(&wire, 0);
		wire_label(&wire, zeros, size);
		memset(wire.byte + QNAME + 1, 'a', size);
		wire_name(&wire, "example");
		wire_u16(&wire, WIRE_A);
		wire_u16(&wire, WIRE_IN);
		ck_assert_int_eq(question(&wire), -1);
	}
}
END_TEST

START_TEST(question_forms)
{
	for (unsigned int count = 0; count < 4; count++) {
		wire_begin(&wire, 1, WIRE_QUERY);
		for (unsigned int i = 0; i < count; i++)
			wire_question(&wire, "a.example", WIRE_A);
		ck_assert_int_eq(question(&wire), count == 1 ? 0 : -1);
	}
	for (unsigned int opcode = 0; opcode < 16; opcode++) {
		wire_begin(&wire, 1, opcode << 11);
		wire_question(&wire, "a.example", WIRE_A);
		ck_assert_int_eq(question(&wire), opcode ? -1 : 0);
	}
	for (unsigned int value = 0; value < 65536; value++) {
		begin(value);
		ck_assert_int_eq(question(&wire), value == WIRE_A || value == WIRE_AAAA ? 0 : -1);
		begin(WIRE_A);
		wire_set_u16(&wire, wire.size - 2, value);
		ck_assert_int_eq(question(&wire), value == WIRE_IN ? 0 : -1);
	}
}
END_TEST

/* Nobody asks for a compressed name; where one could point to, there is only the header. */
START_TEST(question_compressed)
{
	for (size_t target = 0; target < 40; target++) {
		wire_begin(&wire, 1, WIRE_QUERY);
		wire_count(&wire, 0);
		wire_pointer(&wire, target);
		wire_u16(&wire, WIRE_A);
		wire_u16(&wire, WIRE_IN);
		wire_name(&wire, "a.example");
		ck_assert_int_eq(question(&wire), -1);
		wire_begin(&wire, 1, WIRE_QUERY);
		wire_count(&wire, 0);
		wire_label(&wire, "abc", 3);
		wire_pointer(&wire, target);
		wire_u16(&wire, WIRE_A);
		wire_u16(&wire, WIRE_IN);
		wire_name(&wire, "a.example");
		ck_assert_int_eq(question(&wire), -1);
	}
}
END_TEST

START_TEST(question_truncated)
{
	begin(WIRE_A);
	for (size_t size = 0; size < wire.size; size++) {
		load(&wire, size);
		ck_assert_int_eq(dns_read_question(&message, &reading), -1);
		load(&wire, size);
		ck_assert_int_eq(dns_read_answer(&message, &reading), -1);
	}
	load(&wire, DNS_MESSAGE_MAX + 1);
	ck_assert_int_eq(dns_read_question(&message, &reading), -1);
}
END_TEST

/* ---- answers ---- */

/* Of dnsmasq 2.90; addresses are 192.0.2.0/24 and 2001:db8::1. */
static const struct {
	const char *hex, *name;
	unsigned int type, addresses;
	long ttl;
} real[] = {
	{ "123485800001000100000000036f6e65076578616d706c6503636f6d0000010001c00c00010001"
	  "0000012c0004c0000201",
	  "one.example.com", WIRE_A, 1, 300 },
	{ "123485800001000100000001036f6e65076578616d706c6503636f6d00001c0001c00c001c0001"
	  "0000012c001020010db800000000000000000000000100002904d0000000000000",
	  "one.example.com", WIRE_AAAA, 1, 300 },
	{ "12348580000100040000000103775777076558616d706c6503636f6d0000010001c00c00050001"
	  "0000004d0011036d6964076578616d706c6503636f6d00c02d000500010000003700160465646765"
	  "036f6e65076578616d706c6503636f6d00c04a000500010000012c0011036f6e65076578616d706c"
	  "6503636f6d00c06c000100010000012c0004c000020100002904d0000000000000",
	  "www.example.com", WIRE_A, 1, 55 },
	{ "123485800001000600000000046d616e79076578616d706c6503636f6d0000010001c00c000100"
	  "010000012c0004c0000203c00c000100010000012c0004c0000205c00c000100010000012c0004c0"
	  "000202c00c000100010000012c0004c0000206c00c000100010000012c0004c0000204c00c000100"
	  "010000012c0004c0000207",
	  "many.example.com", WIRE_A, 6, 300 },
	{ "123481830001000000000000046e6f6e65076578616d706c6503636f6d0000010001",
	  "none.example.com", WIRE_A, 0, -1 },
	{ "12348580000100040000000003777777076578616d706c6503636f6d00001c0001c00c00050001"
	  "0000004d0011036d6964076578616d706c6503636f6d00c02d000500010000003700160465646765"
	  "036f6e65076578616d706c6503636f6d00c04a000500010000012c0011036f6e65076578616d706c"
	  "6503636f6d00c06c001c00010000012c001020010db8000000000000000000000001",
	  "www.example.com", WIRE_AAAA, 1, 55 },
};

START_TEST(real_answers)
{
	for (size_t i = 0; i < ARRAY_SIZE(real); i++) {
		u32 ttl;

		wire.size = unhex(real[i].hex, wire.byte);
		ck_assert_int_eq(answer(&wire), 0);
		require_text(real[i].name);
		ck_assert_uint_eq(reading.id, 0x1234);
		ck_assert_uint_eq(reading.type, real[i].type);
		ck_assert_uint_eq(reading.malformed, 0);
		ck_assert_uint_eq(used(), real[i].addresses);
		if (!real[i].addresses)
			continue;
		ck_assert_int_ne(dns_address_use(&reading, &reading.address[0], &ttl), 0);
		ck_assert_int_eq(ttl, real[i].ttl);
		ck_assert_mem_eq(reading.address[0].address + (real[i].type == WIRE_A ? 12 : 0),
				 real[i].type == WIRE_A ? "\300\0\2" : "\40\1\15\270", 3);
	}
}
END_TEST

/* Never more than the whole says; and no byte after the end has any influence. */
static void truncate_everywhere(void)
{
	static struct dns_reading whole, cut;
	unsigned int all;

	answer(&wire);
	whole = reading;
	all = used();
	for (size_t size = 0; size < wire.size; size++) {
		int ret = answer_cut(&wire, size);

		cut = reading;
		if (!ret) {
			ck_assert_uint_le(used(), all);
			ck_assert_uint_le(cut.address_count, whole.address_count);
			ck_assert_mem_eq(cut.address, whole.address,
					 cut.address_count * sizeof(cut.address[0]));
			for (u32 i = 0; used() && i < cut.address_count; i++)
				ck_assert_uint_eq(cut.address[i].owner == cut.canonical,
						  cut.address[i].owner == whole.canonical);
		}
		other = wire;
		memset(other.byte + size, 0x5a, wire.size - size);
		ck_assert_int_eq(answer_cut(&other, size), ret);
		if (!ret)
			ck_assert_mem_eq(&reading, &cut, sizeof(cut));
	}
}

START_TEST(real_answers_truncated)
{
	for (size_t i = 0; i < ARRAY_SIZE(real); i++) {
		wire.size = unhex(real[i].hex, wire.byte);
		truncate_everywhere();
	}
}
END_TEST

/* The address has the end of the chain as its owner: it needs the whole chain. */
START_TEST(address_first_truncated)
{
	begin(WIRE_A);
	wire_has(&wire, "c.example.com", WIRE_A, 100, 1);
	wire_alias(&wire, "b.example.com", 100, "c.example.com");
	wire_alias(&wire, "www.example.com", 100, "b.example.com");
	truncate_everywhere();
	ck_assert_int_eq(answer(&wire), 0);
	ck_assert_uint_eq(used(), 1);
	for (size_t size = 0; size < wire.size; size++)
		ck_assert(answer_cut(&wire, size) || !used());
}
END_TEST

START_TEST(not_an_answer)
{
	begin(WIRE_A);
	wire_has(&wire, "www.example.com", WIRE_A, 100, 1);
	for (unsigned int flags = 0; flags < 65536; flags++) {
		bool good = flags & 0x8000 && !(flags & 0x7800);

		wire_set_u16(&wire, 2, flags);
		ck_assert_int_eq(answer(&wire), good ? 0 : -1);
		if (good) /* the rest of the flags but the response code says nothing */
			ck_assert_uint_eq(used(), !(flags & 15));
	}
}
END_TEST

START_TEST(types_and_classes)
{
	static const uint8_t zeros[16];

	for (unsigned int asked = WIRE_A; asked <= WIRE_AAAA; asked += WIRE_AAAA - WIRE_A) {
		begin(asked);
		wire_has(&wire, "www.example.com", WIRE_A, 100, 1);
		wire_has(&wire, "www.example.com", WIRE_AAAA, 100, 2);
		wire_record(&wire, "www.example.com", asked, 100, zeros, asked == WIRE_A ? 16 : 4);
		wire_record(&wire, "www.example.com", asked, 100, zeros, 0);
		wire_record(&wire, "www.example.com", WIRE_TXT, 100, zeros, 4);
		ck_assert_int_eq(answer(&wire), 0);
		ck_assert_uint_eq(reading.malformed, 0);
		ck_assert_uint_eq(used(), 1);
		ck_assert_int_eq(ttl_of(asked, asked == WIRE_A ? 1 : 2), 100);
	}
	for (unsigned int value = 0; value < 65536; value++) {
		begin(WIRE_A);
		wire_has(&wire, "www.example.com", WIRE_A, 100, 1);
		wire_set_u16(&wire, wire.size - 12, value); /* class */
		answer(&wire);
		ck_assert_uint_eq(used(), value == WIRE_IN);
		begin(WIRE_A);
		wire_has(&wire, "www.example.com", WIRE_A, 100, 1);
		wire_set_u16(&wire, wire.size - 14, value); /* type */
		answer(&wire);
		ck_assert_uint_eq(used(), value == WIRE_A);
	}
	begin(WIRE_A); /* an alias of another class */
	wire_alias(&wire, "www.example.com", 100, "b.example.com");
	wire_set_u16(&wire, wire.size - 23, 3);
	wire_has(&wire, "b.example.com", WIRE_A, 100, 1);
	ck_assert_int_eq(answer(&wire), 0);
	ck_assert_uint_eq(used(), 0);
}
END_TEST

START_TEST(unrelated_owners)
{
	begin(WIRE_A);
	wire_has(&wire, "evil.example.org", WIRE_A, 100, 1);
	wire_has(&wire, "www.example.co", WIRE_A, 100, 2);
	wire_has(&wire, "example.com", WIRE_A, 100, 3);
	wire_has(&wire, "a.www.example.com", WIRE_A, 100, 4);
	wire_has(&wire, "", WIRE_A, 100, 5);
	wire_alias(&wire, "b.example.org", 5, "www.example.com");
	wire_alias(&wire, "c.example.org", 5, "d.example.org");
	wire_has(&wire, "d.example.org", WIRE_A, 100, 6);
	ck_assert_int_eq(answer(&wire), 0);
	ck_assert_uint_eq(reading.address_count, 6);
	ck_assert_uint_eq(used(), 0);
	wire_has(&wire, "WWW.example.COM", WIRE_A, 100, 7);
	ck_assert_int_eq(answer(&wire), 0);
	ck_assert_uint_eq(used(), 1);
	ck_assert_int_eq(ttl_of(WIRE_A, 7), 100);
}
END_TEST

/* An address of a name on the way does not count: only the chain's end has addresses. */
START_TEST(addresses_on_the_way)
{
	begin(WIRE_A);
	wire_alias(&wire, "www.example.com", 100, "b.example.com");
	wire_has(&wire, "www.example.com", WIRE_A, 100, 1);
	wire_has(&wire, "b.example.com", WIRE_A, 100, 2);
	ck_assert_int_eq(answer(&wire), 0);
	ck_assert_uint_eq(used(), 1);
	ck_assert_int_eq(ttl_of(WIRE_A, 2), 100);
}
END_TEST

static const char *numbered(unsigned int number)
{
	static char name[4][32];
	static unsigned int turn;
	char *text = name[turn++ % 4];

	if (!number)
		return "www.example.com";
	snprintf(text, sizeof(name[0]), "n%u.example.com", number);
	return text;
}

enum order { FORWARD, BACKWARD, SHUFFLED };

/* @count aliases from www.example.com to nCOUNT.example.com in the given order. */
static void chain(unsigned int count, enum order order)
{
	begin(WIRE_A);
	for (unsigned int i = 0; i < count; i++) {
		unsigned int at = i;

		if (order == BACKWARD)
			at = count - 1 - i;
		if (order == SHUFFLED)
			at = count % 7 ? i * 7 % count : i * 5 % count;
		wire_alias(&wire, numbered(at), 1000 - at, numbered(at + 1));
	}
	wire_has(&wire, numbered(count), WIRE_A, 5000, 1);
}

START_TEST(chains)
{
	for (enum order order = FORWARD; order <= SHUFFLED; order++) {
		for (unsigned int count = 0; count <= 2 * DNS_ALIASES; count++) {
			chain(count, order);
			ck_assert_int_eq(answer(&wire), 0);
			ck_assert_msg(used() == (count <= DNS_ALIASES), "%u aliases, order %u",
				      count, order);
			if (count <= DNS_ALIASES)
				ck_assert_int_eq(ttl_of(WIRE_A, 1),
						 count ? 1000 - (long)count + 1 : 5000);
		}
	}
}
END_TEST

START_TEST(alias_loops)
{
	for (unsigned int size = 1; size <= DNS_ALIASES; size++) {
		begin(WIRE_A);
		for (unsigned int i = 0; i < size; i++)
			wire_alias(&wire, numbered(i), 100, numbered((i + 1) % size));
		wire_has(&wire, "evil.example.org", WIRE_A, 100, 9);
		ck_assert_int_eq(answer(&wire), 0);
		ck_assert_uint_eq(used(), 0);
	}
	/* A loop that does not go through the question. */
	begin(WIRE_A);
	wire_alias(&wire, numbered(0), 100, numbered(1));
	wire_alias(&wire, numbered(1), 100, numbered(2));
	wire_alias(&wire, numbered(2), 100, numbered(1));
	wire_has(&wire, numbered(0), WIRE_A, 100, 1);
	wire_has(&wire, numbered(2), WIRE_A, 100, 2);
	ck_assert_int_eq(answer(&wire), 0);
	ck_assert_int_eq(ttl_of(WIRE_A, 1), -1);
	ck_assert_int_eq(ttl_of(WIRE_A, 2), -1);
}
END_TEST

START_TEST(least_ttl)
{
	static const uint32_t ttl[] = { 0, 1, 299, 300, 0x7fffffff, 0x80000000, 0xffffffff };

	for (size_t i = 0; i < ARRAY_SIZE(ttl); i++) {
		for (unsigned int place = 0; place < 3; place++) {
			long effective = ttl[i] >> 31 ? 0 : ttl[i];

			begin(WIRE_A);
			wire_alias(&wire, numbered(0), place == 0 ? ttl[i] : 300, numbered(1));
			wire_alias(&wire, numbered(1), place == 1 ? ttl[i] : 300, numbered(2));
			wire_has(&wire, numbered(2), WIRE_A, place == 2 ? ttl[i] : 300, 1);
			wire_has(&wire, numbered(2), WIRE_A, 10, 2);
			wire_alias(&wire, numbered(7), 0, numbered(8)); /* has no part in it */
			ck_assert_int_eq(answer(&wire), 0);
			ck_assert_int_eq(ttl_of(WIRE_A, 1), effective < 300 ? effective : 300);
			ck_assert_int_eq(ttl_of(WIRE_A, 2),
					 place < 2 && effective < 10 ? effective : 10);
		}
	}
}
END_TEST

START_TEST(many_addresses)
{
	for (unsigned int count = 60; count < 70; count++) {
		begin(WIRE_AAAA);
		for (unsigned int i = 0; i < count; i++)
			wire_has(&wire, "www.example.com", WIRE_AAAA, 100, i);
		ck_assert_int_eq(answer(&wire), 0);
		ck_assert_uint_eq(used(), count < DNS_ADDRESSES ? count : DNS_ADDRESSES);
		for (unsigned int i = 0; i < count; i++)
			ck_assert_int_eq(ttl_of(WIRE_AAAA, i), i < DNS_ADDRESSES ? 100 : -1);
	}
}
END_TEST

START_TEST(many_records)
{
	for (unsigned int before = 0; before < 120; before++) {
		begin(WIRE_A);
		for (unsigned int i = 0; i < before; i++)
			wire_record(&wire, "x", WIRE_TXT, 100, "\3abc", 4);
		wire_has(&wire, "www.example.com", WIRE_A, 100, 1);
		ck_assert_int_eq(answer(&wire), 0);
		ck_assert_uint_eq(used(), before < 96);
	}
}
END_TEST

/* The other sections are not the answer. */
START_TEST(other_sections)
{
	for (unsigned int section = 2; section < 4; section++) {
		begin(WIRE_A);
		wire_has(&wire, "www.example.com", WIRE_A, 100, 1);
		wire_has(&wire, "www.example.com", WIRE_A, 100, 2);
		wire_set_u16(&wire, 6, 1);
		wire_set_u16(&wire, 4 + 2 * section, 1);
		ck_assert_int_eq(answer(&wire), 0);
		ck_assert_uint_eq(used(), 1);
		wire_set_u16(&wire, 6, 0);
		ck_assert_int_eq(answer(&wire), 0);
		ck_assert_uint_eq(used(), 0);
	}
}
END_TEST

START_TEST(lying_counts)
{
	for (unsigned int count = 0; count < 65536; count += count < 100 ? 1 : 641) {
		begin(WIRE_A);
		wire_has(&wire, "www.example.com", WIRE_A, 100, 1);
		wire_has(&wire, "www.example.com", WIRE_A, 100, 2);
		wire_set_u16(&wire, 6, count);
		ck_assert_int_eq(answer(&wire), 0);
		ck_assert_uint_eq(used(), count < 2 ? count : 2);
		ck_assert_uint_eq(reading.malformed, count > 2);
	}
}
END_TEST

/* The length of a record's data: too large ends the reading, too small shifts what follows. */
START_TEST(lying_lengths)
{
	for (unsigned int size = 0; size < 65536; size += size < 300 ? 1 : 251) {
		begin(WIRE_A);
		wire_has(&wire, "www.example.com", WIRE_A, 100, 1);
		wire_has(&wire, "www.example.com", WIRE_A, 100, 2);
		wire_set_u16(&wire, wire.size - 6, size);
		ck_assert_int_eq(answer(&wire), 0);
		ck_assert_uint_eq(used(), size == 4 ? 2 : 1);
		ck_assert_uint_eq(reading.malformed, size > 4);
	}
	for (unsigned int size = 0; size < 300; size++) {
		bool right = size == 15;

		begin(WIRE_A);
		wire_alias(&wire, "www.example.com", 100, "b.example.com");
		wire_set_u16(&wire, wire.size - 17, size);
		wire_has(&wire, "b.example.com", WIRE_A, 100, 2);
		ck_assert_int_eq(answer(&wire), 0);
		ck_assert_uint_eq(used(), right);
		ck_assert_uint_eq(reading.malformed, !right);
	}
}
END_TEST

/* What came before a malformed record counts. */
START_TEST(malformed_behind)
{
	begin(WIRE_A);
	wire_has(&wire, "www.example.com", WIRE_A, 100, 1);
	wire_count(&wire, 1);
	wire_u8(&wire, 0x40);
	wire_has(&wire, "www.example.com", WIRE_A, 100, 2);
	ck_assert_int_eq(answer(&wire), 0);
	ck_assert_uint_eq(used(), 1);
	ck_assert_uint_eq(reading.malformed, 1);
}
END_TEST

/* What is neither a label nor a pointer, though as many bytes follow (RFC 1035, 4.1.4). */
START_TEST(other_label_types)
{
	static const uint8_t bytes[256];

	for (unsigned int size = 0; size < 0xc0; size++) {
		begin(WIRE_A);
		wire_count(&wire, 1);
		wire_label(&wire, bytes, size);
		if (size)
			wire_u8(&wire, 0);
		wire_head(&wire, WIRE_TXT, WIRE_IN, 1, 0);
		wire_has(&wire, "www.example.com", WIRE_A, 100, 1);
		ck_assert_int_eq(answer(&wire), 0);
		ck_assert_uint_eq(used(), size < 64);
		ck_assert_uint_eq(reading.malformed, size >= 64);
	}
}
END_TEST

/* ---- compression ---- */

/* A record whose owner is a pointer to @target. */
static void has_at(size_t target, uint32_t number)
{
	uint8_t address[16];

	wire_count(&wire, 1);
	wire_pointer(&wire, target);
	wire_head(&wire, WIRE_A, WIRE_IN, 100, 4);
	wire_put(&wire, address, wire_address(WIRE_A, number, address));
}

START_TEST(pointers)
{
	size_t self;

	begin(WIRE_A);
	self = wire.size;
	for (size_t target = 0; target < 0x4000; target++) {
		begin(WIRE_A);
		has_at(target, 1);
		wire_put(&wire, wire.byte + QNAME, 17); /* the same name, forward */
		ck_assert_int_eq(answer(&wire), 0);
		ck_assert_msg(used() == (target == QNAME), "pointer to %zu", target);
		if (target >= self)
			ck_assert_uint_eq(reading.malformed, 1);
	}
	begin(WIRE_A); /* "example.com" of the question, after a label of its own */
	wire_count(&wire, 1);
	wire_label(&wire, "wWw", 3);
	wire_pointer(&wire, QNAME + 4);
	wire_head(&wire, WIRE_A, WIRE_IN, 100, 4);
	wire_put(&wire, "\1\2\3\4", 4);
	ck_assert_int_eq(answer(&wire), 0);
	ck_assert_uint_eq(used(), 1);
}
END_TEST

/* Where a name runs into the place that it came from by a pointer. */
START_TEST(pointer_loops)
{
	size_t start;

	begin(WIRE_A);
	wire_record(&wire, "", WIRE_TXT, 1, "", 0);
	wire_count(&wire, 1);
	start = wire.size;
	wire_label(&wire, "abc", 3);
	wire_pointer(&wire, start); /* to its own beginning */
	wire_head(&wire, WIRE_A, WIRE_IN, 100, 4);
	wire_put(&wire, "\1\2\3\4", 4);
	ck_assert_int_eq(answer(&wire), 0);
	ck_assert_uint_eq(reading.malformed, 1);

	begin(WIRE_A); /* two that point to each other: one of them points forward */
	wire_count(&wire, 1);
	wire_u8(&wire, 0);
	wire_head(&wire, WIRE_TXT, WIRE_IN, 1, 4);
	start = wire.size;
	wire_pointer(&wire, start + 2);
	wire_pointer(&wire, start);
	has_at(start, 1);
	has_at(start + 2, 1);
	ck_assert_int_eq(answer(&wire), 0);
	ck_assert_uint_eq(reading.malformed, 1);
	ck_assert_uint_eq(used(), 0);
}
END_TEST

/* A pointer leads back; so does the next one, from where the first has led to. */
START_TEST(pointer_back_and_forth)
{
	for (unsigned int forward = 0; forward < 2; forward++) {
		size_t start;

		begin(WIRE_A);
		wire_count(&wire, 1);
		wire_u8(&wire, 0);
		wire_head(&wire, WIRE_TXT, WIRE_IN, 1, 4);
		start = wire.size;
		wire_pointer(&wire, forward ? start + 2 : QNAME);
		wire_pointer(&wire, QNAME);
		has_at(start, 1);
		ck_assert_int_eq(answer(&wire), 0);
		ck_assert_uint_eq(used(), !forward);
		ck_assert_uint_eq(reading.malformed, forward);
	}
}
END_TEST

/* Pointers to pointers: @count of them in the data of a record, each to the one before. */
START_TEST(pointer_chains)
{
	for (unsigned int count = 1; count < 500; count += count < 60 ? 1 : 20) {
		size_t start;

		begin(WIRE_A);
		wire_count(&wire, 1);
		wire_u8(&wire, 0);
		wire_head(&wire, WIRE_TXT, WIRE_IN, 1, 2 * count);
		start = wire.size;
		for (unsigned int i = 0; i < count; i++)
			wire_pointer(&wire, i ? wire.size - 2 : QNAME);
		has_at(start + 2 * (count - 1), 1);
		ck_assert_int_eq(answer(&wire), 0);
		if (count < 60) /* enough for anybody; every real name has one or two */
			ck_assert_uint_eq(used(), 1);
		if (!used())
			ck_assert_uint_eq(reading.malformed, 1);
	}
}
END_TEST

/* A name that is longer than 255 bytes only together with what it points to. */
START_TEST(long_by_pointer)
{
	for (unsigned int labels = 1; labels < 8; labels++) {
		wire_begin(&wire, 7, WIRE_RESPONSE);
		wire_question(&wire, long_name(99, 49), WIRE_A); /* 101 bytes */
		wire_count(&wire, 1);
		for (unsigned int i = 0; i < labels; i++)
			wire_label(&wire, long_name(50, 63), 50);
		wire_pointer(&wire, QNAME);
		wire_head(&wire, WIRE_A, WIRE_IN, 1, 4);
		wire_put(&wire, "\1\2\3\4", 4);
		ck_assert_int_eq(answer(&wire), 0);
		ck_assert_uint_eq(reading.malformed, labels * 51 + 101 > 255);
		ck_assert_uint_eq(used(), 0);
	}
}
END_TEST

/* As many labels as a name can have, each reached by a pointer. */
START_TEST(scattered_name)
{
	size_t at = QNAME + 2 * 126;

	wire_begin(&wire, 7, WIRE_RESPONSE);
	wire_question(&wire, long_name(253, 1), WIRE_A);
	wire_count(&wire, 1);
	wire_u8(&wire, 0);
	wire_head(&wire, WIRE_TXT, WIRE_IN, 1, 4 * 126);
	for (unsigned int i = 0; i < 126; i++) {
		size_t here = wire.size;

		wire_label(&wire, "a", 1);
		wire_pointer(&wire, at);
		at = here;
	}
	has_at(at, 1);
	ck_assert_int_eq(answer(&wire), 0);
	ck_assert_uint_eq(used(), 1);
}
END_TEST

/* ---- against a resolver's view of random answers ---- */

#define NODES 24

struct graph {
	int target[NODES]; /* of the alias, or -1 */
	uint32_t ttl[NODES];
	unsigned int owner[NODES]; /* of address i */
	uint32_t address_ttl[NODES];
	unsigned int addresses;
};

static void draw(struct graph *g, uint64_t *random)
{
	bool alias_written[NODES] = { false };
	unsigned int aliases = random_below(random, DNS_ALIASES + 1);
	bool straight = random_below(random, 2);

	memset(g, 0xff, sizeof(*g)); /* no targets */
	g->addresses = random_below(random, NODES);
	for (unsigned int i = 0; i < aliases; i++) {
		g->target[i] = straight ? (int)i + 1 : (int)random_below(random, NODES);
		g->ttl[i] = random_below(random, 1000);
	}
	for (unsigned int left = aliases; left; left--) {
		unsigned int i = random_below(random, aliases);

		while (alias_written[i])
			i = (i + 1) % aliases;
		alias_written[i] = true;
		wire_alias(&wire, numbered(i), g->ttl[i], numbered((unsigned int)g->target[i]));
		if (!random_below(random, 3))
			wire_record(&wire, numbered(i), WIRE_TXT, 0, "\1x", 2);
	}
	for (unsigned int i = 0; i < g->addresses; i++) {
		g->owner[i] = random_below(random, 2) ? aliases : random_below(random, NODES);
		g->address_ttl[i] = random_below(random, 1000);
		wire_has(&wire, numbered(g->owner[i]), WIRE_A, g->address_ttl[i], i);
	}
}

/* RFC 1034, 3.6.2; an alias that was followed is not followed again. */
static unsigned int follow(struct graph *g, uint32_t *ttl)
{
	unsigned int at = 0;

	*ttl = ~0U;
	while (at < NODES && g->target[at] >= 0) {
		unsigned int next = (unsigned int)g->target[at];

		if (g->ttl[at] < *ttl)
			*ttl = g->ttl[at];
		g->target[at] = -1;
		at = next;
	}
	return at;
}

START_TEST(random_answers)
{
	uint64_t random = 1;
	unsigned int reached = 0;

	for (unsigned int turn = 0; turn < 20000; turn++) {
		struct graph g;
		uint32_t ttl, least;
		unsigned int end;

		wire.random = turn % 4 ? random_next(&random) : 0;
		begin(WIRE_A);
		draw(&g, &random);
		if (wire.size > DNS_MESSAGE_MAX)
			continue;
		ck_assert_int_eq(answer(&wire), 0);
		ck_assert_uint_eq(reading.malformed, 0);
		end = follow(&g, &ttl);
		for (unsigned int i = 0; i < g.addresses; i++) {
			least = g.address_ttl[i] < ttl ? g.address_ttl[i] : ttl;
			ck_assert_msg(ttl_of(WIRE_A, i) == (g.owner[i] == end ? (long)least : -1),
				      "turn %u, address %u", turn, i);
			reached += g.owner[i] == end;
		}
	}
	ck_assert_uint_gt(reached, 20000);
}
END_TEST

/* Damaged copies of real and of random answers: nothing but the sanitizers judges. */
START_TEST(damaged_answers)
{
	uint64_t random = 1;

	for (unsigned int turn = 0; turn < 100000; turn++) {
		if (turn % 8 == 0)
			wire.size = unhex(real[turn / 8 % ARRAY_SIZE(real)].hex, wire.byte);
		for (unsigned int i = random_below(&random, 4); i < 4; i++)
			wire.byte[random_below(&random, (uint32_t)wire.size)] =
				(uint8_t)random_below(&random, 256);
		answer(&wire);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		checked_access,
		fold,
		hashes,
		hashes_of_boundaries,
		hash_is_seeded,
		question_names,
		question_bytes,
		question_sizes,
		question_forms,
		question_compressed,
		question_truncated,
		real_answers,
		real_answers_truncated,
		address_first_truncated,
		not_an_answer,
		types_and_classes,
		unrelated_owners,
		addresses_on_the_way,
		chains,
		alias_loops,
		least_ttl,
		many_addresses,
		many_records,
		other_sections,
		lying_counts,
		lying_lengths,
		malformed_behind,
		other_label_types,
		pointers,
		pointer_loops,
		pointer_back_and_forth,
		pointer_chains,
		long_by_pointer,
		scattered_name,
		random_answers,
		damaged_answers,
	};

	return suite_run("dns_message", tests, ARRAY_SIZE(tests), 60, setup, NULL);
}
