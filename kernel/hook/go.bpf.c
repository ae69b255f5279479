// SPDX-License-Identifier: GPL-2.0-only
/* The hook object for Go 1.17 and later, which passes arguments in registers: see go.h. */
#include "kernel/hook/go.h"
