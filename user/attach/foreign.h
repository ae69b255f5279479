/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that the user of the command may read and root may not: in a FUSE file system
 * that was mounted without allow_root, in NFS with root_squash.
 *
 * A helper process takes on the user's identity, opens the file and copies it into
 * memory. Kloak reads the copy alone, and gets of the file itself a descriptor that only
 * names it (O_PATH), which is enough to put probes there, in NFS: of FUSE see
 * is_served_by_user() in run/engine.c. That is not only for lack of
 * rights. Whoever serves a FUSE file system may let a read or a close(2) wait forever, so
 * that not even a signal ends it. The helper may hang then; Kloak waits a limited time, and
 * leaves it alone.
 *
 * The helper holds none of Kloak's descriptors and no rights of root. It is not dumpable:
 * the user cannot look into it. It is started when the secrets have been wiped from
 * memory.
 */
#ifndef KLOAK_ATTACH_FOREIGN_H
#define KLOAK_ATTACH_FOREIGN_H

#include <stdbool.h>
#include <sys/stat.h>

#include "user/workload/account.h"

#define FOREIGN_BYTES_MAX (512LL << 20)	 /* of a file, which are copied into memory */
#define FOREIGN_BYTES_ALL (2048LL << 20) /* of all files: the memory is not charged to the user */
#define FOREIGN_TIMEOUT	  2000		 /* ms for one file */
#define FOREIGN_HUNG	  4		 /* after so many files that took too long none is opened */

/* Any file that is looked at: a foreign one, or one that Kloak could open itself. */
struct foreign_file {
	int origin;	    /* the file itself, O_PATH; < 0: it is .fd */
	int fd;		    /* to be read: of a foreign file its copy */
	struct stat status; /* of the file itself */
};

/* Is it one that is to be copied? NULL: every file is. */
typedef bool (*foreign_wanted)(void *data, const struct stat *status);

/* Whether a file may be had so that could not be opened with @error. */
bool foreign_may_help(const struct account *reader, int error);

/*
 * Opens the regular file @path as @reader. 0; -ETIMEDOUT, also of those before it;
 * -EFBIG: it is too large, or all that were copied are; -EEXIST: it was not wanted;
 * -EINVAL: it is no regular file; other -errno of opening and reading it.
 */
int foreign_open(const struct account *reader, const char *path, foreign_wanted wanted, void *data,
		 struct foreign_file *file);

/* Closes what is open. */
void foreign_release(struct foreign_file *file);

/* The identity of process @pid. -errno; -EBADMSG: /proc tells something unexpected. */
int foreign_reader(pid_t pid, struct account *reader);

#endif
