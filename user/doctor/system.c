// SPDX-License-Identifier: GPL-2.0-only
/* Checks of what the system's files say. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/text.h"
#include "user/bpf/feature.h"
#include "user/doctor/checks.h"
#include "user/policy/resolvers.h"
#include "user/policy/trusted_file.h"

#define FILE_LIMIT (64 << 10)
#define JIT_REMEDY "turn the BPF compiler on: sysctl -w net.core.bpf_jit_enable=1"

/* The caller frees it. NULL: it cannot be read. */
static char *read_file(const char *root, const char *path)
{
	char full[PATH_MAX], *text = NULL;

	if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full) ||
	    text_read(full, FILE_LIMIT, &text))
		return NULL;
	return text;
}

static char *read_first_line(const char *root, const char *path)
{
	char *text = read_file(root, path);

	if (text)
		text[strcspn(text, "\n")] = '\0';
	return text;
}

void check_kernel(const char *root, struct doctor_finding *finding)
{
	CLEANUP_FREE char *release = read_first_line(root, "/proc/sys/kernel/osrelease");
	char *rest = release;
	unsigned long major = release ? strtoul(release, &rest, 10) : 0;
	unsigned long minor = release && *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;

	if (!release || major == 0)
		doctor_set(finding, DOCTOR_WARN, "mount /proc", "the version cannot be read");
	else if (major < 6 || (major == 6 && minor < 1))
		doctor_set(finding, DOCTOR_WARN, "use Linux 6.1 or later",
			   "Linux %s: Kloak is tested from 6.1 on", release);
	else
		doctor_set(finding, DOCTOR_OK, NULL, "Linux %s", release);
}

void check_lockdown(const char *root, struct doctor_finding *finding)
{
	CLEANUP_FREE char *text = read_first_line(root, "/sys/kernel/security/lockdown");

	if (!text)
		doctor_set(finding, DOCTOR_OK, NULL, "not in use");
	else if (strstr(text, "[confidentiality]"))
		doctor_set(finding, DOCTOR_OK, NULL,
			   "confidentiality: forbids to read the kernel's memory, which Kloak does "
			   "not do");
	else
		doctor_set(finding, DOCTOR_OK, NULL, "%s", text);
}

void check_jit(const char *root, struct doctor_finding *finding)
{
	CLEANUP_FREE char *text = read_first_line(root, "/proc/sys/net/core/bpf_jit_enable");

	if (!text)
		doctor_set(finding, DOCTOR_WARN, "read it as root: sysctl net.core.bpf_jit_enable",
			   "cannot be read");
	else if (strcmp(text, "0") == 0 && bpf_feature_has(BPF_FEATURE_LOOP))
		doctor_set(finding, DOCTOR_WARN, JIT_REMEDY,
			   "off: BPF programs are interpreted, TLS writes get slow");
	else if (strcmp(text, "0") == 0)
		doctor_set(finding, DOCTOR_FAIL, JIT_REMEDY,
			   "off: this kernel's interpreter does not run programs with loops");
	else
		doctor_set(finding, DOCTOR_OK, NULL, "on (bpf_jit_enable is %s)", text);
}

void check_unprivileged(const char *root, struct doctor_finding *finding)
{
	CLEANUP_FREE char *text =
		read_first_line(root, "/proc/sys/kernel/unprivileged_bpf_disabled");

	if (text && strcmp(text, "0") == 0)
		doctor_set(finding, DOCTOR_WARN,
			   "forbid it: sysctl -w kernel.unprivileged_bpf_disabled=2",
			   "0: any user may load BPF programs; Kloak does not need that");
	else
		doctor_set(finding, DOCTOR_OK, NULL, "%s",
			   text ? "forbidden to users without privileges" : "not in this kernel");
}

void check_ktls(const char *root, struct doctor_finding *finding)
{
	char path[PATH_MAX];
	bool loaded;

	snprintf(path, sizeof(path), "%s/sys/module/tls", root);
	loaded = access(path, F_OK) == 0;
	doctor_set(finding, DOCTOR_OK, NULL, "%s",
		   loaded ? "module loaded; workloads are refused it and use TLS in user space"
			  : "module not loaded");
}

/* The sources of the line "hosts:" of nsswitch.conf(5), or NULL. */
static char *hosts_line(char *text)
{
	char *line;

	while ((line = text_line(&text))) {
		line += strspn(line, " \t");
		if (strncmp(line, "hosts:", 6) == 0)
			return line + 6 + strspn(line + 6, " \t");
	}
	return NULL;
}

static bool has_word(const char *text, const char *word)
{
	size_t size = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += size)
		if ((at == text || isspace((unsigned char)at[-1])) &&
		    (at[size] == '\0' || isspace((unsigned char)at[size]) || at[size] == '['))
			return true;
	return false;
}

/* Is the name service cache daemon there to answer? A socket that a dead one left refuses. */
static bool nscd_answers(const char *root)
{
	static const char *const paths[] = { "/run/nscd/socket", "/var/run/nscd/socket" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		struct sockaddr_un server = { .sun_family = AF_UNIX };
		int size =
			snprintf(server.sun_path, sizeof(server.sun_path), "%s%s", root, paths[i]);

		if (fd < 0 || size >= (int)sizeof(server.sun_path))
			continue;
		/* EAGAIN: it listens, and its queue is full. */
		if (connect(fd, (const struct sockaddr *)&server, sizeof(server)) == 0 ||
		    errno == EAGAIN)
			return true;
	}
	return false;
}

/* Names that a daemon looks up for the command are not on the command's own sockets. */
void check_names(const char *root, struct doctor_finding *finding)
{
	CLEANUP_FREE char *text = read_file(root, "/etc/nsswitch.conf");
	const char *hosts = text ? hosts_line(text) : NULL;

	if (nscd_answers(root))
		doctor_set(finding, DOCTOR_WARN,
			   "stop nscd, or let its answers count: kloak run --resolver "
			   "cgroup:/system.slice/nscd.service",
			   "nscd looks names up for the command: its sockets carry no answers");
	else if (hosts && has_word(hosts, "resolve"))
		doctor_set(finding, DOCTOR_WARN,
			   "in /etc/nsswitch.conf write \"hosts: files dns\" (127.0.0.53 is then "
			   "asked over the network, and seen), or let its answers count: kloak run "
			   "--resolver cgroup:/system.slice/systemd-resolved.service",
			   "nss-resolve asks systemd-resolved over a socket of its own, where "
			   "answers are not seen");
	else
		doctor_set(finding, DOCTOR_OK, NULL, "hosts: %s", hosts ? hosts : "files dns");
}

/* The usable name servers of resolv.conf, as a list. */
struct servers {
	char list[160];
	size_t count;
};

static int list_server(void *context, const char *server, size_t size)
{
	struct servers *servers = context;
	uint8_t address[ADDRESS_SIZE];
	char text[INET6_ADDRSTRLEN];
	size_t used = strlen(servers->list);

	if (address_parse(server, size, address) < 0 || resolver_address_fault(address))
		return 0;
	snprintf(servers->list + used, sizeof(servers->list) - used, "%s%s", used ? ", " : "",
		 address_format(address, text));
	servers->count++;
	return 0;
}

void check_resolvers(const char *root, struct doctor_finding *finding)
{
	static const char remedy[] = "name the one that the command asks: kloak run --resolver "
				     "ADDRESS; or pin names: --pin HOST=ADDRESS";
	struct servers servers = { .list = "" };
	struct trusted_file file = { .data = NULL };
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", root, RESOLV_CONF_PATH);
	if (trusted_file_read(path, &file))
		doctor_set(finding, DOCTOR_WARN, remedy, "%s cannot be read", RESOLV_CONF_PATH);
	else if (file.why)
		doctor_set(finding, DOCTOR_WARN, remedy, "%s does not count: %s", RESOLV_CONF_PATH,
			   file.why);
	else if (resolv_conf_parse(file.data, file.size, list_server, &servers) ||
		 servers.count == 0)
		doctor_set(finding, DOCTOR_WARN, remedy, "%s names no address that can be trusted",
			   RESOLV_CONF_PATH);
	else
		doctor_set(finding, DOCTOR_OK, NULL, "%s", servers.list);
	trusted_file_release(&file);
}
