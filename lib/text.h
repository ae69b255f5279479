/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading small text files of the system (/proc, /sys, /etc) in one piece. */
#ifndef KLOAK_LIB_TEXT_H
#define KLOAK_LIB_TEXT_H

#include <stddef.h>

/*
 * Reads the regular file @path, at most @limit bytes, and returns a NUL-ended
 * copy in *@text, which the caller frees. -EFBIG if there is more, -EINVAL if
 * it is not a regular file (a FIFO must not block us), else open(2)'s errno.
 */
int text_read(const char *path, size_t limit, char **text);

/*
 * Takes the next line from the text at *@rest, which moves on: the newline
 * becomes NUL. Returns NULL after the last line. An embedded NUL ends the text.
 */
char *text_line(char **rest);

#endif
