/* SPDX-License-Identifier: GPL-2.0-only */
/* What client and server of the benchmark agree on. */
#ifndef KLOAK_BENCH_H
#define KLOAK_BENCH_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAYLOAD_MAX 16384 /* one TLS record (RFC 8446, section 5.1) */
#define HOLE	    64	  /* where in a payload the placeholder goes */
#define HOLE_SIZE   32
#define SERVER_NAME "bench.test"

static inline __attribute__((noreturn)) void die(const char *what)
{
	fprintf(stderr, "bench: %s (%s)\n", what, strerror(errno));
	exit(1);
}

#endif
