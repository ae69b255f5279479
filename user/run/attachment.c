// SPDX-License-Identifier: GPL-2.0-only
/* Files of a run that are probed: see attachment.h. */
#include "user/run/attachment.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "user/attach/library.h"
#include "user/attach/mention.h"
#include "user/explain/explain.h"

#define WARNINGS_MAX 8 /* the command may map as many broken files as it likes */

/* A library that is only there to be loaded some time can wait: takes it out of its set. */
static int keep_waiting(struct attachment *attachment, struct library *library, struct error *err)
{
	struct library_set *waiting = &attachment->waiting;
	struct library *grown = reallocarray(waiting->items, waiting->count + 1, sizeof(*grown));

	if (!grown)
		return error_no_memory(err, "the list of probes");
	waiting->items = grown;
	grown += waiting->count++;
	memset(grown, 0, sizeof(*grown));
	grown->fd = TAKE_FD(library->fd);
	grown->origin = TAKE_FD(library->origin);
	grown->status = library->status;
	grown->path = TAKE_PTR(library->path);
	return 1;
}

/* The set keeps the descriptors. */
static struct foreign_file file_of(const struct library *library)
{
	return (struct foreign_file){
		.fd = library->fd,
		.origin = library->origin,
		.status = library->status,
	};
}

static int attach_library(struct attachment *attachment, struct library *library, struct error *err)
{
	const struct foreign_file file = file_of(library);
	struct engine *engine = attachment->probed.engine;
	int ret;

	engine->no_loading = library->reason == LIBRARY_DISCOVERED;
	ret = probed_add(&attachment->probed, &file, library->path, err);
	engine->no_loading = false;
	return ret == -EAGAIN ? keep_waiting(attachment, library, err) : ret;
}

/*
 * The program @path and what it loads. Returns the number of functions in what it
 * has of its own, or -errno.
 */
static int attach_program(struct attachment *attachment, const char *path, char *const *envp,
			  struct error *err)
{
	const char *sonames[HOOK_SONAMES_MAX];
	struct library_request request = {
		.path = path,
		.envp = envp,
		.prefixes = sonames,
		.prefix_count = hook_sonames(sonames),
		.reader = &attachment->reader,
	};
	struct library_set set;
	int ret, probed = 0;
	size_t i;

	ret = library_resolve(&request, &set, err);
	if (ret)
		return ret;
	for (i = 0; ret >= 0 && i < set.count; i++) {
		bool later = library_is_for_later(&set, i);

		ret = attach_library(attachment, &set.items[i], err);
		probed += ret > 0 && !later ? ret : 0;
	}
	library_set_release(&set);
	return ret < 0 ? ret : probed;
}

/* In the arguments, in scripts among them, and in the command, should it be one. */
static void find_mentioned(const struct attachment_options *options, struct mention *mention)
{
	char *const *argv = options->argv;
	size_t i, count;

	mention_find(argv, options->envp, mention);
	count = mention->count;
	mention_find_in_script(options->path, options->envp, mention);
	for (i = 0; i < count; i++)
		mention_find_in_script(mention->paths[i], options->envp, mention);
	for (i = 0; i < MENTION_WORDS && *argv && *++argv; i++)
		mention_find_in_script(*argv, options->envp, mention);
}

/* Returns the number of functions. */
static int attach_mentioned(struct attachment *attachment, const struct attachment_options *options,
			    const struct mention *mention)
{
	struct error err;
	int ret, probed = 0;
	size_t i;

	for (i = 0; i < mention->count; i++) {
		ret = attach_program(attachment, mention->paths[i], options->envp, &err);
		if (ret < 0)
			warning("%s", err.text);
		else
			probed += ret;
	}
	return probed;
}

/* What explain knows of a program: whether it is hooked, and why one has to doubt. */
struct outlook {
	bool hooked;
	const char *doubt; /* NULL: nothing is to be said */
};

static struct outlook look_at(const char *path, char *const *envp, const struct account *reader,
			      bool certain)
{
	struct outlook outlook = { 0 };
	struct explain explain;
	struct error err;

	if (explain_outlook(path, envp, reader, &explain, &err))
		return outlook;
	outlook.hooked = explain.runtime != NULL;
	outlook.doubt = explain_doubt(&explain, certain);
	explain_release(&explain);
	return outlook;
}

/*
 * Nothing that is hooked was found in the command itself, nor in what it mentions: one
 * sentence about it, if explain is sure enough. A mentioned word may be no program that is
 * started, so it has to have TLS that is not hooked.
 */
static void warn_of_nothing(const struct attachment_options *options, const struct account *reader,
			    const struct mention *mention)
{
	struct outlook outlook = look_at(options->path, options->envp, reader, false);
	const char *doubt = outlook.doubt, *path = options->path;
	size_t i;

	for (i = 0; !outlook.hooked && i < mention->count; i++) {
		outlook = look_at(mention->paths[i], options->envp, reader, true);
		if (doubt || !outlook.doubt)
			continue;
		doubt = outlook.doubt;
		path = mention->paths[i];
	}
	if (doubt && !outlook.hooked)
		warning("%s will not be hooked: %s; placeholders that it sends itself leave "
			"unchanged, see 'kloak explain %s'",
			path, doubt, path);
}

/* Not an error that ends the run, but said, as long as there are few. */
static bool attach_later(void *data, const struct foreign_file *file, const char *path)
{
	struct attachment *attachment = data;
	struct error err;
	int ret = probed_add(&attachment->probed, file, path, &err);

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
		.seen = &attachment->probed.seen,
		.attach = attach_later,
		.data = attachment,
		.reader = &attachment->reader,
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
	struct mention mention;
	int probed;

	*attachment = (struct attachment){ 0 };
	if (foreign_reader(options->pid, &attachment->reader))
		attachment->reader = (struct account){ 0 }; /* root, who has no more rights */
	probed_open(&attachment->probed, options->engine);
	probed = attach_program(attachment, options->path, options->envp, err);
	if (probed < 0)
		return probed;
	find_mentioned(options, &mention);
	probed += attach_mentioned(attachment, options, &mention);
	if (!probed)
		warn_of_nothing(options, &attachment->reader, &mention);
	start_watch(attachment, options);
	return 0;
}

int attachment_register(const struct attachment *attachment, int epoll)
{
	int ret = probed_register(&attachment->probed, epoll);

	return ret ? ret : watch_register(&attachment->watch, epoll);
}

/* What is mapped now goes before what may be. */
void attachment_poll(struct attachment *attachment)
{
	struct library_set *waiting = &attachment->waiting;
	size_t i;

	probed_poll(&attachment->probed);
	watch_poll(&attachment->watch);
	for (i = 0; i < waiting->count; i++) {
		const struct foreign_file file = file_of(&waiting->items[i]);

		attach_later(attachment, &file, waiting->items[i].path);
		watch_poll(&attachment->watch);
	}
	library_set_release(waiting);
	watch_count(&attachment->watch);
}

void attachment_close(struct attachment *attachment)
{
	watch_close(&attachment->watch);
	library_set_release(&attachment->waiting);
	probed_close(&attachment->probed);
}
