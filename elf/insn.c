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
 * opcode alone, except for a handful of cases: elf/insn_table.h has all that.
 * What remains to be done here is to walk the bytes.
 */
#include <errno.h>

#include "elf/insn.h"
#include "elf/insn_table.h"
#include "lib/cleanup.h"

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
	const uint8_t forbidden = INSN_PREFIX_66 | INSN_PREFIX_F2 | INSN_PREFIX_F3 |
				  INSN_PREFIX_LOCK;
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

	if (is_register_form(insn))
		return 0;
	if (base == 4) {
		int ret = cursor_byte(in, sib);

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
		bytes += (insn->prefixes & INSN_PREFIX_67) ? 4 : 8;
	return cursor_take(in, bytes, immediate);
}

static uint16_t register_bit(const struct insn *insn, uint32_t attributes, uint8_t low,
			     uint8_t rex_bit)
{
	if ((attributes & BYTE) && !insn->rex)
		return INSN_REGISTER(low & 3);
	return INSN_REGISTER(low | ((insn->rex & rex_bit) ? 8 : 0));
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
