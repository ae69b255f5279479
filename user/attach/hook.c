// SPDX-License-Identifier: GPL-2.0-only
/* From a symbol to attached probes: see hook.h. */
#include "user/attach/hook.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf/image.h"
#include "elf/symbol.h"
#include "user/bpf/link.h"
#include "user/lib/cleanup.h"

#define FUNCTION_BYTES 4096 /* read of a function to choose the site: more than a prologue */

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

void hook_links_release(struct hook_links *links)
{
	size_t i;

	for (i = 0; i < links->count; i++)
		close(links->fds[i]);
	free(links->fds);
	memset(links, 0, sizeof(*links));
}

/* Takes @fd over, also on failure. */
static int links_add(struct hook_links *links, int fd)
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

static int probe(const struct bpf_object *object, const char *program, int fd, uint64_t offset,
		 bool is_return, struct hook_links *links)
{
	char path[32];
	int link;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	link = link_create_uprobe(bpf_object_program(object, program), path, offset, is_return);
	return link < 0 ? link : links_add(links, link);
}

static int function_attach(const struct hook_function *function, const struct bpf_object *object,
			   const struct elf_image *image, const struct elf_symbol *symbol,
			   struct hook_links *links)
{
	uint64_t offset;
	int ret;

	ret = function_site(image, symbol, function->on_return ? SITE_ENTRY_AND_RETURN : SITE_ENTRY,
			    &offset);
	if (ret)
		return ret;
	ret = probe(object, function->entry, image->fd, offset, false, links);
	if (!ret && function->on_return)
		ret = probe(object, function->on_return, image->fd, offset, true, links);
	return ret;
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

int hook_attach(const struct hook *hook, const struct bpf_object *object, int fd,
		const char *path, struct hook_links *links, struct error *err)
{
	struct elf_symbol symbols[HOOK_FUNCTIONS];
	const char *names[HOOK_FUNCTIONS];
	size_t count = function_names(hook, names);
	struct elf_image image;
	int attached = 0;
	size_t i;
	int ret;

	ret = elf_image_open(&image, fd);
	if (ret == -ENOTSUP || ret == -ENOEXEC)
		return 0; /* nothing that runs OpenSSL for x86-64 */
	if (ret)
		return error_set(err, ret, "cannot read %s: %s; is it being replaced? try again",
				 path, strerror(-ret));
	ret = elf_symbols_find(&image, names, count, symbols);
	for (i = 0; ret > 0 && i < count; i++) {
		const struct hook_function *function = &hook->functions[i];
		int failed;

		if (symbols[i].error || (function->unless &&
					 is_defined(symbols, names, count, function->unless)))
			continue;
		failed = function_attach(function, object, &image, &symbols[i], links);
		if (failed) {
			ret = error_set(err, failed,
					"cannot attach to %s in %s: %s; see 'kloak doctor'",
					names[i], path, strerror(-failed));
			break;
		}
		attached++;
	}
	elf_image_close(&image);
	return ret < 0 ? ret : attached;
}
