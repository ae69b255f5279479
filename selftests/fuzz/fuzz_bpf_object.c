// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any bytes as a BPF object: the reader, the linker and the BTF reader must
 * refuse or accept, in bounds. What was accepted is used as the loader would.
 */
#include <stdint.h>

#include "elf/btf.c"
#undef SIZE_LIMIT
#define copy_out object_copy_out
#include "elf/object.c"
#undef copy_out
#include "user/bpf/linker.c"

static void link_program(const struct object *object, const struct object_function *function)
{
	static int fds[SYMBOL_LIMIT + 1];
	const struct linker_targets targets = { fds, fds };
	struct linked_program program;
	const char *culprit;

	if (!linker_assemble(object, function, &targets, &program, &culprit))
		linker_free(&program);
}

static void describe(const struct object *object, const struct object_section *section)
{
	struct btf_function function;
	struct btf_writer writer;
	struct btf btf;
	uint32_t i, size;
	void *blob;

	if (!section || !section->bytes || btf_parse(&btf, section->bytes, section->size))
		return;
	btf_writer_init(&writer);
	for (i = 0; i < object->function_count && i < 16; i++)
		if (!btf_find_function(&btf, object->functions[i].name, &function))
			btf_write_function(&writer, &function);
	if (!btf_writer_finish(&writer, &blob, &size))
		free(blob);
	btf_free(&btf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct object object;
	uint32_t i;

	if (object_parse(&object, data, size))
		return 0;
	for (i = 0; i < object.function_count && i < 16; i++) {
		link_program(&object, &object.functions[i]);
		linker_is_called(&object, &object.functions[i]);
	}
	object_find_variable(&object, "patched");
	describe(&object, object_find_section(&object, ".BTF"));
	object_free(&object);
	return 0;
}
