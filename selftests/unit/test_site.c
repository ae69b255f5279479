// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probe sites: prologues of TLS libraries as distributions built them, one
 * small function for every rule, and the invariants over all functions of the
 * machine's own libssl and libcrypto.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <string.h>

#include "elf/site.h"
#include "lib/cleanup.h"
#include "selftests/unit/suite.h"

#define ADDRESS 0x35980

struct sample {
	const char *text;
	uint8_t code[80];
	size_t size;
	enum site_use use;
	enum site_cost cost;
	enum insn_kind kind;
	uint32_t offset;
	uint32_t stack_moved;
};

#define SSL_WRITE                                                                    \
	0x48, 0x83, 0xec, 0x18,				     /* sub $0x18,%rsp */    \
		0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0, /* mov %fs:0x28,%rax */ \
		0x48, 0x89, 0x44, 0x24, 0x08,		     /* mov %rax,8(%rsp) */  \
		0x31, 0xc0,				     /* xor %eax,%eax */     \
		0x85, 0xd2,				     /* test %edx,%edx */    \
		0x78, 0x2f,				     /* js */                \
		0x48, 0x89, 0xe1,			     /* mov %rsp,%rcx */     \
		0x48, 0x63, 0xd2			     /* movslq %edx,%rdx */
#define SSL_WRITE_EX 0x48, 0x83, 0xec, 0x08, 0xe8, 0x87, 0xfb, 0xff, 0xff, 0x31, 0xd2, 0xc3
#define EVP_KDF_DERIVE \
	0x48, 0x85, 0xff, 0x74, 0x13, 0x48, 0x8b, 0x07, 0x4c, 0x8b, 0x47, 0x08, 0xff, 0xe0
#define ENDBR64 0xf3, 0x0f, 0x1e, 0xfa

#define BOTH SITE_ENTRY_AND_RETURN

#define GO15_G	  0x64, 0x48, 0x8b, 0x0c, 0x25, 0xf8, 0xff, 0xff, 0xff /* mov %fs:-8,%rcx */
#define GO15_AEAD GO15_G, 0x48, 0x3b, 0x61, 0x10		       /* cmp 0x10(%rcx),%rsp */
#define GO15_WRITE                                                       \
	GO15_G, 0x48, 0x8d, 0x44, 0x24, 0xb0, /* lea -0x50(%rsp),%rax */ \
		0x48, 0x3b, 0x41, 0x10	      /* cmp 0x10(%rcx),%rax */
#define GO_AEAD 0x49, 0x3b, 0x66, 0x10	      /* cmp 0x10(%r14),%rsp */
#define GO_WRITE                                                  \
	0x4c, 0x8d, 0x64, 0x24, 0xb8,  /* lea -0x48(%rsp),%r12 */ \
		0x4d, 0x3b, 0x66, 0x10 /* cmp 0x10(%r14),%r12 */
#define GO_WRITE_N                                                                  \
	0x4c, 0x8d, 0xa4, 0x24, 0x20, 0xfe, 0xff, 0xff, /* lea -0x1e0(%rsp),%r12 */ \
		0x4d, 0x3b, 0x66, 0x10
#define GO_HUGE                                                     \
	0x49, 0x89, 0xe4,			/* mov %rsp,%r12 */ \
		0x49, 0x81, 0xec, 0, 0, 1, 0	/* sub $0x10000,%r12 */
#define JBE	   0x0f, 0x86, 0x87, 0x01, 0, 0 /* jbe far ahead */
#define GO_FRAME   0x55, 0x48, 0x89, 0xe5	/* push %rbp; mov %rsp,%rbp */
#define GO15_FRAME 0x48, 0x83, 0xec, 0x60	/* sub $0x60,%rsp */

static const struct sample samples[] = {
	/* Debian 12, OpenSSL 3.0 */
	{ "SSL_write", { SSL_WRITE }, 30, SITE_ENTRY, SITE_EMULATED, INSN_JCC, 22, 0x18 },
	{ "SSL_write, return", { SSL_WRITE }, 30, BOTH, SITE_SINGLE_STEP, INSN_OTHER, 0, 0 },
	{ "SSL_write_ex", { SSL_WRITE_EX }, 12, SITE_ENTRY, SITE_EMULATED, INSN_CALL, 4, 8 },
	{ "EVP_KDF_derive", { EVP_KDF_DERIVE }, 38, BOTH, SITE_EMULATED, INSN_JCC, 3, 0 },
	{ "static node SSL_write",
	  { 0x55, 0x48, 0x89, 0xe5, 0x41, 0x56 },
	  6,
	  BOTH,
	  SITE_EMULATED,
	  INSN_PUSH,
	  0,
	  0 },
	/* Debian 13 and later, OpenSSL 3.5 and 3.6: with endbr64 */
	{ "SSL_write, CET",
	  { ENDBR64, SSL_WRITE },
	  34,
	  SITE_ENTRY,
	  SITE_EMULATED,
	  INSN_JCC,
	  26,
	  0x18 },
	{ "SSL_write_ex2, CET",
	  { ENDBR64, SSL_WRITE_EX },
	  16,
	  SITE_ENTRY,
	  SITE_EMULATED,
	  INSN_CALL,
	  8,
	  8 },
	{ "EVP_KDF_derive, CET",
	  { ENDBR64, EVP_KDF_DERIVE },
	  42,
	  BOTH,
	  SITE_EMULATED,
	  INSN_JCC,
	  7,
	  0 },
	/* Debian 11, OpenSSL 1.1.1 */
	{ "EVP_PKEY_CTX_ctrl",
	  { 0x48, 0x83, 0xec, 0x18, 0x48, 0x85, 0xff, 0x74, 0x40, 0xc3 },
	  10,
	  SITE_ENTRY,
	  SITE_EMULATED,
	  INSN_JCC,
	  7,
	  0x18 },
	/* Go 1.19: cmp 16(%r14),%rsp - jbe */
	{ "Go stack check",
	  { 0x49, 0x3b, 0x66, 0x10, 0x76, 0x40, 0xc3 },
	  7,
	  BOTH,
	  SITE_EMULATED,
	  INSN_JCC,
	  4,
	  0 },

	/* what the kernel emulates */
	{ "push %r15", { 0x41, 0x57, 0xc3 }, 3, BOTH, SITE_EMULATED, INSN_PUSH, 0, 0 },
	{ "nop", { 0x90, 0xc3 }, 2, BOTH, SITE_EMULATED, INSN_NOP, 0, 0 },
	{ "jmp rel8", { 0xeb, 0x10 }, 2, BOTH, SITE_EMULATED, INSN_JMP, 0, 0 },
	{ "bnd jmp rel32", { 0xf2, 0xe9, 0, 1, 0, 0 }, 6, BOTH, SITE_EMULATED, INSN_JMP, 0, 0 },
	{ "jne rel32", { 0x0f, 0x85, 0, 1, 0, 0 }, 6, BOTH, SITE_EMULATED, INSN_JCC, 0, 0 },
	{ "nop5", { 0x0f, 0x1f, 0x44, 0, 0, 0xc3 }, 6, BOTH, SITE_NOP, INSN_NOP_LONG, 0, 0 },
	{ "nop6", { 0x66, 0x0f, 0x1f, 0x44, 0, 0, 0xc3 }, 7, BOTH, SITE_NOP, INSN_NOP_LONG, 0, 0 },
	{ "push after nop5 is better",
	  { 0x0f, 0x1f, 0x44, 0, 0, 0x55, 0xc3 },
	  7,
	  BOTH,
	  SITE_EMULATED,
	  INSN_PUSH,
	  5,
	  0 },

	/* what it does not */
	{ "endbr64, ret", { ENDBR64, 0xc3 }, 5, BOTH, SITE_SINGLE_STEP, INSN_OTHER, 0, 0 },
	{ "ret", { 0xc3 }, 1, BOTH, SITE_SINGLE_STEP, INSN_RET, 0, 0 },
	{ "REX.W push", { 0x48, 0x55, 0xc3 }, 3, BOTH, SITE_SINGLE_STEP, INSN_PUSH, 0, 0 },
	{ "push $1", { 0x6a, 1, 0xc3 }, 3, BOTH, SITE_SINGLE_STEP, INSN_PUSH, 0, 0 },
	{ "66 nop", { 0x66, 0x90, 0xc3 }, 3, BOTH, SITE_SINGLE_STEP, INSN_NOP, 0, 0 },
	{ "66 jmp", { 0x66, 0xeb, 0x10 }, 3, BOTH, SITE_SINGLE_STEP, INSN_JMP, 0, 0 },
	{ "DS js (branch hint)", { 0x3e, 0x78, 0x10 }, 3, BOTH, SITE_SINGLE_STEP, INSN_JCC, 0, 0 },
	{ "nop5 with another base",
	  { 0x0f, 0x1f, 0x44, 0x01, 0, 0xc3 },
	  6,
	  BOTH,
	  SITE_SINGLE_STEP,
	  INSN_NOP_LONG,
	  0,
	  0 },
	{ "nop10 with CS",
	  { 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0xc3 },
	  11,
	  BOTH,
	  SITE_SINGLE_STEP,
	  INSN_NOP_LONG,
	  0,
	  0 },
	{ "jrcxz", { 0xe3, 1, 0x55, 0xc3 }, 4, BOTH, SITE_SINGLE_STEP, INSN_BRANCH, 0, 0 },
	{ "jmp *%rax", { 0xff, 0xe0 }, 2, BOTH, SITE_SINGLE_STEP, INSN_JMP_INDIRECT, 0, 0 },

	/* arguments: mov %rsi,%rdi; mov %rsi,%rbx; xor %r9d,%r9d; mov %cl,%dh; rep stos */
	{ "rdi is gone",
	  { 0x48, 0x89, 0xf7, 0x55, 0xc3 },
	  5,
	  SITE_ENTRY,
	  SITE_SINGLE_STEP,
	  INSN_OTHER,
	  0,
	  0 },
	{ "rbx does not matter",
	  { 0x48, 0x89, 0xf3, 0x55, 0xc3 },
	  5,
	  SITE_ENTRY,
	  SITE_EMULATED,
	  INSN_PUSH,
	  3,
	  0 },
	{ "r9 is gone",
	  { 0x45, 0x31, 0xc9, 0x55, 0xc3 },
	  5,
	  SITE_ENTRY,
	  SITE_SINGLE_STEP,
	  INSN_OTHER,
	  0,
	  0 },
	{ "dh is a part of rdx",
	  { 0x88, 0xce, 0x55, 0xc3 },
	  4,
	  SITE_ENTRY,
	  SITE_SINGLE_STEP,
	  INSN_OTHER,
	  0,
	  0 },
	{ "rdi by rep stos",
	  { 0xf3, 0xaa, 0x55, 0xc3 },
	  4,
	  SITE_ENTRY,
	  SITE_SINGLE_STEP,
	  INSN_OTHER,
	  0,
	  0 },

	/* the stack: and $-64,%rsp; add $8,%rsp; lea -0x28(%rsp),%rsp; sub and add */
	{ "RSP unknown",
	  { 0x48, 0x83, 0xe4, 0xc0, 0x55, 0xc3 },
	  6,
	  SITE_ENTRY,
	  SITE_SINGLE_STEP,
	  INSN_OTHER,
	  0,
	  0 },
	{ "RSP above the return address",
	  { 0x48, 0x83, 0xc4, 8, 0x55, 0xc3 },
	  6,
	  SITE_ENTRY,
	  SITE_SINGLE_STEP,
	  INSN_OTHER,
	  0,
	  0 },
	{ "moved by lea",
	  { 0x48, 0x8d, 0x64, 0x24, 0xd8, 0x53, 0xc3 },
	  7,
	  SITE_ENTRY,
	  SITE_EMULATED,
	  INSN_PUSH,
	  5,
	  0x28 },
	{ "moved and back",
	  { 0x48, 0x83, 0xec, 8, 0x48, 0x83, 0xc4, 8, 0x53, 0xc3 },
	  10,
	  BOTH,
	  SITE_EMULATED,
	  INSN_PUSH,
	  8,
	  0 },

	/* nothing after a transfer; nothing that runs twice */
	{ "after an indirect call",
	  { 0xff, 0xd0, 0x55, 0xc3 },
	  4,
	  SITE_ENTRY,
	  SITE_SINGLE_STEP,
	  INSN_CALL_INDIRECT,
	  0,
	  0 },
	{ "after a syscall",
	  { 0x0f, 0x05, 0x55, 0xc3 },
	  4,
	  SITE_ENTRY,
	  SITE_SINGLE_STEP,
	  INSN_SYSTEM,
	  0,
	  0 },
	{ "the jcc closes a loop",
	  { 0x85, 0xd2, 0xff, 0xc8, 0x75, 0xfc, 0xc3 },
	  7,
	  SITE_ENTRY,
	  SITE_SINGLE_STEP,
	  INSN_OTHER,
	  0,
	  0 },
	{ "a later jmp to the site",
	  { 0x85, 0xd2, 0x78, 0x02, 0xff, 0xc8, 0xeb, 0xfa },
	  8,
	  SITE_ENTRY,
	  SITE_SINGLE_STEP,
	  INSN_OTHER,
	  0,
	  0 },
	{ "a later jmp to the entry",
	  { 0x85, 0xd2, 0x78, 0x02, 0xff, 0xc8, 0xeb, 0xf8 },
	  8,
	  SITE_ENTRY,
	  SITE_EMULATED,
	  INSN_JCC,
	  2,
	  0 },
	{ "a later jmp after the site",
	  { 0x85, 0xd2, 0x78, 0x02, 0xff, 0xc8, 0xeb, 0xfc },
	  8,
	  SITE_ENTRY,
	  SITE_EMULATED,
	  INSN_JCC,
	  2,
	  0 },
	{ "the loop is found after data",
	  { 0x85, 0xd2, 0x78, 0x02, 0x06, 0x06, 0xeb, 0xfa },
	  8,
	  SITE_ENTRY,
	  SITE_SINGLE_STEP,
	  INSN_OTHER,
	  0,
	  0 },

	/* Go: crypto/tls.aeadAESGCM and crypto/tls.(*Conn).Write, go1.15, go1.19 to 1.27 */
	{ "Go 1.15, aead",
	  { GO15_AEAD, JBE, GO15_FRAME },
	  23,
	  SITE_GO_STACK,
	  SITE_EMULATED,
	  INSN_JCC,
	  13,
	  0 },
	{ "Go 1.15, Write",
	  { GO15_WRITE, JBE, GO15_FRAME },
	  28,
	  SITE_GO_STACK,
	  SITE_EMULATED,
	  INSN_JCC,
	  18,
	  0 },
	{ "Go, aead", { GO_AEAD, JBE, GO_FRAME }, 14, SITE_GO, SITE_EMULATED, INSN_JCC, 4, 0 },
	{ "Go, Write", { GO_WRITE, JBE, GO_FRAME }, 19, SITE_GO, SITE_EMULATED, INSN_JCC, 9, 0 },
	{ "Go, Write, -N -l",
	  { GO_WRITE_N, JBE, GO_FRAME },
	  22,
	  SITE_GO,
	  SITE_EMULATED,
	  INSN_JCC,
	  12,
	  0 },
	{ "Go, a short jbe",
	  { GO_AEAD, 0x76, 0x20, GO_FRAME },
	  10,
	  SITE_GO,
	  SITE_EMULATED,
	  INSN_JCC,
	  4,
	  0 },
	{ "Go, nosplit", { GO_FRAME }, 4, SITE_GO, SITE_EMULATED, INSN_PUSH, 0, 0 },
	{ "Go, a large frame: jb is no stack check",
	  { GO_HUGE, 0x0f, 0x82, 0, 1, 0, 0, GO_WRITE, JBE },
	  31,
	  SITE_GO,
	  SITE_SINGLE_STEP,
	  INSN_OTHER,
	  0,
	  0 },
	{ "Go, a jae that looks like it",
	  { GO_AEAD, 0x0f, 0x83, 0, 1, 0, 0, 0x55 },
	  11,
	  SITE_GO,
	  SITE_SINGLE_STEP,
	  INSN_OTHER,
	  0,
	  0 },
	{ "Go, rax is an argument",
	  { GO15_WRITE, JBE },
	  24,
	  SITE_GO,
	  SITE_SINGLE_STEP,
	  INSN_OTHER,
	  0,
	  0 },
	{ "Go, rbx is an argument",
	  { 0x31, 0xdb, 0x55 },
	  3,
	  SITE_GO,
	  SITE_SINGLE_STEP,
	  INSN_OTHER,
	  0,
	  0 },
	{ "Go, r11 is an argument",
	  { 0x4d, 0x31, 0xdb, 0x55 },
	  4,
	  SITE_GO,
	  SITE_SINGLE_STEP,
	  INSN_OTHER,
	  0,
	  0 },
	{ "Go, rdx is none", { 0x31, 0xd2, 0x55 }, 3, SITE_GO, SITE_EMULATED, INSN_PUSH, 2, 0 },
	{ "Go before 1.17, RSP has moved",
	  { GO15_FRAME, 0x55 },
	  5,
	  SITE_GO_STACK,
	  SITE_SINGLE_STEP,
	  INSN_OTHER,
	  0,
	  0 },
	{ "Go before 1.17, registers are free",
	  { 0x31, 0xc0, 0x31, 0xff, 0x55 },
	  5,
	  SITE_GO_STACK,
	  SITE_EMULATED,
	  INSN_PUSH,
	  4,
	  0 },

	/* the edges of the function */
	{ "the push is the next function's",
	  { 0x85, 0xd2, 0x55 },
	  2,
	  SITE_ENTRY,
	  SITE_SINGLE_STEP,
	  INSN_OTHER,
	  0,
	  0 },
};

START_TEST(chooses_the_site)
{
	const struct sample *sample = &samples[_i];
	struct site site;

	ck_assert_int_eq(site_choose(sample->code, sample->size, ADDRESS, sample->use, &site), 0);
	ck_assert_msg(site.offset == sample->offset, "%s: +%u", sample->text, site.offset);
	ck_assert_msg(site.cost == sample->cost, "%s: %s", sample->text, site_cost_name(site.cost));
	ck_assert_msg(site.kind == sample->kind, "%s: %s", sample->text, insn_kind_name(site.kind));
	ck_assert_msg(site.stack_moved == sample->stack_moved, "%s: moved %u", sample->text,
		      site.stack_moved);
	ck_assert_uint_eq(site.address, ADDRESS + site.offset);
}
END_TEST

/* The search for a push after many single-stepped instructions has an end. */
START_TEST(gives_up_far_from_the_entry)
{
	uint8_t code[128];
	struct site site;

	memset(code, 0xf5, sizeof(code)); /* cmc */
	code[15] = 0x55;
	ck_assert_int_eq(site_choose(code, sizeof(code), 0, SITE_ENTRY, &site), 0);
	ck_assert_uint_eq(site.offset, 15);
	code[15] = 0xf5;
	code[16] = 0x55;
	ck_assert_int_eq(site_choose(code, sizeof(code), 0, SITE_ENTRY, &site), 0);
	ck_assert_uint_eq(site.offset, 0);
	ck_assert_int_eq(site.cost, SITE_SINGLE_STEP);
}
END_TEST

START_TEST(refuses_nonsense)
{
	struct site site;

	ck_assert_int_eq(site_choose((const uint8_t *)"", 0, 0, SITE_ENTRY, &site), -EINVAL);
	ck_assert_int_eq(site_choose((const uint8_t *)"\x55", 1, 0, (enum site_use)7, &site),
			 -EINVAL);
	/* no code, and an instruction that goes on after the function's end */
	ck_assert_int_eq(site_choose((const uint8_t *)"\x06\x55", 2, 0, SITE_ENTRY, &site),
			 -EILSEQ);
	ck_assert_int_eq(site_choose((const uint8_t *)"\x48\x83\xec", 3, 0, SITE_ENTRY, &site),
			 -EILSEQ);
}
END_TEST

/* --- the machine's own libraries ---------------------------------------- */

struct tally {
	unsigned int functions, cheap[4];
};

/* Walks again from the entry, with nothing but the decoder, and checks what the site promises. */
static void check_site(const uint8_t *code, size_t size, enum site_use use, const char *name,
		       struct tally *tally)
{
	const uint16_t both = INSN_REGISTER(INSN_RDI) | INSN_REGISTER(INSN_RSI) |
			      INSN_REGISTER(INSN_RCX) | INSN_REGISTER(INSN_R8) |
			      INSN_REGISTER(INSN_R9);
	const uint16_t arguments[] = {
		[SITE_ENTRY] = both | INSN_REGISTER(INSN_RDX),
		[SITE_ENTRY_AND_RETURN] = both | INSN_REGISTER(INSN_RDX),
		[SITE_GO] = both | INSN_REGISTER(INSN_RAX) | INSN_REGISTER(INSN_RBX) |
			    INSN_REGISTER(INSN_R10) | INSN_REGISTER(INSN_R11),
		[SITE_GO_STACK] = 0,
	};
	struct insn insn;
	struct site site;
	int64_t moved = 0;
	size_t at = 0;

	ck_assert_int_eq(site_choose(code, size, 0, use, &site), 0);
	while (at < site.offset) {
		int length = insn_decode(code + at, size - at, &insn);

		ck_assert_msg(length > 0, "%s+%zu does not decode", name, at);
		ck_assert_msg(!insn_is_transfer(&insn), "%s: site after a branch", name);
		ck_assert_msg(!(insn.writes & arguments[use]), "%s: arguments lost", name);
		at += (size_t)length;
		moved -= insn.stack;
	}
	ck_assert_msg(at == site.offset, "%s+%u is inside an instruction", name, site.offset);
	ck_assert_msg(moved == site.stack_moved, "%s: stack moved %u", name, site.stack_moved);
	ck_assert_msg(use == SITE_ENTRY || use == SITE_GO || site.stack_moved == 0,
		      "%s: stack moved", name);
	ck_assert_msg(site.offset == 0 || site.cost != SITE_SINGLE_STEP, "%s: no gain", name);
	tally->cheap[use] += site.cost == SITE_EMULATED;
}

static void check_symbol(Elf *elf, const GElf_Sym *symbol, const char *name, struct tally *tally)
{
	Elf_Scn *section = elf_getscn(elf, symbol->st_shndx);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	GElf_Shdr header;

	if (GELF_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_size == 0 || !data ||
	    !gelf_getshdr(section, &header) || symbol->st_value < header.sh_addr ||
	    symbol->st_value - header.sh_addr + symbol->st_size > data->d_size)
		return;
	tally->functions++;
	for (int use = SITE_ENTRY; use <= SITE_GO_STACK; use++)
		check_site((const uint8_t *)data->d_buf + (symbol->st_value - header.sh_addr),
			   symbol->st_size, (enum site_use)use, name, tally);
}

static void check_library(Elf *elf, struct tally *tally)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		Elf_Data *data = elf_getdata(section, NULL);
		GElf_Shdr header;
		GElf_Sym symbol;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_DYNSYM || !data)
			continue;
		for (int i = 1; gelf_getsym(data, i, &symbol); i++)
			check_symbol(elf, &symbol, elf_strptr(elf, header.sh_link, symbol.st_name),
				     tally);
	}
}

static const char *const libraries[] = {
	"/usr/lib/x86_64-linux-gnu/libssl.so.3",
	"/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
};

START_TEST(keeps_its_promises_in_a_library)
{
	CLEANUP_FD int fd = open(libraries[_i], O_RDONLY | O_CLOEXEC);
	struct tally tally = { 0 };
	Elf *elf;

	if (fd < 0) {
		printf("skip %s: not on this machine\n", libraries[_i]);
		return;
	}
	ck_assert_uint_ne(elf_version(EV_CURRENT), EV_NONE);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	ck_assert_ptr_nonnull(elf);
	check_library(elf, &tally);
	elf_end(elf);
	printf("%s: %u functions, cheap for entry %u, for entry and return %u\n", libraries[_i],
	       tally.functions, tally.cheap[SITE_ENTRY], tally.cheap[SITE_ENTRY_AND_RETURN]);
	ck_assert_uint_gt(tally.functions, 100);
	ck_assert_uint_ge(tally.cheap[SITE_ENTRY], tally.cheap[SITE_ENTRY_AND_RETURN]);
	ck_assert_uint_gt(tally.cheap[SITE_ENTRY], tally.functions / 3);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { gives_up_far_from_the_entry, refuses_nonsense };
	TCase *tcase = suite_case("site", tests, ARRAY_SIZE(tests), 60, NULL, NULL);

	tcase_add_loop_test(tcase, chooses_the_site, 0, ARRAY_SIZE(samples));
	tcase_add_loop_test(tcase, keeps_its_promises_in_a_library, 0, ARRAY_SIZE(libraries));
	return suite_run_cases("site", &tcase, 1);
}
