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
#include "user/bpf/insn.h"
#include "user/bpf/prog.h"
#include "user/workload/cgroup.h"

#define HEAD	  2
#define PER_LEVEL 5
#define COUNT	  (HEAD + CGROUP_LEVELS * PER_LEVEL + 2)

static void write_program(struct bpf_insn insns[COUNT], uint64_t id)
{
	const struct bpf_insn head[HEAD] = { BPF_SET_WIDE(BPF_REG_6, 0, id) };
	const struct bpf_insn tail[] = { BPF_SET(BPF_REG_0, CGROUP_LEVELS), BPF_RETURN() };

	memcpy(insns, head, sizeof(head));
	for (int level = 0; level < CGROUP_LEVELS; level++) {
		int at = HEAD + level * PER_LEVEL;
		const struct bpf_insn step[PER_LEVEL] = {
			BPF_SET(BPF_REG_1, level),
			BPF_HELPER(BPF_FUNC_get_current_ancestor_cgroup_id),
			BPF_COPY(BPF_REG_1, BPF_REG_0),
			BPF_SET(BPF_REG_0, level),
			/* equal: to the exit, which is the last instruction */
			BPF_JUMP_EQUAL(BPF_REG_1, BPF_REG_6,
				       (int16_t)(COUNT - 1 - (at + PER_LEVEL))),
		};

		memcpy(insns + at, step, sizeof(step));
	}
	memcpy(insns + COUNT - 2, tail, sizeof(tail));
}

static int load(uint64_t id)
{
	struct bpf_insn insns[COUNT];
	const struct bpf_prog_source source = {
		.name = "level",
		.type = BPF_PROG_TYPE_RAW_TRACEPOINT,
		.license = "GPL",
		.insns = insns,
		.insn_count = COUNT,
		.btf = -1,
	};

	write_program(insns, id);
	return bpf_prog_load(&source, NULL, NULL);
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
	level = program < 0 ? program : bpf_prog_run(program);
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
