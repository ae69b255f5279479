# SPDX-License-Identifier: GPL-2.0-only
"""A small internet: two network namespaces of this test file, joined by a veth pair.

enter() moves the test file's process into the first, `here`, where kloak and
the applications run. The second, there(), has servers, resolvers and whoever
forges answers. All addresses of 10.53.0.0/16 and fd53::/32, except here's own,
are there; whoever listens at one answers:

    10.53.0.1, fd53::1             here
    10.53.1.0/24, fd53:0:0:1::/64  servers
    10.53.2.0/24, fd53:0:0:2::/64  resolvers

The process also has its own mount namespace, with its own /etc/resolv.conf and
/run. Nothing of this outlives the processes of the test file.
"""
import contextlib
import ctypes
import os
import socket
import subprocess

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _CLONE_NEWNET = 0x20000, 0x40000000
HERE = ("10.53.0.1", "fd53::1")
SERVER, SERVER6 = "10.53.1.%d", "fd53:0:0:1::%x"
RESOLVER, RESOLVER6 = "10.53.2.%d", "fd53:0:0:2::%x"
# TCP Fast Open without cookies, for the test of it.
_SYSCTLS = {"net/ipv4/tcp_fastopen": "1543", "net/ipv6/ip_nonlocal_bind": "1",
            "net/ipv4/conf/all/rp_filter": "0", "net/ipv4/conf/default/rp_filter": "0"}
_descriptors = {}


def _call(function, *arguments):
    if function(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _own():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def enter():
    """Once, before any thread is started."""
    if _descriptors:
        return
    _call(_libc.unshare, _CLONE_NEWNS)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    for name in ("there", "here"):
        _call(_libc.unshare, _CLONE_NEWNET)
        _descriptors[name] = _own()
        _configure()
    _ip("link add outside type veth peer name inside netns %s" % path("there"))
    for words in ("link set outside up", "address add 10.53.0.1/24 dev outside",
                  "address add fd53::1/64 dev outside nodad", "route add 10.53.0.0/16 via 10.53.0.2",
                  "route add fd53::/32 via fd53::2"):
        _ip(words)
    for words in ("link set inside up", "address add 10.53.0.2/24 dev inside",
                  "address add fd53::2/64 dev inside nodad", "route add local 10.53.1.0/24 dev lo",
                  "route add local 10.53.2.0/24 dev lo", "route add local fd53:0:0:1::/64 dev lo",
                  "route add local fd53:0:0:2::/64 dev lo"):
        _ip(words, there())


def _configure():
    _ip("link set lo up")
    for name, value in _SYSCTLS.items():
        with open("/proc/sys/" + name, "w") as file:
            file.write(value)


def _ip(words, prefix=()):
    family = ["-6"] if "fd53" in words else []
    subprocess.run([*prefix, "ip", *family, *words.split()], check=True)


def path(name):
    return "/proc/%d/fd/%d" % (os.getpid(), _descriptors[name])


# The command does not outlive the thread that starts it, not even if that is killed.
_BOUND = ["setpriv", "--pdeathsig", "KILL", "--"]


def here():
    """Words in front of a server that is to run here."""
    return list(_BOUND)


def there():
    """Words in front of a command that is to run there."""
    return ["nsenter", "--net=" + path("there"), "--", *_BOUND]


@contextlib.contextmanager
def being_there():
    """Sockets that this thread makes inside of the block are there."""
    _call(_libc.setns, _descriptors["there"], _CLONE_NEWNET)
    try:
        yield
    finally:
        _call(_libc.setns, _descriptors["here"], _CLONE_NEWNET)


def socket_there(*arguments):
    with being_there():
        return socket.socket(*arguments)


def mounted(*pairs):
    """Words in front of a command that sees other files: (file, the path where it sees it) ..."""
    mounts = ["mount --bind %s %s" % pair for pair in pairs]
    return ["unshare", "-m", "sh", "-c", " && ".join(mounts + ['exec "$@"']), "sh"]


def mount_here(source, target):
    """For this process and whatever it starts from now on."""
    subprocess.run(["mount", "--bind", source, target], check=True)
