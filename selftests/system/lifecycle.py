#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A run starts fast, ends when and how its command ends, and leaves nothing behind."""
import itertools
import os
import signal
import socket
import ssl
import subprocess
import threading
import time

from lib import bpf, clients, kloak, memory, servers, tap

VALUES = {"API_KEY": kloak.new_secret()}
GRANTS = ["API_KEY@api.test"]
CYCLES = 500


def run(*command, **options):
    return kloak.run(command, VALUES, GRANTS, **options)


class Bystander:
    """A TLS client outside of any workload, sending a few hundred requests a second."""

    def __init__(self, server):
        self.server = server
        self.context = ssl.create_default_context(cafile=server.authority.ca)
        self.requests, self.errors = 0, []
        self.end = threading.Event()
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self):
        try:
            while not self.end.is_set():
                self._connection()
        except OSError as error:
            self.errors.append(error)

    def _connection(self):
        plain = socket.create_connection(("127.0.0.1", self.server.port), timeout=tap.HANGS)
        with self.context.wrap_socket(plain, server_hostname="api.test") as tls:
            for number in range(50):
                request = b"GET /%d HTTP/1.1\r\nHost: api.test\r\nContent-Length: 0\r\n\r\n" % number
                tls.sendall(request)
                answer = b""
                while not answer.endswith(b"ok"):
                    data = tls.recv(4096)
                    if not data:
                        raise OSError("the server closed the connection")
                    answer += data
                self.requests += 1
                time.sleep(0.002)

    def stop(self):
        self.end.set()
        self.thread.join()


class Cycles:
    """CYCLES runs of a shell that does nothing, four at a time. Of `true` alone kloak says each
    time that it will not be hooked."""

    AT_A_TIME = 4

    def __init__(self):
        self.started, self.ended, self.failures = itertools.count(), itertools.count(), []
        workers = [threading.Thread(target=self._work) for _ in range(self.AT_A_TIME)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.runs = next(self.ended)

    def _work(self):
        while next(self.started) < CYCLES and not self.failures:
            done = subprocess.run([kloak.KLOAK, "run", "-s", GRANTS[0], "--", "sh", "-c", ""],
                                  timeout=tap.HANGS, env=kloak.environment(VALUES),
                                  capture_output=True)
            said = kloak.without_root_warning(done.stderr)
            if done.returncode != 0 or said:
                self.failures.append("status %d: %r" % (done.returncode, said))
            next(self.ended)


@tap.test("%d runs while another process talks TLS" % CYCLES)
def cycles():
    before = bpf.Inventory()
    with servers.Nginx() as server:
        bystander = Bystander(server)
        done = Cycles()
        bystander.stop()
        received = len(server.recorder.requests)
    print("# %d runs, meanwhile %d requests of another process" % (done.runs, bystander.requests))
    tap.check_equal(done.failures, [], "failures")
    tap.check_equal(bystander.errors, [], "errors of the other process")
    tap.check_equal(received, bystander.requests, "requests at the server")
    tap.check_equal(done.runs, CYCLES, "runs")
    tap.check_equal(before.left_since(), [], "left behind")


@tap.test("a run that sends leaves nothing behind")
def sending():
    before = bpf.Inventory()
    with servers.Nginx() as server:
        result = kloak.run(clients.http_client(server, [clients.HEADER_REQUEST]), VALUES,
                           [kloak.grant(server)])
    tap.check_equal(len(result.verdicts("swapped")), 1, "swapped events; %s" % result)
    tap.check_equal(before.left_since(), [], "left behind")


@tap.test("what a killed kloak leaves, the next start removes")
def sweep():
    before = bpf.Inventory()
    victim = kloak.Running(["sh", "-c", "echo; exec sleep 300"], VALUES, GRANTS)
    victim.read_line()
    family = victim.descendants()
    os.kill(victim.pid, signal.SIGKILL)
    victim.process.wait()
    for pid in family:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    time.sleep(0.2)
    run("true")
    tap.check_equal(before.left_since(), [], "left behind")


@tap.test("the exit status is the command's")
def status():
    for number in (0, 1, 2, 77, 78, 125, 255):
        result = run("sh", "-c", "exit %d" % number)
        tap.check_equal(result.status, number, "exit status; %s" % result)


@tap.test("a command that dies of a signal gives 128 and the signal's number")
def died():
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGABRT):
        result = run("sh", "-c", "kill -%d $$" % number)
        tap.check_equal(result.status, 128 + number, "exit status; %s" % result)


@tap.test("signals reach the command")
def signals():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT):
        script = "trap 'exit 50' TERM INT HUP USR1 QUIT; echo; while :; do sleep 0.02; done"
        running = kloak.Running(["sh", "-c", script], VALUES, GRANTS)
        running.read_line()
        running.process.send_signal(number)
        result = running.finish()
        tap.check_equal(result.status, 50, "status after %s; %s" % (number.name, result))


@tap.test("standard input and output are the command's own")
def streams():
    running = kloak.Running(["sh", "-c", "cat; echo error >&2"], VALUES, GRANTS)
    result = running.finish(b"some input\n")
    tap.check_equal((result.output, kloak.without_root_warning(result.errors)),
                    (b"some input\n", b"error\n"), "the streams")


@tap.test("arguments, environment and directory are passed on")
def passed_on():
    result = kloak.run(["sh", "-c", 'printf "%s|" "$@" "$OTHER" "$PWD"', "sh", "a b", "", "--", "-s"],
                       {**VALUES, "OTHER": "value"}, GRANTS)
    want = "a b||--|-s|value|%s|" % tap.scratch().rstrip("/")
    tap.check_equal(result.output.decode(), want, "the command's view")


@tap.test("two runs at a time do not see each other")
def two():
    with servers.Nginx() as server:
        values = [{"API_KEY": kloak.new_secret()} for _ in range(4)]
        running = [kloak.Running(clients.http_client(server, [clients.HEADER_REQUEST], repeat=50),
                                 value, [kloak.grant(server)]) for value in values]
        results = [each.finish() for each in running]
        requests = b"".join(kloak.requests_seen(server, 200))
    for value, result in zip(values, results):
        tap.check_equal(requests.count(value["API_KEY"].encode()), 50, "requests; %s" % result)
        tap.check_equal(len(result.verdicts("swapped")), 50, "swapped events")


@tap.test("a process that outlives the command is left alone")
def outlives():
    path = tap.scratch("late")
    result = run("sh", "-c", "(sleep 1; echo late >%s) >/dev/null 2>&1 & exit 3" % path)
    tap.check_equal(result.status, 3, "exit status; %s" % result)
    end = time.monotonic() + tap.HANGS
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.05)
    tap.check(os.path.exists(path), "the process was ended")
    run("true")


@tap.test("the waiting kloak needs at most 4 MB")
def resident():
    running = kloak.Running(["sh", "-c", "echo; read line"], VALUES, GRANTS)
    running.read_line()
    with open("/proc/%d/status" % running.pid) as file:
        fields = dict(line.split(":", 1) for line in file if ":" in line)
    running.finish(b"\n")
    size = int(fields["VmRSS"].split()[0])
    print("# resident: %d kB" % size)
    tap.check(size <= 4096, "%d kB are resident" % size)


@tap.test("events on standard output")
def events_on_stdout():
    with servers.Nginx() as server:
        done = subprocess.run(
            [kloak.KLOAK, "run", "-s", kloak.grant(server), "--pin", "api.test=127.0.0.1",
             "--events", "-", "--"] + clients.http_client(server, [clients.HEADER_REQUEST]),
            env=kloak.environment(VALUES), capture_output=True, timeout=tap.HANGS)
    tap.check(b'"swapped"' in done.stdout, "no event on standard output: %s" % done)
    tap.check(not memory.Needle(VALUES["API_KEY"].encode()).count(done.stdout), "the secret is there")


tap.main(__doc__)
