// SPDX-License-Identifier: GPL-2.0-only
/* Trying what the kernel can do: see feature.h for the contract. */
#include "user/bpf/feature.h"

#include <errno.h>
#include <link.h>
#include <linux/btf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "elf/btf.h"
#include "lib/cleanup.h"
#include "user/bpf/insn.h"
#include "user/bpf/link.h"
#include "user/bpf/map.h"
#include "user/bpf/prog.h"
#include "user/bpf/syscall.h"

static int load(uint32_t type, uint32_t attach_type, uint32_t flags, const struct bpf_insn *insns,
		size_t count)
{
	return bpf_prog_load(
		&(struct bpf_prog_source){
			.name = "probe",
			.type = type,
			.expected_attach_type = attach_type,
			.flags = flags,
			.license = "GPL",
			.insns = insns,
			.insn_count = (uint32_t)count,
			.btf = -1,
		},
		NULL, NULL);
}

static int load_return_zero(uint32_t type, uint32_t attach_type)
{
	const struct bpf_insn insns[] = { BPF_SET(BPF_REG_0, 0), BPF_RETURN() };

	return load(type, attach_type, 0, insns, ARRAY_SIZE(insns));
}

static int close_result(int fd)
{
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int try_program(void)
{
	return close_result(load_return_zero(BPF_PROG_TYPE_KPROBE, 0));
}

static int try_map(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t max_entries)
{
	const struct bpf_map_shape shape = { type, key_size, value_size, max_entries, 0 };

	return close_result(bpf_map_create("probe", &shape));
}

static int try_ringbuf(void)
{
	return try_map(BPF_MAP_TYPE_RINGBUF, 0, 0, (uint32_t)sysconf(_SC_PAGESIZE));
}

/* Linux 7 makes the map anywhere, but gives a socket its part only with cmpxchg16b. */
static int try_sk_storage(void)
{
	const struct bpf_map_shape shape = { BPF_MAP_TYPE_SK_STORAGE, sizeof(uint32_t), 64, 0, 0 };
	CLEANUP_FD int map = bpf_map_create("probe", &shape);
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const uint8_t value[64] = { 0 };

	if (map < 0)
		return map;
	return fd < 0 ? -errno : bpf_map_update(map, &fd, value, BPF_ANY);
}

static int try_sockhash(void)
{
	const struct bpf_map_shape shape = { BPF_MAP_TYPE_SOCKHASH, 8, 8, 1, 0 };
	CLEANUP_FD int map = bpf_map_create("probe", &shape);
	CLEANUP_FD int prog = -1;

	if (map < 0)
		return map;
	prog = load_return_zero(BPF_PROG_TYPE_SK_MSG, BPF_SK_MSG_VERDICT);
	return prog < 0 ? prog : bpf_prog_attach_map(prog, map, BPF_SK_MSG_VERDICT);
}

/* A callback must be known as a static function, so this program needs BTF. */
static int load_loop_btf(uint32_t *main, uint32_t *callback)
{
	const struct btf_value result = { BTF_VALUE_SCALAR, 4, true, "", "" };
	CLEANUP_FREE void *blob = NULL;
	struct btf_writer writer;
	uint32_t size;
	int ret;

	btf_writer_init(&writer);
	*main = btf_write_function(&writer, &(struct btf_function){
						    .name = "probe",
						    .linkage = BTF_FUNC_GLOBAL,
						    .result = result,
					    });
	*callback = btf_write_function(&writer, &(struct btf_function){
							.name = "callback",
							.linkage = BTF_FUNC_STATIC,
							.result = result,
						});
	ret = btf_writer_finish(&writer, &blob, &size);
	return ret ? ret : bpf_btf_load(blob, size);
}

static int try_loop(void)
{
	const struct bpf_insn insns[] = {
		BPF_SET(BPF_REG_1, 1),
		BPF_SET_WIDE(BPF_REG_2, BPF_PSEUDO_FUNC, 6), /* instruction 8 */
		BPF_SET(BPF_REG_3, 0),
		BPF_SET(BPF_REG_4, 0),
		BPF_HELPER(BPF_FUNC_loop),
		BPF_SET(BPF_REG_0, 0),
		BPF_RETURN(),
		BPF_SET(BPF_REG_0, 1),
		BPF_RETURN(),
	};
	struct bpf_func_info functions[] = { { .insn_off = 0 }, { .insn_off = 8 } };
	CLEANUP_FD int btf = load_loop_btf(&functions[0].type_id, &functions[1].type_id);

	if (btf < 0)
		return btf;
	return close_result(bpf_prog_load(
		&(struct bpf_prog_source){
			.name = "probe",
			.type = BPF_PROG_TYPE_KPROBE,
			.license = "GPL",
			.insns = insns,
			.insn_count = ARRAY_SIZE(insns),
			.btf = btf,
			.functions = functions,
			.function_count = ARRAY_SIZE(functions),
		},
		NULL, NULL));
}

/* --- probes, tried on ourselves --------------------------------------- */

/* Must stay a function with an address and a caller that the compiler cannot merge away. */
__attribute__((noinline)) static void probe_target(void)
{
	__asm__ volatile("nop" ::: "memory");
}

static int find_target(struct dl_phdr_info *info, size_t size, void *context)
{
	const uintptr_t address = (uintptr_t)probe_target - info->dlpi_addr;
	uint64_t *offset = context;
	int i;

	(void)size;
	for (i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
		    address - segment->p_vaddr < segment->p_filesz) {
			*offset = address - segment->p_vaddr + segment->p_offset;
			return 1; /* the first object is the program itself */
		}
	}
	return 0;
}

/* A program that adds one to the value at element 0 of @map. */
static int load_counter(int map, uint32_t attach_type, uint32_t flags)
{
	const struct bpf_insn insns[] = {
		BPF_SET_WIDE(BPF_REG_1, BPF_PSEUDO_MAP_VALUE, (uint32_t)map),
		BPF_SET(BPF_REG_2, 1),
		BPF_INSN(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_1, BPF_REG_2, 0, BPF_ADD),
		BPF_SET(BPF_REG_0, 0),
		BPF_RETURN(),
	};

	return load(BPF_PROG_TYPE_KPROBE, attach_type, flags, insns, ARRAY_SIZE(insns));
}

static int attach_to_self(int prog, uint64_t offset, uint32_t attach_type)
{
	if (attach_type == KLOAK_BPF_TRACE_UPROBE_MULTI)
		return link_create_uprobe_multi(prog, "/proc/self/exe", &offset, 1, false);
	return link_create_uprobe(prog, "/proc/self/exe", offset, false);
}

static int try_probe(uint32_t attach_type, uint32_t flags)
{
	const struct bpf_map_shape shape = { BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0 };
	CLEANUP_FD int map = bpf_map_create("probe", &shape);
	CLEANUP_FD int prog = -1;
	CLEANUP_FD int link = -1;
	uint64_t hits = 0, offset = 0;
	int ret;

	if (map < 0)
		return map;
	prog = load_counter(map, attach_type, flags);
	if (prog < 0)
		return prog;
	if (!dl_iterate_phdr(find_target, &offset))
		return -ENOENT;
	link = attach_to_self(prog, offset, attach_type);
	if (link < 0)
		return link;
	probe_target();
	ret = bpf_map_lookup(map, &(uint32_t){ 0 }, &hits);
	return ret ? ret : hits == 1 ? 0 : -ENODATA;
}

static int try_uprobe(void)
{
	return try_probe(0, 0);
}

static int try_sleepable_uprobe(void)
{
	return try_probe(0, BPF_F_SLEEPABLE);
}

static int try_multi_probe(void)
{
	return try_probe(KLOAK_BPF_TRACE_UPROBE_MULTI, BPF_F_SLEEPABLE);
}

static int load_uprobe_multi(void)
{
	const struct bpf_insn insns[] = { BPF_SET(BPF_REG_0, 0), BPF_RETURN() };

	return load(BPF_PROG_TYPE_KPROBE, KLOAK_BPF_TRACE_UPROBE_MULTI, BPF_F_SLEEPABLE, insns,
		    ARRAY_SIZE(insns));
}

/*
 * Asks for a link on a directory. A kernel that knows these links comes to look
 * at the file and says EBADF; others say EINVAL at once. A real probe would
 * cost 50 ms when it is removed, in the way of every start of a command.
 */
static int try_uprobe_multi(void)
{
	CLEANUP_FD int prog = load_uprobe_multi();
	CLEANUP_FD int link = -1;

	if (prog < 0)
		return prog;
	link = link_create_uprobe_multi(prog, "/", &(uint64_t){ 0 }, 1, false);
	return link == -EBADF || link >= 0 ? 0 : link;
}

int bpf_prime_uprobes(void)
{
	static const uint8_t code[16] = { 0x90 }; /* nop */
	CLEANUP_FD int prog = load_uprobe_multi();
	CLEANUP_FD int file = memfd_create("kloak", MFD_CLOEXEC);
	char path[32];

	if (prog < 0 || file < 0)
		return -ENOTSUP;
	if (write(file, code, sizeof(code)) != (ssize_t)sizeof(code))
		return -EIO;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return link_create_uprobe_multi(prog, path, &(uint64_t){ 0 }, 1, false);
}

/* ----------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*try)(void);
} features[] = {
	[BPF_FEATURE_PROGRAM] = { "BPF programs", try_program },
	[BPF_FEATURE_RINGBUF] = { "ring buffer", try_ringbuf },
	[BPF_FEATURE_SK_STORAGE] = { "socket storage", try_sk_storage },
	[BPF_FEATURE_SOCKHASH] = { "sockhash with sk_msg", try_sockhash },
	[BPF_FEATURE_LOOP] = { "bpf_loop", try_loop },
	[BPF_FEATURE_UPROBE] = { "uprobes", try_uprobe },
	[BPF_FEATURE_SLEEPABLE_UPROBE] = { "sleepable uprobes", try_sleepable_uprobe },
	[BPF_FEATURE_UPROBE_MULTI] = { "uprobe_multi links", try_uprobe_multi },
	[BPF_FEATURE_MULTI_PROBE] = { "a probe by a uprobe_multi link", try_multi_probe },
};

_Static_assert(ARRAY_SIZE(features) == BPF_FEATURE_COUNT, "one trial for each feature");

int bpf_feature_probe(enum bpf_feature feature)
{
	static struct {
		bool tried;
		int result;
	} results[BPF_FEATURE_COUNT];

	if (!results[feature].tried) {
		results[feature].result = features[feature].try();
		results[feature].tried = true;
	}
	return results[feature].result;
}

bool bpf_feature_has(enum bpf_feature feature)
{
	return !bpf_feature_probe(feature);
}

const char *bpf_feature_name(enum bpf_feature feature)
{
	return features[feature].name;
}
