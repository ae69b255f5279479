// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel knows of a process's hooks. Kloak pins nothing, but whoever may
 * (CAP_SYS_ADMIN, or CAP_BPF and CAP_PERFMON for what is asked here) can look through
 * all BPF objects of the machine by their numbers: links say where probes are (Linux
 * 6.8), maps say whose traffic keys passed. Of a key only its kind is looked at.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/abi.h"
#include "lib/cleanup.h"
#include "lib/text.h"
#include "user/bpf/map.h"
#include "user/bpf/syscall.h"
#include "user/bpf/walk.h"
#include "user/explain/explain.h"
#include "user/explain/proc_text.h"
#include "user/secret/memory.h"
#include "user/workload/cgroup.h"

#define OFFSETS_MAX	      HOOK_PROBES /* places of one link */
#define KEYS_MAX	      1024	  /* of one process that are looked at */
#define ENTRIES_MAX	      65536	  /* of a directory below /proc/PID */
#define MOUNTS_TEXT	      (4U << 20)
#define INITIAL_PID_NAMESPACE 4026531836U /* PROC_PID_INIT_INO, include/linux/proc_ns.h */

/* struct bpf_link_info of Linux 6.8 for uprobe_multi: absent from 6.1's headers. */
#define LINK_TYPE_UPROBE_MULTI 12

struct uprobe_multi_info {
	uint32_t type;
	uint32_t id;
	uint32_t program;
	uint32_t padding;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t path_size;
	uint32_t count;
	uint32_t flags;
	uint32_t pid;
};

/* --- where probes are -------------------------------------------------- */

/* The kernel cuts names. Programs of one place may differ in what follows the name. */
static bool is_program_of(const struct hook *hook, const char name[static BPF_OBJ_NAME_LEN])
{
	for (size_t i = 0; i < HOOK_FUNCTIONS && hook->functions[i].symbol; i++) {
		const char *entry = hook->functions[i].entry;

		if (strncmp(name, entry, strnlen(entry, BPF_OBJ_NAME_LEN - 1)) == 0)
			return true;
	}
	return false;
}

static void see_program(void *context, int fd)
{
	struct explain *explain = context;
	struct bpf_prog_info info = { 0 };

	if (bpf_info(fd, &info, sizeof(info)))
		return;
	for (size_t i = 0; i < hook_count; i++)
		explain->live.programs |= is_program_of(&hooks[i], info.name);
}

static void note_places(struct explain_file *file, size_t hook, const uint64_t *offsets,
			uint32_t count)
{
	const struct hook_plan *plan = &file->plans->by_hook[hook];

	for (size_t i = 0; i < plan->count; i++)
		for (uint32_t k = 0; k < count; k++)
			if (offsets[k] == plan->probes[i].offset + plan->probes[i].site.offset)
				plan->probes[i].attached = true;
}

static bool read_program_name(uint32_t id, char name[static BPF_OBJ_NAME_LEN])
{
	CLEANUP_FD int fd = bpf_walk_open(BPF_KIND_PROG, id);
	struct bpf_prog_info info = { 0 };

	if (fd < 0 || bpf_info(fd, &info, sizeof(info)))
		return false;
	memcpy(name, info.name, BPF_OBJ_NAME_LEN);
	return true;
}

/* One program may be in several hooks' objects, one for each way to pass arguments. */
static void note_attached(struct explain_file *file, const char name[static BPF_OBJ_NAME_LEN],
			  const uint64_t *offsets, uint32_t count)
{
	for (size_t i = 0; i < hook_count; i++)
		if (is_program_of(&hooks[i], name))
			note_places(file, i, offsets, count);
}

static void see_link(void *context, int fd)
{
	struct explain *explain = context;
	char path[PATH_MAX] = "", name[BPF_OBJ_NAME_LEN];
	uint64_t offsets[OFFSETS_MAX];
	struct uprobe_multi_info info = {
		.path = bpf_pointer(path),
		.offsets = bpf_pointer(offsets),
		.path_size = sizeof(path),
		.count = OFFSETS_MAX,
	};
	int ret = bpf_info(fd, &info, sizeof(info));

	if ((ret && ret != -ENOSPC) || info.type != LINK_TYPE_UPROBE_MULTI || !path[0])
		return;
	explain->live.links_known = true;
	if (!read_program_name(info.program, name))
		return;
	for (size_t i = 0; i < explain->count; i++) {
		struct explain_file *file = &explain->files[i];

		if (file->plans && file->real && strcmp(file->real, path) == 0)
			note_attached(file, name, offsets,
				      info.count < OFFSETS_MAX ? info.count : OFFSETS_MAX);
	}
}

/* --- whose keys were seen ------------------------------------------------ */

static bool has_shape(const struct bpf_map_info *info, const char *name, size_t key, size_t value)
{
	return strcmp(info->name, name) == 0 && info->key_size == key && info->value_size == value;
}

static void see_heads(struct explain *explain, int fd)
{
	uint32_t tgid = (uint32_t)explain->pid, head;

	if (!bpf_map_lookup(fd, &tgid, &head))
		explain->live.keys += head;
}

/* The newest of them; the map forgets old ones. */
static void see_keys(struct explain *explain, int fd)
{
	struct key_slot slot = { .tgid = (uint32_t)explain->pid };
	struct traffic_key key;
	uint64_t count;

	for (count = 0; count < explain->live.keys && count < KEYS_MAX; count++) {
		slot.index = (uint32_t)(explain->live.keys - 1 - count);
		if (bpf_map_lookup(fd, &slot, &key))
			continue;
		explain->live.kept++;
		explain->live.unserved += key.cipher == CIPHER_UNSUPPORTED;
		secret_wipe(&key, sizeof(key));
	}
}

/* Calls @visit for each number in a directory of /proc/PID. */
static void visit_numbers(pid_t pid, const char *directory, void (*visit)(void *data, long number),
			  void *data)
{
	const struct dirent *entry;
	char path[64];
	DIR *stream;
	int count;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, directory);
	stream = opendir(path);
	if (!stream)
		return;
	for (count = 0; count < ENTRIES_MAX && (entry = readdir(stream)); count++)
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			visit(data, strtol(entry->d_name, NULL, 10));
	closedir(stream);
}

struct staged_search {
	struct explain *explain;
	int map;
	struct staged *staged;
};

static void see_thread(void *data, long tid)
{
	struct staged_search *search = data;
	uint64_t id = (uint64_t)search->explain->pid << 32 | (uint32_t)tid;

	if (!bpf_map_lookup(search->map, &id, search->staged) && search->staged->pending)
		search->explain->live.staged++;
}

static void see_staged(struct explain *explain, int fd)
{
	CLEANUP_FREE struct staged *staged = malloc(sizeof(*staged));
	struct staged_search search = { explain, fd, staged };

	if (staged)
		visit_numbers(explain->pid, "task", see_thread, &search);
}

static void see_map(void *context, int fd)
{
	struct explain *explain = context;
	struct bpf_map_info info = { 0 };

	if (bpf_info(fd, &info, sizeof(info)))
		return;
	if (has_shape(&info, "key_heads", sizeof(uint32_t), sizeof(uint32_t)))
		see_heads(explain, fd);
	else if (has_shape(&info, "staged", sizeof(uint64_t), sizeof(struct staged)))
		see_staged(explain, fd);
}

static void see_ring(void *context, int fd)
{
	struct explain *explain = context;
	struct bpf_map_info info = { 0 };

	if (!bpf_info(fd, &info, sizeof(info)) &&
	    has_shape(&info, "keys", sizeof(struct key_slot), sizeof(struct traffic_key)))
		see_keys(explain, fd);
}

/* Numbers of processes in BPF maps are those of the initial pid namespace. */
static bool is_initial_namespace(void)
{
	struct stat status;

	return !stat("/proc/self/ns/pid", &status) && status.st_ino == INITIAL_PID_NAMESPACE;
}

static void ask_objects(struct explain *explain)
{
	struct explain_live *live = &explain->live;
	int ret;

	if (!is_initial_namespace()) {
		snprintf(live->unknown, sizeof(live->unknown),
			 "kloak explain runs in a pid namespace of its own: run it on the host");
		return;
	}
	ret = bpf_walk(BPF_KIND_PROG, see_program, explain);
	if (!ret)
		ret = bpf_walk(BPF_KIND_LINK, see_link, explain);
	if (!ret)
		ret = bpf_walk(BPF_KIND_MAP, see_map, explain);
	if (!ret && live->keys)
		ret = bpf_walk(BPF_KIND_MAP, see_ring, explain);
	if (ret == -EPERM || ret == -EACCES)
		snprintf(live->unknown, sizeof(live->unknown),
			 "looking at the kernel's BPF objects takes CAP_SYS_ADMIN: use sudo");
	else if (ret)
		snprintf(live->unknown, sizeof(live->unknown),
			 "the kernel does not show its BPF objects: %s", strerror(-ret));
}

/* --- what else /proc tells ------------------------------------------------- */

static char *proc_read(pid_t pid, const char *name)
{
	char path[64], *text = NULL;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return text_read(path, 1U << 16, &text) ? NULL : text;
}

static void see_descriptor(void *data, long number)
{
	struct explain *explain = data;
	char path[64], target[32];
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/%d/fd/%ld", explain->pid, number);
	size = readlink(path, target, sizeof(target) - 1);
	target[size < 0 ? 0 : size] = '\0';
	explain->live.io_uring |= strcmp(target, "anon_inode:[io_uring]") == 0;
}

/* The directory of the run's cgroup; @membership is cut up. */
static int open_workload(char *membership, const char *workload)
{
	CLEANUP_FREE char *mountinfo = NULL;
	struct cgroup_place place;
	char *name;

	if (text_read("/proc/self/mountinfo", MOUNTS_TEXT, &mountinfo) ||
	    cgroup_parse(mountinfo, membership, &place))
		return -ENOENT;
	name = strstr(place.own, workload);
	if (!name)
		return -ENOENT;
	name[strlen(workload)] = '\0'; /* the process may be in a cgroup below it */
	return open(place.own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A living kloak holds a lock on its cgroup: see user/workload/cgroup.h. */
static void see_run(struct explain *explain)
{
	CLEANUP_FREE char *membership = proc_read(explain->pid, "cgroup");
	CLEANUP_FD int fd = -1;

	if (!explain->live.workload[0] || !membership)
		return;
	fd = open_workload(membership, explain->live.workload);
	explain->live.run_over = fd >= 0 && !flock(fd, LOCK_SH | LOCK_NB);
}

void explain_ask_kernel(struct explain *explain)
{
	struct explain_live *live = &explain->live;
	CLEANUP_FREE char *cgroup = proc_read(explain->pid, "cgroup");
	CLEANUP_FREE char *ktls = proc_read(explain->pid, "net/tls_stat");

	if (cgroup)
		proc_workload(cgroup, live->workload, sizeof(live->workload));
	see_run(explain);
	live->ktls = ktls && proc_uses_ktls(ktls);
	visit_numbers(explain->pid, "fd", see_descriptor, explain);
	ask_objects(explain);
}
