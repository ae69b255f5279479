// SPDX-License-Identifier: GPL-2.0-only
/* Files of a user that root may not read: see foreign.h. */
#include "user/attach/foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/text.h"

#define CHUNK	    (1U << 20)
#define STATUS_TEXT 65536

/* What the helper says: first that the file is open, then that it has been copied. */
struct foreign_message {
	int code; /* 0 or -errno */
	struct stat status;
};

bool foreign_may_help(const struct account *reader, int error)
{
	return reader && reader->uid && (error == -EACCES || error == -EPERM);
}

/* --- the helper --------------------------------------------------------- */

static int say(int channel, int code, const struct stat *status, int fd)
{
	struct foreign_message message = { .code = code };
	struct iovec part = { .iov_base = &message, .iov_len = sizeof(message) };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(fd))];
	} control = { 0 };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };

	if (status)
		message.status = *status;
	if (fd >= 0) {
		header.msg_control = &control;
		header.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	return sendmsg(channel, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t done = write(fd, data, size);

		if (done <= 0)
			return done ? -errno : -EIO;
		data += done;
		size -= (size_t)done;
	}
	return 0;
}

static int copy(int from, int to)
{
	static char buffer[CHUNK];
	int64_t total = 0;

	for (;;) {
		ssize_t size = read(from, buffer, sizeof(buffer));
		int ret;

		if (size <= 0)
			return size ? -errno : 0;
		total += size;
		ret = total > FOREIGN_BYTES_MAX ? -EFBIG : write_all(to, buffer, (size_t)size);
		if (ret)
			return ret;
	}
}

/* Only @channel and @memory stay open. */
static int give_up_rights(const struct account *reader, int channel, int memory)
{
	unsigned int low = (unsigned int)(channel < memory ? channel : memory);
	unsigned int high = (unsigned int)(channel < memory ? memory : channel);

	if (low && syscall(SYS_close_range, 0, low - 1, 0))
		return -errno;
	if ((high > low + 1 && syscall(SYS_close_range, low + 1, high - 1, 0)) ||
	    syscall(SYS_close_range, high + 1, ~0U, 0))
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -errno;
	return account_assume(reader);
}

/* Changing ids may have made it dumpable (fs.suid_dumpable), and clears the signal. */
static int be_closed(void)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -errno;
	return 0;
}

static int help(const struct account *reader, const char *path, int channel, int memory)
{
	struct stat status;
	int fd, origin, ret = give_up_rights(reader, channel, memory);
	char link[32], go;

	if (!ret)
		ret = be_closed();
	if (ret)
		return ret;
	fd = file_open_regular(path, &status);
	if (fd < 0)
		return fd;
	if (status.st_size > FOREIGN_BYTES_MAX)
		return -EFBIG;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	origin = open(link, O_PATH | O_CLOEXEC);
	if (origin < 0)
		return -errno;
	ret = say(channel, 0, &status, origin);
	if (!ret && read(channel, &go, 1) != 1)
		ret = -ECANCELED;
	return ret ? ret : copy(fd, memory);
}

/* --- Kloak's side ------------------------------------------------------- */

static int wait_readable(int fd, uint64_t end)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	uint64_t now = clock_now();
	int ret;

	if (now >= end)
		return -ETIMEDOUT;
	ret = poll(&poll_fd, 1, (int)((end - now) / NSEC_PER_MSEC) + 1);
	if (ret < 0)
		return errno == EINTR ? 0 : -errno;
	return ret ? 0 : -ETIMEDOUT;
}

static int hear(int channel, struct foreign_message *message, int *fd, uint64_t end)
{
	struct iovec part = { .iov_base = message, .iov_len = sizeof(*message) };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(*fd))];
	} control = { 0 };
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t size;
	int ret;

	do {
		ret = wait_readable(channel, end);
		if (ret)
			return ret;
		size = recvmsg(channel, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (size < 0 && (errno == EAGAIN || errno == EINTR));
	if (size < 0)
		return -errno;
	if (fd && header.msg_controllen >= sizeof(control.header) &&
	    control.header.cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(&control.header), sizeof(*fd));
	return size == sizeof(*message) ? message->code : -ECONNRESET;
}

static int converse(int channel, foreign_wanted wanted, void *data, struct foreign_file *file)
{
	uint64_t end = clock_now() + FOREIGN_TIMEOUT * NSEC_PER_MSEC;
	struct foreign_message message;
	int ret = hear(channel, &message, &file->origin, end);

	if (ret)
		return ret;
	if (file->origin < 0 || !S_ISREG(message.status.st_mode))
		return -EBADMSG;
	file->status = message.status;
	if (wanted && !wanted(data, &file->status))
		return -EEXIST;
	if (send(channel, "", 1, MSG_NOSIGNAL) != 1)
		return -errno;
	return hear(channel, &message, NULL, end);
}

/* One that hangs in a file system is left to whoever takes orphans. */
static void end_helper(pid_t pid)
{
	int i;

	kill(pid, SIGKILL);
	for (i = 0; i < 20 && !waitpid(pid, NULL, WNOHANG); i++)
		usleep(1000);
}

void foreign_release(struct foreign_file *file)
{
	cleanup_fd(&file->fd);
	cleanup_fd(&file->origin);
	file->fd = file->origin = -1;
}

/*
 * Of this process, over all files. A user's file system would else hold the start for
 * 2 s at each name that the loader's search tries, with a helper left behind each time,
 * which keeps its copy.
 */
static struct {
	unsigned int hung;
	int64_t bytes;
} spent;

static void note_spent(int memory, int result)
{
	struct stat status;

	spent.hung += result == -ETIMEDOUT;
	if (!fstat(memory, &status))
		spent.bytes += status.st_size;
}

int foreign_open(const struct account *reader, const char *path, foreign_wanted wanted, void *data,
		 struct foreign_file *file)
{
	int channels[2], ret;
	CLEANUP_FD int memory = memfd_create("kloak-copy", MFD_CLOEXEC);
	pid_t pid;

	*file = (struct foreign_file){ .origin = -1, .fd = -1 };
	if (spent.hung >= FOREIGN_HUNG)
		return -ETIMEDOUT;
	if (spent.bytes >= FOREIGN_BYTES_ALL)
		return -EFBIG;
	if (memory < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channels))
		return -errno;
	CLEANUP_FD int near = channels[0];
	CLEANUP_FD int far = channels[1];

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		say(far, help(reader, path, far, memory), NULL, -1);
		_exit(0);
	}
	close(TAKE_FD(far));
	ret = converse(near, wanted, data, file);
	end_helper(pid);
	note_spent(memory, ret);
	if (!ret) {
		file->fd = TAKE_FD(memory);
		return 0;
	}
	foreign_release(file);
	return ret;
}

/* --- identity ------------------------------------------------------------- */

static int read_groups(const char *at, struct account *reader)
{
	char *end;

	for (at += strspn(at, " \t"); *at; at = end + strspn(end, " \t")) {
		unsigned long group = strtoul(at, &end, 10);

		if (end == at || reader->group_count == ACCOUNT_GROUPS)
			return -EBADMSG;
		reader->groups[reader->group_count++] = (gid_t)group;
	}
	return 0;
}

/* Lines of proc_pid_status(5): the first number is the real id. */
int foreign_reader(pid_t pid, struct account *reader)
{
	CLEANUP_FREE char *text = NULL;
	char path[32], *rest, *line;
	int ret, seen = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	ret = text_read(path, STATUS_TEXT, &text);
	*reader = (struct account){ .changed = true };
	for (rest = text; !ret && (line = text_line(&rest));) {
		if (strncmp(line, "Uid:\t", 5) == 0 && ++seen)
			reader->uid = (uid_t)strtoul(line + 5, NULL, 10);
		else if (strncmp(line, "Gid:\t", 5) == 0 && ++seen)
			reader->gid = (gid_t)strtoul(line + 5, NULL, 10);
		else if (strncmp(line, "Groups:\t", 8) == 0 && ++seen)
			ret = read_groups(line + 8, reader);
	}
	if (!ret && seen != 3)
		ret = -EBADMSG;
	return ret;
}
