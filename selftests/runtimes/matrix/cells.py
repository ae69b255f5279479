# SPDX-License-Identifier: GPL-2.0-only
"""One client against one server, without Kloak and under it.

Without Kloak the client has the secret, under Kloak the placeholder; what the
server gets must be the same bytes. A handshake that the server refuses because
the client does not offer its version or suite says "not offered"; any other
failure without Kloak is a failure of the cell.
"""
import re
import subprocess
import time

from lib import kloak, memory, servers, tap
from matrix import roots

# (protocol, suite as OpenSSL calls it, as the table calls it)
SUITES = (
    (servers.TLS13, "TLS_AES_128_GCM_SHA256", "AES-128-GCM"),
    (servers.TLS13, "TLS_AES_256_GCM_SHA384", "AES-256-GCM"),
    (servers.TLS13, "TLS_CHACHA20_POLY1305_SHA256", "ChaCha20"),
    (servers.TLS12, "ECDHE-ECDSA-AES128-GCM-SHA256", "AES-128-GCM"),
    (servers.TLS12, "ECDHE-ECDSA-AES256-GCM-SHA384", "AES-256-GCM"),
    (servers.TLS12, "ECDHE-ECDSA-CHACHA20-POLY1305", "ChaCha20"),
)
PASSED, FAILED, NOT_OFFERED = "passed", "failed", "not offered"
# What nginx logs (at level info) of a ClientHello without what it wants.
_REFUSED = re.compile(r"no shared cipher|unsupported protocol|version too low|no suitable key share")
_VOLUME = {"connections": 20, "requests": 50, "threads": 8}


class NotOffered(Exception):
    """The client's own words."""


class Bench:
    """Servers for one client at a time, one per protocol and suite, started when needed."""

    def __init__(self):
        self._servers = {}

    def server(self, suite):
        if suite not in self._servers:
            self._servers[suite] = servers.Nginx(suite[:2], log_level="info")
        return self._servers[suite]


class Client:
    """A program of the matrix as it is in one root."""

    def __init__(self, program, root):
        self.program, self.root = program, root
        self.command, self.version, self.library = program.prepare(root)

    def values(self, server, name=roots.NAME, requests=2, connections=1, threads=1):
        places = "all" if "places" in self.program.traits else "header"
        return {"TEST_ADDRESS": roots.ADDRESS, "TEST_PORT": str(server.port), "TEST_NAME": name,
                "TEST_CA": server.authority.ca, "TEST_REQUESTS": str(requests),
                "TEST_CONNECTIONS": str(connections), "TEST_THREADS": str(threads),
                "TEST_PLACES": places, "API_KEY": kloak.new_secret(40)}

    def swaps(self, requests):
        return requests * (3 if "places" in self.program.traits else 1)

    def run_direct(self, server, values, expected):
        """The requests without Kloak, which are what the server must get."""
        server.recorder.forget()
        mark = server.log_size()
        try:
            done = self.root.run(self.command, values)
        except subprocess.TimeoutExpired:
            raise tap.Failure("does not end without Kloak") from None
        if done.returncode != 0:
            if _REFUSED.search(server.log_since(mark)):
                raise NotOffered(roots.said(done))
            raise tap.Failure("fails without Kloak: " + roots.said(done))
        requests = kloak.requests_seen(server, expected)
        check_count(requests, expected, values["API_KEY"], self.swaps(expected), "without Kloak")
        return requests

    def run_sealed(self, server, values, expected, host=roots.NAME):
        running = self.start(server, values, host)
        result = running.finish(timeout=90)
        tap.check(result.status == 0, "status %d under Kloak; %s" % (result.status, _told(result)))
        return result, kloak.requests_seen(server, expected)

    def start(self, server, values, host=roots.NAME):
        pins = ["%s=%s" % (host, roots.ADDRESS)]
        if self.by_address() and host == roots.NAME:
            host, pins = roots.ADDRESS, []
        return self.root.start(self.command, values, ["API_KEY@%s:%d" % (host, server.port)], pins)

    def by_address(self):
        beginning = self.program.by_address
        return beginning is not None and self.library.startswith(beginning)

    def check(self, server, **amount):
        """The same bytes at the server without Kloak and under it."""
        values = self.values(server, **amount)
        expected = int(values["TEST_REQUESTS"]) * int(values["TEST_CONNECTIONS"])
        plain = self.run_direct(server, values, expected)
        result, sealed = self.run_sealed(server, values, expected)
        tap.check_equal(len(sealed), expected, "requests under Kloak; %s" % _told(result))
        wrong = sum(a != b for a, b in zip(sealed, plain))
        tap.check(not wrong, "%d of %d requests differ; %s" % (wrong, expected, _told(result)))
        # Events may be lost, which kloak says; requests may not.
        lost = re.search(rb"(\d+) events were lost", result.errors)
        events = len(result.verdicts("swapped")) + (int(lost.group(1)) if lost else 0)
        tap.check(events == self.swaps(expected) and not result.verdicts("refused"),
                  "wrong events: %s" % _told(result))

    def check_volume(self, server):
        """1,000 requests on 20 connections, by 8 threads: not one wrong byte."""
        self.check(server, **_VOLUME)

    def check_not_granted(self, server):
        """A host that the secret was not granted for gets the placeholder."""
        values = self.values(server)
        result, requests = self.run_sealed(server, values, 2, host=roots.OTHER_NAME)
        tap.check_equal(len(requests), 2, "requests; %s" % _told(result))
        check_count(requests, 2, values["API_KEY"], 0, "at a host that was not granted")
        check_count(requests, 2, "kloak:", self.swaps(2), "at a host that was not granted")
        tap.check(self.by_address() or result.reasons() == [kloak.REASONS["host"]],
                  "reasons of events; %s" % _told(result))

    def check_memory(self, server):
        """While the server holds its answer back, no memory of the client has 8 bytes of the
        secret; but it does have a control value."""
        values = {**self.values(server), "CONTROL": kloak.new_secret(24)}
        server.recorder.forget()
        server.recorder.answer.clear()
        running = self.start(server, values)
        try:
            end = time.monotonic() + 30
            while not server.recorder.requests and time.monotonic() < end:
                if running.process.poll() is not None:
                    raise tap.Failure("the client ended early; %s" % _told(running.finish()))
                time.sleep(0.01)
            time.sleep(0.1)  # the write that the server has seen returns in the client
            held = _search(running, values["CONTROL"])
            found = _search(running, values["API_KEY"])
        except ProcessLookupError:
            raise tap.Failure("the client ended while its memory was searched") from None
        finally:
            server.recorder.answer.set()
        result = running.finish(timeout=60)
        requests = kloak.requests_seen(server, 2)
        tap.check(held.hits, "the control value was not found: %s" % held)
        tap.check(not found.hits, "pieces of the secret: %s" % found)
        check_count(requests, 2, values["API_KEY"], self.swaps(2), "under Kloak; %s" % _told(result))


def _search(running, text):
    found, needle = memory.Found(), memory.Needle(text.encode())
    for pid in running.descendants():
        memory.search_process(pid, needle, found)
    return found


def _told(result):
    """Events and words of a run, without the warning that tests always get, being root."""
    words = kloak.without_root_warning(result.errors).decode(errors="replace").split()
    refused = ["%d refused: %s" % (len(result.verdicts("refused")), ", ".join(result.reasons()))]
    return "; ".join(["%d swapped" % len(result.verdicts("swapped"))] +
                     refused * bool(result.verdicts("refused")) + [" ".join(words)[-300:]])


def check_count(requests, expected, text, places, where):
    """So many requests, and a text so often in them, which is not for the test's output."""
    tap.check_equal(len(requests), expected, "requests " + where)
    tap.check_equal(sum(request.count(text.encode()) for request in requests), places,
                    "placeholders or secrets in the requests " + where)


def judge(check, *arguments):
    """(result, reason)"""
    try:
        check(*arguments)
    except NotOffered as words:
        return NOT_OFFERED, str(words)
    except tap.Failure as failure:
        return FAILED, str(failure)
    return PASSED, ""
