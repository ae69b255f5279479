// SPDX-License-Identifier: GPL-2.0-only
/* The hook object for Go before 1.17, which passes arguments on the stack: see go.h. */
#define GO_STACK 1
#include "kernel/hook/go.h"
