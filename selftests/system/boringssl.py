#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The secret arrives through BoringSSL: Android's libssl and libcrypto, as Debian packages them."""
from lib import build, clients, kloak, sealing, servers, tap

SECRET = {"API_KEY": kloak.new_secret(40)}
CLIENT = build.Made(build.boringssl_client)


def command(server, **options):
    return clients.contract([CLIENT.get()], server, **options)


for the_suite in servers.SUITES:
    @tap.test("the secret arrives, TLS %s, %s" % the_suite)
    def arrives(suite=the_suite):
        with servers.Nginx(suite) as server:
            kloak.check_same_as_plain(server, command(server, connections=2, requests=3), SECRET,
                                      [kloak.grant(server)], 6)

for the_suite in servers.MAIN_SUITES:
    @tap.test("memory, TLS %s, %s" % the_suite)
    def sealed(suite=the_suite):
        with servers.Nginx(suite) as server:
            sealing.check_client(server, command(server, wait=1), 1)

for the_suite in servers.SUITES[1:4]:
    @tap.test("1000 requests, 20 connections, 8 threads, TLS %s, %s" % the_suite)
    def volume(suite=the_suite):
        with servers.Nginx(suite) as server:
            kloak.check_same_as_plain(
                server, command(server, connections=20, requests=50, threads=8), SECRET,
                [kloak.grant(server)], 1000)


@tap.test("a host that is not granted gets the placeholder")
def not_granted():
    with servers.Nginx() as server:
        result = kloak.run(command(server), SECRET, [kloak.grant(server, host="other.test")])
        request = kloak.requests_seen(server, 1)[0]
    tap.check(SECRET["API_KEY"].encode() not in request, "the secret went to another host")
    tap.check(kloak.PREFIX in request, "no placeholder in the request; %s" % result)
    kloak.check_reason(result, "host", 1)


tap.main(__doc__)
