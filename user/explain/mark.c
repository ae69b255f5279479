// SPDX-License-Identifier: GPL-2.0-only
/* Strings of TLS libraries: see mark.h. */
#include "user/explain/mark.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define CHUNK	   (256U << 10)
#define NEEDLE_MAX 32
#define OVERLAP \
	(NEEDLE_MAX + MARK_VERSION_MAX) /* at the end of a chunk: looked at with the next one */

/* In two halves, so that Kloak's own file has none of them. */
static const struct needle {
	enum mark mark;
	const char *head, *tail;
	bool versioned; /* counts only before a digit: the version begins there */
} needles[] = {
	{ MARK_TLS, "c ap ", "traffic", false },
	{ MARK_TLS, "client ", "finished", false },
	{ MARK_QUIC, "quic", " hp", false },
	{ MARK_BORINGSSL, "boring", "ssl", false },
	{ MARK_AWSLC, "AWS-", "LC ", true },
	{ MARK_OPENSSL, "ssl/ssl", "_lib.c", false },
	{ MARK_OPENSSL_VERSION, "Open", "SSL ", true },
	{ MARK_LIBRESSL, "Libre", "SSL ", true },
	{ MARK_GNUTLS, "Gnu", "TLS ", true },
	{ MARK_NSS, "Version: ", "NSS ", true },
	{ MARK_MBEDTLS, "mbed ", "TLS ", true },
	{ MARK_MBEDTLS, "Mbed ", "TLS ", true },
	{ MARK_WOLFSSL, "wolf", "SSL ", true },
	{ MARK_RUSTLS, "/rust", "ls-", true },
	{ MARK_GO, "\xff Go ", "buildinf:", false },
};

#define NEEDLES ARRAY_SIZE(needles)

/* The needles in one piece, and which pairs of bytes one of them begins with. */
static struct {
	char text[NEEDLES][NEEDLE_MAX];
	size_t size[NEEDLES];
	uint8_t begins[1 << 16];
} prepared;

static void prepare(void)
{
	for (size_t i = 0; i < NEEDLES; i++) {
		const uint8_t *text = (const uint8_t *)prepared.text[i];

		prepared.size[i] = (size_t)snprintf(prepared.text[i], NEEDLE_MAX, "%s%s",
						    needles[i].head, needles[i].tail);
		prepared.begins[text[0] << 8 | text[1]] = 1;
	}
}

/*
 * Digits, dots and what is glued to them: "3.0.19", "1.1.1w", "3.6.0-beta1". The longest
 * one counts: messages say "OpenSSL 3.0" of what they are about.
 */
static void take_version(char version[static MARK_VERSION_MAX], const uint8_t *at, size_t left)
{
	size_t used;

	for (used = 0; used < left && used < MARK_VERSION_MAX - 1; used++)
		if (!isalnum(at[used]) && at[used] != '.' && at[used] != '-')
			break;
	while (used && !isalnum(at[used - 1]))
		used--;
	if (used <= strlen(version))
		return;
	memcpy(version, at, used);
	version[used] = '\0';
}

static void look(struct marks *marks, const uint8_t *at, size_t left)
{
	for (size_t i = 0; i < NEEDLES; i++) {
		const struct needle *needle = &needles[i];
		size_t size = prepared.size[i];

		if (left < size || memcmp(at, prepared.text[i], size) != 0)
			continue;
		if (needle->versioned && (left == size || !isdigit(at[size])))
			continue;
		if (needle->versioned)
			take_version(marks->version[needle->mark], at + size, left - size);
		marks->found |= 1U << needle->mark;
	}
}

void marks_search(struct marks *marks, const uint8_t *bytes, size_t size, size_t starts)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, prepare);
	for (size_t i = 0; i < starts && i + 1 < size; i++)
		if (prepared.begins[bytes[i] << 8 | bytes[i + 1]])
			look(marks, bytes + i, size - i);
}

struct scan {
	const struct elf_image *image;
	struct marks *marks;
	uint8_t *buffer;
	uint64_t left; /* bytes that may still be read */
};

static int scan_range(struct scan *scan, uint64_t offset, uint64_t size)
{
	if (offset > scan->image->size)
		return 0;
	if (size > scan->image->size - offset)
		size = scan->image->size - offset;
	while (size && scan->left) {
		uint64_t part = size < CHUNK ? size : CHUNK, step;
		int ret = elf_image_read(scan->image, offset, scan->buffer, part);

		if (ret)
			return ret;
		step = part == size ? part : part - OVERLAP;
		marks_search(scan->marks, scan->buffer, part, step);
		scan->left -= step < scan->left ? step : scan->left;
		offset += step;
		size -= step;
	}
	return 0;
}

/* Constants, and data: Go's note of its build is in a section of its own that is data. */
static int scan_section(void *data, const Elf64_Shdr *section)
{
	if (section->sh_type != SHT_PROGBITS || !(section->sh_flags & SHF_ALLOC) ||
	    section->sh_flags & SHF_EXECINSTR)
		return 0;
	return scan_range(data, section->sh_offset, section->sh_size);
}

static int scan_segments(struct scan *scan)
{
	int ret = 0;

	for (size_t i = 0; i < scan->image->segment_count && !ret; i++)
		if (scan->image->segments[i].p_type == PT_LOAD)
			ret = scan_range(scan, scan->image->segments[i].p_offset,
					 scan->image->segments[i].p_filesz);
	return ret;
}

int marks_find(const struct elf_image *image, struct marks *marks)
{
	struct scan scan = { .image = image, .marks = marks, .left = MARK_BYTES_MAX };
	int ret;

	memset(marks, 0, sizeof(*marks));
	scan.buffer = malloc(CHUNK);
	if (!scan.buffer)
		return -ENOMEM;
	ret = image->section_count ? elf_image_walk_sections(image, scan_section, &scan)
				   : scan_segments(&scan);
	free(scan.buffer);
	return ret;
}
