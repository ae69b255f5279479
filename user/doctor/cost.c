// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a probe costs here. The kernel emulates some instructions in the
 * breakpoint's handler and has to single-step the others, which under
 * virtualisation takes twenty times as long. Kloak probes instructions of the
 * first kind where it can (elf/ finds them); both are measured, on ourselves,
 * with an empty program.
 */
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "user/bpf/insn.h"
#include "user/bpf/link.h"
#include "user/bpf/prog.h"
#include "user/doctor/checks.h"

#define BATCHES 8
#define HITS	32
#define SLOW	5000 /* ns: an emulated probe should take a tenth of that */

typedef void (*site)(void);

void doctor_site_emulated(void);
void doctor_site_stepped(void);

/* Assembler, since the first instruction is what matters. */
#if defined(__x86_64__)
#define STEPPED "mov %eax, %eax"
#elif defined(__aarch64__)
#define STEPPED "mov x0, x0"
#else
#error "name an instruction that the kernel cannot emulate"
#endif
#define SITE(name, instruction)                                                         \
	__asm__(".pushsection .text." #name ",\"ax\",%progbits\n"                       \
		".globl " #name "\n.type " #name ", %function\n" #name ": " instruction \
		"\n\tret\n"                                                             \
		".size " #name ", . - " #name "\n.popsection\n")

SITE(doctor_site_emulated, "nop");
SITE(doctor_site_stepped, STEPPED);

struct place {
	uintptr_t address;
	uint64_t offset;
};

/* The first object that is listed is the program itself. */
static int locate(struct dl_phdr_info *info, size_t size, void *context)
{
	struct place *place = context;
	uintptr_t address = place->address - info->dlpi_addr;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
		    address - segment->p_vaddr < segment->p_filesz) {
			place->offset = address - segment->p_vaddr + segment->p_offset;
			return 1;
		}
	}
	return -1;
}

/* Nanoseconds for a call, the best of some batches: the first are cold. */
static int64_t time_calls(site called)
{
	int64_t best = INT64_MAX;

	for (int batch = 0; batch < BATCHES; batch++) {
		uint64_t start = clock_now();
		int64_t taken;

		for (int i = 0; i < HITS; i++)
			called();
		taken = (int64_t)(clock_now() - start) / HITS;
		best = taken < best ? taken : best;
	}
	return best;
}

static int measure(int program, site called, int64_t *cost)
{
	struct place place = { .address = (uintptr_t)called };
	CLEANUP_FD int link = -1;
	int64_t base = time_calls(called);

	if (dl_iterate_phdr(locate, &place) != 1)
		return -ENOENT;
	link = link_create_uprobe(program, "/proc/self/exe", place.offset, false);
	if (link < 0)
		return link;
	*cost = time_calls(called) - base;
	return 0;
}

static int load_empty(void)
{
	const struct bpf_insn insns[] = { BPF_SET(BPF_REG_0, 0), BPF_RETURN() };
	const struct bpf_prog_source source = {
		.name = "cost",
		.type = BPF_PROG_TYPE_KPROBE,
		.license = "GPL",
		.insns = insns,
		.insn_count = ARRAY_SIZE(insns),
		.btf = -1,
	};

	return bpf_prog_load(&source, NULL, NULL);
}

void check_cost(const char *root, struct doctor_finding *finding)
{
	CLEANUP_FD int program = load_empty();
	int64_t emulated = 0, stepped = 0;
	int ret = program < 0 ? program : measure(program, doctor_site_emulated, &emulated);

	(void)root;
	if (!ret)
		ret = measure(program, doctor_site_stepped, &stepped);
	if (ret)
		doctor_set(finding, DOCTOR_OK, NULL, "not measured: uprobe PMU: %s",
			   strerror(-ret));
	else
		doctor_set(finding, emulated > SLOW ? DOCTOR_WARN : DOCTOR_OK,
			   emulated > SLOW ? "expect this much for each TLS write; "
					     "is the virtual machine itself emulated?"
					   : NULL,
			   "%s: %lld ns at an emulated instruction, %lld ns single-stepped",
			   emulated > SLOW ? "slow" : "fast", (long long)emulated,
			   (long long)stepped);
}
