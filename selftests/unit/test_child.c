// SPDX-License-Identifier: GPL-2.0-only
/*
 * The protected command: what it inherits, how it is found and executed, which
 * signals it gets; and what is left of Kloak's own powers. The commands are sh,
 * cat, sleep, and this program itself in one of its modes.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "selftests/unit/run_command.h"
#include "selftests/unit/scratch.h"
#include "selftests/unit/suite.h"
#include "user/workload/account.h"
#include "user/workload/caps.h"
#include "user/workload/cgroup.h"
#include "user/workload/child.h"
#include "user/workload/netns.h"
#include "user/workload/protect.h"

#define FDS 64

static char self[PATH_MAX];
static struct account me;

/* ---- modes of this program as a command ---- */

static void list_inheritable(char text[static FDS + 1])
{
	for (int fd = 0; fd < FDS; fd++) {
		int flags = fcntl(fd, F_GETFD);

		text[fd] = flags >= 0 && !(flags & FD_CLOEXEC) ? '1' : '0';
	}
	text[FDS] = '\0';
}

static int mode_fds(void)
{
	char text[FDS + 1];

	list_inheritable(text);
	puts(text);
	return 0;
}

static volatile sig_atomic_t interrupts;

static void count_interrupt(int signal)
{
	(void)signal;
	interrupts++;
}

/* Exits with the number of SIGINTs that came within half a second of the first. */
static int mode_interrupts(void)
{
	signal(SIGINT, count_interrupt);
	if (write(1, "ready\n", 6) != 6)
		return 99;
	for (int i = 0; i < 100 && !interrupts; i++)
		usleep(50000);
	for (int i = 0; i < 10; i++)
		usleep(50000);
	return interrupts;
}

static int mode_main(const char *mode)
{
	if (strcmp(mode, "--fds") == 0)
		return mode_fds();
	if (strcmp(mode, "--interrupts") == 0)
		return mode_interrupts();
	return 98;
}

/* ---- what the command inherits ---- */

START_TEST(only_the_callers_fds_are_inherited)
{
	struct child_options options = { .cgroup = -1 };
	char *const argv[] = { self, "--fds", NULL };
	struct cgroup_place place;
	struct cgroup cgroup;
	unsigned int left;
	char expected[FDS + 1];
	struct result result;
	struct error err = { 0 };
	int given = fcntl(1, F_DUPFD, 20);

	ck_assert_int_ge(given, 20);
	list_inheritable(expected);
	ck_assert_msg(cgroup_find(&place, &err) == 0, "%s", err.text);
	ck_assert_msg(cgroup_create(&place, &cgroup, &err) == 0, "%s", err.text);
	options.cgroup = cgroup.fd;
	ck_assert_msg(run(&options, argv, &result, &err) == 0, "%s", err.text);
	result.output[strcspn(result.output, "\n")] = '\0';
	ck_assert_int_eq(expected[given], '1');
	ck_assert_str_eq(result.output, expected);
	ck_assert_int_eq(cgroup_remove(&cgroup, &left), 0);
}
END_TEST

START_TEST(signal_state_is_inherited)
{
	struct child_options options = { .cgroup = -1 };
	char *const argv[] = { "cat", "/proc/self/status", NULL };
	struct result result;
	sigset_t blocked;

	/* cat, for a shell may change its own */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	ck_assert_int_eq(sigprocmask(SIG_SETMASK, &blocked, NULL), 0);
	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* and yet the status is known */
	ck_assert_int_eq(run(&options, argv, &result, NULL), 0);
	ck_assert(WIFEXITED(result.status) && WEXITSTATUS(result.status) == 0);
	ck_assert_uint_eq(status_mask(result.output, "SigBlk"), 1ULL << (SIGUSR2 - 1));
	ck_assert_uint_eq(status_mask(result.output, "SigIgn") & ~(3ULL << 31),
			  1ULL << (SIGHUP - 1) | 1ULL << (SIGCHLD - 1));
	signal(SIGCHLD, SIG_DFL);
}
END_TEST

START_TEST(limits_are_restored)
{
	struct rlimit core = { 4096 * 1024, 8192 * 1024 }, memlock;
	struct protect_limits limits;
	struct child_options options = { .cgroup = -1, .limits = &limits };
	struct result result;
	struct error err = { 0 };
	char expected[64];

	ck_assert_int_eq(setrlimit(RLIMIT_CORE, &core), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_MEMLOCK, &memlock), 0);
	ck_assert_msg(protect_self(&limits, &err) == 0, "%s", err.text);
	ck_assert_int_eq(getrlimit(RLIMIT_CORE, &core), 0);
	ck_assert_uint_eq(core.rlim_cur, 0);
	memlock.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &memlock), 0);
	run_shell(&options, "grep -E 'core|locked' /proc/self/limits", &result);
	snprintf(expected, sizeof(expected), "%d", 4096 * 1024);
	ck_assert_msg(strstr(result.output, expected), "%s", result.output);
	snprintf(expected, sizeof(expected), "%llu", (unsigned long long)limits.memlock.rlim_cur);
	if (limits.memlock.rlim_cur != RLIM_INFINITY)
		ck_assert_msg(strstr(result.output, expected), "%s", result.output);
}
END_TEST

/* ---- finding and executing ---- */

static void set_up(void)
{
	scratch_make();
	forget_sudo();
	ck_assert_int_eq(account_find(NULL, &me, NULL), 0);
}

static void expect_status(const char *command, int expected)
{
	struct child_options options = { .cgroup = -1 };
	struct result result;

	run_shell(&options, command, &result);
	ck_assert_int_eq(result.status, expected);
}

START_TEST(status_is_the_commands)
{
	expect_status("exit 0", 0);
	expect_status("exit 3", 3 << 8);
	expect_status("exit 255", 255 << 8);
	expect_status("kill -TERM $$", SIGTERM);
	expect_status("kill -KILL $$", SIGKILL);
}
END_TEST

static void expect_exit_code(int status, int expected)
{
	pid_t pid = fork();
	int got;

	if (pid == 0)
		_exit(child_exit_code(status));
	ck_assert_int_eq(waitpid(pid, &got, 0), pid);
	ck_assert_int_eq(got, expected);
}

START_TEST(kloak_ends_like_the_command)
{
	struct rlimit core = { RLIM_INFINITY, RLIM_INFINITY };

	ck_assert_int_eq(setrlimit(RLIMIT_CORE, &core), 0);
	ck_assert_int_eq(chdir(scratch), 0);
	expect_exit_code(0, 0);
	expect_exit_code(7 << 8, 7 << 8);
	expect_exit_code(SIGTERM, SIGTERM);
	expect_exit_code(SIGKILL, SIGKILL);
	expect_exit_code(SIGSEGV, SIGSEGV); /* and no core bit */
	expect_exit_code(SIGQUIT | 0x80, SIGQUIT);
	signal(SIGTERM, SIG_IGN);
	expect_exit_code(SIGTERM, SIGTERM);
}
END_TEST

static void expect_failure(const char *name, int exit_code, const char *word)
{
	char *const argv[] = { (char *)name, NULL };
	struct child_options options = { .cgroup = -1 };
	struct error err = { 0 };
	struct result result;

	ck_assert_int_lt(run(&options, argv, &result, &err), 0);
	ck_assert_int_eq(err.exit_code, exit_code);
	ck_assert_msg(strstr(err.text, word), "%s", err.text);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to reap */
	ck_assert_int_eq(errno, ECHILD);
}

START_TEST(failure_to_execute_is_126_or_127)
{
	char path[PATH_MAX + 64];

	scratch_write("d/plain", "echo\n", 0644);
	scratch_write("d/lost", "#!/nonexistent/interpreter\n", 0755);
	expect_failure("kloak-no-such-command", EXIT_NOT_FOUND, "PATH");
	expect_failure("", EXIT_NOT_FOUND, "PATH");
	expect_failure("/nonexistent/x", EXIT_NOT_FOUND, "/nonexistent/x");
	snprintf(path, sizeof(path), "%s/d/lost", scratch);
	expect_failure(path, EXIT_NOT_FOUND, "interpreter");
	snprintf(path, sizeof(path), "%s/d/plain", scratch);
	expect_failure(path, EXIT_CANNOT_EXEC, "ermission");
	snprintf(path, sizeof(path), "%s/d", scratch);
	expect_failure(path, EXIT_CANNOT_EXEC, "ermission");
}
END_TEST

START_TEST(path_is_searched_as_the_user)
{
	char path[5 * PATH_MAX], private[PATH_MAX + 64];
	char *const envp[] = { path, NULL }, *const argv[] = { "kloak-tool", NULL };
	struct child_options options = { .cgroup = -1, .envp = envp };
	struct result result;

	scratch_write("private/kloak-tool", "echo private\n", 0755); /* no #!: a shell script */
	scratch_write("public/kloak-tool", "#!/bin/sh\necho public\n", 0755);
	scratch_write("plain/kloak-tool", "echo plain\n", 0644);
	scratch_write("directory/kloak-tool/x", "", 0755);
	snprintf(private, sizeof(private), "%s/private", scratch);
	ck_assert_int_eq(chmod(private, 0700), 0);
	snprintf(path, sizeof(path), "PATH=/nonexistent:%s/plain:%s/directory:%s/private:%s/public",
		 scratch, scratch, scratch, scratch);
	ck_assert_int_eq(run(&options, argv, &result, NULL), 0);
	ck_assert_str_eq(result.output, "private\n");
	ck_assert_int_eq(run_as("nobody", &options, argv, &result, NULL), 0);
	ck_assert_str_eq(result.output, "public\n");
}
END_TEST

START_TEST(path_is_reported_before_it_executes)
{
	char marker[PATH_MAX + 64];
	char *const argv[] = { "touch", marker, NULL };
	struct child_options options = {
		.argv = argv, .envp = environ, .account = &me, .cgroup = -1
	};
	struct child child;
	int status;

	snprintf(marker, sizeof(marker), "%s/marker", scratch);
	ck_assert_int_eq(child_prepare(&options, &child, NULL), 0);
	ck_assert_ptr_nonnull(strstr(child.path, "/touch"));
	usleep(100000);
	ck_assert_int_ne(access(marker, F_OK), 0);
	child_release(&child);
	ck_assert_int_ne(access(marker, F_OK), 0);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(child_prepare(&options, &child, NULL), 0);
	ck_assert_int_eq(child_go(&child, NULL), 0);
	ck_assert_int_eq(child_wait(&child, NULL, &status), 0);
	ck_assert_int_eq(access(marker, F_OK), 0);
}
END_TEST

START_TEST(nothing_executes_if_kloak_dies_first)
{
	char marker[PATH_MAX + 64];
	char *const argv[] = { "touch", marker, NULL };
	struct child_options options = {
		.argv = argv, .envp = environ, .account = &me, .cgroup = -1
	};
	int ended[2];
	pid_t pid;
	char byte;

	snprintf(marker, sizeof(marker), "%s/marker", scratch);
	ck_assert_int_eq(pipe(ended), 0); /* inherited: its end is the end of the process */
	pid = fork();
	if (pid == 0) {
		struct child child;

		if (child_prepare(&options, &child, NULL))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	close(ended[1]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(read(ended[0], &byte, 1), 0);
	ck_assert_int_ne(access(marker, F_OK), 0);
	close(ended[0]);
}
END_TEST

/* ---- signals ---- */

struct trigger {
	int fd;
	int signal;
	pid_t helper;
	unsigned int calls;
};

/* As soon as the command says something, another process sends kloak a signal. */
static void pull(void *data)
{
	struct trigger *trigger = data;
	char text[64];

	trigger->calls++;
	if (trigger->helper || read(trigger->fd, text, sizeof(text)) <= 0)
		return;
	trigger->helper = fork();
	if (trigger->helper == 0) {
		kill(getppid(), trigger->signal);
		_exit(0);
	}
}

static int status_after_signal(const char *script, int signal)
{
	char *const argv[] = { "sh", "-c", (char *)script, NULL };
	struct child_options options = {
		.argv = argv, .envp = environ, .account = &me, .cgroup = -1
	};
	struct trigger trigger = { .signal = signal };
	struct child_watch watch = { .interval_ms = -1, .ready = pull, .data = &trigger };
	struct child child;
	int out[2], saved = dup(1), status = -1;

	ck_assert_int_eq(pipe2(out, O_NONBLOCK | O_CLOEXEC), 0);
	dup2(out[1], 1);
	ck_assert_int_eq(child_prepare(&options, &child, NULL), 0);
	ck_assert_int_eq(child_go(&child, NULL), 0);
	dup2(saved, 1);
	close(saved);
	watch.fd = trigger.fd = out[0];
	ck_assert_int_eq(child_wait(&child, &watch, &status), 0);
	ck_assert_uint_ge(trigger.calls, 2); /* the output, and the end */
	child_release(&child);
	close(out[0]);
	close(out[1]);
	return status;
}

START_TEST(signals_pass_through)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = { { "TERM", SIGTERM }, { "HUP", SIGHUP },	  { "INT", SIGINT },
			{ "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "WINCH", SIGWINCH },
			{ "QUIT", SIGQUIT }, { "CONT", SIGCONT } };
	char script[128];

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		snprintf(script, sizeof(script),
			 "trap 'exit 42' %s; echo; for i in 1 2 3 4 5 6 7 8; do sleep 0.25; done",
			 signals[i].name);
		ck_assert_msg(status_after_signal(script, signals[i].number) == 42 << 8, "SIG%s",
			      signals[i].name);
	}
	ck_assert_int_eq(status_after_signal("echo; exec sleep 10", SIGTERM), SIGTERM);
}
END_TEST

START_TEST(timer_runs_while_waiting)
{
	char *const argv[] = { "sleep", "0.3", NULL };
	struct child_options options = {
		.argv = argv, .envp = environ, .account = &me, .cgroup = -1
	};
	struct trigger trigger = { .fd = -1 };
	struct child_watch watch = { -1, 20, pull, &trigger };
	struct child child;
	int status;

	ck_assert_int_eq(child_prepare(&options, &child, NULL), 0);
	ck_assert_int_eq(child_go(&child, NULL), 0);
	ck_assert_int_eq(child_wait(&child, &watch, &status), 0);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_ge(trigger.calls, 5);
	ck_assert_uint_le(trigger.calls, 17);
}
END_TEST

/* In a process of its own: kloak on the terminal @slave, with its output there. */
static _Noreturn void run_on_terminal(const char *slave, char *const *argv)
{
	struct child_options options = {
		.argv = argv, .envp = environ, .account = &me, .cgroup = -1
	};
	struct child child;
	int status, fd;

	setsid();
	fd = open(slave, O_RDWR);
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) || dup2(fd, 0) < 0 || dup2(fd, 1) < 0)
		_exit(90);
	if (child_prepare(&options, &child, NULL) || child_go(&child, NULL) ||
	    child_wait(&child, NULL, &status))
		_exit(91);
	_exit(child_exit_code(status));
}

START_TEST(terminal_signals_arrive_once)
{
	char *const argv[] = { self, "--interrupts", NULL };
	CLEANUP_FD int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char text[256] = "", slave[64];
	size_t used = 0;
	int status;
	pid_t pid;

	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(grantpt(master) | unlockpt(master), 0);
	ck_assert_int_eq(ptsname_r(master, slave, sizeof(slave)), 0);
	pid = fork();
	if (pid == 0)
		run_on_terminal(slave, argv);
	while (!strstr(text, "ready")) {
		ssize_t got = read(master, text + used, sizeof(text) - 1 - used);

		ck_assert_int_gt(got, 0);
		used += (size_t)got;
	}
	/* kloak is held until the command has taken the signal: pending ones would merge. */
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert_int_eq(write(master, "\x03", 1), 1);
	usleep(150000);
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 1 << 8); /* one SIGINT, and kloak itself survived it */
}
END_TEST

static _Noreturn void run_stopping(const char *script)
{
	char *const argv[] = { "sh", "-c", (char *)script, NULL };
	struct child_options options = {
		.argv = argv, .envp = environ, .account = &me, .cgroup = -1
	};
	struct child child;
	int status;

	setpgid(0, 0);
	if (child_prepare(&options, &child, NULL) || child_go(&child, NULL) ||
	    child_wait(&child, NULL, &status))
		_exit(91);
	_exit(child_exit_code(status));
}

START_TEST(kloak_stops_and_continues_with_the_command)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		run_stopping("kill -TSTP $$; exit 7");
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	ck_assert_int_eq(WSTOPSIG(status), SIGTSTP);
	ck_assert_int_eq(kill(pid, SIGCONT), 0); /* to kloak alone */
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 7 << 8);
}
END_TEST

/* ---- kloak itself ---- */

/*
 * The hostile child runs as the same user, root, with the same capabilities as
 * kloak: only that kloak is not dumpable is left to protect it.
 */
START_TEST(parent_cannot_be_read)
{
	static const char script[] = "cat /proc/$PPID/environ && echo READ; "
				     "head -c 1 /proc/$PPID/auxv && echo READ; "
				     "ls -l /proc/$PPID/fd/ && echo READ; exit 0";
	struct child_options options = { .cgroup = -1 };
	struct protect_limits limits;
	struct result result;

	ck_assert_int_eq(protect_self(&limits, NULL), 0);
	options.limits = &limits;
	ck_assert_int_eq(caps_drop(CAPS_TAKEN), 0);
	run_shell(&options, script, &result);
	ck_assert_int_eq(result.status, 0);
	ck_assert_msg(!strstr(result.output, "READ"), "%s", result.output);
	ck_assert_ptr_nonnull(strstr(result.output, "ermission denied"));
}
END_TEST

START_TEST(kloak_shrinks)
{
	uint64_t before = caps_effective(), after;

	protect_shrink();
	after = caps_effective();
	ck_assert_uint_eq(after & ~before, 0);
	ck_assert_uint_ne(after & CAP_BIT(CAP_BPF), 0);
	ck_assert_uint_ne(after & CAP_BIT(CAP_KILL), 0);
	ck_assert_uint_eq(after & (CAP_BIT(CAP_SYS_MODULE) | CAP_BIT(CAP_SETPCAP)), 0);
}
END_TEST

START_TEST(network_namespace_has_a_cookie)
{
	uint64_t here = 0, again = 0, there = 0;

	ck_assert_int_eq(workload_netns_cookie(&here), 0);
	ck_assert_int_eq(workload_netns_cookie(&again), 0);
	ck_assert_uint_ne(here, 0);
	ck_assert_uint_eq(here, again);
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	ck_assert_int_eq(workload_netns_cookie(&there), 0);
	ck_assert_uint_ne(here, there);
}
END_TEST

int main(int argc, char **argv)
{
	const TTest *const tests[] = {
		only_the_callers_fds_are_inherited,
		signal_state_is_inherited,
		limits_are_restored,
		status_is_the_commands,
		kloak_ends_like_the_command,
		failure_to_execute_is_126_or_127,
		path_is_searched_as_the_user,
		path_is_reported_before_it_executes,
		nothing_executes_if_kloak_dies_first,
		signals_pass_through,
		timer_runs_while_waiting,
		terminal_signals_arrive_once,
		kloak_stops_and_continues_with_the_command,
		parent_cannot_be_read,
		kloak_shrinks,
		network_namespace_has_a_cookie,
	};

	if (argc > 1)
		return mode_main(argv[1]);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	return suite_run("child", tests, can_run("commands") ? ARRAY_SIZE(tests) : 0, 30, set_up,
			 scratch_remove);
}
