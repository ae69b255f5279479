// SPDX-License-Identifier: GPL-2.0-only
/* From a symbol to attached probes: see hook.h. */
#include "user/attach/hook.h"

#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf/image.h"
#include "elf/symbol.h"
#include "user/bpf/feature.h"
#include "user/bpf/link.h"
#include "user/lib/cleanup.h"

#define FUNCTION_BYTES 4096 /* read of a function to choose the site: more than a prologue */
#define CLOSERS	       16   /* threads */

extern const unsigned char bpf_openssl_start[], bpf_openssl_end[];

const struct hook hooks[] = {
	{
		.name = "openssl",
		.object = bpf_openssl_start,
		.object_end = bpf_openssl_end,
		.functions = {
			{ "EVP_KDF_derive", NULL, "openssl_derive", "openssl_derived" },
			{ "SSL_write", NULL, "openssl_write", NULL },
			{ "SSL_write_ex", "SSL_write_ex2", "openssl_write", NULL },
			{ "SSL_write_ex2", NULL, "openssl_write", NULL },
		},
	},
};
const size_t hook_count = ARRAY_SIZE(hooks);

const char *const hook_sonames[] = { "libssl.so", "libcrypto.so" };
const size_t hook_soname_count = ARRAY_SIZE(hook_sonames);

struct closer {
	pthread_t thread;
	const int *fds;
	size_t count, first;
};

static void *close_share(void *data)
{
	const struct closer *closer = data;
	size_t i;

	for (i = closer->first; i < closer->count; i += CLOSERS)
		close(closer->fds[i]);
	return NULL;
}

/* Each close waits 50 ms or more until no CPU runs the program: wait for several at once. */
void hook_links_release(struct hook_links *links)
{
	struct closer closers[CLOSERS];
	size_t i, started = 0;

	for (i = 0; i < CLOSERS; i++)
		closers[i] = (struct closer){ .fds = links->fds, .count = links->count, .first = i };
	while (started < CLOSERS && started + 1 < links->count &&
	       !pthread_create(&closers[started].thread, NULL, close_share, &closers[started]))
		started++;
	for (i = started; i < CLOSERS; i++)
		close_share(&closers[i]);
	for (i = 0; i < started; i++)
		pthread_join(closers[i].thread, NULL);
	free(links->fds);
	memset(links, 0, sizeof(*links));
}

int hook_links_add(struct hook_links *links, int fd)
{
	int *grown = reallocarray(links->fds, links->count + 1, sizeof(*grown));

	if (!grown) {
		close(fd);
		return -ENOMEM;
	}
	links->fds = grown;
	links->fds[links->count++] = fd;
	return 0;
}

/* Where the probe goes: file offset of the chosen instruction. */
static int function_site(const struct elf_image *image, const struct elf_symbol *symbol,
			 enum site_use use, uint64_t *offset)
{
	uint8_t code[FUNCTION_BYTES];
	size_t size = symbol->size && symbol->size < sizeof(code) ? symbol->size : sizeof(code);
	struct site site;
	int ret;

	if (symbol->type != STT_FUNC && symbol->type != STT_NOTYPE)
		return -ENOTSUP;
	ret = elf_address_to_offset(image, symbol->value, offset);
	if (ret)
		return ret;
	ret = elf_image_read(image, *offset, code, size);
	if (ret)
		return ret;
	ret = site_choose(code, size, symbol->value, use, &site);
	if (ret)
		return ret;
	*offset += site.offset;
	return 0;
}

/* The places in one file where one program runs. */
struct probe {
	const char *program;
	bool is_return;
	uint32_t count;
	uint64_t offsets[HOOK_FUNCTIONS];
};

struct probe_set {
	size_t count;
	struct probe probes[2 * HOOK_FUNCTIONS];
};

static void probe_add(struct probe_set *set, const char *program, bool is_return, uint64_t offset)
{
	struct probe *probe = set->probes;

	while (probe < set->probes + set->count && strcmp(probe->program, program))
		probe++;
	if (probe == set->probes + set->count)
		set->count++;
	probe->program = program;
	probe->is_return = is_return;
	probe->offsets[probe->count++] = offset;
}

/*
 * One link for all places, where the kernel has such links: they cost the same
 * per hit, and detach in a tenth of the time.
 */
static int probe_attach(const struct probe *probe, const struct bpf_object *object, int fd,
			struct hook_links *links)
{
	int program = bpf_object_program(object, probe->program);
	char path[32];
	uint32_t i;
	int link, ret = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (bpf_feature_has(BPF_FEATURE_UPROBE_MULTI)) {
		link = link_create_uprobe_multi(program, path, probe->offsets, probe->count,
						probe->is_return);
		return link < 0 ? link : hook_links_add(links, link);
	}
	for (i = 0; !ret && i < probe->count; i++) {
		link = link_create_uprobe(program, path, probe->offsets[i], probe->is_return);
		ret = link < 0 ? link : hook_links_add(links, link);
	}
	return ret;
}

static int function_add(const struct hook_function *function, const struct elf_image *image,
			const struct elf_symbol *symbol, struct probe_set *set)
{
	uint64_t offset;
	int ret;

	ret = function_site(image, symbol, function->on_return ? SITE_ENTRY_AND_RETURN : SITE_ENTRY,
			    &offset);
	if (ret)
		return ret;
	probe_add(set, function->entry, false, offset);
	if (function->on_return)
		probe_add(set, function->on_return, true, offset);
	return 0;
}

static size_t function_names(const struct hook *hook, const char *names[static HOOK_FUNCTIONS])
{
	size_t count = 0;

	while (count < HOOK_FUNCTIONS && hook->functions[count].symbol) {
		names[count] = hook->functions[count].symbol;
		count++;
	}
	return count;
}

static bool is_defined(const struct elf_symbol *symbols, const char *const *names, size_t count,
		       const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return !symbols[i].error;
	return false;
}

/* What is to be probed in the file: the number of functions, or -errno with a sentence. */
static int probes_find(const struct hook *hook, const struct elf_image *image, const char *path,
		       struct probe_set *set, struct error *err)
{
	struct elf_symbol symbols[HOOK_FUNCTIONS];
	const char *names[HOOK_FUNCTIONS];
	size_t count = function_names(hook, names);
	int found = elf_symbols_find(image, names, count, symbols);
	int added = 0;
	size_t i;

	for (i = 0; found > 0 && i < count; i++) {
		const struct hook_function *function = &hook->functions[i];
		int ret;

		if (symbols[i].error || (function->unless &&
					 is_defined(symbols, names, count, function->unless)))
			continue;
		ret = function_add(function, image, &symbols[i], set);
		if (ret)
			return error_set(err, ret,
					 "cannot find a place for a probe in %s of %s: %s; is it a "
					 "damaged or unusual build?",
					 names[i], path, strerror(-ret));
		added++;
	}
	return added;
}

int hook_attach(const struct hook *hook, const struct bpf_object *object, int fd,
		const char *path, struct hook_links *links, struct error *err)
{
	struct probe_set set = { 0 };
	struct elf_image image;
	int functions, ret;
	size_t i;

	ret = elf_image_open(&image, fd);
	if (ret == -ENOTSUP || ret == -ENOEXEC || (!ret && image.machine != EM_X86_64)) {
		if (!ret)
			elf_image_close(&image);
		return 0; /* nothing that runs this library on this machine */
	}
	if (ret)
		return error_set(err, ret, "cannot read %s: %s; is it being replaced? try again",
				 path, strerror(-ret));
	functions = probes_find(hook, &image, path, &set, err);
	elf_image_close(&image);
	for (i = 0; functions > 0 && i < set.count; i++) {
		ret = probe_attach(&set.probes[i], object, fd, links);
		if (ret)
			return error_set(err, ret, "cannot attach to %s: %s; see 'kloak doctor'",
					 path, strerror(-ret));
	}
	return functions;
}
