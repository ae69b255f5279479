# SPDX-License-Identifier: GPL-2.0-only
"""Debian's current cloud kernels, out of an apt state of their own.

One package index of all suites that have kernels, in CACHE/apt; it knows nothing of
what is installed here. A kernel is unpacked to CACHE/kernels/VERSION and kept; the
index is read anew when it is a day old, and what is there is used where it cannot be.
"""
import glob
import os
import re
import shutil
import subprocess
import time

from cache import CACHE
from lib import debian

SUITES = ("bookworm", "trixie", "trixie-backports", "sid", "experimental")
SECURITY = ("Debian-Security", "http://deb.debian.org/debian-security")
SECURITY_SUITES = ("bookworm-security", "trixie-security")
INDEX_SECONDS = 24 * 3600
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
IMAGE = re.compile(r"linux-image-((\d+(?:\.\d+)*).*)-cloud-amd64$")
# Besides the image itself, in later packages: the bare kernel, its modules.
PARTS = re.compile(r"Depends: (linux-(?:binary|base|modules)-\S+)")

_STATE = os.path.join(CACHE, "apt")
_OPTIONS = {
    "Dir::State": _STATE, "Dir::State::status": _STATE + "/status", "Dir::Cache": _STATE,
    "Dir::Etc::SourceList": _STATE + "/sources.list", "Dir::Etc::SourceParts": "/dev/null",
    # Named, since images for containers switch it off; reading the index takes seconds.
    "Dir::Cache::pkgcache": _STATE + "/pkgcache.bin",
    "Acquire::Check-Valid-Until": "false", "Acquire::Languages": "none",
    "APT::Sandbox::User": "root",
}


def _apt(program, *words, cwd=None):
    options = [word for item in _OPTIONS.items() for word in ("-o", "%s=%s" % item)]
    return subprocess.run([program, *options, *words], stdin=subprocess.DEVNULL, cwd=cwd,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)


def _write_state():
    for name in ("lists/partial", "archives/partial"):
        os.makedirs(os.path.join(_STATE, name), exist_ok=True)
    open(_STATE + "/status", "a").close()
    with open(_STATE + "/sources.list", "w") as file:
        for address, suites in ((debian.mirror(), SUITES),
                                (debian.mirror(*SECURITY), SECURITY_SUITES)):
            file.writelines("deb [signed-by=%s] %s %s main\n" % (KEYRING, address, suite)
                            for suite in suites)


def update_index():
    """Raises CannotBeFetched only if there is no index at all."""
    stamp = os.path.join(_STATE, "updated")
    if os.path.exists(stamp) and time.time() - os.path.getmtime(stamp) < INDEX_SECONDS:
        return
    _write_state()
    done = _apt("apt-get", "update", "-q")
    if done.returncode == 0:
        open(stamp, "w").close()
    elif not os.path.exists(stamp):
        lines = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        raise debian.CannotBeFetched("no index of Debian's kernels: " + "; ".join(lines[:2])[:300])


def _order(version):
    return [int(number) for number in re.findall(r"\d+", version)]


def newest(series):
    """The newest kernel of a series ("6.1", "7") that the index has, or None."""
    found = []
    for name in _apt("apt-cache", "pkgnames", "linux-image-").stdout.split():
        image = IMAGE.match(name)
        if image and image.group(2).split(".")[:series.count(".") + 1] == series.split("."):
            found.append(image.group(1))
    return max(found, key=_order, default=None)


def _unpack(version, directory):
    image = "linux-image-%s-cloud-amd64" % version
    packages = [image, *PARTS.findall(_apt("apt-cache", "depends", image).stdout)]
    done = _apt("apt-get", "download", "-q", *packages, cwd=directory)
    if done.returncode != 0:
        raise debian.CannotBeFetched("%s cannot be fetched: %s" % (
            image, done.stderr.strip()[-300:]))
    for package in glob.glob(directory + "/*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, directory], check=True)
        os.unlink(package)


class Kernel:
    """version: as in the package's name; release: as uname says it; base: has lib/modules."""

    def __init__(self, version):
        self.version = version
        self.directory = os.path.join(CACHE, "kernels", version)
        if not os.path.isdir(self.directory):
            self._fetch()
        self.image = self._find("vmlinuz*")
        modules = self._find("lib/modules/*")
        self.base, self.release = modules.split("/lib/modules/")

    def _find(self, pattern):
        return sorted(glob.glob("%s/**/%s" % (self.directory, pattern), recursive=True))[0]

    def _fetch(self):
        partial = "%s.partial.%d" % (self.directory, os.getpid())
        os.makedirs(partial)
        try:
            _unpack(self.version, partial)
            os.rename(partial, self.directory)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
