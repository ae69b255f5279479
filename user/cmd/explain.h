/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KLOAK_CMD_EXPLAIN_H
#define KLOAK_CMD_EXPLAIN_H

/* kloak explain PID|FILE [--json]: returns the exit code, EXIT_OK if anything is hookable. */
int cmd_explain(int argc, char **argv);

#endif
