/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The socket object and what hooks are made of, compiled for a test: maps,
 * programs and functions of kernel/ by their own names, in the including file.
 *
 * The kernel side is written for clang and the verifier; warnings that it does not
 * heed are switched off for it alone.
 */
#ifndef KLOAK_SELFTESTS_HOST_KERNEL_H
#define KLOAK_SELFTESTS_HOST_KERNEL_H

#include "selftests/unit/host_bpf.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wshadow"
#include "kernel/net/socket.bpf.c"
/* The hooks' side of the same maps. */
#define STAGE_MOVES host.moves
#include "kernel/hook/keys.h"
#include "kernel/hook/scan.h"
#pragma GCC diagnostic pop

#endif
