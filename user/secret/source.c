// SPDX-License-Identifier: GPL-2.0-only
/* Sources of secrets: see source.h for the grammar. */
#include "user/secret/source.h"

#include "lib/cleanup.h"
#include "lib/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* How long the writer of a pipe may keep it open. */
#define READ_TIMEOUT (60 * NSEC_PER_SEC)

#define DIGITS	"0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"

/* What a reader needs to know, and hands on. */
struct reading {
	const struct secret_option *option;
	uint8_t *value;
	size_t size;
	struct error *err;
};

static int environment_read(struct reading *reading);
static int file_read(struct reading *reading);
static int descriptor_read(struct reading *reading);
static int credential_read(struct reading *reading);

/* By enum secret_source. */
static const struct {
	const char *prefix;
	int (*read)(struct reading *reading);
	bool trims_newline;
} source_kind[] = {
	[SECRET_FROM_ENVIRONMENT] = { NULL, environment_read, false },
	[SECRET_FROM_FILE] = { "file:", file_read, true },
	[SECRET_FROM_DESCRIPTOR] = { "fd:", descriptor_read, true },
	[SECRET_FROM_CREDENTIAL] = { "cred:", credential_read, true },
};

/* ---- the argument ---- */

static bool name_valid(const char *name, size_t size)
{
	if (size == 0 || size > SECRET_NAME_MAX || strchr(DIGITS, name[0]))
		return false;
	return strspn(name, LETTERS DIGITS) >= size;
}

static int source_parse(const char *text, size_t size, struct secret_option *option,
			struct error *err)
{
	for (size_t i = SECRET_FROM_FILE; i < ARRAY_SIZE(source_kind); i++) {
		size_t skip = strlen(source_kind[i].prefix);

		if (size < skip || memcmp(text, source_kind[i].prefix, skip) != 0)
			continue;
		if (size == skip || size - skip >= sizeof(option->place))
			return error_config(err, -EINVAL,
					    "-s %s=%s... is %s; write file:PATH, fd:N or cred:ID",
					    option->name, source_kind[i].prefix,
					    size == skip ? "empty after the colon" : "too long");
		option->source = (enum secret_source)i;
		memcpy(option->place, text + skip, size - skip);
		return 0;
	}
	return error_config(err, -EINVAL,
			    "-s %s=...: unknown source; write file:PATH, fd:N or cred:ID (a value "
			    "itself must not stand in the arguments, where every user can read it)",
			    option->name);
}

int secret_option_parse(const char *text, struct secret_option *option, struct error *err)
{
	const char *at = strrchr(text, '@');
	size_t head = at ? (size_t)(at - text) : strlen(text);
	const char *equals = memchr(text, '=', head);
	size_t name = equals ? (size_t)(equals - text) : head;

	*option = (struct secret_option){ .source = SECRET_FROM_ENVIRONMENT };
	if (!name_valid(text, name))
		return error_config(err, -EINVAL,
				    "-s: what stands before %s is no name of a variable (letters, "
				    "digits and _, at most %d); write -s NAME@HOST",
				    equals ? "'='" : "'@'", SECRET_NAME_MAX);
	memcpy(option->name, text, name);
	if (!at || !at[1])
		return error_config(err, -EINVAL,
				    "secret %s has no host, so it could be sent nowhere; write -s "
				    "%s@HOST, or @'*' for any destination",
				    option->name, option->name);
	option->hosts = at + 1;
	if (!equals)
		return 0;
	return source_parse(equals + 1, head - name - 1, option, err);
}

/* ---- the value ---- */

/* Reads to the end, or until the slot is full, which is more than a secret may have. */
static int read_to_end(int fd, struct reading *reading)
{
	uint64_t deadline = clock_now() + READ_TIMEOUT;

	while (reading->size < SECRET_SLOT_SIZE) {
		struct pollfd readable = { .fd = fd, .events = POLLIN };
		int64_t left = (int64_t)(deadline - clock_now()) / (int64_t)NSEC_PER_MSEC;
		int ready = left > 0 ? poll(&readable, 1, (int)left) : 0;
		ssize_t got;

		if (ready == 0)
			return -ETIMEDOUT;
		if (ready < 0 && errno == EINTR)
			continue;
		got = read(fd, reading->value + reading->size, SECRET_SLOT_SIZE - reading->size);
		if (got == 0)
			return 0;
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		reading->size += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

static int environment_read(struct reading *reading)
{
	const char *name = reading->option->name;
	const char *value = getenv(name);

	if (!value)
		return error_config(reading->err, -ENOENT,
				    "environment variable %s is not set; set it, or write -s "
				    "%s=file:PATH@HOST",
				    name, name);
	reading->size = strnlen(value, SECRET_SLOT_SIZE);
	memcpy(reading->value, value, reading->size);
	return 0;
}

/* Links are followed: the files of a mounted Kubernetes secret are symbolic links. */
static int path_read(struct reading *reading, int directory, const char *path)
{
	const char *name = reading->option->name;
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	CLEANUP_FD int fd = openat(directory, path, flags);
	struct stat stat;
	int ret;

	if (fd < 0 || fstat(fd, &stat) < 0)
		return error_config(reading->err, -errno,
				    "cannot open %s for secret %s: %s; check the path and its "
				    "permissions",
				    path, name, strerror(errno));
	if (!S_ISREG(stat.st_mode))
		return error_config(reading->err, -EINVAL,
				    "%s for secret %s is not a regular file; for a pipe write -s "
				    "%s=fd:N@HOST",
				    path, name, name);
	if (stat.st_mode & S_IROTH)
		warning("every user of this machine may read %s (secret %s); chmod 600 it", path,
			name);
	ret = read_to_end(fd, reading);
	if (ret < 0)
		return error_config(reading->err, ret, "cannot read %s for secret %s: %s", path,
				    name, strerror(-ret));
	return 0;
}

static int file_read(struct reading *reading)
{
	return path_read(reading, AT_FDCWD, reading->option->place);
}

static int credential_read(struct reading *reading)
{
	const char *id = reading->option->place;
	const char *path = getenv("CREDENTIALS_DIRECTORY");
	CLEANUP_FD int directory = -1;

	if (strchr(id, '/') || strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
		return error_config(reading->err, -EINVAL,
				    "secret %s: cred:%s is no name of a credential; write the name "
				    "of LoadCredential= only",
				    reading->option->name, id);
	if (!path || path[0] != '/')
		return error_config(reading->err, -ENOENT,
				    "secret %s: there are no credentials ($CREDENTIALS_DIRECTORY "
				    "is not set); start Kloak from a systemd unit with "
				    "LoadCredential=%s:PATH",
				    reading->option->name, id);
	directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return error_config(reading->err, -errno,
				    "secret %s: cannot open the credentials directory %s: %s; run "
				    "Kloak as the unit's user",
				    reading->option->name, path, strerror(errno));
	return path_read(reading, directory, id);
}

/* A child could read a file again from its start through the same descriptor. */
static int descriptor_retire(int fd)
{
	CLEANUP_FD int null = -1;

	if (fd > STDERR_FILENO)
		return close(fd) ? -errno : 0;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	return null < 0 || dup2(null, fd) < 0 ? -errno : 0;
}

static int descriptor_read(struct reading *reading)
{
	const char *name = reading->option->name;
	const char *text = reading->option->place;
	char *end = NULL;
	long fd = strtol(text, &end, 10);
	int ret;

	if (!strchr(DIGITS, text[0]) || *end || fd > INT_MAX)
		return error_config(reading->err, -EINVAL,
				    "secret %s: fd:%s is no descriptor number; write fd:3 and put "
				    "3<FILE after the command",
				    name, text);
	if (fcntl((int)fd, F_GETFD) < 0)
		return error_config(reading->err, -EBADF,
				    "secret %s: descriptor %ld is not open, or was read before; "
				    "put %ld<FILE after the command",
				    name, fd, fd);
	ret = read_to_end((int)fd, reading);
	if (ret == 0)
		ret = descriptor_retire((int)fd);
	if (ret < 0)
		return error_config(reading->err, ret,
				    "secret %s: cannot read descriptor %ld to its end: %s; write "
				    "the secret to it and close it",
				    name, fd, strerror(-ret));
	return 0;
}

static void newline_trim(struct reading *reading)
{
	const uint8_t *value = reading->value;
	size_t size = reading->size;

	if (size == 0 || value[size - 1] != '\n')
		return;
	reading->size -= size > 1 && value[size - 2] == '\r' ? 2 : 1;
}

static int value_check(const struct reading *reading)
{
	const char *name = reading->option->name;
	const uint8_t *value = reading->value;
	size_t size = reading->size;

	if (size == 0)
		return error_config(reading->err, -EINVAL, "secret %s is empty; give it a value",
				    name);
	if (size < SECRET_MIN)
		return error_config(reading->err, -EINVAL,
				    "secret %s has %zu byte%s; it must have at least %d, or other "
				    "data could be taken for its placeholder",
				    name, size, size == 1 ? "" : "s", SECRET_MIN);
	if (size > SECRET_MAX)
		return error_config(reading->err, -EINVAL,
				    "secret %s has more than %d bytes; longer secrets are not "
				    "supported yet",
				    name, SECRET_MAX);
	if (memchr(value, 0, size))
		return error_config(reading->err, -EINVAL,
				    "secret %s holds a NUL byte, which no environment variable can "
				    "hold; store it as text (base64, hex)",
				    name);
	if (memcmp(value, PLACEHOLDER_PREFIX, PLACEHOLDER_PREFIX_SIZE) == 0)
		return error_config(reading->err, -EINVAL,
				    "secret %s is itself a placeholder (\"" PLACEHOLDER_PREFIX
				    "...\"); start Kloak outside of another kloak run",
				    name);
	return 0;
}

int secret_source_read(const struct secret_option *option, uint8_t value[static SECRET_SLOT_SIZE],
		       size_t *size, struct error *err)
{
	struct reading reading = { .option = option, .value = value, .err = err };
	int ret = source_kind[option->source].read(&reading);

	if (ret < 0)
		return ret;
	if (source_kind[option->source].trims_newline)
		newline_trim(&reading);
	*size = reading.size;
	return value_check(&reading);
}
