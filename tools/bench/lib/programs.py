# SPDX-License-Identifier: GPL-2.0-only
"""Run time of loaded BPF programs, from bpf(2): BPF_ENABLE_STATS, struct bpf_prog_info."""
import contextlib
import ctypes
import os
import struct

from lib.rig import CannotMeasure

_libc = ctypes.CDLL(None, use_errno=True)
_SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
_PROG_GET_NEXT_ID, _PROG_GET_FD_BY_ID, _OBJ_GET_INFO_BY_FD, _ENABLE_STATS = 11, 13, 15, 32
_INFO_SIZE, _INFO_NAME, _INFO_RUN_TIME = 232, 64, 192


def _bpf(command, attribute):
    buffer = ctypes.create_string_buffer(attribute, 128)
    return _libc.syscall(_SYS_BPF, command, buffer, 128), buffer.raw


@contextlib.contextmanager
def statistics():
    """Counts while it is open: closing the descriptor ends it, whatever happens to us."""
    fd, _ = _bpf(_ENABLE_STATS, struct.pack("I", 0))
    if fd < 0:
        raise CannotMeasure("bpf(BPF_ENABLE_STATS): " + os.strerror(ctypes.get_errno()))
    try:
        yield
    finally:
        os.close(fd)


def _describe(number):
    """(name, run time in ns, runs) of a program, None if it is gone."""
    fd, _ = _bpf(_PROG_GET_FD_BY_ID, struct.pack("II", number, 0))
    if fd < 0:
        return None
    info = ctypes.create_string_buffer(_INFO_SIZE)
    failed, _ = _bpf(_OBJ_GET_INFO_BY_FD,
                     struct.pack("IIQ", fd, _INFO_SIZE, ctypes.addressof(info)))
    os.close(fd)
    if failed:
        return None
    name = info.raw[_INFO_NAME:_INFO_NAME + 16].split(b"\0")[0].decode()
    return (name, *struct.unpack_from("QQ", info.raw, _INFO_RUN_TIME))


def snapshot():
    found, number = {}, 0
    while True:
        failed, raw = _bpf(_PROG_GET_NEXT_ID, struct.pack("II", number, 0))
        if failed:
            return found
        number = struct.unpack_from("II", raw)[1]
        description = _describe(number)
        if description:
            found[number] = description


def show(title, count, action):
    """What ran during the action, which does something `count` times."""
    before = snapshot()
    action()
    after = snapshot()
    print(title)
    for number, (name, spent, runs) in sorted(after.items()):
        _, spent_before, runs_before = before.get(number, (name, 0, 0))
        fresh = runs - runs_before
        # Others may use BPF on this machine: what ran for us ran often.
        if fresh >= count / 2:
            print("    %-20s %8.0f ns a run, %6.2f runs, %8.0f ns together" % (
                name, (spent - spent_before) / fresh, fresh / count,
                (spent - spent_before) / count))
