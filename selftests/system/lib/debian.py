# SPDX-License-Identifier: GPL-2.0-only
"""Other Debian systems, from the mirror that this machine's apt uses."""
import contextlib
import fcntl
import glob
import os
import shutil
import subprocess
import time

STAMP = "kloak-packages"


class CannotBeFetched(Exception):
    """Why not."""


def mirror(wanted="Debian", otherwise="http://deb.debian.org/debian"):
    """Of what has this label, as this machine's apt is set up."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(LABEL) $(COMPONENT) $(REPO_URI)",
         "Created-By: Packages"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        check=False)
    for line in done.stdout.splitlines():
        label, component, address = line.split(" ", 2)
        if (label, component) == (wanted, "main"):
            return address.rstrip("/")
    return otherwise


def source(suite):
    """A line of sources.list."""
    return "deb [check-valid-until=no] %s %s main" % (mirror(), suite)


def _remove(path):
    subprocess.run(["rm", "-rf", "--one-file-system", path], check=False)


def _remove_leftovers(directory):
    """Of makers that were killed. The caller holds the lock."""
    for path in glob.glob(directory + ".partial.*") + glob.glob(directory + ".old.*"):
        _remove(path)


def _is_made(directory, packages, days):
    stamp = os.path.join(directory, STAMP)
    try:
        with open(stamp) as file:
            there = set(file.read().split())
    except FileNotFoundError:
        return False
    return set(packages) <= there and (
        days is None or time.time() - os.path.getmtime(stamp) < days * 86400)


def _unpack(suite, partial, options):
    # In a mount namespace of its own: what it mounts is never below what is removed here.
    command = ["unshare", "--mount", "--propagation", "private", "mmdebstrap", "--mode=root",
               "--variant=minbase", "--quiet", "--aptopt=Acquire::Check-Valid-Until \"false\"",
               "--aptopt=Acquire::Languages \"none\"", "--dpkgopt=force-unsafe-io", *options,
               suite, partial, source(suite)]
    with open(partial + ".log", "w") as log:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                              check=False).returncode


def _make(suite, directory, packages, options):
    if shutil.which("mmdebstrap") is None:
        raise CannotBeFetched("no mmdebstrap here (Debian package mmdebstrap)")
    if os.geteuid() != 0:
        raise CannotBeFetched("chroots are made by root only")
    partial = "%s.partial.%d" % (directory, os.getpid())
    try:
        if _unpack(suite, partial, options) != 0:
            with open(partial + ".log") as log:
                lines = [line.strip() for line in log if line.startswith(("E:", "dpkg: error"))]
            raise CannotBeFetched("%s cannot be fetched: %s" % (suite, "; ".join(lines[:3])[:300]))
        with open(os.path.join(partial, STAMP), "w") as file:
            file.write("\n".join(packages) + "\n")
        if os.path.isdir(directory):
            os.rename(directory, "%s.old.%d" % (directory, os.getpid()))
        os.rename(partial, directory)
    finally:
        if os.path.exists(partial + ".log"):
            os.rename(partial + ".log", directory + ".log")
        _remove_leftovers(directory)


@contextlib.contextmanager
def locked(directory):
    os.makedirs(os.path.dirname(directory), exist_ok=True)
    with open(directory + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_root(suite, directory, packages, options, days=None):
    """A minimal system of the suite at `directory`, with what the options of mmdebstrap add.

    It is made in one piece: under another name first, then renamed. One that has the packages,
    and is no older than so many days, is left as it is.
    """
    with locked(directory):
        _remove_leftovers(directory)
        if not _is_made(directory, packages, days):
            _make(suite, directory, packages, options)
