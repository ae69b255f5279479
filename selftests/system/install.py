#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The binary is small and stands alone; what make builds, rebuilds, refuses, installs and packs."""
import os
import subprocess
import tarfile

from lib import kloak, tap, tree

MAKE = os.environ.get("MAKE", "make").split()
SIZE_LIMIT = 800 * 1000


def run_make(*arguments, where=kloak.TREE):
    """Exit status and what it said."""
    done = subprocess.run(MAKE + ["--no-print-directory", *arguments], cwd=where,
                          timeout=tap.HANGS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def make(*arguments, where=kloak.TREE):
    status, output = run_make(*arguments, where=where)
    tap.check(status == 0, "make %s: %s" % (" ".join(arguments), output[-800:]))


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


# What stands for everything that is compiled, and what is in the commands for it.
PRODUCT, HOST, BPF = "user/main.o", "host/user/main.o", "kernel/net/dns.bpf.o"
REBUILDS = (
    ("nothing", (), set()),
    ("CFLAGS", ("CFLAGS=-O1",), {PRODUCT, HOST}),
    ("CC", ("CFLAGS=-O1", "CC=gcc"), {PRODUCT}),
    ("HOST_CC", ("CFLAGS=-O1", "CC=gcc", "HOST_CC=gcc -DCHANGED"), {HOST}),
    ("CLANG", ("CFLAGS=-O1", "CC=gcc", "HOST_CC=gcc -DCHANGED", "CLANG=clang -DCHANGED"), {BPF}),
    ("GNUmakefile", ("CFLAGS=-O1", "CC=gcc", "HOST_CC=gcc -DCHANGED", "CLANG=clang -DCHANGED",
                     "-W", "GNUmakefile"), {PRODUCT, HOST, BPF}),
)


@tap.test("what is compiled is compiled anew when its command changes, and not otherwise")
def rebuilds():
    directory = tap.scratch("rebuilds")
    paths = {name: os.path.join(directory, name) for name in (PRODUCT, HOST, BPF)}
    targets = ["O=" + directory, *paths.values()]
    make(*targets)
    for what, arguments, expected in REBUILDS:
        before = {name: os.stat(path).st_mtime_ns for name, path in paths.items()}
        make(*targets, *arguments)
        after = {name: os.stat(path).st_mtime_ns for name, path in paths.items()}
        tap.check_equal({name for name in paths if before[name] != after[name]}, expected,
                        "compiled anew for a change of " + what)


@tap.test("a compiler for another processor is refused, in a sentence")
def cross():
    directory = tap.scratch("cross")
    status, output = run_make("O=" + directory, "CC=clang --target=aarch64-linux-gnu")
    tap.check(status != 0, "it built")
    tap.check_equal(len(output.splitlines()), 1, "lines of " + output)
    tap.check('makes programs for "aarch64", and Kloak knows x86_64 only' in output, output)
    tap.check(not os.path.exists(directory), "it made something")
    make("O=" + directory, "CC=clang --target=aarch64-linux-gnu", "clean")


def run_in(directory, *command, **more):
    subprocess.run(command, cwd=directory, check=True, stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT, **more)


def packed(directory):
    """What `make dist` packs there: (name, mode) of each file; and the archive."""
    make("dist", where=directory)
    path = os.path.join(directory, [name for name in os.listdir(directory)
                                    if name.endswith(".tar.gz")][0])
    with tarfile.open(path) as archive:
        return sorted((member.name, member.mode & 0o111) for member in archive
                      if not member.isdir()), path


@tap.test("make dist packs all that a build needs; a build elsewhere and clean leave that alone")
def dist():
    source, unpacked = tap.scratch("source"), tap.scratch("unpacked")
    os.mkdir(source)
    os.mkdir(unpacked)
    run_in(source, "tar", "-xz", input=tree.archive())
    run_in(source, "git", "-c", "init.defaultBranch=main", "init", "-q")
    run_in(source, "git", "add", "-A")
    run_in(source, "git", "-c", "user.name=test", "-c", "user.email=test", "commit", "-qm", "test")
    names, archive = packed(source)
    version = names[0][0].split("/")[0]
    tap.check_equal([name[len(version) + 1:] for name, _ in names], tree.files(), "packed of git's")
    run_in(unpacked, "tar", "-xzf", archive)
    directory, build = os.path.join(unpacked, version), tap.scratch("build")
    before = files_below(directory)
    make("-j%d" % (os.cpu_count() or 1), "O=" + build, "all", where=directory)
    run_in(directory, build + "/kloak", "--version")
    make("O=" + build, "clean", where=directory)
    tap.check(not os.path.exists(build), "clean left the build directory")
    tap.check_equal(files_below(directory), before, "files of the tree")
    again, _ = packed(directory)
    tap.check_equal(again, names, "packed of what was unpacked")


tap.main(__doc__)
