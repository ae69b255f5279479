// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making placeholders. The hard part is the Huffman length: of all the strings
 * of m base32 characters one is drawn that takes exactly t bits, every one of
 * them being equally likely.
 *
 * With four code lengths in the alphabet (5 to 8 bits), the number of strings
 * of m characters and t bits follows from that of m - 1 characters; a random
 * number below that count names one string. 25 characters of 5 random bits are
 * the most that a 128-bit count can hold, so that longer placeholders are made
 * of blocks, and the bits are shared out evenly among them.
 */
#include "user/secret/placeholder.h"

#include "user/secret/huffman.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define SYMBOLS	     32
#define CODE_MIN     5 /* shortest and longest code in the alphabet, bits */
#define CODE_MAX     8
#define CODE_CLASSES (CODE_MAX - CODE_MIN + 1)
#define BLOCK	     25 /* characters: 5 * 25 = 125 bits */

#define ULID_SIZE	 26
#define TIME_SIZE	 10 /* characters of a ULID that hold its 48 bits of milliseconds */
#define TIME_COARSE_SIZE 5  /* the last of them: 2^25 ms, 9.3 hours */

/*
 * The space of 1,024 is exhausted with certainty to 1 in 10^7 after 16 draws
 * for each value; in the others a free value turns up at once.
 */
#define DRAWS	    16384
#define DRAWS_EQUAL 256

/* How many random bits are enough to give some up for an equal Huffman length. */
#define ENTROPY_ENOUGH 60

typedef unsigned __int128 uint128;

/* The alphabet, by code length: CODE_MIN + index. */
static const struct {
	unsigned int count;
	const char *symbols;
} code_class[CODE_CLASSES] = {
	{ 3, "012" },
	{ 8, "3456789A" },
	{ 19, "BCDEFGHJKMNPQRSTVWY" },
	{ 2, "XZ" },
};

/* ways[m][e]: strings of m characters that take 5 * m + e bits. */
struct ways {
	uint128 count[BLOCK + 1][BLOCK * (CODE_CLASSES - 1) + 1];
};

static void ways_fill(struct ways *ways, size_t size)
{
	memset(ways, 0, sizeof(*ways));
	ways->count[0][0] = 1;
	for (size_t m = 1; m <= size; m++)
		for (size_t e = 0; e <= m * (CODE_CLASSES - 1); e++)
			for (size_t c = 0; c < CODE_CLASSES && c <= e; c++)
				ways->count[m][e] +=
					code_class[c].count * ways->count[m - 1][e - c];
}

static unsigned int bits_of(uint128 number)
{
	unsigned int bits = 0;

	for (; number; number >>= 1)
		bits++;
	return bits;
}

/* getrandom(2) gives up to 256 bytes whole, once the pool is initialised. */
static int random_fill(void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t got = getrandom((char *)data + done, size - done, 0);

		if (got < 0 && errno != EINTR)
			return -errno;
		done += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

/* A uniformly random number below @limit, by rejection; @limit is not 0. */
static int random_below(uint128 limit, uint128 *number)
{
	unsigned int bits = bits_of(limit - 1);
	uint128 mask = ((uint128)1 << bits) - 1;
	int ret;

	do {
		ret = random_fill(number, sizeof(*number));
		if (ret)
			return ret;
		*number &= mask;
	} while (*number >= limit);
	return 0;
}

static int symbols_draw(char *text, size_t size)
{
	int ret = random_fill(text, size);

	for (size_t i = 0; i < size; i++)
		text[i] = PLACEHOLDER_ALPHABET[(unsigned char)text[i] % SYMBOLS];
	return ret;
}

/* Writes string number @rank among those of @size characters with @excess bits over the least. */
static void symbols_unrank(char *text, size_t size, size_t excess, uint128 rank,
			   const struct ways *ways)
{
	for (size_t left = size; left > 0; left--) {
		for (size_t c = 0; c < CODE_CLASSES && c <= excess; c++) {
			uint128 rest = ways->count[left - 1][excess - c];

			if (rank >= code_class[c].count * rest) {
				rank -= code_class[c].count * rest;
				continue;
			}
			*text++ = code_class[c].symbols[(unsigned int)(rank / rest)];
			rank %= rest;
			excess -= c;
			break;
		}
	}
}

/*
 * Draws @size characters that take @bits bits together. Returns the random bits
 * in the choice, 0 if there is no such string, or a negative errno.
 */
static int symbols_draw_equal(char *text, size_t size, size_t bits)
{
	struct ways ways;
	size_t excess;
	int entropy = 0;

	if (bits < size * CODE_MIN || bits > size * CODE_MAX)
		return 0;
	excess = bits - size * CODE_MIN;
	while (size > 0) {
		size_t block = size < BLOCK ? size : BLOCK;
		size_t share = excess * block / size;
		uint128 rank = 0;
		int ret;

		ways_fill(&ways, block);
		ret = random_below(ways.count[block][share], &rank);
		if (ret)
			return ret;
		symbols_unrank(text, block, share, rank, &ways);
		entropy += (int)bits_of(ways.count[block][share]) - 1;
		text += block;
		size -= block;
		excess -= share;
	}
	return entropy;
}

/* 48 bits in 10 characters: the first is never above 7. */
static void time_write(char *text, uint64_t milliseconds)
{
	milliseconds &= ((uint64_t)1 << 48) - 1;
	for (size_t i = TIME_SIZE; i-- > 0; milliseconds /= SYMBOLS)
		text[i] = PLACEHOLDER_ALPHABET[milliseconds % SYMBOLS];
}

/*
 * Tries to give @result, whose first @fixed bytes are written, @bits of Huffman
 * code. Half of the random bits may be given up for that, or all beyond
 * ENTROPY_ENOUGH. Returns 1 if it was possible, 0 if not, or a negative errno.
 */
static int equal_try(struct placeholder *result, size_t fixed, size_t bits)
{
	size_t fixed_bits = huffman_bits(result->text, fixed);
	size_t size = result->size - fixed;
	int half = (int)size * 5 / 2;
	int ret;

	if (bits < fixed_bits)
		return 0;
	ret = symbols_draw_equal(result->text + fixed, size, bits - fixed_bits);
	if (ret < 0)
		return ret;
	return ret >= (half < ENTROPY_ENOUGH ? half : ENTROPY_ENOUGH);
}

static bool has_ulid(const struct placeholder *placeholder)
{
	return placeholder->size >= PLACEHOLDER_PREFIX_SIZE + ULID_SIZE;
}

/*
 * A hexadecimal secret of 32 characters takes fewer bits than most ULIDs of the
 * moment. If need be, the time of the ULID is right to some hours only, always
 * in the past, and its last five characters are chosen too.
 */
static int draw_equal(struct placeholder *result, uint64_t now, size_t bits)
{
	char *ulid = result->text + PLACEHOLDER_PREFIX_SIZE;
	size_t fixed = PLACEHOLDER_PREFIX_SIZE;
	int ret;

	if (!has_ulid(result))
		return equal_try(result, fixed, bits);
	fixed += TIME_SIZE;
	time_write(ulid, now);
	ret = equal_try(result, fixed, bits);
	if (ret)
		return ret;
	time_write(ulid, now - ((uint64_t)1 << (5 * TIME_COARSE_SIZE)));
	return equal_try(result, fixed - TIME_COARSE_SIZE, bits);
}

static int draw_any(struct placeholder *result, uint64_t now)
{
	char *ulid = result->text + PLACEHOLDER_PREFIX_SIZE;
	size_t fixed = PLACEHOLDER_PREFIX_SIZE;

	if (has_ulid(result)) {
		time_write(ulid, now);
		fixed += TIME_SIZE;
	}
	return symbols_draw(result->text + fixed, result->size - fixed);
}

bool placeholder_conflicts(const struct placeholder *a, const struct placeholder *b)
{
	size_t size = a->size < b->size ? a->size : b->size;

	return memcmp(a->text, b->text, size < PLACEHOLDER_HEAD ? size : PLACEHOLDER_HEAD) == 0;
}

static bool conflicts_any(const struct placeholder *result, const struct placeholder *others,
			  size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (placeholder_conflicts(result, &others[i]))
			return true;
	return false;
}

/* Draws until one is free. Returns 1, 0 if none was found in @draws, or a negative errno. */
static int draw_free(struct placeholder *result, size_t bits, unsigned int draws,
		     const struct placeholder *others, size_t count)
{
	struct timespec now;
	uint64_t time;

	if (clock_gettime(CLOCK_REALTIME, &now))
		return -errno;
	time = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	while (draws-- > 0) {
		int ret = result->hpack_equal ? draw_equal(result, time, bits)
					      : draw_any(result, time);

		if (ret < 0 || (ret == 0 && result->hpack_equal))
			return ret;
		if (!conflicts_any(result, others, count))
			return 1;
	}
	return 0;
}

/*
 * Uniqueness is needed within a workload only, since its placeholders are
 * looked up together with its number: two runs that happen to draw the same
 * short placeholder do not disturb one another.
 */
int placeholder_make(const void *secret, size_t size, const struct placeholder *others,
		     size_t count, struct placeholder *result, struct error *err)
{
	size_t bits;
	int ret;

	if (size < SECRET_MIN || size > SECRET_MAX)
		return error_config(
			err, -EINVAL,
			"no placeholder for a secret of %zu bytes; it must have %d to %d", size,
			SECRET_MIN, SECRET_MAX);
	bits = huffman_bits(secret, size);
	*result = (struct placeholder){ .size = size, .hpack_equal = true };
	memcpy(result->text, PLACEHOLDER_PREFIX, PLACEHOLDER_PREFIX_SIZE);

	ret = draw_free(result, bits, DRAWS_EQUAL, others, count);
	if (ret == 0) {
		result->hpack_equal = false;
		ret = draw_free(result, bits, DRAWS, others, count);
	}
	if (ret < 0)
		return error_set(err, ret, "cannot make a placeholder: %s", strerror(-ret));
	if (ret == 0)
		return error_config(err, -ENOSPC,
				    "no free placeholder of %zu bytes is left; use fewer secrets "
				    "of that size, or longer ones",
				    size);
	return 0;
}
