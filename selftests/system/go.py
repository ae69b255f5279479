#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Secrets of Go programs are swapped, however the programs are built, and nothing breaks.

Each is built here from selftests/runtimes/clients/go_client.go, by the Go that is
installed. With symbols or without, all hooks go by the program's function table.
"""
import concurrent.futures
import os
import subprocess
import threading

from lib import build, clients, kloak, memory, servers, tap

STRIPPED = "-ldflags=-s -w"
EXTERNAL = "-ldflags=-linkmode=external -s -w"
BUILDS = {
    "plain": build.Made(build.go_client, "plain"),
    "stripped": build.Made(build.go_client, "stripped", STRIPPED),
    "pie": build.Made(build.go_client, "pie", "-buildmode=pie"),
    "not optimised": build.Made(lambda: build.go_client("n-l", "-gcflags=crypto/tls=-N -l")),
    "cgo, PIE, stripped": build.Made(lambda: build.go_client(
        "cgo-pie", "-buildmode=pie", EXTERNAL, CGO_ENABLED="1")),
    "boringcrypto, stripped": build.Made(lambda: build.go_client(
        "boring", STRIPPED, CGO_ENABLED="1", GOEXPERIMENT="boringcrypto")),
}
# 200 is what was promised, and takes a minute.
ATTACHED = int(os.environ.get("GO_ATTACHED", "50"))


def command(server, kind="plain", requests=3, connections=2, threads=2, **more):
    settings = {"TEST_ADDRESS": "127.0.0.1", "TEST_PORT": server.port, "TEST_NAME": "api.test",
                "TEST_CA": server.authority.ca, "TEST_REQUESTS": requests,
                "TEST_CONNECTIONS": connections, "TEST_THREADS": threads, **more}
    return ["env", *("%s=%s" % item for item in settings.items()), BUILDS[kind].get()]


def new_values():
    return {"API_KEY": kloak.new_secret(40)}


def arrives_test(kind, suite):
    @tap.test("%s, TLS %s, %s" % (kind, *suite))
    def arrives():
        with servers.Nginx(suite) as server:
            for mode in ("http", "raw"):
                kloak.check_same_as_plain(server, command(server, kind, TEST_MODE=mode),
                                          new_values(), [kloak.grant(server)], 6)


for the_kind in BUILDS:
    for the_suite in servers.SUITES:
        if "ECDSA" not in the_suite[1]:
            arrives_test(the_kind, the_suite)


def padding_test(mode, padding):
    @tap.test("%s, the secret after %d bytes of header" % (mode, padding))
    def padded():
        with servers.Nginx() as server:
            kloak.check_same_as_plain(
                server, command(server, requests=5, TEST_MODE=mode, TEST_PADDING=padding),
                new_values(), [kloak.grant(server)], 10)


# Go begins with records of some 1,200 bytes, and makes each a little longer.
for the_padding in (500, 3000, 20000, 50000):
    padding_test("http", the_padding)
    padding_test("raw", the_padding)


def volume_test(suite, **more):
    @tap.test("1000 requests, 20 connections, 8 goroutines, TLS %s, %s%s" % (
        *suite, "".join(", %s=%s" % item for item in more.items())))
    def volume():
        with servers.Nginx(suite) as server:
            kloak.check_same_as_plain(
                server, command(server, requests=50, connections=20, threads=8, **more),
                new_values(), [kloak.grant(server)], 1000)


for the_suite in ((servers.TLS13, "TLS_AES_128_GCM_SHA256"),
                  (servers.TLS12, "ECDHE-RSA-AES256-GCM-SHA384"),
                  (servers.TLS13, "TLS_CHACHA20_POLY1305_SHA256")):
    volume_test(the_suite)
    volume_test(the_suite, GOGC="1")


@tap.test("writes that have to enlarge the stack are seen once")
def stacks():
    with servers.Nginx() as server:
        kloak.check_same_as_plain(server, command(server, requests=200, TEST_MODE="deep"),
                                  new_values(), [kloak.grant(server)], 400)


def check_sealed(run, secret, control):
    """The same search finds the control value, and nothing of the secret."""
    for pid in run.descendants():
        held = memory.search_process(pid, memory.Needle(control.encode()))
        tap.check(held.hits, "the control value was not found: %s" % held)
        found = memory.search_process(pid, memory.Needle(secret.encode()))
        tap.check(not found.hits, "pieces of the secret: %s" % found)


@tap.test("memory holds nothing of the secret, in flight and afterwards")
def sealed():
    with servers.Nginx() as server:
        values, control = new_values(), kloak.new_secret(24)
        server.recorder.answer.clear()
        run = kloak.Running(command(server, TEST_WAIT=1), {**values, "CONTROL": control},
                            [kloak.grant(server)])
        try:
            tap.check_equal(len(kloak.requests_seen(server, 2, 20)), 2, "requests in flight")
            check_sealed(run, values["API_KEY"], control)
        finally:
            server.recorder.answer.set()
        tap.check_equal(run.read_line(), b"ready\n", "the client's word")
        check_sealed(run, values["API_KEY"], control)
        result = run.finish(b"\n")
        tap.check(result.status == 0, str(result))
        tap.check_equal(len(result.verdicts("swapped")), 6, "swapped events; %s" % result)


@tap.test("a host that is not granted gets the placeholder")
def not_granted():
    with servers.Nginx() as server:
        values = new_values()
        result = kloak.run(command(server), values, [kloak.grant(server, host="other.test")])
        seen = b"".join(kloak.requests_seen(server, 6))
    tap.check(result.status == 0, str(result))
    tap.check_equal(seen.count(b"X-Api-Key: " + kloak.PREFIX), 6, "placeholders at the server")
    tap.check(values["API_KEY"].encode() not in seen, "the secret was sent")
    kloak.check_reason(result, "host", 6)


class Traffic:
    """Runs of a client that Kloak does not start, one after another, until it is stopped."""

    def __init__(self, words):
        self.words, self.runs, self.failures = words, 0, []
        self.going = True
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while self.going and not self.failures:
            done = subprocess.run(self.words, env=kloak.environment({"API_KEY": "of my own"}),
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=tap.HANGS)
            self.runs += 1
            if done.returncode != 0:
                self.failures.append("status %d: %s" % (done.returncode, done.stderr[-2000:]))

    def stop(self):
        self.going = False
        self.thread.join()


def attach_once(server):
    """Kloak probes what a command mentions, and removes the probes when the command ends."""
    return kloak.run(["true", BUILDS["plain"].get()], new_values(), [kloak.grant(server)],
                     events=False)


@tap.test("probes come and go %d times below a program that works, GOGC=1" % ATTACHED)
def attached():
    with servers.Nginx() as server:
        traffic = Traffic(command(server, requests=200, connections=8, threads=8, GOGC=1))
        try:
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                for result in pool.map(lambda _: attach_once(server), range(ATTACHED)):
                    tap.check(result.status == 0, str(result))
        finally:
            traffic.stop()
        seen = server.recorder.forget()
    tap.check(not traffic.failures, "\n".join(traffic.failures))
    tap.check(traffic.runs > 0, "there was no traffic")
    tap.check_equal(len(seen), traffic.runs * 1600, "requests")
    tap.check_equal(sum(b"X-Api-Key: of my own\r\n" in request for request in seen), len(seen),
                    "requests as they were")


@tap.test("Go and OpenSSL in one run")
def two_libraries():
    with servers.Nginx() as server:
        words = command(server)
        other = clients.curl(server, [clients.HEADER_REQUEST])
        values = new_values()
        kloak.check_same_as_plain(server, ["sh", "-c", '"$@" && ' + other[2], "sh", *words],
                                  values, [kloak.grant(server)], 7)


tap.main(__doc__)
