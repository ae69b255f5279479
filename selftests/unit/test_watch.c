// SPDX-License-Identifier: GPL-2.0-only
/*
 * user/attach/watch and sideband: real processes map real files, and each file is
 * handed out once, whatever became of its name. Every test runs twice: watched
 * by cgroup and by inheritance.
 */
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "selftests/unit/scratch.h"
#include "selftests/unit/suite.h"
#include "user/attach/watch.h"
#include "user/workload/cgroup.h"

#define FILES_MAX      64
#define FLOOD	       5000 /* mappings: several times what a ring holds */
#define ROUNDS	       30   /* several rings, */
#define ROUND_MAPPINGS 100  /* of which one holds so many */

static char file[64], other[64]; /* names for the tests in the directory */

static struct watch watch;
static struct seen seen;
static struct stat taken[FILES_MAX];
static char taken_path[FILES_MAX][64];
static size_t taken_count;

static struct cgroup_place place;
static struct cgroup cgroup;
static pid_t child;
static int to_child, from_child; /* and the other ends, in the child */

/* --- the watched process ----------------------------------------------- */

static void copy_file(const char *from, const char *to)
{
	char command[512];

	snprintf(command, sizeof(command), "cp %s %s && chmod 755 %s", from, to, to);
	ck_assert_int_eq(system(command), 0);
}

static void map_file(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		_exit(9);
	close(fd);
}

static void say_done(void)
{
	if (write(from_child, "d", 1) != 1)
		_exit(9);
}

/* Should a test fail, nobody ends its processes: so they end with it. */
static pid_t fork_mortal(void)
{
	pid_t pid = fork();

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	return pid;
}

/* What the process does, between the word to begin and its end. */
typedef void (*action)(void);

static void start_child(action act)
{
	int go[2], done[2];
	char byte;

	ck_assert_int_eq(pipe2(go, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(done, O_CLOEXEC), 0);
	child = fork_mortal();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		setpgid(0, 0);
		from_child = done[1];
		to_child = go[0];
		if (read(go[0], &byte, 1) != 1)
			_exit(9);
		act();
		say_done();
		(void)!read(go[0], &byte, 1);
		_exit(0);
	}
	to_child = go[1];
	from_child = done[0];
	close(go[0]);
	close(done[1]);
}

static void await_done(void)
{
	char byte;

	ck_assert_int_ge(read(from_child, &byte, 1), 0);
}

/* Lets the process act, and returns when it has, or executes a program. */
static void let_act(void)
{
	ck_assert_int_eq(write(to_child, "g", 1), 1);
	await_done();
}

/* Failing, the process would have ended itself, and with another status. */
static void end_child(void)
{
	int status;

	kill(-child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFSIGNALED(status), "status %#x", status);
	close(to_child);
	close(from_child);
	child = 0;
}

/* --- the watcher ------------------------------------------------------- */

static bool take(void *data, const struct foreign_file *mapped, const char *path)
{
	ck_assert_ptr_eq(data, &seen);
	ck_assert_uint_lt(taken_count, FILES_MAX);
	ck_assert_int_eq(fstat(mapped->fd, &taken[taken_count]), 0);
	snprintf(taken_path[taken_count++], sizeof(taken_path[0]), "%s", path);
	return false;
}

static void start_watch(bool by_cgroup)
{
	struct watch_options options = {
		.cgroup = -1,
		.pid = child,
		.seen = &seen,
		.attach = take,
		.data = &seen,
		.cgroup_path = scratch,
	};

	if (by_cgroup) {
		ck_assert_int_eq(cgroup_find(&place, NULL), 0);
		ck_assert_int_eq(cgroup_create(&place, &cgroup, NULL), 0);
		ck_assert_int_eq(cgroup_enter(cgroup.fd, child), 0);
		options.cgroup = cgroup.fd;
		options.cgroup_path = cgroup.path;
	}
	ck_assert_int_eq(watch_open(&watch, &options), 0);
}

static unsigned int times_taken(const struct stat *status)
{
	unsigned int times = 0;
	size_t i;

	for (i = 0; i < taken_count; i++)
		times += taken[i].st_ino == status->st_ino && taken[i].st_dev == status->st_dev;
	return times;
}

static struct stat status_of(const char *path)
{
	struct stat status;

	ck_assert_int_eq(stat(path, &status), 0);
	return status;
}

static void set_up(void)
{
	scratch_make();
	strcpy(file, scratch_path("file"));
	strcpy(other, scratch_path("other"));
	copy_file("/bin/true", file);
	copy_file("/bin/true", other);
	cgroup.fd = -1;
}

static void tear_down(void)
{
	unsigned int left;

	watch_close(&watch);
	seen_release(&seen);
	if (child > 0)
		end_child();
	if (cgroup.fd >= 0)
		ck_assert_int_eq(cgroup_remove(&cgroup, &left), 0);
	scratch_remove();
}

/* --- what is seen ------------------------------------------------------ */

static void load_library(void)
{
	if (!dlopen(file, RTLD_NOW))
		_exit(9);
}

START_TEST(library_by_path)
{
	struct stat status;
	Dl_info zlib;

	ck_assert_int_ne(dladdr((void *)(uintptr_t)zlibVersion, &zlib), 0);
	copy_file(zlib.dli_fname, file);
	status = status_of(file);
	start_child(load_library);
	start_watch(_i);
	let_act();
	watch_poll(&watch);
	ck_assert_uint_eq(times_taken(&status), 1);
	ck_assert_uint_eq(taken_count, 1);
	ck_assert_str_eq(taken_path[0], file);
}
END_TEST

static void execute(void)
{
	execl(file, "sleep", "1000", NULL);
	_exit(9);
}

START_TEST(executed)
{
	struct stat status;

	copy_file("/bin/sleep", file);
	status = status_of(file);
	start_child(execute);
	start_watch(_i);
	let_act();
	watch_poll(&watch);
	ck_assert_uint_eq(times_taken(&status), 1);
}
END_TEST

static void execute_in_child(void)
{
	int done[2];
	char byte;

	if (pipe2(done, O_CLOEXEC))
		_exit(9);
	if (fork_mortal() == 0)
		execute();
	close(done[1]);
	(void)!read(done[0], &byte, 1);
}

/* The program, and the libraries that it loads. */
START_TEST(executed_by_grandchild)
{
	struct stat status;

	copy_file("/bin/sleep", file);
	status = status_of(file);
	start_child(execute_in_child);
	start_watch(_i);
	let_act();
	usleep(100000);
	watch_poll(&watch);
	ck_assert_uint_eq(times_taken(&status), 1);
	ck_assert_uint_ge(taken_count, 3);
}
END_TEST

static void map_and_delete(void)
{
	map_file(file);
	if (unlink(file))
		_exit(9);
}

START_TEST(deleted)
{
	struct stat status = status_of(file);

	start_child(map_and_delete);
	start_watch(_i);
	let_act();
	watch_poll(&watch);
	ck_assert_uint_eq(times_taken(&status), 1);
	ck_assert_uint_eq(taken_count, 1);
}
END_TEST

static void map_and_replace(void)
{
	map_file(file);
	if (rename(other, file))
		_exit(9);
}

/* The file that is mapped, not the one that has its name now. */
START_TEST(replaced)
{
	struct stat status = status_of(file), status_other = status_of(other);

	start_child(map_and_replace);
	start_watch(_i);
	let_act();
	watch_poll(&watch);
	ck_assert_uint_eq(times_taken(&status), 1);
	ck_assert_uint_eq(times_taken(&status_other), 0);
}
END_TEST

/* The report names a mapping that is not there any more: the path still leads to the file. */
static void map_and_cut(void)
{
	int fd = open(file, O_RDONLY);
	char *memory = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	if (memory == MAP_FAILED || munmap(memory, 4096))
		_exit(9);
}

START_TEST(cut_up)
{
	struct stat status = status_of(file);

	start_child(map_and_cut);
	start_watch(_i);
	let_act();
	watch_poll(&watch);
	ck_assert_uint_eq(times_taken(&status), 1);
}
END_TEST

static void map_cut_and_replace(void)
{
	map_and_cut();
	if (rename(other, file))
		_exit(9);
}

START_TEST(cut_up_and_replaced)
{
	start_child(map_cut_and_replace);
	start_watch(_i);
	let_act();
	watch_poll(&watch);
	ck_assert_uint_eq(taken_count, 0);
}
END_TEST

static void map_twice(void)
{
	map_file(file);
	if (fork_mortal() == 0) {
		map_file(file);
		map_file(other);
		say_done();
		pause();
	}
}

START_TEST(once_each)
{
	struct stat status = status_of(file), status_other = status_of(other);

	ck_assert_int_eq(seen_add(&seen, &status_other, false), 0);
	start_child(map_twice);
	start_watch(_i);
	let_act();
	await_done(); /* by its child */
	watch_poll(&watch);
	watch_poll(&watch);
	ck_assert_uint_eq(times_taken(&status), 1);
	ck_assert_uint_eq(times_taken(&status_other), 0);
}
END_TEST

static void map_others(void)
{
	int fd = open(file, O_RDONLY);

	/* Not executable; executable, but no file; a file, but gone. */
	if (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ||
	    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		    MAP_FAILED)
		_exit(9);
	if (fork_mortal() == 0) {
		map_file(other);
		unlink(other);
		_exit(0);
	}
	wait(NULL);
}

START_TEST(nothing_to_take)
{
	start_child(map_others);
	start_watch(_i);
	let_act();
	watch_poll(&watch);
	ck_assert_uint_eq(taken_count, 0);
}
END_TEST

static bool is_readable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

static void map_one(void)
{
	map_file(file);
}

START_TEST(readiness)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	start_child(map_one);
	start_watch(_i);
	ck_assert_int_eq(watch_register(&watch, epoll), 0);
	ck_assert(!is_readable(epoll));
	let_act();
	ck_assert(is_readable(epoll));
	watch_poll(&watch);
	ck_assert_uint_eq(taken_count, 1);
	ck_assert(!is_readable(epoll));
	close(epoll);
}
END_TEST

/* --- too much at a time ------------------------------------------------ */

/* All into one ring, which is full when the last is made. */
static void flood(void)
{
	int fd = open(other, O_RDONLY), i;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		_exit(9);
	for (i = 0; i < FLOOD; i++) {
		/* Two pages: not the same range as the last one, by which it would be found. */
		void *memory = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

		if (memory == MAP_FAILED || munmap(memory, 8192))
			_exit(9);
	}
	map_file(file);
}

/* For the watch by inheritance, a directory that looks like a cgroup will do. */
static void write_procs(void)
{
	char text[16];

	snprintf(text, sizeof(text), "%d\n", child);
	scratch_write("cgroup.procs", text, 0644);
}

START_TEST(lost_reports)
{
	struct stat status = status_of(file);

	start_child(flood);
	write_procs();
	start_watch(_i);
	let_act();
	watch_poll(&watch);
	ck_assert_uint_eq(times_taken(&status), 1);
}
END_TEST

/* What it mapped was before the watch, so no report tells. */
START_TEST(came_from_elsewhere)
{
	struct stat status = status_of(file);

	start_child(map_one);
	let_act();
	write_procs();
	start_watch(_i);
	watch_poll(&watch);
	ck_assert_uint_eq(times_taken(&status), 0);
	watch_count(&watch);
	ck_assert_uint_eq(times_taken(&status), 1);
	watch_count(&watch);
	ck_assert_uint_eq(times_taken(&status), 1);
}
END_TEST

static void map_in_rounds(void)
{
	char byte;
	int i;

	for (i = 1; i < ROUNDS * ROUND_MAPPINGS; i++) {
		map_file(other);
		if (i % ROUND_MAPPINGS)
			continue;
		say_done();
		if (read(to_child, &byte, 1) != 1)
			_exit(9);
	}
	map_file(other);
}

static void count(void *data, const struct mapping *mapping)
{
	*(unsigned int *)data += mapping->pid == child && strcmp(mapping->path, other) == 0;
}

/* Over the end of the ring: not one report less, not one more. */
START_TEST(round_and_round)
{
	unsigned int total = 0;
	int round;

	start_child(map_in_rounds);
	start_watch(_i);
	for (round = 1; round <= ROUNDS; round++) {
		let_act();
		ck_assert(!sideband_read(&watch.sideband, count, &total));
		ck_assert_uint_eq(total, round * ROUND_MAPPINGS);
	}
}
END_TEST

START_TEST(no_such_process)
{
	struct sideband sideband;

	ck_assert_int_eq(sideband_open(&sideband, -1, 0x3fffffff), -ESRCH);
	ck_assert_uint_eq(sideband.count, 0);
	sideband_close(&sideband);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		library_by_path,
		executed,
		executed_by_grandchild,
		deleted,
		replaced,
		cut_up,
		cut_up_and_replaced,
		once_each,
		nothing_to_take,
		readiness,
		lost_reports,
		round_and_round,
		came_from_elsewhere,
	};
	TCase *const cases[] = {
		suite_case("watched", NULL, 0, 60, set_up, tear_down),
		suite_case("failing", &no_such_process, 1, 0, NULL, NULL),
	};

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_loop_test(cases[0], tests[i], 0, 2);
	return suite_run_cases("watch", cases, ARRAY_SIZE(cases));
}
