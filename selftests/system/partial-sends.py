#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The stream stays valid and the secret arrives when the kernel takes records in parts.

Non-blocking clients with a small send buffer write large bodies to a server that
reads slowly, so that most records go out in several sends.
"""
from lib import clients, kloak, servers, tap

SECRET = {"API_KEY": kloak.new_secret(32)}
SEND_BUFFER = 4608  # the smallest that the kernel allows


def body(records):
    """One placeholder in the middle of each 16 KB, where no record ends."""
    return ("x" * 8000 + "{API_KEY}" + "y" * (16384 - 8000 - 32)) * records


def check_partial(server, client, requests, **options):
    placeholders = sum(request["body"].count("{API_KEY}") for request in requests)
    workers = options.get("workers", 1) * options.get("repeat", 1)
    command = client(server, requests, send_buffer=SEND_BUFFER, **options)
    return kloak.check_same_as_plain(server, command, SECRET, [kloak.grant(server)],
                                     len(requests) * workers, placeholders * workers)


def partial_test(name, client, suite, requests, **options):
    @tap.test("%s, TLS %s, %s" % (name, *suite))
    def valid():
        partial = client is not clients.nonblocking_client
        for _ in range(8):
            with servers.Nginx(suite, slow=True) as server:
                result = check_partial(server, client, requests, **options)
            partial = partial or int(result.output) > 0
            if partial:
                break
        tap.check(partial, "not one partial send in any try: the test proves nothing")


SMALL = [clients.request(body="a" * size + "{API_KEY}") for size in range(1000, 16000, 1500)]

for the_suite in servers.MAIN_SUITES:
    partial_test("non-blocking, a body of 6 records", clients.nonblocking_client, the_suite,
                 [clients.request(body=body(6))] * 2)
    partial_test("non-blocking, 30 requests of a record each", clients.nonblocking_client,
                 the_suite, SMALL * 3)
    partial_test("asyncio, a body of 6 records", clients.asyncio_client, the_suite,
                 [clients.request(body=body(6))] * 2)
partial_test("asyncio, 16 connections", clients.asyncio_client, servers.DEFAULT_SUITE,
             [clients.request(body=body(3))], workers=16)
partial_test("node, a body of 6 records", clients.node, servers.DEFAULT_SUITE,
             [clients.request(body=body(6))] * 2)

tap.main(__doc__)
