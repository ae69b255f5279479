// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks for a terminal request by a way into the kernel that libc does not take. argv:
 *
 *	i386 | x32 | x64	the way; x64-as-x32: 64-bit ioctl's number with x32's bit,
 *				x32-as-x64: x32's without it
 *	REQUEST			in hexadecimal, with more than 32 bits if so wished
 *
 * The argument is the byte 'x'. Prints errno's number, 0 if it worked. TIOCSTI on the
 * terminal on standard input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define IOCTL_X64  16L
#define IOCTL_X32  514L
#define IOCTL_I386 54L
#define X32_BIT	   0x40000000L

static long enter_64(long number, unsigned long request, void *argument)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(0L), "S"(request), "d"(argument)
			 : "rcx", "r11", "memory");
	return result;
}

static long enter_32(long number, unsigned long request, void *argument)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(0L), "c"(request), "d"(argument)
			 : "r8", "r9", "r10", "r11", "memory");
	return result;
}

static const struct {
	const char *name;
	long (*enter)(long number, unsigned long request, void *argument);
	long number;
} ways[] = {
	{ "x64", enter_64, IOCTL_X64 },
	{ "x32", enter_64, IOCTL_X32 | X32_BIT },
	{ "x64-as-x32", enter_64, IOCTL_X64 | X32_BIT },
	{ "x32-as-x64", enter_64, IOCTL_X32 },
	{ "i386", enter_32, IOCTL_I386 },
};

int main(int argc, char **argv)
{
	/* Below 4 GB: a 32-bit call has no room for more. */
	char *argument = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (argc != 3 || argument == MAP_FAILED)
		return 2;
	*argument = 'x';
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (strcmp(argv[1], ways[i].name) == 0) {
			printf("%ld\n", -ways[i].enter(ways[i].number, strtoul(argv[2], NULL, 16),
						       argument));
			return 0;
		}
	return 2;
}
