// SPDX-License-Identifier: GPL-2.0-only
/* Checks that try the thing. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/text.h"
#include "user/attach/sideband.h"
#include "user/bpf/feature.h"
#include "user/bpf/link.h"
#include "user/bpf/syscall.h"
#include "user/doctor/checks.h"
#include "user/workload/caps.h"
#include "user/workload/cgroup.h"
#include "user/workload/netns.h"

#define MEMLOCK_NEEDED (64 << 20) /* bytes: the maps of one run, before 5.11 */

#define AS_ROOT "run kloak as root, for example with sudo"

/*
 * Tried with each left out, on 6.1, 6.12, 6.18 and 7.3 (selftests/system/doctor.py):
 * programs of the hooks want BPF and PERFMON, those of sockets NET_ADMIN. SYS_ADMIN
 * stands for all three, for the last from 6.9 on only.
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
	{ CAP_SYS_ADMIN, DOCTOR_FAIL, false },	/* the uprobe PMU */
};

/* Does another one, or this kernel, do without? */
static bool is_dispensable(unsigned int cap, bool covered, uint64_t effective)
{
	if (cap == CAP_SYS_ADMIN)
		return !(effective & CAP_BIT(CAP_BPF)) || bpf_feature_has(BPF_FEATURE_UPROBE_MULTI);
	return covered && effective & CAP_BIT(CAP_SYS_ADMIN) &&
	       (cap != CAP_NET_ADMIN || bpf_feature_has(BPF_FEATURE_SOCKHASH));
}

void check_capabilities(const char *root, struct doctor_finding *finding)
{
	uint64_t effective = caps_effective();
	enum doctor_verdict verdict = DOCTOR_OK;
	char missing[200] = "";

	(void)root;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		size_t used = strlen(missing);

		if (effective & CAP_BIT(needed[i].cap) ||
		    is_dispensable(needed[i].cap, needed[i].covered, effective))
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
		doctor_set(finding, DOCTOR_FAIL, bpf_remedy(ret, denied ? AS_ROOT : trial->remedy),
			   "%s: %s", bpf_feature_name(trial->feature), strerror(-ret));
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

void check_storage(const char *root, struct doctor_finding *finding)
{
	int ret = bpf_feature_probe(BPF_FEATURE_SK_STORAGE);

	(void)root;
	try(&(struct trial){ BPF_FEATURE_SK_STORAGE,
			     ret == -ENOMEM ? "give the virtual machine a CPU model with cx16 "
					      "(QEMU: -cpu max), or use an older kernel"
					    : "use Linux 6.1 or later" },
	    finding);
}

void check_sockhash(const char *root, struct doctor_finding *finding)
{
	(void)root;
	try(&(struct trial){ BPF_FEATURE_SOCKHASH, "the kernel needs CONFIG_BPF_STREAM_PARSER" },
	    finding);
}

/* As a run does: by uprobe_multi links where the kernel has them, else by the PMU. */
void check_uprobes(const char *root, struct doctor_finding *finding)
{
	bool multi = bpf_feature_has(BPF_FEATURE_UPROBE_MULTI);
	enum bpf_feature feature = multi ? BPF_FEATURE_MULTI_PROBE : BPF_FEATURE_SLEEPABLE_UPROBE;
	int ret = bpf_feature_probe(feature);

	(void)root;
	if (ret)
		doctor_set(finding, DOCTOR_FAIL, link_uprobe_remedy(ret), "%s: %s",
			   bpf_feature_name(feature), strerror(-ret));
	else
		doctor_set(finding, DOCTOR_OK, NULL, "a probe on kloak itself fired (%s)",
			   multi ? "uprobe_multi link" : "PMU; uprobe_multi links: from 6.6");
}

/* The reports of the kernel by which a run learns of libraries that are mapped later. */
void check_watch(const char *root, struct doctor_finding *finding)
{
	struct sideband sideband;
	int ret = sideband_open(&sideband, -1, getpid());

	(void)root;
	if (ret) {
		doctor_set(finding, DOCTOR_WARN, bpf_remedy(ret, AS_ROOT),
			   "mappings are not reported (%s): only libraries that are known at the "
			   "start are served",
			   strerror(-ret));
		return;
	}
	sideband_close(&sideband);
	doctor_set(finding, DOCTOR_OK, NULL, "mappings are reported");
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
