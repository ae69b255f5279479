/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is, or would be, hooked in a program or process, and why not. Nothing is
 * run and nothing is probed: files are read as `kloak run` reads them (the same
 * resolver of libraries, the same plan of probes), and for a process the kernel is
 * asked what it has attached.
 *
 *	explain_program()	a FILE: program.c finds the files that it would load
 *	explain_process()	a PID: process.c finds the files that it has mapped
 *	  examine.c		what each file is: hooks, version, what is known of it
 *	  live.c		what the kernel's BPF objects say about the process
 *	  verdict.c		all of it in one state, with a reason
 *	explain_outlook()	what kloak run says at its start; doubt.c has the words
 *	explain_print()		report_text.c, for people
 *	explain_print_json()	report_json.c, for programs
 *	explain_release()
 */
#ifndef KLOAK_EXPLAIN_EXPLAIN_H
#define KLOAK_EXPLAIN_EXPLAIN_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "elf/note.h"
#include "lib/error.h"
#include "user/attach/foreign.h"
#include "user/attach/hook.h"
#include "user/explain/mark.h"
#include "user/explain/reason.h"

#define EXPLAIN_FILES_MAX 1024 /* that one process maps; the rest is counted */

enum explain_role {
	EXPLAIN_PROGRAM, /* the executable, and interpreters of a script */
	EXPLAIN_LOADED,	 /* by the loader at the start; of a process: mapped */
	EXPLAIN_LATER,	 /* would be found by a dlopen(3), if the program makes one */
};

/* One ELF file. */
struct explain_file {
	char *path;
	char *real; /* as this process sees the opened file; NULL if it was not opened */
	enum explain_role role;
	bool deleted;	    /* mapped, and no longer to be found by its path */
	bool is_library;    /* loaded by programs, no program itself */
	bool is_indirect;   /* loaded, because another library needs it */
	bool loads_more;    /* calls dlopen(3) */
	bool starts_others; /* calls execve(2) or the like; or it is static, and may */
	bool is_32_bit;
	int error; /* of elf_image_open(), or of opening the file */
	uint16_t machine;
	uint16_t type;
	char soname[64];
	struct elf_build_id build_id; /* size 0: it has none */
	struct marks marks;
	uint64_t reasons;	  /* EXPLAIN_BIT of what is in the file */
	struct hook_plans *plans; /* NULL: nothing would be probed */
	size_t passed_count;	  /* names of hooks that cannot be probed in it */
	struct hook_passed passed[HOOK_PASSED_MAX];
	char trouble[240]; /* why it could not be looked through for functions */
};

/* What is known of a running process; see live.c. */
struct explain_live {
	char comm[64];
	char workload[64]; /* name of the run's cgroup, "" if it is in none */
	bool run_over;	   /* that run's kloak is gone */
	char unknown[160]; /* why the kernel's objects could not be asked, "" if they were */
	bool links_known;  /* the kernel tells where probes are (6.8) */
	bool programs;	   /* Kloak's programs are loaded */
	uint64_t keys;	   /* traffic keys that were captured from it */
	uint64_t unserved; /* of those still kept: keys of suites that are not served */
	uint64_t kept;
	uint64_t staged; /* threads with placeholders that were written and not yet sent */
	bool io_uring;	 /* has such a descriptor open */
	bool ktls;	 /* kernel TLS is used in its network namespace */
};

enum explain_state {
	EXPLAIN_HOOKED,	     /* and keys seen */
	EXPLAIN_WAITING,     /* hooked, no handshake yet */
	EXPLAIN_WOULD,	     /* under kloak run */
	EXPLAIN_WOULD_LATER, /* nothing of its own, but it may load libraries that would be */
	EXPLAIN_UNKNOWN,     /* in a run, but the kernel may not be asked */
	EXPLAIN_NOT,
};

struct explain {
	char path[PATH_MAX]; /* of the program; of a process as it sees it, "" if there is none */
	pid_t pid;	     /* of the process, not of a thread; 0: a file was asked for */
	bool is_script;
	bool is_brief;	       /* see explain_outlook() */
	struct account reader; /* whose rights help where ours do not; uid 0: nobody's */
	struct explain_file *files;
	size_t count;
	size_t left_out;
	struct explain_live live;
	/* Set by explain_judge(): */
	enum explain_state state;
	const struct hook *runtime; /* in the program or needed by it; NULL: none that is hooked */
	const char *version;	    /* of the runtime, "" if it is not known */
	uint32_t later;		    /* bit n: it may load a library of hook n besides */
	const char *later_version[HOOKS_MAX];
	enum explain_reason reason; /* why not; EXPLAIN_NONE if hooked */
	uint64_t notes;		    /* EXPLAIN_BIT of further reasons that hold */
};

/*
 * A program, library or script. -errno with a sentence: it cannot be read, or it
 * is no regular file. What is no program is explained, not an error.
 */
int explain_program(const char *path, char *const *envp, struct explain *explain,
		    struct error *err);

/*
 * The same in brief, for the start of a run: what the program may load later is not
 * looked for, and strings that tell of TLS only in its executable.
 */
int explain_outlook(const char *path, char *const *envp, const struct account *reader,
		    struct explain *explain, struct error *err);

/*
 * Why nothing that the program does will be swapped, as far as it does it itself: a
 * sentence that follows its name. NULL if it is hooked, or loads or starts other things,
 * of which nothing is known. @certain: only for what has TLS that is not hooked.
 */
const char *explain_doubt(const struct explain *explain, bool certain);

/* -ESRCH: no such process; -EACCES: it belongs to somebody else; both with a sentence. */
int explain_process(pid_t pid, struct explain *explain, struct error *err);

/* Whether anything is, or would be, hooked. */
static inline bool explain_is_hookable(const struct explain *explain)
{
	return explain->state != EXPLAIN_NOT;
}

/* Stable name of a state, for JSON, and the words for people. */
const char *explain_state_name(enum explain_state state);
const char *explain_state_text(enum explain_state state);
const char *explain_role_name(enum explain_role role);

/* The version of the library that hook number @hook is for, as far as @file tells it; "". */
const char *explain_version(const struct explain_file *file, size_t hook);

void explain_print(FILE *out, const struct explain *explain);
int explain_print_json(FILE *out, const struct explain *explain); /* 0 or -errno */

void explain_release(struct explain *explain);

/* --- between the parts ------------------------------------------------- */

/* Adds a file; @fd stays the caller's, -1 with @error if it could not be opened. */
int explain_add_file(struct explain *explain, const char *path, enum explain_role role, int fd,
		     int error);

/* Releases what is in the list of files, which is empty then. */
void explain_forget_files(struct explain *explain);

/* examine.c: fills all of @file but path and role. @brief: as for explain_outlook(). */
void explain_examine(struct explain_file *file, int fd, bool brief);

/* live.c: asks the kernel about explain->pid. */
void explain_ask_kernel(struct explain *explain);

/* verdict.c */
void explain_judge(struct explain *explain);

/* Whether it may hold what could not be seen. */
bool explain_is_unread(const struct explain_file *file);

/*
 * A function of a hook where plaintext enters; all others are about keys. Told by the
 * name of its program: hook_write, _send, _cork, _end.
 */
bool explain_is_write(const struct hook_function *function);

#endif
