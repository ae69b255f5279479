# SPDX-License-Identifier: GPL-2.0-only
"""The processes that are measured. All clients share one processor, and one works at a time."""
import os
import select
import subprocess

from lib import rig as rigs

ANSWER_SECONDS = 60
SERVER_NAME = "bench.test"  # as in bench.h
CLIENT_CPU, SERVER_CPU = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))


def pinned(processor):
    return lambda: os.sched_setaffinity(0, {processor})


class Process:
    """A program that reads commands, one to a line, and answers each with a line."""

    def __init__(self, name, command, environment, processor, errors):
        self.name, self.errors = name, errors
        with open(errors, "wb") as file:
            self.child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True,
                bufsize=1, env={"PATH": "/usr/bin:/bin", **environment},
                preexec_fn=pinned(processor))

    def read(self):
        # Answers are single lines, each read whole: nothing waits in Python's buffer.
        if not select.select([self.child.stdout], [], [], ANSWER_SECONDS)[0]:
            raise rigs.CannotMeasure("%s does not answer" % self.name)
        line = self.child.stdout.readline()
        if not line:
            raise rigs.CannotMeasure("%s ended: %s" % (self.name, self.stderr_text()))
        return line.strip()

    def ask(self, *words):
        self.child.stdin.write(" ".join(map(str, words)) + "\n")
        return self.read()

    def stderr_text(self):
        with open(self.errors, errors="replace") as file:
            return file.read().strip()[-600:]

    def stop(self):
        self.child.stdin.close()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class Server(Process):
    def __init__(self, rig, libraries="base"):
        paths = [path for pair in rig.certificates for path in pair]
        super().__init__("server-" + libraries, [rigs.program("server")] + paths, {
            "BENCH_SECRET": rig.secret,
            "LD_LIBRARY_PATH": rig.libraries(libraries)["directory"],
        }, SERVER_CPU, os.path.join(rig.directory, "server-%s.err" % libraries))
        self.port = int(self.read())


class Client(Process):
    """prefix: the command that runs the client; libraries: which copy it uses."""

    def __init__(self, rig, server, name, libraries, prefix=()):
        self.server = server
        super().__init__(name, list(prefix) + [
            rigs.program("client"), str(server.port), rig.roots] + rig.payloads, {
                "BENCH_SECRET": rig.secret,
                "LD_LIBRARY_PATH": rig.libraries(libraries)["directory"],
            }, CLIENT_CPU, os.path.join(rig.directory, name.replace(" ", "-") + ".err"))
        if self.read() != "ready":
            raise rigs.CannotMeasure(name + " does not start")

    def connect(self, suite, expected):
        """expected: what the server must find in place of the hole: "S" the secret, "P" not."""
        verdict = self.ask("connect", suite.version, suite.name, suite.auth, int(suite.nodelay))
        if verdict != expected:
            raise rigs.CannotMeasure("%s, %s: the server saw %s where %s should be; %s" % (
                self.name, suite, verdict, expected, self.stderr_text()))

    def write(self, payload, count, placeholder):
        """ns of the thread's time; the server reads when all has been written."""
        taken = float(self.ask("write", payload, count, int(placeholder), 0))
        self.server.ask("drain")
        return taken

    def stream(self, payload, count, placeholder):
        """ns by the wall clock, while the server reads."""
        self.server.ask("flow")
        taken = float(self.ask("write", payload, count, int(placeholder), 1))
        self.server.ask("still")
        return taken

    def handshake(self, suite, count):
        """ns for one by the wall clock, and ns of work for both sides."""
        before = int(self.server.ask("worked"))
        passed, worked = map(float, self.ask("handshake", suite.version, suite.name, suite.auth,
                                             count).split())
        return passed, worked + (int(self.server.ask("worked")) - before) / count


def kloak_prefix(server, name=SERVER_NAME):
    """A rule of a name, which brings the programs that watch name servers; or of an address."""
    pin = ["--pin", name + "=127.0.0.1"] if name == SERVER_NAME else []
    return [rigs.KLOAK, "run", "-s", "BENCH_SECRET@%s:%d" % (name, server.port), *pin, "--"]


def floor_prefix(*options):
    return [rigs.program("floor"), *options, "--"]


class Suite:
    """What a connection is like. nodelay: each write leaves as a packet of its own."""

    def __init__(self, version, name, auth="ecdsa", nodelay=False):
        self.version, self.name, self.auth, self.nodelay = version, name, auth, nodelay

    def __str__(self):
        bits = "AES-256" if "256" in self.name.split("SHA")[0] else "AES-128"
        return "TLS %s %s%s" % (self.version, bits, ", TCP_NODELAY" if self.nodelay else "")


TLS13_256 = Suite("1.3", "TLS_AES_256_GCM_SHA384")
TLS13_128 = Suite("1.3", "TLS_AES_128_GCM_SHA256")
TLS12_256 = Suite("1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")
TLS12_128 = Suite("1.2", "ECDHE-ECDSA-AES128-GCM-SHA256")
TLS13_PACKETS = Suite("1.3", "TLS_AES_256_GCM_SHA384", nodelay=True)
TLS13_RSA = Suite("1.3", "TLS_AES_256_GCM_SHA384", "rsa")
