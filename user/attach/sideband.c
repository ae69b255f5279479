// SPDX-License-Identifier: GPL-2.0-only
/* Reports of mappings: see sideband.h. */
#include "user/attach/sideband.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "user/bpf/feature.h"

#define CPUS_MAX     4096
#define RING_PAGES   16 /* powers of two */
#define RING_MIN     2
#define TOTAL_PAGES  256 /* of all rings, unless RING_MIN makes it more */
#define PRIME_MS     7
#define RECORD_BYTES 4352 /* an MMAP2 record with a path of PATH_MAX */

/* PERF_RECORD_MMAP2 as linux/perf_event.h describes it, without build id. */
struct mmap2 {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t address, length, offset;
	uint32_t major, minor;
	uint64_t inode, generation;
	uint32_t protection, flags;
	char path[];
};

/* --- opening ----------------------------------------------------------- */

static int open_event(int cgroup, pid_t pid, int cpu)
{
	struct perf_event_attr attr;
	long ret;

	memset(&attr, 0, sizeof(attr));
	attr.size = sizeof(attr);
	attr.type = PERF_TYPE_SOFTWARE;
	attr.config = PERF_COUNT_SW_DUMMY;
	attr.mmap = 1; /* those with PROT_EXEC; mmap_data would be the others */
	attr.mmap2 = 1;
	attr.exclude_kernel = 1;
	attr.watermark = 1; /* wakeup_events counts samples only */
	attr.wakeup_watermark = 1;
	attr.inherit = cgroup < 0;
	ret = syscall(SYS_perf_event_open, &attr, cgroup < 0 ? pid : cgroup, cpu, -1,
		      PERF_FLAG_FD_CLOEXEC | (cgroup < 0 ? 0 : PERF_FLAG_PID_CGROUP));
	return ret < 0 ? -errno : (int)ret;
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* Takes @event over. */
static int add_ring(struct sideband *sideband, int event)
{
	struct sideband_ring *grown =
		reallocarray(sideband->rings, sideband->count + 1, sizeof(*grown));

	if (!grown) {
		close(event);
		return -ENOMEM;
	}
	sideband->rings = grown;
	grown[sideband->count++] = (struct sideband_ring){ .event = event };
	return 0;
}

int sideband_prime_once(struct sideband_primer *primer)
{
	int probe = primer->probe_count < PRIMER_PROBES ? bpf_prime_uprobes() : -ENOSPC;

	if (probe >= 0)
		primer->probe[primer->probe_count++] = probe;
	return probe;
}

static void *prime(void *data)
{
	struct sideband_primer *primer = data;
	struct pollfd stop = { .fd = primer->stop, .events = POLLIN };

	primer->event = open_event(-1, getpid(), -1);
	while (sideband_prime_once(primer) >= 0 && poll(&stop, 1, PRIME_MS) == 0)
		;
	return NULL;
}

/* Signals are the main thread's. */
void sideband_prime(struct sideband_primer *primer)
{
	sigset_t all, before;

	sigfillset(&all);
	primer->event = -1;
	primer->probe_count = 0;
	primer->stop = eventfd(0, EFD_CLOEXEC);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	primer->started = primer->stop >= 0 &&
			  !pthread_create(&primer->thread, NULL, prime, primer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void sideband_primed(struct sideband_primer *primer)
{
	if (primer->stop >= 0)
		eventfd_write(primer->stop, 1);
	if (primer->started)
		pthread_join(primer->thread, NULL);
	if (primer->stop >= 0)
		close(primer->stop);
	primer->started = false;
	primer->stop = -1;
}

void sideband_unprime(struct sideband_primer *primer)
{
	sideband_primed(primer);
	if (primer->event >= 0)
		close(primer->event);
	primer->event = -1;
}

/* Libc tells the number of CPUs that it may use; all are wanted, so the kernel is asked. */
static int open_events(struct sideband *sideband, int cgroup, pid_t pid)
{
	int cpu, event, ret = 0;

	for (cpu = 0; !ret && cpu < CPUS_MAX; cpu++) {
		event = open_event(cgroup, pid, cpu);
		if (event == -EINVAL && sideband->count)
			break; /* there is no such CPU */
		if (event >= 0)
			ret = add_ring(sideband, event);
		else if (event != -ENODEV) /* offline */
			ret = event;
	}
	return ret ? ret : sideband->count ? 0 : -ENODEV;
}

static int map_rings(struct sideband *sideband)
{
	size_t pages = RING_PAGES, i;

	while (pages > RING_MIN && pages * sideband->count > TOTAL_PAGES)
		pages /= 2;
	sideband->size = pages * page_size();
	for (i = 0; i < sideband->count; i++) {
		struct sideband_ring *ring = &sideband->rings[i];
		void *memory = mmap(NULL, page_size() + sideband->size, PROT_READ | PROT_WRITE,
				    MAP_SHARED, ring->event, 0);

		if (memory == MAP_FAILED)
			return -errno;
		ring->pages = memory;
	}
	return 0;
}

static int open_by(struct sideband *sideband, int cgroup, pid_t pid)
{
	int ret;

	*sideband = (struct sideband){ 0 };
	ret = open_events(sideband, cgroup, pid);
	if (!ret)
		ret = map_rings(sideband);
	if (ret)
		sideband_close(sideband);
	return ret;
}

int sideband_open(struct sideband *sideband, int cgroup, pid_t pid)
{
	return open_by(sideband, cgroup, pid) ? open_by(sideband, -1, pid) : 0;
}

void sideband_close(struct sideband *sideband)
{
	size_t i;

	for (i = 0; i < sideband->count; i++) {
		if (sideband->rings[i].pages)
			munmap(sideband->rings[i].pages, page_size() + sideband->size);
		close(sideband->rings[i].event);
	}
	free(sideband->rings);
	*sideband = (struct sideband){ 0 };
}

/* --- reading ----------------------------------------------------------- */

struct reader {
	const uint8_t *data;
	size_t size; /* power of two */
	mapping_visit visit;
	void *context;
};

/* The ring has no gap at its end: a record may go on at its start. */
static void copy_out(const struct reader *reader, uint64_t at, void *to, size_t size)
{
	size_t start = at & (reader->size - 1);
	size_t first = size < reader->size - start ? size : reader->size - start;

	memcpy(to, reader->data + start, first);
	memcpy((uint8_t *)to + first, reader->data, size - first);
}

/* Anonymous memory and the vDSO are mapped for execution, too: they have no '/', or no inode. */
static void visit_record(const struct reader *reader, const struct mmap2 *record)
{
	struct mapping mapping = {
		.pid = (pid_t)record->pid,
		.start = record->address,
		.end = record->address + record->length,
		.inode = record->inode,
		.path = record->path,
	};

	if (mapping.inode && *mapping.path == '/')
		reader->visit(reader->context, &mapping);
}

/* Passes over one record. False if reports were lost, here or before it. */
static bool read_record(const struct reader *reader, uint64_t *at, uint64_t head)
{
	union {
		struct mmap2 record;
		uint8_t bytes[RECORD_BYTES + 1]; /* and a NUL after the path */
	} copy;
	size_t size;

	copy_out(reader, *at, &copy.record.header, sizeof(copy.record.header));
	size = copy.record.header.size;
	if (size < sizeof(copy.record.header) || size > head - *at) {
		*at = head;
		return false;
	}
	*at += size;
	if (copy.record.header.type == PERF_RECORD_LOST || size > RECORD_BYTES)
		return false;
	if (copy.record.header.type != PERF_RECORD_MMAP2 || size <= sizeof(copy.record))
		return true;
	copy_out(reader, *at - size, copy.bytes, size);
	copy.bytes[size] = '\0';
	visit_record(reader, &copy.record);
	return true;
}

/*
 * The kernel says that records were lost with the next one that fits, which may
 * be long after: a ring without room for the largest record counts as well.
 */
static bool read_ring(struct reader *reader, struct perf_event_mmap_page *control)
{
	uint64_t head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);
	uint64_t at = control->data_tail;
	bool complete = head - at + RECORD_BYTES <= reader->size || at == head;

	while (at < head) {
		complete &= read_record(reader, &at, head);
		__atomic_store_n(&control->data_tail, at, __ATOMIC_RELEASE);
	}
	return complete;
}

bool sideband_read(struct sideband *sideband, mapping_visit visit, void *data)
{
	bool complete = true;
	size_t i;

	for (i = 0; i < sideband->count; i++) {
		uint8_t *pages = sideband->rings[i].pages;
		struct reader reader = {
			.data = pages + page_size(),
			.size = sideband->size,
			.visit = visit,
			.context = data,
		};

		complete &= read_ring(&reader, (void *)pages);
	}
	return !complete;
}
