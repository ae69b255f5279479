// SPDX-License-Identifier: GPL-2.0-only
/* BTF: what clang wrote is read; what we write reads back and is accepted by the kernel (root). */
#include <errno.h>
#include <linux/btf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf/btf.h"
#include "elf/object.h"
#include "selftests/unit/bpf/objects.h"
#include "selftests/unit/suite.h"
#include "user/bpf/prog.h"

static struct object object;
static struct btf btf;

static void open_btf(void)
{
	const struct object_section *section;

	require_objects();
	ck_assert_int_eq(object_parse(&object, OBJECT_START(calls), OBJECT_SIZE(calls)), 0);
	section = object_find_section(&object, ".BTF");
	ck_assert_int_eq(btf_parse(&btf, section->bytes, section->size), 0);
}

static void close_btf(void)
{
	btf_free(&btf);
	object_free(&object);
}

/* int global_sum(struct pair *pair, u64 factor): a pointer, and a typedef of a typedef. */
START_TEST(prototype_of_a_global_function)
{
	struct btf_function function;

	ck_assert_int_eq(btf_find_function(&btf, "global_sum", &function), 0);
	ck_assert_str_eq(function.name, "global_sum");
	ck_assert_uint_eq(function.linkage, BTF_FUNC_GLOBAL);
	ck_assert_int_eq(function.result.kind, BTF_VALUE_SCALAR);
	ck_assert_uint_eq(function.result.size, 4);
	ck_assert(function.result.is_signed);
	ck_assert_uint_eq(function.parameter_count, 2);
	ck_assert_int_eq(function.parameters[0].kind, BTF_VALUE_POINTER);
	ck_assert_uint_eq(function.parameters[0].size, 64);
	ck_assert_str_eq(function.parameters[0].name, "pair");
	ck_assert_str_eq(function.parameters[0].target, "pair");
	ck_assert_int_eq(function.parameters[1].kind, BTF_VALUE_SCALAR);
	ck_assert_uint_eq(function.parameters[1].size, 8);
	ck_assert(!function.parameters[1].is_signed);
}
END_TEST

START_TEST(other_prototypes)
{
	struct btf_function function;

	ck_assert_int_eq(btf_find_function(&btf, "add_index", &function), 0);
	ck_assert_uint_eq(function.linkage, BTF_FUNC_STATIC);
	ck_assert_int_eq(function.parameters[1].kind, BTF_VALUE_POINTER); /* void * */
	ck_assert_uint_eq(function.parameters[1].size, 0);
	ck_assert_int_eq(btf_find_function(&btf, "on_entry", &function), 0);
	ck_assert_str_eq(function.parameters[0].target, "pt_regs");
	ck_assert_uint_eq(function.parameters[0].size, 168);
	ck_assert_int_eq(btf_find_function(&btf, "no_such_function", &function), -ENOENT);
}
END_TEST

static const struct btf_function written = {
	.name = "example",
	.linkage = BTF_FUNC_GLOBAL,
	.result = { BTF_VALUE_SCALAR, 4, true, "", "" },
	.parameters = {
		{ BTF_VALUE_CONTEXT, 168, false, "ctx", "bpf_user_pt_regs_t" },
		{ BTF_VALUE_POINTER, 123, false, "memory", "" },
		{ BTF_VALUE_SCALAR, 2, false, "", "" },
	},
	.parameter_count = 3,
};

START_TEST(written_is_read_back)
{
	struct btf_function function;
	struct btf_writer writer;
	struct btf read_back;
	void *blob;
	uint32_t size;

	btf_writer_init(&writer);
	ck_assert_uint_gt(btf_write_function(&writer, &written), 0);
	ck_assert_int_eq(btf_writer_finish(&writer, &blob, &size), 0);
	ck_assert_int_eq(btf_parse(&read_back, blob, size), 0);
	ck_assert_int_eq(btf_find_function(&read_back, "example", &function), 0);
	ck_assert_uint_eq(function.linkage, BTF_FUNC_GLOBAL);
	ck_assert_uint_eq(function.parameter_count, 3);
	ck_assert_str_eq(function.parameters[0].target, "bpf_user_pt_regs_t");
	ck_assert_uint_eq(function.parameters[0].size, 168);
	ck_assert_uint_eq(function.parameters[1].size, 123);
	ck_assert_str_eq(function.parameters[1].name, "memory");
	ck_assert_uint_eq(function.parameters[2].size, 2);
	ck_assert_str_eq(function.parameters[2].name, "arg");
	btf_free(&read_back);
	free(blob);
}
END_TEST

START_TEST(kernel_takes_what_is_written)
{
	struct btf_writer writer;
	uint32_t size, integer;
	void *blob;
	int fd;

	btf_writer_init(&writer);
	btf_write_function(&writer, &written);
	integer = btf_write_integer(&writer, 4, true);
	btf_write_array(&writer, btf_write_integer(&writer, 1, false), integer, 5000);
	ck_assert_int_eq(btf_writer_finish(&writer, &blob, &size), 0);
	fd = bpf_btf_load(blob, size);
	ck_assert_msg(fd >= 0, "the kernel says %s", strerror(-fd));
	close(fd);
	free(blob);
}
END_TEST

/*
 * Headers as <linux/btf.h> of 7.x has them, with two fields more than clang writes: they are read,
 * and never written, whatever headers this was built with.
 */
START_TEST(longer_headers)
{
	enum { SHORT = 24, MORE = 8 };
	struct btf_function function;
	struct btf_writer writer;
	struct btf read_back;
	uint32_t size, length;
	uint8_t *longer;
	void *blob;

	btf_writer_init(&writer);
	btf_write_function(&writer, &written);
	ck_assert_int_eq(btf_writer_finish(&writer, &blob, &size), 0);
	memcpy(&length, (uint8_t *)blob + offsetof(struct btf_header, hdr_len), sizeof(length));
	ck_assert_uint_eq(length, SHORT);
	length += MORE;
	longer = calloc(1, size + MORE);
	memcpy(longer, blob, SHORT);
	memcpy(longer + offsetof(struct btf_header, hdr_len), &length, sizeof(length));
	memcpy(longer + length, (uint8_t *)blob + SHORT, size - SHORT);
	ck_assert_int_eq(btf_parse(&read_back, longer, size + MORE), 0);
	ck_assert_int_eq(btf_find_function(&read_back, "example", &function), 0);
	btf_free(&read_back);
	free(longer);
	free(blob);
}
END_TEST

/* --- hostile ----------------------------------------------------------- */

/* A blob of the given type words and the strings "\0f\0". */
static void *make_blob(const uint32_t *types, uint32_t size, uint32_t *total)
{
	const struct btf_header header = {
		.magic = BTF_MAGIC,
		.version = BTF_VERSION,
		.hdr_len = sizeof(header),
		.type_len = size,
		.str_off = size,
		.str_len = 3,
	};
	uint8_t *blob = malloc(sizeof(header) + size + 3);

	memcpy(blob, &header, sizeof(header));
	memcpy(blob + sizeof(header), types, size);
	memcpy(blob + sizeof(header) + size, "\0f", 3);
	*total = (uint32_t)sizeof(header) + size + 3;
	return blob;
}

#define INFO(kind, vlen) ((uint32_t)(kind) << 24 | (vlen))

static void check_hostile(const uint32_t *types, uint32_t size, int parsed, int found)
{
	struct btf_function function;
	struct btf hostile;
	uint32_t total;
	void *blob = make_blob(types, size, &total);

	ck_assert_int_eq(btf_parse(&hostile, blob, total), parsed);
	if (!parsed)
		ck_assert_int_eq(btf_find_function(&hostile, "f", &function), found);
	btf_free(&hostile);
	free(blob);
}

START_TEST(typedefs_in_a_circle)
{
	const uint32_t types[] = {
		1, INFO(BTF_KIND_FUNC, 1),	 2,	  /* 1: f */
		0, INFO(BTF_KIND_FUNC_PROTO, 1), 0, 1, 3, /* 2: (3) */
		1, INFO(BTF_KIND_TYPEDEF, 0),	 4,	  /* 3 */
		1, INFO(BTF_KIND_TYPEDEF, 0),	 3,	  /* 4 */
	};

	check_hostile(types, sizeof(types), 0, -EINVAL);
}
END_TEST

START_TEST(numbers_out_of_range)
{
	const uint32_t proto[] = { 1, INFO(BTF_KIND_FUNC, 1), 77 };
	const uint32_t parameter[] = {
		1, INFO(BTF_KIND_FUNC, 1), 2, 0, INFO(BTF_KIND_FUNC_PROTO, 1), 0, 1, 99
	};
	const uint32_t name[] = {
		1, INFO(BTF_KIND_FUNC, 1), 2, 0, INFO(BTF_KIND_FUNC_PROTO, 1), 0, 5000, 0
	};
	const uint32_t many[] = { 1,
				  INFO(BTF_KIND_FUNC, 1),
				  2,
				  0,
				  INFO(BTF_KIND_FUNC_PROTO, 6),
				  0,
				  1,
				  0,
				  1,
				  0,
				  1,
				  0,
				  1,
				  0,
				  1,
				  0,
				  1,
				  0 };
	const uint32_t itself[] = { 1, INFO(BTF_KIND_FUNC, 1), 1 };

	check_hostile(proto, sizeof(proto), 0, -EINVAL);
	check_hostile(parameter, sizeof(parameter), 0, -EINVAL);
	check_hostile(name, sizeof(name), 0, -EINVAL);
	check_hostile(many, sizeof(many), 0, -EINVAL);
	check_hostile(itself, sizeof(itself), 0, -EINVAL);
}
END_TEST

START_TEST(members_beyond_the_end)
{
	const uint32_t vlen[] = { 0, INFO(BTF_KIND_STRUCT, 0xffff), 8 };
	const uint32_t kind[] = { 0, INFO(31, 0), 8 };
	const uint32_t tail[] = { 0, INFO(BTF_KIND_PTR, 0) };

	check_hostile(vlen, sizeof(vlen), -EINVAL, 0);
	check_hostile(kind, sizeof(kind), -EINVAL, 0);
	check_hostile(tail, sizeof(tail), -EINVAL, 0);
}
END_TEST

/* int (*)[outer][inner], whose size does not fit into 32 bits: unknown (0), not wrapped. */
static void check_array(uint32_t outer, uint32_t inner, uint32_t expected)
{
	const uint32_t types[] = {
		1,
		INFO(BTF_KIND_FUNC, 1),
		2,
		0,
		INFO(BTF_KIND_FUNC_PROTO, 1),
		0,
		1,
		3,
		0,
		INFO(BTF_KIND_PTR, 0),
		4,
		0,
		INFO(BTF_KIND_ARRAY, 0),
		0,
		5,
		6,
		outer,
		0,
		INFO(BTF_KIND_ARRAY, 0),
		0,
		6,
		6,
		inner,
		1,
		INFO(BTF_KIND_INT, 0),
		4,
		32,
	};
	struct btf_function function;
	struct btf hostile;
	uint32_t total;
	void *blob = make_blob(types, sizeof(types), &total);

	ck_assert_int_eq(btf_parse(&hostile, blob, total), 0);
	ck_assert_int_eq(btf_find_function(&hostile, "f", &function), 0);
	ck_assert_int_eq(function.parameters[0].kind, BTF_VALUE_POINTER);
	ck_assert_uint_eq(function.parameters[0].size, expected);
	btf_free(&hostile);
	free(blob);
}

START_TEST(array_size_overflow)
{
	check_array(3, 5, 60);
	check_array(0x80000001, 0x80000001, 0);
	check_array(1, 0x40000001, 0);
	check_array(0x10000, 0x10000, 0);
}
END_TEST

START_TEST(truncated_anywhere)
{
	const struct object_section *section = object_find_section(&object, ".BTF");
	struct btf_function function;

	for (size_t size = 0; size < section->size; size++) {
		uint8_t *copy = malloc(size ? size : 1);
		struct btf cut;

		memcpy(copy, section->bytes, size);
		if (!btf_parse(&cut, copy, size)) {
			btf_find_function(&cut, "global_sum", &function);
			btf_free(&cut);
			ck_abort_msg("a BTF of %zu bytes cut to %zu was taken", section->size,
				     size);
		}
		free(copy);
	}
}
END_TEST

int main(void)
{
	const TTest *const real[] = {
		prototype_of_a_global_function, other_prototypes, written_is_read_back,
		kernel_takes_what_is_written,	longer_headers,	  truncated_anywhere,
	};
	const TTest *const hostile[] = {
		typedefs_in_a_circle,
		numbers_out_of_range,
		members_beyond_the_end,
		array_size_overflow,
	};
	TCase *const cases[] = {
		suite_case("real", real, ARRAY_SIZE(real), 0, open_btf, close_btf),
		suite_case("hostile", hostile, ARRAY_SIZE(hostile), 0, NULL, NULL),
	};

	return suite_run_cases("btf", cases, ARRAY_SIZE(cases));
}
