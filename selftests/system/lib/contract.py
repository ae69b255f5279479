# SPDX-License-Identifier: GPL-2.0-only
"""The tests of a library, with a client of selftests/runtimes/clients (clients.contract()).

A test file of a library makes its client and hands it to register_tests().
"""
import os
import subprocess

from lib import build, clients, kloak, sealing, servers, tap

CLIENTS = os.path.join(build.TREE, "selftests/runtimes/clients")
SUITES12 = tuple(suite for suite in servers.SUITES if suite[0] == servers.TLS12)
SIZE = 40


def compile_c(name, *libraries):
    """The client NAME.c, built from it and tls_client.h."""
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


def check_arrives(client, suite, placeholders=1, **orders):
    """The server gets what a client that has the secret sends; placeholders: of a request."""
    values = {"API_KEY": kloak.new_secret(SIZE)}
    requests = orders.get("requests", 1) * orders.get("connections", 1)
    with servers.Nginx(suite) as server:
        kloak.check_same_as_plain(server, clients.contract([client], server, **orders), values,
                                  [kloak.grant(server)], requests, requests * placeholders)


def check_sealed(client, suite):
    with servers.Nginx(suite) as server:
        sealing.check_client(server, clients.contract([client], server, wait=1, body=3000), 4)


def check_not_granted(client, suite):
    values = {"API_KEY": kloak.new_secret(SIZE)}
    with servers.Nginx(suite) as server:
        result = kloak.run(clients.contract([client], server, requests=2), values,
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
            result = kloak.run(clients.contract([client], server), values, [kloak.grant(server)])
            seen = kloak.requests_seen(server, 1)
        tap.check(result.status == 0 and values["API_KEY"].encode() in seen[0], str(result))


def register_tests(client, suites=servers.SUITES):
    """client: a build.Made; suites: those that the library offers."""
    for suite in suites:
        _register(client, "TLS %s, %s" % suite, check_arrives, suite)
        _register(client, "20 kB body, TLS %s, %s" % suite, check_arrives, suite, placeholders=4,
                  body=20000, requests=5)
        _register(client, "nothing in memory, TLS %s, %s" % suite, check_sealed, suite)
    for tls in sorted({suite[0] for suite in suites}):
        suite = next(suite for suite in suites if suite[0] == tls)
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
