# SPDX-License-Identifier: GPL-2.0-only
"""Where clients run: on this machine as it is, or with a Debian suite as their root.

All mounts are in a mount namespace of this process: nothing of them is seen by
others, and they go with it. In a suite, /proc, /sys and /dev are this machine's,
/tmp is empty but for the scratch directory of the test, which has the same path
inside and outside and holds kloak and the clients' sources.
"""
import ctypes
import hashlib
import os
import shutil
import subprocess
import time

from lib import build, kloak, tap
from matrix import RUNTIMES

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS = 0x20000
NAME, ADDRESS = "api.test", "127.0.0.1"
OTHER_NAME = "other.test"
_BUILD_SECONDS = 600
# When all must have been built; `run` sets it to the end of its time budget.
deadline = float("inf")


def _mount(*words):
    subprocess.run(["mount", *words], check=True, stdin=subprocess.DEVNULL)


def enter():
    """Once, before any thread is started: a mount namespace, and a scratch directory with all
    that the roots share."""
    if _libc.unshare(_CLONE_NEWNS) != 0:
        error = ctypes.get_errno()
        raise OSError(error, "unshare: " + os.strerror(error))
    _mount("--make-rprivate", "/")
    shutil.copytree(os.path.join(RUNTIMES, "clients"), tap.scratch("clients"))
    shutil.copy(kloak.KLOAK, tap.scratch("kloak"))
    with open(tap.scratch("hosts"), "w") as file:
        file.write("127.0.0.1 localhost\n%s %s %s\n" % (ADDRESS, NAME, OTHER_NAME))


class Root:
    """run() is without Kloak; start() is under it. Both take a shell text."""

    def __init__(self, name, directory="/"):
        self.name, self.directory = name, directory
        self._cache = "/var/cache/kloak-clients"
        if directory == "/":
            self._cache = os.path.join(build.O, "selftests/runtimes")
        self._words = [] if directory == "/" else ["chroot", directory]
        self._mount_hosts()
        if directory != "/":
            for path in ("/proc", "/sys", "/dev"):
                _mount("--rbind", path, directory + path)
            _mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", directory + "/tmp")
            os.makedirs(directory + tap.scratch(), exist_ok=True)
            _mount("--bind", tap.scratch(), directory + tap.scratch())

    def _mount_hosts(self):
        hosts = os.path.join(self.directory, "etc/hosts")
        if not os.path.exists(hosts):
            open(hosts, "w").close()
        _mount("--bind", tap.scratch("hosts"), hosts)

    def run(self, text, values=None, timeout=60):
        return subprocess.run(
            self._words + ["sh", "-c", text], env=kloak.environment(values or {}),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=tap.scratch(), timeout=timeout, check=False)

    def start(self, text, values, grants, pins):
        return kloak.Running(["sh", "-c", text], values, grants, pins, prefix=self._words,
                             program=tap.scratch("kloak"))

    def built(self, sources, text):
        """The directory with what a shell text makes of sources, kept in the root (on this machine
        below the build directory).

        The text finds them in its working directory, and makes what it makes there.
        """
        digest = hashlib.sha256(text.encode())
        for source in sources:
            for path in _files(tap.scratch("clients/" + source)):
                with open(path, "rb") as file:
                    digest.update(file.read())
        directory = "%s/%s" % (self._cache, digest.hexdigest()[:16])
        outside = os.path.join(self.directory, directory.lstrip("/"))
        if not os.path.isdir(outside):
            self._build(sources, text, directory + ".%d" % os.getpid(), outside)
        return directory

    def _build(self, sources, text, partial, outside):
        made = os.path.join(self.directory, partial.lstrip("/"))
        os.makedirs(made)
        try:
            for source in sources:
                if not os.path.exists(tap.scratch("clients/" + source)):
                    raise tap.Failure("no %s in selftests/runtimes/clients" % source)
                subprocess.run(["cp", "-r", tap.scratch("clients/" + source), made], check=True)
            # timeout ends the whole group, as compilers have children of their own.
            left = max(min(_BUILD_SECONDS, deadline - time.monotonic()), 1)
            done = self.run("export HOME=%s/home; cd %s && exec timeout -k 5 %d sh -c '%s'" % (
                self._cache, partial, left, text.replace("'", "'\\''")), timeout=left + 30)
            if done.returncode == 124 and left < _BUILD_SECONDS:
                tap.skip("time budget: not built in the %d s left" % left)
            if done.returncode != 0:
                raise tap.Failure("cannot be built: " + said(done))
            os.rename(made, outside)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def _files(path):
    if os.path.isfile(path):
        return [path]
    return sorted(os.path.join(parent, name) for parent, _, names in os.walk(path)
                  for name in names)


def said(done):
    """The last words of a program, on one line."""
    text = (done.stderr or done.stdout or b"").decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "; ".join(lines[-3:])[-300:] if lines else "status %d" % done.returncode
