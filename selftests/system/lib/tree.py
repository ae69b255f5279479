# SPDX-License-Identifier: GPL-2.0-only
"""The files of this work tree: also those that are not committed, none that were made."""
import os
import subprocess

from lib import kloak

TREE = kloak.TREE


def files():
    """As git knows them; in an unpacked tarball, all but the build directory."""
    if os.path.exists(os.path.join(TREE, ".git")):
        names = subprocess.run(
            ["git", "-c", "safe.directory=" + TREE, "ls-files", "-coz", "--exclude-standard"],
            cwd=TREE, check=True, capture_output=True, text=True).stdout.split("\0")
    else:
        names = [os.path.relpath(os.path.join(parent, name), TREE)
                 for parent, _, found in os.walk(TREE) for name in found]
        names = [name for name in names if not name.startswith(("build/", "kloak-"))]
    return sorted(name for name in names if name and os.path.lexists(os.path.join(TREE, name)))


def archive():
    """The bytes of a .tar.gz of them."""
    return subprocess.run(["tar", "-cz", "--null", "--no-recursion", "-T", "-"], cwd=TREE,
                          check=True, input="\0".join(files()).encode(),
                          stdout=subprocess.PIPE).stdout
