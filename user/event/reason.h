/* SPDX-License-Identifier: GPL-2.0-only */
/* Why a placeholder left unchanged, in words: stable names for JSON, advice for people. */
#ifndef KLOAK_EVENT_REASON_H
#define KLOAK_EVENT_REASON_H

#include "kernel/abi.h"

struct reason_text {
	const char *name;   /* stable, for machines */
	const char *advice; /* what it means and what to do */
};

/* Never NULL; reasons that are not known are called "unknown". */
const struct reason_text *reason_text(unsigned int reason);

#endif
