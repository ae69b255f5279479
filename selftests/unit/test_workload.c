// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workload's cgroup and the protected command, with real processes. The
 * commands are sh, cat, sleep, and this program itself in one of its modes.
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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "selftests/unit/suite.h"
#include "user/lib/cleanup.h"
#include "user/workload/account.h"
#include "user/workload/caps.h"
#include "user/workload/cgroup.h"
#include "user/workload/child.h"
#include "user/workload/netns.h"
#include "user/workload/protect.h"
#include "user/workload/text.h"

#define FDS 64

static char self[PATH_MAX];
extern char **environ;

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

/* ---- running commands ---- */

static void forget_sudo(void)
{
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	unsetenv("SUDO_USER");
}

struct result {
	int status; /* of waitpid */
	char output[8192];
};

/* Runs to the end, stdout and stderr into result->output. Returns child_prepare's or go's error. */
static int run(struct child_options *options, char *const *argv, struct result *result,
	       struct error *err)
{
	int out[2], saved[2] = { dup(1), dup(2) }, ret;
	struct child child;
	size_t used = 0;
	ssize_t got;

	memset(result, 0, sizeof(*result));
	ck_assert_int_eq(fcntl(saved[0], F_SETFD, FD_CLOEXEC), 0);
	ck_assert_int_eq(fcntl(saved[1], F_SETFD, FD_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	fflush(NULL);
	dup2(out[1], 1);
	dup2(out[1], 2);
	close(out[1]);
	options->argv = argv;
	if (!options->envp)
		options->envp = environ;
	ret = child_prepare(options, &child, err);
	if (!ret)
		ret = child_go(&child, err);
	dup2(saved[0], 1);
	dup2(saved[1], 2);
	close(saved[0]);
	close(saved[1]);
	while (!ret && used < sizeof(result->output) - 1 &&
	       (got = read(out[0], result->output + used, sizeof(result->output) - 1 - used)) > 0)
		used += (size_t)got;
	close(out[0]);
	if (!ret)
		ck_assert_int_eq(child_wait(&child, NULL, &result->status), 0);
	child_release(&child);
	return ret;
}

static void run_shell(struct child_options *options, const char *script, struct result *result)
{
	char *const argv[] = { "sh", "-c", (char *)script, NULL };
	struct error err = { 0 };

	ck_assert_msg(run(options, argv, result, &err) == 0, "%s", err.text);
}

/* A field of /proc/PID/status as text, without its name. */
static const char *status_field(const char *text, const char *name)
{
	static char value[256];
	const char *at = strstr(text, name);

	ck_assert_msg(at, "no %s in: %s", name, text);
	at += strlen(name) + strspn(at + strlen(name), ": \t");
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\n"), at);
	return value;
}

static uint64_t status_mask(const char *text, const char *name)
{
	return strtoull(status_field(text, name), NULL, 16);
}

/* ---- where the cgroup is ---- */

static int parse(const char *mountinfo, const char *membership, struct cgroup_place *place)
{
	CLEANUP_FREE char *mounts = strdup(mountinfo), *own = strdup(membership);

	return cgroup_parse(mounts, own, place);
}

#define LINE(root, mount) "31 23 0:26 " root " " mount " rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
#define OTHERS                                                       \
	"22 28 0:20 / /proc rw,relatime shared:13 - proc proc rw\n"  \
	"36 31 0:32 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"

START_TEST(place_is_found)
{
	static const struct {
		const char *mountinfo, *membership, *mount, *own;
	} cases[] = {
		{ OTHERS LINE("/", "/sys/fs/cgroup"), "0::/\n", "/sys/fs/cgroup",
		  "/sys/fs/cgroup" },
		{ LINE("/", "/sys/fs/cgroup/unified"), "9:cpu:/x\n0::/a/b.service\n",
		  "/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/a/b.service" },
		/* a part of the hierarchy only; the other part first */
		{ LINE("/b", "/one") LINE("/a", "/two"), "0::/a/c\n", "/two", "/two/c" },
		{ LINE("/a", "/two"), "0::/a\n", "/two", "/two" },
		/* "/a" is no prefix of "/ab" */
		{ LINE("/a", "/one") LINE("/", "/two"), "0::/ab\n", "/two", "/two/ab" },
		/* cgroup namespaces */
		{ LINE("/..", "/cg"), "0::/../x\n", "/cg", "/cg/x" },
		{ LINE("/", "/odd\\040dir\\134"), "0::/a\n", "/odd dir\\", "/odd dir\\/a" },
		{ LINE("/", "/cg"), "0::/a..b/..c\n", "/cg", "/cg/a..b/..c" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cgroup_place place;

		ck_assert_int_eq(parse(cases[i].mountinfo, cases[i].membership, &place), 0);
		ck_assert_str_eq(place.mount, cases[i].mount);
		ck_assert_str_eq(place.own, cases[i].own);
	}
}
END_TEST

START_TEST(place_is_refused)
{
	struct cgroup_place place;

	ck_assert_int_eq(parse(OTHERS, "0::/\n", &place), -ENODEV);
	ck_assert_int_eq(parse("", "0::/\n", &place), -ENODEV);
	ck_assert_int_eq(parse(LINE("/", "/cg"), "9:cpu:/\n", &place), -ENODEV);
	ck_assert_int_eq(parse(LINE("/x", "/cg"), "0::/y\n", &place), -ENOENT);
	ck_assert_int_eq(parse(LINE("/", "/cg"), "0::/../y\n", &place), -ENOENT);
	ck_assert_int_eq(parse(LINE("/..", "/cg"), "0::/y\n", &place), -ENOENT);
	ck_assert_int_eq(parse("31 23 - cgroup2 x\n - cgroup2 \n", "0::/\n", &place), -ENODEV);
}
END_TEST

/* ---- real cgroups ---- */

static struct cgroup_place place;
static struct cgroup cgroup;

static void make(struct cgroup *made)
{
	struct error err = { 0 };

	ck_assert_msg(cgroup_create(&place, made, &err) == 0, "%s", err.text);
}

#define SLICE "kloaktest-slice"

static void find_place(void)
{
	struct error err = { 0 };

	forget_sudo();
	ck_assert_msg(cgroup_find(&place, &err) == 0, "%s", err.text);
	CLEANUP_FD int own = open(place.own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cgroup_remove_tree(own, SLICE); /* of a test that failed */
	cgroup = (struct cgroup){ .fd = -1, .parent = -1 };
}

static bool exists(const struct cgroup *made)
{
	return access(made->path, F_OK) == 0;
}

START_TEST(cgroup_is_made_and_removed)
{
	struct cgroup other;
	struct stat status;
	unsigned int left;

	make(&cgroup);
	make(&other);
	ck_assert_str_ne(cgroup.name, other.name);
	ck_assert_int_eq(stat(cgroup.path, &status), 0);
	ck_assert_uint_eq(status.st_ino, cgroup.id);
	ck_assert_uint_eq(status.st_mode & 0777, 0755);
	ck_assert_int_eq(cgroup_remove(&cgroup, &left), 0);
	ck_assert(!exists(&cgroup));
	ck_assert(exists(&other));
	ck_assert_int_eq(mkdirat(other.fd, "nested", 0755), 0);
	ck_assert_int_eq(cgroup_remove(&other, &left), 0);
	ck_assert(!exists(&other));
}
END_TEST

START_TEST(failure_has_a_remedy)
{
	struct cgroup_place nowhere = { .own = "/proc" };
	struct error err = { 0 };

	ck_assert_int_lt(cgroup_create(&nowhere, &cgroup, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "/proc"));
	ck_assert_ptr_nonnull(strstr(err.text, ";"));
}
END_TEST

static unsigned int depth_of_path(void)
{
	CLEANUP_FREE char *text = NULL;
	const char *at;
	unsigned int depth = 0;

	ck_assert_int_eq(text_read("/proc/self/cgroup", 65536, &text), 0);
	at = strstr(text, "0::/");
	ck_assert_ptr_nonnull(at);
	for (at += 3; at[0] && at[1] && at[0] != '\n' && at[1] != '\n'; at++)
		depth += *at == '/';
	return depth;
}

/* Two levels down, and then in a cgroup namespace, where paths tell nothing. */
START_TEST(level_is_what_bpf_counts)
{
	struct error err = { 0 };
	int level = cgroup_level(&place, &err);
	struct cgroup_place inner;
	char nested[PATH_MAX + 8];

	ck_assert_msg(level >= 0, "%s", err.text);
	ck_assert_int_eq(level, depth_of_path());
	make(&cgroup);
	ck_assert_int_eq(mkdirat(cgroup.fd, "inner", 0755), 0);
	snprintf(nested, sizeof(nested), "%s/inner", cgroup.path);
	CLEANUP_FD int fd = open(nested, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_FD int back = open(place.own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_eq(cgroup_enter(fd, getpid()), 0);
	snprintf(inner.own, sizeof(inner.own), "%.*s", PATH_MAX - 1, nested);
	ck_assert_int_eq(cgroup_level(&inner, &err), level + 2);
	ck_assert_int_eq(unshare(CLONE_NEWCGROUP), 0);
	ck_assert_int_eq(depth_of_path(), 0);
	ck_assert_int_eq(cgroup_level(&inner, &err), level + 2);
	ck_assert_int_eq(cgroup_enter(back, getpid()), 0);
}
END_TEST

START_TEST(command_is_in_its_cgroup_from_the_start)
{
	struct child_options options = { .cgroup = -1 };
	struct result result;
	unsigned int left;

	make(&cgroup);
	options.cgroup = cgroup.fd;
	run_shell(&options, "cat /proc/self/cgroup", &result);
	ck_assert_msg(strstr(result.output, cgroup.name), "%s", result.output);
	ck_assert_int_eq(cgroup_remove(&cgroup, &left), 0);
	ck_assert_uint_eq(left, 0);
}
END_TEST

START_TEST(what_is_left_behind_is_not_killed)
{
	struct child_options options = { .cgroup = -1 };
	struct result result;
	unsigned int left = 0;
	int pid;

	make(&cgroup);
	options.cgroup = cgroup.fd;
	run_shell(&options, "sleep 100 >/dev/null 2>&1 & echo $!", &result);
	pid = atoi(result.output);
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(cgroup_remove(&cgroup, &left), -EBUSY);
	ck_assert_uint_eq(left, 1);
	ck_assert(exists(&cgroup));
	cgroup_sweep(&place); /* stale now, but not empty */
	ck_assert(exists(&cgroup));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	for (int i = 0; i < 100 && exists(&cgroup); i++) {
		usleep(10000);
		cgroup_sweep(&place);
	}
	ck_assert(!exists(&cgroup));
}
END_TEST

START_TEST(sweep_takes_the_stale_and_leaves_the_live)
{
	struct cgroup stale, foreign;
	struct cgroup_place elsewhere = place;
	char path[PATH_MAX + 16];

	make(&cgroup);
	/* A kloak that was killed: its fds are closed. One directory is elsewhere, and nested. */
	ck_assert_int_eq(mkdirat(cgroup.parent, SLICE, 0755), 0);
	snprintf(path, sizeof(path), "%s/" SLICE, place.own);
	snprintf(elsewhere.own, sizeof(elsewhere.own), "%.*s", PATH_MAX - 1, path);
	ck_assert_int_eq(cgroup_create(&elsewhere, &foreign, NULL), 0);
	ck_assert_int_eq(mkdirat(foreign.fd, "nested", 0755), 0);
	make(&stale);
	close(stale.fd);
	close(stale.parent);
	close(foreign.fd);
	close(foreign.parent);
	ck_assert_uint_ge(cgroup_sweep(&place), 2);
	ck_assert(exists(&cgroup));
	ck_assert(!exists(&stale));
	ck_assert(!exists(&foreign));
	ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

static void remove_leftovers(void)
{
	unsigned int left;

	if (cgroup.fd >= 0)
		cgroup_remove(&cgroup, &left);
}

/* ---- identity and capabilities ---- */

START_TEST(capabilities_are_taken)
{
	static const char *const sets[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
	struct child_options options = { .cgroup = -1 };
	struct result result;

	run_shell(&options, "cat /proc/self/status", &result);
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		ck_assert_uint_eq(status_mask(result.output, sets[i]) & CAPS_TAKEN, 0);
	/* others stay */
	ck_assert_uint_eq(status_mask(result.output, "CapEff"), caps_effective() & ~CAPS_TAKEN);
	ck_assert_uint_ne(status_mask(result.output, "CapEff"), 0);
	ck_assert_str_eq(status_field(result.output, "NoNewPrivs"), "1");
}
END_TEST

START_TEST(a_capability_can_be_kept)
{
	struct child_options options = { .cgroup = -1, .keep_caps = CAP_BIT(CAP_NET_RAW) };
	struct result result;

	run_shell(&options, "cat /proc/self/status", &result);
	ck_assert_msg(strstr(result.output, "warning: the command keeps CAP_NET_RAW"), "%s",
		      result.output);
	ck_assert_uint_eq(status_mask(result.output, "CapEff") & CAPS_TAKEN, CAP_BIT(CAP_NET_RAW));
	ck_assert_uint_eq(status_mask(result.output, "CapBnd") & CAPS_TAKEN, CAP_BIT(CAP_NET_RAW));
}
END_TEST

START_TEST(ambient_capabilities_are_taken)
{
	struct child_options options = { .cgroup = -1 };
	struct result result;
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	int ret;

	ck_assert_int_eq(syscall(SYS_capget, &header, data), 0);
	data[0].inheritable |= 1U << CAP_NET_RAW | 1U << CAP_NET_BIND_SERVICE;
	ck_assert_int_eq(syscall(SYS_capset, &header, data), 0);
	ret = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0);
	ck_assert_int_eq(ret, 0);
	ret = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0);
	ck_assert_int_eq(ret, 0);
	run_shell(&options, "cat /proc/self/status", &result);
	ck_assert_uint_eq(status_mask(result.output, "CapAmb"), CAP_BIT(CAP_NET_BIND_SERVICE));
	ck_assert_uint_eq(status_mask(result.output, "CapInh"), CAP_BIT(CAP_NET_BIND_SERVICE));
}
END_TEST

START_TEST(capability_names)
{
	ck_assert_int_eq(caps_parse("CAP_NET_RAW"), CAP_NET_RAW);
	ck_assert_int_eq(caps_parse("net_raw"), CAP_NET_RAW);
	ck_assert_int_eq(caps_parse("cap_bpf"), CAP_BPF);
	ck_assert_int_eq(caps_parse("CAP_"), -EINVAL);
	ck_assert_int_eq(caps_parse(""), -EINVAL);
	ck_assert_int_eq(caps_parse("CAP_NET_RAWX"), -EINVAL);
	ck_assert_str_eq(caps_name(CAP_SYS_ADMIN), "CAP_SYS_ADMIN");
	ck_assert_ptr_null(caps_name(CAP_LAST_CAP + 1));
}
END_TEST

static const char print_identity[] = "cat /proc/self/status; echo HOME:$HOME; echo USER:$USER; "
				     "echo LOGNAME:$LOGNAME; echo MARK:$MARK";

START_TEST(user_is_switched)
{
	struct child_options options = { .cgroup = -1, .user = "nobody" };
	struct result result;

	setenv("HOME", "/root", 1);
	setenv("USER", "root", 1);
	setenv("MARK", "kept", 1);
	run_shell(&options, print_identity, &result);
	ck_assert_str_eq(status_field(result.output, "Uid"), "65534\t65534\t65534\t65534");
	ck_assert_str_eq(status_field(result.output, "Gid"), "65534\t65534\t65534\t65534");
	ck_assert_str_eq(status_field(result.output, "Groups"), "65534 ");
	ck_assert_uint_eq(status_mask(result.output, "CapEff"), 0);
	ck_assert_uint_eq(status_mask(result.output, "CapPrm"), 0);
	ck_assert_str_eq(status_field(result.output, "HOME"), "/nonexistent");
	ck_assert_str_eq(status_field(result.output, "USER"), "nobody");
	ck_assert_str_eq(status_field(result.output, "LOGNAME"), "nobody");
	ck_assert_str_eq(status_field(result.output, "MARK"), "kept");
}
END_TEST

START_TEST(user_behind_sudo)
{
	struct child_options options = { .cgroup = -1 };
	struct result result;

	setenv("SUDO_UID", "65534", 1);
	setenv("SUDO_GID", "1234", 1);
	setenv("SUDO_USER", "nobody", 1);
	setenv("HOME", "/root", 1);
	run_shell(&options, print_identity, &result);
	ck_assert_str_eq(status_field(result.output, "Uid"), "65534\t65534\t65534\t65534");
	ck_assert_str_eq(status_field(result.output, "Gid"), "1234\t1234\t1234\t1234");
	ck_assert_str_eq(status_field(result.output, "HOME"), "/nonexistent");
}
END_TEST

START_TEST(root_stays_root_with_its_environment)
{
	struct child_options options = { .cgroup = -1 };
	struct result result;

	setenv("HOME", "/somewhere", 1);
	run_shell(&options, print_identity, &result);
	ck_assert_str_eq(status_field(result.output, "Uid"), "0\t0\t0\t0");
	ck_assert_str_eq(status_field(result.output, "HOME"), "/somewhere");
}
END_TEST

static char passwd_path[] = "/tmp/kloak-passwd-XXXXXX";
static char group_path[] = "/tmp/kloak-group-XXXXXX";

static void write_file(char *path, const char *text)
{
	CLEANUP_FD int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
}

static int find(const char *user, struct account *account, struct error *err)
{
	memset(err, 0, sizeof(*err));
	return account_find_in(user, passwd_path, group_path, account, err);
}

START_TEST(accounts_are_parsed)
{
	static const char *const wrong[] = { "",	 "bob",	     "carol", "77",	  "77:none",
					     "-1",	 "alice:",   ":7",    "4294967295", "99999999999",
					     "7x",	 "short" };
	struct account account;
	struct error err;

	write_file(passwd_path, "root:x:0:0:root:/root:/bin/sh\nshort:x:5\n\n#bob:x:6:6::/:\n"
				"carol:x:-7:7::/:/bin/sh\nalice:x:1000:1001:A,B:/home/a:/bin/zsh\n");
	write_file(group_path, "adm:x:4:bob,alice\nx:x:5:alice2,malice\nbad:x:q:alice\n"
			       "audio:x:29:alice\nalice:x:1001:\n");
	ck_assert_int_eq(find("alice", &account, &err), 0);
	ck_assert_uint_eq(account.uid, 1000);
	ck_assert_uint_eq(account.gid, 1001);
	ck_assert_str_eq(account.home, "/home/a");
	ck_assert_str_eq(account.shell, "/bin/zsh");
	ck_assert_uint_eq(account.group_count, 3);
	ck_assert_uint_eq(account.groups[1], 4);
	ck_assert_uint_eq(account.groups[2], 29);
	ck_assert_int_eq(find("1000", &account, &err), 0);
	ck_assert_str_eq(account.name, "alice");
	ck_assert_int_eq(find("alice:audio", &account, &err), 0);
	ck_assert_uint_eq(account.gid, 29);
	ck_assert_uint_eq(account.group_count, 1);
	ck_assert_int_eq(find("77:78", &account, &err), 0);
	ck_assert_uint_eq(account.uid, 77);
	ck_assert_uint_eq(account.gid, 78);
	ck_assert_str_eq(account.home, "/");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		ck_assert_msg(find(wrong[i], &account, &err) < 0, "accepted: %s", wrong[i]);
		ck_assert_int_eq(err.exit_code, EXIT_CONFIG);
		ck_assert_ptr_nonnull(strstr(err.text, "--user"));
	}
	setenv("SUDO_UID", "12ab", 1);
	ck_assert_int_lt(find(NULL, &account, &err), 0);
	ck_assert_int_eq(err.exit_code, EXIT_CONFIG);
	unlink(passwd_path);
	unlink(group_path);
}
END_TEST

START_TEST(fifo_as_passwd_does_not_block)
{
	struct account account;
	char path[] = "/tmp/kloak-fifo-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_lt(account_find_in("root", path, path, &account, NULL), 0);
	unlink(path);
}
END_TEST

/* ---- what the command inherits ---- */

START_TEST(only_the_callers_fds_are_inherited)
{
	struct child_options options = { .cgroup = -1 };
	char *const argv[] = { self, "--fds", NULL };
	char expected[FDS + 1];
	struct result result;
	struct error err = { 0 };
	int given = fcntl(1, F_DUPFD, 20);

	ck_assert_int_ge(given, 20);
	list_inheritable(expected);
	find_place();
	make(&cgroup);
	options.cgroup = cgroup.fd;
	ck_assert_msg(run(&options, argv, &result, &err) == 0, "%s", err.text);
	result.output[strcspn(result.output, "\n")] = '\0';
	ck_assert_int_eq(expected[given], '1');
	ck_assert_str_eq(result.output, expected);
	remove_leftovers();
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

static char directory[PATH_MAX];

static void make_script(const char *relative, const char *text, mode_t mode)
{
	char path[PATH_MAX + 64];
	CLEANUP_FILE FILE *file = NULL;

	snprintf(path, sizeof(path), "%s/%s", directory, relative);
	for (char *slash = path + strlen(directory) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fchmod(fileno(file), mode), 0);
}

static void make_directory(void)
{
	strcpy(directory, "/tmp/kloak-path-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chmod(directory, 0755), 0);
	forget_sudo();
}

static void remove_directory(void)
{
	char command[PATH_MAX + 16];

	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	ck_assert_int_eq(system(command), 0);
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
	ck_assert_int_eq(chdir(directory), 0);
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

	make_script("d/plain", "echo\n", 0644);
	make_script("d/lost", "#!/nonexistent/interpreter\n", 0755);
	expect_failure("kloak-no-such-command", EXIT_NOT_FOUND, "PATH");
	expect_failure("", EXIT_NOT_FOUND, "PATH");
	expect_failure("/nonexistent/x", EXIT_NOT_FOUND, "/nonexistent/x");
	snprintf(path, sizeof(path), "%s/d/lost", directory);
	expect_failure(path, EXIT_NOT_FOUND, "interpreter");
	snprintf(path, sizeof(path), "%s/d/plain", directory);
	expect_failure(path, EXIT_CANNOT_EXEC, "ermission");
	snprintf(path, sizeof(path), "%s/d", directory);
	expect_failure(path, EXIT_CANNOT_EXEC, "ermission");
}
END_TEST

START_TEST(path_is_searched_as_the_user)
{
	char path[5 * PATH_MAX], private[PATH_MAX + 64];
	char *const envp[] = { path, NULL }, *const argv[] = { "kloak-tool", NULL };
	struct child_options options = { .cgroup = -1, .envp = envp };
	struct result result;

	make_script("private/kloak-tool", "echo private\n", 0755); /* no #!: a shell script */
	make_script("public/kloak-tool", "#!/bin/sh\necho public\n", 0755);
	make_script("plain/kloak-tool", "echo plain\n", 0644);
	make_script("directory/kloak-tool/x", "", 0755);
	snprintf(private, sizeof(private), "%s/private", directory);
	ck_assert_int_eq(chmod(private, 0700), 0);
	snprintf(path, sizeof(path),
		 "PATH=/nonexistent:%s/plain:%s/directory:%s/private:%s/public", directory,
		 directory, directory, directory);
	ck_assert_int_eq(run(&options, argv, &result, NULL), 0);
	ck_assert_str_eq(result.output, "private\n");
	options.user = "nobody";
	ck_assert_int_eq(run(&options, argv, &result, NULL), 0);
	ck_assert_str_eq(result.output, "public\n");
}
END_TEST

START_TEST(path_is_reported_before_it_executes)
{
	char marker[PATH_MAX + 64];
	char *const argv[] = { "touch", marker, NULL };
	struct child_options options = { .argv = argv, .envp = environ, .cgroup = -1 };
	struct child child;
	int status;

	snprintf(marker, sizeof(marker), "%s/marker", directory);
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
	struct child_options options = { .argv = argv, .envp = environ, .cgroup = -1 };
	int ended[2];
	pid_t pid;
	char byte;

	snprintf(marker, sizeof(marker), "%s/marker", directory);
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
	struct child_options options = { .argv = argv, .envp = environ, .cgroup = -1 };
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
	struct child_options options = { .argv = argv, .envp = environ, .cgroup = -1 };
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
	struct child_options options = { .argv = argv, .envp = environ, .cgroup = -1 };
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
	struct child_options options = { .argv = argv, .envp = environ, .cgroup = -1 };
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
	ck_assert_uint_eq(after & (CAP_BIT(CAP_SYS_MODULE) | CAP_BIT(CAP_SETUID)), 0);
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

static TCase *texts(void)
{
	const TTest *const tests[] = {
		place_is_found, place_is_refused, capability_names, accounts_are_parsed,
		fifo_as_passwd_does_not_block,
	};

	return suite_case("texts", tests, ARRAY_SIZE(tests), 0, forget_sudo, NULL);
}

static TCase *cgroups(void)
{
	const TTest *const tests[] = {
		cgroup_is_made_and_removed, failure_has_a_remedy, level_is_what_bpf_counts,
		command_is_in_its_cgroup_from_the_start, what_is_left_behind_is_not_killed,
		sweep_takes_the_stale_and_leaves_the_live, only_the_callers_fds_are_inherited,
	};

	return suite_case("cgroups", tests, ARRAY_SIZE(tests), 20, find_place, remove_leftovers);
}

static TCase *commands(void)
{
	const TTest *const tests[] = {
		capabilities_are_taken, a_capability_can_be_kept, ambient_capabilities_are_taken,
		user_is_switched, user_behind_sudo, root_stays_root_with_its_environment,
		signal_state_is_inherited, limits_are_restored, status_is_the_commands,
		kloak_ends_like_the_command, failure_to_execute_is_126_or_127,
		path_is_searched_as_the_user, path_is_reported_before_it_executes,
		nothing_executes_if_kloak_dies_first, signals_pass_through,
		timer_runs_while_waiting, terminal_signals_arrive_once,
		kloak_stops_and_continues_with_the_command, parent_cannot_be_read, kloak_shrinks,
		network_namespace_has_a_cookie,
	};

	return suite_case("commands", tests, ARRAY_SIZE(tests), 30, make_directory,
			  remove_directory);
}

/* Says why a group of tests does not run here, so that nobody takes it for passed. */
static bool can_run(void)
{
	struct error err = { 0 };
	struct cgroup made;
	unsigned int left;

	if (geteuid() != 0) {
		puts("skipped: cgroups and commands: not root");
		return false;
	}
	if (cgroup_find(&place, &err) || cgroup_create(&place, &made, &err)) {
		printf("skipped: cgroups and commands: %s\n", err.text);
		return false;
	}
	cgroup_remove(&made, &left);
	return true;
}

int main(int argc, char **argv)
{
	TCase *cases[3] = {NULL, NULL, NULL};

	if (argc > 1)
		return mode_main(argv[1]);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	cases[0] = texts();
	if (can_run()) {
		cases[1] = cgroups();
		cases[2] = commands();
	}
	return suite_run_cases("workload", cases, ARRAY_SIZE(cases));
}
