# SPDX-License-Identifier: GPL-2.0-only
"""Tries to get at the secret from inside the workload. argv: dump file, pids to attack ...

Everything that could be read goes to the dump file, for the test to search. Each
attempt is printed on a line, with how it ended.
"""
import ctypes
import os
import resource
import socket
import struct
import sys
import time

LIMIT = 256 << 20  # bytes read by one attempt
libc = ctypes.CDLL(None, use_errno=True)
SYS_BPF, SYS_PERF_EVENT_OPEN, SYS_PROCESS_VM_READV = 321, 298, 310
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438
PTRACE_ATTACH, PTRACE_DETACH, PTRACE_SEIZE = 16, 17, 0x4206
AF_PACKET_ALL = 0x0300

dump = open(sys.argv[1], "wb", buffering=0)
victims = [int(pid) for pid in sys.argv[2:]] or [os.getppid()]


def call(number, *arguments):
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def attempt(name, function, *arguments):
    try:
        kept = function(*arguments)
    except (OSError, ValueError) as error:
        print("%s: %s" % (name, error), flush=True)
    else:
        print("%s: read %d bytes" % (name, kept or 0), flush=True)


def keep(data):
    dump.write(data)
    return len(data)


def read_file(path):
    kept = 0
    with open(path, "rb", buffering=0) as file:
        while kept < LIMIT:
            data = file.read(1 << 20)
            if not data:
                break
            kept += keep(data)
    return kept


def mappings(pid):
    with open("/proc/%d/maps" % pid) as lines:
        for line in lines:
            fields = line.split(None, 5)
            if fields[1].startswith("r"):
                yield tuple(int(x, 16) for x in fields[0].split("-"))


def read_memory(pid):
    kept = 0
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for start, end in mappings(pid):
            try:
                memory.seek(start)
                kept += keep(memory.read(min(end - start, LIMIT - kept)))
            except (OSError, OverflowError):
                continue
    return kept


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


def read_by_process_vm(pid):
    """Needs no maps file. It guesses nothing, so an error other than EFAULT ends it."""
    kept = 0
    for start, end in mappings(pid):
        buffer = ctypes.create_string_buffer(end - start)
        local = Iovec(ctypes.cast(buffer, ctypes.c_void_p), end - start)
        remote = Iovec(start, end - start)
        try:
            size = call(SYS_PROCESS_VM_READV, pid, ctypes.byref(local), 1, ctypes.byref(remote), 1,
                        0)
        except OSError:
            continue
        kept += keep(buffer.raw[:size])
    return kept


def trace(request, pid):
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(request, pid, None, None) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.waitpid(pid, 0x40000000) if request == PTRACE_ATTACH else None
    kept = read_memory(pid)
    libc.ptrace(PTRACE_DETACH, pid, None, None)
    return kept


def read_descriptors(pid):
    kept = 0
    for name in os.listdir("/proc/%d/fd" % pid):
        path = "/proc/%d/fd/%s" % (pid, name)
        keep(os.readlink(path).encode())
        if os.path.isfile(path):
            kept += read_file(path)
    return kept


def take_descriptors(pid):
    pidfd = call(SYS_PIDFD_OPEN, pid, 0)
    taken, refused = 0, None
    for number in range(3, 64):
        try:
            descriptor = call(SYS_PIDFD_GETFD, pidfd, number, 0)
        except OSError as error:
            refused = error
            continue
        taken += dump_map(descriptor)
        os.close(descriptor)
    os.close(pidfd)
    if not taken and refused:
        raise refused
    return taken


# bpf(2): commands and the fields of union bpf_attr that they use.
MAP_LOOKUP, MAP_NEXT_KEY, GET_INFO = 1, 4, 15
PROG_NEXT_ID, MAP_NEXT_ID, PROG_BY_ID, MAP_BY_ID, LINK_BY_ID, LINK_NEXT_ID = 11, 12, 13, 14, 30, 31


def bpf(command, attribute):
    buffer = ctypes.create_string_buffer(attribute, 128)
    return call(SYS_BPF, command, buffer, 128), buffer.raw


def dump_map(descriptor):
    """Every key and value of a BPF map, whatever its type."""
    info = ctypes.create_string_buffer(256)
    try:
        bpf(GET_INFO, struct.pack("IIQ", descriptor, 256, ctypes.addressof(info)))
    except OSError:
        return 0
    keep(info.raw)
    _, _, key_size, value_size = struct.unpack_from("IIII", info.raw)
    if not 0 < key_size <= 4096 or not 0 < value_size <= 1 << 20:
        return 0
    key, following = (ctypes.create_string_buffer(key_size) for _ in range(2))
    value = ctypes.create_string_buffer(value_size * 64)
    kept, place = 0, 0
    for _ in range(100000):
        try:
            bpf(MAP_NEXT_KEY, struct.pack("IIQQ", descriptor, 0, place, ctypes.addressof(following)))
            key.raw = following.raw
            place = ctypes.addressof(key)
            bpf(MAP_LOOKUP, struct.pack("IIQQQ", descriptor, 0, place, ctypes.addressof(value), 0))
        except OSError:
            break
        kept += keep(key.raw + value.raw)
    return kept


def open_by_id(next_command, open_command):
    last, kept = 0, 0
    while True:
        try:
            attribute = bpf(next_command, struct.pack("II", last, 0))[1]
        except OSError as error:
            if error.errno == 2 and last:
                return kept
            raise
        last = struct.unpack_from("II", attribute)[1]
        descriptor = bpf(open_command, struct.pack("II", last, 0))[0]
        kept += dump_map(descriptor)
        os.close(descriptor)


def guess_ids(open_command):
    """Whoever may not list ids can try them one by one."""
    kept, refused = 0, None
    for number in range(1, 5000):
        try:
            descriptor = bpf(open_command, struct.pack("II", number, 0))[0]
        except OSError as error:
            if error.errno != 2:
                refused = error
            continue
        kept += 1 + dump_map(descriptor)
        os.close(descriptor)
    if refused and not kept:
        raise refused
    return kept


def capture(family, kind, protocol):
    """Opens a socket that would see the records as they leave."""
    with socket.socket(family, kind, protocol) as sniffer:
        sniffer.settimeout(0.5)
        return keep(sniffer.recv(65536))


def open_probe():
    """A uprobe, or samples of the kernel, of the attacker's own."""
    attribute = ctypes.create_string_buffer(struct.pack("IIQQ", 1, 112, 0, 1), 112)
    return os.close(call(SYS_PERF_EVENT_OPEN, attribute, victims[0], -1, -1, 0))


def core_dump(pid):
    """Makes kloak die with a core dump; the file would be in its directory."""
    resource.prlimit(pid, resource.RLIMIT_CORE, (-1, -1))
    os.kill(pid, 11)
    time.sleep(0.5)
    return sum(read_file(name) for name in os.listdir(".") if name.startswith("core"))


def main():
    for pid in victims:
        root = "/proc/%d/" % pid
        for name in ("environ", "cmdline", "auxv", "stack", "syscall", "smaps", "maps",
                     "io", "timers", "personality"):
            attempt(root + name, read_file, root + name)
        for name in os.listdir(root + "task"):
            path = root + "task/%s/environ" % name
            attempt(path, read_file, path)
        attempt(root + "mem", read_memory, pid)
        attempt(root + "fd", read_descriptors, pid)
        attempt("process_vm_readv", read_by_process_vm, pid)
        attempt("ptrace attach", trace, PTRACE_ATTACH, pid)
        attempt("ptrace seize", trace, PTRACE_SEIZE, pid)
        attempt("pidfd_getfd", take_descriptors, pid)
    attempt("bpf map ids", open_by_id, MAP_NEXT_ID, MAP_BY_ID)
    attempt("bpf program ids", open_by_id, PROG_NEXT_ID, PROG_BY_ID)
    attempt("bpf link ids", open_by_id, LINK_NEXT_ID, LINK_BY_ID)
    attempt("bpf map ids, guessed", guess_ids, MAP_BY_ID)
    attempt("AF_PACKET", capture, socket.AF_PACKET, socket.SOCK_RAW, AF_PACKET_ALL)
    attempt("raw TCP", capture, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    attempt("perf_event_open", open_probe)
    for device in ("/dev/mem", "/dev/kmem", "/proc/kcore"):
        attempt(device, read_file, device)
    if os.environ.get("CORE"):
        attempt("core dump", core_dump, victims[0])


main()
