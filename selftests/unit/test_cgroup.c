// SPDX-License-Identifier: GPL-2.0-only
/* The workload's cgroup: where it goes, and how it is made, entered, counted and swept. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/text.h"
#include "selftests/unit/run_command.h"
#include "selftests/unit/suite.h"
#include "user/workload/cgroup.h"

/* ---- where the cgroup is ---- */

static int parse(const char *mountinfo, const char *membership, struct cgroup_place *place)
{
	CLEANUP_FREE char *mounts = strdup(mountinfo), *own = strdup(membership);

	return cgroup_parse(mounts, own, place);
}

#define LINE(root, mount) "31 23 0:26 " root " " mount " rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
#define OTHERS                                                      \
	"22 28 0:20 / /proc rw,relatime shared:13 - proc proc rw\n" \
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

int main(void)
{
	const TTest *const texts[] = { place_is_found, place_is_refused };
	const TTest *const cgroups[] = {
		cgroup_is_made_and_removed,	   failure_has_a_remedy,
		level_is_what_bpf_counts,	   command_is_in_its_cgroup_from_the_start,
		what_is_left_behind_is_not_killed, sweep_takes_the_stale_and_leaves_the_live,
	};
	TCase *const cases[] = {
		suite_case("texts", texts, ARRAY_SIZE(texts), 0, NULL, NULL),
		can_run("cgroups") ? suite_case("cgroups", cgroups, ARRAY_SIZE(cgroups), 20,
						find_place, remove_leftovers)
				   : NULL,
	};

	return suite_run_cases("cgroup", cases, ARRAY_SIZE(cases));
}
