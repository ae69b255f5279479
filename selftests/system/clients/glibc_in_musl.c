// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a libcrypto.a that was compiled for glibc calls and musl does not have: the checked
 * variants of functions, and contexts, which only asynchronous engines would use.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__memcpy_chk(void *to, const void *from, size_t size, size_t space)
{
	return size > space ? abort(), NULL : memcpy(to, from, size);
}

void *__memset_chk(void *to, int byte, size_t size, size_t space)
{
	return size > space ? abort(), NULL : memset(to, byte, size);
}

int __vfprintf_chk(FILE *file, int flag, const char *format, va_list list)
{
	(void)flag;
	return vfprintf(file, format, list);
}

int __fprintf_chk(FILE *file, int flag, const char *format, ...)
{
	va_list list;
	int size;

	va_start(list, format);
	size = __vfprintf_chk(file, flag, format, list);
	va_end(list);
	return size;
}

int __sprintf_chk(char *to, int flag, size_t space, const char *format, ...)
{
	va_list list;
	int size;

	(void)flag;
	va_start(list, format);
	size = vsnprintf(to, space, format, list);
	va_end(list);
	return size;
}

long __fdelt_chk(long fd)
{
	return fd / (8 * (long)sizeof(long));
}

int getcontext(void *context)
{
	(void)context;
	return -1;
}

int setcontext(const void *context)
{
	(void)context;
	return -1;
}

void makecontext(void *context, void (*function)(void), int count, ...)
{
	(void)context;
	(void)function;
	(void)count;
	abort();
}
