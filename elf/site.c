// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choosing a probe site.
 *
 * What the kernel emulates (arch/x86/kernel/uprobes.c, branch_setup_xol_ops
 * and push_setup_xol_ops, read in 6.1 to 7.x):
 *  - jmp and jcc with rel8 or rel32, call rel32, and nop (90), with any prefix
 *    except those that it refuses to probe at all: LOCK, ES, CS, SS, DS, and 66
 *    (on a nop: refused until 6.2);
 *  - push of a register as 50+r or 41 50+r, with no other prefix (since 4.16);
 *  - the long nops of x86_nops[], byte for byte (since 6.16; all others later).
 * endbr64, loop, jrcxz, ret, indirect branches and push of anything else are
 * single-stepped. 6.18 turns the five-byte nop into a call, which is faster
 * still, but writes below RSP: a leaf function may keep data there (red zone),
 * and 7.x uses another nop for that reason. So a long nop is second choice.
 *
 * The handler runs before the probed instruction, so a call or a branch may
 * itself be the site; nothing after it may.
 */
#include <errno.h>
#include <string.h>

#include "elf/site.h"
#include "lib/cleanup.h"

#define WINDOW_BYTES	    64
#define WINDOW_INSTRUCTIONS 16
#define SCAN_BYTES	    65536

#define ARGUMENTS                                                                      \
	(INSN_REGISTER(INSN_RDI) | INSN_REGISTER(INSN_RSI) | INSN_REGISTER(INSN_RDX) | \
	 INSN_REGISTER(INSN_RCX) | INSN_REGISTER(INSN_R8) | INSN_REGISTER(INSN_R9))
#define GO_ARGUMENTS                                                                   \
	(INSN_REGISTER(INSN_RAX) | INSN_REGISTER(INSN_RBX) | INSN_REGISTER(INSN_RCX) | \
	 INSN_REGISTER(INSN_RDI) | INSN_REGISTER(INSN_RSI) | INSN_REGISTER(INSN_R8) |  \
	 INSN_REGISTER(INSN_R9) | INSN_REGISTER(INSN_R10) | INSN_REGISTER(INSN_R11))

#define JBE_SHORT 0x76
#define JBE_NEAR  0x86 /* after 0f */

/* What has to be at the site as it was at entry. */
static const struct need {
	uint16_t registers;
	bool stack;
	bool go;
} needs[] = {
	[SITE_ENTRY] = { .registers = ARGUMENTS },
	[SITE_ENTRY_AND_RETURN] = { .registers = ARGUMENTS, .stack = true },
	[SITE_GO] = { .registers = GO_ARGUMENTS, .go = true },
	[SITE_GO_STACK] = { .stack = true, .go = true },
};

static bool is_emulated_push(const struct insn *insn)
{
	if (insn->map != INSN_MAP_ONE_BYTE || (insn->opcode & 0xf8) != 0x50)
		return false;
	return insn->length == 1 || (insn->length == 2 && insn->rex == 0x41);
}

/* x86_nops[3] to [9] of the kernel (arch/x86/include/asm/nops.h); shorter ones are no long nops. */
static bool is_kernel_nop(const uint8_t *code, uint8_t length)
{
	static const uint8_t nops[][9] = {
		[3] = { 0x0f, 0x1f, 0x00 },	  [4] = { 0x0f, 0x1f, 0x40 },
		[5] = { 0x0f, 0x1f, 0x44 },	  [6] = { 0x66, 0x0f, 0x1f, 0x44 },
		[7] = { 0x0f, 0x1f, 0x80 },	  [8] = { 0x0f, 0x1f, 0x84 },
		[9] = { 0x66, 0x0f, 0x1f, 0x84 },
	};

	return length < ARRAY_SIZE(nops) && memcmp(code, nops[length], length) == 0;
}

static enum site_cost cost_of(const uint8_t *code, const struct insn *insn)
{
	const uint8_t refused = INSN_PREFIX_66 | INSN_PREFIX_LOCK | INSN_PREFIX_SEGMENT;

	switch (insn->kind) {
	case INSN_PUSH:
		return is_emulated_push(insn) ? SITE_EMULATED : SITE_SINGLE_STEP;
	case INSN_JCC:
	case INSN_JMP:
	case INSN_CALL:
	case INSN_NOP:
		return (insn->prefixes & refused) ? SITE_SINGLE_STEP : SITE_EMULATED;
	case INSN_NOP_LONG:
		return is_kernel_nop(code, insn->length) ? SITE_NOP : SITE_SINGLE_STEP;
	default:
		return SITE_SINGLE_STEP;
	}
}

/*
 * The lowest offset above 0 that a branch of the function jumps to: from there
 * on an instruction may run more than once a call. (A jump to the entry itself
 * is a call in disguise.) Bytes that do not decode, a jump table in the code
 * for example, are skipped one at a time: x86 code is soon in step again. Not
 * seen are indirect branches and those from another symbol (foo.cold); neither
 * goes back to a place before the function's first branch in practice.
 */
static size_t lowest_target(const uint8_t *code, size_t size)
{
	int64_t lowest = (int64_t)size;
	struct insn insn;

	for (size_t at = 0; at < size;) {
		int length = insn_decode(code + at, size - at, &insn);

		if (length < 0) {
			at++;
			continue;
		}
		at += (size_t)length;
		if (insn_is_relative(&insn)) {
			int64_t target = (int64_t)at + insn.relative;

			if (target > 0 && target < lowest)
				lowest = target;
		}
	}
	return (size_t)lowest;
}

struct walk {
	const uint8_t *code;
	size_t size; /* bytes that may be read */
	size_t end;  /* sites lie below */
	const struct need *need;
	size_t at;
	int64_t moved; /* bytes that RSP is below its value at entry */
};

static void walk_record(const struct walk *walk, const struct insn *insn, enum site_cost cost,
			struct site *out)
{
	out->offset = (uint32_t)walk->at;
	out->stack_moved = (uint32_t)walk->moved;
	out->cost = cost;
	out->kind = insn->kind;
}

static bool is_jbe(const struct insn *insn)
{
	return insn->kind == INSN_JCC &&
	       insn->opcode == (insn->map == INSN_MAP_ONE_BYTE ? JBE_SHORT : JBE_NEAR);
}

static bool is_wanted(const struct walk *walk, const struct insn *insn)
{
	return !walk->need->go || insn->kind != INSN_JCC || is_jbe(insn);
}

/* Looks at one instruction; true if the walk may go on after it. */
static bool walk_step(struct walk *walk, struct site *best)
{
	const uint8_t *code = walk->code + walk->at;
	enum site_cost cost;
	struct insn insn;

	if (insn_decode(code, walk->size - walk->at, &insn) < 0)
		return false;
	cost = cost_of(code, &insn);
	if (walk->at == 0 ||
	    (cost < best->cost && !(walk->need->stack && walk->moved) && is_wanted(walk, &insn)))
		walk_record(walk, &insn, cost, best);
	if (insn_is_transfer(&insn) ||
	    (insn.writes & (walk->need->registers | INSN_REGISTER(INSN_RSP))))
		return false;
	walk->at += insn.length;
	walk->moved -= insn.stack;
	return walk->moved >= 0 && walk->moved <= UINT32_MAX;
}

int site_choose(const uint8_t *code, size_t size, uint64_t address, enum site_use use,
		struct site *out)
{
	struct walk walk = { .code = code, .size = size };
	struct site best = { .cost = SITE_SINGLE_STEP, .kind = INSN_OTHER };
	struct insn entry;

	if (size == 0 || (size_t)use >= ARRAY_SIZE(needs))
		return -EINVAL;
	if (insn_decode(code, size, &entry) < 0)
		return -EILSEQ;
	walk.need = &needs[use];
	if (walk.size > SCAN_BYTES)
		walk.size = SCAN_BYTES;
	walk.end = lowest_target(code, walk.size);
	if (walk.end > WINDOW_BYTES)
		walk.end = WINDOW_BYTES;
	for (int i = 0; i < WINDOW_INSTRUCTIONS && best.cost != SITE_EMULATED; i++)
		if (walk.at >= walk.end || !walk_step(&walk, &best))
			break;
	best.address = address + best.offset;
	*out = best;
	return 0;
}

const char *site_cost_name(enum site_cost cost)
{
	static const char *const names[] = {
		[SITE_EMULATED] = "emulated",
		[SITE_NOP] = "long nop",
		[SITE_SINGLE_STEP] = "single-stepped",
	};

	return (size_t)cost < ARRAY_SIZE(names) ? names[cost] : "unknown";
}
