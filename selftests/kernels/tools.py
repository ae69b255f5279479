# SPDX-License-Identifier: GPL-2.0-only
"""Two trees of Debian: one with QEMU and what makes images, one that the machines run in.

Neither is installed here: selftests/runtimes/suite unpacks them below the cache. Tools
run in a chroot, which has the cache at /mnt and this directory at /srv.
"""
import os
import subprocess

from cache import CACHE, Unreachable

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
SUITE = "bookworm"
ENTER = ('mount --bind "$1" "$0/mnt" && mount --bind "$2" "$0/srv" && root=$0 && shift 2 && '
         'exec nice chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"')


def unpacked(group):
    """The directory with the packages of that group of `packages`."""
    done = subprocess.run(
        [os.path.join(TREE, "selftests/runtimes/suite"), "--packages",
         os.path.join(HERE, "packages"), SUITE, group], stdin=subprocess.DEVNULL,
        env={**os.environ, "KLOAK_SUITES": os.path.join(CACHE, group)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Unreachable((done.stderr.strip().splitlines() or ["suite failed"])[-1])
    return done.stdout.strip()


def command(*words):
    """Words that run a tool. Each is a process of its own only, so that it can be ended."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER,
            os.path.join(CACHE, "tools", SUITE), CACHE, HERE, *words]


def run(*words):
    done = subprocess.run(command(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(words), done.stdout.strip()[-1000:]))


def inside(path):
    """How a tool calls a file of the cache."""
    return os.path.join("/mnt", os.path.relpath(path, CACHE))
