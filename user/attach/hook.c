// SPDX-License-Identifier: GPL-2.0-only
/* From a plan to attached probes: see hook.h. */
#include "user/attach/hook.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/bpf/feature.h"
#include "user/bpf/link.h"

#define CLOSERS 16 /* threads */

struct closer {
	pthread_t thread;
	const int *fds;
	size_t count, first;
};

static void *close_share(void *data)
{
	const struct closer *closer = data;
	size_t i;

	for (i = closer->first; i < closer->count; i += CLOSERS)
		close(closer->fds[i]);
	return NULL;
}

/* Each close waits 50 ms or more until no CPU runs the program: wait for several at once. */
void hook_links_release(struct hook_links *links)
{
	struct closer closers[CLOSERS];
	size_t i, started = 0;

	for (i = 0; i < CLOSERS; i++)
		closers[i] =
			(struct closer){ .fds = links->fds, .count = links->count, .first = i };
	while (started < CLOSERS && started + 1 < links->count &&
	       !pthread_create(&closers[started].thread, NULL, close_share, &closers[started]))
		started++;
	for (i = started; i < CLOSERS; i++)
		close_share(&closers[i]);
	for (i = 0; i < started; i++)
		pthread_join(closers[i].thread, NULL);
	free(links->fds);
	memset(links, 0, sizeof(*links));
}

int hook_links_add(struct hook_links *links, int fd)
{
	int *grown = reallocarray(links->fds, links->count + 1, sizeof(*grown));

	if (!grown) {
		close(fd);
		return -ENOMEM;
	}
	links->fds = grown;
	links->fds[links->count++] = fd;
	return 0;
}

/* The places in one file where one program runs. */
struct probe {
	const char *program;
	bool is_return;
	uint32_t count;
	uint64_t offsets[HOOK_PROBES];
};

struct probe_set {
	size_t count;
	struct probe probes[2 * HOOK_FUNCTIONS];
};

static void probe_add(struct probe_set *set, const char *program, bool is_return, uint64_t offset)
{
	struct probe *probe = set->probes;

	while (probe < set->probes + set->count && strcmp(probe->program, program) != 0)
		probe++;
	if (probe == set->probes + set->count)
		set->count++;
	probe->program = program;
	probe->is_return = is_return;
	probe->offsets[probe->count++] = offset;
}

/*
 * One link for all places, where the kernel has such links: they cost the same
 * per hit, and detach in a tenth of the time.
 */
static int probe_attach(const struct probe *probe, const struct bpf_object *object, int fd,
			struct hook_links *links)
{
	int program = bpf_object_program(object, probe->program);
	char path[32];
	uint32_t i;
	int link, ret = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (bpf_feature_has(BPF_FEATURE_UPROBE_MULTI)) {
		link = link_create_uprobe_multi(program, path, probe->offsets, probe->count,
						probe->is_return);
		return link < 0 ? link : hook_links_add(links, link);
	}
	for (i = 0; !ret && i < probe->count; i++) {
		link = link_create_uprobe(program, path, probe->offsets[i], probe->is_return);
		ret = link < 0 ? link : hook_links_add(links, link);
	}
	return ret;
}

static const char *entry_program(const struct hook_probe *probe)
{
	if (probe->function->checked && probe->site.kind == INSN_JCC)
		return probe->function->checked;
	return probe->function->entry;
}

int hook_attach(const struct hook_plan *plan, const struct bpf_object *object, int fd,
		const char *path, struct hook_links *links, struct error *err)
{
	struct probe_set set = { 0 };
	size_t i;
	int ret;

	for (i = 0; i < plan->count; i++) {
		const struct hook_probe *probe = &plan->probes[i];
		uint64_t offset = probe->offset + probe->site.offset;

		probe_add(&set, entry_program(probe), false, offset);
		if (probe->function->on_return)
			probe_add(&set, probe->function->on_return, true, offset);
	}
	for (i = 0; i < set.count; i++) {
		ret = probe_attach(&set.probes[i], object, fd, links);
		if (ret)
			return error_set(err, ret, "cannot attach to %s: %s; %s", path,
					 strerror(-ret), link_uprobe_remedy(ret));
	}
	return 0;
}
