// SPDX-License-Identifier: GPL-2.0-only
/* The ring buffer's reading side: see ringbuf.h for the contract. */
#include "user/bpf/ringbuf.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/bpf/map.h"

static size_t producer_length(const struct bpf_ringbuf *ringbuf)
{
	return ringbuf->page + 2 * ringbuf->size;
}

/* The kernel lets us write to the consumer's page only. */
static int map_pages(struct bpf_ringbuf *ringbuf, int map)
{
	void *consumer, *producer;

	consumer = mmap(NULL, ringbuf->page, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	if (consumer == MAP_FAILED)
		return -errno;
	producer = mmap(NULL, producer_length(ringbuf), PROT_READ, MAP_SHARED, map,
			(off_t)ringbuf->page);
	if (producer == MAP_FAILED) {
		int ret = -errno;

		munmap(consumer, ringbuf->page);
		return ret;
	}
	ringbuf->consumer = consumer;
	ringbuf->producer = producer;
	ringbuf->data = (const uint8_t *)producer + ringbuf->page;
	return 0;
}

int bpf_ringbuf_open(struct bpf_ringbuf *ringbuf, int map)
{
	struct bpf_map_shape shape;
	int ret = bpf_map_read_shape(map, &shape);

	if (ret)
		return ret;
	if (shape.type != BPF_MAP_TYPE_RINGBUF)
		return -EINVAL;
	*ringbuf = (struct bpf_ringbuf){
		.size = shape.max_entries,
		.page = (size_t)sysconf(_SC_PAGESIZE),
	};
	return map_pages(ringbuf, map);
}

static uint64_t round_up(uint64_t size)
{
	return (size + 7) & ~7ULL;
}

/*
 * The acquire loads pair with the kernel's releases: of the position, after the
 * header is there and marked busy, and of the header, after the record is
 * complete. The release store hands the space back after we have read it.
 */
int bpf_ringbuf_consume(struct bpf_ringbuf *ringbuf, bpf_ringbuf_callback callback, void *context)
{
	uint64_t at = *ringbuf->consumer;
	int count = 0, ret = 0;

	while (!ret && at < __atomic_load_n(ringbuf->producer, __ATOMIC_ACQUIRE)) {
		const uint8_t *header = ringbuf->data + (at & (ringbuf->size - 1));
		uint32_t word =
			__atomic_load_n((const uint32_t *)(const void *)header, __ATOMIC_ACQUIRE);
		uint32_t size = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (word & BPF_RINGBUF_BUSY_BIT)
			break;
		if (!(word & BPF_RINGBUF_DISCARD_BIT)) {
			ret = callback(context, header + BPF_RINGBUF_HDR_SZ, size);
			count++;
		}
		at += round_up((uint64_t)size + BPF_RINGBUF_HDR_SZ);
		__atomic_store_n(ringbuf->consumer, at, __ATOMIC_RELEASE);
	}
	return ret ? ret : count;
}

void bpf_ringbuf_close(struct bpf_ringbuf *ringbuf)
{
	if (!ringbuf->consumer)
		return;
	munmap(ringbuf->consumer, ringbuf->page);
	munmap((void *)(uintptr_t)ringbuf->producer, producer_length(ringbuf));
	*ringbuf = (struct bpf_ringbuf){ 0 };
}
