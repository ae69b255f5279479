# SPDX-License-Identifier: GPL-2.0-only
"""What applications consist of in the tests of destinations: `from app import *`.

An application looks names up, connects, and sends requests that hold API_KEY,
which is the placeholder under Kloak. Constants of the test (PORT, CA, ...)
stand above this import in each application.
"""
import os
import random
import select
import socket
import ssl
import struct
import sys
import threading
import time

from lib import dnswire

__all__ = ["os", "random", "select", "socket", "ssl", "struct", "sys", "threading", "time",
           "dnswire", "look_up", "ask", "ask_by_tcp", "connect", "send",
           "exchange", "request", "connect_plain", "secure", "context"]


def look_up(host, family=socket.AF_INET):
    """The addresses that the system's resolver gives."""
    found = socket.getaddrinfo(host, 443, family, socket.SOCK_STREAM)
    return [row[4][0] for row in found]


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def ask(server, host, kind=dnswire.A, port=53, number=None, sock=None, seconds=10, data=None):
    """A query that the application makes itself; returns the answer's bytes, or None."""
    number = random.randrange(65536) if number is None else number
    with sock or socket.socket(family_of(server), socket.SOCK_DGRAM) as mine:
        mine.settimeout(seconds)
        mine.sendto(data or dnswire.query(number, host, kind), (server, port))
        try:
            return mine.recv(65535)
        except TimeoutError:
            return None


def ask_by_tcp(server, host, kind=dnswire.A, port=53, pieces=1):
    """pieces: the query leaves in so many sends."""
    query = dnswire.query(random.randrange(65536), host, kind)
    framed = struct.pack(">H", len(query)) + query
    with socket.create_connection((server, port), 10) as mine:
        mine.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        step = -(-len(framed) // pieces)
        for start in range(0, len(framed), step):
            mine.sendall(framed[start:start + step])
            time.sleep(0.01 if pieces > 1 else 0)
        with mine.makefile("rb") as stream:
            size = struct.unpack(">H", stream.read(2))[0]
            return stream.read(size)


def connect_plain(address, port):
    plain = socket.create_connection((address, port), 20)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain


def context():
    """Trusts the test's authority. The name is not checked: that is Kloak's business here."""
    tls = ssl.create_default_context(cafile=os.environ["CA"])
    tls.check_hostname = False
    return tls


def secure(plain, name):
    return context().wrap_socket(plain, server_hostname=name)


def connect(address, name, port):
    return secure(connect_plain(address, port), name)


def request(key=None, target="/"):
    key = os.environ["API_KEY"] if key is None else key
    return ("GET %s HTTP/1.1\r\nHost: host\r\nX-Api-Key: %s\r\n\r\n" % (target, key)).encode()


def exchange(tls, target="/"):
    """One request and its answer."""
    tls.sendall(request(target=target))
    answer = b""
    while not answer.endswith(b"ok"):
        data = tls.recv(4096)
        if not data:
            raise SystemExit("the server closed the connection: %r" % answer)
        answer += data



def send(address, name, port, target="/"):
    """A connection of its own for one request."""
    with connect(address, name, port) as tls:
        exchange(tls, target)
