// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a command as `kloak run` would, but with empty programs: the least that
 * any tool built this way costs on this kernel.
 *
 *	floor [-e FILE] [-r FILE] [-m | -d] -- COMMAND...
 *
 *	-e FILE	an empty probe on entry of SSL_write in FILE
 *	-r FILE	empty probes on entry and return of EVP_KDF_derive in FILE
 *	-m	the command's sockets are in a sockhash with an empty sk_msg program
 *	-d	the same, and the program redirects each message to its own socket
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "elf/image.h"
#include "elf/site.h"
#include "elf/symbol.h"
#include "user/bpf/link.h"
#include "user/bpf/object.h"
#include "user/workload/cgroup.h"

#define CODE 4096

extern const unsigned char bpf_floor_start[], bpf_floor_end[];

static struct error err;

static int checked(int ret, const char *what)
{
	if (ret >= 0)
		return ret;
	fprintf(stderr, "floor: %s: %s %s\n", what, strerror(-ret), err.text);
	exit(1);
}

/* The site that Kloak would choose. */
static uint64_t find_site(int fd, const char *function, enum site_use use)
{
	struct elf_symbol symbol;
	struct elf_image image;
	uint8_t code[CODE];
	struct site site;
	uint64_t offset;

	checked(elf_image_open(&image, fd), "library");
	checked(elf_symbol_find(&image, function, &symbol), function);
	checked(elf_address_to_offset(&image, symbol.value, &offset), function);
	if (symbol.size > sizeof(code))
		symbol.size = sizeof(code);
	checked(elf_image_read(&image, offset, code, symbol.size), function);
	checked(site_choose(code, symbol.size, symbol.value, use, &site), function);
	elf_image_close(&image);
	return offset + site.offset;
}

static void probe(const struct bpf_object *object, const char *path, const char *function,
		  bool with_return)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t offset;

	checked(fd < 0 ? -errno : 0, path);
	offset = find_site(fd, function, with_return ? SITE_ENTRY_AND_RETURN : SITE_ENTRY);
	close(fd);
	checked(link_create_uprobe(bpf_object_program(object, "floor_probe"), path, offset, false),
		function);
	if (with_return)
		checked(link_create_uprobe(bpf_object_program(object, "floor_return"), path, offset,
					   true),
			function);
}

static void watch_sockets(const struct bpf_object *object, const struct bpf_map_set *maps,
			  const struct cgroup *cgroup, const char *program)
{
	checked(bpf_prog_attach_map(bpf_object_program(object, program),
				    bpf_map_set_find(maps, "floor_sockets"), BPF_SK_MSG_VERDICT),
		"sk_msg");
	checked(link_create_cgroup(bpf_object_program(object, "floor_connected"), cgroup->fd,
				   BPF_CGROUP_SOCK_OPS),
		"sockops");
}

static void attach(int argc, char **argv, const struct bpf_object *object,
		   const struct bpf_map_set *maps, const struct cgroup *cgroup)
{
	int option;

	while ((option = getopt(argc, argv, "+e:r:md")) != -1) {
		if (option == 'e')
			probe(object, optarg, "SSL_write", false);
		else if (option == 'r')
			probe(object, optarg, "EVP_KDF_derive", true);
		else if (option == 'm')
			watch_sockets(object, maps, cgroup, "floor_message");
		else if (option == 'd')
			watch_sockets(object, maps, cgroup, "floor_redirect");
		else
			checked(-EINVAL, "options");
	}
	checked(optind < argc ? 0 : -EINVAL, "no command");
}

static int run(char **command, const struct cgroup *cgroup)
{
	int status;
	pid_t pid = fork();

	checked(pid < 0 ? -errno : 0, "fork");
	if (!pid) {
		checked(cgroup_enter(cgroup->fd, getpid()), "cgroup");
		execvp(command[0], command);
		checked(-errno, command[0]);
	}
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return 1;
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	static struct cgroup_place place;
	static struct cgroup cgroup;
	struct bpf_map_set maps = { .count = 0 };
	struct bpf_object *object;
	unsigned int left;
	int status;

	/* Two symbols of one section, but two objects to cppcheck. */
	checked(bpf_object_open(&object, "floor", bpf_floor_start,
				/* cppcheck-suppress comparePointers */
				(size_t)(bpf_floor_end - bpf_floor_start), &err),
		"object");
	checked(bpf_object_load(object, &maps, &err), "load");
	checked(cgroup_find(&place, &err), "cgroup");
	checked(cgroup_create(&place, &cgroup, &err), "cgroup");
	attach(argc, argv, object, &maps, &cgroup);
	status = run(argv + optind, &cgroup);
	cgroup_remove(&cgroup, &left);
	return status;
}
