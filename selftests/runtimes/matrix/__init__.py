# SPDX-License-Identifier: GPL-2.0-only
"""The runtime matrix: what `selftests/runtimes/run` and selftests/system/runtimes.py share.

roots.py      where clients run: this machine's own root, Debian suites as chroots
programs.py   the clients, one row each
cells.py      one client against one server: passed, failed or not offered
table.py      the results as Documentation/runtimes.md
"""
import os
import sys

RUNTIMES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The servers, `kloak run` and TAP are those of the system tests.
sys.path.insert(0, os.path.join(os.path.dirname(RUNTIMES), "system"))
