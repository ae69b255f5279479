// SPDX-License-Identifier: GPL-2.0-only
/* Trusted resolvers: --resolver, resolv.conf, and the warnings. */
#include "selftests/unit/mapped.h"
#include "selftests/unit/scratch.h"
#include "selftests/unit/stderr_capture.h"
#include "selftests/unit/suite.h"
#include "user/policy/resolvers.h"
#include "user/policy/trusted_file.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

static struct error err;
static struct rule_set rules;
static struct pin_set pins;
static struct resolver_set set;
static char path[64];

static void setup(void)
{
	err = (struct error){ 0 };
	set = (struct resolver_set){ 0 };
	scratch_make();
	strcpy(path, scratch_path("resolv.conf"));
	write_file(path, "", 0, 0600);
}

static void teardown(void)
{
	pin_set_release(&pins);
	rule_set_release(&rules);
	scratch_remove();
}

static void add(const char *text)
{
	ck_assert_msg(resolver_set_add(&set, text, &err) == 0, "%s: %s", text, err.text);
}

/* Reads @text as resolv.conf; returns the warnings. */
static const char *conf(const char *text)
{
	write_file(path, text, strlen(text), 0644);
	capture_begin();
	ck_assert_msg(resolver_set_add_resolv_conf(&set, path, &err) == 0, "%s", err.text);
	return capture_end();
}

static void expect(size_t index, const char *text, unsigned int port)
{
	uint8_t address[16];

	ck_assert_msg(index < set.count, "%s is missing", text);
	to_mapped(text, address);
	ck_assert_msg(memcmp(set.resolver[index].address, address, 16) == 0, "%s", text);
	ck_assert_uint_eq(set.resolver[index].port, port);
}

/* ---- --resolver ---- */

START_TEST(option)
{
	static const struct {
		const char *text, *address;
		unsigned int port;
	} good[] = {
		{ "192.0.2.53", "192.0.2.53", 53 },
		{ "192.0.2.53:5353", "192.0.2.53", 5353 },
		{ "192.0.2.53:65535", "192.0.2.53", 65535 },
		{ "192.0.2.53:1", "192.0.2.53", 1 },
		{ "2001:db8::53", "2001:db8::53", 53 },
		{ "[2001:db8::54]", "2001:db8::54", 53 },
		{ "[2001:db8::53]:5353", "2001:db8::53", 5353 },
		{ "::1", "::1", 53 },
		{ "[::1]:1053", "::1", 1053 },
		{ "fd00::53", "fd00::53", 53 },
		{ "::ffff:192.0.2.54", "192.0.2.54", 53 },
		{ "[::ffff:192.0.2.54]:99", "192.0.2.54", 99 },
		{ "127.0.0.53", "127.0.0.53", 53 },
		{ "169.254.169.253", "169.254.169.253", 53 }, /* of a cloud; not link-local IPv6 */
		{ "223.255.255.255", "223.255.255.255", 53 },
		{ "1.1.1.1", "1.1.1.1", 53 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		add(good[i].text);
		ck_assert_msg(set.count == i + 1, "%s", good[i].text);
		expect(i, good[i].address, good[i].port);
	}
	add("192.0.2.53:53"); /* the same again needs no room */
	ck_assert_uint_eq(set.count, RESOLVER_SET_MAX);
	ck_assert_int_eq(resolver_set_add(&set, "192.0.2.99", &err), -E2BIG);
	ck_assert_int_eq(err.exit_code, EXIT_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "16"));
}
END_TEST

START_TEST(option_refused)
{
	static const struct {
		const char *text, *remedy;
	} bad[] = {
		{ "", "is empty" },
		{ "dns.example", "not its name" },
		{ "dns.example:53", "not its name" },
		{ "localhost", "not its name" },
		{ "192.0.2", "no IPv4 or IPv6 address" },
		{ "010.0.0.1", "no IPv4 or IPv6 address" },
		{ "192.0.2.53 ", "no IPv4 or IPv6 address" },
		{ " 192.0.2.53", "no IPv4 or IPv6 address" },
		{ "192.0.2.0/24", "no IPv4 or IPv6 address" },
		{ "192.0.2.53,192.0.2.54", "no IPv4 or IPv6 address" },
		{ ":53", "no IPv4 or IPv6 address" },
		{ "192.0.2.53#5353", "no IPv4 or IPv6 address" },
		{ "2001:db8::53:99999", "no IPv4 or IPv6 address" },
		{ "192.0.2.53:53:53", "no IPv4 or IPv6 address" },
		{ "192.0.2.53:", "1 to 65535" },
		{ "192.0.2.53:0", "1 to 65535" },
		{ "192.0.2.53:65536", "1 to 65535" },
		{ "192.0.2.53:053", "1 to 65535" },
		{ "192.0.2.53:+53", "1 to 65535" },
		{ "192.0.2.53:domain", "1 to 65535" },
		{ "[::1]:", "1 to 65535" },
		{ "[::1]:0", "1 to 65535" },
		{ "[::1]:53:53", "1 to 65535" },
		{ "[::1", "']' is missing" },
		{ "[::1]53", "after ']'" },
		{ "[::1]]:53", "after ']'" },
		{ "[]", "between the brackets" },
		{ "[192.0.2.53]", "between the brackets" },
		{ "[dns.example]:53", "between the brackets" },
		{ "https://192.0.2.53/dns-query", "HTTPS" },
		{ "tls://192.0.2.53", "HTTPS" },
		{ "0.0.0.0", "nobody's" },
		{ "0.1.2.3", "nobody's" },
		{ "::", "nobody's" },
		{ "[::]:53", "nobody's" },
		{ "::ffff:0.0.0.0", "nobody's" },
		{ "255.255.255.255", "broadcast" },
		{ "224.0.0.251", "multicast" },
		{ "239.255.255.255:53", "multicast" },
		{ "ff02::fb", "multicast" },
		{ "::ffff:224.0.0.251", "multicast" },
		{ "fe80::1", "link-local" },
		{ "[febf::1]:53", "link-local" },
		{ "fe80::1%eth0", "zone" },
		{ "[fe80::1%eth0]:53", "zone" },
		{ "2001:db8::53%1", "zone" },
		{ "cgroup:", "begins with '/'" },
		{ "cgroup:system.slice", "begins with '/'" },
		{ "cgroup:./x", "begins with '/'" },
		{ "cgroup:/", "root cgroup" },
		{ "cgroup://", "root cgroup" },
		{ "cgroup:/..", "'..'" },
		{ "cgroup:/a/../b", "'..'" },
		{ "cgroup:/a/b/..", "'..'" },
		{ "cgroup:/../../b", "'..'" },
		{ "Cgroup:/a", "no IPv4 or IPv6 address" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(resolver_set_add(&set, bad[i].text, &err) == -EINVAL,
			      "\"%s\" was accepted", bad[i].text);
		ck_assert_msg(strstr(err.text, bad[i].remedy) && strstr(err.text, "--resolver"),
			      "\"%s\": %s", bad[i].text, err.text);
		ck_assert_int_eq(err.exit_code, EXIT_CONFIG);
	}
	ck_assert_uint_eq(set.count, 0);
	ck_assert_uint_eq(set.cgroup_count, 0);
}
END_TEST

START_TEST(cgroups)
{
	char text[1100] = "cgroup:/";

	add("cgroup:/system.slice/systemd-resolved.service");
	add("cgroup:/a/b..c/..d");
	add("cgroup:/system.slice/systemd-resolved.service");
	ck_assert_uint_eq(set.cgroup_count, 2);
	ck_assert_uint_eq(set.count, 0);
	ck_assert_str_eq(set.cgroup[0], "/system.slice/systemd-resolved.service");
	ck_assert_str_eq(set.cgroup[1], "/a/b..c/..d");
	add("cgroup:/3");
	memset(text + 8, 'x', 1023);
	add(text);
	ck_assert_uint_eq(set.cgroup_count, RESOLVER_CGROUPS_MAX);
	ck_assert_int_eq(resolver_set_add(&set, "cgroup:/5", &err), -E2BIG);
	ck_assert_int_eq(err.exit_code, EXIT_CONFIG);
	memset(text + 8, 'x', 1024);
	ck_assert_int_eq(resolver_set_add(&set, text, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "1024"));
}
END_TEST

/* ---- resolv.conf ---- */

START_TEST(resolv_conf)
{
	static const char text[] = "# made by hand\n"
				   "; nameserver 192.0.2.9\n"
				   "#nameserver 192.0.2.9\n"
				   "search example\n"
				   "nameserver 192.0.2.1\n"
				   "nameserver\t2001:db8::1 \t trailing\r\n"
				   "nameserver  127.0.0.53\r\n"
				   "nameserver 192.0.2.1\n"
				   "nameserver 192.0.2.4\n"
				   "options edns0 trust-ad\n"
				   " nameserver 192.0.2.5\n"
				   "nameservers 192.0.2.6\n"
				   "nameserver192.0.2.7\n"
				   "Nameserver 192.0.2.8\n"
				   "nameserver\n"
				   "nameserver  \n"
				   "nameserver 192.0.2.10"; /* no newline at the end */

	ck_assert_str_eq(conf(text), "");
	ck_assert_uint_eq(set.count, 5);
	expect(0, "192.0.2.1", 53);
	expect(1, "2001:db8::1", 53);
	expect(2, "127.0.0.53", 53);
	expect(3, "192.0.2.4", 53);
	expect(4, "192.0.2.10", 53);
}
END_TEST

START_TEST(resolv_conf_bad_servers)
{
	static const char *const bad[] = {
		"fe80::1%eth0", "fe80::1",	   "0.0.0.0",  "::",
		"224.0.0.251",	"dns.example",	   "192.0.2",  "[::1]",
		"192.0.2.1:53", "255.255.255.255", "\x1b[31m",
	};
	char text[128];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *warned;

		snprintf(text, sizeof(text), "nameserver %s\n", bad[i]);
		warned = conf(text);
		ck_assert_msg(strstr(warned, "not trusted") && strstr(warned, path), "%s: %s",
			      bad[i], warned);
		ck_assert_msg(!strchr(warned, '\x1b'), "an escape reaches the terminal");
		ck_assert_uint_eq(set.count, 0);
	}
	conf("nameserver fe80::1%eth0\nnameserver 192.0.2.1\n");
	ck_assert_uint_eq(set.count, 1);
}
END_TEST

START_TEST(resolv_conf_lines)
{
	static const char nul[] = "nameserver 192.0.2.1\0\nnameserver\0192.0.2.2\n"
				  "nameserver 192.0.2.3\n";
	char line[RESOLV_CONF_LINE_MAX + 64];

	write_file(path, nul, sizeof(nul) - 1, 0644);
	capture_begin();
	ck_assert_int_eq(resolver_set_add_resolv_conf(&set, path, &err), 0);
	capture_end();
	ck_assert_uint_eq(set.count, 1);
	expect(0, "192.0.2.3", 53);

	for (size_t over = 0; over < 2; over++) { /* 1,024 bytes are read, 1,025 are not */
		set = (struct resolver_set){ 0 };
		memset(line, ' ', sizeof(line));
		memcpy(line, "nameserver", 10);
		strcpy(line + RESOLV_CONF_LINE_MAX + over - 9, "192.0.2.1\n");
		conf(line);
		ck_assert_uint_eq(set.count, 1 - over);
	}
}
END_TEST

START_TEST(resolv_conf_many)
{
	char text[2048];
	size_t size = 0;

	for (int i = 1; i <= RESOLVER_SET_MAX + 2; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size,
					 "nameserver 192.0.2.%d\n", i);
	ck_assert_ptr_nonnull(strstr(conf(text), "first 16"));
	ck_assert_uint_eq(set.count, RESOLVER_SET_MAX);
	expect(15, "192.0.2.16", 53);
}
END_TEST

/* Who names resolvers means these and no others. A cgroup goes with those of the file. */
START_TEST(resolv_conf_is_the_default)
{
	add("192.0.2.53");
	conf("nameserver 192.0.2.1\n");
	ck_assert_uint_eq(set.count, 1);
	expect(0, "192.0.2.53", 53);
	set = (struct resolver_set){ 0 };
	add("cgroup:/resolver");
	conf("nameserver 192.0.2.1\n");
	ck_assert_uint_eq(set.count, 1);
	ck_assert_uint_eq(set.cgroup_count, 1);
}
END_TEST

/* A change of the file, whatever clock it was made by. */
static void conf_change(const char *text, unsigned int second)
{
	const struct timespec times[2] = { { .tv_sec = second }, { .tv_sec = second } };

	write_file(path, text, strlen(text), 0644);
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

START_TEST(resolv_conf_is_followed)
{
	struct resolver_set before;

	conf("nameserver 192.0.2.1\nnameserver 192.0.2.2\n");
	add("cgroup:/resolver");
	ck_assert(!resolver_set_follow(&set, path, &before));
	conf_change("nameserver 192.0.2.2\nnameserver bad\nnameserver 2001:db8::1\n", 1);
	ck_assert(resolver_set_follow(&set, path, &before));
	ck_assert_uint_eq(before.count, 2);
	ck_assert_uint_eq(set.count, 2);
	ck_assert_uint_eq(set.cgroup_count, 1);
	expect(0, "192.0.2.2", 53);
	expect(1, "2001:db8::1", 53);
	ck_assert(!resolver_set_follow(&set, path, &before));
	conf_change("nameserver 2001:db8::1\nnameserver 192.0.2.2\n", 2); /* the same ones */
	ck_assert(!resolver_set_follow(&set, path, &before));
}
END_TEST

/* A file that is just being written, or that anybody may write, says nothing. */
START_TEST(resolv_conf_is_not_followed)
{
	struct resolver_set before;

	conf("nameserver 192.0.2.1\n");
	conf_change("", 1);
	ck_assert(!resolver_set_follow(&set, path, &before));
	conf_change("nameserver 192.0.2.9\n", 2);
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert(!resolver_set_follow(&set, path, &before));
	expect(0, "192.0.2.1", 53);
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert(resolver_set_follow(&set, path, &before));
	expect(0, "192.0.2.9", 53);
	unlink(path);
	ck_assert(!resolver_set_follow(&set, path, &before));
	set = (struct resolver_set){ 0 };
	add("192.0.2.53"); /* not from the file */
	conf_change("nameserver 192.0.2.1\n", 3);
	ck_assert(!resolver_set_follow(&set, path, &before));
	expect(0, "192.0.2.53", 53);
}
END_TEST

START_TEST(resolv_conf_missing_or_no_file)
{
	ck_assert_int_eq(resolver_set_add_resolv_conf(&set, "/nonexistent/resolv.conf", &err), 0);
	capture_begin();
	ck_assert_int_eq(resolver_set_add_resolv_conf(&set, "/dev/zero", &err), 0);
	ck_assert_ptr_nonnull(strstr(capture_end(), "not a regular file"));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	capture_begin();
	ck_assert_int_eq(resolver_set_add_resolv_conf(&set, path, &err), 0); /* does not block */
	capture_end();
	ck_assert_uint_eq(set.count, 0);
	ck_assert_int_lt(resolver_set_add_resolv_conf(&set, "/dev/null/resolv.conf", &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "/dev/null/resolv.conf"));
}
END_TEST

START_TEST(resolv_conf_of_others)
{
	static const char text[] = "nameserver 192.0.2.1\n";

	write_file(path, text, strlen(text), 0644);
	ck_assert_int_eq(chmod(path, 0646), 0);
	capture_begin();
	ck_assert_int_eq(resolver_set_add_resolv_conf(&set, path, &err), 0);
	ck_assert_ptr_nonnull(strstr(capture_end(), "chmod 644"));
	ck_assert_uint_eq(set.count, 0);
	ck_assert_int_eq(chmod(path, 0644), 0);
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chown(path, 65534, 65534), 0);
	capture_begin();
	ck_assert_int_eq(resolver_set_add_resolv_conf(&set, path, &err), 0);
	ck_assert_ptr_nonnull(strstr(capture_end(), "chown root"));
	ck_assert_uint_eq(set.count, 0);
}
END_TEST

/* systemd-resolved's own file is its user's; it is taken from its own directory only. */
START_TEST(resolv_conf_of_resolved)
{
	static const char text[] = "nameserver 127.0.0.53\n";
	struct trusted_file file;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("none", "/run", "tmpfs", 0, "mode=755"), 0);
	ck_assert_int_eq(mkdir("/run/systemd", 0755), 0);
	ck_assert_int_eq(mkdir("/run/systemd/resolve", 0755), 0);
	write_file("/run/systemd/resolve/stub-resolv.conf", text, strlen(text), 0644);
	write_file("/run/systemd/resolver", text, strlen(text), 0644);
	ck_assert_int_eq(chown("/run/systemd/resolve/stub-resolv.conf", 991, 991), 0);
	ck_assert_int_eq(chown("/run/systemd/resolver", 991, 991), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/run/systemd/resolve/stub-resolv.conf", path), 0);
	ck_assert_int_eq(resolver_set_add_resolv_conf(&set, path, &err), 0);
	ck_assert_uint_eq(set.count, 1);
	expect(0, "127.0.0.53", 53);
	ck_assert_int_eq(trusted_file_read("/run/systemd/resolver", &file), 0);
	ck_assert_ptr_nonnull(file.why);
	ck_assert_ptr_null(file.data);
	ck_assert_int_eq(chmod("/run/systemd/resolve/stub-resolv.conf", 0666), 0);
	ck_assert_int_eq(trusted_file_read(path, &file), 0);
	ck_assert_ptr_nonnull(file.why);
}
END_TEST

START_TEST(file_is_cut)
{
	static char data[TRUSTED_FILE_MAX + 1];
	struct trusted_file file;

	memset(data, 'x', sizeof(data));
	data[9] = '\n';
	for (size_t size = TRUSTED_FILE_MAX - 1; size <= TRUSTED_FILE_MAX + 1; size++) {
		write_file(path, data, size, 0644);
		ck_assert_int_eq(trusted_file_read(path, &file), 0);
		ck_assert_int_eq(file.cut, size >= TRUSTED_FILE_MAX);
		ck_assert_uint_eq(file.size, size < TRUSTED_FILE_MAX ? size : 10);
		trusted_file_release(&file);
		ck_assert_ptr_null(file.data);
	}
}
END_TEST

/* ---- warnings ---- */

static const char *warned(void)
{
	capture_begin();
	resolver_set_warn(&set, &rules, &pins);
	return capture_end();
}

static void grant(const char *hosts)
{
	ck_assert_msg(rule_set_add(&rules, hosts, 0, &err) == 0, "%s", err.text);
}

START_TEST(nobody_to_verify_names)
{
	grant("192.0.2.7,*");
	ck_assert_str_eq(warned(), "");
	grant("api.example,api.example:8443");
	ck_assert_ptr_nonnull(strstr(warned(), "api.example"));
	add("cgroup:/resolver");
	ck_assert_str_eq(warned(), "");
	set = (struct resolver_set){ 0 };
	add("192.0.2.53");
	ck_assert_str_eq(warned(), "");
	set = (struct resolver_set){ 0 };
	ck_assert_int_eq(pin_set_add(&pins, &rules, "api.example=192.0.2.1", &err), 0);
	ck_assert_str_eq(warned(), "");
	grant("*.example");
	ck_assert_ptr_nonnull(strstr(warned(), "*.example"));
}
END_TEST

START_TEST(anybody_may_answer)
{
	add("127.0.0.53:65535");
	ck_assert_ptr_nonnull(strstr(warned(), "127.0.0.53 port 65535"));
	set = (struct resolver_set){ 0 };
	add("192.0.2.53:65535"); /* not this machine's: TEST-NET */
	ck_assert_str_eq(warned(), "");
	add("[::1]:65535");
	if (access("/proc/sys/net/ipv6/conf/lo", F_OK) == 0)
		ck_assert_ptr_nonnull(strstr(warned(), "::1 port 65535"));
}
END_TEST

static void start_write(const char *text)
{
	int fd = open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* A network of the test's own, with a loopback device. */
static void make_network(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
}

START_TEST(where_privileges_begin)
{
	if (geteuid() != 0)
		return;
	make_network();
	add("127.0.0.53");
	start_write("54");
	ck_assert_str_eq(warned(), "");
	start_write("53");
	ck_assert_ptr_nonnull(strstr(warned(), "127.0.0.53 port 53"));
	start_write("0");
	ck_assert_ptr_nonnull(strstr(warned(), "127.0.0.53 port 53"));
}
END_TEST

/* ---- map rows ---- */

static size_t taken;

static int take(void *context, __u32 workload, const uint8_t address[static ADDRESS_SIZE],
		uint16_t port)
{
	ck_assert_ptr_eq(context, &set);
	ck_assert_uint_eq(workload, 9);
	ck_assert_mem_eq(address, set.resolver[taken].address, ADDRESS_SIZE);
	ck_assert_uint_eq(port, set.resolver[taken].port);
	return ++taken == 3 ? -E2BIG : 0;
}

START_TEST(rows)
{
	ck_assert_int_eq(resolver_set_emit(&set, 9, take, &set), 0);
	add("192.0.2.53");
	add("[2001:db8::1]:5353");
	ck_assert_int_eq(resolver_set_emit(&set, 9, take, &set), 0);
	ck_assert_uint_eq(taken, 2);
	taken = 0;
	add("192.0.2.54");
	add("192.0.2.55");
	ck_assert_int_eq(resolver_set_emit(&set, 9, take, &set), -E2BIG);
	ck_assert_uint_eq(taken, 3);
}
END_TEST

START_TEST(text)
{
	char buffer[INET6_ADDRSTRLEN];

	add("192.0.2.53");
	add("2001:DB8:0:0::53");
	ck_assert_str_eq(address_format(set.resolver[0].address, buffer), "192.0.2.53");
	ck_assert_str_eq(address_format(set.resolver[1].address, buffer), "2001:db8::53");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		option,
		option_refused,
		cgroups,
		resolv_conf,
		resolv_conf_bad_servers,
		resolv_conf_lines,
		resolv_conf_many,
		resolv_conf_is_the_default,
		resolv_conf_is_followed,
		resolv_conf_is_not_followed,
		resolv_conf_missing_or_no_file,
		resolv_conf_of_others,
		resolv_conf_of_resolved,
		file_is_cut,
		nobody_to_verify_names,
		anybody_may_answer,
		where_privileges_begin,
		rows,
		text,
	};

	return suite_run("resolvers", tests, ARRAY_SIZE(tests), 0, setup, teardown);
}
