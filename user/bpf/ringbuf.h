/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading a BPF_MAP_TYPE_RINGBUF. Programs write records, we read them where
 * they lie, in memory that both sides map.
 *
 * Layout: one page with the consumer's position (ours to write), one with the
 * producer's, then the data, mapped twice in a row so that a record that wraps
 * around the end is contiguous. Positions count bytes for ever; their low bits
 * are the place. A record has an 8-byte header whose first word is its length
 * with two flag bits. Source: Linux Documentation/bpf/ringbuf.rst.
 */
#ifndef KLOAK_BPF_RINGBUF_H
#define KLOAK_BPF_RINGBUF_H

#include <stddef.h>
#include <stdint.h>

struct bpf_ringbuf {
	uint64_t *consumer;	  /* our position */
	const uint64_t *producer; /* the programs' position */
	const uint8_t *data;
	uint64_t size; /* of the data, a power of two */
	size_t page;
};

/* Called for every record, 8-byte aligned; @size as reserved. Not 0: stop after this record. */
typedef int (*bpf_ringbuf_callback)(void *context, const void *record, uint32_t size);

/*
 * @map stays the caller's, and is what to wait on: poll and epoll report it
 * readable when a program submitted a record with a wake-up. -errno.
 */
int bpf_ringbuf_open(struct bpf_ringbuf *ringbuf, int map);

/*
 * Hands out what is there, without waiting; the memory is free again when the
 * callback has returned. Returns the number of records, or the callback's
 * result if that is not 0.
 */
int bpf_ringbuf_consume(struct bpf_ringbuf *ringbuf, bpf_ringbuf_callback callback, void *context);

void bpf_ringbuf_close(struct bpf_ringbuf *ringbuf);

#endif
