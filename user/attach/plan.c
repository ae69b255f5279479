// SPDX-License-Identifier: GPL-2.0-only
/* From an ELF file to the places of probes: see hook.h. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/image.h"
#include "elf/pattern.h"
#include "lib/cleanup.h"
#include "user/attach/hook.h"

#define TEXT_OF(number)	 TEXT_OF_(number)
#define TEXT_OF_(number) #number

#define FUNCTION_BYTES 4096 /* read of a function to choose the site: more than a prologue */

/* Names of functions and what is known about them; those of all hooks are looked up at once. */
struct lookup {
	size_t count;
	const char *names[ELF_SYMBOL_NAMES_MAX];
	struct elf_symbol symbols[ELF_SYMBOL_NAMES_MAX];
	size_t pattern_count, match_count;
	const char *patterns[ELF_PATTERNS_MAX];
	struct elf_match matches[HOOK_MATCHES];
};

static const struct elf_symbol *lookup_get(const struct lookup *lookup, const char *name)
{
	size_t i;

	for (i = 0; i < lookup->count; i++)
		if (strcmp(lookup->names[i], name) == 0)
			return &lookup->symbols[i];
	return NULL;
}

static void lookup_want_pattern(struct lookup *lookup, const char *pattern)
{
	size_t i;

	for (i = 0; i < lookup->pattern_count; i++)
		if (strcmp(lookup->patterns[i], pattern) == 0)
			return;
	if (lookup->pattern_count < ELF_PATTERNS_MAX)
		lookup->patterns[lookup->pattern_count++] = pattern;
}

static void lookup_want(struct lookup *lookup, const char *name)
{
	if (name && elf_is_pattern(name))
		lookup_want_pattern(lookup, name);
	else if (name && !lookup_get(lookup, name) && lookup->count < ELF_SYMBOL_NAMES_MAX)
		lookup->names[lookup->count++] = name;
}

static void lookup_want_hook(struct lookup *lookup, const struct hook *hook)
{
	const struct hook_function *function = hook->functions;
	size_t i, k;

	for (i = 0; i < HOOK_FUNCTIONS && function->symbol; i++, function++) {
		lookup_want(lookup, function->symbol);
		lookup_want(lookup, function->only_with);
		for (k = 0; k < HOOK_CONDITIONS; k++)
			lookup_want(lookup, function->unless[k]);
	}
}

/* The @index-th function of this name, or NULL: a pattern may have several. */
static const struct elf_symbol *lookup_found(const struct lookup *lookup, const char *name,
					     size_t index)
{
	const struct elf_symbol *symbol = lookup_get(lookup, name);
	size_t i;

	if (symbol)
		return symbol->error || index ? NULL : symbol;
	for (i = 0; i < lookup->match_count; i++)
		if (strcmp(lookup->patterns[lookup->matches[i].pattern], name) == 0 && !index--)
			return &lookup->matches[i].symbol;
	return NULL;
}

static bool is_defined(const struct lookup *lookup, const char *name)
{
	return name && lookup_found(lookup, name, 0);
}

static bool is_wanted(const struct lookup *lookup, const struct hook_function *function)
{
	size_t i;

	if (!is_defined(lookup, function->symbol))
		return false;
	for (i = 0; i < HOOK_CONDITIONS; i++)
		if (is_defined(lookup, function->unless[i]))
			return false;
	return !function->only_with || is_defined(lookup, function->only_with);
}

/* --- places ------------------------------------------------------------ */

/* What the section of a symbol says, where there are sections: a name in data is data. */
static bool is_in_code_section(const struct elf_image *image, const struct elf_symbol *symbol)
{
	Elf64_Shdr section;

	if (symbol->section == SHN_UNDEF || symbol->section >= image->section_count)
		return symbol->type == STT_FUNC;
	return !elf_image_section(image, symbol->section, &section) &&
	       (section.sh_flags & SHF_EXECINSTR) && section.sh_type != SHT_NOBITS;
}

/*
 * A probe writes a byte into the memory of every process that has mapped the file,
 * whatever is there. So only what is surely code gets one. NULL: it is.
 */
static const char *why_no_code(const struct elf_image *image, const struct elf_symbol *symbol,
			       uint64_t *offset)
{
	switch (symbol->type) {
	case STT_FUNC:
	case STT_NOTYPE:
		break;
	case STT_GNU_IFUNC:
		return "the loader picks the function when it starts (IFUNC)";
	case STT_TLS:
		return "it is a thread-local variable";
	default:
		return "it is a variable";
	}
	if (symbol->section == SHN_ABS || symbol->section == SHN_COMMON)
		return "it has no place in the file";
	switch (elf_code_to_offset(image, symbol->value, offset)) {
	case 0:
		break;
	case -ETXTBSY:
		return "the program may write to its code";
	case -EEXIST:
		return "its code is data as well";
	default:
		return "it is outside of the file's code";
	}
	return is_in_code_section(image, symbol) ? NULL : "it is constant data";
}

static int choose_site(const struct elf_image *image, const struct hook *hook,
		       struct hook_probe *probe)
{
	enum site_use use = probe->function->on_return ? SITE_ENTRY_AND_RETURN : hook->use;
	const struct elf_symbol *symbol = &probe->symbol;
	uint8_t code[FUNCTION_BYTES];
	size_t size = symbol->size && symbol->size < sizeof(code) ? symbol->size : sizeof(code);
	int ret;

	if (size > image->size - probe->offset)
		size = image->size - probe->offset;
	ret = elf_image_read(image, probe->offset, code, size);
	if (ret)
		return ret;
	return site_choose(code, size, symbol->value, use, &probe->site);
}

static void pass_over(struct hook_plans *plans, const char *symbol, uint8_t type, const char *why)
{
	size_t i;

	for (i = 0; i < plans->passed_count; i++)
		if (strcmp(plans->passed[i].symbol, symbol) == 0)
			return;
	if (i == HOOK_PASSED_MAX)
		return;
	plans->passed[plans->passed_count++] = (struct hook_passed){
		.symbol = symbol,
		.why = why,
		.is_function = type == STT_FUNC || type == STT_GNU_IFUNC,
	};
}

/* --- plans ------------------------------------------------------------- */

struct planning {
	const struct elf_image *image;
	const char *path;
	struct hook_plans *plans;
	struct error *err;
};

static int take_probe(struct planning *planning, const struct hook *hook,
		      const struct hook_probe *probe)
{
	struct hook_plan *plan = &planning->plans->by_hook[hook - hooks];
	struct hook_probe *grown;

	if (plan->count == HOOK_PROBES)
		return 0;
	grown = reallocarray(plan->probes, plan->count + 1, sizeof(*grown));
	if (!grown)
		return error_no_memory(planning->err, "the plan of probes");
	plan->probes = grown;
	grown[plan->count++] = *probe;
	return 0;
}

static int plan_symbol(struct planning *planning, const struct hook *hook,
		       const struct hook_function *function, const struct elf_symbol *symbol)
{
	struct hook_probe probe = { .function = function, .symbol = *symbol };
	const char *why = why_no_code(planning->image, symbol, &probe.offset);
	int ret = why ? 0 : choose_site(planning->image, hook, &probe);

	if (ret == -EILSEQ)
		why = "its first bytes are no instruction";
	if (why) {
		pass_over(planning->plans, function->symbol, symbol->type, why);
		return 0;
	}
	if (ret)
		return error_set(planning->err, ret,
				 "cannot read %s of %s: %s; is it being replaced? try again",
				 function->symbol, planning->path, strerror(-ret));
	return take_probe(planning, hook, &probe);
}

/* All that match, if its name is a pattern. */
static int plan_function(struct planning *planning, const struct hook *hook,
			 const struct hook_function *function, const struct lookup *lookup)
{
	const struct elf_symbol *symbol;
	size_t i;
	int ret = 0;

	for (i = 0; !ret && (symbol = lookup_found(lookup, function->symbol, i)); i++)
		ret = plan_symbol(planning, hook, function, symbol);
	return ret;
}

static int plan_hook(struct planning *planning, const struct hook *hook,
		     const struct lookup *lookup)
{
	const struct hook_function *function = hook->functions;
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < HOOK_FUNCTIONS && function->symbol; i++, function++)
		if (is_wanted(lookup, function))
			ret = plan_function(planning, hook, function, lookup);
	return ret;
}

/*
 * Tables that lie have nothing for us; the loader may still take the file. Of a file
 * whose .symtab is too large .dynsym was read.
 */
static void lookup_run(struct lookup *lookup, const struct elf_image *image, hook_find find,
		       struct hook_plans *plans)
{
	size_t i;
	int ret;

	for (i = 0; i < lookup->count; i++)
		lookup->symbols[i].error = -ENOENT;
	ret = lookup->count ? find(image, lookup->names, lookup->count, lookup->symbols) : 0;
	if (ret == -EFBIG)
		pass_over(plans, ".symtab", STT_NOTYPE, "it is too large to be looked through");
	else if (ret < 0)
		lookup->count = 0;
}

/* There may be more than fit; that is said of the pattern which the last one matched. */
static void lookup_run_patterns(struct lookup *lookup, const struct elf_image *image,
				struct hook_plans *plans)
{
	int found = elf_symbols_match(image, lookup->patterns, lookup->pattern_count,
				      lookup->matches, HOOK_MATCHES);

	lookup->match_count = found > 0 ? (size_t)found : 0;
	if (lookup->match_count <= HOOK_MATCHES)
		return;
	lookup->match_count = HOOK_MATCHES;
	pass_over(plans, lookup->patterns[lookup->matches[HOOK_MATCHES - 1].pattern], STT_FUNC,
		  "the file has too many such functions: the first " TEXT_OF(
			  HOOK_MATCHES) " are probed");
}

/* What has a way of its own to find functions is looked up apart. */
static int plan_apart(struct planning *planning, const struct hook *hook)
{
	CLEANUP_FREE struct lookup *lookup = calloc(1, sizeof(*lookup));

	if (!lookup)
		return error_no_memory(planning->err, "the plan of probes");
	lookup_want_hook(lookup, hook);
	lookup_run(lookup, planning->image, hook->find, planning->plans);
	return plan_hook(planning, hook, lookup);
}

static int plan_hooks(struct planning *planning)
{
	CLEANUP_FREE struct lookup *lookup = calloc(1, sizeof(*lookup));
	int ret = 0;
	size_t i;

	if (!lookup)
		return error_no_memory(planning->err, "the plan of probes");
	for (i = 0; i < hook_count; i++)
		if (!hooks[i].find)
			lookup_want_hook(lookup, &hooks[i]);
	lookup_run(lookup, planning->image, elf_symbols_find, planning->plans);
	lookup_run_patterns(lookup, planning->image, planning->plans);
	for (i = 0; !ret && i < hook_count; i++)
		ret = hooks[i].find ? plan_apart(planning, &hooks[i])
				    : plan_hook(planning, &hooks[i], lookup);
	return ret;
}

static int count_probes(const struct hook_plans *plans)
{
	size_t i, total = 0;

	for (i = 0; i < hook_count; i++)
		total += plans->by_hook[i].count;
	return (int)total;
}

int hook_plan_file(int fd, const char *path, struct hook_plans *plans, struct error *err)
{
	struct elf_image image;
	struct planning planning = { .image = &image, .path = path, .plans = plans, .err = err };
	int ret;

	memset(plans, 0, sizeof(*plans));
	ret = elf_image_open(&image, fd);
	if (ret == -ENOTSUP || ret == -ENOEXEC)
		return 0;
	if (ret)
		return error_set(err, ret, "cannot read %s: %s; is it being replaced? try again",
				 path, strerror(-ret));
	ret = image.machine == EM_X86_64 ? plan_hooks(&planning) : 0;
	elf_image_close(&image);
	if (!ret)
		return count_probes(plans);
	hook_plans_release(plans);
	return ret;
}

void hook_plans_release(struct hook_plans *plans)
{
	size_t i;

	for (i = 0; i < hook_count; i++)
		free(plans->by_hook[i].probes);
	memset(plans, 0, sizeof(*plans));
}
