/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KLOAK_CMD_DOCTOR_H
#define KLOAK_CMD_DOCTOR_H

/* kloak doctor [--json]: returns the exit code, EXIT_OK only if kloak run would work. */
int cmd_doctor(int argc, char **argv);

#endif
