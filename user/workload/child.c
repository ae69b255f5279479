// SPDX-License-Identifier: GPL-2.0-only
/* Making the command's process: see child.h for the order of things. */
#include "user/workload/child.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "user/workload/caps.h"
#include "user/workload/cgroup.h"
#include "user/workload/command.h"
#include "user/workload/keyring.h"
#include "user/workload/typing.h"

enum stage {
	STAGE_READY,
	STAGE_LIMITS,
	STAGE_BOUNDING,
	STAGE_KEYRING,
	STAGE_IDENTITY,
	STAGE_CAPS,
	STAGE_PRIVILEGES,
	STAGE_TYPING,
	STAGE_FIND,
	STAGE_EXECUTE,
	STAGE_COUNT,
};

/* What the process tells kloak: that it waits, or where it failed. */
struct message {
	enum stage stage;
	int code; /* -errno */
	char path[PATH_MAX];
};

static void report(int channel, struct message *message, enum stage stage, int code)
{
	message->stage = stage;
	message->code = code;
	(void)!send(channel, message, sizeof(*message), MSG_NOSIGNAL);
}

/* no_new_privs needs no right; changing ids may make a process dumpable (fs.suid_dumpable). */
static int seal(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	return 0;
}

/*
 * The order matters: the bounding set, the limits and the keyring need capabilities that go
 * with the identity; no_new_privs comes before anything foreign is looked at, and
 * before the filter, which else would need CAP_SYS_ADMIN.
 */
static enum stage become(const struct child_options *options, int *code)
{
	uint64_t taken = CAPS_TAKEN & ~options->keep_caps;

	*code = options->limits ? protect_restore_limits(options->limits) : 0;
	if (*code)
		return STAGE_LIMITS;
	*code = caps_drop_bounding(taken);
	if (*code)
		return STAGE_BOUNDING;
	*code = keyring_renew(options->account);
	if (*code)
		return STAGE_KEYRING;
	*code = account_assume(options->account);
	if (*code)
		return STAGE_IDENTITY;
	*code = caps_drop(taken);
	if (*code)
		return STAGE_CAPS;
	*code = seal();
	if (*code)
		return STAGE_PRIVILEGES;
	*code = typing_deny();
	return *code ? STAGE_TYPING : STAGE_READY;
}

static _Noreturn void run(const struct child_options *options, const struct child *child,
			  char *const *envp, int channel)
{
	struct message message = { .code = 0 };
	enum stage stage = become(options, &message.code);
	char go;

	if (stage == STAGE_READY) {
		message.code = command_find(options->argv[0], envp, message.path);
		if (message.code)
			stage = STAGE_FIND;
	}
	report(channel, &message, stage, message.code);
	/* The end of the channel without a byte: kloak gave up, or was killed. */
	if (stage != STAGE_READY || recv(channel, &go, 1, 0) != 1)
		_exit(EXIT_KLOAK);
	child_signals_restore(child);
	report(channel, &message, STAGE_EXECUTE,
	       command_execute(message.path, options->argv, envp));
	_exit(EXIT_KLOAK);
}

/* The raw system call: libc has no wrapper that can name a cgroup. */
static pid_t clone_into(int cgroup)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cgroup,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* -errno; 0 in the new process. Before 5.7, or where a filter forbids clone3: in two steps. */
static pid_t make_process(int cgroup)
{
	pid_t pid = cgroup < 0 ? -1 : clone_into(cgroup);
	int ret;

	if (pid >= 0)
		return pid;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0 || cgroup < 0)
		return pid;
	ret = cgroup_enter(cgroup, pid);
	if (!ret)
		return pid;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return ret;
}

static int explain_command(const char *name, int code, struct error *err)
{
	if (code == -ENOENT && !strchr(name, '/'))
		error_set(err, code,
			  "cannot run %.200s: it is in no directory of PATH; "
			  "check the name or give its path",
			  name);
	else if (code == -ENOENT)
		error_set(err, code,
			  "cannot run %.200s: %s; check the path and the interpreter "
			  "in its first line",
			  name, strerror(-code));
	else
		error_set(err, code,
			  "cannot run %.200s: %s; check its permissions for the user "
			  "that runs it (--user)",
			  name, strerror(-code));
	if (err)
		err->exit_code = code == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXEC;
	return code;
}

static int explain(const struct message *message, const char *name, struct error *err)
{
	static const char *const sentences[STAGE_COUNT] = {
		[STAGE_LIMITS] = "cannot restore the resource limits: %s; "
				 "kloak needs CAP_SYS_RESOURCE",
		[STAGE_BOUNDING] = "cannot take capabilities from the bounding set: %s; "
				   "kloak needs CAP_SETPCAP (run it as root)",
		[STAGE_KEYRING] = "cannot give the command a session keyring of its own: %s; "
				  "raise kernel.keys.root_maxkeys, or kernel.keys.maxkeys for "
				  "another user than root",
		[STAGE_IDENTITY] = "cannot become the user that runs the command: %s; "
				   "kloak needs CAP_SETUID and CAP_SETGID (run it as root)",
		[STAGE_CAPS] = "cannot drop capabilities: %s; a seccomp filter must allow capset",
		[STAGE_PRIVILEGES] = "cannot set no_new_privs: %s; "
				     "a seccomp filter must allow prctl",
		[STAGE_TYPING] = "cannot keep the command from typing into this terminal: %s; "
				 "the kernel needs CONFIG_SECCOMP_FILTER, and a seccomp filter "
				 "around kloak must allow seccomp",
	};
	enum stage stage = message->stage;

	if (stage >= STAGE_COUNT || !sentences[stage])
		return explain_command(name, message->code, err);
	return error_set(err, message->code, sentences[stage], strerror(-message->code));
}

/*
 * Bytes of the next message; 0: the process closed its end by exec. It may be stopped
 * meanwhile, by a Ctrl-Z that came before it executes, or ended: so signals are served.
 */
static ssize_t receive(struct child *child, struct message *message)
{
	struct pollfd fds[2] = { { .fd = child->channel, .events = POLLIN },
				 { .fd = child->signals, .events = POLLIN } };

	for (;;) {
		if (poll(fds, 2, -1) < 0) {
			if (errno != EINTR)
				return -errno;
			continue;
		}
		if (fds[1].revents)
			child_signals_serve(child);
		if (fds[0].revents)
			return recv(child->channel, message, sizeof(*message), MSG_DONTWAIT);
	}
}

static int lost(struct error *err)
{
	return error_set(err, -ECHILD,
			 "the command's process ended before it could execute; "
			 "was it killed, or is memory short?");
}

static int await_ready(struct child *child, const char *name, struct error *err)
{
	struct message message = { 0 };

	if (receive(child, &message) != sizeof(message))
		return lost(err);
	if (message.stage != STAGE_READY)
		return explain(&message, name, err);
	message.path[sizeof(message.path) - 1] = '\0';
	memcpy(child->path, message.path, sizeof(child->path));
	return 0;
}

static int start(const struct child_options *options, struct child *child, char *const *envp,
		 struct error *err)
{
	CLEANUP_FD int far = -1;
	sigset_t early;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return error_set(err, -errno,
				 "cannot make a socket pair: %s; "
				 "is the limit of open files reached?",
				 strerror(errno));
	child->channel = pair[0];
	far = pair[1];
	sigpending(&early);
	child->pid = make_process(options->cgroup);
	if (child->pid == 0) {
		close(pair[0]);
		run(options, child, envp, far);
	}
	if (child->pid < 0) {
		return error_set(err, child->pid,
				 "cannot make a process in the workload's cgroup: "
				 "%s; check pids.max and cgroup.type there",
				 strerror(-child->pid));
	}
	child_signals_deliver(child, &early);
	close(TAKE_FD(far));
	return await_ready(child, options->argv[0], err);
}

static void warn_kept(uint64_t kept)
{
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (kept & CAPS_TAKEN & CAP_BIT(cap))
			warning("the command keeps %s: with it, it may get at the secrets",
				caps_name(cap));
}

int child_prepare(const struct child_options *options, struct child *child, struct error *err)
{
	char **envp = account_environment(options->account, options->envp);
	int ret;

	*child = (struct child){ .pid = -1, .channel = -1, .signals = -1 };
	if (!envp)
		return error_no_memory(err, "the environment of the command");
	warn_kept(options->keep_caps);
	ret = child_signals_take(child);
	if (ret)
		error_set(err, ret,
			  "cannot receive signals: %s; is the limit of open files "
			  "reached?",
			  strerror(-ret));
	else
		ret = start(options, child, envp, err);
	account_environment_free(envp);
	if (ret)
		child_release(child);
	return ret;
}

int child_go(struct child *child, struct error *err)
{
	struct message message = { 0 };
	ssize_t got = 0;
	int ret = 0;

	child_signals_serve(child); /* while it blocks them: what comes twice merges */
	if (send(child->channel, "g", 1, MSG_NOSIGNAL) != 1)
		ret = lost(err);
	else
		got = receive(child, &message);
	if (got == sizeof(message))
		ret = explain(&message, child->path, err);
	close(TAKE_FD(child->channel));
	if (ret)
		child_release(child);
	return ret;
}

void child_release(struct child *child)
{
	cleanup_fd(&child->channel);
	child->channel = -1;
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	child->pid = -1;
	if (child->signals >= 0)
		child_signals_restore(child);
	cleanup_fd(&child->signals);
	child->signals = -1;
}
