# SPDX-License-Identifier: GPL-2.0-only
"""Clients of selftests/runtimes/clients, which the environment configures, and what is
tested with each of them.

A test file of a library makes its client and hands it to register_tests().
"""
import os
import subprocess

from lib import build, kloak, memory, servers, tap

CLIENTS = os.path.join(build.TREE, "selftests/runtimes/clients")
GCM13 = servers.SUITES[0:2]
GCM12 = servers.SUITES[2:6]
CHACHA20 = ((servers.TLS13, "TLS_CHACHA20_POLY1305_SHA256"),
            (servers.TLS12, "ECDHE-RSA-CHACHA20-POLY1305"))
SIZE = 40


def compile_c(name, *libraries):
    """The client NAME.c, made of it and tls_client.h."""
    source = os.path.join(CLIENTS, name + ".c")
    directory = os.path.join(build.O, "selftests", "runtimes")
    os.makedirs(directory, exist_ok=True)
    target = os.path.join(directory, name)
    needed = max(os.path.getmtime(path)
                 for path in (source, os.path.join(CLIENTS, "tls_client.h")))
    if not os.path.exists(target) or os.path.getmtime(target) < needed:
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", target + ".new", source,
                        *libraries, "-lpthread"], check=True, stdin=subprocess.DEVNULL)
        os.rename(target + ".new", target)
    return target


def command(client, server, name="api.test", **settings):
    """settings: requests=, connections=, threads=, body=, wait=, write= become TEST_..."""
    values = {"ADDRESS": "127.0.0.1", "PORT": server.port, "NAME": name,
              "CA": server.authority.ca, **{key.upper(): settings[key] for key in settings}}
    return ["env"] + ["TEST_%s=%s" % item for item in sorted(values.items())] + [client]


def check_arrives(client, suite, placeholders=1, **settings):
    """The server gets what a client that has the secret sends; placeholders: of a request."""
    values = {"API_KEY": kloak.new_secret(SIZE)}
    requests = settings.get("requests", 1) * settings.get("connections", 1)
    with servers.Nginx(suite) as server:
        kloak.check_same_as_plain(server, command(client, server, **settings), values,
                                  [kloak.grant(server)], requests, requests * placeholders)


def check_sealed(client, suite):
    """Nothing of the secret is in the client's memory when the server has it."""
    values = {"API_KEY": kloak.new_secret(SIZE)}
    control = kloak.new_secret(SIZE)
    with servers.Nginx(suite) as server:
        run = kloak.Running(command(client, server, wait=1, requests=3, body=3000),
                            {**values, "CONTROL": control}, [kloak.grant(server)])
        tap.check_equal(run.read_line(), b"ready\n", "the client's word")
        found = {"control": memory.Found(), "secret": memory.Found()}
        for pid in run.descendants():
            memory.search_process(pid, memory.Needle(control.encode()), found["control"])
            memory.search_process(pid, memory.Needle(values["API_KEY"].encode()), found["secret"])
        result = run.finish(b"\n")
        got = b"".join(server.recorder.requests).count(values["API_KEY"].encode())
    tap.check_equal(got, 12, "secrets that the server received; %s" % result)
    tap.check(found["control"].hits, "the control value was not found: %s" % found["control"])
    tap.check(not found["secret"].hits, "pieces of the secret: %s" % found["secret"])


def check_not_granted(client, suite):
    values = {"API_KEY": kloak.new_secret(SIZE)}
    with servers.Nginx(suite) as server:
        result = kloak.run(command(client, server, requests=2), values,
                           ["API_KEY@other.test:%d" % server.port])
        seen = b"".join(kloak.requests_seen(server, 2))
    tap.check(result.status == 0, "the client failed: %s" % result)
    tap.check_equal((seen.count(kloak.PREFIX), seen.count(values["API_KEY"].encode())), (2, 0),
                    "placeholders and secrets at the server")
    kloak.check_reason(result, "host", 2)


def check_cold(client, suite, times=25):
    """The first request of a new process, again and again."""
    for _ in range(times):
        values = {"API_KEY": kloak.new_secret(SIZE)}
        with servers.Nginx(suite) as server:
            result = kloak.run(command(client, server), values, [kloak.grant(server)])
            seen = kloak.requests_seen(server, 1)
        tap.check(result.status == 0 and values["API_KEY"].encode() in seen[0], str(result))


def register_tests(client, suites):
    """client: a build.Made; suites: those that the library offers, one per (protocol, AEAD)."""
    for suite in suites:
        _register(client, "TLS %s, %s" % suite, check_arrives, suite)
        _register(client, "20 kB body, TLS %s, %s" % suite, check_arrives, suite, placeholders=4,
                  body=20000, requests=5)
        _register(client, "nothing in memory, TLS %s, %s" % suite, check_sealed, suite)
    for suite in {tls: (tls, name) for tls, name in reversed(suites)}.values():
        _register(client, "1 MB body, TLS %s, %s" % suite, check_arrives, suite, placeholders=4,
                  body=1000000, requests=2)
        _register(client, "not granted, TLS %s, %s" % suite, check_not_granted, suite)
        _register(client, "1000 requests, 20 connections, 8 threads, TLS %s, %s" % suite,
                  check_arrives, suite, connections=20, requests=50, threads=8)
    _register(client, "first request of 25 processes, TLS %s, %s" % suites[0], check_cold,
              suites[0])


def _register(client, name, check, *arguments, **settings):
    @tap.test(name)
    def test():
        check(client.get(), *arguments, **settings)
