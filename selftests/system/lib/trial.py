# SPDX-License-Identifier: GPL-2.0-only
"""An application under `kloak run`, and the servers that it may or may not send the secret to.

The application is a Python program given as text, or a command. What the
servers must get is known to the byte: app.request() with the secret, or with
the placeholder.
"""
import itertools
import os
import queue
import textwrap

from lib import clients, dns, kloak, namespace, servers, tap

_SYSTEM = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_CLIENTS = os.path.join(_SYSTEM, "clients")
_numbers = itertools.count()
_idle = {True: queue.SimpleQueue(), False: queue.SimpleQueue()}


def prepare(*resolvers):
    """Before anything else in a test file: makes its namespaces, and their /etc/resolv.conf."""
    namespace.enter()
    namespace.mount_here(dns.resolv_conf(*resolvers), "/etc/resolv.conf")
    servers.Authority.get()


def borrow_server(loopback):
    """A server, here or there, that no other test uses in the meantime."""
    try:
        return _idle[loopback].get_nowait()
    except queue.Empty:
        return servers.Nginx(addresses=servers.ANY_ADDRESS,
                             where=namespace.here() if loopback else namespace.there())


def request(key, target="/"):
    """A request, as clients/app.py makes it."""
    return ("GET %s HTTP/1.1\r\nHost: host\r\nX-Api-Key: %s\r\n\r\n" % (target, key)).encode()


dedent = textwrap.dedent


def write_program(text, **constants):
    path = tap.scratch("app-%d.py" % next(_numbers))
    with open(path, "w") as file:
        file.writelines("%s = %r\n" % item for item in constants.items())
        file.write("from app import *\n" + dedent(text))
    return path


class Trial:
    """with Trial("api.test") as trial: trial.run(PROGRAM); trial.check_...

    rules: hosts of the secret's rules, the port of the first server being added where they have
    none; servers: how many, here if loopback, else there; programs and rules know their ports as
    PORT, PORT_1, ... resolvers, pins: for the options of kloak run. options: further ones.
    """

    def __init__(self, *rules, servers=1, resolvers=(), pins=(), options=(), prefix=(),
                 loopback=False):
        self.rules, self.count, self.loopback = rules, servers, loopback
        self.options = [word for item in resolvers for word in ("--resolver", item)]
        self.options += options
        self.pins, self.prefix = pins, prefix
        self.values = {"API_KEY": kloak.new_secret(40), "PYTHONPATH": _CLIENTS + ":" + _SYSTEM,
                       "CA": ""}
        self.result = self.placeholder = self.running = None

    def __enter__(self):
        self.servers = [borrow_server(self.loopback) for _ in range(self.count)]
        for server in self.servers:
            server.recorder.streams.clear()
        self.values["CA"] = servers.Authority.get().ca
        return self

    def __exit__(self, kind, *_):
        if self.running:
            self.running.stop()
        for server in self.servers:
            if kind is None:
                _idle[self.loopback].put(server)
            else:
                server.stop()

    @property
    def port(self):
        return self.servers[0].port

    def grant(self):
        rules = [rule.format(**self.constants()) for rule in self.rules]
        rules = [rule if self._has_port(rule) else "%s:%d" % (rule, self.port) for rule in rules]
        return "API_KEY@" + ",".join(rules)

    @staticmethod
    def _has_port(rule):
        return ":" in rule.rpartition("]")[2]

    def constants(self):
        ports = {"PORT_%d" % n: server.port for n, server in enumerate(self.servers)}
        return {"PORT": self.port, **ports}

    def start(self, program=None, command=None, before=(), **popen):
        """before: words in front of the program's interpreter, in the run."""
        if command is None:
            command = [clients.PYTHON, write_program(program, **self.constants())]
        held = ["sh", "-c", 'printenv API_KEY; exec "$@"', "sh", *before]
        self.running = kloak.Running(held + command, self.values, [self.grant()], self.pins,
                                     self.options, popen=popen, prefix=self.prefix)
        self.placeholder = self.read_line()

    def read_line(self):
        """The application's next line, or a failure that says why there is none."""
        line = self.running.read_line()
        if not line:
            self.finish()
            raise tap.Failure("the application said nothing; %s" % self.describe())
        return line.decode().strip()

    def finish(self, data=b"", timeout=tap.HANGS):
        self.result = self.running.finish(data, timeout)
        self.running = None
        tap.check(self.result.status == 0, "the application failed: %s" % self.result)

    def run(self, program=None, timeout=tap.HANGS, **options):
        self.start(program, **options)
        self.finish(timeout=timeout)
        return self

    def seen(self, count, server=0):
        return kloak.requests_seen(self.servers[server], count)

    def _check_events(self, server, verdict, count):
        port = self.servers[server].port
        events = [e for e in self.result.events if e["port"] in (port, 0)]
        tap.check_equal([e["verdict"] for e in events], [verdict] * count,
                        "verdicts at port %d; %s" % (port, self.describe()))
        return events

    def check_swapped(self, count=1, server=0, address=None, host=None, targets=None):
        """The server got so many requests, all with the secret, and each has its event."""
        self.check_requests(self.values["API_KEY"], count, server, targets)
        for event in self._check_events(server, "swapped", count):
            if address is not None:
                tap.check_equal(event["address"], address, "the event's address")
            if host is not None:
                tap.check_equal(event["host"], host, "the event's host")

    def check_left(self, *reasons, count=1, server=0, targets=None, requests=None):
        """The server got so many requests, all with the placeholder and no byte of the secret,
        and each has an event with one of the reasons. requests: if the server is not the one."""
        self.check_requests(self.placeholder, count if requests is None else requests, server,
                            targets)
        for event in self._check_events(server, "refused", count):
            tap.check(event["reason"] in reasons, "the reason: %s, not %s; %s" % (
                event["reason"], " or ".join(reasons), self.describe()))
            tap.check(event["advice"], "no advice")

    def check_requests(self, key, count, server=0, targets=None):
        requests = self.seen(count, server)
        want = sorted(request(key, target) for target in targets or ["/"] * count)
        tap.check_equal([self._masked(r) for r in requests], [self._masked(r) for r in want],
                        "requests at server %d; %s" % (server, self.describe()))

    def _masked(self, data):
        """A secret is not for the test's output."""
        return data.replace(self.values["API_KEY"].encode(), b"<the secret>")

    def describe(self):
        events = [(e["verdict"], e.get("reason"), e["host"], e["address"], e["port"])
                  for e in self.result.events[:6]]
        return "events %s, stdout: %s, stderr: %s" % (
            events, self.result.output.decode(errors="replace")[-300:],
            self.result.errors.decode(errors="replace")[-800:])
