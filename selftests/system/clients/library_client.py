# SPDX-License-Identifier: GPL-2.0-only
"""argv: plan, directory of a libssl.so.9 and libcrypto.so.9 (private copies of OpenSSL).

Does what each line of its input says, and answers "done":

    load        loads the copies, by path
    memory      loads them from memory that has no file (memfd_create)
    private     the plan's requests, on one connection, by the copy that was loaded
    system      the same by Python's own OpenSSL
    settle      waits until Kloak has had the time to see what was loaded
    spawn       starts a process like this one: load, settle, private
"""
import ctypes
import os
import socket
import subprocess
import sys
import time

import plan as plans

SSL_CTRL_SET_TLSEXT_HOSTNAME = 55
SETTLED = 1  # seconds; a library is probed long before


def in_memory(path):
    descriptor = os.memfd_create(os.path.basename(path))
    with open(path, "rb") as source, open(descriptor, "wb", closefd=False) as copy:
        copy.write(source.read())
    return "/proc/self/fd/%d" % descriptor


class Library:
    """Just enough of libssl, with nothing verified: the test is about who sees the traffic."""

    def __init__(self, directory, where=lambda path: path):
        self.crypto = ctypes.CDLL(where(directory + "/libcrypto.so.9"))
        self.ssl = ctypes.CDLL(where(directory + "/libssl.so.9"))
        for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
            getattr(self.ssl, name).restype = ctypes.c_void_p

    def _call(self, name, *arguments):
        result = getattr(self.ssl, name)(*arguments)
        if not result or result < 0:
            raise SystemExit("%s: %d" % (name, result))
        return result

    def make_requests(self, plan):
        context = ctypes.c_void_p(self._call("SSL_CTX_new", ctypes.c_void_p(
            self._call("TLS_client_method"))))
        session = ctypes.c_void_p(self._call("SSL_new", context))
        with socket.create_connection((plan.address, plan.port)) as plain:
            self._call("SSL_set_fd", session, plain.fileno())
            self._call("SSL_ctrl", session, SSL_CTRL_SET_TLSEXT_HOSTNAME, ctypes.c_long(0),
                       ctypes.c_char_p(plan.name.encode()))
            self._call("SSL_connect", session)
            for request in plan.wire():
                self._call("SSL_write", session, request, len(request))
                self._receive(session)

    def _receive(self, session):
        buffer, answer = ctypes.create_string_buffer(4096), b""
        while not answer.endswith(b"ok"):
            size = self._call("SSL_read", session, buffer, len(buffer))
            answer += buffer.raw[:size]


def make_requests_of_system(plan):
    with plan.context().wrap_socket(socket.create_connection((plan.address, plan.port)),
                                    server_hostname=plan.name) as tls:
        for request in plan.wire():
            tls.sendall(request)
            answer = b""
            while not answer.endswith(b"ok"):
                answer += tls.recv(4096)


def main():
    plan, library = plans.load(), None
    for line in sys.stdin:
        word = line.strip()
        if word == "load":
            library = Library(sys.argv[2])
        elif word == "memory":
            library = Library(sys.argv[2], in_memory)
        elif word == "settle":
            time.sleep(SETTLED)
        elif word == "private":
            library.make_requests(plan)
        elif word == "system":
            make_requests_of_system(plan)
        elif word == "spawn":
            subprocess.run([sys.executable] + sys.argv, input=b"load\nsettle\nprivate\n",
                           stdout=subprocess.DEVNULL, check=True)
        else:
            raise SystemExit("no such word: " + word)
        print("done", flush=True)


main()
