// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DNS object over TCP: streams cut into segments in every way, out of order,
 * repeated, without a beginning, and with messages of every size.
 */
#include "selftests/unit/dns_dialogue.h"
#include "selftests/unit/suite.h"

static uint8_t stream[200000];
static size_t stream_size;

/* @count messages with their lengths: questions, or the answers to them. */
static void make_stream(bool answers, unsigned int count)
{
	stream_size = 0;
	for (unsigned int i = 0; i < count; i++) {
		if (answers)
			make_reply(i, NAME, WIRE_A, i);
		else
			make_query(i, NAME, WIRE_A);
		stream[stream_size++] = (uint8_t)(wire.size >> 8);
		stream[stream_size++] = (uint8_t)wire.size;
		memcpy(stream + stream_size, wire.byte, wire.size);
		stream_size += wire.size;
	}
}

/* A part of the stream that began with the next sequence number. */
static void part(bool out, size_t start, size_t end)
{
	link_segment(&l, out, (out ? l.sent : l.received) + (uint32_t)start, TCP_ACK_FLAG,
		     stream + start, end - start);
}

static void require_all(unsigned int count)
{
	ck_assert_uint_eq(world_counter(COUNTER_QUERIES), count);
	for (unsigned int i = 0; i < count; i++)
		ck_assert_msg(is_verified(NAME, i), "answer %u of %u", i, count);
	ck_assert_uint_eq(rejections.count, 0);
	ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST), 0);
}

/* Two messages each way; those of one side are cut at @a and @b. */
static void cut_twice(unsigned int kind, bool answers, size_t a, size_t b)
{
	begin(kind);
	make_stream(false, 2);
	if (answers)
		part(true, 0, stream_size);
	make_stream(answers, 2);
	part(!answers, 0, a);
	part(!answers, a, b);
	part(!answers, b, stream_size);
	make_stream(true, 2);
	if (!answers)
		part(false, 0, stream_size);
	require_all(2);
}

/* At every pair of places, inside the length in front of a message among them. */
START_TEST(segments)
{
	for (unsigned int side = 0; side < 2; side++) {
		size_t size;

		make_stream(side, 2);
		size = stream_size;
		for (size_t a = 0; a <= size; a++)
			for (size_t b = a; b <= size; b++)
				cut_twice(KIND_TCP + (a + b) % 2, side, a, b);
	}
}
END_TEST

START_TEST(byte_by_byte)
{
	begin(KIND_TCP);
	for (unsigned int side = 0; side < 2; side++) {
		make_stream(side, 5);
		for (size_t i = 0; i < stream_size; i++)
			part(!side, i, i + 1);
	}
	require_all(5);
}
END_TEST

START_TEST(pipelined)
{
	for (unsigned int count = 1; count < 2 * SEGMENT_MESSAGES; count++) {
		bool fits = count <= SEGMENT_MESSAGES;

		begin(KIND_TCP);
		make_stream(false, count);
		part(true, 0, stream_size);
		ck_assert_uint_eq(world_counter(COUNTER_QUERIES), fits ? count : SEGMENT_MESSAGES);
		ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST), !fits);
		l.sent += (uint32_t)stream_size;
		make_stream(true, count);
		part(false, 0, stream_size);
		ck_assert_uint_eq(verified.count, fits ? count : SEGMENT_MESSAGES);
		l.received += (uint32_t)stream_size;
		/* If there were more, it is not known where the next one begins. */
		ck_assert_int_eq(works(), fits);
	}
}
END_TEST

/* Segments that come again, whole, in part, together with new bytes; and keep-alives. */
START_TEST(retransmissions)
{
	uint64_t random = 1;

	for (unsigned int turn = 0; turn < 3000; turn++) {
		begin(KIND_TCP + turn % 2);
		for (unsigned int side = 0; side < 2; side++) {
			size_t known = 0;

			make_stream(side, 6);
			while (known < stream_size) {
				size_t start = random_below(&random, (uint32_t)known + 1);
				size_t end = start + random_below(&random, 150);

				if (random_below(&random, 2))
					start = known > 20 ? known - 20 : 0;
				end = end < start ? start : end;
				end = end > stream_size ? stream_size : end;
				part(!side, start, end);
				known = end > known ? end : known;
			}
			part(!side, 0, 1);
		}
		require_all(6);
	}
}
END_TEST

/* What comes again may say something else; what was taken first is what counts. */
START_TEST(overlap_with_other_bytes)
{
	size_t half;

	begin(KIND_TCP);
	make_stream(false, 1);
	part(true, 0, stream_size);
	make_stream(true, 1);
	half = stream_size - 2;
	part(false, 0, half);
	stream[half - 1] ^= 0xff;
	part(false, half - 5, stream_size);
	stream[half - 1] ^= 0xff;
	require_all(1);
	ck_assert_uint_eq(verified.count, 1);
}
END_TEST

START_TEST(out_of_order)
{
	for (unsigned int side = 0; side < 2; side++) {
		make_stream(side, 2);
		for (size_t gap = 0; gap + 1 < stream_size; gap++) {
			begin(KIND_TCP);
			make_stream(false, 2);
			if (side)
				part(true, 0, stream_size);
			make_stream(side, 2);
			part(!side, 0, gap);
			part(!side, gap + 1, stream_size);
			ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST), 1);
			part(!side, 0, stream_size); /* too late */
			ck_assert_uint_eq(side ? verified.count : world_counter(COUNTER_QUERIES),
					  gap >= stream_size / 2);
			ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST), 1);
			l.sent += 1000;
			l.received += 1000;
			ck_assert(!works());
		}
	}
}
END_TEST

/* A stream whose beginning was not seen, or which belongs to an earlier connection. */
START_TEST(no_beginning)
{
	begin(KIND_TCP);
	open_to(KIND_TCP, trusted(0));
	ck_assert(!works());
	link_syn(&l, false, NULL, 0); /* a SYN of the server alone begins nothing */
	ck_assert(!works());
	open_to(KIND_TCP, trusted(0));
	link_syn(&l, true, NULL, 0);
	ck_assert(!works()); /* the server's was not seen */
	ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 1);
	open_to(KIND_TCP, trusted(0));
	link_syn(&l, true, NULL, 0);
	l.received = 0; /* as if the state without a beginning began there */
	ck_assert(!works());
	ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST), 0);
}
END_TEST

START_TEST(syn_again)
{
	begin(KIND_TCP);
	l.sent = l.received = WORLD_ISN;
	link_handshake(&l);
	ck_assert(works());
}
END_TEST

/* The same socket connects once more: what the first connection left does not join in. */
START_TEST(connected_again)
{
	const struct party elsewhere = party(false, 99, 53);
	size_t half;

	begin(KIND_TCP);
	make_stream(true, 1);
	half = stream_size / 2;
	link_connect(&l, &elsewhere);
	l.server = elsewhere;
	l.sent = l.received = 5000;
	link_handshake(&l);
	part(false, 0, half); /* a forged half */
	l.received += (uint32_t)half;
	link_connect(&l, trusted(0));
	l.server = *trusted(0);
	l.sent = 99;
	link_syn(&l, true, NULL, 0);
	make_stream(false, 1);
	part(true, 0, stream_size);
	make_stream(true, 1);
	/* The server's SYN is not seen, and by chance its numbers go on. */
	link_segment(&l, false, l.received, TCP_ACK_FLAG, stream + half, stream_size - half);
	ck_assert_uint_eq(verified.count, 0);
	l.received = 7000;
	link_syn(&l, false, NULL, 0);
	part(false, 0, stream_size);
	ck_assert(is_verified(NAME, 0));
}
END_TEST

START_TEST(fast_open)
{
	for (size_t first = 0; first < 40; first++) {
		begin(KIND_TCP);
		open_to(KIND_TCP, trusted(0));
		make_stream(false, 2);
		link_syn(&l, true, stream, first);
		link_segment(&l, true, l.sent, TCP_ACK_FLAG, stream + first, stream_size - first);
		make_stream(true, 2);
		link_syn(&l, false, stream, first);
		link_segment(&l, false, l.received, TCP_ACK_FLAG, stream + first,
			     stream_size - first);
		require_all(2);
	}
	/* The server takes none of it: SYN again without data, then all of it. */
	begin(KIND_TCP);
	open_to(KIND_TCP, trusted(0));
	make_stream(false, 1);
	link_syn(&l, true, stream, 20);
	l.sent = WORLD_ISN;
	link_handshake(&l);
	part(true, 0, stream_size);
	make_stream(true, 1);
	part(false, 0, stream_size);
	require_all(1);
}
END_TEST

START_TEST(wrapping_numbers)
{
	for (uint32_t start = 0xffffff00; start != 0x100; start++) {
		begin(KIND_TCP);
		open_to(KIND_TCP, trusted(0));
		l.sent = start;
		l.received = start * 3;
		link_handshake(&l);
		for (unsigned int side = 0; side < 2; side++) {
			make_stream(side, 3);
			part(!side, 0, 60);
			part(!side, 0, 60);
			part(!side, 40, stream_size);
		}
		require_all(3);
	}
}
END_TEST

/* A long message is read as far as there is room, and the next one begins after its end. */
START_TEST(long_messages)
{
	static const size_t size[] = { 511,  512,  513,	 1024, 4095,  4096,
				       4097, 4607, 4608, 4609, 10000, 65535 };

	for (size_t i = 0; i < ARRAY_SIZE(size); i++) {
		for (size_t step = 100; step < 200000; step *= 6) {
			begin(KIND_TCP);
			ask(0, NAME, WIRE_A);
			ask(1, NAME, WIRE_A);
			make_stream(true, 1);
			stream[0] = (uint8_t)(size[i] >> 8);
			stream[1] = (uint8_t)size[i];
			memset(stream + stream_size, 0xee, size[i] + 2 - stream_size);
			make_reply(1, NAME, WIRE_A, 1);
			stream[size[i] + 2] = 0;
			stream[size[i] + 3] = (uint8_t)wire.size;
			memcpy(stream + size[i] + 4, wire.byte, wire.size);
			stream_size = size[i] + 4 + wire.size;
			for (size_t at = 0; at < stream_size; at += step)
				part(false, at, at + step < stream_size ? at + step : stream_size);
			require_all(2);
			ck_assert_uint_eq(verified.count, 2);
		}
	}
}
END_TEST

/* The last record that is read ends with byte DNS_MESSAGE_MAX. */
START_TEST(long_message_end)
{
	for (size_t end = DNS_MESSAGE_MAX - 20; end < DNS_MESSAGE_MAX + 20; end++) {
		begin(KIND_TCP);
		ask(77, NAME, WIRE_A);
		make_reply_of(end, 77);
		link_message(&l, false, &wire);
		ck_assert_int_eq(is_verified(NAME, 1), end <= DNS_MESSAGE_MAX);
	}
}
END_TEST

START_TEST(empty_messages)
{
	for (unsigned int count = 1; count < SEGMENT_MESSAGES; count++) {
		begin(KIND_TCP);
		for (unsigned int side = 0; side < 2; side++) {
			make_stream(side, 1);
			memmove(stream + 2 * count, stream, stream_size);
			memset(stream, 0, 2 * count);
			stream_size += 2 * count;
			part(!side, 0, 2 * count - 1);
			part(!side, 2 * count - 1, stream_size);
		}
		require_all(1);
	}
	begin(KIND_TCP); /* shorter than a header */
	for (unsigned int side = 0; side < 2; side++) {
		for (unsigned int size = 0; size < 12; size++) {
			uint8_t bytes[14] = { 0, (uint8_t)size };

			link_bytes(&l, !side, bytes, 2 + size);
		}
	}
	ck_assert(works());
}
END_TEST

START_TEST(resets)
{
	begin(KIND_TCP);
	make_stream(false, 1);
	link_segment(&l, true, l.sent, TCP_RST, stream, stream_size);
	ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 0);
	part(true, 0, stream_size);
	make_stream(true, 1);
	link_segment(&l, false, l.received, TCP_RST, stream, stream_size);
	ck_assert_uint_eq(verified.count, 0);
	link_segment(&l, false, l.received, TCP_FIN_FLAG | TCP_ACK_FLAG, stream, stream_size);
	require_all(1);
}
END_TEST

/* A new connection, and what says that a packet of one direction is being read. */
static u32 *busy_mark(unsigned int side)
{
	begin(KIND_TCP);
	return &dns_stream_side(&l.socket.sock, side)->busy;
}

/* Another packet of the same connection, in the same direction, is being read. */
START_TEST(stream_busy)
{
	for (unsigned int side = 0; side < 2; side++) {
		u32 *busy = busy_mark(side);

		if (side)
			ask(0, NAME, WIRE_A);
		*busy = 1;
		make_stream(side, 1);
		part(!side, 0, stream_size);
		ck_assert_uint_eq(*busy, 1);
		ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST), 1);
		*busy = 0;
		part(!side, 0, stream_size);
		ck_assert_uint_eq(verified.count + rejections.count, 0);
		ck_assert_uint_eq(world_counter(COUNTER_QUERIES), side);
		ck_assert(!works());
	}
}
END_TEST

/* Packets of the other direction, and such without data, do not disturb it. */
START_TEST(stream_busy_beside)
{
	for (unsigned int side = 0; side < 2; side++) {
		u32 *busy = busy_mark(side);

		if (!side) {
			ask(0, NAME, WIRE_A);
			*busy = 1;
			reply(0, NAME, WIRE_A, 0);
			ck_assert(is_verified(NAME, 0));
		} else {
			*busy = 1;
			ask(0, NAME, WIRE_A);
			ck_assert_uint_eq(world_counter(COUNTER_QUERIES), 1);
		}
		link_segment(&l, !side, side ? l.received : l.sent, TCP_ACK_FLAG, NULL, 0);
		link_segment(&l, !side, side ? l.received : l.sent, TCP_FIN_FLAG, NULL, 0);
		*busy = 0;
		ck_assert_uint_eq(world_counter(COUNTER_ANSWERS_LOST), 0);
		ck_assert(works());
	}
}
END_TEST

/* The offset of the data goes beyond the packet, or is another than it was made with. */
START_TEST(tcp_offsets)
{
	static struct packet p;

	for (unsigned int words = 5; words < 16; words++) { /* TCP itself drops less */
		begin(KIND_TCP);
		ask(0, NAME, WIRE_A);
		make_stream(true, 1);
		link_packet(&l, false, &p, l.received, TCP_ACK_FLAG, stream, stream_size);
		p.byte[IPV4_HEADER + 12] = (uint8_t)(words << 4);
		link_show(&l, false, &p);
		ck_assert_int_eq(is_verified(NAME, 0), words == 5);
		p.size = IPV4_HEADER + TCP_HEADER;
		link_show(&l, false, &p);
	}
}
END_TEST

/* The end of a message cannot be read: what is in its place must not be taken for it. */
START_TEST(load_failures_of_parts)
{
	for (unsigned int call = 1; call < 20; call++) {
		uint8_t bytes[200] = { 0 };

		begin(KIND_TCP);
		ask(77, NAME, WIRE_A);
		make_reply(77, NAME, WIRE_A, 0x010203);
		bytes[1] = (uint8_t)wire.size;
		memcpy(bytes + 2, wire.byte, wire.size);
		link_bytes(&l, false, bytes, wire.size);
		host.load_failure = call;
		link_bytes(&l, false, bytes + wire.size, 2);
		ck_assert_uint_eq(verified.count, host.load_failure != 0);
		ck_assert_uint_eq(verified.count, is_verified(NAME, 0x010203));
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		segments,
		byte_by_byte,
		pipelined,
		retransmissions,
		overlap_with_other_bytes,
		out_of_order,
		no_beginning,
		syn_again,
		connected_again,
		fast_open,
		wrapping_numbers,
		long_messages,
		long_message_end,
		empty_messages,
		resets,
		stream_busy,
		stream_busy_beside,
		tcp_offsets,
		load_failures_of_parts,
	};

	return suite_run("dns stream", tests, ARRAY_SIZE(tests), 120, setup, teardown);
}
