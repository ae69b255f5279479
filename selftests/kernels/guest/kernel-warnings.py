#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The kernel has found no fault in itself since it started. The last test file of a machine."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../system"))
from lib import tap

FAULT = re.compile(r"WARNING:|BUG:|Oops|general protection|refcount_t|INFO: rcu|Call Trace")


@tap.test("no kernel warnings")
def no_warnings():
    lines = subprocess.run(["dmesg"], check=True, stdout=subprocess.PIPE, text=True,
                           errors="replace").stdout.splitlines()
    tap.check(lines, "the kernel says nothing at all")
    tap.check_equal([line for line in lines if FAULT.search(line)], [],
                    "faults in the kernel's log")
    for path in ("/sys/kernel/warn_count", "/sys/kernel/oops_count", "/proc/sys/kernel/tainted"):
        if os.path.exists(path):
            with open(path) as file:
                tap.check_equal(file.read().strip(), "0", path)


tap.main(__doc__)
