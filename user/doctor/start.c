// SPDX-License-Identifier: GPL-2.0-only
/*
 * kloak run, with a secret that is none and a command that does not exist: if it gets as
 * far as not finding the command, all is loaded and attached, and the command's process
 * has given up its privileges. In a process of its own, since a run changes its
 * process: what it says is thrown away, and why it failed comes back by a pipe, in the
 * words that the user of kloak run would read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "user/doctor/checks.h"
#include "user/run/session.h"

#define NAME  "KLOAK_DOCTOR"
#define VALUE "no secret, but as long as one"

#define COMMAND "/nonexistent/kloak-doctor"

/* 0, or -errno with the sentence. */
static int try_run(struct error *err)
{
	char path[] = COMMAND, *command[] = { path, NULL };
	const struct run_options options = {
		.secrets = { NAME "@kloak.invalid" },
		.secret_count = 1,
		.command = command,
	};
	int status, ret;

	if (setenv(NAME, VALUE, 1))
		return error_no_memory(err, "the secret of a trial");
	ret = session_run(&options, &status, err);
	return err->exit_code == EXIT_NOT_FOUND ? 0 : ret;
}

static _Noreturn void run_trial(int report)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct error err = { 0 };

	if (nothing >= 0) {
		dup2(nothing, STDOUT_FILENO);
		dup2(nothing, STDERR_FILENO);
	} else {
		close(STDOUT_FILENO);
		close(STDERR_FILENO);
	}
	if (try_run(&err) == 0)
		_exit(EXIT_OK);
	(void)!write(report, err.text, strlen(err.text));
	_exit(EXIT_KLOAK);
}

/* What the trial says in @text until it ends. Returns its wait status. */
static int await_trial(pid_t pid, int report, char *text, size_t size)
{
	size_t used = 0;
	ssize_t got;
	int status;

	while (used < size - 1 && ((got = read(report, text + used, size - 1 - used)) > 0 ||
				   (got < 0 && errno == EINTR)))
		used += got > 0 ? (size_t)got : 0;
	text[used] = '\0';
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

void check_start(const char *root, struct doctor_finding *finding)
{
	CLEANUP_FD int report = -1;
	CLEANUP_FD int far = -1;
	char text[sizeof(finding->remedy)];
	int ends[2], status;
	pid_t pid;

	(void)root;
	if (pipe2(ends, O_CLOEXEC)) {
		doctor_set(finding, DOCTOR_FAIL, "ulimit -n 1024", "not tried: %s",
			   strerror(errno));
		return;
	}
	report = ends[0];
	far = ends[1];
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		doctor_set(finding, DOCTOR_FAIL, "end some processes, or raise ulimit -u",
			   "not tried: %s", strerror(errno));
		return;
	}
	if (pid == 0)
		run_trial(far);
	close(TAKE_FD(far));
	status = await_trial(pid, report, text, sizeof(text));
	if (status == 0)
		doctor_set(finding, DOCTOR_OK, NULL,
			   "kloak run gets as far as executing the command");
	else if (text[0])
		doctor_set(finding, DOCTOR_FAIL, text, "kloak run does not start");
	else
		doctor_set(finding, DOCTOR_FAIL, "please report this with the kernel version",
			   "kloak run was ended by the kernel (wait status %d)", status);
}
