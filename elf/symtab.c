// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locating symbol tables, and the GNU hash: see symtab.h.
 *
 * A GNU hash table is: header (four words), Bloom filter, buckets, chains.
 * bucket[hash % buckets] is the index of the first symbol with that hash; the
 * symbols of one bucket follow each other, and chain[index - first] is the
 * symbol's hash with bit 0 used to mark the last of its bucket. Chains thus
 * only run forward and cannot be cyclic; but in a hostile file they may never
 * end, so their length is limited.
 */
#include "elf/symtab.h"

#include <errno.h>
#include <string.h>

#include "elf/dynamic.h"

#define CHUNK	     512  /* symbols or words read at once */
#define CHAIN_CHUNK  8	  /* chains have 1 to 4 entries in practice */
#define CHAIN_MAX    4096 /* entries of one bucket */
#define NAME_MAX_LEN 255

/* --- the GNU hash ------------------------------------------------------ */

static uint32_t gnu_hash(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

static int read_word(const struct elf_image *image, uint64_t base, uint64_t index, uint32_t *word)
{
	return elf_image_read(image, base + index * sizeof(*word), word, sizeof(*word));
}

static int open_hash(const struct elf_image *image, uint64_t offset, struct elf_gnu_hash *hash)
{
	uint32_t header[4]; /* buckets, first hashed symbol, Bloom words, Bloom shift */
	int ret = elf_image_read(image, offset, header, sizeof(header));

	if (ret)
		return ret;
	if (header[0] == 0 || header[2] == 0 || (header[2] & (header[2] - 1)) || header[3] >= 32)
		return -EBADMSG;
	hash->first = header[1];
	hash->bloom_count = header[2];
	hash->bloom_shift = header[3];
	hash->bloom = offset + sizeof(header);
	hash->buckets = hash->bloom + (uint64_t)header[2] * sizeof(uint64_t);
	hash->chains = hash->buckets + (uint64_t)header[0] * sizeof(uint32_t);
	if (!elf_range_valid(image->size, offset, hash->chains - offset))
		return -EBADMSG;
	hash->buckets_count = header[0];
	return 0;
}

/* The highest symbol index that any bucket starts at; 0 if all are empty. */
static int last_bucket(const struct elf_image *image, const struct elf_gnu_hash *hash,
		       uint32_t *last)
{
	uint32_t chunk[CHUNK], i, have, at;
	int ret;

	*last = 0;
	for (at = 0; at < hash->buckets_count; at += have) {
		have = hash->buckets_count - at < CHUNK ? hash->buckets_count - at : CHUNK;
		ret = elf_image_read(image, hash->buckets + (uint64_t)at * sizeof(chunk[0]), chunk,
				     have * sizeof(chunk[0]));
		if (ret)
			return ret;
		for (i = 0; i < have; i++)
			*last = chunk[i] > *last ? chunk[i] : *last;
	}
	return 0;
}

/* The table does not say how long it is: it ends with the chain of the last bucket. */
static int count_hashed(const struct elf_image *image, const struct elf_gnu_hash *hash,
			uint64_t *count)
{
	uint32_t last, word, steps;
	int ret = last_bucket(image, hash, &last);

	if (ret)
		return ret;
	*count = hash->first;
	if (last == 0)
		return 0;
	if (last < hash->first)
		return -EBADMSG;
	for (steps = 0; steps < CHAIN_MAX; steps++) {
		ret = read_word(image, hash->chains, last - hash->first + (uint64_t)steps, &word);
		if (ret)
			return ret;
		if (word & 1) {
			*count = (uint64_t)last + steps + 1;
			return 0;
		}
	}
	return -EBADMSG;
}

/* Whether the Bloom filter lets @hash pass: if not, the name is not in the table. */
static int bloom_admits(const struct elf_image *image, const struct elf_gnu_hash *table,
			uint32_t hash)
{
	uint64_t word, index = (hash / 64) & (table->bloom_count - 1);
	int ret = elf_image_read(image, table->bloom + index * sizeof(word), &word, sizeof(word));

	if (ret)
		return ret;
	return (word >> (hash % 64)) & (word >> ((hash >> table->bloom_shift) % 64)) & 1;
}

/* Whether the string at @offset of the table's strings is exactly @name. */
static int string_is(const struct elf_symtab *table, uint32_t offset, const char *name)
{
	char text[NAME_MAX_LEN + 1];
	size_t size = strlen(name) + 1;
	int ret;

	if (size > sizeof(text) || !elf_range_valid(table->strings_size, offset, size))
		return 0;
	ret = elf_image_read(table->image, table->strings + offset, text, size);
	return ret ? ret : memcmp(text, name, size) == 0;
}

static int visit_if_named(const struct elf_symtab *table, uint64_t index, const char *name,
			  elf_symtab_visit visit, void *data)
{
	Elf64_Sym entry;
	int ret;

	if (index >= table->count)
		return -EBADMSG;
	ret = elf_image_read(table->image, table->entries + index * sizeof(entry), &entry,
			     sizeof(entry));
	if (ret)
		return ret;
	ret = string_is(table, entry.st_name, name);
	return ret > 0 ? visit(data, index, &entry) : ret;
}

static int walk_chain(const struct elf_symtab *table, uint32_t start, uint32_t hash,
		      const char *name, elf_symtab_visit visit, void *data)
{
	uint32_t chain[CHAIN_CHUNK];
	uint64_t index, have, i;
	int ret;

	for (index = start; index - start < CHAIN_MAX && index < table->count; index += have) {
		have = table->count - index < CHAIN_CHUNK ? table->count - index : CHAIN_CHUNK;
		ret = elf_image_read(table->image,
				     table->hash.chains +
					     (index - table->hash.first) * sizeof(chain[0]),
				     chain, have * sizeof(chain[0]));
		if (ret)
			return ret;
		for (i = 0; i < have; i++) {
			if ((chain[i] | 1) == (hash | 1)) {
				ret = visit_if_named(table, index + i, name, visit, data);
				if (ret)
					return ret;
			}
			if (chain[i] & 1)
				return 0;
		}
	}
	return -EBADMSG;
}

int elf_symtab_lookup(const struct elf_symtab *table, const char *name, elf_symtab_visit visit,
		      void *data)
{
	uint32_t start, hash = gnu_hash(name);
	int ret;

	if (table->hash.buckets_count == 0)
		return -EOPNOTSUPP;
	ret = bloom_admits(table->image, &table->hash, hash);
	if (ret <= 0)
		return ret;
	ret = read_word(table->image, table->hash.buckets, hash % table->hash.buckets_count,
			&start);
	if (ret || start == 0)
		return ret;
	if (start < table->hash.first)
		return -EBADMSG;
	return walk_chain(table, start, hash, name, visit, data);
}

/* --- locating a table -------------------------------------------------- */

static int check_ranges(const struct elf_symtab *table)
{
	uint64_t size;

	if (__builtin_mul_overflow(table->count, sizeof(Elf64_Sym), &size) ||
	    !elf_range_valid(table->image->size, table->entries, size) ||
	    !elf_range_valid(table->image->size, table->strings, table->strings_size))
		return -EBADMSG;
	return size > ELF_SYMTAB_MAX || table->strings_size > ELF_SYMTAB_MAX ? -EFBIG : 0;
}

/* Without a usable hash the length is unknown here, and section headers have to tell it. */
static int open_dynamic(const struct elf_image *image, struct elf_symtab *table)
{
	struct elf_dynamic dynamic;
	uint32_t chains;
	int ret = elf_dynamic_read(image, &dynamic);

	if (ret)
		return ret;
	if (!dynamic.symbols || !dynamic.strings || dynamic.symbol_size != sizeof(Elf64_Sym))
		return -ENOENT;
	table->entries = dynamic.symbols;
	table->strings = dynamic.strings;
	table->strings_size = dynamic.strings_size;
	table->versions = dynamic.versions;
	if (dynamic.gnu_hash && !open_hash(image, dynamic.gnu_hash, &table->hash) &&
	    !count_hashed(image, &table->hash, &table->count))
		return check_ranges(table);
	table->hash.buckets_count = 0;
	if (!dynamic.sysv_hash)
		return -ENOENT;
	/* gABI: nbucket, nchain, ...; there is one chain word per symbol. */
	ret = read_word(image, dynamic.sysv_hash, 1, &chains);
	table->count = chains;
	return ret ? ret : check_ranges(table);
}

static int find_versions(const struct elf_image *image, uint64_t *versions)
{
	Elf64_Shdr section;
	int ret = elf_image_find_section(image, SHT_GNU_versym, &section);

	*versions = ret ? 0 : section.sh_offset;
	return ret == -ENOENT ? 0 : ret;
}

static int open_section(const struct elf_image *image, struct elf_symtab *table)
{
	uint32_t type = table->kind == ELF_DYNSYM ? SHT_DYNSYM : SHT_SYMTAB;
	Elf64_Shdr section, strings;
	int ret = elf_image_find_section(image, type, &section);

	if (ret)
		return ret;
	if (section.sh_entsize != sizeof(Elf64_Sym))
		return -EBADMSG;
	ret = elf_image_section(image, section.sh_link, &strings);
	if (ret || strings.sh_type != SHT_STRTAB)
		return ret && ret != -ENOENT ? ret : -EBADMSG;
	table->entries = section.sh_offset;
	table->count = section.sh_size / sizeof(Elf64_Sym);
	table->strings = strings.sh_offset;
	table->strings_size = strings.sh_size;
	if (table->kind == ELF_DYNSYM) {
		ret = find_versions(image, &table->versions);
		if (ret)
			return ret;
	}
	return check_ranges(table);
}

int elf_symtab_open(const struct elf_image *image, enum elf_symtab_kind kind,
		    struct elf_symtab *table)
{
	int ret = -ENOENT;

	*table = (struct elf_symtab){ .image = image, .kind = kind };
	if (kind == ELF_DYNSYM)
		ret = open_dynamic(image, table);
	if (ret == 0 || ret == -ESTALE)
		return ret;
	*table = (struct elf_symtab){ .image = image, .kind = kind };
	return open_section(image, table);
}

/* --- entries ----------------------------------------------------------- */

int elf_symtab_walk(const struct elf_symtab *table, elf_symtab_visit visit, void *data)
{
	Elf64_Sym chunk[CHUNK];
	uint64_t index, have, i;
	int ret;

	for (index = 0; index < table->count; index += have) {
		have = table->count - index < CHUNK ? table->count - index : CHUNK;
		ret = elf_image_read(table->image, table->entries + index * sizeof(chunk[0]), chunk,
				     have * sizeof(chunk[0]));
		for (i = 0; !ret && i < have; i++)
			ret = visit(data, index + i, &chunk[i]);
		if (ret)
			return ret;
	}
	return 0;
}

int elf_symtab_name(const struct elf_symtab *table, const Elf64_Sym *entry, char *buffer,
		    size_t size)
{
	if (entry->st_name >= table->strings_size)
		return -EBADMSG;
	return elf_image_string(table->image, table->strings + entry->st_name,
				table->strings_size - entry->st_name, buffer, size);
}

int elf_symtab_version(const struct elf_symtab *table, uint64_t index, uint16_t *version)
{
	*version = VER_NDX_GLOBAL;
	if (!table->versions)
		return 0;
	return elf_image_read(table->image, table->versions + index * sizeof(*version), version,
			      sizeof(*version));
}
