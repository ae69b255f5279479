# SPDX-License-Identifier: GPL-2.0-only
"""Two trees of Debian: one with QEMU and what makes images, one that the machines run in.

Neither is installed here: they are unpacked below the cache. A tool's chroot has the
cache at /mnt, and this directory at /srv.
"""
import os
import subprocess

from cache import CACHE
from lib import debian

HERE = os.path.dirname(os.path.abspath(__file__))
SUITE = "bookworm"
ENTER = ('mount --bind "$1" "$0/mnt" && mount --bind "$2" "$0/srv" && root=$0 && shift 2 && '
         'exec nice chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"')


def read_packages(group):
    with open(os.path.join(HERE, "packages")) as lines:
        rows = [line.split() for line in lines if not line.startswith("#")]
    return next(row[1:] for row in rows if row[0] == group)


def unpacked(group):
    """The directory with the packages of that group of `packages`."""
    directory = os.path.join(CACHE, group, SUITE)
    packages = read_packages(group)
    debian.make_root(SUITE, directory, packages, ["--include=" + ",".join(packages)])
    return directory


def command(*words):
    """Words that run a tool: one process, which ends with the thread that starts it."""
    return ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--propagation",
            "private", "sh", "-c", ENTER, os.path.join(CACHE, "tools", SUITE), CACHE, HERE, *words]


def run(*words):
    done = subprocess.run(command(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(words), done.stdout.strip()[-1000:]))


def inside(path):
    """How a tool calls a file of the cache."""
    return os.path.join("/mnt", os.path.relpath(path, CACHE))
