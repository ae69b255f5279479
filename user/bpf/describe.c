// SPDX-License-Identifier: GPL-2.0-only
/* Types of a program's functions: see describe.h for the contract. */
#include "user/bpf/describe.h"

#include <errno.h>
#include <linux/btf.h>
#include <string.h>

#include "lib/cleanup.h"
#include "user/bpf/prog.h"

#define FUNCTION_NAME_SIZE 64

/* Which pointers are the context can only be said here, where the program's type is known. */
static void mark_context(struct btf_function *function, const char *context)
{
	uint32_t i;

	for (i = 0; i < function->parameter_count && context; i++) {
		struct btf_value *value = &function->parameters[i];

		if (value->kind != BTF_VALUE_POINTER)
			continue;
		if (strcmp(value->target, context) != 0 &&
		    (strcmp(context, DESCRIBE_PT_REGS) != 0 ||
		     strcmp(value->target, "pt_regs") != 0))
			continue;
		value->kind = BTF_VALUE_CONTEXT;
		value->target = context;
	}
}

/*
 * The kernel wants a type for every function of the program. Those of static
 * functions are for show (they are verified at each call), so one that clang
 * left no prototype for gets an empty one; a global function must have its own.
 */
static int describe_function(const struct btf *btf, const struct object_function *function,
			     const char *context, struct btf_writer *writer, uint32_t *type)
{
	struct btf_function described;
	char name[FUNCTION_NAME_SIZE];
	int ret = btf_find_function(btf, function->name, &described);

	if (ret == -ENOENT && !function->global) {
		described = (struct btf_function){
			.result = { .kind = BTF_VALUE_SCALAR, .size = 4, .name = "", .target = "" },
		};
		ret = 0;
	}
	if (ret)
		return ret;
	strncpy(name, function->name, sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	bpf_clean_name(name);
	described.name = name;
	described.linkage = function->global ? BTF_FUNC_GLOBAL : BTF_FUNC_STATIC;
	mark_context(&described, context);
	*type = btf_write_function(writer, &described);
	return 0;
}

int describe_program(const struct btf *btf, const struct linked_program *linked,
		     const char *context, struct bpf_func_info *functions)
{
	CLEANUP_FREE void *blob = NULL;
	struct btf_writer writer;
	uint32_t i, size;
	int ret = 0, finished;

	btf_writer_init(&writer);
	for (i = 0; i < linked->function_count && !ret; i++) {
		functions[i].insn_off = linked->functions[i].start;
		ret = describe_function(btf, linked->functions[i].function, context, &writer,
					&functions[i].type_id);
	}
	finished = btf_writer_finish(&writer, &blob, &size);
	if (!ret)
		ret = finished;
	return ret ? ret : bpf_btf_load(blob, size);
}
