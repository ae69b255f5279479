#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Looks for a value, or any 8-byte piece of it, in everything that a process can read of itself.

As a program (root): memory.py PID... < VALUE
prints where pieces were found and exits 1, or says how much was searched and exits 0.
"""
import os
import re
import sys

PIECE = 8
CHUNK = 4 << 20
PAGE = 4096
# [vvar] holds the kernel's clock pages and [vsyscall] its old entry points: not readable as
# memory of the process.
UNREADABLE = ("[vvar]", "[vvar_vclock]", "[vsyscall]")


def pieces(value):
    return {value[i:i + PIECE] for i in range(len(value) - PIECE + 1)}


class Needle:
    """All 8-byte pieces of a value, found in one pass."""

    def __init__(self, *values):
        every = sorted(set().union(*(pieces(value) for value in values)))
        # A set on the first byte makes most positions fail at once.
        self._pattern = re.compile(b"|".join(map(re.escape, every)))

    def count(self, data):
        return sum(1 for _ in self._pattern.finditer(data))


class Found:
    """What a search has seen: bytes searched, and (place, hits)."""

    def __init__(self):
        self.searched = 0
        self.hits = []

    def __str__(self):
        if not self.hits:
            return "nothing in %.1f MB" % (self.searched / 1e6)
        return ", ".join("%d x in %s" % (count, place) for place, count in self.hits[:20])

    def note(self, place, size, count):
        self.searched += size
        if count:
            self.hits.append((place, count))


def _mappings(pid):
    with open("/proc/%d/maps" % pid) as lines:
        for line in lines:
            fields = line.split(None, 5)
            start, end = (int(x, 16) for x in fields[0].split("-"))
            name = fields[5].strip() if len(fields) > 5 else "anonymous"
            if fields[1].startswith("r") and name not in UNREADABLE:
                yield start, end, name


def _chunks(memory, start, end):
    """Readable pieces of a mapping, overlapping so that no hit is cut. Untouched pages cost little:
    they come back as zeros."""
    position = start
    while position < end:
        try:
            memory.seek(position)
            data = memory.read(min(CHUNK, end - position))
        except (OSError, ValueError, OverflowError):
            position = (position | (PAGE - 1)) + 1  # no file after this page: nothing to read
            continue
        if not data:
            return
        yield data
        if position + len(data) >= end:
            return
        position += max(len(data) - (PIECE - 1), 1)


def search_process(pid, needle, found=None):
    """Memory, command line and environment of one process."""
    found = Found() if found is None else found
    zeros = bytes(CHUNK)
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for start, end, name in _mappings(pid):
            for data in _chunks(memory, start, end):
                blank = data == zeros if len(data) == CHUNK else not any(data[:64]) and \
                    data.count(0) == len(data)
                found.note("%s at %x of process %d" % (name, start, pid), len(data),
                           0 if blank else needle.count(data))
    for name in ("environ", "cmdline"):
        search_file("/proc/%d/%s" % (pid, name), needle, found)
    return found


def search_file(path, needle, found):
    try:
        with open(path, "rb") as file:
            data = file.read(64 << 20)
    except OSError:
        return
    found.note(path, len(data), needle.count(data))


def search_tree(directory, needle, found):
    """Every regular file below a directory."""
    for parent, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(parent, name)
            if os.path.isfile(path) and not os.path.islink(path):
                search_file(path, needle, found)


def main():
    needle = Needle(sys.stdin.buffer.read())
    found = Found()
    for pid in sys.argv[1:]:
        search_process(int(pid), needle, found)
    print(found)
    sys.exit(1 if found.hits else 0)


if __name__ == "__main__":
    main()
