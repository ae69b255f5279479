# SPDX-License-Identifier: GPL-2.0-only
"""A FUSE file system that only one user may look at, as FUSE mounts are without allow_root.

It serves the files of a directory, read-only, by the kernel's protocol (linux/fuse.h), since no
package is needed for that. A file whose name begins with "hang" is never read, and whether there
is one whose name begins with "lost" is never said: its server does not answer.
"""
import ctypes
import os
import signal
import stat
import struct

from lib import tap

USER = 65534
LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT = 1, 2, 3, 14, 15, 18, 25, 26
OPENDIR, RELEASEDIR, ACCESS, INTERRUPT, BATCH_FORGET = 27, 29, 34, 36, 42
NO_ANSWER = (FORGET, INTERRUPT, BATCH_FORGET)
ENOENT, ENOSYS = 2, 38
MNT_DETACH = 2


class Server:
    def __init__(self, device, directory):
        self.device, self.directory = device, directory
        self.names = [""] + sorted(os.listdir(directory))

    def attributes(self, node):
        status = os.stat(os.path.join(self.directory, self.names[node - 1]))
        mode = status.st_mode | 0o555 if stat.S_ISDIR(status.st_mode) else status.st_mode
        return struct.pack("<6Q10I", node, status.st_size, 1, 0, 0, 0, 0, 0, 0, mode, 1, USER, USER,
                           0, 4096, 0)

    def answer(self, code, node, body):
        """(error, data)."""
        if code == INIT:
            return 0, struct.pack("<4I2H2I2H8I", 7, 31, 65536, 0, 8, 8, 65536, 1, 0, 0, *[0] * 8)
        if code == LOOKUP:
            name = body.rstrip(b"\0").decode()
            if name not in self.names:
                return ENOENT, b""
            child = self.names.index(name) + 1
            return 0, struct.pack("<4Q2I", child, 0, 60, 60, 0, 0) + self.attributes(child)
        if code == GETATTR:
            return 0, struct.pack("<Q2I", 60, 0, 0) + self.attributes(node)
        if code in (OPEN, OPENDIR):
            return 0, struct.pack("<Q2I", 1, 0, 0)
        if code == READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            with open(os.path.join(self.directory, self.names[node - 1]), "rb") as file:
                file.seek(offset)
                return 0, file.read(size)
        return (0 if code in (RELEASE, FLUSH, RELEASEDIR, ACCESS) else ENOSYS), b""

    def serve(self):
        while True:
            request = os.read(self.device, 1 << 18)
            _, code, unique, node = struct.unpack_from("<IIQQ", request)
            if code in NO_ANSWER:
                continue
            if code in (READ, FLUSH) and self.names[node - 1].startswith("hang"):
                continue
            if code == LOOKUP and request[40:].startswith(b"lost"):
                continue
            error, data = self.answer(code, node, request[40:])
            os.write(self.device, struct.pack("<IiQ", 16 + len(data), -error, unique) + data)


def mount(directory, point):
    """Serves @directory at @point until the test ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        tap.skip("no FUSE here: %s" % error)
    os.mkdir(point)
    options = "fd=%d,rootmode=40755,user_id=%d,group_id=%d" % (device, USER, USER)
    if libc.mount(b"test", point.encode(), b"fuse", 0, options.encode()):
        tap.skip("FUSE cannot be mounted here: %s" % os.strerror(ctypes.get_errno()))
    pid = os.fork()
    if pid == 0:
        try:
            Server(device, directory).serve()
        finally:
            os._exit(0)
    os.close(device)
    tap.cleanup(unmount, libc, point, pid)


def unmount(libc, point, pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    libc.umount2(point.encode(), MNT_DETACH)
