// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints how many thousand times a second this machine's time stamp counter ticks.
 *
 * QEMU hands the counter through to its guests. One that measures it while the machine
 * is busy gets it wrong, and its clock runs away; so the guest is told.
 */
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define NS_PER_MS   1000000LL
#define MEASURED_MS 200

static long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000 * NS_PER_MS + ts.tv_nsec;
}

int main(void)
{
	long long start = now(), end;
	unsigned long long first = __rdtsc(), last;

	do {
		end = now();
		last = __rdtsc();
	} while (end - start < MEASURED_MS * NS_PER_MS);
	printf("%llu\n", (last - first) * NS_PER_MS / (unsigned long long)(end - start));
	return 0;
}
