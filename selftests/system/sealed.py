#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The application never holds the secret, nor any 8-byte piece of it.

All readable memory, command line, environment and files of the application and
its children are searched while a request is in flight (the server has it, the
answer is held back) and after the answer. Each search also looks
for a control value, which the application does hold and which must be found.
"""
from lib import clients, kloak, memory, sealing, servers, tap

REQUEST = clients.request("/?k={API_KEY}", [("X-Api-Key", "{API_KEY}")],
                          '{"key": "{API_KEY}", "more": "%s"}' % ("text " * 200))
SEARCHED = (("http.client", clients.http_client), ("asyncio", clients.asyncio_client),
            ("node", clients.node))


def sealed_test(name, client, suite):
    @tap.test("memory of %s, TLS %s, %s" % (name, *suite))
    def sealed():
        with servers.Nginx(suite) as server:
            secret = sealing.check_client(server, client(server, [REQUEST], wait=True), 3)
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
        sealing.check_client(server, ["sh", "-c", '"$@"; true', "sh"] + command, 3)


@tap.test("memory after 200 requests with several secrets")
def many_requests():
    values = {"API_KEY": kloak.new_secret(32), "TOKEN": kloak.new_secret(200),
              "PASSWORD": kloak.new_secret(8)}
    request = clients.request("/?p={PASSWORD}&n={COUNT}", [("X-Api-Key", "{API_KEY}")], "{TOKEN}")
    with servers.Nginx() as server:
        command = clients.http_client(server, [request], repeat=200, wait=True)
        run = kloak.Running(command, values, [kloak.grant(server, name) for name in values])
        tap.check_equal(run.read_line(), b"ready\n", "the client's word")
        found = sealing.search(run, memory.Needle(*(value.encode() for value in values.values())))
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
