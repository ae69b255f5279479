#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""On this kernel the secret arrives through three TLS libraries, and only where it may."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../system"))
from lib import build, clients, kloak, servers, tap

SECRET = {"API_KEY": kloak.new_secret(40)}
TLS13_AES, TLS13_CHACHA20, TLS12_AES = servers.SUITES[0], servers.SUITES[2], servers.SUITES[3]
PLACES = clients.request("/v1/items?key={API_KEY}", [("X-Api-Key", "{API_KEY}")],
                         '{"key": "{API_KEY}"}')


def go_client(server):
    return clients.contract([os.path.join(build.O, "selftests/clients/go_client-stripped")],
                            server, requests=3)


def wget(server):
    return ["sh", "-c", 'exec wget -q -O /dev/null --no-config --ca-certificate="$1" '
            '--header="X-Api-Key: $API_KEY" "$0"', "https://localhost:%d/" % server.port,
            server.authority.ca]


def arrives(name, suite, command, requests=1, swaps=None, **options):
    @tap.test("the secret arrives: %s, TLS %s, %s" % (name, *suite))
    def run():
        with servers.Nginx(suite) as server:
            host = options.get("host", "api.test")
            kloak.check_same_as_plain(
                server, command(server), SECRET, [kloak.grant(server, host=host)], requests, swaps,
                pins=["%s=127.0.0.1" % host, "%s=::1" % host])


arrives("OpenSSL (curl)", TLS13_AES, lambda server: clients.curl(server, [PLACES]), swaps=3)
arrives("Go, stripped", TLS12_AES, go_client, requests=3)
arrives("GnuTLS (wget)", TLS13_CHACHA20, wget, host="localhost")


@tap.test("a host that was not granted gets the placeholder, and the event says so")
def not_granted():
    with servers.Nginx() as server:
        result = kloak.run(clients.curl(server, [clients.HEADER_REQUEST]), SECRET,
                           [kloak.grant(server, host="other.test")])
        (request,) = kloak.requests_seen(server, 1)
    tap.check(result.status == 0, str(result))
    tap.check_equal((request.count(kloak.PREFIX), request.count(SECRET["API_KEY"].encode())),
                    (1, 0), "placeholders and secrets at the server")
    kloak.check_reason(result, "host", 1)


tap.main(__doc__)
