/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KLOAK_CMD_RUN_H
#define KLOAK_CMD_RUN_H

/* kloak run: returns the exit code, or ends by the signal that ended the command. */
int cmd_run(int argc, char **argv);

#endif
