// SPDX-License-Identifier: GPL-2.0-only
/* Prints when it started, in ns of CLOCK_MONOTONIC. It is static: little comes before main(). */
#include <stdio.h>
#include <time.h>

int main(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	printf("%lld\n", now.tv_sec * 1000000000LL + now.tv_nsec);
	return 0;
}
