# SPDX-License-Identifier: GPL-2.0-only
"""Copies of OpenSSL, and processes that load them: clients/library_client.py."""
import glob
import os
import shutil

from lib import clients, tap

def system_library(name):
    found = glob.glob("/usr/lib/%s-linux-gnu/%s" % (os.uname().machine, name)) + \
        glob.glob("/usr/lib64/" + name)
    if not found:
        tap.skip("no %s of the system to copy" % name)
    return found[0]


def write_copy(directory, name, as_name):
    """A copy that the loader takes for another library: every .so.3 in it becomes .so.9."""
    with open(system_library(name), "rb") as file:
        content = file.read()
    for stem in (b"libcrypto.so.", b"libssl.so."):
        content = content.replace(stem + b"3\0", stem + b"9\0")
    path = os.path.join(directory, as_name)
    with open(path + ".new", "wb") as file:
        file.write(content)
    os.rename(path + ".new", path)


def private_copy(name):
    directory = tap.scratch(name)
    os.mkdir(directory)
    write_copy(directory, "libcrypto.so.3", "libcrypto.so.9")
    write_copy(directory, "libssl.so.3", "libssl.so.9")
    return directory


def plain_copy(name):
    """A directory with the libraries under their usual names, for LD_LIBRARY_PATH."""
    directory = tap.scratch(name)
    os.mkdir(directory)
    for library in ("libcrypto.so.3", "libssl.so.3"):
        shutil.copy(system_library(library), directory)
    return directory


def client(server, directory, requests=1):
    """A process that does what its input says."""
    plan = clients.write_plan(server, [clients.HEADER_REQUEST], repeat=requests)
    return [clients.PYTHON, clients.script("library_client.py"), plan, directory]


class Process:
    """A client, told step by step what to do."""

    def __init__(self, process):
        self.process = process
        self.pid = process.pid

    def do(self, *lines):
        for line in lines:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
            tap.check(answer == b"done\n", "the application failed at %s" % line)

    def finish(self):
        """Its exit status."""
        self.process.communicate(timeout=tap.HANGS)
        return self.process.returncode
