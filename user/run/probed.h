/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The files of a run that carry probes: each once, however many processes map
 * it, and for as long as the run. Probes of a file that is written to are
 * removed, and put where they belong when the writer is done (overwrite.h).
 */
#ifndef KLOAK_RUN_PROBED_H
#define KLOAK_RUN_PROBED_H

#include <stddef.h>
#include <sys/stat.h>

#include "user/attach/overwrite.h"
#include "user/attach/seen.h"
#include "user/run/engine.h"

struct probed_file;

/* Zeroed: none, and nothing can be probed. */
struct probed {
	struct engine *engine;
	struct seen seen; /* also files without probes, so that they are looked at once */
	struct overwrite overwrite;
	struct probed_file *files;
	size_t count;
};

/* Files that are written to cannot be watched: a warning. */
void probed_open(struct probed *probed, struct engine *engine);

/*
 * Probes the file @file, @path for messages. Returns the number of functions, 0
 * also if it was dealt with before, or -errno with a sentence; -EAGAIN as in
 * engine_attach_file().
 */
int probed_add(struct probed *probed, const struct foreign_file *file, const char *path,
	       struct error *err);

/* Makes the epoll(7) instance @epoll readable when a file was written to. */
int probed_register(const struct probed *probed, int epoll);

/* Deals with files that were written to. */
void probed_poll(struct probed *probed);

/* The engine removes the probes, with its own. */
void probed_close(struct probed *probed);

#endif
