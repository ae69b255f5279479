// SPDX-License-Identifier: GPL-2.0-only
/* Who the command is: its capabilities, its user, and the files in which users are looked up. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "selftests/unit/run_command.h"
#include "selftests/unit/scratch.h"
#include "selftests/unit/suite.h"
#include "user/workload/account.h"
#include "user/workload/caps.h"

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
	struct child_options options = { .cgroup = -1 };
	struct result result;

	setenv("HOME", "/root", 1);
	setenv("USER", "root", 1);
	setenv("MARK", "kept", 1);
	run_shell_as("nobody", &options, print_identity, &result);
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

static int find(const char *user, struct account *account, struct error *err)
{
	memset(err, 0, sizeof(*err));
	return account_find_in(user, scratch_path("passwd"), scratch_path("group"), account, err);
}

START_TEST(accounts_are_parsed)
{
	static const char *const wrong[] = { "",	   "bob",	  "carol",  "77",
					     "77:none",	   "-1",	  "alice:", ":7",
					     "4294967295", "99999999999", "7x",	    "short" };
	struct account account;
	struct error err;

	scratch_write("passwd",
		      "root:x:0:0:root:/root:/bin/sh\nshort:x:5\n\n#bob:x:6:6::/:\n"
		      "carol:x:-7:7::/:/bin/sh\nalice:x:1000:1001:A,B:/home/a:/bin/zsh\n",
		      0644);
	scratch_write("group",
		      "adm:x:4:bob,alice\nx:x:5:alice2,malice\nbad:x:q:alice\n"
		      "audio:x:29:alice\nalice:x:1001:\n",
		      0644);
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
}
END_TEST

START_TEST(fifo_as_passwd_does_not_block)
{
	struct account account;
	const char *path = scratch_path("fifo");

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_lt(account_find_in("root", path, path, &account, NULL), 0);
}
END_TEST

static void set_up(void)
{
	scratch_make();
	forget_sudo();
}

int main(void)
{
	const TTest *const texts[] = {
		capability_names,
		accounts_are_parsed,
		fifo_as_passwd_does_not_block,
	};
	const TTest *const commands[] = {
		capabilities_are_taken,
		a_capability_can_be_kept,
		ambient_capabilities_are_taken,
		user_is_switched,
		user_behind_sudo,
		root_stays_root_with_its_environment,
	};
	TCase *const cases[] = {
		suite_case("texts", texts, ARRAY_SIZE(texts), 0, set_up, scratch_remove),
		can_run("commands") ? suite_case("commands", commands, ARRAY_SIZE(commands), 30,
						 forget_sudo, NULL)
				    : NULL,
	};

	return suite_run_cases("identity", cases, ARRAY_SIZE(cases));
}
