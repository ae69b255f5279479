/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loading Kloak's BPF objects: life cycle
 *
 *	bpf_object_open()	index the embedded ELF file
 *	bpf_object_set()	patch variables (constants of the programs, if in .rodata)
 *	bpf_object_load()	make or reuse maps, load every program
 *	bpf_object_program()	fds for user/bpf/link.h
 *	bpf_object_close()	drop the programs; links made from them stay
 *
 * Objects share maps by name through a struct bpf_map_set: the first object
 * that defines a map makes it, later ones must define it alike. Variables
 * (.rodata, .data, .bss) belong to one object and are never shared.
 *
 * Conventions of the objects: kernel/bpf.h. One program per function: a global
 * function in a section whose name says its type, which no code calls.
 * Functions that a program calls, or passes to bpf_loop, are copied after it.
 */
#ifndef KLOAK_BPF_OBJECT_H
#define KLOAK_BPF_OBJECT_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "user/bpf/map_set.h"

struct bpf_object;

/*
 * @data must stay until bpf_object_load() has returned. @name is for error
 * sentences. On failure -errno and a sentence; *@object is then NULL.
 */
int bpf_object_open(struct bpf_object **object, const char *name, const void *data, size_t size,
		    struct error *err);

/*
 * Gives a variable its first value. -ENOENT: no such variable; -EINVAL: it has
 * another size. After loading: -EBUSY.
 */
int bpf_object_set(struct bpf_object *object, const char *variable, const void *value, size_t size);

/*
 * Programs of sections uprobe* and uretprobe* will be attached by
 * link_create_uprobe_multi() (and can then be attached in no other way), or,
 * by default, by link_create_uprobe(). The kernel wants to know before loading.
 */
void bpf_object_use_uprobe_multi(struct bpf_object *object, bool multi);

/*
 * Loads everything and releases what was needed for it (all of the index and
 * buffers). On failure -errno and a sentence; bpf_object_log() may have more.
 * Programs that were loaded before the failure stay until bpf_object_close().
 */
int bpf_object_load(struct bpf_object *object, struct bpf_map_set *set, struct error *err);

/*
 * The same for several objects, one thread for each: verifying a large program
 * takes 50 ms, which nobody should wait for twice.
 */
#define BPF_OBJECT_LOAD_MAX 8
int bpf_object_load_all(struct bpf_object *const *objects, unsigned int count,
			struct bpf_map_set *set, struct error *err);

/* Last lines of the verifier's log if it refused a program, else "". */
const char *bpf_object_log(const struct bpf_object *object);

/* The fd of a loaded program, owned by the object; -ENOENT. */
int bpf_object_program(const struct bpf_object *object, const char *name);

/* NULL is allowed. */
void bpf_object_close(struct bpf_object *object);

#endif
