// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decoder on single instructions: lengths where the encoding has its traps,
 * and what it says about control flow, registers and the stack. Lengths in
 * bulk are compared with objdump in test_insn_objdump.c.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/insn.h"
#include "lib/cleanup.h"
#include "selftests/unit/suite.h"

#define REG(name) INSN_REGISTER(INSN_##name)

struct sample {
	const char *text;
	uint8_t code[16];
	int length;
};

/* Every way in which a length is not the plain sum of opcode and ModRM. */
static const struct sample lengths[] = {
	{ "nop", { 0x90 }, 1 },
	{ "ret", { 0xc3 }, 1 },
	{ "ret $8", { 0xc2, 8, 0 }, 3 },
	{ "enter $16,$0", { 0xc8, 16, 0, 0 }, 4 },
	{ "mov %fs:0x28,%rax", { 0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0 }, 9 },
	{ "mov (%rsp),%eax", { 0x8b, 0x04, 0x24 }, 3 },
	{ "mov 8(%rsp),%eax", { 0x8b, 0x44, 0x24, 8 }, 4 },
	{ "mov 0x100(%rbp,%rax,8),%eax", { 0x8b, 0x84, 0xc5, 0, 1, 0, 0 }, 7 },
	{ "mov 0(,%rax,8),%eax", { 0x8b, 0x04, 0xc5, 0, 0, 0, 0 }, 7 },
	{ "mov 0(%rip),%eax", { 0x8b, 0x05, 0, 0, 0, 0 }, 6 },
	{ "mov 0(%r13),%eax", { 0x41, 0x8b, 0x45, 0 }, 4 },
	{ "mov $1,%eax", { 0xb8, 1, 0, 0, 0 }, 5 },
	{ "mov $1,%ax", { 0x66, 0xb8, 1, 0 }, 4 },
	{ "movabs $1,%rax", { 0x48, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0 }, 10 },
	{ "66 REX.W movabs", { 0x66, 0x48, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0 }, 11 },
	{ "movabs 0x1,%al", { 0xa0, 1, 0, 0, 0, 0, 0, 0, 0 }, 9 },
	{ "addr32 mov 0x1,%al", { 0x67, 0xa0, 1, 0, 0, 0 }, 6 },
	{ "add $1,%ax", { 0x66, 0x05, 1, 0 }, 4 },
	{ "add $1,%rax", { 0x48, 0x05, 1, 0, 0, 0 }, 6 },
	{ "data16 add $1,%rax", { 0x66, 0x48, 0x05, 1, 0, 0, 0 }, 7 },
	{ "movw $1,(%rax)", { 0x66, 0xc7, 0x00, 1, 0 }, 5 },
	{ "test $1,%cl", { 0xf6, 0xc1, 1 }, 3 },
	{ "test $1,%ecx", { 0xf7, 0xc1, 1, 0, 0, 0 }, 6 },
	{ "not %ecx", { 0xf7, 0xd1 }, 2 },
	{ "pushw $1", { 0x66, 0x68, 1, 0 }, 4 },
	{ "endbr64", { 0xf3, 0x0f, 0x1e, 0xfa }, 4 },
	{ "data16 cs nopw", { 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 }, 11 },
	{ "data16 rex.W call", { 0x66, 0x48, 0xe8, 0, 0, 0, 0 }, 7 },
	{ "notrack jmp *%rax", { 0x3e, 0xff, 0xe0 }, 3 },
	{ "bnd jmp", { 0xf2, 0xe9, 0, 0, 0, 0 }, 6 },
	{ "xbegin", { 0xc7, 0xf8, 0, 0, 0, 0 }, 6 },
	{ "xabort $1", { 0xc6, 0xf8, 1 }, 3 },
	{ "mov %cr0,%rax, mod ignored", { 0x0f, 0x20, 0x04 }, 3 },
	{ "pshufb %xmm1,%xmm0", { 0x66, 0x0f, 0x38, 0x00, 0xc1 }, 5 },
	{ "palignr $1,%xmm1,%xmm0", { 0x66, 0x0f, 0x3a, 0x0f, 0xc1, 1 }, 6 },
	{ "crc32b %al,%eax", { 0xf2, 0x0f, 0x38, 0xf0, 0xc0 }, 5 },
	{ "pfadd (3DNow!)", { 0x0f, 0x0f, 0xc1, 0x9e }, 4 },
	{ "extrq $1,$2,%xmm1", { 0x66, 0x0f, 0x78, 0xc1, 2, 1 }, 6 },
	{ "vmread %rax,%rcx", { 0x0f, 0x78, 0xc1 }, 3 },
	{ "popcnt %eax,%eax", { 0xf3, 0x0f, 0xb8, 0xc0 }, 4 },
	{ "vzeroupper", { 0xc5, 0xf8, 0x77 }, 3 },
	{ "vmovdqu (%rdi),%ymm0", { 0xc5, 0xfe, 0x6f, 0x07 }, 4 },
	{ "vpshufd $1,%xmm1,%xmm0", { 0xc5, 0xf9, 0x70, 0xc1, 1 }, 5 },
	{ "rorx $1,%eax,%ecx", { 0xc4, 0xe3, 0x7b, 0xf0, 0xc8, 1 }, 6 },
	{ "mulx 8(%rsi),%rax,%rbx", { 0xc4, 0xe2, 0xe3, 0xf6, 0x46, 8 }, 6 },
	{ "vpternlogd $0x96,0x40(%rsi),%zmm1,%zmm0",
	  { 0x62, 0xf3, 0x75, 0x48, 0x25, 0x46, 1, 0x96 },
	  8 },
	{ "vaddph %zmm1,%zmm1,%zmm0 (map 5)", { 0x62, 0xf5, 0x74, 0x48, 0x58, 0xc1 }, 6 },
	{ "vprotb $1,%xmm1,%xmm0 (XOP)", { 0x8f, 0xe8, 0x78, 0xc0, 0xc1, 1 }, 6 },
	{ "bextr $1,%eax,%ecx (XOP)", { 0x8f, 0xea, 0x78, 0x10, 0xc8, 1, 0, 0, 0 }, 9 },
	{ "pop (%rax)", { 0x8f, 0x00 }, 2 },
	{ "REX before 66 is void: mov $1,%ax", { 0x48, 0x66, 0xb8, 1, 0 }, 5 },
	{ "15 bytes",
	  { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
	    0x90 },
	  15 },
	/* undefined, or not of one length */
	{ "16 bytes",
	  { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
	    0x66, 0x90 },
	  -EINVAL },
	{ "push %es (not in 64-bit mode)", { 0x06 }, -EINVAL },
	{ "bound/82 alias", { 0x82, 0xc0, 0 }, -EINVAL },
	{ "0f 04", { 0x0f, 0x04, 0, 0 }, -EINVAL },
	{ "lea %eax,%eax", { 0x8d, 0xc0 }, -EINVAL },
	{ "ff /7", { 0xff, 0xf8 }, -EINVAL },
	{ "c7 /7 but not xbegin", { 0xc7, 0xf9, 0, 0, 0, 0 }, -EINVAL },
	{ "0f b8 without f3", { 0x0f, 0xb8, 0xc0 }, -EINVAL },
	{ "REX before VEX", { 0x48, 0xc5, 0xf8, 0x77 }, -EINVAL },
	{ "66 before VEX", { 0x66, 0xc5, 0xf8, 0x77 }, -EINVAL },
	{ "VEX map 0", { 0xc4, 0xe0, 0x78, 0x77 }, -EINVAL },
	{ "EVEX map 4 (APX)", { 0x62, 0xf4, 0x7c, 0x08, 0x01, 0xc0 }, -EINVAL },
	{ "data16 call: rel16 or rel32", { 0x66, 0xe8, 0, 0, 0, 0 }, -EINVAL },
	{ "data16 je: rel16 or rel32", { 0x66, 0x0f, 0x84, 0, 0, 0, 0 }, -EINVAL },
};

START_TEST(decodes_lengths)
{
	const struct sample *sample = &lengths[_i];
	struct insn insn;
	int length = insn_decode(sample->code, sizeof(sample->code), &insn);

	ck_assert_msg(length == sample->length, "%s: %d, expected %d", sample->text, length,
		      sample->length);
	if (length > 0)
		ck_assert_int_eq(insn.length, length);
}
END_TEST

/* One byte less is never enough; the exact buffer lets AddressSanitizer see a read beyond it. */
START_TEST(reports_truncation)
{
	const struct sample *sample = &lengths[_i];
	struct insn insn;

	for (int size = 0; size < sample->length; size++) {
		CLEANUP_FREE uint8_t *exact = malloc(size > 0 ? (size_t)size : 1);

		ck_assert_ptr_nonnull(exact);
		memcpy(exact, sample->code, (size_t)size);
		ck_assert_msg(insn_decode(exact, (size_t)size, &insn) == -ENODATA,
			      "%s cut to %d bytes", sample->text, size);
	}
}
END_TEST

struct effect {
	const char *text;
	uint8_t code[16];
	enum insn_kind kind;
	uint16_t writes;
	int32_t stack;
	int32_t relative;
};

static const struct effect effects[] = {
	{ "push %rbp", { 0x55 }, INSN_PUSH, 0, -8, 0 },
	{ "push %r15", { 0x41, 0x57 }, INSN_PUSH, 0, -8, 0 },
	{ "push $1", { 0x6a, 1 }, INSN_PUSH, 0, -8, 0 },
	{ "push (%rdi)", { 0xff, 0x37 }, INSN_PUSH, 0, -8, 0 },
	{ "pushf", { 0x9c }, INSN_PUSH, 0, -8, 0 },
	{ "pushw %bp", { 0x66, 0x55 }, INSN_PUSH, REG(RSP), 0, 0 },
	{ "pop %rdi", { 0x5f }, INSN_POP, REG(RDI), 8, 0 },
	{ "pop %r15", { 0x41, 0x5f }, INSN_POP, REG(R15), 8, 0 },
	{ "pop %rsp", { 0x5c }, INSN_POP, REG(RSP), 8, 0 },
	{ "sub $0x18,%rsp", { 0x48, 0x83, 0xec, 0x18 }, INSN_OTHER, 0, -0x18, 0 },
	{ "sub $0x118,%rsp", { 0x48, 0x81, 0xec, 0x18, 1, 0, 0 }, INSN_OTHER, 0, -0x118, 0 },
	{ "add $-0x80,%rsp", { 0x48, 0x83, 0xc4, 0x80 }, INSN_OTHER, 0, -0x80, 0 },
	{ "sub $0x18,%esp", { 0x83, 0xec, 0x18 }, INSN_OTHER, REG(RSP), 0, 0 },
	{ "sub $0x18,%r12", { 0x49, 0x83, 0xec, 0x18 }, INSN_OTHER, REG(R12), 0, 0 },
	{ "lea -0x28(%rsp),%rsp", { 0x48, 0x8d, 0x64, 0x24, 0xd8 }, INSN_OTHER, 0, -0x28, 0 },
	{ "lea -0x28(%rsp,%rax),%rsp",
	  { 0x48, 0x8d, 0x64, 0x04, 0xd8 },
	  INSN_OTHER,
	  REG(RSP),
	  0,
	  0 },
	{ "lea -0x28(%r12),%rsp", { 0x49, 0x8d, 0x64, 0x24, 0xd8 }, INSN_OTHER, REG(RSP), 0, 0 },
	{ "and $-64,%rsp", { 0x48, 0x83, 0xe4, 0xc0 }, INSN_OTHER, REG(RSP), 0, 0 },
	{ "mov %rsp,%rbp", { 0x48, 0x89, 0xe5 }, INSN_OTHER, REG(RBP), 0, 0 },
	{ "mov %rbp,%rsp", { 0x48, 0x89, 0xec }, INSN_OTHER, REG(RSP), 0, 0 },
	{ "leave", { 0xc9 }, INSN_OTHER, REG(RSP) | REG(RBP), 0, 0 },
	{ "mov %rdi,%rbx", { 0x48, 0x89, 0xfb }, INSN_OTHER, REG(RBX), 0, 0 },
	{ "mov (%rdi),%r8", { 0x4c, 0x8b, 0x07 }, INSN_OTHER, REG(R8), 0, 0 },
	{ "mov %r8,(%rdi)", { 0x4c, 0x89, 0x07 }, INSN_OTHER, 0, 0, 0 },
	{ "movslq %edx,%rdx", { 0x48, 0x63, 0xd2 }, INSN_OTHER, REG(RDX), 0, 0 },
	{ "mov %al,%dh", { 0x88, 0xc6 }, INSN_OTHER, REG(RDX), 0, 0 },
	{ "mov %al,%sil", { 0x40, 0x88, 0xc6 }, INSN_OTHER, REG(RSI), 0, 0 },
	{ "mov $1,%bh", { 0xb7, 1 }, INSN_OTHER, REG(RBX), 0, 0 },
	{ "cmp %rsi,%rdi", { 0x48, 0x39, 0xf7 }, INSN_OTHER, 0, 0, 0 },
	{ "cmp $1,%rdi", { 0x48, 0x83, 0xff, 1 }, INSN_OTHER, 0, 0, 0 },
	{ "test %rdi,%rdi", { 0x48, 0x85, 0xff }, INSN_OTHER, 0, 0, 0 },
	{ "test $1,%dil", { 0x40, 0xf6, 0xc7, 1 }, INSN_OTHER, 0, 0, 0 },
	{ "not %rdi", { 0x48, 0xf7, 0xd7 }, INSN_OTHER, REG(RDI), 0, 0 },
	{ "mul %rdi", { 0x48, 0xf7, 0xe7 }, INSN_OTHER, REG(RAX) | REG(RDX), 0, 0 },
	{ "xchg %rax,%rdi", { 0x48, 0x97 }, INSN_OTHER, REG(RAX) | REG(RDI), 0, 0 },
	{ "xchg %rax,%r8", { 0x49, 0x90 }, INSN_OTHER, REG(RAX) | REG(R8), 0, 0 },
	{ "xchg %rsi,%rdi", { 0x48, 0x87, 0xf7 }, INSN_OTHER, REG(RSI) | REG(RDI), 0, 0 },
	{ "cmovs %edx,%eax", { 0x0f, 0x48, 0xc2 }, INSN_OTHER, REG(RAX), 0, 0 },
	{ "sete %dil", { 0x40, 0x0f, 0x94, 0xc7 }, INSN_OTHER, REG(RDI), 0, 0 },
	{ "movq %xmm0,%rdi", { 0x66, 0x48, 0x0f, 0x7e, 0xc7 }, INSN_OTHER, REG(RDI), 0, 0 },
	{ "movups %xmm7,(%rdi)", { 0x0f, 0x11, 0x3f }, INSN_OTHER, 0, 0, 0 },
	{ "pxor %xmm7,%xmm7", { 0x66, 0x0f, 0xef, 0xff }, INSN_OTHER, 0, 0, 0 },
	{ "vpxor %xmm6,%xmm6,%xmm6", { 0xc5, 0xc9, 0xef, 0xf6 }, INSN_OTHER, 0, 0, 0 },
	{ "rep stos", { 0xf3, 0x48, 0xab }, INSN_OTHER, REG(RDI) | REG(RCX), 0, 0 },
	{ "movs", { 0xa4 }, INSN_OTHER, REG(RDI) | REG(RSI), 0, 0 },
	{ "endbr64", { 0xf3, 0x0f, 0x1e, 0xfa }, INSN_OTHER, 0, 0, 0 },
	{ "rdsspq %rdx", { 0xf3, 0x48, 0x0f, 0x1e, 0xca }, INSN_OTHER, REG(RDX), 0, 0 },
	{ "cpuid", { 0x0f, 0xa2 }, INSN_OTHER, INSN_REGISTERS_ALL, 0, 0 },
	{ "nop", { 0x90 }, INSN_NOP, 0, 0, 0 },
	{ "nopl 0(%rax,%rax,1)", { 0x0f, 0x1f, 0x44, 0, 0 }, INSN_NOP_LONG, 0, 0, 0 },
	{ "js +0x2f", { 0x78, 0x2f }, INSN_JCC, 0, 0, 0x2f },
	{ "je -6", { 0x0f, 0x84, 0xfa, 0xff, 0xff, 0xff }, INSN_JCC, 0, 0, -6 },
	{ "loop -2", { 0xe2, 0xfe }, INSN_BRANCH, REG(RCX), 0, -2 },
	{ "jrcxz +1", { 0xe3, 1 }, INSN_BRANCH, 0, 0, 1 },
	{ "jmp -2", { 0xeb, 0xfe }, INSN_JMP, 0, 0, -2 },
	{ "jmp +0x100", { 0xe9, 0, 1, 0, 0 }, INSN_JMP, 0, 0, 0x100 },
	{ "call -0x403", { 0xe8, 0xfd, 0xfb, 0xff, 0xff }, INSN_CALL, 0, 0, -0x403 },
	{ "jmp *%rax", { 0xff, 0xe0 }, INSN_JMP_INDIRECT, 0, 0, 0 },
	{ "call *8(%rax)", { 0xff, 0x50, 8 }, INSN_CALL_INDIRECT, 0, 0, 0 },
	{ "repz ret", { 0xf3, 0xc3 }, INSN_RET, 0, 0, 0 },
	{ "syscall", { 0x0f, 0x05 }, INSN_SYSTEM, INSN_REGISTERS_ALL, 0, 0 },
	{ "ud2", { 0x0f, 0x0b }, INSN_SYSTEM, 0, 0, 0 },
	{ "int3", { 0xcc }, INSN_SYSTEM, 0, 0, 0 },
};

START_TEST(knows_effects)
{
	const struct effect *effect = &effects[_i];
	struct insn insn;

	ck_assert_int_gt(insn_decode(effect->code, sizeof(effect->code), &insn), 0);
	ck_assert_msg(insn.kind == effect->kind, "%s: kind %s", effect->text,
		      insn_kind_name(insn.kind));
	ck_assert_msg(insn.writes == effect->writes, "%s: writes %#x, expected %#x", effect->text,
		      insn.writes, effect->writes);
	ck_assert_msg(insn.stack == effect->stack, "%s: stack %d", effect->text, insn.stack);
	ck_assert_msg(insn.relative == effect->relative, "%s: relative %d", effect->text,
		      insn.relative);
	ck_assert_int_eq(insn_is_transfer(&insn), effect->kind >= INSN_JCC);
}
END_TEST

START_TEST(reports_the_encoding)
{
	static const uint8_t evex[] = { 0x62, 0xf3, 0x75, 0x48, 0x25, 0x46, 1, 0x96 };
	static const uint8_t lock[] = { 0xf0, 0x64, 0x4c, 0x0f, 0xb1, 0x07 };
	struct insn insn;

	ck_assert_int_eq(insn_decode(evex, sizeof(evex), &insn), sizeof(evex));
	ck_assert_int_eq(insn.map, INSN_MAP_EVEX + 3);
	ck_assert_int_eq(insn.opcode, 0x25);
	ck_assert_int_eq(insn.vvvv, 1);
	ck_assert_int_eq(insn.modrm, 0x46);
	ck_assert_int_eq(insn_decode(lock, sizeof(lock), &insn), sizeof(lock));
	ck_assert_int_eq(insn.map, INSN_MAP_0F);
	ck_assert_int_eq(insn.prefixes, INSN_PREFIX_LOCK | INSN_PREFIX_FSGS);
	ck_assert_int_eq(insn.rex, 0x4c);
	ck_assert(insn.has_modrm);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { reports_the_encoding };
	TCase *tcase = suite_case("insn", tests, ARRAY_SIZE(tests), 0, NULL, NULL);

	tcase_add_loop_test(tcase, decodes_lengths, 0, ARRAY_SIZE(lengths));
	tcase_add_loop_test(tcase, reports_truncation, 0, ARRAY_SIZE(lengths));
	tcase_add_loop_test(tcase, knows_effects, 0, ARRAY_SIZE(effects));
	return suite_run_cases("insn", &tcase, 1);
}
