#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The application never holds the secret, nor any 8-byte piece of it.

All readable memory, command line, environment and files of the application and
its children are searched while a request is in flight (the server has it, the
answer is held back) and after the answer. Each search looks for a control value
too, which the application does hold and which must be found.
"""
import time

from lib import clients, kloak, memory, servers, tap

REQUEST = clients.request("/?k={API_KEY}", [("X-Api-Key", "{API_KEY}")],
                          '{"key": "{API_KEY}", "more": "%s"}' % ("text " * 200))
SEARCHED = (("http.client", clients.http_client), ("asyncio", clients.asyncio_client),
            ("node", clients.node))


def search(run, needle):
    """All processes below kloak; kloak itself is searched by hostile.py's means."""
    found = memory.Found()
    family = run.descendants()
    tap.check(family, "the application is gone")
    for pid in family:
        memory.search_process(pid, needle, found)
    return found


def check_sealed(run, secret, control, moment):
    held = search(run, memory.Needle(control.encode()))
    tap.check(held.hits, "%s: the control value was not found: %s" % (moment, held))
    found = search(run, memory.Needle(secret.encode()))
    tap.check(not found.hits, "%s: pieces of the secret: %s" % (moment, found))


def wait_for_request(server, run):
    end = time.monotonic() + 20
    while not server.recorder.requests and time.monotonic() < end:
        if run.process.poll() is not None:
            raise tap.Failure("the client ended early; %s" % run.finish())
        time.sleep(0.01)
    time.sleep(0.1)  # the write that the server has seen returns in the client


def check_client(server, command):
    values = {"API_KEY": kloak.new_secret(48)}
    control = kloak.new_secret(24)
    server.recorder.forget()
    server.recorder.answer.clear()
    run = kloak.Running(command, {**values, "CONTROL": control}, [kloak.grant(server)])
    try:
        wait_for_request(server, run)
        check_sealed(run, values["API_KEY"], control, "in flight")
    finally:
        server.recorder.answer.set()
    tap.check_equal(run.read_line(), b"ready\n", "the client's word")
    check_sealed(run, values["API_KEY"], control, "afterwards")
    result = run.finish(b"\n")
    tap.check(result.status == 0, str(result))
    request = server.recorder.forget()[0]
    tap.check_equal(request.count(values["API_KEY"].encode()), 3,
                    "secrets that the server received; %s" % result)
    output = result.output + result.errors + repr(result.events).encode()
    tap.check(not memory.Needle(values["API_KEY"].encode()).count(output),
              "pieces of the secret in what kloak and the client print")
    return values["API_KEY"]


def sealed_test(name, client, suite):
    @tap.test("memory of %s, TLS %s, %s" % (name, *suite))
    def sealed():
        with servers.Nginx(suite) as server:
            secret = check_client(server, client(server, [REQUEST], wait=True))
        found = memory.Found()
        memory.search_tree(tap.scratch(), memory.Needle(secret.encode()), found)
        tap.check(not found.hits, "files: %s" % found)


for the_name, the_client in SEARCHED:
    for the_suite in servers.MAIN_SUITES:
        sealed_test(the_name, the_client, the_suite)


@tap.test("memory of a process with a child that sends")
def children():
    with servers.Nginx() as server:
        command = clients.http_client(server, [REQUEST], wait=True)
        check_client(server, ["sh", "-c", '"$@"; true', "sh"] + command)


@tap.test("memory after 200 requests with several secrets")
def many_requests():
    values = {"API_KEY": kloak.new_secret(32), "TOKEN": kloak.new_secret(200),
              "PASSWORD": kloak.new_secret(8)}
    request = clients.request("/?p={PASSWORD}&n={COUNT}", [("X-Api-Key", "{API_KEY}")], "{TOKEN}")
    with servers.Nginx() as server:
        command = clients.http_client(server, [request], repeat=200, wait=True)
        run = kloak.Running(command, values, [kloak.grant(server, name) for name in values])
        tap.check_equal(run.read_line(), b"ready\n", "the client's word")
        found = search(run, memory.Needle(*(value.encode() for value in values.values())))
        result = run.finish(b"\n")
        tap.check(not found.hits, "pieces of the secrets: %s" % found)
        received = b"".join(server.recorder.requests)
    for name, value in values.items():
        tap.check_equal(received.count(value.encode()), 200, "%s at the server; %s" % (name, result))


@tap.test("the environment of the application holds placeholders of the same length")
def environment():
    values = {"API_KEY": kloak.new_secret(40), "PASSWORD": kloak.new_secret(8)}
    result = kloak.run(["env"], values, ["API_KEY@api.test", "PASSWORD@api.test"])
    held = dict(line.split("=", 1) for line in result.output.decode().splitlines())
    for name, value in values.items():
        tap.check(held[name].startswith("kloak:"), "%s is no placeholder" % name)
        tap.check_equal(len(held[name]), len(value), "length of %s" % name)
    tap.check(not memory.Needle(values["API_KEY"].encode()).count(result.output),
              "pieces of the secret in the environment")


@tap.test("two runs get different placeholders")
def different():
    values = {"API_KEY": kloak.new_secret(32)}
    held = {kloak.run(["printenv", "API_KEY"], values, ["API_KEY@api.test"]).output
            for _ in range(5)}
    tap.check_equal(len(held), 5, "different placeholders of five runs")


tap.main(__doc__)
