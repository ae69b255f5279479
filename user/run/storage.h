/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether the kernel gives sockets the storage that the data path keeps in them. */
#ifndef KLOAK_RUN_STORAGE_H
#define KLOAK_RUN_STORAGE_H

#include "lib/error.h"

/*
 * Asks for an element of @map (BPF_MAP_TYPE_SK_STORAGE) on a socket of ours, in this
 * network namespace: where that has none, those of the command have none, and nothing
 * would ever be swapped. Returns 0, or -errno with a sentence.
 */
int storage_try(int map, struct error *err);

#endif
