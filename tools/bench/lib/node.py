# SPDX-License-Identifier: GPL-2.0-only
"""What Kloak takes on the machine: size, memory, and finding functions in large files."""
import os
import shutil
import subprocess

from lib import figures, rig as rigs
from lib.actors import kloak_prefix

KB = 1024


class NoServer:
    port = 1  # nobody connects


def memory_of(pid):
    """Resident KB of a process: {"VmRSS": all, "RssAnon": its own}."""
    with open("/proc/%d/status" % pid) as lines:
        fields = dict(line.split(":", 1) for line in lines)
    return {name: int(fields[name].split()[0]) for name in ("VmRSS", "RssAnon", "VmHWM")}


def run_size(rig, table):
    table.add("binary, stripped", os.path.getsize(rigs.KLOAK) / KB, "KB", 700)
    waiting = subprocess.Popen(
        kloak_prefix(NoServer) + ["sh", "-c", "echo up; read end"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "BENCH_SECRET": rig.secret})
    if waiting.stdout.readline() != b"up\n":
        raise rigs.CannotMeasure("kloak run does not start a shell")
    memory = memory_of(waiting.pid)
    waiting.communicate(b"end\n")
    table.add("memory of the waiting parent (VmRSS)", memory["VmRSS"] / KB, "MB", 4,
              note="  (RssAnon %d KB, peak %d KB)" % (memory["RssAnon"], memory["VmHWM"]))


def run_symbols(rig, table):
    paths = [path for path in rig.system_libraries if "crypto" in path]
    paths += [os.path.realpath(path) for path in [shutil.which("node")] if path]
    figures.heading("Finding the functions of all hooks, us")
    for path in paths:
        done = subprocess.run([rigs.program("symbols"), path], capture_output=True, text=True)
        if done.returncode:
            raise rigs.CannotMeasure(done.stderr.strip())
        least, median, first, found = map(float, done.stdout.split())
        size = os.path.getsize(path) / KB / KB
        print("%-46s %5.1f MB  min %.1f  median %.1f  first %.1f  %d found" % (
            path, size, least, median, first, found))
        table.add("symbol lookup in %s (%.0f MB)" % (os.path.basename(path), size),
                  median / 1e3, "ms")
