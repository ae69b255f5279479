// SPDX-License-Identifier: GPL-2.0-only
/* Assembling programs from functions: see linker.h for the contract. */
#include "user/bpf/linker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INSN_LIMIT 1000000 /* BPF_COMPLEXITY_LIMIT_INSNS: the kernel takes no more */

#define LD_IMM64 (BPF_LD | BPF_DW | BPF_IMM)

/* An instruction of the object and where it points to. */
struct reference {
	enum {
		REFERENCE_NONE,
		REFERENCE_CALL,
		REFERENCE_FUNCTION, /* the address of a function */
		REFERENCE_DATA,	    /* a map or a variable */
	} kind;
	uint32_t section;
	int64_t offset;	  /* bytes, in the section */
	const char *name; /* for error messages */
};

static void read_insn(const struct object *object, uint32_t section, uint32_t offset,
		      struct bpf_insn *insn)
{
	memcpy(insn, object->sections[section].bytes + offset, sizeof(*insn));
}

static bool is_local_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

/* Without a relocation a call goes to its own section, relative to the next instruction. */
static int read_unrelocated(uint32_t section, uint32_t offset, const struct bpf_insn *insn,
			    struct reference *reference)
{
	*reference = (struct reference){ .kind = REFERENCE_NONE, .name = "" };
	if (!is_local_call(insn))
		return 0;
	reference->kind = REFERENCE_CALL;
	reference->section = section;
	reference->offset = (int64_t)offset + ((int64_t)insn->imm + 1) * OBJECT_INSN_SIZE;
	return 0;
}

/*
 * The addend sits in imm: for calls in instructions, less the one that the
 * processor has moved on; for addresses in bytes.
 */
static int read_reference(const struct object *object, uint32_t section, uint32_t offset,
			  const struct bpf_insn *insn, struct reference *reference)
{
	const struct object_relocation *relocation =
		object_find_relocation(object, section, offset);
	const struct object_symbol *symbol;

	if (!relocation)
		return read_unrelocated(section, offset, insn, reference);
	symbol = &object->symbols[relocation->symbol];
	*reference = (struct reference){ .section = symbol->section, .name = symbol->name };
	if (!symbol->section)
		return -EINVAL;
	if (is_local_call(insn)) {
		reference->kind = REFERENCE_CALL;
		reference->offset =
			(int64_t)symbol->value + ((int64_t)insn->imm + 1) * OBJECT_INSN_SIZE;
	} else if (insn->code == LD_IMM64) {
		reference->kind = object->sections[symbol->section].kind == OBJECT_SECTION_CODE
					  ? REFERENCE_FUNCTION
					  : REFERENCE_DATA;
		reference->offset = (int64_t)symbol->value + insn->imm;
	} else {
		return -EINVAL;
	}
	return reference->offset < 0 ? -EINVAL : 0;
}

static const struct object_function *referred_function(const struct object *object,
						       const struct reference *reference)
{
	if (reference->kind != REFERENCE_CALL && reference->kind != REFERENCE_FUNCTION)
		return NULL;
	return object_find_function(object, reference->section, (uint64_t)reference->offset);
}

static const struct linked_function *find_linked(const struct linked_program *program,
						 const struct object_function *function)
{
	uint32_t i;

	for (i = 0; i < program->function_count; i++)
		if (program->functions[i].function == function)
			return &program->functions[i];
	return NULL;
}

static int append_function(const struct object *object, struct linked_program *program,
			   const struct object_function *function)
{
	uint32_t count = function->size / OBJECT_INSN_SIZE;
	struct bpf_insn *grown;

	if (program->function_count == LINKER_FUNCTIONS_MAX ||
	    count > INSN_LIMIT - program->insn_count)
		return -E2BIG;
	grown = realloc(program->insns, (program->insn_count + count) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	program->insns = grown;
	memcpy(grown + program->insn_count,
	       object->sections[function->section].bytes + function->offset, function->size);
	program->functions[program->function_count++] = (struct linked_function){
		.function = function,
		.start = program->insn_count,
	};
	program->insn_count += count;
	return 0;
}

/* Appends what the function at @index of the program refers to and is not there yet. */
static int append_callees(const struct object *object, struct linked_program *program,
			  uint32_t index, const char **culprit)
{
	const struct object_function *caller = program->functions[index].function;
	uint32_t at;
	int ret = 0;

	for (at = 0; at < caller->size && !ret; at += OBJECT_INSN_SIZE) {
		const struct object_function *callee;
		struct reference reference;
		struct bpf_insn insn;

		read_insn(object, caller->section, caller->offset + at, &insn);
		ret = read_reference(object, caller->section, caller->offset + at, &insn,
				     &reference);
		callee = referred_function(object, &reference);
		if (!ret && !callee &&
		    (reference.kind == REFERENCE_CALL || reference.kind == REFERENCE_FUNCTION))
			ret = -EINVAL;
		if (!ret && callee && !find_linked(program, callee))
			ret = append_function(object, program, callee);
		if (ret)
			*culprit = *reference.name ? reference.name : caller->name;
	}
	return ret;
}

static int patch_data(const struct object *object, const struct linker_targets *targets,
		      const struct reference *reference, struct bpf_insn *insn)
{
	const struct object_section *section = &object->sections[reference->section];
	const struct object_map *map;

	if (section->kind == OBJECT_SECTION_MAPS) {
		map = object_find_map(object, (uint64_t)reference->offset);
		if (!map)
			return -EINVAL;
		insn[0].src_reg = BPF_PSEUDO_MAP_FD;
		insn[0].imm = targets->map_fds[map - object->maps];
		insn[1].imm = 0;
		return 0;
	}
	if (targets->section_fds[reference->section] < 0 ||
	    (uint64_t)reference->offset >= section->size)
		return -EINVAL;
	insn[0].src_reg = BPF_PSEUDO_MAP_VALUE;
	insn[0].imm = targets->section_fds[reference->section];
	insn[1].imm = (int32_t)reference->offset;
	return 0;
}

static int patch_insn(const struct object *object, const struct linker_targets *targets,
		      struct linked_program *program, uint32_t index,
		      const struct reference *reference)
{
	const struct object_function *function = referred_function(object, reference);
	struct bpf_insn *insn = &program->insns[index];

	if (reference->kind == REFERENCE_NONE)
		return 0;
	if (reference->kind != REFERENCE_CALL && index + 1 >= program->insn_count)
		return -EINVAL; /* half of a two-slot instruction */
	if (reference->kind == REFERENCE_DATA)
		return patch_data(object, targets, reference, insn);
	insn->imm = (int32_t)(find_linked(program, function)->start - index - 1);
	if (reference->kind == REFERENCE_FUNCTION) {
		insn[0].src_reg = BPF_PSEUDO_FUNC;
		insn[1].imm = 0;
	}
	return 0;
}

static int patch_function(const struct object *object, const struct linker_targets *targets,
			  struct linked_program *program, const struct linked_function *linked,
			  const char **culprit)
{
	const struct object_function *function = linked->function;
	uint32_t i;
	int ret = 0;

	for (i = 0; i < function->size / OBJECT_INSN_SIZE && !ret; i++) {
		uint32_t offset = function->offset + i * OBJECT_INSN_SIZE;
		struct reference reference;
		struct bpf_insn insn;

		read_insn(object, function->section, offset, &insn);
		ret = read_reference(object, function->section, offset, &insn, &reference);
		if (!ret)
			ret = patch_insn(object, targets, program, linked->start + i, &reference);
		if (ret)
			*culprit = *reference.name ? reference.name : function->name;
	}
	return ret;
}

int linker_assemble(const struct object *object, const struct object_function *main,
		    const struct linker_targets *targets, struct linked_program *program,
		    const char **culprit)
{
	uint32_t i;
	int ret;

	*program = (struct linked_program){ 0 };
	*culprit = main->name;
	ret = append_function(object, program, main);
	for (i = 0; i < program->function_count && !ret; i++)
		ret = append_callees(object, program, i, culprit);
	for (i = 0; i < program->function_count && !ret; i++)
		ret = patch_function(object, targets, program, &program->functions[i], culprit);
	if (ret)
		linker_free(program);
	return ret;
}

void linker_free(struct linked_program *program)
{
	free(program->insns);
	program->insns = NULL;
	program->insn_count = 0;
	program->function_count = 0;
}

bool linker_is_called(const struct object *object, const struct object_function *function)
{
	uint32_t section;
	size_t offset;

	for (section = 0; section < object->section_count; section++) {
		if (object->sections[section].kind != OBJECT_SECTION_CODE)
			continue;
		for (offset = 0; offset < object->sections[section].size;
		     offset += OBJECT_INSN_SIZE) {
			struct reference reference;
			struct bpf_insn insn;

			read_insn(object, section, (uint32_t)offset, &insn);
			/* Others refer to no function: no need to look for a relocation. */
			if (insn.code != (BPF_JMP | BPF_CALL) && insn.code != LD_IMM64)
				continue;
			if (!read_reference(object, section, (uint32_t)offset, &insn, &reference) &&
			    referred_function(object, &reference) == function)
				return true;
		}
	}
	return false;
}
