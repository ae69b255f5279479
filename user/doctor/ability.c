// SPDX-License-Identifier: GPL-2.0-only
/* Checks that try the thing. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/cleanup.h"
#include "lib/text.h"
#include "user/bpf/feature.h"
#include "user/doctor/checks.h"
#include "user/workload/caps.h"
#include "user/workload/cgroup.h"
#include "user/workload/netns.h"

#define MEMLOCK_NEEDED (64 << 20) /* bytes: the maps of one run, before 5.11 */

#define AS_ROOT "run kloak as root, for example with sudo"

/*
 * Tried with each left out, on 6.18: programs of the hooks want BPF and PERFMON,
 * those of sockets NET_ADMIN; SYS_ADMIN stands for all three.
 */
static const struct {
	unsigned int cap;
	enum doctor_verdict verdict; /* if it is missing */
	bool covered;		     /* SYS_ADMIN does as well */
} needed[] = {
	{ CAP_BPF, DOCTOR_FAIL, true },
	{ CAP_PERFMON, DOCTOR_FAIL, true },
	{ CAP_NET_ADMIN, DOCTOR_FAIL, true },
	{ CAP_SETPCAP, DOCTOR_FAIL, false }, /* the command's bounding set */
	{ CAP_SETUID, DOCTOR_WARN, false },  /* --user, sudo */
	{ CAP_SETGID, DOCTOR_WARN, false },
	{ CAP_KILL, DOCTOR_WARN, false },	/* signals to a command of another user */
	{ CAP_SYS_PTRACE, DOCTOR_WARN, false }, /* its libraries that are mapped later */
};

void check_capabilities(const char *root, struct doctor_finding *finding)
{
	uint64_t effective = caps_effective();
	enum doctor_verdict verdict = DOCTOR_OK;
	char missing[200] = "";

	(void)root;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		size_t used = strlen(missing);

		if (effective & CAP_BIT(needed[i].cap) ||
		    (needed[i].covered && effective & CAP_BIT(CAP_SYS_ADMIN)))
			continue;
		if (needed[i].verdict > verdict)
			verdict = needed[i].verdict;
		snprintf(missing + used, sizeof(missing) - used, " %s", caps_name(needed[i].cap));
	}
	if (verdict == DOCTOR_OK)
		doctor_set(finding, verdict, NULL, "all that are needed");
	else
		doctor_set(finding, verdict, AS_ROOT, "missing:%s", missing);
}

struct trial {
	enum bpf_feature feature;
	const char *remedy; /* if the kernel does not have it */
};

static void try(const struct trial *trial, struct doctor_finding *finding)
{
	int ret = bpf_feature_probe(trial->feature);
	bool denied = ret == -EPERM || ret == -EACCES;

	if (!ret)
		doctor_set(finding, DOCTOR_OK, NULL, "works");
	else
		doctor_set(finding, DOCTOR_FAIL, denied ? AS_ROOT : trial->remedy, "%s: %s",
			   bpf_feature_name(trial->feature), strerror(-ret));
}

void check_programs(const char *root, struct doctor_finding *finding)
{
	static const struct trial trials[] = {
		{ BPF_FEATURE_PROGRAM, "the kernel needs CONFIG_BPF_SYSCALL and "
				       "CONFIG_BPF_EVENTS; a container may also forbid bpf(2)" },
		{ BPF_FEATURE_LOOP, "use Linux 6.1 or later" },
	};

	(void)root;
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		try(&trials[i], finding);
		if (finding->verdict != DOCTOR_OK)
			return;
	}
	doctor_set(finding, DOCTOR_OK, NULL, "programs load, bpf_loop works");
}

void check_ringbuf(const char *root, struct doctor_finding *finding)
{
	(void)root;
	try(&(struct trial){ BPF_FEATURE_RINGBUF, "use Linux 6.1 or later" }, finding);
}

/*
 * From 7.0 on the kernel gives a socket its storage with cmpxchg16b, which every
 * real x86-64 CPU has, but not every virtual one.
 */
void check_storage(const char *root, struct doctor_finding *finding)
{
	char path[PATH_MAX];
	CLEANUP_FREE char *cpu = NULL;

	try(&(struct trial){ BPF_FEATURE_SK_STORAGE, "use Linux 6.1 or later" }, finding);
	snprintf(path, sizeof(path), "%s/proc/cpuinfo", root);
	if (finding->verdict == DOCTOR_OK && text_read(path, 16 << 20, &cpu) == 0 &&
	    strstr(cpu, "\nflags") && !strstr(cpu, " cx16"))
		doctor_set(finding, DOCTOR_WARN, "give the virtual machine a CPU with cx16",
			   "this CPU has no cmpxchg16b: Linux 7 refuses sockets their storage");
}

void check_sockhash(const char *root, struct doctor_finding *finding)
{
	(void)root;
	try(&(struct trial){ BPF_FEATURE_SOCKHASH, "the kernel needs CONFIG_BPF_STREAM_PARSER" },
	    finding);
}

/* The PMU may be denied where uprobe_multi links are not; then the latter do. */
void check_uprobes(const char *root, struct doctor_finding *finding)
{
	static const struct trial sleepable = {
		BPF_FEATURE_SLEEPABLE_UPROBE,
		"the kernel needs CONFIG_UPROBE_EVENTS; use Linux 6.1 or later",
	};
	bool multi = bpf_feature_has(BPF_FEATURE_UPROBE_MULTI);

	(void)root;
	try(&sleepable, finding);
	if (finding->verdict == DOCTOR_OK)
		doctor_set(finding, DOCTOR_OK, NULL, "sleepable; PMU%s",
			   multi ? " and uprobe_multi links" : " (no uprobe_multi links: 6.6)");
	else if (multi)
		doctor_set(finding, DOCTOR_OK, NULL,
			   "uprobe_multi links (the PMU is denied: it needs CAP_SYS_ADMIN here)");
}

static void examine_level(const struct cgroup_place *place, struct doctor_finding *finding)
{
	struct error err = { 0 };
	int level = cgroup_level(place, &err);
	bool hybrid = strcmp(place->mount, "/sys/fs/cgroup/unified") == 0;

	if (level < 0)
		doctor_set(finding, DOCTOR_FAIL, err.text, "%.150s, depth unknown", place->own);
	else
		doctor_set(finding, DOCTOR_OK, NULL, "%.150s, depth %d%s", place->own, level,
			   hybrid ? " (hybrid layout)" : "");
}

void check_cgroup(const char *root, struct doctor_finding *finding)
{
	struct cgroup_place place;
	struct error err = { 0 };
	struct cgroup cgroup;
	unsigned int left;

	(void)root;
	if (cgroup_find(&place, &err)) {
		doctor_set(finding, DOCTOR_FAIL, err.text, "not found");
	} else if (cgroup_create(&place, &cgroup, &err)) {
		doctor_set(finding, DOCTOR_FAIL, err.text, "%.150s cannot be used", place.own);
	} else {
		cgroup_remove(&cgroup, &left);
		examine_level(&place, finding);
	}
}

void check_netns(const char *root, struct doctor_finding *finding)
{
	uint64_t cookie;
	int ret = workload_netns_cookie(&cookie);

	(void)root;
	if (ret)
		doctor_set(finding, DOCTOR_FAIL, "use Linux 6.1 or later", "SO_NETNS_COOKIE: %s",
			   strerror(-ret));
	else
		doctor_set(finding, DOCTOR_OK, NULL, "%llu", (unsigned long long)cookie);
}

/* Matters before 5.11 only: the kernel then counts BPF memory against it. */
void check_memlock(const char *root, struct doctor_finding *finding)
{
	struct doctor_finding kernel;
	struct rlimit limit;

	check_kernel(root, &kernel);
	if (getrlimit(RLIMIT_MEMLOCK, &limit))
		limit = (struct rlimit){ 0, 0 };
	if (kernel.verdict == DOCTOR_OK || limit.rlim_max >= MEMLOCK_NEEDED ||
	    caps_effective() & CAP_BIT(CAP_SYS_RESOURCE))
		doctor_set(finding, DOCTOR_OK, NULL, "enough for BPF");
	else
		doctor_set(finding, DOCTOR_WARN, "ulimit -l unlimited, or CAP_SYS_RESOURCE",
			   "%llu KB: Linux before 5.11 counts BPF memory against it",
			   (unsigned long long)limit.rlim_max / 1024);
}
