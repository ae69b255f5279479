// SPDX-License-Identifier: GPL-2.0-only
/*
 * How deep is my cgroup? The programs of the data path recognise a workload by
 * bpf_get_current_ancestor_cgroup_id(level), so the level is asked of that very
 * helper, by a program that compares the own id with the ancestor at each
 * level and returns the level where they are equal. Its loop is unrolled by
 * hand: five instructions for each level.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/abi.h"
#include "lib/cleanup.h"
#include "user/bpf/syscall.h"
#include "user/workload/cgroup.h"

#define HEAD	  2
#define PER_LEVEL 5
#define COUNT	  (HEAD + CGROUP_LEVELS * PER_LEVEL + 2)

#define MOVE_IMMEDIATE(to, value)                                                    \
	{                                                                            \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (to), .imm = (value) \
	}
#define MOVE(to, from)                                                                  \
	{                                                                               \
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (to), .src_reg = (from) \
	}
#define CALL(helper)                                        \
	{                                                   \
		.code = BPF_JMP | BPF_CALL, .imm = (helper) \
	}
#define EXIT                               \
	{                                  \
		.code = BPF_JMP | BPF_EXIT \
	}

static void write_program(struct bpf_insn insns[COUNT], uint64_t id)
{
	const struct bpf_insn head[HEAD] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_6, .imm = (int32_t)id },
		{ .imm = (int32_t)(id >> 32) },
	};
	const struct bpf_insn tail[] = { MOVE_IMMEDIATE(BPF_REG_0, CGROUP_LEVELS), EXIT };

	memcpy(insns, head, sizeof(head));
	for (int level = 0; level < CGROUP_LEVELS; level++) {
		int at = HEAD + level * PER_LEVEL;
		const struct bpf_insn step[PER_LEVEL] = {
			MOVE_IMMEDIATE(BPF_REG_1, level),
			CALL(BPF_FUNC_get_current_ancestor_cgroup_id),
			MOVE(BPF_REG_1, BPF_REG_0),
			MOVE_IMMEDIATE(BPF_REG_0, level),
			/* equal: to the exit, which is the last instruction */
			{ .code = BPF_JMP | BPF_JEQ | BPF_X,
			  .dst_reg = BPF_REG_1,
			  .src_reg = BPF_REG_6,
			  .off = (int16_t)(COUNT - 1 - (at + PER_LEVEL)) },
		};

		memcpy(insns + at, step, sizeof(step));
	}
	memcpy(insns + COUNT - 2, tail, sizeof(tail));
}

static int run_once(int program)
{
	union bpf_attr attr;
	int ret;

	bpf_attr_clear(&attr);
	attr.test.prog_fd = (uint32_t)program;
	ret = bpf_syscall(BPF_PROG_TEST_RUN, &attr);
	return ret < 0 ? ret : (int)attr.test.retval;
}

static int load(uint64_t id)
{
	struct bpf_insn insns[COUNT];
	union bpf_attr attr;

	write_program(insns, id);
	bpf_attr_clear(&attr);
	attr.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	attr.insns = bpf_pointer(insns);
	attr.insn_cnt = COUNT;
	attr.license = bpf_pointer("GPL");
	return bpf_syscall(BPF_PROG_LOAD, &attr);
}

int cgroup_level(const struct cgroup_place *place, struct error *err)
{
	CLEANUP_FD int program = -1;
	struct stat status;
	int level;

	if (stat(place->own, &status))
		return error_set(err, -errno,
				 "cannot look at the own cgroup %.200s: %s; "
				 "start kloak from another one",
				 place->own, strerror(errno));
	program = load(status.st_ino);
	level = program < 0 ? program : run_once(program);
	if (level < 0)
		return error_set(err, level,
				 "cannot run a BPF program to learn the depth of the cgroup: %s; "
				 "kloak doctor tells what is missing",
				 strerror(-level));
	if (level + 1 >= CGROUP_LEVELS)
		return error_set(err, -EOPNOTSUPP,
				 "the cgroup %.200s is nested deeper than %d levels; "
				 "start kloak from a cgroup nearer to the root",
				 place->own, CGROUP_LEVELS - 2);
	return level;
}
