#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Connections that end badly, and processes that fork, leave valid streams and do no harm."""
import os
import signal
import socket
import ssl
import struct
import threading
import time

from lib import clients, kloak, servers, tap

SECRET = {"API_KEY": kloak.new_secret(32)}
KEY = SECRET["API_KEY"].encode()
LARGE = clients.request(body="x" * 8000 + "{API_KEY}" + "y" * 600000)


def check_still_works(server):
    kloak.check_same_as_plain(server, clients.http_client(server, [clients.HEADER_REQUEST]),
                              SECRET, [kloak.grant(server)], 1)


def wait_for_bytes(server, size):
    end = time.monotonic() + tap.HAPPENS
    while len(server.recorder.raw) < size and time.monotonic() < end:
        time.sleep(0.005)


def check_killed(server, wanted):
    """What has arrived when the client dies must be the beginning of what it wrote."""
    command = clients.nonblocking_client(server, [LARGE], send_buffer=4608)
    run = kloak.Running(command, SECRET, [kloak.grant(server)])
    wait_for_bytes(server, wanted)
    family = run.descendants()
    tap.check(family, "the client ended before it was killed")
    os.kill(family[-1], signal.SIGKILL)
    result = run.finish()
    tap.check_equal(result.status, 128 + signal.SIGKILL, "exit status; %s" % result)
    time.sleep(0.05)
    raw = server.recorder.raw
    start = raw.find(b"\r\n\r\n") + 4
    whole = LARGE["body"].replace("{API_KEY}", SECRET["API_KEY"]).encode()
    tap.check(whole.startswith(raw[start:]), "the stream was broken after %d bytes" % len(raw))


@tap.test("a client killed in mid-write")
def killed():
    for suite in (servers.SUITES[0], servers.SUITES[2], servers.SUITES[4], servers.SUITES[5]):
        for wanted in (1000, 9000, 20000, 40000, 70000):
            with servers.Nginx(suite, slow=True) as server:
                check_killed(server, wanted)
    with servers.Nginx() as server:
        check_still_works(server)


class ResettingServer:
    """Reads a little, then resets the connection; counts how many."""

    def __init__(self):
        self.authority = servers.Authority.get()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.authority.certificate("rsa"), self.authority.key("rsa"))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.seen = b""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection = self.context.wrap_socket(self.listener.accept()[0], server_side=True)
            except OSError:
                return
            self.seen += connection.recv(200)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()


@tap.test("a server that resets the connection")
def reset():
    server = ResettingServer()
    command = [clients.PYTHON, clients.script("reset_client.py"),
               clients.write_plan(server, [clients.request(body="{API_KEY}" + "x" * 20000)]), "50"]
    result = kloak.run(command, SECRET, [kloak.grant(server)])
    server.listener.close()
    tap.check_equal((result.status, result.output), (0, b"50\n"), "resets seen; %s" % result)
    tap.check(result.verdicts("swapped"), "nothing was swapped: the test proves nothing")
    with servers.Nginx() as good:
        check_still_works(good)


def fork_test(before):
    @tap.test("a fork after %d requests, the child goes on" % before)
    def forked():
        with servers.Nginx() as server:
            command = [clients.PYTHON, clients.script("fork_client.py"),
                       clients.write_plan(server, [clients.HEADER_REQUEST], repeat=5), str(before)]
            result = kloak.run(command, SECRET, [kloak.grant(server)])
            requests = kloak.requests_seen(server, 5)
        tap.check_equal((result.status, len(requests)), (0, 5), "status, requests; %s" % result)
        swapped = sum(KEY in request for request in requests)
        tap.check_equal(len(result.verdicts("swapped")), swapped, "swapped events")
        tap.check_equal(len(result.verdicts("refused")), 5 - swapped, "refused events")
        if before:
            tap.check_equal(swapped, 5, "requests with the secret; %s" % result)


fork_test(0)
fork_test(2)

tap.main(__doc__)
