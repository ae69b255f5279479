/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The opcode tables of elf/insn.c; nobody else includes this file.
 *
 * Sources: Intel SDM vol. 2, appendix A, tables; AMD64 APM
 * vol. 3, appendix A, for what only AMD has. Every row says which bytes follow
 * the opcode and which general registers it may write. Where the latter is not
 * known exactly, the table errs on the side of "writes": that costs a slower
 * probe, never a wrong argument.
 */
#ifndef KLOAK_ELF_INSN_TABLE_H
#define KLOAK_ELF_INSN_TABLE_H

#include "elf/insn.h"

/* Opcode attributes; 0: undefined in 64-bit mode. */
enum {
	PLAIN = 1 << 0, /* defined, no operand bytes */
	MODRM = 1 << 1,
	IMM8 = 1 << 2,
	IMM16 = 1 << 3,
	IMMZ = 1 << 4,	/* 4 bytes, or 2 if the operand size is 16 bits */
	IMMV = 1 << 5,	/* the same, or 8 if it is 64 bits */
	MOFFS = 1 << 6, /* an address: 8 bytes, or 4 with a 67 prefix */
	REL8 = 1 << 7,
	REL32 = 1 << 8,

	BYTE = 1 << 9,	  /* byte operands: without REX, 4 to 7 mean AH, CH, DH, BH */
	TO_REG = 1 << 10, /* writes the register in ModRM.reg */
	TO_RM = 1 << 11,  /* writes that in ModRM.rm, if it is a register */
	TO_OP = 1 << 12,  /* writes that in the opcode's low three bits */
	TO_AX = 1 << 13,
	TO_CX = 1 << 14,
	TO_DX = 1 << 15,
	TO_SI = 1 << 16,
	TO_DI = 1 << 17,
	TO_ALL = 1 << 18, /* may write any */

	RM_BYTE = MODRM | TO_RM | BYTE,
	RM = MODRM | TO_RM,
	REG_BYTE = MODRM | TO_REG | BYTE,
	REG = MODRM | TO_REG,
	STRING = PLAIN | TO_SI | TO_DI,
};

/* clang-format off */

/* Six opcodes each: op r/m,r - op r,r/m - op rax,imm. */
#define ARITHMETIC(base)                                                          \
	[base] = RM_BYTE, [(base) + 1] = RM, [(base) + 2] = REG_BYTE, [(base) + 3] = REG, \
	[(base) + 4] = IMM8 | TO_AX, [(base) + 5] = IMMZ | TO_AX

/* SDM vol. 2, table A-2. Prefixes and escapes are handled before the table is used. */
static const uint32_t one_byte[256] = {
	ARITHMETIC(0x00), /* add */
	ARITHMETIC(0x08), /* or */
	ARITHMETIC(0x10), /* adc */
	ARITHMETIC(0x18), /* sbb */
	ARITHMETIC(0x20), /* and */
	ARITHMETIC(0x28), /* sub */
	ARITHMETIC(0x30), /* xor */
	[0x38 ... 0x3b] = MODRM, /* cmp */
	[0x3c] = IMM8,
	[0x3d] = IMMZ,
	[0x50 ... 0x57] = PLAIN, /* push */
	[0x58 ... 0x5f] = PLAIN | TO_OP, /* pop */
	[0x63] = REG, /* movsxd */
	[0x68] = IMMZ, /* push imm */
	[0x69] = REG | IMMZ, /* imul */
	[0x6a] = IMM8,
	[0x6b] = REG | IMM8,
	[0x6c ... 0x6d] = PLAIN | TO_DI, /* ins */
	[0x6e ... 0x6f] = PLAIN | TO_SI, /* outs */
	[0x70 ... 0x7f] = REL8, /* jcc */
	[0x80] = RM_BYTE | IMM8,
	[0x81] = RM | IMMZ,
	[0x83] = RM | IMM8,
	[0x84 ... 0x85] = MODRM, /* test */
	[0x86] = RM_BYTE | TO_REG, /* xchg */
	[0x87] = RM | TO_REG,
	[0x88] = RM_BYTE, /* mov */
	[0x89] = RM,
	[0x8a] = REG_BYTE,
	[0x8b] = REG,
	[0x8c] = RM, /* mov r/m, segment */
	[0x8d] = REG, /* lea */
	[0x8e] = MODRM, /* mov segment, r/m */
	[0x8f] = RM, /* pop */
	[0x90 ... 0x97] = PLAIN | TO_OP | TO_AX, /* xchg; 90 without REX.B is nop */
	[0x98] = PLAIN | TO_AX, /* cdqe */
	[0x99] = PLAIN | TO_DX, /* cqo */
	[0x9b] = PLAIN, /* fwait */
	[0x9c ... 0x9e] = PLAIN, /* pushf popf sahf */
	[0x9f] = PLAIN | TO_AX, /* lahf */
	[0xa0 ... 0xa1] = MOFFS | TO_AX,
	[0xa2 ... 0xa3] = MOFFS,
	[0xa4 ... 0xa7] = STRING, /* movs cmps */
	[0xa8] = IMM8, /* test */
	[0xa9] = IMMZ,
	[0xaa ... 0xab] = PLAIN | TO_DI, /* stos */
	[0xac ... 0xad] = PLAIN | TO_SI | TO_AX, /* lods */
	[0xae ... 0xaf] = PLAIN | TO_DI, /* scas */
	[0xb0 ... 0xb7] = IMM8 | TO_OP | BYTE, /* mov r, imm */
	[0xb8 ... 0xbf] = IMMV | TO_OP,
	[0xc0] = RM_BYTE | IMM8, /* shifts */
	[0xc1] = RM | IMM8,
	[0xc2] = IMM16, /* ret */
	[0xc3] = PLAIN,
	[0xc6] = RM_BYTE | IMM8, /* mov r/m, imm; xabort */
	[0xc7] = RM | IMMZ, /* mov r/m, imm; xbegin */
	[0xc8] = IMM16 | IMM8, /* enter */
	[0xc9] = PLAIN, /* leave */
	[0xca] = IMM16, /* retf */
	[0xcb ... 0xcc] = PLAIN, /* retf, int3 */
	[0xcd] = IMM8, /* int */
	[0xcf] = PLAIN, /* iret */
	[0xd0] = RM_BYTE, /* shifts */
	[0xd1] = RM,
	[0xd2] = RM_BYTE,
	[0xd3] = RM,
	[0xd7] = PLAIN | TO_AX, /* xlat */
	[0xd8 ... 0xde] = MODRM, /* x87 */
	[0xdf] = MODRM | TO_AX, /* fnstsw ax */
	[0xe0 ... 0xe2] = REL8 | TO_CX, /* loop */
	[0xe3] = REL8, /* jrcxz */
	[0xe4 ... 0xe5] = IMM8 | TO_AX, /* in */
	[0xe6 ... 0xe7] = IMM8, /* out */
	[0xe8 ... 0xe9] = REL32, /* call, jmp */
	[0xeb] = REL8,
	[0xec ... 0xed] = PLAIN | TO_AX, /* in */
	[0xee ... 0xef] = PLAIN, /* out */
	[0xf1] = PLAIN, /* int1 */
	[0xf4 ... 0xf5] = PLAIN, /* hlt cmc */
	[0xf6] = RM_BYTE, /* group 3: test has an immediate, see exceptions[] */
	[0xf7] = RM,
	[0xf8 ... 0xfd] = PLAIN, /* flags */
	[0xfe] = RM_BYTE, /* inc dec */
	[0xff] = RM, /* inc dec call jmp push */
};

/* SDM vol. 2, table A-3; 0E, 0F (3DNow!), 78 and 79 (SSE4a) from the APM. */
static const uint32_t two_byte[256] = {
	[0x00] = RM, /* sldt str ... */
	[0x01] = RM | TO_ALL, /* sgdt smsw xgetbv rdtscp ... */
	[0x02 ... 0x03] = REG, /* lar lsl */
	[0x05] = PLAIN | TO_ALL, /* syscall */
	[0x06] = PLAIN,
	[0x07] = PLAIN | TO_ALL, /* sysret */
	[0x08 ... 0x09] = PLAIN,
	[0x0b] = PLAIN, /* ud2 */
	[0x0d] = MODRM, /* prefetchw */
	[0x0e] = PLAIN, /* femms */
	[0x0f] = MODRM | IMM8, /* 3DNow!: the immediate is the opcode */
	[0x10 ... 0x1d] = MODRM,
	[0x1e ... 0x1f] = MODRM, /* endbr64, nop */
	[0x20 ... 0x21] = RM, /* mov r, cr; mov r, dr */
	[0x22 ... 0x23] = MODRM,
	[0x28 ... 0x2b] = MODRM,
	[0x2c ... 0x2d] = REG, /* cvt(t)ss2si */
	[0x2e ... 0x2f] = MODRM,
	[0x30] = PLAIN, /* wrmsr */
	[0x31 ... 0x33] = PLAIN | TO_AX | TO_DX, /* rdtsc rdmsr rdpmc */
	[0x34 ... 0x35] = PLAIN | TO_ALL, /* sysenter sysexit */
	[0x37] = PLAIN | TO_ALL, /* getsec */
	[0x40 ... 0x4f] = REG, /* cmov */
	[0x50] = REG, /* movmskps */
	[0x51 ... 0x6f] = MODRM,
	[0x70 ... 0x73] = MODRM | IMM8, /* pshufd, vector shifts */
	[0x74 ... 0x76] = MODRM,
	[0x77] = PLAIN, /* emms, vzeroupper */
	[0x78 ... 0x79] = RM, /* vmread vmwrite */
	[0x7c ... 0x7d] = MODRM,
	[0x7e] = RM, /* movd */
	[0x7f] = MODRM,
	[0x80 ... 0x8f] = REL32, /* jcc */
	[0x90 ... 0x9f] = RM_BYTE, /* setcc */
	[0xa0 ... 0xa1] = PLAIN, /* push fs, pop fs */
	[0xa2] = PLAIN | TO_ALL, /* cpuid */
	[0xa3] = MODRM, /* bt */
	[0xa4] = RM | IMM8, /* shld */
	[0xa5] = RM,
	[0xa6 ... 0xa7] = MODRM | TO_ALL, /* VIA PadLock */
	[0xa8 ... 0xa9] = PLAIN, /* push gs, pop gs */
	[0xaa] = PLAIN | TO_ALL, /* rsm */
	[0xab] = RM, /* bts */
	[0xac] = RM | IMM8, /* shrd */
	[0xad] = RM,
	[0xae] = RM, /* fxsave ... rdfsbase */
	[0xaf] = REG, /* imul */
	[0xb0] = RM_BYTE | TO_AX, /* cmpxchg */
	[0xb1] = RM | TO_AX,
	[0xb2] = REG, /* lss */
	[0xb3] = RM, /* btr */
	[0xb4 ... 0xb7] = REG, /* lfs lgs movzx */
	[0xb8] = REG, /* popcnt */
	[0xb9] = MODRM, /* ud1 */
	[0xba] = RM | IMM8, /* bt.. */
	[0xbb] = RM, /* btc */
	[0xbc ... 0xbf] = REG, /* bsf bsr movsx */
	[0xc0] = RM_BYTE | TO_REG, /* xadd */
	[0xc1] = RM | TO_REG,
	[0xc2] = MODRM | IMM8, /* cmpps */
	[0xc3] = MODRM, /* movnti */
	[0xc4] = MODRM | IMM8, /* pinsrw */
	[0xc5] = REG | IMM8, /* pextrw */
	[0xc6] = MODRM | IMM8, /* shufps */
	[0xc7] = RM | TO_AX | TO_DX, /* cmpxchg16b rdrand */
	[0xc8 ... 0xcf] = PLAIN | TO_OP, /* bswap */
	[0xd0 ... 0xd6] = MODRM,
	[0xd7] = REG, /* pmovmskb */
	[0xd8 ... 0xff] = MODRM,
};

/* clang-format on */

#define ANY_REG	    0xff
#define EXT(number) (uint8_t)(1U << (number))
#define ANY_PREFIX  0

/*
 * Where ModRM.reg ("/n"), a prefix or the register form decides: the first row
 * that fits replaces the attributes of the table. Rows with attributes 0 make
 * the rest of a group undefined.
 */
struct exception {
	uint8_t map;
	uint8_t first, last; /* opcodes */
	uint8_t extensions;  /* values of ModRM.reg, a bit each */
	uint8_t prefixes;    /* any of these, or ANY_PREFIX */
	uint32_t attributes;
};

static const struct exception exceptions[] = {
	{ INSN_MAP_ONE_BYTE, 0x80, 0x80, EXT(7), ANY_PREFIX, MODRM | IMM8 }, /* cmp */
	{ INSN_MAP_ONE_BYTE, 0x81, 0x81, EXT(7), ANY_PREFIX, MODRM | IMMZ },
	{ INSN_MAP_ONE_BYTE, 0x83, 0x83, EXT(7), ANY_PREFIX, MODRM | IMM8 },
	{ INSN_MAP_ONE_BYTE, 0x8f, 0x8f, (uint8_t)~EXT(0), ANY_PREFIX, 0 },
	{ INSN_MAP_ONE_BYTE, 0xf6, 0xf6, EXT(0) | EXT(1), ANY_PREFIX, MODRM | IMM8 }, /* test */
	{ INSN_MAP_ONE_BYTE, 0xf7, 0xf7, EXT(0) | EXT(1), ANY_PREFIX, MODRM | IMMZ },
	{ INSN_MAP_ONE_BYTE, 0xf6, 0xf7, EXT(4) | EXT(5) | EXT(6) | EXT(7), ANY_PREFIX,
	  MODRM | TO_AX | TO_DX }, /* mul div */
	{ INSN_MAP_ONE_BYTE, 0xfe, 0xfe, (uint8_t) ~(EXT(0) | EXT(1)), ANY_PREFIX, 0 },
	{ INSN_MAP_ONE_BYTE, 0xff, 0xff, EXT(2) | EXT(3) | EXT(4) | EXT(5) | EXT(6), ANY_PREFIX,
	  MODRM },
	{ INSN_MAP_ONE_BYTE, 0xff, 0xff, EXT(7), ANY_PREFIX, 0 },
	{ INSN_MAP_0F, 0x1e, 0x1e, EXT(1), INSN_PREFIX_F3, RM }, /* rdsspq */
	{ INSN_MAP_0F, 0x78, 0x78, ANY_REG, INSN_PREFIX_66 | INSN_PREFIX_F2,
	  MODRM | IMM16 }, /* extrq, insertq: two bytes */
	{ INSN_MAP_0F, 0x79, 0x79, ANY_REG, INSN_PREFIX_66 | INSN_PREFIX_F2, MODRM },
	{ INSN_MAP_0F, 0xb8, 0xb8, ANY_REG, INSN_PREFIX_F3, REG }, /* popcnt */
	{ INSN_MAP_0F, 0xb8, 0xb8, ANY_REG, ANY_PREFIX, 0 },
	{ INSN_MAP_0F, 0xba, 0xba, EXT(4), ANY_PREFIX, MODRM | IMM8 }, /* bt */
	{ INSN_MAP_0F, 0xba, 0xba, EXT(0) | EXT(1) | EXT(2) | EXT(3), ANY_PREFIX, 0 },
};

/* What has a meaning for control flow or the stack. SDM vol. 2, chapters 3 to 6. */
struct kind_rule {
	uint8_t map;
	uint8_t first, last;
	uint8_t extensions;
	uint8_t kind;
	int8_t stack; /* added to RSP */
};

static const struct kind_rule kind_rules[] = {
	{ INSN_MAP_ONE_BYTE, 0x50, 0x57, ANY_REG, INSN_PUSH, -8 },
	{ INSN_MAP_ONE_BYTE, 0x58, 0x5f, ANY_REG, INSN_POP, 8 },
	{ INSN_MAP_ONE_BYTE, 0x68, 0x68, ANY_REG, INSN_PUSH, -8 },
	{ INSN_MAP_ONE_BYTE, 0x6a, 0x6a, ANY_REG, INSN_PUSH, -8 },
	{ INSN_MAP_ONE_BYTE, 0x70, 0x7f, ANY_REG, INSN_JCC, 0 },
	{ INSN_MAP_ONE_BYTE, 0x8f, 0x8f, ANY_REG, INSN_POP, 8 },
	{ INSN_MAP_ONE_BYTE, 0x9c, 0x9c, ANY_REG, INSN_PUSH, -8 },
	{ INSN_MAP_ONE_BYTE, 0x9d, 0x9d, ANY_REG, INSN_POP, 8 },
	{ INSN_MAP_ONE_BYTE, 0xc2, 0xc3, ANY_REG, INSN_RET, 0 },
	{ INSN_MAP_ONE_BYTE, 0xca, 0xcb, ANY_REG, INSN_RET, 0 },
	{ INSN_MAP_ONE_BYTE, 0xcc, 0xcd, ANY_REG, INSN_SYSTEM, 0 },
	{ INSN_MAP_ONE_BYTE, 0xcf, 0xcf, ANY_REG, INSN_RET, 0 },
	{ INSN_MAP_ONE_BYTE, 0xe0, 0xe3, ANY_REG, INSN_BRANCH, 0 },
	{ INSN_MAP_ONE_BYTE, 0xe8, 0xe8, ANY_REG, INSN_CALL, 0 },
	{ INSN_MAP_ONE_BYTE, 0xe9, 0xe9, ANY_REG, INSN_JMP, 0 },
	{ INSN_MAP_ONE_BYTE, 0xeb, 0xeb, ANY_REG, INSN_JMP, 0 },
	{ INSN_MAP_ONE_BYTE, 0xc7, 0xc7, EXT(7), INSN_BRANCH, 0 }, /* xbegin */
	{ INSN_MAP_ONE_BYTE, 0xf1, 0xf1, ANY_REG, INSN_SYSTEM, 0 },
	{ INSN_MAP_ONE_BYTE, 0xf4, 0xf4, ANY_REG, INSN_SYSTEM, 0 },
	{ INSN_MAP_ONE_BYTE, 0xff, 0xff, EXT(2) | EXT(3), INSN_CALL_INDIRECT, 0 },
	{ INSN_MAP_ONE_BYTE, 0xff, 0xff, EXT(4) | EXT(5), INSN_JMP_INDIRECT, 0 },
	{ INSN_MAP_ONE_BYTE, 0xff, 0xff, EXT(6), INSN_PUSH, -8 },
	{ INSN_MAP_0F, 0x05, 0x05, ANY_REG, INSN_SYSTEM, 0 },
	{ INSN_MAP_0F, 0x07, 0x07, ANY_REG, INSN_SYSTEM, 0 },
	{ INSN_MAP_0F, 0x0b, 0x0b, ANY_REG, INSN_SYSTEM, 0 },
	{ INSN_MAP_0F, 0x1f, 0x1f, EXT(0), INSN_NOP_LONG, 0 },
	{ INSN_MAP_0F, 0x34, 0x35, ANY_REG, INSN_SYSTEM, 0 },
	{ INSN_MAP_0F, 0x80, 0x8f, ANY_REG, INSN_JCC, 0 },
	{ INSN_MAP_0F, 0xa0, 0xa0, ANY_REG, INSN_PUSH, -8 },
	{ INSN_MAP_0F, 0xa1, 0xa1, ANY_REG, INSN_POP, 8 },
	{ INSN_MAP_0F, 0xa8, 0xa8, ANY_REG, INSN_PUSH, -8 },
	{ INSN_MAP_0F, 0xa9, 0xa9, ANY_REG, INSN_POP, 8 },
	{ INSN_MAP_0F, 0xaa, 0xaa, ANY_REG, INSN_SYSTEM, 0 },
	{ INSN_MAP_0F, 0xb9, 0xb9, ANY_REG, INSN_SYSTEM, 0 },
	{ INSN_MAP_0F, 0xff, 0xff, ANY_REG, INSN_SYSTEM, 0 },
};

#endif
