// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a run has to say at its start about a program of which nothing is hooked: see
 * explain_doubt(). Wrong alarms would teach people to overlook it. So nothing is said of
 * what starts other programs (a shell, make, npm) or loads libraries (Python), unless it
 * has TLS of its own that is not hooked.
 */
#include "user/explain/explain.h"

static bool starts_others(const struct explain *explain)
{
	for (size_t i = 0; i < explain->count; i++)
		if (explain->files[i].role == EXPLAIN_PROGRAM && explain->files[i].starts_others)
			return true;
	return false;
}

static bool loads_more(const struct explain *explain)
{
	for (size_t i = 0; i < explain->count; i++)
		if (explain->files[i].loads_more)
			return true;
	return false;
}

/* TLS that is there and is not hooked. Labels of the protocol alone are in busybox, too. */
static bool is_certain(const struct explain *explain)
{
	if (explain->reason == EXPLAIN_CUSTOM)
		return !starts_others(explain);
	return explain->reason >= EXPLAIN_PACKED && explain->reason < EXPLAIN_CUSTOM;
}

const char *explain_doubt(const struct explain *explain, bool certain)
{
	if (explain->state != EXPLAIN_NOT)
		return NULL;
	if (is_certain(explain))
		return explain_reasons[explain->reason].text;
	switch (explain->reason) {
	case EXPLAIN_32_BIT:
	case EXPLAIN_MACHINE:
	case EXPLAIN_UNREADABLE:
		return certain ? NULL : explain_reasons[explain->reason].text;
	case EXPLAIN_CRYPTO_ONLY:
	case EXPLAIN_QUIC:
	case EXPLAIN_NO_TLS:
		return certain || starts_others(explain) || loads_more(explain)
			       ? NULL
			       : explain_reasons[explain->reason].text;
	default:
		return NULL;
	}
}
