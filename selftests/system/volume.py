#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Not one wrong byte in many requests, one after another and at the same time.

Every request carries its own marker, so that a secret in the wrong request, or a lost
or doubled request, is noticed. There must be as many events as placeholders.
"""
from lib import clients, kloak, servers, tap

SECRET = {"API_KEY": kloak.new_secret(32)}
REQUEST = clients.request("/?n={WORKER}-{COUNT}", [
    ("X-Marker", "{WORKER}-{COUNT}"), ("X-Api-Key", "{API_KEY}")], "a body of request {COUNT}")
PROCESS_REQUEST = clients.request("/?n={PROCESS}-{COUNT}", [("X-Api-Key", "{API_KEY}")],
                                  "a body of request {COUNT} of process {PROCESS}")


def check_volume(command_of, expected, suite=servers.DEFAULT_SUITE):
    with servers.Nginx(suite) as server:
        kloak.check_same_as_plain(server, command_of(server), SECRET, [kloak.grant(server)],
                                  expected)


def volume_test(name, client, suite=servers.DEFAULT_SUITE, workers=1, repeat=1, fresh=False):
    @tap.test("%s, TLS %s, %s" % (name, *suite))
    def exact():
        check_volume(lambda server: client(server, [REQUEST], workers=workers, repeat=repeat,
                                           fresh=fresh), workers * repeat, suite)


for the_suite in servers.MAIN_SUITES:
    volume_test("1000 requests on one connection", clients.http_client, the_suite, repeat=1000)
for the_suite in servers.SUITES[1:4]:
    volume_test("1000 connections, one after another", clients.http_client, the_suite,
                repeat=1000, fresh=True)
    volume_test("8 threads, 200 requests each", clients.http_client, the_suite,
                workers=8, repeat=200)
    volume_test("8 threads, 50 connections each", clients.http_client, the_suite,
                workers=8, repeat=50, fresh=True)
    volume_test("asyncio, 200 connections at a time", clients.asyncio_client, the_suite,
                workers=200, repeat=5)
    volume_test("node, 50 connections at a time", clients.node, the_suite, workers=50, repeat=20)
volume_test("node, 500 requests on one connection", clients.node, repeat=500)


@tap.test("8 processes, 200 requests each")
def processes():
    def command(server):
        each = clients.http_client(server, [PROCESS_REQUEST], repeat=200)
        script = ('pids=; for n in 1 2 3 4 5 6 7 8; do PROCESS=$n "$@" & pids="$pids $!"; done; '
                  'for pid in $pids; do wait "$pid" || exit; done')
        return ["sh", "-c", script, "sh"] + each
    check_volume(command, 8 * 200)


tap.main(__doc__)
