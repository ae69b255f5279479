// SPDX-License-Identifier: GPL-2.0-only
/*
 * kloak doctor: the checks that read files on a directory that looks like a
 * system, the others on the real one, with and without privileges.
 */
#include <check.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/error.h"
#include "selftests/unit/scratch.h"
#include "selftests/unit/suite.h"
#include "user/cmd/doctor.h"
#include "user/doctor/doctor.h"
#include "user/workload/caps.h"

static size_t check_index(const char *name)
{
	for (size_t i = 0; i < DOCTOR_CHECKS; i++)
		if (strcmp(doctor_checks[i].name, name) == 0)
			return i;
	ck_abort_msg("no check %s", name);
}

static struct doctor_finding examine(const char *name)
{
	struct doctor_finding finding;

	memset(&finding, 0x55, sizeof(finding));
	doctor_checks[check_index(name)].examine(scratch, &finding);
	ck_assert_msg(finding.found[0], "%s: nothing found", name);
	if (finding.verdict == DOCTOR_OK)
		ck_assert_str_eq(finding.remedy, "");
	else
		ck_assert_msg(finding.remedy[0], "%s: no remedy", name);
	return finding;
}

struct expectation {
	const char *check, *path, *text; /* text NULL: no such file */
	enum doctor_verdict verdict;
};

static const struct expectation expectations[] = {
	{ "kernel", "/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n", DOCTOR_OK },
	{ "kernel", "/proc/sys/kernel/osrelease", "6.12.107\n", DOCTOR_OK },
	{ "kernel", "/proc/sys/kernel/osrelease", "7.2.13+deb14\n", DOCTOR_OK },
	{ "kernel", "/proc/sys/kernel/osrelease", "10.0-rc1\n", DOCTOR_OK },
	{ "kernel", "/proc/sys/kernel/osrelease", "6.0.19\n", DOCTOR_WARN },
	{ "kernel", "/proc/sys/kernel/osrelease", "5.15.0-100-generic\n", DOCTOR_WARN },
	{ "kernel", "/proc/sys/kernel/osrelease", "?\n", DOCTOR_WARN },
	{ "kernel", "/proc/sys/kernel/osrelease", NULL, DOCTOR_WARN },
	{ "lockdown", "/sys/kernel/security/lockdown", NULL, DOCTOR_OK },
	{ "lockdown", "/sys/kernel/security/lockdown", "[none] integrity confidentiality\n",
	  DOCTOR_OK },
	{ "lockdown", "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n",
	  DOCTOR_OK },
	{ "lockdown", "/sys/kernel/security/lockdown", "none integrity [confidentiality]\n",
	  DOCTOR_OK },
	{ "jit", "/proc/sys/net/core/bpf_jit_enable", "1\n", DOCTOR_OK },
	{ "jit", "/proc/sys/net/core/bpf_jit_enable", "0\n", DOCTOR_WARN },
	{ "jit", "/proc/sys/net/core/bpf_jit_enable", NULL, DOCTOR_WARN },
	{ "unprivileged bpf", "/proc/sys/kernel/unprivileged_bpf_disabled", "2\n", DOCTOR_OK },
	{ "unprivileged bpf", "/proc/sys/kernel/unprivileged_bpf_disabled", "0\n", DOCTOR_WARN },
	{ "name service", "/etc/nsswitch.conf", NULL, DOCTOR_OK },
	{ "name service", "/etc/nsswitch.conf", "passwd: files\nhosts: files dns\n", DOCTOR_OK },
	{ "name service", "/etc/nsswitch.conf", "#hosts: resolve\nhosts: files\n", DOCTOR_OK },
	{ "name service", "/etc/nsswitch.conf", "hosts: files myresolve resolver dns\n",
	  DOCTOR_OK },
	{ "name service", "/etc/nsswitch.conf", "hosts: files resolve [!UNAVAIL=return] dns\n",
	  DOCTOR_WARN },
	{ "name service", "/etc/nsswitch.conf", " hosts:\tresolve[!UNAVAIL=return]\n",
	  DOCTOR_WARN },
	{ "name service", "/etc/nsswitch.conf", "hosts: resolve", DOCTOR_WARN },
	{ "resolvers", "/etc/resolv.conf", NULL, DOCTOR_WARN },
	{ "resolvers", "/etc/resolv.conf", "", DOCTOR_WARN },
	{ "resolvers", "/etc/resolv.conf", "search example\n", DOCTOR_WARN },
	{ "resolvers", "/etc/resolv.conf", "nameserver fe80::1%eth0\n", DOCTOR_WARN },
	{ "resolvers", "/etc/resolv.conf", "nameserver 0.0.0.0\n", DOCTOR_WARN },
	{ "resolvers", "/etc/resolv.conf", "nameserver 192.0.2.1\n", DOCTOR_OK },
	{ "resolvers", "/etc/resolv.conf", "nameserver fe80::1%eth0\nnameserver ::1\n", DOCTOR_OK },
};

START_TEST(table_is_complete)
{
	for (size_t i = 0; i < DOCTOR_CHECKS; i++)
		ck_assert(doctor_checks[i].name && doctor_checks[i].examine);
}
END_TEST

START_TEST(files_are_understood)
{
	const struct expectation *expected = &expectations[_i];
	struct doctor_finding finding;

	if (expected->text)
		scratch_write(expected->path, expected->text, 0644);
	finding = examine(expected->check);
	ck_assert_msg(finding.verdict == expected->verdict, "%s with %s: %s", expected->check,
		      expected->text ? expected->text : "no file", finding.found);
}
END_TEST

static void expect(const char *check, enum doctor_verdict verdict, const char *found,
		   const char *remedy)
{
	struct doctor_finding finding = examine(check);

	ck_assert_msg(finding.verdict == verdict && strstr(finding.found, found) &&
			      strstr(finding.remedy, remedy),
		      "%s: %s; %s", check, finding.found, finding.remedy);
}

START_TEST(who_resolves_has_its_remedy)
{
	scratch_write("/etc/nsswitch.conf", "hosts: resolve [!UNAVAIL=return] dns\n", 0644);
	expect("name service", DOCTOR_WARN, "nss-resolve", "\"hosts: files dns\"");
	expect("name service", DOCTOR_WARN, "nss-resolve",
	       "--resolver cgroup:/system.slice/systemd-resolved.service");
	scratch_write("/etc/resolv.conf", "nameserver 127.0.0.53\nnameserver 2001:db8::1\n", 0644);
	expect("resolvers", DOCTOR_OK, "127.0.0.53, 2001:db8::1", "");
	scratch_write("/etc/resolv.conf", "\n", 0644);
	expect("resolvers", DOCTOR_WARN, "names no address", "--resolver ADDRESS");
}
END_TEST

static int listen_at(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_uint_lt(strlen(path), sizeof(name.sun_path));
	strcpy(name.sun_path, path);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&name, sizeof(name)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

/* Running is what counts, not that the socket's file is there. */
START_TEST(nscd_is_asked)
{
	static const char *const sockets[] = { "/run/nscd/socket", "/var/run/nscd/socket" };

	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++) {
		char path[PATH_MAX];
		int fd;

		scratch_write(sockets[i], "", 0644);
		expect("name service", DOCTOR_OK, "files dns", "");
		snprintf(path, sizeof(path), "%s%s", scratch, sockets[i]);
		ck_assert_int_eq(unlink(path), 0);
		fd = listen_at(path);
		expect("name service", DOCTOR_WARN, "nscd", "stop nscd");
		expect("name service", DOCTOR_WARN, "nscd",
		       "--resolver cgroup:/system.slice/nscd.service");
		close(fd);
		expect("name service", DOCTOR_OK, "files dns", "");
	}
}
END_TEST

START_TEST(resolv_conf_that_others_may_write)
{
	char path[PATH_MAX];

	scratch_write("/etc/resolv.conf", "nameserver 192.0.2.1\n", 0644);
	snprintf(path, sizeof(path), "%s/etc/resolv.conf", scratch);
	ck_assert_int_eq(chmod(path, 0666), 0);
	expect("resolvers", DOCTOR_WARN, "chmod 644", "--resolver ADDRESS");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0644), 0);
	expect("resolvers", DOCTOR_WARN, "regular file", "--resolver ADDRESS");
}
END_TEST

START_TEST(hostile_file_is_harmless)
{
	char *large = malloc(1 << 20);

	memset(large, 'x', (1 << 20) - 1);
	large[(1 << 20) - 1] = '\0';
	scratch_write("/proc/sys/kernel/osrelease", large, 0644);
	scratch_write("/etc/nsswitch.conf", large, 0644);
	scratch_write("/etc/resolv.conf", large, 0644);
	scratch_write("/sys/kernel/security/lockdown", large, 0644);
	examine("kernel");
	examine("name service");
	examine("resolvers");
	examine("lockdown");
	for (size_t at = 0; at + 24 < (1 << 20) - 1; at += 24)
		memcpy(large + at, "nameserver 2001:db8::1 \n", 24);
	scratch_write("/etc/resolv.conf", large, 0644);
	expect("resolvers", DOCTOR_OK, "2001:db8::1, 2001:db8::1", "");
	large[60000] = '\0';
	scratch_write("/sys/kernel/security/lockdown", large, 0644);
	examine("lockdown");
	free(large);
}
END_TEST

/* ---- the real system; needs root ---- */

/* Runs the command in a process of its own, after @prepare. Returns its exit code. */
static int run_command(char *const *argv, void (*prepare)(void), char *output, size_t size)
{
	int argc = 0, out[2], status;
	size_t used = 0;
	ssize_t got;
	pid_t pid;

	while (argv[argc])
		argc++;
	ck_assert_int_eq(pipe(out), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		dup2(out[1], 2);
		if (prepare)
			prepare();
		_exit(cmd_doctor(argc, (char **)argv));
	}
	close(out[1]);
	while (used < size - 1 && (got = read(out[0], output + used, size - 1 - used)) > 0)
		used += (size_t)got;
	output[used] = '\0';
	close(out[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static char *const plain[] = { (char *)"doctor", NULL };
static char *const json[] = { (char *)"doctor", (char *)"--json", NULL };

static void expect_row(const char *output, const char *verdict, const char *check)
{
	char row[64];

	snprintf(row, sizeof(row), "%-5s %s", verdict, check);
	ck_assert_msg(strstr(output, row), "no row '%s' in:\n%s", row, output);
}

START_TEST(root_can_run)
{
	char output[16384];

	ck_assert_msg(run_command(plain, NULL, output, sizeof(output)) == EXIT_OK, "%s", output);
	expect_row(output, "ok", "capabilities");
	expect_row(output, "ok", "bpf");
	expect_row(output, "ok", "uprobes");
	expect_row(output, "ok", "cgroup2");
	expect_row(output, "ok", "later libraries");
	expect_row(output, "ok", "start");
	ck_assert_msg(!strstr(output, "not measured"), "%s", output);
	ck_assert_ptr_nonnull(strstr(output, "kloak run works here"));
}
END_TEST

static void become_nobody(void)
{
	if (setgid(65534) || setuid(65534))
		_exit(99);
}

START_TEST(nobody_cannot_run)
{
	char output[16384];

	ck_assert_int_eq(run_command(plain, become_nobody, output, sizeof(output)), EXIT_KLOAK);
	expect_row(output, "fail", "capabilities");
	expect_row(output, "fail", "cgroup2");
	expect_row(output, "fail", "start");
	ck_assert_ptr_nonnull(strstr(output, "run kloak as root"));
	ck_assert_ptr_nonnull(strstr(output, "kloak run does not work here"));
}
END_TEST

static void lose_net_admin(void)
{
	if (caps_drop(CAP_BIT(CAP_NET_ADMIN) | CAP_BIT(CAP_SYS_ADMIN)))
		_exit(99);
}

START_TEST(missing_capability_is_named)
{
	char output[16384];

	ck_assert_int_eq(run_command(plain, lose_net_admin, output, sizeof(output)), EXIT_KLOAK);
	ck_assert_msg(strstr(output, "missing: CAP_NET_ADMIN\n"), "%s", output);
	expect_row(output, "fail", "sockmap");
	expect_row(output, "fail", "start");
	expect_row(output, "ok", "ring buffer");
}
END_TEST

/* A mount namespace in which nothing of cgroup2 is left. */
static void lose_cgroup2(void)
{
	if (unshare(CLONE_NEWNS) || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    umount2("/sys", MNT_DETACH))
		_exit(99);
}

START_TEST(missing_cgroup2_has_its_remedy)
{
	char output[16384];

	ck_assert_int_eq(run_command(plain, lose_cgroup2, output, sizeof(output)), EXIT_KLOAK);
	expect_row(output, "fail", "cgroup2");
	ck_assert_msg(strstr(output, "mount -t cgroup2 none /sys/fs/cgroup"), "%s", output);
}
END_TEST

/* What is left of them is not enough for a run, and not even for all that doctor opens. */
static void lose_descriptors(void)
{
	const struct rlimit few = { 12, 12 };

	if (setrlimit(RLIMIT_NOFILE, &few))
		_exit(99);
}

START_TEST(few_descriptors_are_not_the_kernels_fault)
{
	char output[16384];

	ck_assert_int_eq(run_command(plain, lose_descriptors, output, sizeof(output)), EXIT_KLOAK);
	expect_row(output, "fail", "start");
	ck_assert_msg(strstr(output, "ulimit -n 1024"), "%s", output);
	ck_assert_msg(!strstr(output, "use Linux") && !strstr(output, "CONFIG_"), "%s", output);
}
END_TEST

/* Kloak raises the limit that it may raise. */
static void lower_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		_exit(99);
	limit.rlim_cur = 64;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		_exit(99);
}

START_TEST(soft_limit_of_descriptors_does_not_matter)
{
	char output[16384];

	ck_assert_msg(run_command(plain, lower_descriptors, output, sizeof(output)) == EXIT_OK,
		      "%s", output);
	expect_row(output, "ok", "start");
}
END_TEST

/* Enough of RFC 8259 to see that brackets and strings are paired. */
static bool is_balanced(const char *text)
{
	char open[32];
	size_t depth = 0;
	bool quoted = false;

	for (; *text && *text != '\n'; text++) {
		if (quoted && *text == '\\')
			text++;
		else if (*text == '"')
			quoted = !quoted;
		else if (!quoted && (*text == '{' || *text == '[') && depth < sizeof(open))
			open[depth++] = *text == '{' ? '}' : ']';
		else if (!quoted && (*text == '}' || *text == ']') &&
			 (depth == 0 || open[--depth] != *text))
			return false;
	}
	return depth == 0 && !quoted && strcmp(text, "\n") == 0;
}

static size_t count_text(const char *text, const char *part)
{
	size_t found = 0;

	while ((text = strstr(text, part))) {
		found++;
		text += strlen(part);
	}
	return found;
}

static void expect_json(const char *output, const char *start)
{
	ck_assert_msg(strncmp(output, start, strlen(start)) == 0, "%s", output);
	ck_assert_msg(is_balanced(output), "%s", output);
	ck_assert_uint_eq(count_text(output, "{\"name\":"), DOCTOR_CHECKS);
	ck_assert_uint_eq(count_text(output, ",\"verdict\":"), DOCTOR_CHECKS);
	ck_assert_uint_eq(count_text(output, ",\"found\":"), DOCTOR_CHECKS);
	ck_assert_uint_eq(count_text(output, ",\"remedy\":"), DOCTOR_CHECKS);
}

START_TEST(json_is_one_object)
{
	char output[32768];

	ck_assert_int_eq(run_command(json, NULL, output, sizeof(output)), EXIT_OK);
	expect_json(output, "{\"kloak\":\"" KLOAK_VERSION "\",\"ok\":true,\"checks\":[");
	ck_assert_int_eq(run_command(json, become_nobody, output, sizeof(output)), EXIT_KLOAK);
	expect_json(output, "{\"kloak\":\"" KLOAK_VERSION "\",\"ok\":false,\"checks\":[");
	ck_assert_ptr_nonnull(strstr(output, "{\"name\":\"capabilities\",\"verdict\":\"fail\""));
}
END_TEST

START_TEST(wrong_argument_is_refused)
{
	char *const argv[] = { (char *)"doctor", (char *)"--jsno", NULL };
	char output[1024];

	ck_assert_int_eq(run_command(argv, NULL, output, sizeof(output)), EXIT_CONFIG);
	ck_assert_ptr_nonnull(strstr(output, "--jsno"));
	ck_assert_ptr_nonnull(strstr(output, "usage:"));
}
END_TEST

static TCase *files(void)
{
	const TTest *const tests[] = {
		table_is_complete,
		who_resolves_has_its_remedy,
		nscd_is_asked,
		resolv_conf_that_others_may_write,
		hostile_file_is_harmless,
	};
	TCase *tcase =
		suite_case("files", tests, ARRAY_SIZE(tests), 0, scratch_make, scratch_remove);

	tcase_add_loop_test(tcase, files_are_understood, 0, ARRAY_SIZE(expectations));
	return tcase;
}

static TCase *system_checks(void)
{
	const TTest *const tests[] = {
		root_can_run,
		nobody_cannot_run,
		missing_capability_is_named,
		missing_cgroup2_has_its_remedy,
		few_descriptors_are_not_the_kernels_fault,
		soft_limit_of_descriptors_does_not_matter,
		json_is_one_object,
		wrong_argument_is_refused,
	};

	return suite_case("system", tests, ARRAY_SIZE(tests), 30, NULL, NULL);
}

int main(void)
{
	TCase *cases[2] = { NULL, NULL };

	if (geteuid() == 0) {
		cases[0] = files();
		cases[1] = system_checks();
	} else {
		puts("skipped: doctor: not root");
	}
	return suite_run_cases("doctor", cases, ARRAY_SIZE(cases));
}
