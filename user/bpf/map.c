// SPDX-License-Identifier: GPL-2.0-only
/* BPF maps: see map.h for the contract. */
#include "user/bpf/map.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "elf/btf.h"
#include "lib/cleanup.h"
#include "user/bpf/prog.h"
#include "user/bpf/syscall.h"
#include "user/bpf/walk.h"

/* The kernel refuses other characters in names with EINVAL. */
static void copy_name(char to[BPF_OBJ_NAME_LEN], const char *from)
{
	size_t i;

	for (i = 0; i < BPF_OBJ_NAME_LEN - 1 && from[i]; i++)
		to[i] = from[i];
	bpf_clean_name(to);
}

/* BTF of a map whose key is an int and whose value is an array of value_size bytes. */
static int load_storage_btf(uint32_t value_size, uint32_t *key_type, uint32_t *value_type)
{
	CLEANUP_FREE void *blob = NULL;
	struct btf_writer writer;
	uint32_t size, byte;
	int ret;

	btf_writer_init(&writer);
	*key_type = btf_write_integer(&writer, 4, true);
	byte = btf_write_integer(&writer, 1, false);
	*value_type = btf_write_array(&writer, byte, *key_type, value_size);
	ret = btf_writer_finish(&writer, &blob, &size);
	return ret ? ret : bpf_btf_load(blob, size);
}

static int create_storage(union bpf_attr *attr)
{
	CLEANUP_FD int btf = load_storage_btf(attr->value_size, &attr->btf_key_type_id,
					      &attr->btf_value_type_id);

	if (btf < 0)
		return btf;
	attr->btf_fd = btf;
	attr->map_flags |= BPF_F_NO_PREALLOC;
	attr->max_entries = 0;
	return bpf_syscall(BPF_MAP_CREATE, attr);
}

int bpf_map_create(const char *name, const struct bpf_map_shape *shape)
{
	union bpf_attr attr;

	bpf_attr_clear(&attr);
	attr.map_type = shape->type;
	attr.key_size = shape->key_size;
	attr.value_size = shape->value_size;
	attr.max_entries = shape->max_entries;
	attr.map_flags = shape->flags;
	copy_name(attr.map_name, name);
	if (shape->type == BPF_MAP_TYPE_SK_STORAGE)
		return create_storage(&attr);
	return bpf_syscall(BPF_MAP_CREATE, &attr);
}

int bpf_map_read_shape(int fd, struct bpf_map_shape *shape)
{
	struct bpf_map_info info = { 0 };
	int ret = bpf_info(fd, &info, sizeof(info));

	if (ret)
		return ret;
	*shape = (struct bpf_map_shape){ info.type, info.key_size, info.value_size,
					 info.max_entries, info.map_flags };
	return 0;
}

static int element(enum bpf_cmd command, int fd, const void *key, const void *value, uint64_t flags)
{
	union bpf_attr attr;

	bpf_attr_clear(&attr);
	attr.map_fd = fd;
	attr.key = bpf_pointer(key);
	attr.value = bpf_pointer(value);
	attr.flags = flags;
	return bpf_syscall(command, &attr);
}

int bpf_map_update(int fd, const void *key, const void *value, uint64_t flags)
{
	return element(BPF_MAP_UPDATE_ELEM, fd, key, value, flags);
}

int bpf_map_lookup(int fd, const void *key, void *value)
{
	return element(BPF_MAP_LOOKUP_ELEM, fd, key, value, 0);
}

int bpf_map_delete(int fd, const void *key)
{
	return element(BPF_MAP_DELETE_ELEM, fd, key, NULL, 0);
}

int bpf_map_next_key(int fd, const void *key, void *next)
{
	return element(BPF_MAP_GET_NEXT_KEY, fd, key, next, 0);
}

int bpf_map_freeze(int fd)
{
	union bpf_attr attr;

	bpf_attr_clear(&attr);
	attr.map_fd = fd;
	return bpf_syscall(BPF_MAP_FREEZE, &attr);
}

/* "0-3" or "0,2-5": the count is the last number plus one. */
int bpf_possible_cpus(void)
{
	CLEANUP_FD int fd = open("/sys/devices/system/cpu/possible", O_RDONLY | O_CLOEXEC);
	char text[256], *last = text;
	ssize_t length;

	if (fd < 0)
		return -errno;
	length = read(fd, text, sizeof(text) - 1);
	if (length <= 0)
		return length ? -errno : -ENODATA;
	text[length] = 0;
	for (char *c = text; *c; c++)
		if (*c == '-' || *c == ',')
			last = c + 1;
	return isdigit((unsigned char)*last) ? (int)strtol(last, NULL, 10) + 1 : -ENODATA;
}

int bpf_map_sum(int fd, const void *key, uint64_t *sum)
{
	int cpus = bpf_possible_cpus(), ret, i;
	CLEANUP_FREE uint64_t *values = NULL;

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	ret = bpf_map_lookup(fd, key, values);
	if (ret)
		return ret;
	for (*sum = 0, i = 0; i < cpus; i++)
		*sum += values[i];
	return 0;
}
