/* SPDX-License-Identifier: GPL-2.0-only */
/* The checks by source file; the table in doctor.c says what each is called. */
#ifndef KLOAK_DOCTOR_CHECKS_H
#define KLOAK_DOCTOR_CHECKS_H

#include "user/doctor/doctor.h"

/* system.c: what files of /proc, /sys and /etc say */
void check_kernel(const char *root, struct doctor_finding *finding);
void check_lockdown(const char *root, struct doctor_finding *finding);
void check_jit(const char *root, struct doctor_finding *finding);
void check_unprivileged(const char *root, struct doctor_finding *finding);
void check_ktls(const char *root, struct doctor_finding *finding);
void check_names(const char *root, struct doctor_finding *finding);
void check_resolvers(const char *root, struct doctor_finding *finding);

/* ability.c: what works when it is tried */
void check_capabilities(const char *root, struct doctor_finding *finding);
void check_programs(const char *root, struct doctor_finding *finding);
void check_ringbuf(const char *root, struct doctor_finding *finding);
void check_storage(const char *root, struct doctor_finding *finding);
void check_sockhash(const char *root, struct doctor_finding *finding);
void check_uprobes(const char *root, struct doctor_finding *finding);
void check_watch(const char *root, struct doctor_finding *finding);
void check_cgroup(const char *root, struct doctor_finding *finding);
void check_netns(const char *root, struct doctor_finding *finding);
void check_memlock(const char *root, struct doctor_finding *finding);

/* start.c */
void check_start(const char *root, struct doctor_finding *finding);

/* cost.c */
void check_cost(const char *root, struct doctor_finding *finding);

#endif
