// SPDX-License-Identifier: GPL-2.0-only
/* Files of a run that are probed: see attachment.h. */
#include "user/run/attachment.h"

#include <errno.h>
#include <string.h>

#include "user/attach/library.h"
#include "user/attach/mention.h"
#include "user/lib/cleanup.h"

#define WARNINGS_MAX 8 /* the command may map as many broken files as it likes */

/* Returns the number of functions probed, 0 if the file was dealt with before, or -errno. */
static int attach_once(struct attachment *attachment, const struct library *library,
		       struct error *err)
{
	struct stat status;
	int ret;

	if (fstat(library->fd, &status))
		return error_set(err, -errno, "cannot look at %s: %s; is it being replaced?",
				 library->path, strerror(errno));
	if (seen_find(&attachment->seen, &status))
		return 0;
	ret = engine_attach_file(attachment->engine, library->fd, library->path, err);
	if (ret >= 0 && seen_add(&attachment->seen, &status, ret > 0))
		return error_set(err, -ENOMEM, "not enough memory; free some");
	return ret;
}

/* The program @path and what it loads. Returns the number of functions, or -errno. */
static int attach_program(struct attachment *attachment, const char *path, char *const *envp,
			  struct error *err)
{
	const char *sonames[HOOK_SONAMES_MAX];
	struct library_request request = {
		.path = path,
		.envp = envp,
		.prefixes = sonames,
		.prefix_count = hook_sonames(sonames),
	};
	struct library_set set;
	int ret, probed = 0;
	size_t i;

	ret = library_resolve(&request, &set, err);
	if (ret)
		return ret;
	for (i = 0; ret >= 0 && i < set.count; i++) {
		ret = attach_once(attachment, &set.items[i], err);
		probed += ret > 0 ? ret : 0;
	}
	library_set_release(&set);
	return ret < 0 ? ret : probed;
}

/* Returns the number of functions. */
static int attach_mentioned(struct attachment *attachment, const struct attachment_options *options)
{
	struct mention mention;
	struct error err;
	int ret, probed = 0;
	size_t i;

	mention_find(options->argv, options->envp, &mention);
	for (i = 0; i < mention.count; i++) {
		ret = attach_program(attachment, mention.paths[i], options->envp, &err);
		if (ret < 0)
			warning("%s", err.text);
		else
			probed += ret;
	}
	return probed;
}

/* Not an error that ends the run, but said, as long as there are few. */
static bool attach_later(void *data, int fd, const char *path)
{
	struct attachment *attachment = data;
	struct error err;
	int ret = engine_attach_file(attachment->engine, fd, path, &err);

	if (ret < 0 && attachment->warnings++ < WARNINGS_MAX)
		warning("%s", err.text);
	return ret > 0;
}

static void start_watch(struct attachment *attachment, const struct attachment_options *options)
{
	const struct watch_options watch = {
		.cgroup = options->cgroup->fd,
		.cgroup_path = options->cgroup->path,
		.pid = options->pid,
		.seen = &attachment->seen,
		.attach = attach_later,
		.data = attachment,
	};
	int ret = watch_open(&attachment->watch, &watch);

	if (ret)
		warning("cannot watch for TLS libraries that are loaded later: %s; only those "
			"known at the start are served, see 'kloak doctor'",
			strerror(-ret));
}

int attachment_start(struct attachment *attachment, const struct attachment_options *options,
		     struct error *err)
{
	int probed;

	*attachment = (struct attachment){ .engine = options->engine };
	probed = attach_program(attachment, options->path, options->envp, err);
	if (probed < 0)
		return probed;
	probed += attach_mentioned(attachment, options);
	if (!probed)
		warning("no TLS library that Kloak knows was found for %s: until it loads one, "
			"placeholders will leave unchanged",
			options->path);
	start_watch(attachment, options);
	return 0;
}

int attachment_register(const struct attachment *attachment, int epoll)
{
	return watch_register(&attachment->watch, epoll);
}

void attachment_poll(struct attachment *attachment)
{
	watch_poll(&attachment->watch);
}

void attachment_close(struct attachment *attachment)
{
	watch_close(&attachment->watch);
	seen_release(&attachment->seen);
}
