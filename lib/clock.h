/* SPDX-License-Identifier: GPL-2.0-only */
/* Time that only moves forward: CLOCK_MONOTONIC, in nanoseconds, as the kernel's events have it. */
#ifndef KLOAK_LIB_CLOCK_H
#define KLOAK_LIB_CLOCK_H

#include <stdint.h>

#define NSEC_PER_SEC  1000000000ULL
#define NSEC_PER_MSEC 1000000ULL

uint64_t clock_now(void);

/* A @moment of clock_now() on CLOCK_REALTIME: nanoseconds since 1970. */
uint64_t clock_real(uint64_t moment);

#endif
