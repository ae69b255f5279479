/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The DNS object, compiled for a test: maps, programs and settings by their own
 * names, in the including file. As host_kernel.h does it for the socket object.
 */
#ifndef KLOAK_SELFTESTS_HOST_DNS_H
#define KLOAK_SELFTESTS_HOST_DNS_H

#include "selftests/unit/host_bpf.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wshadow"
#include "kernel/net/dns.bpf.c"
#pragma GCC diagnostic pop

#endif
