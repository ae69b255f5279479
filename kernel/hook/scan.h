/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finding placeholders in what an application writes.
 *
 * A placeholder of 32 bytes or more has, behind "kloak", at least 27 bytes in a
 * row that are ':', digits or capitals, all between 0x30 and 0x5f. A window of 7
 * bytes at every 20th byte lies inside them at least once, and there is another
 * one inside them 10 bytes before or behind it. So the scan goes in steps, each
 * of which few places pass:
 *
 *	1. windows at every 20th byte that have nothing but such bytes: text,
 *	   base64 and binary data have few, numbers of more than 7 digits many
 *	2. the same with a window 10 bytes away: few but bodies of digits and
 *	   capitals have those
 *	3. "k:", then "kloak:" where the run would begin
 *
 * The first step is what every write pays for: it has one branch for 8 windows
 * and calls nothing. A body of digits is slow, not wrong.
 *
 * Placeholders of 8 to 31 bytes have no such run: where such a one is granted,
 * every byte goes to step 3. So does what begins less than 32 bytes before the end
 * of the write: a placeholder that is cut there is reported.
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
#define SCAN_BLOCK   160 /* bytes looked at in one go: 8 windows */
#define SCAN_BLOCKS  31	 /* in a part, a mask: more are more to run through for the verifier */
#define SCAN_PART    (SCAN_BLOCKS * SCAN_BLOCK)
#define SCAN_CHUNK   (2 * SCAN_PART) /* two of them hold a full record */
#define SCAN_STEP    (SCAN_CHUNK - PLACEHOLDER_HEAD)
#define SCAN_MARGIN  32	    /* in front of and behind the chunk, read and never believed */
#define SCAN_MASK    0x3fff /* of offsets in the buffer: Linux 6.1 believes no comparison here */
#define SCAN_CUT     (PLACEHOLDER_HEAD - PLACEHOLDER_PREFIX_SIZE) /* colons so near the end */
#define SCAN_HITS    16						  /* in a chunk, a power of 2 */
#define SCAN_WORDS   32 /* no less than a block has, a power of 2 */
#define SCAN_AT_ONCE 4	/* blocks in a turn: a call costs as much as one */
#define SCAN_BUFFERS 32
#define SCAN_TURNS   (1 << 20)

/*
 * A buffer has the state of the scan in it, too: a function that the verifier
 * looks at only once can be handed nothing but numbers and bytes.
 */
struct scan_buffer {
	u64 busy;
	struct plaintext text;
	u64 from;	/* where the chunk begins in the write */
	u64 last;	/* hits in the chunk from here on belong to the next one */
	u64 short_ones; /* placeholders of less than 32 bytes exist */
	u32 hits;
	u32 hit[2 * SCAN_HITS]; /* offsets of "kloak:" in the chunk */
	u32 candidates;
	u32 candidate[SCAN_BLOCKS + 1]; /* blocks of the part, by their offset in .byte */
	u32 words;
	u32 word[SCAN_WORDS]; /* words of a block, likewise, that have a "k:" */
	u32 length;	      /* bytes of .head that look like a placeholder */
	u8 head[PLACEHOLDER_HEAD];
	struct secret_key key;
	u32 reserved;
	u8 byte[SCAN_MASK + 1 + SCAN_BLOCK + SCAN_MARGIN];
};

BPF_MAP(scan_buffers, BPF_MAP_TYPE_ARRAY, sizeof(u32), sizeof(struct scan_buffer), SCAN_BUFFERS, 0);

#define EACH_BYTE(b) (0x0101010101010101ULL * (b))
#define WINDOW_FLAGS (EACH_BYTE(0x80) >> 8) /* bit 7 of the 7 bytes of a window */

/*
 * Bit 63 is set if all seven bytes are in 0x30..0x5f: then exactly the first sum
 * has bit 7 in each. (Bytes in 0xb0..0xdf pass as well.) The flags are the
 * largest value that the mask can leave, and only that reaches bit 63 when the
 * rest up to it is added. Windows are joined by OR, with one branch for all of
 * them: fewer branches are less for the verifier and no more to run.
 */
KERNEL_INLINE u64 window_good(const u8 *p)
{
	u64 w = load_le64(p);

	return (((w + EACH_BYTE(0x50)) ^ (w + EACH_BYTE(0x20))) & WINDOW_FLAGS) +
	       ((1ULL << 63) - WINDOW_FLAGS);
}

/* Not 0 if some byte of eight is @c. */
KERNEL_INLINE u64 window_has(const u8 *p, u8 c)
{
	u64 w = load_le64(p) ^ EACH_BYTE(c);

	return (w - EACH_BYTE(1)) & ~w & EACH_BYTE(0x80);
}

/* Not 0 if some byte is a colon behind a k: the flags of both are at the colon's place. */
KERNEL_INLINE u64 window_colon(const u8 *p)
{
	return window_has(p, ':') & window_has(p - 1, 'k');
}

/* 1 or 0. clang must not see a comparison: it would be a branch, and states for the verifier. */
KERNEL_INLINE u64 not_zero(u64 x)
{
	u64 y = -x;

	barrier_var(y);
	return (x | y) >> 63;
}

/* The same for "kloak:". */
KERNEL_INLINE u64 is_prefix(const u8 *p)
{
	return 1 - not_zero(load_le64(p) << 16 ^ 0x3a6b616f6c6bULL << 16);
}

KERNEL_INLINE int is_base32(u8 c)
{
	return (c >= '0' && c <= '9') ||
	       (c >= 'A' && c <= 'Z' && c != 'I' && c != 'L' && c != 'O' && c != 'U');
}

KERNEL_INLINE struct scan_buffer *scan_buffer_get(u64 slot)
{
	u32 key = slot & (SCAN_BUFFERS - 1);

	return bpf_map_lookup_elem(&scan_buffers, &key);
}

/* ---- what to do with "kloak:" ---- */

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

/* It is none that this workload may use: says so, if it is one at all. */
KERNEL_GLOBAL int scan_refuse(struct scan_buffer *buffer, u64 left, u64 cut)
{
	if (!buffer)
		return -1;
	buffer->length = PLACEHOLDER_PREFIX_SIZE;
	bpf_loop(PLACEHOLDER_HEAD, scan_length_step, &buffer, 0);
	if (cut || (left < PLACEHOLDER_HEAD && buffer->length == left && left > SECRET_MIN))
		stage_report(buffer->text.workload, (const struct placeholder_head *)buffer->head,
			     buffer->length, REASON_SPLIT);
	else if (buffer->length == PLACEHOLDER_HEAD)
		stage_report(buffer->text.workload, (const struct placeholder_head *)buffer->head,
			     buffer->length, REASON_UNKNOWN_PLACEHOLDER);
	return 0;
}

static long scan_short_step(u32 i, struct scan_buffer **context)
{
	struct scan_buffer *buffer = *context;
	const struct config *settings = config_get();
	u64 at = i;

	barrier_var(at);
	if (!settings || at >= PLACEHOLDER_HEAD)
		return 1;
	buffer->key.head[at] = buffer->head[at];
	if (at + 1 < SECRET_MIN || !(settings->placeholder_lengths >> (at + 1) & 1))
		return 0;
	return bpf_map_lookup_elem(&secrets, &buffer->key) != NULL;
}

/*
 * The secret whose placeholder begins with buffer->head, or NULL. Placeholders
 * are never prefixes of each other, so that at most one length fits.
 */
KERNEL_INLINE struct secret *scan_lookup(struct scan_buffer *buffer)
{
	buffer->key.workload = buffer->text.workload;
	if (buffer->short_ones) {
		__builtin_memset(buffer->key.head, 0, PLACEHOLDER_HEAD);
		bpf_loop(PLACEHOLDER_HEAD, scan_short_step, &buffer, 0);
	} else {
		copy_fours(buffer->key.head, buffer->head, PLACEHOLDER_HEAD);
	}
	return bpf_map_lookup_elem(&secrets, &buffer->key);
}

/*
 * "kloak:" stands at a hit of the chunk. Zeros are behind the end of the write.
 * The buffer is looked up and no argument: Linux 6.1 takes no key from the memory
 * of one.
 */
KERNEL_GLOBAL int scan_hit(u64 slot, u64 index)
{
	struct scan_buffer *buffer = scan_buffer_get(slot);
	struct secret *secret;
	u64 hit, left;
	const u8 *p;
	u32 i;

	barrier_var(index);
	index &= SCAN_HITS - 1;
	if (!buffer)
		return -1;
	hit = buffer->hit[index];
	if (hit >= buffer->last)
		return 0;
	left = buffer->text.size - buffer->from - hit;
	p = buffer->byte + SCAN_MARGIN + (hit & SCAN_MASK);
	for (i = 0; i < PLACEHOLDER_HEAD; i += 8)
		store_le64(buffer->head + i, load_le64(p + i));
	secret = scan_lookup(buffer);
	if (secret && secret->size <= left)
		return stage_add(&buffer->text, secret, buffer->from + hit);
	return scan_refuse(buffer, left, secret != NULL);
}

/* ---- where "kloak:" is ---- */

/* Notes where "kloak:" is with the colon among the 8 bytes of a word; it fits in twice. */
static long scan_word_step(u32 i, struct scan_buffer **context)
{
	struct scan_buffer *buffer = *context;
	u64 hits = buffer->hits;
	u64 index = i;
	const u8 *p;
	u64 at;
	u32 k;

	if (hits >= SCAN_HITS)
		return 1;
	barrier_var(index);
	at = buffer->word[index & (SCAN_WORDS - 1)];
	barrier_var(at);
	at &= SCAN_MASK;
	p = buffer->byte + at;
	barrier_var(p);
	for (k = 0; k < 8; k++) {
		barrier_var(hits);
		buffer->hit[hits & (2 * SCAN_HITS - 1)] = at + k - 5 - SCAN_MARGIN;
		hits += is_prefix(p + k - 5);
	}
	buffer->hits = hits < SCAN_HITS ? hits : SCAN_HITS;
	return 0;
}

/* Looks for "kloak:" with the colon among the SCAN_BLOCK bytes at @at of the buffer. */
KERNEL_GLOBAL int scan_colons(struct scan_buffer *buffer, u64 at)
{
	u64 found = 0;
	const u8 *p;
	u32 i;

	if (!buffer)
		return -1;
	at &= SCAN_MASK;
	barrier_var(at);
	p = buffer->byte + at;
	barrier_var(p);
	for (i = 0; i < SCAN_BLOCK; i += 8) {
		barrier_var(found);
		buffer->word[found & (SCAN_WORDS - 1)] = at + i;
		found += not_zero(window_colon(p + i));
	}
	buffer->words = found;
	/* Out of memory, where the verifier does not try every number that it may be. */
	bpf_loop(buffer->words, scan_word_step, &buffer, 0);
	return 0;
}

/* Looks closer at a block that has a window with good bytes only. */
KERNEL_INLINE void scan_block(struct scan_buffer *buffer, u64 candidate)
{
	u64 pairs = 0, before, behind, at;
	const u8 *p;
	u32 i;

	at = buffer->candidate[candidate & SCAN_BLOCKS];
	barrier_var(at);
	at &= SCAN_MASK;
	p = buffer->byte + at;
	barrier_var(p);
	before = window_good(p - SCAN_STRIDE / 2);
	for (i = 0; i < SCAN_BLOCK; i += SCAN_STRIDE) {
		behind = window_good(p + i + SCAN_STRIDE / 2);
		pairs |= window_good(p + i) & (before | behind);
		barrier_var(pairs);
		before = behind;
	}
	/* The first window in a run begins with its colon, or up to 19 bytes behind it. */
	if (pairs >> 63)
		scan_colons(buffer, at - (SCAN_STRIDE - 1));
}

static long scan_blocks_step(u32 turn, struct scan_buffer **context)
{
	struct scan_buffer *buffer = *context;
	u64 i;

	for (i = 0; i < SCAN_AT_ONCE; i++) {
		u64 candidate = (u64)turn * SCAN_AT_ONCE + i;

		barrier_var(candidate);
		if (candidate >= buffer->candidates)
			return 1;
		scan_block(buffer, candidate);
	}
	return 0;
}

KERNEL_GLOBAL int scan_candidates(struct scan_buffer *buffer)
{
	if (!buffer)
		return -1;
	bpf_loop(SCAN_BLOCKS, scan_blocks_step, &buffer, 0);
	return 0;
}

/* ---- chunks ---- */

struct scan_chunk {
	struct scan_buffer *buffer;
	u64 size;
};

/* One block where short placeholders exist. */
static long scan_colons_step(u32 block, struct scan_chunk *chunk)
{
	u64 from = (u64)block * SCAN_BLOCK;

	scan_colons(chunk->buffer, SCAN_MARGIN + from);
	return from + SCAN_BLOCK >= chunk->size;
}

/* The first @size bytes of a chunk, where short placeholders exist. */
KERNEL_GLOBAL int scan_all_colons(struct scan_buffer *buffer, u64 size)
{
	struct scan_chunk chunk = { .buffer = buffer, .size = size };

	if (!buffer)
		return -1;
	bpf_loop(SCAN_CHUNK / SCAN_BLOCK, scan_colons_step, &chunk, 0);
	return 0;
}

/*
 * Bit 63 is set if some window of the block has good bytes only. The barrier makes
 * clang finish one window before the next: there are not registers for all.
 */
KERNEL_INLINE u64 scan_windows(const u8 *block)
{
	u64 good = 0;
	u32 i;

	for (i = 0; i < SCAN_BLOCK; i += SCAN_STRIDE) {
		good |= window_good(block + i);
		barrier_var(good);
	}
	return good;
}

/*
 * Finds the blocks of a part that have a window with good bytes only; at least one
 * block is looked at. There is no branch but that of the loop: with one the
 * verifier would go through everything several times.
 */
KERNEL_GLOBAL int scan_part(struct scan_buffer *buffer, u64 at, u64 blocks)
{
	u64 found = 0;
	const u8 *p;
	u32 i;

	if (!buffer)
		return -1;
	at &= SCAN_MASK >> 1;
	barrier_var(at);
	p = buffer->byte + at;
	for (i = 0; i < SCAN_BLOCKS; i++) {
		barrier_var(found);
		buffer->candidate[found & SCAN_BLOCKS] = at;
		found += scan_windows(p) >> 63;
		if (i + 1 >= blocks)
			break;
		at += SCAN_BLOCK;
		p += SCAN_BLOCK;
	}
	buffer->candidates = found;
	return found;
}

/* Looks for a placeholder that the end of the write cuts, behind @size bytes of the chunk. */
KERNEL_GLOBAL int scan_end(struct scan_buffer *buffer, u64 size)
{
	u64 last;

	if (!buffer)
		return -1;
	last = buffer->hits - 1ULL;
	barrier_var(last);
	/* Hits are in order: one that is cut may have been found already. */
	if (buffer->hits && buffer->hit[last & (SCAN_HITS - 1)] + PLACEHOLDER_HEAD > size)
		return 0;
	return scan_colons(buffer, SCAN_MARGIN + size - SCAN_CUT);
}

/* Is there a "k:" where it would be of a placeholder that is cut at @end? */
KERNEL_INLINE u64 scan_may_be_cut(const u8 *end)
{
	const u8 *p = end - SCAN_CUT;

	return window_colon(p) | window_colon(p + 8) | window_colon(p + 16) | window_colon(p + 24);
}

/* How many blocks are begun in @size bytes, up to SCAN_MASK. */
KERNEL_INLINE u64 scan_blocks(u64 size)
{
	return (size + SCAN_BLOCK - 1) * 6554 >> 20; /* times 1/160 */
}

/* Fills buffer->hit for a chunk of @size bytes. */
KERNEL_INLINE void scan_chunk(struct scan_buffer *buffer, u64 size)
{
	u64 blocks = scan_blocks(size);

	buffer->hits = 0;
	if (buffer->short_ones) {
		scan_all_colons(buffer, size);
		return;
	}
	if (scan_part(buffer, SCAN_MARGIN, blocks < SCAN_BLOCKS ? blocks : SCAN_BLOCKS))
		scan_candidates(buffer);
	if (blocks > SCAN_BLOCKS &&
	    scan_part(buffer, SCAN_MARGIN + SCAN_PART, blocks - SCAN_BLOCKS))
		scan_candidates(buffer);
}

struct scan {
	struct scan_buffer *buffer;
	u64 slot;
};

/* One chunk of the write. */
static long scan_step(u32 i, struct scan *scan)
{
	struct scan_buffer *buffer = scan->buffer;
	u64 from = (u64)i * SCAN_STEP;
	u64 left = buffer->text.size - from;
	u64 size = left;
	u8 *end;
	u32 k;

	barrier_var(size);
	if (size > SCAN_CHUNK)
		size = SCAN_CHUNK;
	if (bpf_copy_from_user(buffer->byte + SCAN_MARGIN, size,
			       (void *)(buffer->text.buffer + from))) {
		stage_report(buffer->text.workload, NULL, 0, REASON_UNREADABLE);
		return 1;
	}
	end = buffer->byte + SCAN_MARGIN + size;
	for (k = 0; k < PLACEHOLDER_HEAD; k += 8)
		store_le64(end + k, 0);
	scan_chunk(buffer, size);
	if (size == left && scan_may_be_cut(end) && !buffer->short_ones)
		scan_end(buffer, size);
	if (buffer->hits) {
		buffer->from = from;
		buffer->last = size == left ? size : SCAN_STEP;
		if (buffer->last > buffer->text.until - from)
			buffer->last = buffer->text.until - from;
		/* No bpf_loop(): its callback would be one call too deep. */
		for (k = 0; k < SCAN_HITS && k < buffer->hits; k++)
			scan_hit(scan->slot, k);
		if (buffer->hits == SCAN_HITS)
			stage_report(buffer->text.workload, NULL, 0, REASON_TOO_MANY);
	}
	/* What this chunk found at its end would be found again. */
	return size == left || from + SCAN_STEP >= buffer->text.until;
}

KERNEL_INLINE struct scan_buffer *scan_claim(u64 slot)
{
	struct scan_buffer *buffer = scan_buffer_get(slot);

	return buffer && !__sync_lock_test_and_set(&buffer->busy, 1) ? buffer : NULL;
}

struct scan_claim {
	u64 first;
	int found;
};

static long scan_claim_step(u32 i, struct scan_claim *claim)
{
	if (!scan_claim(claim->first + i))
		return 0;
	claim->found = (claim->first + i) & (SCAN_BUFFERS - 1);
	return 1;
}

/* The buffer of this processor is taken: claims another one. Returns its number, or -1. */
KERNEL_GLOBAL int scan_claim_other(u64 slot)
{
	struct scan_claim claim = { .first = slot, .found = -1 };

	bpf_loop(SCAN_BUFFERS, scan_claim_step, &claim, 0);
	return claim.found;
}

/*
 * Stages every placeholder of this workload that stands in @size bytes at the
 * user address @buffer, and begins in the first @until of them. Called by hooks
 * with what a library's write function was given, before it encrypts. @before:
 * bytes in front of these in a write that is made of several buffers. Always
 * inline, also in a hook that calls it twice: the calls below are as deep as the
 * kernel allows.
 */
KERNEL_INLINE void scan_plaintext_at(u64 session, u64 buffer, u64 size, u64 until, u64 before)
{
	const struct config *settings = config_get();
	struct scan scan = { .slot = bpf_get_smp_processor_id() };
	u32 workload;
	int other;

	if (!settings || size < SECRET_MIN)
		return;
	workload = workload_current(settings);
	if (!workload)
		return;
	counter_add(COUNTER_WRITES);
	scan.buffer = scan_claim(scan.slot);
	if (!scan.buffer) {
		other = scan_claim_other(scan.slot);
		scan.slot = other;
		scan.buffer = other < 0 ? NULL : scan_buffer_get(scan.slot);
	}
	if (!scan.buffer) {
		stage_report(workload, NULL, 0, REASON_BUSY);
		return;
	}
	scan.buffer->text.buffer = buffer;
	scan.buffer->text.size = size;
	scan.buffer->text.until = until;
	scan.buffer->text.before = before;
	scan.buffer->text.session = session;
	scan.buffer->text.workload = workload;
	scan.buffer->text.slot = STAGE_NONE;
	scan.buffer->short_ones = (u32)settings->placeholder_lengths;
	bpf_loop(SCAN_TURNS, scan_step, &scan, 0);
	scan.buffer->busy = 0;
}

KERNEL_INLINE void scan_plaintext_until(u64 session, u64 buffer, u64 size, u64 until)
{
	scan_plaintext_at(session, buffer, size, until, 0);
}

KERNEL_INLINE void scan_plaintext(u64 session, u64 buffer, u64 size)
{
	scan_plaintext_at(session, buffer, size, size, 0);
}

#endif
