// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads the small objects of selftests/unit/bpf into the running kernel and
 * looks at what they do there: needs root, no network but loopback.
 */
#include <check.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <mntent.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "selftests/unit/bpf/objects.h"
#include "selftests/unit/suite.h"
#include "user/bpf/feature.h"
#include "user/bpf/link.h"
#include "user/bpf/map.h"
#include "user/bpf/object.h"
#include "user/bpf/syscall.h"

#define OPEN(object, name)                                                                       \
	ck_assert_msg(                                                                           \
		!bpf_object_open(&(object), #name, OBJECT_START(name), OBJECT_SIZE(name), &err), \
		"%s", err.text)
#define LOAD(object) ck_assert_msg(!bpf_object_load((object), &set, &err), "%s", err.text)

static struct error err;
static struct bpf_map_set set;

/* --- functions to be probed ------------------------------------------- */

__attribute__((noinline)) static uint64_t probed(uint64_t a, uint64_t b)
{
	__asm__ volatile("" : "+r"(a), "+r"(b)::"memory");
	return a * 1000 + b;
}

__attribute__((noinline)) static uint64_t probed_too(uint64_t a, uint64_t b)
{
	__asm__ volatile("" : "+r"(a), "+r"(b)::"memory");
	return a * 2000 + b;
}

struct place {
	uintptr_t address;
	uint64_t offset;
};

static int find_place(struct dl_phdr_info *info, size_t size, void *context)
{
	struct place *place = context;
	uintptr_t address = place->address - info->dlpi_addr;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD && address - segment->p_vaddr < segment->p_filesz)
			place->offset = address - segment->p_vaddr + segment->p_offset;
	}
	return 1;
}

static uint64_t offset_of(uint64_t (*function)(uint64_t, uint64_t))
{
	struct place place = { .address = (uintptr_t)function };

	dl_iterate_phdr(find_place, &place);
	ck_assert_uint_ne(place.offset, 0);
	return place.offset;
}

static uint64_t result(uint32_t index)
{
	uint64_t value = ~0ULL;

	ck_assert_int_eq(bpf_map_lookup(bpf_map_set_find(&set, "results"), &index, &value), 0);
	return value;
}

/* --- the loader -------------------------------------------------------- */

static void check_entry_results(uint32_t patched)
{
	ck_assert_uint_eq(result(0), 6);			  /* first argument */
	ck_assert_uint_eq(result(1), 42);			  /* second argument */
	ck_assert_uint_eq(result(2), 1 + 2 + 20);		  /* static function, .rodata */
	ck_assert_uint_eq(result(3), 3 * 5 + 4 + (41 ^ 30) + 20); /* global, calls two static */
	ck_assert_uint_eq(result(4), 45);			  /* bpf_loop: 0 + 1 + ... + 9 */
	ck_assert_uint_eq(result(5), patched);			  /* patched before loading */
	ck_assert_uint_eq(result(6), 101);			  /* .data */
	ck_assert_uint_eq(result(7), 2);			  /* .bss */
	ck_assert_uint_eq(result(8), 42);  /* global function with the context */
	ck_assert_uint_eq(result(13), 18); /* function in the program's section */
	ck_assert_uint_eq(result(9), 30);  /* variable index into .rodata */
}

START_TEST(functions_variables_and_probe)
{
	const uint32_t patched = 0xdecade;
	struct bpf_object *object;
	int link;

	OPEN(object, calls);
	ck_assert_int_eq(bpf_object_set(object, "patched", &patched, sizeof(patched)), 0);
	LOAD(object);
	link = link_create_uprobe(bpf_object_program(object, "on_entry"), "/proc/self/exe",
				  offset_of(probed), false);
	ck_assert_int_ge(link, 0);
	ck_assert_uint_eq(result(0), 0);
	ck_assert_uint_eq(probed(6, 42), 6042);
	check_entry_results(patched);
	close(link);
	probed(1, 1);
	ck_assert_uint_eq(result(1), 42); /* detached */
	bpf_object_close(object);
}
END_TEST

START_TEST(return_probe)
{
	struct bpf_object *object;
	char path[64];
	int link, exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	OPEN(object, calls);
	LOAD(object);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", exe);
	link = link_create_uprobe(bpf_object_program(object, "on_return"), path, offset_of(probed),
				  true);
	ck_assert_int_ge(link, 0);
	probed(7, 5);
	ck_assert_uint_eq(result(10), 7005);
	ck_assert_uint_eq(result(11), 1);
	ck_assert_uint_eq(result(0), 0);
	close(link);
	close(exe);
	bpf_object_close(object);
}
END_TEST

START_TEST(uprobe_multi)
{
	const uint64_t offsets[] = { offset_of(probed), offset_of(probed_too) };
	struct bpf_object *object;
	int entry, leave;

	OPEN(object, calls);
	bpf_object_use_uprobe_multi(object, true);
	LOAD(object);
	entry = link_create_uprobe_multi(bpf_object_program(object, "on_entry"), "/proc/self/exe",
					 offsets, 1, false);
	leave = link_create_uprobe_multi(bpf_object_program(object, "on_return"), "/proc/self/exe",
					 offsets, 2, true);
	ck_assert_int_eq(entry >= 0, bpf_feature_has(BPF_FEATURE_UPROBE_MULTI));
	ck_assert_int_eq(leave >= 0, entry >= 0);
	if (entry >= 0) {
		probed(6, 42);
		check_entry_results(7);
		ck_assert_uint_eq(result(10), 6042);
		probed_too(6, 43);
		ck_assert_uint_eq(result(10), 12043);
		ck_assert_uint_eq(result(11), 2);
		ck_assert_uint_eq(result(1), 42);
		close(entry);
		close(leave);
	}
	bpf_object_close(object);
}
END_TEST

START_TEST(shared_map)
{
	struct bpf_object *calls, *guarded;
	int link;

	OPEN(calls, calls);
	LOAD(calls);
	ck_assert_uint_eq(set.count, 1); /* "unused" was not named by any code */
	OPEN(guarded, guarded);
	LOAD(guarded);
	ck_assert_uint_eq(set.count, 1);
	link = link_create_uprobe(bpf_object_program(guarded, "guarded"), "/proc/self/exe",
				  offset_of(probed), false);
	ck_assert_int_ge(link, 0);
	probed(9, 0);
	ck_assert_uint_eq(result(12), 9);
	close(link);
	bpf_object_close(calls);
	bpf_object_close(guarded);
}
END_TEST

START_TEST(several_at_once)
{
	struct bpf_object *objects[3];
	const uint32_t yes = 1;

	OPEN(objects[0], calls);
	OPEN(objects[1], socket);
	OPEN(objects[2], guarded);
	ck_assert_msg(!bpf_object_load_all(objects, 3, &set, &err), "%s", err.text);
	ck_assert_int_ge(bpf_object_program(objects[0], "on_entry"), 0);
	ck_assert_int_ge(bpf_object_program(objects[1], "on_message"), 0);
	ck_assert_int_ge(bpf_object_program(objects[2], "guarded"), 0);
	ck_assert_uint_eq(set.count, 4);
	ck_assert_int_eq(bpf_object_load_all(objects, BPF_OBJECT_LOAD_MAX + 1, &set, &err), -E2BIG);
	bpf_object_close(objects[0]);
	bpf_object_close(objects[2]);
	OPEN(objects[0], calls);
	OPEN(objects[2], guarded);
	bpf_object_set(objects[2], "take_bad_branch", &yes, sizeof(yes));
	ck_assert_int_eq(bpf_object_load_all(&objects[0], 3, &set, &err), -EBUSY); /* socket is */
	ck_assert_ptr_nonnull(strstr(err.text, "BPF object socket: already loaded"));
	bpf_object_close(objects[1]);
	OPEN(objects[1], guarded);
	bpf_object_close(objects[0]);
	OPEN(objects[0], calls);
	bpf_object_set(objects[1], "take_bad_branch", &yes, sizeof(yes));
	ck_assert_int_eq(bpf_object_load_all(objects, 2, &set, &err), -EACCES);
	ck_assert_ptr_nonnull(strstr(err.text, "BPF object guarded: BPF program guarded: "));
	for (int i = 0; i < 3; i++)
		bpf_object_close(objects[i]);
}
END_TEST

START_TEST(shared_map_of_another_shape)
{
	struct bpf_object *calls, *mismatch;

	OPEN(calls, calls);
	LOAD(calls);
	OPEN(mismatch, mismatch);
	ck_assert_int_eq(bpf_object_load(mismatch, &set, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "map results"));
	ck_assert_ptr_nonnull(strstr(err.text, "value 8"));
	bpf_object_close(calls);
	bpf_object_close(mismatch);
}
END_TEST

static unsigned int count_lines(const char *text)
{
	unsigned int lines = *text ? 1 : 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

START_TEST(verifier_log)
{
	const uint32_t yes = 1;
	struct bpf_object *object;

	OPEN(object, guarded);
	ck_assert_int_eq(bpf_object_set(object, "take_bad_branch", &yes, sizeof(yes)), 0);
	ck_assert_int_eq(bpf_object_load(object, &set, &err), -EACCES);
	ck_assert_int_eq(err.code, -EACCES);
	ck_assert_ptr_nonnull(strstr(err.text, "BPF object guarded: BPF program guarded: "));
	ck_assert_ptr_nonnull(strstr(err.text, "map_value_or_null"));
	ck_assert_ptr_null(strchr(err.text, '\n'));
	ck_assert_ptr_nonnull(strstr(bpf_object_log(object), "map_value_or_null"));
	ck_assert_ptr_null(strstr(bpf_object_log(object), "processed "));
	ck_assert_uint_ge(count_lines(bpf_object_log(object)), 3);
	ck_assert_uint_le(count_lines(bpf_object_log(object)), 12);
	bpf_object_close(object);
}
END_TEST

START_TEST(global_functions_are_verified_alone)
{
	struct bpf_object *object;

	OPEN(object, unchecked);
	ck_assert_int_eq(bpf_object_load(object, &set, &err), -EACCES);
	ck_assert_ptr_nonnull(strstr(bpf_object_log(object), "mem_or_null"));
	bpf_object_close(object);
}
END_TEST

START_TEST(set_refuses)
{
	struct bpf_object *object;
	uint64_t wide = 0;
	uint32_t word = 0;

	OPEN(object, calls);
	ck_assert_int_eq(bpf_object_set(object, "no_such_variable", &word, sizeof(word)), -ENOENT);
	ck_assert_int_eq(bpf_object_set(object, "on_entry", &word, sizeof(word)), -ENOENT);
	ck_assert_int_eq(bpf_object_set(object, "patched", &wide, sizeof(wide)), -EINVAL);
	LOAD(object);
	ck_assert_int_eq(bpf_object_set(object, "patched", &word, sizeof(word)), -EBUSY);
	ck_assert_int_eq(bpf_object_load(object, &set, &err), -EBUSY);
	bpf_object_close(object);
}
END_TEST

START_TEST(damaged_object)
{
	struct bpf_object *object = NULL;

	ck_assert_int_eq(bpf_object_open(&object, "calls", OBJECT_START(calls), 100, &err),
			 -EINVAL);
	ck_assert_ptr_null(object);
	ck_assert_ptr_nonnull(strstr(err.text, "BPF object calls"));
	bpf_object_close(NULL);
}
END_TEST

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

START_TEST(nothing_left_open)
{
	unsigned int before = count_fds();
	struct bpf_object *object;
	const uint32_t yes = 1;

	OPEN(object, calls);
	LOAD(object);
	ck_assert_uint_eq(count_fds(), before + 3); /* two programs, one shared map */
	bpf_object_close(object);
	OPEN(object, guarded);
	bpf_object_set(object, "take_bad_branch", &yes, sizeof(yes));
	ck_assert_int_lt(bpf_object_load(object, &set, &err), 0);
	bpf_object_close(object);
	bpf_map_set_close(&set);
	ck_assert_uint_eq(count_fds(), before);
}
END_TEST

/* Exit status of a child that runs @function; 0 is success. */
static int in_child(int (*function)(void))
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(function());
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int load_as_nobody(void)
{
	struct bpf_object *object;

	if (setgid(65534) || setuid(65534) ||
	    bpf_object_open(&object, "socket", OBJECT_START(socket), OBJECT_SIZE(socket), &err))
		return 1;
	if (bpf_object_load(object, &set, &err) != -EPERM)
		return 2;
	return strstr(err.text, "CAP_BPF") ? 0 : 3;
}

START_TEST(without_privileges)
{
	ck_assert_int_eq(in_child(load_as_nobody), 0);
}
END_TEST

/* --- cgroups and sockets ---------------------------------------------- */

struct totals {
	uint64_t sockets, messages, bytes;
};

static char cgroup_path[256];

/* A cgroup of our own in the cgroup2 hierarchy, wherever that is mounted. */
static int make_cgroup(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent *entry;

	ck_assert_ptr_nonnull(mounts);
	while ((entry = getmntent(mounts)))
		if (strcmp(entry->mnt_type, "cgroup2") == 0)
			break;
	ck_assert_msg(entry != NULL, "no cgroup2 mount");
	snprintf(cgroup_path, sizeof(cgroup_path), "%s/kloak-test-%d", entry->mnt_dir, getpid());
	endmntent(mounts);
	ck_assert_int_eq(mkdir(cgroup_path, 0755), 0);
	return open(cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int enter_cgroup(void)
{
	char path[300];
	FILE *file;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup_path);
	file = fopen(path, "w");
	return !file || fputs("0", file) < 0 || fclose(file);
}

/* Connects to itself over loopback and sends two messages of 100 bytes. */
static int connect_and_send(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	char message[100] = "hello", received[200];
	int server;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &length) ||
	    connect(client, (struct sockaddr *)&address, length))
		return 1;
	server = accept(listener, NULL, NULL);
	if (send(client, message, 100, 0) != 100 || send(client, message, 100, 0) != 100 ||
	    recv(server, received, 200, MSG_WAITALL) != 200 || strcmp(received + 100, message) != 0)
		return 2;
	close(server);
	close(client);
	close(listener);
	return 0;
}

static int run_in_cgroup(void)
{
	return enter_cgroup() || connect_and_send();
}

/* In the cgroup the TLS ULP is refused with EPERM; elsewhere TCP says something else. */
static int set_ulp_errno(void)
{
	int fd;

	if (enter_cgroup())
		return 255;
	fd = socket(AF_INET, SOCK_STREAM, 0); /* belongs to the cgroup of its maker */
	return setsockopt(fd, IPPROTO_TCP, 31, "tls", 3) ? errno : 0;
}

static struct totals read_totals(void)
{
	struct totals totals;
	uint32_t zero = 0;

	ck_assert_int_eq(bpf_map_lookup(bpf_map_set_find(&set, "totals"), &zero, &totals), 0);
	return totals;
}

static void remove_cgroup(void)
{
	rmdir(cgroup_path);
}

START_TEST(cgroup_sockets)
{
	int cgroup = make_cgroup(), sockops, packets;
	struct bpf_object *object;

	OPEN(object, socket);
	LOAD(object);
	ck_assert_int_ge(bpf_map_set_find(&set, "states"), 0); /* socket storage, with BTF */
	ck_assert_int_eq(bpf_prog_attach_map(bpf_object_program(object, "on_message"),
					     bpf_map_set_find(&set, "sockets"), BPF_SK_MSG_VERDICT),
			 0);
	sockops = link_create_cgroup(bpf_object_program(object, "on_socket"), cgroup,
				     BPF_CGROUP_SOCK_OPS);
	ck_assert_int_ge(sockops, 0);
	packets = link_create_cgroup(bpf_object_program(object, "on_packet"), cgroup,
				     BPF_CGROUP_INET_EGRESS);
	ck_assert_int_ge(packets, 0);
	ck_assert_int_eq(in_child(connect_and_send), 0); /* outside of the cgroup */
	ck_assert_uint_eq(read_totals().sockets, 0);
	ck_assert_int_eq(in_child(run_in_cgroup), 0);
	ck_assert_uint_eq(read_totals().sockets, 1);
	ck_assert_uint_eq(read_totals().messages, 2);
	ck_assert_uint_eq(read_totals().bytes, 200);
	close(sockops);
	ck_assert_int_eq(in_child(run_in_cgroup), 0);
	ck_assert_uint_eq(read_totals().sockets, 1); /* detached */
	close(packets);
	bpf_object_close(object);
	close(cgroup);
}
END_TEST

START_TEST(cgroup_setsockopt)
{
	int cgroup = make_cgroup(), link;
	struct bpf_object *object;

	OPEN(object, socket);
	LOAD(object);
	ck_assert_int_ne(in_child(set_ulp_errno), EPERM);
	link = link_create_cgroup(bpf_object_program(object, "on_setsockopt"), cgroup,
				  BPF_CGROUP_SETSOCKOPT);
	ck_assert_int_ge(link, 0);
	ck_assert_int_eq(in_child(set_ulp_errno), EPERM);
	close(link);
	bpf_object_close(object);
	close(cgroup);
}
END_TEST

int main(void)
{
	const TTest *const load[] = {
		functions_variables_and_probe,
		return_probe,
		uprobe_multi,
		shared_map,
		several_at_once,
		shared_map_of_another_shape,
		verifier_log,
		global_functions_are_verified_alone,
		set_refuses,
		damaged_object,
		nothing_left_open,
		without_privileges,
	};
	const TTest *const cgroup[] = { cgroup_sockets, cgroup_setsockopt };
	TCase *const cases[] = {
		suite_case("load", load, ARRAY_SIZE(load), 60, require_objects, NULL),
		suite_case("cgroup", cgroup, ARRAY_SIZE(cgroup), 60, require_objects,
			   remove_cgroup),
	};

	return suite_run_cases("bpf_load", cases, ARRAY_SIZE(cases));
}
