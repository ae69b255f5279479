/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BTF: the type notes that clang leaves in section .BTF.
 *
 * Kloak needs them for two things only. A global BPF function is verified once,
 * by its prototype and not by its callers, so the kernel must be told that
 * prototype; and a socket storage map must say what its key and value are. So
 * there is a reader that finds functions by name and reduces their prototypes
 * to what the verifier looks at, and a writer that makes a blob of just these
 * types. Neither uses the types of the running kernel.
 *
 * Source: Linux Documentation/bpf/btf.rst; what the verifier looks at:
 * btf_prepare_func_args() in kernel/bpf/btf.c of 6.1 to 6.18.
 */
#ifndef KLOAK_ELF_BTF_H
#define KLOAK_ELF_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BTF_PARAMETERS_MAX 5 /* a BPF function takes its arguments in r1 to r5 */

struct btf {
	const uint8_t *types; /* the type section */
	size_t types_size;
	const char *strings;
	size_t strings_size;
	uint32_t *offsets; /* of type n in the type section; [0] is void and unused */
	uint32_t count;	   /* highest type number + 1 */
};

/* Indexes the BTF in @data, which must outlive @btf. -EINVAL, -E2BIG, -ENOMEM. */
int btf_parse(struct btf *btf, const void *data, size_t size);
void btf_free(struct btf *btf);

/* A parameter, or a return value, as the verifier sees it. */
struct btf_value {
	enum {
		BTF_VALUE_VOID,
		BTF_VALUE_SCALAR,  /* integer, bool, enumeration */
		BTF_VALUE_POINTER, /* to size bytes; size 0: void or unknown */
		BTF_VALUE_CONTEXT, /* set by the caller: pointer to target, the program's context */
	} kind;
	uint32_t size;
	bool is_signed;
	const char *name;   /* of the parameter, "" if none */
	const char *target; /* tag of the struct pointed to, "" if none */
};

struct btf_function {
	const char *name;
	uint32_t linkage; /* enum btf_func_linkage */
	struct btf_value result;
	struct btf_value parameters[BTF_PARAMETERS_MAX];
	uint32_t parameter_count;
};

/* The prototype of the function of that name. -ENOENT: none; -EINVAL: malformed. */
int btf_find_function(const struct btf *btf, const char *name, struct btf_function *function);

/*
 * Writing: functions return the number of the new type (> 0). Memory shortage
 * is remembered and reported by btf_writer_finish(), so that calls need no
 * check of their own.
 */
struct btf_buffer {
	uint8_t *bytes;
	size_t size, capacity;
};

struct btf_writer {
	struct btf_buffer types, strings;
	uint32_t count; /* types so far */
	int error;
};

void btf_writer_init(struct btf_writer *writer);
uint32_t btf_write_integer(struct btf_writer *writer, uint32_t size, bool is_signed);
uint32_t btf_write_array(struct btf_writer *writer, uint32_t element, uint32_t index,
			 uint32_t count);
uint32_t btf_write_function(struct btf_writer *writer, const struct btf_function *function);

/* The whole blob, for BPF_BTF_LOAD; the caller frees *@blob. Releases the writer. -ENOMEM. */
int btf_writer_finish(struct btf_writer *writer, void **blob, uint32_t *size);

#endif
