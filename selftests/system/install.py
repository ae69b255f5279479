#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The binary is small and stands alone; install, uninstall and clean do what they say."""
import os
import subprocess

from lib import kloak, tap

MAKE = os.environ.get("MAKE", "make").split()
SIZE_LIMIT = 700 * 1000


def make(*arguments):
    done = subprocess.run(MAKE + ["--no-print-directory", *arguments], cwd=kloak.TREE,
                          timeout=tap.HANGS, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    tap.check(done.returncode == 0, "make %s: %s" % (
        " ".join(arguments), done.stdout[-800:].decode(errors="replace")))


def files_below(directory):
    return sorted(os.path.relpath(os.path.join(parent, name), directory)
                  for parent, _, names in os.walk(directory) for name in names)


@tap.test("the binary has at most %d bytes" % SIZE_LIMIT)
def small():
    size = os.stat(kloak.KLOAK).st_size
    print("# %d bytes" % size)
    tap.check(size <= SIZE_LIMIT, "it has %d bytes" % size)


@tap.test("the binary is static and stripped")
def static():
    headers = subprocess.run(["objdump", "-p", "-t", kloak.KLOAK], capture_output=True, text=True,
                             check=True).stdout
    tap.check("INTERP" not in headers and "NEEDED" not in headers, "it needs a loader")
    tap.check("no symbols" in headers, "it has symbols")


@tap.test("install and uninstall, below DESTDIR")
def install():
    directory = tap.scratch("root")
    place = ["O=" + os.environ.get("O", "build"), "DESTDIR=" + directory, "PREFIX=/opt/kloak"]
    make("install", *place)
    tap.check_equal(files_below(directory), [
        "opt/kloak/bin/kloak",
        "opt/kloak/share/man/man1/kloak.1",
        "opt/kloak/share/man/man5/kloak-events.5",
        "opt/kloak/share/man/man7/kloak-verification.7"], "installed")
    installed = directory + "/opt/kloak/bin/kloak"
    tap.check_equal(os.stat(installed).st_mode & 0o7777, 0o755, "mode of the binary")
    version = subprocess.run([installed, "--version"], capture_output=True, text=True, check=True)
    tap.check("0." in version.stdout, "version: %r" % version.stdout)
    make("uninstall", *place)
    tap.check_equal(files_below(directory), [], "left by uninstall")


@tap.test("a build in another directory, and clean, leave the tree alone")
def elsewhere():
    status = ["git", "status", "--porcelain", "--ignored"]
    if subprocess.run(status, cwd=kloak.TREE, capture_output=True).returncode:
        tap.skip("this tree is no git checkout")
    before = subprocess.run(status, cwd=kloak.TREE, capture_output=True, check=True).stdout
    directory = tap.scratch("build")
    make("O=" + directory, "all")
    tap.check(os.path.exists(directory + "/kloak"), "no binary")
    after = subprocess.run(status, cwd=kloak.TREE, capture_output=True, check=True).stdout
    tap.check_equal(after, before, "changed files of the tree")
    make("O=" + directory, "clean")
    tap.check(not os.path.exists(directory), "clean left the build directory")


tap.main(__doc__)
