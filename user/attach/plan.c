// SPDX-License-Identifier: GPL-2.0-only
/* From an ELF file to the places of probes: see hook.h. */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "elf/image.h"
#include "user/attach/hook.h"
#include "user/lib/cleanup.h"

#define FUNCTION_BYTES 4096 /* read of a function to choose the site: more than a prologue */

/* Names of functions and what is known about them; those of all hooks are looked up at once. */
struct lookup {
	size_t count;
	const char *names[ELF_SYMBOL_NAMES_MAX];
	struct elf_symbol symbols[ELF_SYMBOL_NAMES_MAX];
};

static const struct elf_symbol *lookup_get(const struct lookup *lookup, const char *name)
{
	size_t i;

	for (i = 0; i < lookup->count; i++)
		if (!strcmp(lookup->names[i], name))
			return &lookup->symbols[i];
	return NULL;
}

static void lookup_want(struct lookup *lookup, const char *name)
{
	if (name && !lookup_get(lookup, name) && lookup->count < ELF_SYMBOL_NAMES_MAX)
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

static bool is_defined(const struct lookup *lookup, const char *name)
{
	const struct elf_symbol *symbol = name ? lookup_get(lookup, name) : NULL;

	return symbol && !symbol->error;
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

static int plan_hook(const struct hook *hook, const struct elf_image *image,
		     const struct lookup *lookup, const char *path, struct hook_plan *plan,
		     struct error *err)
{
	const struct hook_function *function = hook->functions;
	size_t i;

	for (i = 0; i < HOOK_FUNCTIONS && function->symbol; i++, function++) {
		struct hook_probe *probe = &plan->probes[plan->count];
		int ret;

		if (!is_wanted(lookup, function))
			continue;
		probe->function = function;
		probe->symbol = *lookup_get(lookup, function->symbol);
		ret = find_site(image, hook, probe);
		if (ret)
			return error_set(err, ret,
					 "cannot find a place for a probe in %s of %s: %s; is it a "
					 "damaged or unusual build?",
					 function->symbol, path, strerror(-ret));
		plan->count++;
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
