/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that a command line mentions: in "sh -c 'cd app && node main.js'",
 * "env X=1 node main.js" or "timeout 10 ./client" it is not the first word that
 * speaks TLS. A word that names an executable may as well be something else ("find"
 * in a text): one file too many is looked at then, no more. What is not found
 * here is found when it is mapped (watch.h); found here, it has its probes from
 * its first instruction.
 *
 * The same for the text of a shell script, which is how many a service is started:
 * "exec "$(dirname "$0")/server"" is looked for beside the script.
 */
#ifndef KLOAK_ATTACH_MENTION_H
#define KLOAK_ATTACH_MENTION_H

#include <limits.h>
#include <stddef.h>

#define MENTION_WORDS	     64	  /* looked at, in the arguments */
#define MENTION_SCRIPT_WORDS 256  /* in a script */
#define MENTION_SCRIPT_MAX   8192 /* bytes of it */
#define MENTION_MAX	     16	  /* found: each costs its symbols to be read */

struct mention {
	char paths[MENTION_MAX][PATH_MAX];
	size_t count;
};

/*
 * Finds executables among the words of the arguments @argv[1] and on, by PATH of
 * @envp and in the working directory, as execvp(3) would. No path twice.
 */
void mention_find(char *const *argv, char *const *envp, struct mention *mention);

/*
 * Adds what the shell script @path mentions; it need not be executable ("sh start").
 * Nothing if it is something else. Comments are passed over.
 */
void mention_find_in_script(const char *path, char *const *envp, struct mention *mention);

#endif
