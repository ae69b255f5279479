# SPDX-License-Identifier: GPL-2.0-only
"""Runs commands under `kloak run` and reads its output."""
import itertools
import json
import os
import secrets
import signal
import subprocess
import time

from lib import tap

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
KLOAK = os.path.join(TREE, os.environ.get("O", "build"), "kloak")
PREFIX = b"kloak:"
# What the events say, in user/event/reason.c.
REASONS = {
    "host": "host",
    "port": "port",
    "not verified": "address-not-verified",
    "no SNI": "no-sni",
    "suite": "cipher-suite",
    "split": "split",
    "unknown placeholder": "unknown-placeholder",
    "netns": "network-namespace",
}
numbers = itertools.count()


def new_secret(size=32):
    """Printable, safe in headers, URLs, JSON and shell words, and like nothing else in memory."""
    return ("sk_" + secrets.token_hex(size))[:size]


def grant(server, name="API_KEY", host="api.test"):
    return "%s@%s:%d" % (name, host, server.port)


PINS = ("api.test=127.0.0.1", "api.test=::1")


def environment(values):
    return {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C",
            "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1", **values}


class Result:
    """status is as a shell shows it: 128 and the number of the signal that ended kloak."""

    def __init__(self, status, output, errors, events):
        self.status, self.output, self.errors, self.events = status, output, errors, events

    def verdicts(self, verdict):
        return [event for event in self.events if event["verdict"] == verdict]

    def reasons(self):
        return sorted({event["reason"] for event in self.verdicts("refused")})

    def __str__(self):
        return "status %d, events %s, stderr: %s" % (
            self.status, [(e["verdict"], e.get("reason")) for e in self.events[:10]],
            self.errors.decode(errors="replace")[-800:])


class Running:
    """A `kloak run` in progress. values: environment of kloak itself; grants: the -s arguments;
    popen: further arguments of subprocess.Popen; prefix: words in front of kloak; program: where
    kloak is, as seen from there."""

    def __init__(self, command, values, grants, pins=PINS, options=(), events=True,
                 popen=None, prefix=(), program=KLOAK):
        self.events_path = tap.scratch("events-%d.json" % next(numbers)) if events else None
        arguments = list(prefix) + [program, "run"]
        for item in grants:
            arguments += ["-s", item]
        for pin in pins:
            arguments += ["--pin", pin]
        if events:
            arguments += ["--events", self.events_path]
        self.process = subprocess.Popen(
            arguments + list(options) + ["--"] + list(command), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(values),
            cwd=tap.scratch(), **(popen or {}))
        tap.cleanup(self.stop)

    @property
    def pid(self):
        return self.process.pid

    def descendants(self):
        return descendants(self.pid)

    def read_line(self):
        return self.process.stdout.readline()

    def finish(self, data=b"", timeout=tap.HANGS):
        try:
            output, errors = self.process.communicate(data, timeout)
        except subprocess.TimeoutExpired:
            self.stop()
            raise tap.Failure("kloak run did not end within %d s" % timeout)
        status = self.process.returncode
        return Result(128 - status if status < 0 else status, output, errors, self._read_events())

    def _read_events(self):
        if self.events_path is None or not os.path.exists(self.events_path):
            return []
        with open(self.events_path) as lines:
            return [json.loads(line) for line in lines]

    def stop(self):
        """Ends the process and, should it leave any, its children."""
        if self.process.poll() is not None:
            return
        family = self.descendants()
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in family:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def descendants(pid):
    """Pids of all children, and theirs."""
    found = [child for task in _listing("/proc/%d/task" % pid)
             for child in _children("/proc/%d/task/%s/children" % (pid, task))]
    return found + [grandchild for child in found for grandchild in descendants(child)]


def _listing(path):
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []


def _children(path):
    """Of one thread, which may have ended meanwhile."""
    try:
        with open(path) as file:
            return [int(child) for child in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def without_root_warning(errors):
    """What kloak said, without the line that the tests, being root, always get."""
    lines = errors.splitlines(keepends=True)
    return b"".join(line for line in lines
                    if not line.startswith(b"kloak: warning: the command runs as root"))


def run(command, values, grants, timeout=tap.HANGS, **options):
    return Running(command, values, grants, **options).finish(timeout=timeout)


def run_plain(command, values, timeout=tap.HANGS):
    """The same command without Kloak: what the server must see."""
    done = subprocess.run(command, env=environment(values), stdin=subprocess.DEVNULL,
                          cwd=tap.scratch(), capture_output=True, timeout=timeout)
    tap.check(done.returncode == 0, "the client fails without Kloak: %s"
              % done.stderr.decode(errors="replace")[-800:])


def requests_seen(server, expected, seconds=tap.HAPPENS):
    """Waits until the server has `expected` requests; returns them, sorted, and forgets them."""
    end = time.monotonic() + seconds
    while len(server.recorder.requests) < expected and time.monotonic() < end:
        time.sleep(0.005)
    return sorted(server.recorder.forget())


def check_same_as_plain(server, command, values, grants, expected, swaps=None, **options):
    """The server cannot tell the run under Kloak from one where the client holds the secrets.

    expected: requests sent; swaps: placeholders in them (default: one per request).
    """
    swaps = expected if swaps is None else swaps
    run_plain(command, values)
    plain = requests_seen(server, expected)
    tap.check_equal(len(plain), expected, "requests without Kloak")
    tap.check_equal(sum(r.count(v.encode()) for r in plain for v in values.values()), swaps,
                    "secrets in the requests without Kloak")
    result = run(command, values, grants, **options)
    sealed = requests_seen(server, expected)
    tap.check(result.status == 0, "the client failed under Kloak: %s" % result)
    tap.check_equal(len(sealed), expected, "requests under Kloak; %s" % result)
    wrong = [(s, p) for s, p in zip(sealed, plain) if s != p]
    tap.check(not wrong, "%d of %d requests differ; %s\n%s" % (
        len(wrong), expected, result, _difference(wrong)))
    tap.check_equal(len(result.verdicts("swapped")), swaps, "swapped events; %s" % result)
    tap.check_equal(len(result.verdicts("refused")), 0, "refused events; %s" % result)
    return result


def check_reason(result, reason, count):
    """There are `count` refused events, and each has this reason."""
    tap.check_equal([event["reason"] for event in result.verdicts("refused")],
                    [REASONS[reason]] * count, "reasons of refused events")


def _difference(wrong):
    """Lengths and the first differing place; the secret itself is not shown."""
    if not wrong:
        return ""
    got, want = wrong[0]
    place = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
    return "got %d bytes, want %d, first difference at %d: got %r" % (
        len(got), len(want), place, got[max(0, place - 16):place + 16])
