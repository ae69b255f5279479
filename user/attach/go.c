// SPDX-License-Identifier: GPL-2.0-only
/* Functions of Go programs: see go.h. */
#include "user/attach/go.h"

#include <errno.h>

#include "elf/buildinfo.h"
#include "elf/pclntab.h"

/* Go 1.17's runtime saves argument registers around calls by reflection; 1.16 has no such. */
static int has_spill(const struct pclntab *table)
{
	static const char *const name = "runtime.spillArgs";
	struct elf_symbol symbol;

	return pclntab_find(table, &name, 1, &symbol);
}

/*
 * 1: functions take arguments on the stack; 0: in registers. The build info tells;
 * where somebody has removed it, the format of the table, which 1.16 and 1.17
 * have in common.
 */
static int arguments_on_stack(const struct pclntab *table)
{
	struct buildinfo info;
	int ret = buildinfo_read(table->image, &info);

	if (!ret && info.minor)
		return info.stack_arguments;
	if (table->format == PCLNTAB_GO116) {
		ret = has_spill(table);
		return ret < 0 ? ret : !ret;
	}
	return table->format == PCLNTAB_GO12;
}

static int find(const struct elf_image *image, const char *const names[], size_t count,
		struct elf_symbol out[], int on_stack)
{
	struct pclntab table;
	int ret = pclntab_open(image, &table);

	if (!ret)
		ret = arguments_on_stack(&table);
	if (ret < 0)
		return ret == -ENOENT ? 0 : ret;
	return ret == on_stack ? pclntab_find(&table, names, count, out) : 0;
}

int go_find(const struct elf_image *image, const char *const names[], size_t count,
	    struct elf_symbol out[])
{
	return find(image, names, count, out, 0);
}

int go_find_stack(const struct elf_image *image, const char *const names[], size_t count,
		  struct elf_symbol out[])
{
	return find(image, names, count, out, 1);
}
