// SPDX-License-Identifier: GPL-2.0-only
/* Maps shared by name: see map_set.h for the contract. */
#include "user/bpf/map_set.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "user/bpf/syscall.h"

int bpf_map_set_find(const struct bpf_map_set *set, const char *name)
{
	unsigned int i;

	for (i = 0; i < set->count; i++)
		if (strcmp(set->maps[i].name, name) == 0)
			return set->maps[i].fd;
	return -ENOENT;
}

int bpf_map_set_add(struct bpf_map_set *set, const char *name, int fd)
{
	if (set->count == BPF_MAP_SET_MAX || strlen(name) >= BPF_MAP_NAME_MAX)
		return -ENOSPC;
	strcpy(set->maps[set->count].name, name);
	set->maps[set->count++].fd = fd;
	return 0;
}

void bpf_map_set_close(struct bpf_map_set *set)
{
	while (set->count)
		close(set->maps[--set->count].fd);
}

static const char *map_remedy(int code)
{
	if (code == -EPERM)
		return "this process may not make BPF maps; run as root, or with CAP_BPF and "
		       "CAP_NET_ADMIN";
	if (code == -ENOMEM || code == -E2BIG)
		return "not enough memory for its size; before Linux 5.11 also raise 'ulimit -l'";
	return bpf_remedy(code, "this kernel may lack this type of map; use Linux 6.1 or later");
}

int bpf_map_make(const char *name, const struct bpf_map_shape *shape, struct error *err)
{
	int fd = bpf_map_create(name, shape);

	if (fd >= 0)
		return fd;
	return error_set(err, fd, "BPF map %s: %s; %s", name, strerror(-fd), map_remedy(fd));
}

/* Not max_entries and flags: the kernel changes them for ring buffers and socket storage. */
static int check_shared(const char *name, const struct bpf_map_shape *wanted, int fd,
			struct error *err)
{
	struct bpf_map_shape shape;
	int ret = bpf_map_read_shape(fd, &shape);

	if (ret)
		return error_set(err, ret,
				 "BPF map %s: cannot be read back: %s; run "
				 "'kloak doctor'",
				 name, strerror(-ret));
	if (shape.type == wanted->type && shape.key_size == wanted->key_size &&
	    shape.value_size == wanted->value_size)
		return 0;
	return error_set(err, -EINVAL,
			 "BPF map %s: two objects define it differently (type %u, "
			 "key %u, value %u; here %u, %u, %u); rebuild Kloak from one source tree",
			 name, shape.type, shape.key_size, shape.value_size, wanted->type,
			 wanted->key_size, wanted->value_size);
}

int bpf_map_set_obtain(struct bpf_map_set *set, const char *name, const struct bpf_map_shape *shape,
		       struct error *err)
{
	CLEANUP_FD int created = -1;
	int fd = bpf_map_set_find(set, name), ret;

	if (fd >= 0) {
		ret = check_shared(name, shape, fd, err);
		return ret ? ret : fd;
	}
	created = bpf_map_make(name, shape, err);
	if (created < 0)
		return created;
	ret = bpf_map_set_add(set, name, created);
	if (ret)
		return error_set(err, ret,
				 "BPF map %s: more maps, or a longer name, than struct "
				 "bpf_map_set holds; raise its limits",
				 name);
	return TAKE_FD(created);
}
