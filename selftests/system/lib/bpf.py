# SPDX-License-Identifier: GPL-2.0-only
"""Which BPF objects and cgroups exist on this machine, to see what a run leaves behind."""
import ctypes
import errno
import os
import struct
import time

from lib import tap

_libc = ctypes.CDLL(None, use_errno=True)
_SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
_NEXT_ID = {"program": 11, "map": 12, "link": 31}


def ids(kind):
    """All ids of one kind: "program", "map" or "link"."""
    found, last = set(), 0
    while True:
        attribute = ctypes.create_string_buffer(struct.pack("II", last, 0), 128)
        if _libc.syscall(_SYS_BPF, _NEXT_ID[kind], attribute, 128) < 0:
            error = ctypes.get_errno()
            if error == errno.ENOENT:
                return found
            raise OSError(error, os.strerror(error))
        last = struct.unpack_from("II", attribute.raw)[1]
        found.add(last)


def links_of(pid):
    """Ids of the links that a process holds."""
    found = set()
    for descriptor in os.listdir("/proc/%d/fd" % pid):
        try:
            if "bpf_link" not in os.readlink("/proc/%d/fd/%s" % (pid, descriptor)):
                continue
            with open("/proc/%d/fdinfo/%s" % (pid, descriptor)) as file:
                fields = dict(line.partition(":")[::2] for line in file)
            found.add(int(fields["link_id"]))
        except FileNotFoundError:
            pass
    return found


def cgroup_mount():
    with open("/proc/self/mounts") as lines:
        for line in lines:
            fields = line.split()
            if fields[2] == "cgroup2":
                return fields[1]
    return None


def cgroups():
    """Paths of the cgroups that kloak has made."""
    return {parent + "/" + name for parent, names, _ in os.walk(cgroup_mount())
            for name in names if name.startswith("kloak-run-")}


class Inventory:
    """All that a run could leave."""

    def __init__(self):
        self.things = {(kind, number) for kind in _NEXT_ID for number in ids(kind)}
        self.things |= {("cgroup", path) for path in cgroups()}

    def left_since(self, seconds=tap.HAPPENS):
        """What is new, after the kernel has had time to free what nobody holds."""
        end = time.monotonic() + seconds
        while True:
            left = Inventory().things - self.things
            if not left or time.monotonic() > end:
                return sorted(left)
            time.sleep(0.1)
