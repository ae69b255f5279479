// SPDX-License-Identifier: GPL-2.0-only
/* Decimal numbers: see number.h. */
#include "lib/number.h"

#include <errno.h>

bool number_digits(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return size > 0;
}

int number_parse(const char *text, size_t size, int max)
{
	long long number = 0;

	if (!number_digits(text, size) || (size > 1 && text[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < size && number <= max; i++)
		number = number * 10 + (text[i] - '0');
	return number <= max ? (int)number : -EINVAL;
}
