// SPDX-License-Identifier: GPL-2.0-only
/* Reading the clock: see clock.h. */
#include "lib/clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id)
{
	struct timespec time;

	clock_gettime(id, &time);
	return (uint64_t)time.tv_sec * NSEC_PER_SEC + (uint64_t)time.tv_nsec;
}

uint64_t clock_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_real(uint64_t moment)
{
	uint64_t real = read_clock(CLOCK_REALTIME);

	return real - (clock_now() - moment);
}
