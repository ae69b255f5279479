// SPDX-License-Identifier: GPL-2.0-only
/* Whole small text files: see text.h for the contract. */
#include "lib/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

#define STEP 4096

/* /proc files have size 0, so the buffer grows with what comes. */
static int read_all(int fd, size_t limit, char **text)
{
	CLEANUP_FREE char *buffer = NULL;
	size_t size = 0, used = 0;

	for (;;) {
		ssize_t got;

		if (size - used < 2) {
			char *larger = realloc(buffer, size ? size * 2 : STEP);

			if (!larger)
				return -ENOMEM;
			buffer = larger;
			size = size ? size * 2 : STEP;
		}
		got = read(fd, buffer + used, size - used - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		used += (size_t)got;
		if (used > limit)
			return -EFBIG;
		if (got == 0)
			break;
	}
	buffer[used] = '\0';
	*text = TAKE_PTR(buffer);
	return 0;
}

int text_read(const char *path, size_t limit, char **text)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0 || fstat(fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	return read_all(fd, limit, text);
}

char *text_line(char **rest)
{
	char *line = *rest, *end;

	if (!*line)
		return NULL;
	end = strchrnul(line, '\n');
	*rest = *end ? end + 1 : end;
	*end = '\0';
	return line;
}
