// SPDX-License-Identifier: GPL-2.0-only
/* Loading BPF objects: see object.h for the contract. */
#include "user/bpf/object.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "elf/btf.h"
#include "elf/object.h"
#include "lib/cleanup.h"
#include "user/bpf/describe.h"
#include "user/bpf/linker.h"
#include "user/bpf/map.h"
#include "user/bpf/prog.h"
#include "user/bpf/syscall.h"

#define PROGRAM_NAME_MAX 64

/* What the beginning of a section's name says about the program in it. */
struct program_kind {
	const char *section;
	uint32_t type;
	uint32_t attach_type;
	uint32_t flags;
	bool is_uprobe;
	const char *context; /* the kernel's name of its context struct; NULL: not a struct */
};

static const struct program_kind kinds[] = {
	{ .section = "sockops",
	  .type = BPF_PROG_TYPE_SOCK_OPS,
	  .attach_type = BPF_CGROUP_SOCK_OPS,
	  .context = "bpf_sock_ops" },
	{ .section = "sk_msg",
	  .type = BPF_PROG_TYPE_SK_MSG,
	  .attach_type = BPF_SK_MSG_VERDICT,
	  .context = "sk_msg_md" },
	{ .section = "cgroup_skb/ingress",
	  .type = BPF_PROG_TYPE_CGROUP_SKB,
	  .attach_type = BPF_CGROUP_INET_INGRESS,
	  .context = "__sk_buff" },
	{ .section = "cgroup_skb/egress",
	  .type = BPF_PROG_TYPE_CGROUP_SKB,
	  .attach_type = BPF_CGROUP_INET_EGRESS,
	  .context = "__sk_buff" },
	{ .section = "cgroup/setsockopt",
	  .type = BPF_PROG_TYPE_CGROUP_SOCKOPT,
	  .attach_type = BPF_CGROUP_SETSOCKOPT,
	  .context = "bpf_sockopt" },
	{ .section = "cgroup/sock_create",
	  .type = BPF_PROG_TYPE_CGROUP_SOCK,
	  .attach_type = BPF_CGROUP_INET_SOCK_CREATE,
	  .context = "bpf_sock" },
	{ .section = "cgroup/connect4",
	  .type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	  .attach_type = BPF_CGROUP_INET4_CONNECT,
	  .context = "bpf_sock_addr" },
	{ .section = "cgroup/connect6",
	  .type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	  .attach_type = BPF_CGROUP_INET6_CONNECT,
	  .context = "bpf_sock_addr" },
	{ .section = "uprobe",
	  .type = BPF_PROG_TYPE_KPROBE,
	  .is_uprobe = true,
	  .context = DESCRIBE_PT_REGS },
	{ .section = "uprobe.s",
	  .type = BPF_PROG_TYPE_KPROBE,
	  .flags = BPF_F_SLEEPABLE,
	  .is_uprobe = true,
	  .context = DESCRIBE_PT_REGS },
	{ .section = "uretprobe",
	  .type = BPF_PROG_TYPE_KPROBE,
	  .is_uprobe = true,
	  .context = DESCRIBE_PT_REGS },
	{ .section = "uretprobe.s",
	  .type = BPF_PROG_TYPE_KPROBE,
	  .flags = BPF_F_SLEEPABLE,
	  .is_uprobe = true,
	  .context = DESCRIBE_PT_REGS },
	{ .section = "tracepoint", .type = BPF_PROG_TYPE_TRACEPOINT },
};

struct program {
	char name[PROGRAM_NAME_MAX];
	const struct program_kind *kind;
	const struct object_function *function; /* until loaded */
	int fd;
};

/* Everything that is needed only until the programs are in the kernel. */
struct loading {
	struct object elf;
	struct btf btf;
	const char *license;
	uint8_t **contents; /* by section: first value of its variables, or NULL */
	int *section_fds;   /* by section: the map that holds it, or -1 */
	int *map_fds;	    /* by object_map; the fds belong to the map set */
};

struct bpf_object {
	char name[PROGRAM_NAME_MAX];
	struct loading *loading; /* NULL once loaded */
	struct program *programs;
	uint32_t program_count;
	bool uprobe_multi;
	char *log;
};

/* --- opening ----------------------------------------------------------- */

static const struct program_kind *kind_of_section(const char *name)
{
	size_t i, length;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		length = strlen(kinds[i].section);
		if (strncmp(name, kinds[i].section, length) == 0 &&
		    (!name[length] || name[length] == '/'))
			return &kinds[i];
	}
	return NULL;
}

static bool has_variables(const struct object_section *section)
{
	return section->size &&
	       (section->kind == OBJECT_SECTION_RODATA || section->kind == OBJECT_SECTION_DATA ||
		section->kind == OBJECT_SECTION_BSS);
}

static int copy_contents(struct loading *loading)
{
	uint32_t i;

	loading->contents = calloc(loading->elf.section_count, sizeof(*loading->contents));
	loading->section_fds = calloc(loading->elf.section_count, sizeof(*loading->section_fds));
	loading->map_fds = calloc(loading->elf.map_count + 1, sizeof(*loading->map_fds));
	if (!loading->contents || !loading->section_fds || !loading->map_fds)
		return -ENOMEM;
	for (i = 0; i < loading->elf.section_count; i++)
		loading->section_fds[i] = -1;
	for (i = 0; i < loading->elf.section_count; i++) {
		const struct object_section *section = &loading->elf.sections[i];

		if (!has_variables(section))
			continue;
		loading->contents[i] = calloc(1, section->size);
		if (!loading->contents[i])
			return -ENOMEM;
		if (section->bytes)
			memcpy(loading->contents[i], section->bytes, section->size);
	}
	return 0;
}

static int read_license(struct loading *loading)
{
	const struct object_section *section = object_find_section(&loading->elf, "license");

	if (!section || !section->bytes || !memchr(section->bytes, 0, section->size))
		return -EINVAL;
	loading->license = (const char *)section->bytes;
	return 0;
}

/* Without .BTF there are no prototypes of global functions, and no program: main is global too. */
static int read_btf(struct loading *loading)
{
	const struct object_section *section = object_find_section(&loading->elf, ".BTF");

	if (!section || !section->bytes)
		return -EINVAL;
	return btf_parse(&loading->btf, section->bytes, section->size);
}

static int add_program(struct bpf_object *object, const struct object_function *function,
		       const struct program_kind *kind)
{
	struct program *program = &object->programs[object->program_count];

	if (strlen(function->name) >= sizeof(program->name))
		return -EINVAL;
	strcpy(program->name, function->name);
	program->kind = kind;
	program->function = function;
	program->fd = -1;
	object->program_count++;
	return 0;
}

static int find_programs(struct bpf_object *object)
{
	const struct object *elf = &object->loading->elf;
	uint32_t i;
	int ret = 0;

	object->programs = calloc(elf->function_count + 1, sizeof(*object->programs));
	if (!object->programs)
		return -ENOMEM;
	for (i = 0; i < elf->function_count && !ret; i++) {
		const struct object_function *function = &elf->functions[i];
		const struct program_kind *kind =
			kind_of_section(elf->sections[function->section].name);

		if (function->global && kind && !linker_is_called(elf, function))
			ret = add_program(object, function, kind);
	}
	return ret;
}

static int parse(struct bpf_object *object, const void *data, size_t size)
{
	struct loading *loading = calloc(1, sizeof(*loading));
	int ret;

	if (!loading)
		return -ENOMEM;
	object->loading = loading;
	ret = object_parse(&loading->elf, data, size);
	if (!ret)
		ret = copy_contents(loading);
	if (!ret)
		ret = read_license(loading);
	if (!ret)
		ret = read_btf(loading);
	return ret ? ret : find_programs(object);
}

int bpf_object_open(struct bpf_object **object, const char *name, const void *data, size_t size,
		    struct error *err)
{
	struct bpf_object *opened = calloc(1, sizeof(*opened));
	int ret = -ENOMEM;

	*object = NULL;
	if (opened) {
		strncpy(opened->name, name, sizeof(opened->name) - 1);
		ret = parse(opened, data, size);
	}
	if (!ret) {
		*object = opened;
		return 0;
	}
	bpf_object_close(opened);
	if (ret == -ENOMEM)
		return error_no_memory(err, "a BPF object");
	return error_set(err, ret,
			 "BPF object %s: malformed (%s); this kloak binary is damaged, "
			 "build or download it again",
			 name, strerror(-ret));
}

/* --- before loading ---------------------------------------------------- */

int bpf_object_set(struct bpf_object *object, const char *variable, const void *value, size_t size)
{
	const struct object_symbol *symbol;

	if (!object->loading)
		return -EBUSY;
	symbol = object_find_variable(&object->loading->elf, variable);
	if (!symbol)
		return -ENOENT;
	if (symbol->size != size)
		return -EINVAL;
	memcpy(object->loading->contents[symbol->section] + symbol->value, value, size);
	return 0;
}

void bpf_object_use_uprobe_multi(struct bpf_object *object, bool multi)
{
	object->uprobe_multi = multi;
}

static struct program *find_program(const struct bpf_object *object, const char *name)
{
	uint32_t i;

	for (i = 0; i < object->program_count; i++)
		if (strcmp(object->programs[i].name, name) == 0)
			return &object->programs[i];
	return NULL;
}

/* --- maps of an object ------------------------------------------------- */

static int make_maps(struct loading *loading, struct bpf_map_set *set, struct error *err)
{
	uint32_t i;

	for (i = 0; i < loading->elf.map_count; i++) {
		const struct object_map *map = &loading->elf.maps[i];
		const struct bpf_map_shape shape = { map->type, map->key_size, map->value_size,
						     map->max_entries, map->flags };
		int fd = bpf_map_set_obtain(set, map->name, &shape, err);

		if (fd < 0)
			return fd;
		loading->map_fds[i] = fd;
	}
	return 0;
}

/*
 * A section becomes an array of one element. Frozen and read-only for programs,
 * its values are constants to the verifier: it drops branches that they decide.
 */
static int make_variables(const struct object_section *section, const uint8_t *content,
			  struct error *err)
{
	bool constant = section->kind == OBJECT_SECTION_RODATA;
	const struct bpf_map_shape shape = {
		.type = BPF_MAP_TYPE_ARRAY,
		.key_size = sizeof(uint32_t),
		.value_size = (uint32_t)section->size,
		.max_entries = 1,
		.flags = constant ? BPF_F_RDONLY_PROG : 0,
	};
	CLEANUP_FD int fd = bpf_map_make(section->name, &shape, err);
	const uint32_t zero = 0;
	int ret;

	if (fd < 0)
		return fd;
	ret = bpf_map_update(fd, &zero, content, BPF_ANY);
	if (!ret && constant)
		ret = bpf_map_freeze(fd);
	if (ret)
		return error_set(err, ret, "BPF variables %s: %s; run 'kloak doctor'",
				 section->name, strerror(-ret));
	return TAKE_FD(fd);
}

static int make_sections(struct loading *loading, struct error *err)
{
	uint32_t i;

	for (i = 0; i < loading->elf.section_count; i++) {
		if (!loading->contents[i])
			continue;
		loading->section_fds[i] =
			make_variables(&loading->elf.sections[i], loading->contents[i], err);
		if (loading->section_fds[i] < 0)
			return loading->section_fds[i];
	}
	return 0;
}

/* --- programs ---------------------------------------------------------- */

static int load_linked(struct bpf_object *object, struct program *program,
		       const struct linked_program *linked, struct error *err)
{
	CLEANUP_FREE struct bpf_func_info *functions =
		calloc(linked->function_count, sizeof(*functions));
	const struct program_kind *kind = program->kind;
	CLEANUP_FD int btf = -1;

	if (!functions)
		return error_no_memory(err, "a BPF program");
	btf = describe_program(&object->loading->btf, linked, kind->context, functions);
	if (btf < 0)
		return error_set(err, btf,
				 "BPF program %s: the types of its functions: %s; build "
				 "the object with clang -g",
				 program->name, strerror(-btf));
	free(object->log);
	object->log = NULL;
	program->fd = bpf_prog_load(
		&(struct bpf_prog_source){
			.name = program->name,
			.type = kind->type,
			.expected_attach_type = kind->is_uprobe && object->uprobe_multi
							? KLOAK_BPF_TRACE_UPROBE_MULTI
							: kind->attach_type,
			.flags = kind->flags,
			.license = object->loading->license,
			.insns = linked->insns,
			.insn_count = linked->insn_count,
			.btf = btf,
			.functions = functions,
			.function_count = linked->function_count,
		},
		&object->log, err);
	return program->fd < 0 ? program->fd : 0;
}

static int load_program(struct bpf_object *object, struct program *program, struct error *err)
{
	struct loading *loading = object->loading;
	const struct linker_targets targets = { loading->map_fds, loading->section_fds };
	struct linked_program linked;
	const char *culprit;
	int ret;

	ret = linker_assemble(&loading->elf, program->function, &targets, &linked, &culprit);
	if (ret)
		return error_set(err, ret,
				 "BPF program %s: cannot be linked at symbol %s: %s; "
				 "rebuild Kloak",
				 program->name, culprit, strerror(-ret));
	ret = load_linked(object, program, &linked, err);
	linker_free(&linked);
	return ret;
}

static void loading_free(struct loading *loading)
{
	uint32_t i;

	if (!loading)
		return;
	for (i = 0; i < loading->elf.section_count; i++) {
		if (loading->contents)
			free(loading->contents[i]);
		if (loading->section_fds && loading->section_fds[i] >= 0)
			close(loading->section_fds[i]);
	}
	free(loading->contents);
	free(loading->section_fds);
	free(loading->map_fds);
	btf_free(&loading->btf);
	object_free(&loading->elf);
	free(loading);
}

static int prepare(struct bpf_object *object, struct bpf_map_set *set, struct error *err)
{
	int ret;

	if (!object->loading)
		return error_set(err, -EBUSY, "already loaded");
	ret = make_maps(object->loading, set, err);
	return ret ? ret : make_sections(object->loading, err);
}

/* What one thread does: the verifier takes 1 us an instruction, and needs no lock. */
struct job {
	struct bpf_object *object;
	struct error err;
	int ret;
	pthread_t thread;
	bool has_thread;
};

static void *load_programs(void *context)
{
	struct job *job = context;
	struct bpf_object *object = job->object;
	uint32_t i;

	for (i = 0; i < object->program_count && !job->ret; i++)
		job->ret = load_program(object, &object->programs[i], &job->err);
	return NULL;
}

static void run_jobs(struct job *jobs, unsigned int count)
{
	unsigned int i;

	for (i = 1; i < count; i++)
		jobs[i].has_thread =
			!pthread_create(&jobs[i].thread, NULL, load_programs, &jobs[i]);
	for (i = 0; i < count; i++) {
		if (jobs[i].has_thread)
			pthread_join(jobs[i].thread, NULL);
		else
			load_programs(&jobs[i]);
	}
}

static int load_all(struct job *jobs, unsigned int count, struct bpf_map_set *set)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		jobs[i].ret = prepare(jobs[i].object, set, &jobs[i].err);
		if (jobs[i].ret)
			return jobs[i].ret;
	}
	run_jobs(jobs, count);
	for (i = 0; i < count; i++)
		if (jobs[i].ret)
			return jobs[i].ret;
	return 0;
}

int bpf_object_load_all(struct bpf_object *const *objects, unsigned int count,
			struct bpf_map_set *set, struct error *err)
{
	struct job jobs[BPF_OBJECT_LOAD_MAX] = { 0 };
	unsigned int i;
	int ret;

	if (count > BPF_OBJECT_LOAD_MAX)
		return error_set(err, -E2BIG, "more BPF objects than BPF_OBJECT_LOAD_MAX");
	for (i = 0; i < count; i++)
		jobs[i].object = objects[i];
	bpf_raise_memlock();
	ret = load_all(jobs, count, set);
	for (i = 0; i < count; i++) {
		if (jobs[i].ret && jobs[i].ret == ret)
			error_set(err, ret, "BPF object %s: %s", objects[i]->name,
				  jobs[i].err.text);
		/* The programs hold the maps of their variables; nothing else is needed again. */
		loading_free(TAKE_PTR(objects[i]->loading));
	}
	return ret;
}

int bpf_object_load(struct bpf_object *object, struct bpf_map_set *set, struct error *err)
{
	return bpf_object_load_all(&object, 1, set, err);
}

const char *bpf_object_log(const struct bpf_object *object)
{
	return object->log ? object->log : "";
}

int bpf_object_program(const struct bpf_object *object, const char *name)
{
	const struct program *program = find_program(object, name);

	return program && program->fd >= 0 ? program->fd : -ENOENT;
}

void bpf_object_close(struct bpf_object *object)
{
	uint32_t i;

	if (!object)
		return;
	loading_free(object->loading);
	for (i = 0; i < object->program_count; i++)
		if (object->programs[i].fd >= 0)
			close(object->programs[i].fd);
	free(object->programs);
	free(object->log);
	free(object);
}
