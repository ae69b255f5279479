// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the instruction decoder and the probe-site chooser on any
 * bytes. Beyond memory errors it looks for broken promises: a length out of
 * range, a length that depends on bytes after the instruction, a site outside
 * the function or not at the start of an instruction.
 */
#include <stdlib.h>
#include <string.h>

#include "elf/insn.c"
#include "elf/site.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void check_decoder(const uint8_t *data, size_t size)
{
	struct insn whole, exact;
	int length = insn_decode(data, size, &whole);

	if (length < 0) {
		REQUIRE(length == -EINVAL || length == -ENODATA);
		REQUIRE(length == -EINVAL || size < INSN_SIZE_MAX);
		return;
	}
	REQUIRE(length >= 1 && length <= INSN_SIZE_MAX && (size_t)length <= size);
	REQUIRE(length == whole.length);
	REQUIRE(insn_decode(data, (size_t)length, &exact) == length);
	REQUIRE(whole.length == exact.length && whole.opcode == exact.opcode &&
		whole.kind == exact.kind && whole.writes == exact.writes &&
		whole.stack == exact.stack && whole.relative == exact.relative);
	REQUIRE(insn_decode(data, (size_t)length - 1, &exact) == -ENODATA);
	REQUIRE(insn_kind_name((enum insn_kind)whole.kind) != NULL);
}

static void check_site(const uint8_t *data, size_t size, enum site_use use)
{
	struct insn insn;
	struct site site;
	size_t at = 0;

	if (site_choose(data, size, 0x1000, use, &site)) {
		REQUIRE(size == 0 || insn_decode(data, size, &insn) < 0);
		return;
	}
	REQUIRE(site.offset < size && site.address == 0x1000 + (uint64_t)site.offset);
	REQUIRE(use == SITE_ENTRY || use == SITE_GO || site.stack_moved == 0);
	while (at < site.offset) {
		REQUIRE(insn_decode(data + at, size - at, &insn) > 0);
		REQUIRE(!insn_is_transfer(&insn));
		at += insn.length;
	}
	REQUIRE(at == site.offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_decoder(data, size);
	check_site(data, size, SITE_ENTRY);
	check_site(data, size, SITE_ENTRY_AND_RETURN);
	check_site(data, size, SITE_GO);
	check_site(data, size, SITE_GO_STACK);
	return 0;
}
