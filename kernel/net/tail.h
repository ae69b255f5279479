/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rest of a partial send.
 *
 * When TCP has room for a part of a message only, a non-blocking sender is told
 * how much was taken and hands over the rest again, from its own buffer: with
 * the placeholder and the old tag in it. The program is not told. It sees a
 * message that begins in the middle of what it has seen already.
 *
 * A message that was passed on as it is does not come back to the program at
 * all (the kernel keeps the verdict), which is right, since nothing has to be
 * changed in its rest. Patched messages are redirected to their own socket,
 * which makes the kernel ask again. Their last 16 bytes, ciphertext that never
 * repeats, tell where the stream stands: the rest of a message ends with them.
 */
#ifndef KLOAK_NET_TAIL_H
#define KLOAK_NET_TAIL_H

#include "kernel/net/maps.h"

#define TAIL_WINDOW  32	   /* bytes searched at a time */
#define TAIL_RECORDS 8	   /* of a rest that has new ones behind it */
#define TAIL_WINDOWS 49152 /* 768 KB, more than the kernel puts into one message */

/* The size, with header, of the record that seems to begin at this offset; 0: none does. */
KERNEL_GLOBAL int message_record(struct sk_msg_md *m, struct tls_socket *s, u64 at)
{
	const u8 *data;

	if (!m || !s || at + RECORD_HEADER > s->size)
		return 0;
	if (bpf_msg_pull_data(m, at, at + RECORD_HEADER, 0))
		return 0;
	data = m->data;
	if (data + RECORD_HEADER > (u8 *)m->data_end)
		return 0;
	return record_plausible(data) ? RECORD_HEADER + record_length(data) : 0;
}

/* Remembers the message that is about to be patched. */
KERNEL_INLINE int tail_save(struct sk_msg_md *m, struct tls_socket *s)
{
	u64 size, i;
	const u8 *data, *end;

	size = s->size < TAIL_SIZE ? s->size : TAIL_SIZE;
	s->tail_armed = 0;
	if (bpf_msg_pull_data(m, s->size - size, s->size, 0))
		return -1;
	data = m->data;
	end = m->data_end;
	if (data + TAIL_SIZE <= end) {
		store_le64(s->tail, load_le64(data));
		store_le64(s->tail + 8, load_le64(data + 8));
	} else {
		for (i = 0; i < TAIL_SIZE; i++) {
			if (data + i + 1 > end)
				break;
			s->tail[i] = data[i];
		}
	}
	s->tail_size = size;
	s->tail_start = s->position;
	s->tail_end = s->position + s->size;
	s->tail_armed = 1;
	return 0;
}

struct tail_bytes {
	struct sk_msg_md *m;
	struct tls_socket *s;
	u64 from; /* in the saved tail */
	u32 differ;
};

static long tail_byte_step(u32 i, struct tail_bytes *bytes)
{
	const u8 *data = (const u8 *)bytes->m->data;
	u64 at = bytes->from + i;
	u64 from = i;

	barrier_var(at);
	barrier_var(from);
	if (at >= TAIL_SIZE || from >= TAIL_SIZE)
		return 1;
	data += from;
	barrier_var(data);
	if (data + 1 <= (const u8 *)bytes->m->data_end && bytes->s->tail[at] == *data)
		return 0;
	bytes->differ = 1;
	return 1;
}

/* Do the TAIL_SIZE bytes before message offset @to equal the saved tail? */
KERNEL_INLINE int tail_whole_ends_at(struct sk_msg_md *m, const struct tls_socket *s, u64 to)
{
	const u8 *data;

	if (bpf_msg_pull_data(m, to - TAIL_SIZE, to, 0))
		return 0;
	data = m->data;
	return data + TAIL_SIZE <= (const u8 *)m->data_end &&
	       load_le64(data) == load_le64(s->tail) &&
	       load_le64(data + 8) == load_le64(s->tail + 8);
}

/* Do the last @size bytes before message offset @to equal the end of the saved tail? */
KERNEL_GLOBAL int tail_ends_at(struct sk_msg_md *m, struct tls_socket *s, u64 to, u64 size)
{
	struct tail_bytes bytes = { .m = m, .s = s };

	if (!m || !s || size == 0 || size > TAIL_SIZE || size > s->tail_size || size > to)
		return 0;
	if (size == TAIL_SIZE)
		return tail_whole_ends_at(m, s, to);
	if (bpf_msg_pull_data(m, to - size, to, 0))
		return 0;
	bytes.from = s->tail_size - size;
	bpf_loop(size, tail_byte_step, &bytes, 0);
	return !bytes.differ;
}

struct tail_search {
	struct sk_msg_md *m;
	struct tls_socket *s;
	u32 limit;
	u32 found; /* offset behind the tail, 0 if not found */
};

/* Where the tail ends among the bytes from @from to @to, at most TAIL_WINDOW; 0: nowhere. */
KERNEL_GLOBAL int tail_window(struct sk_msg_md *m, struct tls_socket *s, u64 from, u64 to)
{
	u64 first, second, k;
	const u8 *data, *end;

	if (!m || !s || bpf_msg_pull_data(m, from, to, 0))
		return 0;
	data = m->data;
	end = m->data_end;
	first = load_le64(s->tail);
	second = load_le64(s->tail + 8);
#pragma clang loop unroll(full)
	for (k = 0; k <= TAIL_WINDOW - TAIL_SIZE; k++) {
		if (data + k + TAIL_SIZE > end)
			break;
		if (load_le64(data + k) == first && load_le64(data + k + 8) == second)
			return from + k + TAIL_SIZE;
	}
	return 0;
}

/* Looks for the tail in one window of the message; windows overlap by its size. */
static long tail_search_step(u32 i, struct tail_search *search)
{
	u64 from = (u64)i * (TAIL_WINDOW - TAIL_SIZE);
	u64 to = from + TAIL_WINDOW;

	if (to > search->limit)
		to = search->limit;
	if (from + TAIL_SIZE > to)
		return 1;
	search->found = tail_window(search->m, search->s, from, to);
	return search->found != 0;
}

KERNEL_INLINE u32 tail_search(struct sk_msg_md *m, struct tls_socket *s)
{
	struct tail_search search = { .m = m, .s = s, .limit = s->tail_end - s->tail_start };

	if (search.limit > s->size)
		search.limit = s->size;
	bpf_loop(TAIL_WINDOWS, tail_search_step, &search, 0);
	return search.found;
}

/*
 * Does a record end, and the next one begin, where it must if the first @again
 * bytes of the message are a repetition? 1: yes; -1: no; 0: that place is not
 * in this message.
 */
KERNEL_GLOBAL int tail_fits(struct sk_msg_md *m, struct tls_socket *s, u64 again)
{
	u64 at;

	if (!m || !s)
		return 0;
	at = again + s->left;
	if (s->head_size >= RECORD_HEADER)
		at += RECORD_HEADER + record_length(s->head) - s->head_size;
	else if (s->head_size)
		return 0;
	if (at == s->size)
		return 1;
	if (at + RECORD_HEADER > s->size)
		return 0;
	return message_record(m, s, at) ? 1 : -1;
}

struct tail_short {
	struct sk_msg_md *m;
	struct tls_socket *s;
	int goes_on;
	u32 found;
};

static long tail_short_step(u32 i, struct tail_short *tail)
{
	u64 k = TAIL_SIZE - 1 - i;
	int fits;

	if (!tail_ends_at(tail->m, tail->s, k, k))
		return 0;
	fits = tail_fits(tail->m, tail->s, k);
	if (fits < 0)
		return 0;
	if (k <= 2 && fits <= tail->goes_on && (k != tail->s->size || tail->goes_on))
		return 0;
	tail->found = k;
	return 1;
}

/*
 * The message begins with less than TAIL_SIZE bytes of the rest, alone or with
 * something new behind. A byte or two may be equal by chance: then the records
 * behind must speak for it.
 */
KERNEL_GLOBAL int tail_short(struct sk_msg_md *m, struct tls_socket *s)
{
	struct tail_short tail = { .m = m, .s = s };

	if (!m || !s)
		return 0;
	tail.goes_on = tail_fits(m, s, 0);
	bpf_loop(TAIL_SIZE - 1, tail_short_step, &tail, 0);
	return tail.found;
}

/*
 * The same for a message that begins with a record of @record bytes: the rest
 * may begin with a record, too, and have new ones behind it. The last message
 * ended with a record then.
 */
KERNEL_GLOBAL int tail_records(struct sk_msg_md *m, struct tls_socket *s, u64 record)
{
	u64 last, at = 0;
	u32 i;

	if (!m || !s || s->tail_size < TAIL_SIZE)
		return 0;
	last = s->tail_end - s->tail_start;
	for (i = 0; i < TAIL_RECORDS; i++) {
		at += record;
		if (at > last || at >= s->size)
			return 0;
		if (tail_ends_at(m, s, at, TAIL_SIZE))
			return at;
		record = message_record(m, s, at);
		if (!record)
			return 0;
	}
	return 0;
}

/*
 * How many bytes at the start of this message are the rest of the last patched
 * one: 0 if it is a new message. @record: the size of the record that it begins
 * with, if a record is what the stream should go on with, else 0.
 */
KERNEL_GLOBAL int tail_length(struct sk_msg_md *m, struct tls_socket *s, u64 record)
{
	u64 last, found;

	if (!m || !s)
		return 0;
	last = s->tail_end - s->tail_start;
	if (s->tail_size == TAIL_SIZE && s->size >= TAIL_SIZE) {
		found = s->size < last ? s->size : last;
		if (tail_whole_ends_at(m, s, found))
			return found;
	}
	if (record)
		return record < s->size && record <= last ? tail_records(m, s, record) : 0;
	if (s->tail_size == TAIL_SIZE && s->size >= TAIL_SIZE) {
		found = tail_search(m, s);
		if (found)
			return found;
	}
	return tail_short(m, s);
}

#endif
