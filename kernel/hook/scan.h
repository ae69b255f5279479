/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finding placeholders in what an application writes.
 *
 * A placeholder of 32 bytes or more has, behind "kloak", at least 27 bytes of
 * ':', digits and capitals, all between 0x20 and 0x5f. An 8-byte window at
 * every 20th byte lies inside them at least once, so only these windows are
 * looked at: one that has nothing but such bytes is a candidate, and "kloak:"
 * is then looked for in the 20 places that it may begin. Text in small letters,
 * binary data and base64 make few candidates; a body of digits makes many and
 * is slow, not wrong.
 *
 * Placeholders of 8 to 31 bytes have too few of them: where such a one is
 * granted, the window moves by 8 and looks for a k and a colon.
 *
 * The buffer is copied in chunks into scratch memory. Chunks overlap by a head,
 * and each is responsible for what begins in its first SCAN_STEP bytes. Per-CPU
 * memory would not do: a program that may sleep can be preempted by another one
 * on the same CPU. Scratch buffers are claimed.
 */
#ifndef KLOAK_HOOK_SCAN_H
#define KLOAK_HOOK_SCAN_H

#include "kernel/hook/stage.h"
#include "kernel/hook/workload.h"

#define SCAN_STRIDE  20
#define SCAN_BLOCK   160 /* bytes looked at in one go: 8 windows at 20, or 20 at 8 */
#define SCAN_PART    (13 * SCAN_BLOCK) /* bytes in one turn of the loop */
#define SCAN_PARTS   4		       /* a power of 2; two chunks hold a full record */
#define SCAN_CHUNK   (SCAN_PART * SCAN_PARTS)
#define SCAN_STEP    (SCAN_CHUNK - PLACEHOLDER_HEAD)
#define SCAN_MARGIN  32 /* in front of and behind the chunk, read and never believed */
#define SCAN_MASK    0x3fff /* of offsets in the buffer: Linux 6.1 believes no comparison here */
#define SCAN_HITS    16 /* in a chunk */
#define SCAN_BUFFERS 32
#define SCAN_TURNS   (1 << 20)

struct scan_buffer {
	u64 busy;
	u32 hits;
	u32 hit[SCAN_HITS]; /* offsets of "kloak:" in the chunk */
	u32 length;	    /* bytes of .head that look like a placeholder */
	u8 head[PLACEHOLDER_HEAD];
	struct secret_key key;
	u32 reserved;
	u8 byte[SCAN_MASK + 1 + SCAN_BLOCK + SCAN_MARGIN];
};

BPF_MAP(scan_buffers, BPF_MAP_TYPE_ARRAY, sizeof(u32), sizeof(struct scan_buffer), SCAN_BUFFERS, 0);

#define EACH_BYTE(b) (0x0101010101010101ULL * (b))

/*
 * Bit 63 is set if all eight bytes are in 0x20..0x5f (or have bit 7 set, which
 * the next test sorts out): then 0x40 is left of each byte, the largest value
 * that the mask can leave, and only that reaches bit 63 when the rest up to it is
 * added. Windows are joined by OR, with one branch for all of them: fewer
 * branches are less for the verifier and no more to run.
 */
static inline u64 window_candidate(const u8 *p)
{
	u64 w = load_le64(p);

	return ((w ^ w << 1) & EACH_BYTE(0x40)) + ((1ULL << 63) - EACH_BYTE(0x40));
}

/* All eight bytes are in 0x30..0x3f or 0x40..0x5f. */
static inline int window_strict(const u8 *p)
{
	u64 w = load_le64(p);

	return window_candidate(p) >> 63 && !(w & ~(w << 1) & EACH_BYTE(0x20)) &&
	       !(w & EACH_BYTE(0x80));
}

/* Not 0 if some byte is @c. */
static inline u64 window_has(const u8 *p, u8 c)
{
	u64 w = load_le64(p) ^ EACH_BYTE(c);

	return (w - EACH_BYTE(1)) & ~w & EACH_BYTE(0x80);
}

/* Most candidates are numbers and capitals, with no "kloak" in the 24 bytes before. */
static inline u64 window_behind_k(const u8 *p)
{
	return window_has(p - 24, 'k') | window_has(p - 16, 'k') | window_has(p - 8, 'k');
}

/* Not 0 if some byte is a colon behind a k: the flags of both are at the colon's place. */
static inline u64 window_colon(const u8 *p)
{
	return window_has(p, ':') & window_has(p - 1, 'k');
}

static inline int is_prefix(const u8 *p)
{
	return (load_le64(p) & 0xffffffffffffULL) == 0x3a6b616f6c6bULL; /* "kloak:" */
}

static inline int is_base32(u8 c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z' && c != 'I' && c != 'L' && c != 'O' &&
					  c != 'U');
}

/*
 * The context of one scan. It stays as it is from chunk to chunk, but for the
 * pointer that stage_add() sets.
 */
struct scan {
	struct plaintext text;
	const struct config *settings;
	struct scan_buffer *buffer;
	u64 from; /* where the chunk begins in the write */
	u64 last; /* hits in the chunk from here on belong to the next one */
};

static inline int scan_short_ones(const struct config *settings)
{
	return (u32)settings->placeholder_lengths != 0;
}

static long scan_length_step(u32 i, struct scan_buffer **context)
{
	struct scan_buffer *buffer = *context;
	u64 at = i + PLACEHOLDER_PREFIX_SIZE;

	barrier_var(at);
	if (at >= PLACEHOLDER_HEAD || !is_base32(buffer->head[at]))
		return 1;
	buffer->length = at + 1;
	return 0;
}

/* How many bytes of buffer->head look like a placeholder. */
KERNEL_GLOBAL int scan_head_length(struct scan_buffer *buffer)
{
	if (!buffer)
		return 0;
	buffer->length = PLACEHOLDER_PREFIX_SIZE;
	bpf_loop(PLACEHOLDER_HEAD, scan_length_step, &buffer, 0);
	return buffer->length;
}

static long scan_short_step(u32 i, struct scan *scan)
{
	struct scan_buffer *buffer = scan->buffer;
	u64 at = i;

	barrier_var(at);
	if (at >= PLACEHOLDER_HEAD)
		return 1;
	buffer->key.head[at] = buffer->head[at];
	if (at + 1 < SECRET_MIN || !(scan->settings->placeholder_lengths >> (at + 1) & 1))
		return 0;
	return bpf_map_lookup_elem(&secrets, &buffer->key) != NULL;
}

/*
 * The secret whose placeholder begins with buffer->head, or NULL. Placeholders
 * are never prefixes of each other, so that at most one length fits.
 */
static inline struct secret *scan_lookup(struct scan *scan)
{
	struct scan_buffer *buffer = scan->buffer;

	buffer->key.workload = scan->text.workload;
	if (scan_short_ones(scan->settings)) {
		__builtin_memset(buffer->key.head, 0, PLACEHOLDER_HEAD);
		bpf_loop(PLACEHOLDER_HEAD, scan_short_step, scan, 0);
	} else {
		__builtin_memcpy(buffer->key.head, buffer->head, PLACEHOLDER_HEAD);
	}
	return bpf_map_lookup_elem(&secrets, &buffer->key);
}

/* "kloak:" stands at @offset of the write. */
static inline void scan_found(struct scan *scan, u64 offset)
{
	u64 left = scan->text.size - offset;
	u64 take = left < PLACEHOLDER_HEAD ? left : PLACEHOLDER_HEAD;
	const struct placeholder_head *head = (const void *)scan->buffer->head;
	struct secret *secret;
	u32 length;

	__builtin_memset(scan->buffer->head, 0, PLACEHOLDER_HEAD);
	barrier_var(take);
	if (take > PLACEHOLDER_HEAD)
		return;
	if (bpf_copy_from_user(scan->buffer->head, take, (void *)(scan->text.buffer + offset)))
		return;
	secret = scan_lookup(scan);
	if (secret && secret->size <= left) {
		stage_add(&scan->text, secret, offset);
		return;
	}
	length = scan_head_length(scan->buffer);
	if (secret || (left < PLACEHOLDER_HEAD && length == left && length > SECRET_MIN))
		stage_report(scan->text.workload, head, length, REASON_SPLIT);
	else if (length == PLACEHOLDER_HEAD)
		stage_report(scan->text.workload, head, length, REASON_UNKNOWN_PLACEHOLDER);
}

/* Notes that "kloak:" stands at @p, byte @at of the buffer, if it does. */
static inline int scan_note(struct scan_buffer *buffer, const u8 *p, u32 at)
{
	u64 to = buffer->hits;

	barrier_var(to);
	if (!is_prefix(p))
		return 0;
	if (to < SCAN_HITS) {
		buffer->hit[to] = at - SCAN_MARGIN;
		buffer->hits = to + 1;
	}
	return 1;
}

/* Looks for "kloak:" where it would be if the window at @at lay in its long end. */
KERNEL_GLOBAL int scan_window(struct scan_buffer *buffer, u64 at)
{
	const u8 *p;
	u32 i;

	if (!buffer)
		return -1;
	at &= SCAN_MASK;
	barrier_var(at);
	p = buffer->byte + at;
	barrier_var(p);
	for (i = 5; i < 5 + SCAN_STRIDE; i++)
		if (scan_note(buffer, p - i, at - i))
			break;
	return 0;
}

/* The same for a window with the colon in it. */
KERNEL_GLOBAL int scan_window_colon(struct scan_buffer *buffer, u64 at)
{
	const u8 *p;
	u32 i;

	if (!buffer)
		return -1;
	at &= SCAN_MASK;
	barrier_var(at);
	p = buffer->byte + at;
	barrier_var(p);
	for (i = 0; i < 8; i++)
		scan_note(buffer, p + i - 5, at + i - 5);
	return 0;
}

/* Looks closer at a block, at byte @at of the buffer, that has a candidate. */
KERNEL_GLOBAL int scan_block(struct scan_buffer *buffer, u64 at)
{
	const u8 *p;
	u32 i;

	if (!buffer)
		return -1;
	at &= SCAN_MASK;
	barrier_var(at);
	p = buffer->byte + at;
	barrier_var(p);
	for (i = 0; i < SCAN_BLOCK; i += SCAN_STRIDE)
		if (window_strict(p + i) &&
		    window_behind_k(p + i))
			scan_window(buffer, at + i);
	return 0;
}

KERNEL_GLOBAL int scan_block_colon(struct scan_buffer *buffer, u64 at)
{
	const u8 *p;
	u32 i;

	if (!buffer)
		return -1;
	at &= SCAN_MASK;
	barrier_var(at);
	p = buffer->byte + at;
	barrier_var(p);
	for (i = 0; i < SCAN_BLOCK; i += 8)
		if (window_colon(p + i))
			scan_window_colon(buffer, at + i);
	return 0;
}

struct scan_chunk {
	struct scan_buffer *buffer;
	u64 size;
};

#define W(n) window_candidate(p + SCAN_STRIDE * (n))

/* Finds the blocks of a part that have a candidate. */
static long scan_part_step(u32 part, struct scan_chunk *chunk)
{
	u64 from = part & (SCAN_PARTS - 1);
	u32 i;

	barrier_var(from);
	from *= SCAN_PART;
	if (from >= chunk->size)
		return 1;
	for (i = 0; i < SCAN_PART; i += SCAN_BLOCK) {
		const u8 *p = chunk->buffer->byte + SCAN_MARGIN + from + i;

		if ((W(0) | W(1) | W(2) | W(3) | W(4) | W(5) | W(6) | W(7)) >> 63)
			scan_block(chunk->buffer, SCAN_MARGIN + from + i);
	}
	return 0;
}

#undef W
#define W(n) (window_colon(p + 8 * (n)) | window_colon(p + 8 * (n) + 8))

/* The same for short placeholders, a block in a turn: there is more to look at. */
static long scan_block_colon_step(u32 block, struct scan_chunk *chunk)
{
	u64 from = (u64)block * SCAN_BLOCK;
	const u8 *p;

	barrier_var(from);
	if (from >= chunk->size || from > SCAN_CHUNK - SCAN_BLOCK)
		return 1;
	p = chunk->buffer->byte + SCAN_MARGIN + from;
	if (W(0) | W(2) | W(4) | W(6) | W(8) | W(10) | W(12) | W(14) | W(16) | W(18))
		scan_block_colon(chunk->buffer, SCAN_MARGIN + from);
	return 0;
}

#undef W

/* Fills buffer->hit for a chunk of @size bytes. */
KERNEL_GLOBAL int scan_chunk(struct scan_buffer *buffer, u64 size, u64 short_ones)
{
	struct scan_chunk chunk = {.buffer = buffer, .size = size};

	if (!buffer)
		return -1;
	buffer->hits = 0;
	if (short_ones)
		bpf_loop(SCAN_CHUNK / SCAN_BLOCK, scan_block_colon_step, &chunk, 0);
	else
		bpf_loop(SCAN_PARTS, scan_part_step, &chunk, 0);
	return 0;
}

/* One place of the chunk where "kloak:" stands. */
static long scan_hit_step(u32 i, struct scan *scan)
{
	u64 index = i;
	u64 hit;

	barrier_var(index);
	if (index >= SCAN_HITS || index >= scan->buffer->hits)
		return 1;
	hit = scan->buffer->hit[index];
	if (hit < scan->last)
		scan_found(scan, scan->from + hit);
	return 0;
}

/* One chunk of the write. */
static long scan_step(u32 i, struct scan *scan)
{
	struct scan_buffer *buffer = scan->buffer;
	u64 from = (u64)i * SCAN_STEP;
	u64 size;

	/* Also if the last chunk went to the end: what it found would be found again. */
	if (from >= scan->text.size || (i && from + PLACEHOLDER_HEAD >= scan->text.size))
		return 1;
	size = scan->text.size - from;
	barrier_var(size);
	if (size > SCAN_CHUNK)
		size = SCAN_CHUNK;
	if (bpf_copy_from_user(buffer->byte + SCAN_MARGIN, size,
			       (void *)(scan->text.buffer + from))) {
		stage_report(scan->text.workload, NULL, 0, REASON_UNREADABLE);
		return 1;
	}
	scan_chunk(buffer, size, scan_short_ones(scan->settings));
	if (!buffer->hits)
		return 0;
	scan->from = from;
	scan->last = size == scan->text.size - from ? size : SCAN_STEP;
	bpf_loop(SCAN_HITS, scan_hit_step, scan, 0);
	if (buffer->hits == SCAN_HITS)
		stage_report(scan->text.workload, NULL, 0, REASON_TOO_MANY);
	return 0;
}

static inline struct scan_buffer *scan_claim(u32 *slot)
{
	u32 i;

	*slot = bpf_get_smp_processor_id();
	for (i = 0; i < SCAN_BUFFERS; i++) {
		struct scan_buffer *buffer;

		*slot = (*slot + i) & (SCAN_BUFFERS - 1);
		buffer = bpf_map_lookup_elem(&scan_buffers, slot);
		if (buffer && !__sync_lock_test_and_set(&buffer->busy, 1))
			return buffer;
	}
	return NULL;
}

/*
 * Stages every placeholder of this workload that stands in @size bytes at the
 * user address @buffer. Called by hooks with what a library's write function
 * was given, before it encrypts.
 */
static inline void scan_plaintext(u64 session, u64 buffer, u64 size)
{
	struct scan scan = {.text = {.buffer = buffer, .size = size, .session = session}};
	u32 slot;

	scan.settings = config_get();
	if (!scan.settings || size < SECRET_MIN)
		return;
	scan.text.workload = workload_current(scan.settings);
	if (!scan.text.workload)
		return;
	counter_add(COUNTER_WRITES);
	scan.buffer = scan_claim(&slot);
	if (!scan.buffer) {
		stage_report(scan.text.workload, NULL, 0, REASON_BUSY);
		return;
	}
	bpf_loop(SCAN_TURNS, scan_step, &scan, 0);
	scan.buffer->busy = 0;
}

#endif
