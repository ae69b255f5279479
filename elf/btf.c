// SPDX-License-Identifier: GPL-2.0-only
/* BTF reader and writer: see btf.h for the contract. */
#include "elf/btf.h"

#include <errno.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_LIMIT (4U << 20)
#define TYPE_LIMIT 65536
#define HOP_LIMIT  32 /* typedefs and qualifiers in a row; a cycle ends here */

/*
 * What every BTF section begins with. struct btf_header of <linux/btf.h> has grown in Linux 7.x by
 * fields that clang does not write and older kernels do not take: only .hdr_len tells its size.
 */
struct header {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t hdr_len;
	uint32_t type_off, type_len; /* bytes from the header's end */
	uint32_t str_off, str_len;
};

#ifndef BTF_KIND_ENUM64
#define BTF_KIND_ENUM64 19
#endif

/* Bytes after struct btf_type: fixed + vlen * each. Sources: btf.rst, section 2.2. */
static const struct {
	uint8_t known, fixed, each;
} kinds[] = {
	[BTF_KIND_INT] = { 1, sizeof(uint32_t), 0 },
	[BTF_KIND_PTR] = { 1, 0, 0 },
	[BTF_KIND_ARRAY] = { 1, sizeof(struct btf_array), 0 },
	[BTF_KIND_STRUCT] = { 1, 0, sizeof(struct btf_member) },
	[BTF_KIND_UNION] = { 1, 0, sizeof(struct btf_member) },
	[BTF_KIND_ENUM] = { 1, 0, sizeof(struct btf_enum) },
	[BTF_KIND_FWD] = { 1, 0, 0 },
	[BTF_KIND_TYPEDEF] = { 1, 0, 0 },
	[BTF_KIND_VOLATILE] = { 1, 0, 0 },
	[BTF_KIND_CONST] = { 1, 0, 0 },
	[BTF_KIND_RESTRICT] = { 1, 0, 0 },
	[BTF_KIND_FUNC] = { 1, 0, 0 },
	[BTF_KIND_FUNC_PROTO] = { 1, 0, sizeof(struct btf_param) },
	[BTF_KIND_VAR] = { 1, sizeof(struct btf_var), 0 },
	[BTF_KIND_DATASEC] = { 1, 0, sizeof(struct btf_var_secinfo) },
	[BTF_KIND_FLOAT] = { 1, 0, 0 },
	[BTF_KIND_DECL_TAG] = { 1, sizeof(struct btf_decl_tag), 0 },
	[BTF_KIND_TYPE_TAG] = { 1, 0, 0 },
	[BTF_KIND_ENUM64] = { 1, 0, 12 },
};

/* --- reading ----------------------------------------------------------- */

/* Copies @size bytes at @offset of the type section out; false if they are not all there. */
static bool copy_out(const struct btf *btf, void *to, uint64_t offset, size_t size)
{
	if (offset > btf->types_size || size > btf->types_size - offset)
		return false;
	memcpy(to, btf->types + offset, size);
	return true;
}

static bool read_type(const struct btf *btf, uint32_t id, struct btf_type *type)
{
	return id && id < btf->count && copy_out(btf, type, btf->offsets[id], sizeof(*type));
}

/* What follows struct btf_type of a type that read_type() has accepted. */
static bool read_tail(const struct btf *btf, uint32_t id, size_t skip, void *to, size_t size)
{
	return copy_out(btf, to, (uint64_t)btf->offsets[id] + sizeof(struct btf_type) + skip, size);
}

static const char *string_at(const struct btf *btf, uint32_t offset)
{
	if (offset >= btf->strings_size ||
	    !memchr(btf->strings + offset, 0, btf->strings_size - offset))
		return NULL;
	return btf->strings + offset;
}

static int read_header(struct btf *btf, const uint8_t *data, size_t size)
{
	struct header header;
	size_t rest;

	if (size > SIZE_LIMIT)
		return -E2BIG;
	if (size < sizeof(header))
		return -EINVAL;
	memcpy(&header, data, sizeof(header));
	if (header.magic != BTF_MAGIC || header.version != BTF_VERSION ||
	    header.hdr_len < sizeof(header) || header.hdr_len > size)
		return -EINVAL;
	rest = size - header.hdr_len;
	if (header.type_off > rest || header.type_len > rest - header.type_off ||
	    header.str_off > rest || header.str_len > rest - header.str_off)
		return -EINVAL;
	btf->types = data + header.hdr_len + header.type_off;
	btf->types_size = header.type_len;
	btf->strings = (const char *)data + header.hdr_len + header.str_off;
	btf->strings_size = header.str_len;
	return 0;
}

static int index_types(struct btf *btf)
{
	size_t limit = btf->types_size / sizeof(struct btf_type) + 2, offset = 0;
	struct btf_type type;

	if (limit > TYPE_LIMIT)
		limit = TYPE_LIMIT;
	btf->offsets = calloc(limit, sizeof(*btf->offsets));
	if (!btf->offsets)
		return -ENOMEM;
	for (btf->count = 1; offset < btf->types_size; btf->count++) {
		uint32_t kind;

		if (btf->count >= limit)
			return -E2BIG;
		if (!copy_out(btf, &type, offset, sizeof(type)))
			return -EINVAL;
		kind = BTF_INFO_KIND(type.info);
		if (kind >= sizeof(kinds) / sizeof(kinds[0]) || !kinds[kind].known)
			return -EINVAL;
		btf->offsets[btf->count] = (uint32_t)offset;
		offset += sizeof(type) + kinds[kind].fixed +
			  (size_t)BTF_INFO_VLEN(type.info) * kinds[kind].each;
		if (offset > btf->types_size)
			return -EINVAL;
	}
	return 0;
}

int btf_parse(struct btf *btf, const void *data, size_t size)
{
	int ret;

	*btf = (struct btf){ 0 };
	ret = read_header(btf, data, size);
	if (!ret)
		ret = index_types(btf);
	if (ret)
		btf_free(btf);
	return ret;
}

void btf_free(struct btf *btf)
{
	free(btf->offsets);
	*btf = (struct btf){ 0 };
}

/* The type that typedefs and qualifiers lead to; 0 is void. False: malformed or a cycle. */
static bool strip(const struct btf *btf, uint32_t id, uint32_t *stripped, struct btf_type *type)
{
	unsigned int hop;

	*type = (struct btf_type){ 0 };
	for (hop = 0; hop < HOP_LIMIT; hop++) {
		*stripped = id;
		if (!id)
			return true;
		if (!read_type(btf, id, type))
			return false;
		switch (BTF_INFO_KIND(type->info)) {
		case BTF_KIND_TYPEDEF:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_CONST:
		case BTF_KIND_RESTRICT:
		case BTF_KIND_TYPE_TAG:
			id = type->type;
			break;
		default:
			return true;
		}
	}
	return false;
}

/* Bytes of an object of that type; 0: void, incomplete, a function, or more than 32 bits hold. */
static uint32_t type_size(const struct btf *btf, uint32_t id)
{
	struct btf_array array;
	struct btf_type type;
	uint64_t count = 1;
	unsigned int hop;

	for (hop = 0; hop < HOP_LIMIT && count; hop++) {
		if (!strip(btf, id, &id, &type) || !id)
			return 0;
		switch (BTF_INFO_KIND(type.info)) {
		case BTF_KIND_PTR:
			type.size = sizeof(uint64_t);
			/* fallthrough */
		case BTF_KIND_INT:
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
		case BTF_KIND_FLOAT:
			count *= type.size;
			return count > UINT32_MAX ? 0 : (uint32_t)count;
		case BTF_KIND_ARRAY:
			if (!read_tail(btf, id, 0, &array, sizeof(array)))
				return 0;
			count *= array.nelems;
			if (count > UINT32_MAX)
				return 0;
			id = array.type;
			break;
		default:
			return 0;
		}
	}
	return 0;
}

static bool integer_is_signed(const struct btf *btf, uint32_t id)
{
	uint32_t encoding = 0;

	return read_tail(btf, id, 0, &encoding, sizeof(encoding)) &&
	       (BTF_INT_ENCODING(encoding) & BTF_INT_SIGNED);
}

static int read_pointer(const struct btf *btf, uint32_t id, struct btf_value *value)
{
	struct btf_type target;
	uint32_t stripped;

	value->kind = BTF_VALUE_POINTER;
	value->size = type_size(btf, id);
	if (!strip(btf, id, &stripped, &target))
		return -EINVAL;
	if (stripped && (BTF_INFO_KIND(target.info) == BTF_KIND_STRUCT ||
			 BTF_INFO_KIND(target.info) == BTF_KIND_FWD))
		value->target = string_at(btf, target.name_off);
	return value->target ? 0 : -EINVAL;
}

static int read_value(const struct btf *btf, uint32_t id, struct btf_value *value)
{
	struct btf_type type;

	*value = (struct btf_value){ .name = "", .target = "" };
	if (!strip(btf, id, &id, &type))
		return -EINVAL;
	if (!id)
		return 0;
	if (BTF_INFO_KIND(type.info) == BTF_KIND_PTR)
		return read_pointer(btf, type.type, value);
	/* Structs passed by value do not fit r1 to r5: clang inlines such functions. */
	value->kind = BTF_VALUE_SCALAR;
	value->size = type.size == 1 || type.size == 2 || type.size == 4 ? type.size : 8;
	value->is_signed = BTF_INFO_KIND(type.info) == BTF_KIND_INT && integer_is_signed(btf, id);
	return 0;
}

static int read_prototype(const struct btf *btf, uint32_t id, struct btf_function *function)
{
	struct btf_type prototype;
	uint32_t i;
	int ret;

	if (!read_type(btf, id, &prototype) ||
	    BTF_INFO_KIND(prototype.info) != BTF_KIND_FUNC_PROTO ||
	    BTF_INFO_VLEN(prototype.info) > BTF_PARAMETERS_MAX)
		return -EINVAL;
	ret = read_value(btf, prototype.type, &function->result);
	for (i = 0; i < BTF_INFO_VLEN(prototype.info) && !ret; i++) {
		struct btf_param parameter;

		if (!read_tail(btf, id, i * sizeof(parameter), &parameter, sizeof(parameter)))
			return -EINVAL;
		ret = read_value(btf, parameter.type, &function->parameters[i]);
		function->parameters[i].name = string_at(btf, parameter.name_off);
		if (!function->parameters[i].name)
			return -EINVAL;
		function->parameter_count++;
	}
	return ret;
}

int btf_find_function(const struct btf *btf, const char *name, struct btf_function *function)
{
	uint32_t id;

	for (id = 1; id < btf->count; id++) {
		struct btf_type type;
		const char *found;

		if (!read_type(btf, id, &type) || BTF_INFO_KIND(type.info) != BTF_KIND_FUNC)
			continue;
		found = string_at(btf, type.name_off);
		if (!found || strcmp(found, name) != 0)
			continue;
		*function = (struct btf_function){
			.name = found,
			.linkage = BTF_INFO_VLEN(type.info),
		};
		return read_prototype(btf, type.type, function);
	}
	return -ENOENT;
}

/* --- writing ----------------------------------------------------------- */

static void append(struct btf_writer *writer, struct btf_buffer *buffer, const void *bytes,
		   size_t size)
{
	size_t capacity = buffer->capacity;
	uint8_t *grown;

	if (!size)
		return; /* and memcpy() must not see the NULL of an empty buffer */
	while (capacity - buffer->size < size)
		capacity = capacity ? capacity * 2 : 256;
	if (capacity != buffer->capacity) {
		grown = realloc(buffer->bytes, capacity);
		if (!grown) {
			writer->error = -ENOMEM;
			return;
		}
		buffer->bytes = grown;
		buffer->capacity = capacity;
	}
	memcpy(buffer->bytes + buffer->size, bytes, size);
	buffer->size += size;
}

static uint32_t write_string(struct btf_writer *writer, const char *string)
{
	size_t offset = writer->strings.size;

	if (!*string)
		return 0;
	append(writer, &writer->strings, string, strlen(string) + 1);
	return (uint32_t)offset;
}

static uint32_t write_type(struct btf_writer *writer, const char *name, uint32_t kind,
			   uint32_t vlen, uint32_t size_or_type)
{
	struct btf_type type = {
		.name_off = write_string(writer, name),
		.info = kind << 24 | vlen,
		.size = size_or_type,
	};

	append(writer, &writer->types, &type, sizeof(type));
	return ++writer->count;
}

void btf_writer_init(struct btf_writer *writer)
{
	*writer = (struct btf_writer){ 0 };
	append(writer, &writer->strings, "", 1);
}

uint32_t btf_write_integer(struct btf_writer *writer, uint32_t size, bool is_signed)
{
	uint32_t encoding = (is_signed ? BTF_INT_SIGNED << 24 : 0) | size * 8;
	uint32_t id = write_type(writer, "integer", BTF_KIND_INT, 0, size);

	append(writer, &writer->types, &encoding, sizeof(encoding));
	return id;
}

uint32_t btf_write_array(struct btf_writer *writer, uint32_t element, uint32_t index,
			 uint32_t count)
{
	struct btf_array array = { .type = element, .index_type = index, .nelems = count };
	uint32_t id = write_type(writer, "", BTF_KIND_ARRAY, 0, 0);

	append(writer, &writer->types, &array, sizeof(array));
	return id;
}

/* A struct without members: the verifier looks at its size, or, for a context, at its name. */
static uint32_t write_pointer(struct btf_writer *writer, const char *name, uint32_t size)
{
	uint32_t target = size ? write_type(writer, name, BTF_KIND_STRUCT, 0, size) : 0;

	return write_type(writer, "", BTF_KIND_PTR, 0, target);
}

static uint32_t write_value(struct btf_writer *writer, const struct btf_value *value)
{
	switch (value->kind) {
	case BTF_VALUE_SCALAR:
		return btf_write_integer(writer, value->size, value->is_signed);
	case BTF_VALUE_CONTEXT:
		return write_pointer(writer, value->target, value->size);
	case BTF_VALUE_POINTER:
		return write_pointer(writer, "memory", value->size);
	default:
		return 0;
	}
}

uint32_t btf_write_function(struct btf_writer *writer, const struct btf_function *function)
{
	struct btf_param parameters[BTF_PARAMETERS_MAX] = { 0 };
	uint32_t i, result, prototype;

	result = write_value(writer, &function->result);
	for (i = 0; i < function->parameter_count; i++) {
		const struct btf_value *value = &function->parameters[i];

		parameters[i].type = write_value(writer, value);
		/* The kernel refuses nameless parameters of a function (not of a prototype). */
		parameters[i].name_off = write_string(writer, *value->name ? value->name : "arg");
	}
	prototype = write_type(writer, "", BTF_KIND_FUNC_PROTO, function->parameter_count, result);
	append(writer, &writer->types, parameters, i * sizeof(parameters[0]));
	return write_type(writer, function->name, BTF_KIND_FUNC, function->linkage, prototype);
}

static void writer_free(struct btf_writer *writer)
{
	free(writer->types.bytes);
	free(writer->strings.bytes);
	*writer = (struct btf_writer){ 0 };
}

int btf_writer_finish(struct btf_writer *writer, void **blob, uint32_t *size)
{
	const struct header header = {
		.magic = BTF_MAGIC,
		.version = BTF_VERSION,
		.hdr_len = sizeof(header),
		.type_len = (uint32_t)writer->types.size,
		.str_off = (uint32_t)writer->types.size,
		.str_len = (uint32_t)writer->strings.size,
	};
	struct btf_buffer whole = { 0 };
	int ret;

	append(writer, &whole, &header, sizeof(header));
	append(writer, &whole, writer->types.bytes, writer->types.size);
	append(writer, &whole, writer->strings.bytes, writer->strings.size);
	ret = writer->error;
	writer_free(writer);
	if (ret) {
		free(whole.bytes);
		return ret;
	}
	*blob = whole.bytes;
	*size = (uint32_t)whole.size;
	return 0;
}
