#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Where the kernel gives sockets no storage, a run says so: nothing is swapped in silence."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../system"))
from lib import dns, tap, trial as trials

RESOLVER = "10.53.2.53"
trials.prepare(RESOLVER)
dns.Dnsmasq([RESOLVER], [("exact.test", "10.53.1.1", 60)])


@tap.test("a look-up without storage is counted and said, and nothing is swapped")
def said():
    with trials.Trial("exact.test") as trial:
        trial.run("""
            send(look_up("exact.test")[0], "exact.test", PORT)""")
        trial.check_requests(trial.placeholder, 1, 0, None)
        tap.check(b"the kernel had no room to watch" in trial.result.errors,
                  "not said: %s" % trial.describe())


tap.main(__doc__)
