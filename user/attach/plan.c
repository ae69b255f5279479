// SPDX-License-Identifier: GPL-2.0-only
/* From an ELF file to the places of probes: see hook.h. */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "elf/image.h"
#include "elf/pattern.h"
#include "lib/cleanup.h"
#include "user/attach/hook.h"

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

/* Where the probe goes. */
static int find_site(const struct elf_image *image, const struct hook *hook,
		     struct hook_probe *probe)
{
	enum site_use use = probe->function->on_return ? SITE_ENTRY_AND_RETURN : hook->use;
	const struct elf_symbol *symbol = &probe->symbol;
	uint8_t code[FUNCTION_BYTES];
	size_t size = symbol->size && symbol->size < sizeof(code) ? symbol->size : sizeof(code);
	int ret;

	if (symbol->type != STT_FUNC && symbol->type != STT_NOTYPE)
		return -ENOTSUP;
	ret = elf_address_to_offset(image, symbol->value, &probe->offset);
	if (ret)
		return ret;
	if (size > image->size - probe->offset)
		size = image->size - probe->offset;
	ret = elf_image_read(image, probe->offset, code, size);
	if (ret)
		return ret;
	return site_choose(code, size, symbol->value, use, &probe->site);
}

/* All that match, if its name is a pattern. */
static int plan_function(const struct hook *hook, const struct hook_function *function,
			 const struct elf_image *image, const struct lookup *lookup,
			 const char *path, struct hook_plan *plan, struct error *err)
{
	const struct elf_symbol *symbol;
	size_t i;
	int ret;

	for (i = 0; (symbol = lookup_found(lookup, function->symbol, i)); i++) {
		struct hook_probe *probe = &plan->probes[plan->count];

		probe->function = function;
		probe->symbol = *symbol;
		ret = find_site(image, hook, probe);
		if (ret)
			return error_set(err, ret,
					 "cannot find a place for a probe in %s of %s: %s; is it a "
					 "damaged or unusual build?",
					 function->symbol, path, strerror(-ret));
		plan->count++;
	}
	return 0;
}

static int plan_hook(const struct hook *hook, const struct elf_image *image,
		     const struct lookup *lookup, const char *path, struct hook_plan *plan,
		     struct error *err)
{
	const struct hook_function *function = hook->functions;
	size_t i;

	for (i = 0; i < HOOK_FUNCTIONS && function->symbol; i++, function++) {
		int ret;

		if (!is_wanted(lookup, function))
			continue;
		ret = plan_function(hook, function, image, lookup, path, plan, err);
		if (ret)
			return ret;
	}
	return (int)plan->count;
}

/* Tables that lie, or are too large, have nothing for us; the loader may still take the file. */
static void lookup_run(struct lookup *lookup, const struct elf_image *image, hook_find find)
{
	size_t i;

	for (i = 0; i < lookup->count; i++)
		lookup->symbols[i].error = -ENOENT;
	if (lookup->count && find(image, lookup->names, lookup->count, lookup->symbols) < 0)
		lookup->count = 0;
}

static void lookup_run_patterns(struct lookup *lookup, const struct elf_image *image)
{
	int found = elf_symbols_match(image, lookup->patterns, lookup->pattern_count,
				      lookup->matches, HOOK_MATCHES);

	lookup->match_count = found > 0 ? (size_t)found : 0;
}

static int plan_hooks(const struct elf_image *image, const char *path, struct hook_plans *plans,
		      struct error *err)
{
	struct lookup lookup = { 0 };
	int ret, total = 0;
	size_t i;

	for (i = 0; i < hook_count; i++)
		if (!hooks[i].find)
			lookup_want_hook(&lookup, &hooks[i]);
	lookup_run(&lookup, image, elf_symbols_find);
	lookup_run_patterns(&lookup, image);
	for (i = 0; i < hook_count; i++) {
		if (hooks[i].find) {
			struct lookup own = { 0 };

			lookup_want_hook(&own, &hooks[i]);
			lookup_run(&own, image, hooks[i].find);
			ret = plan_hook(&hooks[i], image, &own, path, &plans->of[i], err);
		} else {
			ret = plan_hook(&hooks[i], image, &lookup, path, &plans->of[i], err);
		}
		if (ret < 0)
			return ret;
		total += ret;
	}
	return total;
}

int hook_plan_file(int fd, const char *path, struct hook_plans *plans, struct error *err)
{
	struct elf_image image;
	int ret;

	memset(plans, 0, sizeof(*plans));
	ret = elf_image_open(&image, fd);
	if (ret == -ENOTSUP || ret == -ENOEXEC)
		return 0;
	if (ret)
		return error_set(err, ret, "cannot read %s: %s; is it being replaced? try again",
				 path, strerror(-ret));
	ret = image.machine == EM_X86_64 ? plan_hooks(&image, path, plans, err) : 0;
	elf_image_close(&image);
	return ret;
}
