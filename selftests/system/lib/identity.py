# SPDX-License-Identifier: GPL-2.0-only
"""Who a command really is: it says so itself, of what the kernel has, before it does its work.

A test that supposes another user checks it: else it would pass as root, and prove nothing.
"""
from lib import tap

_FIELDS = ("Uid", "Gid", "Groups")
_SAY = 'grep -E "^(%s):" /proc/self/status; exec "$@"' % "|".join(_FIELDS)


def said(command):
    """The command, which prints first who it is."""
    return ["sh", "-c", _SAY, "sh", *command]


def check(text, uid, gid, groups=None):
    """text: output of a command of said(), or a /proc/PID/status. All of the real, effective, saved
    and file system ids count; groups: the supplementary ones, by default only gid."""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    for name in _FIELDS:
        tap.check(name in fields, "the command did not say who it is: %s" % text[:300])
    got = tuple(sorted({int(word) for word in fields[name].split()}) for name in _FIELDS)
    tap.check_equal(got, ([uid], [gid], [gid] if groups is None else sorted(groups)),
                    "user, group and supplementary groups of the command")


def check_process(pid, uid, gid, groups=None):
    with open("/proc/%d/status" % pid) as file:
        check(file.read(), uid, gid, groups)
