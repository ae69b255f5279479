// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting for the command. Signals come through a signalfd(2), so nothing is
 * interrupted, no handler runs, and none that arrives before the command
 * executes is lost.
 *
 * A signal of the terminal (Ctrl-C, Ctrl-\, Ctrl-Z, hangup, window size) goes to
 * the whole foreground process group. The command is in it like kloak, unless
 * it made a group of its own (an interactive shell): only then it is passed on.
 * A signal that a process sent to kloak is passed on always, unless the command
 * itself is that process. The command is reaped here and nowhere else, so its
 * pid cannot have been given to another process.
 *
 * When the command stops, kloak has to stop too: the shell that started kloak waits
 * for that, and meanwhile nobody reads the terminal. It stops by a signal of job
 * control whatever stopped the command, SIGSTOP included: that has no effect in an
 * orphaned process group, where nobody would continue kloak.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "user/workload/child.h"

/* Those that a fault of kloak's own raises stay as they are. */
static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };

static const int terminal[] = { SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH };

static bool is_terminal(int signal)
{
	for (size_t i = 0; i < ARRAY_SIZE(terminal); i++)
		if (terminal[i] == signal)
			return true;
	return false;
}

int child_signals_take(struct child *child)
{
	const struct sigaction deflt = { .sa_handler = SIG_DFL };
	sigset_t taken;

	sigfillset(&taken);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&taken, faults[i]);
	child->signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
	if (child->signals < 0)
		return -errno;
	/* An ignored SIGCHLD, which may be inherited, would lose the exit status. */
	if (sigprocmask(SIG_BLOCK, &taken, &child->mask) ||
	    sigaction(SIGCHLD, &deflt, &child->ended))
		return -errno;
	return 0;
}

void child_signals_restore(const struct child *child)
{
	sigaction(SIGCHLD, &child->ended, NULL);
	sigprocmask(SIG_SETMASK, &child->mask, NULL);
}

static bool is_for_command(const struct child *child, const struct signalfd_siginfo *info)
{
	pid_t sender = (pid_t)info->ssi_pid;
	int signal = (int)info->ssi_signo;

	if (info->ssi_code == SI_KERNEL)
		return is_terminal(signal) && getpgid(child->pid) != getpgrp();
	return sender != child->pid && sender != getpid(); /* ourselves: SIGPIPE */
}

static bool has_continued(const struct child *child)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)child->pid, &info, WCONTINUED | WNOHANG) == 0 && info.si_pid;
}

/*
 * Stops kloak by the default action of @signal. Whoever continues the whole group
 * meanwhile takes back the signal that is pending, or has continued the command.
 */
static void stop_by(int signal, const struct child *child)
{
	sigset_t one, old;

	sigemptyset(&one);
	sigaddset(&one, signal);
	kill(getpid(), signal);
	if (has_continued(child))
		return; /* the signal is our own: the signalfd gives it, and it is dropped */
	sigprocmask(SIG_UNBLOCK, &one, &old);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

/*
 * A command with a group of its own (an interactive shell) may hold the terminal when it
 * stops. The caller's shell takes the terminal back, and `fg` gives it to kloak's
 * group: the command could not read from it, and would stop again at once.
 */
static void stop_like_command(int signal, const struct child *child)
{
	CLEANUP_FD int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	pid_t holder = tcgetpgrp(tty);

	stop_by(signal, child);
	if (holder > 0 && holder != getpgrp() && holder == getpgid(child->pid) &&
	    tcgetpgrp(tty) == getpgrp())
		tcsetpgrp(tty, holder); /* SIGTTOU is blocked */
}

static bool is_job_control(int signal)
{
	return signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/* Reaps whatever ended (as pid 1 of a container also orphans). */
static void reap(struct child *child)
{
	pid_t pid;
	int word;

	while ((pid = waitpid(-1, &word, WNOHANG | WUNTRACED)) > 0) {
		if (pid != child->pid)
			continue;
		if (WIFSTOPPED(word)) {
			int signal = WSTOPSIG(word);

			stop_like_command(is_job_control(signal) ? signal : SIGTSTP, child);
		} else {
			child->status = word;
			child->pid = -1;
		}
	}
}

void child_signals_serve(struct child *child)
{
	struct signalfd_siginfo info;

	while (read(child->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(child);
		else if (child->pid > 0 && is_for_command(child, &info))
			kill(child->pid, (int)info.ssi_signo);
	}
}

void child_signals_deliver(const struct child *child, const sigset_t *pending)
{
	for (size_t i = 0; i < ARRAY_SIZE(terminal); i++)
		if (sigismember(pending, terminal[i]))
			kill(child->pid, terminal[i]);
}

int child_wait(struct child *child, const struct child_watch *watch, int *status)
{
	struct pollfd fds[2] = { { .fd = child->signals, .events = POLLIN },
				 { .fd = watch ? watch->fd : -1, .events = POLLIN } };

	while (child->pid > 0) {
		int count = poll(fds, 2, watch ? watch->interval_ms : -1);

		if (count < 0 && errno != EINTR)
			return -errno;
		if (count > 0 && fds[0].revents)
			child_signals_serve(child);
		if (watch && (count == 0 || (count > 0 && fds[1].revents)))
			watch->ready(watch->data);
	}
	if (watch)
		watch->ready(watch->data);
	*status = child->status;
	return 0;
}

int child_exit_code(int status)
{
	const struct sigaction deflt = { .sa_handler = SIG_DFL };
	const struct rlimit none = { 0, 0 };
	sigset_t one;
	int signal;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	signal = WTERMSIG(status);
	setrlimit(RLIMIT_CORE, &none); /* the core of interest is the command's */
	sigaction(signal, &deflt, NULL);
	sigemptyset(&one);
	sigaddset(&one, signal);
	kill(getpid(), signal);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	return 128 + signal;
}
