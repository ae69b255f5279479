/* SPDX-License-Identifier: GPL-2.0-only */
/* Decimal numbers in options and rules, in one form only: no sign, blank or leading zero. */
#ifndef KLOAK_LIB_NUMBER_H
#define KLOAK_LIB_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

/* Are the @size bytes of @text digits, and at least one? */
bool number_digits(const char *text, size_t size);

/* Returns the number, 0 to @max, or -EINVAL. */
int number_parse(const char *text, size_t size, int max);

#endif
