// SPDX-License-Identifier: GPL-2.0-only
/* DNS names: see name.h. */
#include "user/policy/name.h"

#include <errno.h>
#include <string.h>

#define LABEL_MAX 63
#define LETTERS	  "abcdefghijklmnopqrstuvwxyz"
#define DIGITS	  "0123456789"

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* NULL if the @size bytes of @label are one, or what is wrong. */
static const char *label_fault(const char *label, size_t size)
{
	if (size == 0)
		return "it has an empty label; check the dots";
	if (size > LABEL_MAX)
		return "a label has more than 63 characters; check the name";
	if (label[0] == '-' || label[size - 1] == '-')
		return "a label begins or ends with '-'; check the name";
	return NULL;
}

static const char *character_fault(const char *name)
{
	size_t valid = strspn(name, LETTERS DIGITS "-_.");

	if (name[valid] == '\0')
		return NULL;
	if (name[valid] & 0x80)
		return "it is not ASCII; write the A-label (xn--...), as idn2(1) prints it";
	if (name[valid] == '*')
		return "'*' stands for whole labels at the front only; write *.example.com";
	if (name[valid] == '/')
		return "it holds a '/'; write the host only, without https:// and path";
	return "it holds a character that no DNS name has; write letters, digits, '-' and '.'";
}

/* WHATWG URL, "ends in a number": digits, or 0x and hexadecimal digits. */
static bool number_like(const char *label)
{
	if (label[0] == '0' && label[1] == 'x')
		return label[2 + strspn(label + 2, DIGITS "abcdef")] == '\0';
	return label[strspn(label, DIGITS)] == '\0';
}

static const char *labels_fault(const char *name)
{
	const char *label = name;

	for (;;) {
		const char *dot = strchrnul(label, '.');
		const char *fault = label_fault(label, (size_t)(dot - label));

		if (fault)
			return fault;
		if (*dot == '\0')
			break;
		label = dot + 1;
	}
	if (number_like(label))
		return "its last label is a number: neither a name nor an address; check it";
	return NULL;
}

int name_normalise(const char *text, size_t size, char name[static NAME_SIZE], const char **why)
{
	memset(name, 0, NAME_SIZE);
	if (size > 0 && text[size - 1] == '.')
		size--;
	*why = "it is longer than 253 characters; check the name";
	if (size > NAME_MAX_BYTES)
		return -EINVAL;
	*why = "it is empty; write a host";
	if (size == 0)
		return -EINVAL;
	*why = "it holds a NUL byte; check the name";
	if (memchr(text, 0, size))
		return -EINVAL;
	for (size_t i = 0; i < size; i++)
		name[i] = fold(text[i]);
	*why = character_fault(name);
	if (!*why)
		*why = labels_fault(name);
	return *why ? -EINVAL : 0;
}

bool name_matches(const char *pattern, const char *name)
{
	size_t size = strlen(name);
	size_t suffix;

	if (pattern[0] != '*')
		return strcmp(pattern, name) == 0;
	suffix = strlen(++pattern); /* ".example.com" */
	return size > suffix && strcmp(name + size - suffix, pattern) == 0;
}
