// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86-64 instruction decoder.
 *
 * An instruction is (Intel SDM vol. 2, chapter 2)
 *
 *	[prefixes] [REX] opcode [ModRM [SIB] [displacement]] [immediate]
 *
 * with the opcode in one of several maps: one byte, 0F, 0F 38, 0F 3A, or in a
 * map that a VEX (C4, C5), EVEX (62) or XOP (8F, AMD) prefix selects. Whether
 * there is a ModRM byte and how long the immediate is depends on map and
 * opcode alone but for a handful of cases, so two tables (SDM vol. 2, appendix
 * A, tables; AMD64 APM vol. 3, appendix A) and a list of exceptions
 * are all there is. The tables also say which general register an opcode may
 * write. Where that is not exactly known it errs towards "writes": the cost is
 * a slower probe, never a wrong argument.
 */
#include <errno.h>

#include "elf/insn.h"
#include "user/lib/cleanup.h"

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

	BYTE = 1 << 9,	 /* byte operands: without REX, 4 to 7 mean AH, CH, DH, BH */
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

/* Six opcodes each: op r/m,r - op r,r/m - op rax,imm. */
#define ARITHMETIC(base)                                                          \
	[base] = RM_BYTE, [(base) + 1] = RM, [(base) + 2] = REG_BYTE, [(base) + 3] = REG, \
	[(base) + 4] = IMM8 | TO_AX, [(base) + 5] = IMMZ | TO_AX

/* SDM vol. 2, table A-2. Prefixes and escapes are dealt with before it is asked. */
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

#define ANY_REG	     0xff
#define EXT(number)  (uint8_t)(1U << (number))
#define ANY_PREFIX   0

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
	{ INSN_MAP_ONE_BYTE, 0xfe, 0xfe, (uint8_t)~(EXT(0) | EXT(1)), ANY_PREFIX, 0 },
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

/* The bytes of one instruction. All reads go through cursor_take. */
struct cursor {
	const uint8_t *code;
	size_t size;
	uint8_t at;
};

static int cursor_peek(const struct cursor *in, uint8_t *byte)
{
	if (in->at >= INSN_SIZE_MAX)
		return -EINVAL;
	if (in->at >= in->size)
		return -ENODATA;
	*byte = in->code[in->at];
	return 0;
}

/* Reads a little-endian, sign-extended number of @bytes (0 to 8) bytes; @value may be NULL. */
static int cursor_take(struct cursor *in, unsigned int bytes, int64_t *value)
{
	uint64_t number = 0;

	for (unsigned int i = 0; i < bytes; i++) {
		uint8_t byte = 0;
		int ret = cursor_peek(in, &byte);

		if (ret)
			return ret;
		number |= (uint64_t)byte << (8 * i);
		in->at++;
	}
	if (value && bytes && bytes < 8 && (number >> (8 * bytes - 1)) & 1)
		number |= ~UINT64_C(0) << (8 * bytes);
	if (value)
		*value = (int64_t)number;
	return 0;
}

static int cursor_byte(struct cursor *in, uint8_t *byte)
{
	int ret = cursor_peek(in, byte);

	if (!ret)
		in->at++;
	return ret;
}

static uint8_t prefix_of(uint8_t byte)
{
	static const uint8_t prefixes[256] = {
		[0x26] = INSN_PREFIX_SEGMENT, [0x2e] = INSN_PREFIX_SEGMENT,
		[0x36] = INSN_PREFIX_SEGMENT, [0x3e] = INSN_PREFIX_SEGMENT,
		[0x64] = INSN_PREFIX_FSGS,    [0x65] = INSN_PREFIX_FSGS,
		[0x66] = INSN_PREFIX_66,      [0x67] = INSN_PREFIX_67,
		[0xf0] = INSN_PREFIX_LOCK,    [0xf2] = INSN_PREFIX_F2,
		[0xf3] = INSN_PREFIX_F3,
	};

	return prefixes[byte];
}

/* A REX byte counts only if the opcode follows it at once (SDM vol. 2, 2.2.1). */
static int decode_prefixes(struct cursor *in, struct insn *insn)
{
	for (;;) {
		uint8_t byte = 0;
		int ret = cursor_peek(in, &byte);

		if (ret)
			return ret;
		if ((byte & 0xf0) == 0x40) {
			insn->rex = byte;
		} else if (prefix_of(byte)) {
			insn->prefixes |= prefix_of(byte);
			insn->rex = 0;
		} else {
			return 0;
		}
		in->at++;
	}
}

/* R, X, B are stored inverted in these prefixes; @rxb has them in bits 7 to 5. */
static void set_rex(struct insn *insn, uint8_t rxb, uint8_t w_vvvv)
{
	insn->rex = (uint8_t)(0x40 | (w_vvvv >> 7) << 3 | (~rxb & 0xe0) >> 5);
	insn->vvvv = (uint8_t)(~(w_vvvv >> 3) & 15);
}

/*
 * VEX (SDM vol. 2, 2.3.5), EVEX (2.7.1) and XOP (APM vol. 6) after their first
 * byte: reads the payload and sets the map. The prefixes that they replace are
 * not allowed before them.
 */
static int decode_vector(struct cursor *in, struct insn *insn, uint8_t first)
{
	const uint8_t forbidden = INSN_PREFIX_66 | INSN_PREFIX_F2 | INSN_PREFIX_F3 | INSN_PREFIX_LOCK;
	unsigned int count = first == 0xc5 ? 1 : first == 0x62 ? 3 : 2;
	uint8_t payload[3] = { 0 };
	unsigned int map;

	if (insn->rex || (insn->prefixes & forbidden))
		return -EINVAL;
	for (unsigned int i = 0; i < count; i++) {
		int ret = cursor_byte(in, &payload[i]);

		if (ret)
			return ret;
	}
	if (first == 0xc5) { /* R vvvv L pp; W, X, B and the map are implied */
		set_rex(insn, payload[0] | 0x60, payload[0] & 0x7f);
		insn->map = INSN_MAP_VEX + 1;
		return 0;
	}
	set_rex(insn, payload[0], payload[1]);
	if (first == 0x62) {
		map = payload[0] & 7;
		if ((payload[0] & 8) || !(payload[1] & 4) || map == 0 || map == 4 || map == 7)
			return -EINVAL;
		insn->map = (uint8_t)(INSN_MAP_EVEX + map);
		return 0;
	}
	map = payload[0] & 0x1f;
	if (first == 0xc4 ? map < 1 || map > 3 : map < 8 || map > 10)
		return -EINVAL;
	insn->map = (uint8_t)((first == 0xc4 ? INSN_MAP_VEX : INSN_MAP_XOP) + map);
	return 0;
}

/* 8F is POP if its ModRM.reg is 0; XOP uses the encodings with a map of 8 or more. */
static bool is_xop(const struct cursor *in)
{
	uint8_t next = 0;

	return !cursor_peek(in, &next) && (next & 0x1f) >= 8;
}

static int decode_opcode(struct cursor *in, struct insn *insn)
{
	uint8_t byte = 0;
	int ret = cursor_byte(in, &byte);

	if (ret)
		return ret;
	if (byte == 0xc4 || byte == 0xc5 || byte == 0x62 || (byte == 0x8f && is_xop(in))) {
		ret = decode_vector(in, insn, byte);
		if (ret)
			return ret;
		return cursor_byte(in, &insn->opcode);
	}
	insn->opcode = byte;
	if (byte != 0x0f)
		return 0;
	insn->map = INSN_MAP_0F;
	ret = cursor_byte(in, &insn->opcode);
	if (ret || (insn->opcode != 0x38 && insn->opcode != 0x3a))
		return ret;
	insn->map = insn->opcode == 0x38 ? INSN_MAP_0F38 : INSN_MAP_0F3A;
	return cursor_byte(in, &insn->opcode);
}

/* In the three-byte maps few opcodes write general registers. */
static uint32_t three_byte_writes(uint8_t map, uint8_t opcode)
{
	if ((map & 15) == 2) /* crc32 movbe adcx; andn bzhi mulx shlx cmpccxadd */
		return opcode >= 0xe0 ? TO_REG | TO_RM : 0;
	if ((opcode & 0xfc) == 0x14) /* pextr extractps */
		return TO_RM;
	if ((opcode & 0xfc) == 0x60) /* pcmpestri pcmpistri */
		return TO_CX;
	return opcode == 0xf0 ? TO_REG : 0; /* rorx */
}

/*
 * The vector maps have the shape of the legacy maps after which they are
 * numbered. Where a legacy opcode writes a general register its vector
 * namesake may write one too, but not always by the same field.
 */
static uint32_t vector_attributes(const struct insn *insn)
{
	const uint32_t shape = PLAIN | MODRM | IMM8;
	uint8_t opcode = insn->opcode;
	uint32_t attributes;

	switch (insn->map) {
	case INSN_MAP_VEX + 2:
	case INSN_MAP_EVEX + 2:
		return MODRM | three_byte_writes(insn->map, opcode);
	case INSN_MAP_VEX + 3:
	case INSN_MAP_EVEX + 3:
		return MODRM | IMM8 | three_byte_writes(insn->map, opcode);
	case INSN_MAP_XOP + 8:
		return MODRM | IMM8;
	case INSN_MAP_XOP + 9:
		return MODRM | TO_REG | TO_RM;
	case INSN_MAP_XOP + 10: /* bextr, lwpins: imm32 whatever the operand size */
		return MODRM | IMMZ | TO_REG | TO_RM;
	}
	/* Maps 1, 5 and 6; in the latter (AVX512-FP16) nothing has an immediate. */
	attributes = two_byte[opcode];
	if ((attributes & (REL32 | PLAIN)) || !attributes)
		attributes = opcode == 0x77 && insn->map == INSN_MAP_VEX + 1 ? PLAIN : MODRM;
	if (attributes & ~shape)
		attributes |= TO_REG | TO_RM;
	attributes &= shape | TO_REG | TO_RM;
	return (insn->map & 15) == 1 ? attributes : attributes & ~(uint32_t)IMM8;
}

static uint32_t table_attributes(const struct insn *insn)
{
	switch (insn->map) {
	case INSN_MAP_ONE_BYTE:
		return one_byte[insn->opcode];
	case INSN_MAP_0F:
		return two_byte[insn->opcode];
	case INSN_MAP_0F38:
		return MODRM | three_byte_writes(insn->map, insn->opcode);
	case INSN_MAP_0F3A:
		return MODRM | IMM8 | three_byte_writes(insn->map, insn->opcode);
	default:
		return vector_attributes(insn);
	}
}

static bool covers(const struct insn *insn, uint8_t map, uint8_t first, uint8_t last, uint8_t ext)
{
	if (insn->map != map || insn->opcode < first || insn->opcode > last)
		return false;
	return ext == ANY_REG || (insn->has_modrm && (ext >> ((insn->modrm >> 3) & 7) & 1));
}

static uint32_t refine_attributes(const struct insn *insn, uint32_t attributes)
{
	for (size_t i = 0; i < ARRAY_SIZE(exceptions); i++) {
		const struct exception *row = &exceptions[i];

		if (covers(insn, row->map, row->first, row->last, row->extensions) &&
		    (row->prefixes == ANY_PREFIX || (row->prefixes & insn->prefixes)))
			return row->attributes;
	}
	return attributes;
}

static uint8_t modrm_mod(const struct insn *insn)
{
	return insn->modrm >> 6;
}

/* Control and debug registers (0F 20 to 23): the mod field is ignored, always a register. */
static bool is_register_form(const struct insn *insn)
{
	return modrm_mod(insn) == 3 ||
	       (insn->map == INSN_MAP_0F && insn->opcode >= 0x20 && insn->opcode <= 0x23);
}

/*
 * SIB and displacement (SDM vol. 2, tables 2-2 and 2-3). "lea disp(%rsp),%rsp"
 * is worth knowing: @sib and @displacement are for that.
 */
static int decode_address(struct cursor *in, const struct insn *insn, uint8_t *sib,
			  int64_t *displacement)
{
	uint8_t mod = modrm_mod(insn), base = insn->modrm & 7;
	unsigned int bytes = mod == 1 ? 1 : mod == 2 ? 4 : 0;
	int ret;

	if (is_register_form(insn))
		return 0;
	if (base == 4) {
		ret = cursor_byte(in, sib);
		if (ret)
			return ret;
		base = *sib & 7;
	}
	if (mod == 0 && base == 5) /* RIP-relative, or no base */
		bytes = 4;
	return cursor_take(in, bytes, displacement);
}

static bool is_wide(const struct insn *insn)
{
	return (insn->rex & 8) != 0;
}

static int decode_immediate(struct cursor *in, const struct insn *insn, uint32_t attributes,
			    int64_t *immediate)
{
	bool narrow = (insn->prefixes & INSN_PREFIX_66) && !is_wide(insn);
	unsigned int bytes = 0;

	if ((attributes & REL32) && narrow)
		return -EINVAL;
	if (attributes & (IMM8 | REL8))
		bytes += 1;
	if (attributes & IMM16)
		bytes += 2;
	if (attributes & REL32)
		bytes += 4;
	if (attributes & (IMMZ | IMMV))
		bytes += narrow ? 2 : 4;
	if ((attributes & IMMV) && is_wide(insn))
		bytes += 4;
	if (attributes & MOFFS)
		bytes += insn->prefixes & INSN_PREFIX_67 ? 4 : 8;
	return cursor_take(in, bytes, immediate);
}

static uint16_t register_bit(const struct insn *insn, uint32_t attributes, uint8_t low,
			     uint8_t rex_bit)
{
	if ((attributes & BYTE) && !insn->rex)
		return INSN_REGISTER(low & 3);
	return INSN_REGISTER(low | (insn->rex & rex_bit ? 8 : 0));
}

static uint16_t registers_written(const struct insn *insn, uint32_t attributes)
{
	static const struct {
		uint32_t attribute;
		uint16_t registers;
	} fixed[] = {
		{ TO_AX, INSN_REGISTER(INSN_RAX) }, { TO_CX, INSN_REGISTER(INSN_RCX) },
		{ TO_DX, INSN_REGISTER(INSN_RDX) }, { TO_SI, INSN_REGISTER(INSN_RSI) },
		{ TO_DI, INSN_REGISTER(INSN_RDI) }, { TO_ALL, INSN_REGISTERS_ALL },
	};
	const uint8_t repeat = INSN_PREFIX_F2 | INSN_PREFIX_F3;
	uint16_t writes = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (attributes & fixed[i].attribute)
			writes |= fixed[i].registers;
	if (attributes & TO_REG)
		writes |= register_bit(insn, attributes, (insn->modrm >> 3) & 7, 4);
	if ((attributes & TO_RM) && is_register_form(insn))
		writes |= register_bit(insn, attributes, insn->modrm & 7, 1);
	if (attributes & TO_OP)
		writes |= register_bit(insn, attributes, insn->opcode & 7, 1);
	if ((attributes & (TO_SI | TO_DI)) && (insn->prefixes & repeat))
		writes |= INSN_REGISTER(INSN_RCX);
	if (insn->map >= INSN_MAP_VEX && (attributes & (TO_REG | TO_RM)))
		writes |= INSN_REGISTER(insn->vvvv);
	return writes;
}

static void set_kind(struct insn *insn)
{
	for (size_t i = 0; i < ARRAY_SIZE(kind_rules); i++) {
		const struct kind_rule *rule = &kind_rules[i];

		if (!covers(insn, rule->map, rule->first, rule->last, rule->extensions))
			continue;
		insn->kind = rule->kind;
		insn->stack = rule->stack;
		break;
	}
	if (insn->stack && (insn->prefixes & INSN_PREFIX_66)) { /* two bytes, not eight */
		insn->stack = 0;
		insn->writes |= INSN_REGISTER(INSN_RSP);
	}
	if (insn->map == INSN_MAP_ONE_BYTE && insn->opcode == 0x90 && !(insn->rex & 1)) {
		insn->kind = INSN_NOP;
		insn->writes = 0;
	}
}

/* add $n,%rsp - sub $n,%rsp - lea n(%rsp),%rsp: RSP moves by a known amount. */
static void set_stack(struct insn *insn, uint8_t sib, int64_t displacement, int64_t immediate)
{
	const uint16_t rsp = INSN_REGISTER(INSN_RSP);
	uint8_t reg = (insn->modrm >> 3) & 7;
	bool plain = is_wide(insn) && !(insn->prefixes & INSN_PREFIX_67);

	if (insn->map != INSN_MAP_ONE_BYTE)
		return;
	if (insn->opcode == 0xc8 || insn->opcode == 0xc9) /* enter, leave */
		insn->writes |= rsp | INSN_REGISTER(INSN_RBP);
	if (!plain || insn->writes != rsp)
		return;
	if ((insn->opcode == 0x81 || insn->opcode == 0x83) && (reg == 0 || reg == 5))
		insn->stack = (int32_t)(reg == 5 ? -immediate : immediate);
	else if (insn->opcode == 0x8d && (insn->modrm & 7) == 4 && (sib & 0x3f) == 0x24 &&
		 !(insn->rex & 3))
		insn->stack = (int32_t)displacement;
	else
		return;
	insn->writes = 0;
}

static bool is_undefined(const struct insn *insn, uint32_t attributes)
{
	bool one_byte_map = insn->map == INSN_MAP_ONE_BYTE;

	if (!attributes)
		return true;
	/* mov has /0; C6 F8 is xabort, C7 F8 xbegin */
	if (one_byte_map && (insn->opcode & 0xfe) == 0xc6 && (insn->modrm & 0x38) &&
	    insn->modrm != 0xf8)
		return true;
	return one_byte_map && insn->opcode == 0x8d && modrm_mod(insn) == 3;
}

int insn_decode(const uint8_t *code, size_t size, struct insn *out)
{
	struct cursor in = { .code = code, .size = size };
	struct insn insn = { 0 };
	int64_t displacement = 0, immediate = 0;
	uint32_t attributes;
	uint8_t sib = 0;
	int ret;

	ret = decode_prefixes(&in, &insn);
	if (!ret)
		ret = decode_opcode(&in, &insn);
	if (ret)
		return ret;
	attributes = table_attributes(&insn);
	if (attributes & MODRM) {
		ret = cursor_byte(&in, &insn.modrm);
		if (ret)
			return ret;
		insn.has_modrm = true;
	}
	attributes = refine_attributes(&insn, attributes);
	if (is_undefined(&insn, attributes))
		return -EINVAL;
	if (insn.has_modrm)
		ret = decode_address(&in, &insn, &sib, &displacement);
	if (!ret)
		ret = decode_immediate(&in, &insn, attributes, &immediate);
	if (ret)
		return ret;
	insn.length = in.at;
	insn.writes = registers_written(&insn, attributes);
	set_kind(&insn);
	set_stack(&insn, sib, displacement, immediate);
	if (insn_is_relative(&insn))
		insn.relative = (int32_t)immediate;
	*out = insn;
	return insn.length;
}

const char *insn_kind_name(enum insn_kind kind)
{
	static const char *const names[] = {
		[INSN_OTHER] = "other",
		[INSN_PUSH] = "push",
		[INSN_POP] = "pop",
		[INSN_NOP] = "nop",
		[INSN_NOP_LONG] = "long nop",
		[INSN_JCC] = "jcc",
		[INSN_BRANCH] = "loop",
		[INSN_JMP] = "jmp",
		[INSN_CALL] = "call",
		[INSN_JMP_INDIRECT] = "indirect jmp",
		[INSN_CALL_INDIRECT] = "indirect call",
		[INSN_RET] = "ret",
		[INSN_SYSTEM] = "system",
	};

	return (size_t)kind < ARRAY_SIZE(names) ? names[kind] : "other";
}
