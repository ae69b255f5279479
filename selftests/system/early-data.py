#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The secret arrives in early data of TLS 1.3 (0-RTT), and in the requests that follow.

Early data have a key of their own, which ends with EndOfEarlyData; the Finished
has another one. The first connection of each thread gets the session that the
later ones resume; a client whose early data are not accepted fails.
"""
from lib import build, clients, kloak, servers, tap

SECRET = {"API_KEY": kloak.new_secret(40)}
CLIENTS = {"OpenSSL": build.Made(build.openssl_client, "openssl_client", "-lssl", "-lcrypto"),
           "BoringSSL": build.Made(build.boringssl_client)}


def send_plain(library, server, **options):
    """Without Kloak, to know what must arrive. Returns that and the command."""
    count = options["connections"] * options["requests"]
    command = clients.contract([CLIENTS[library].get()], server, **options)
    kloak.run_plain(command, SECRET)
    plain = server.requests(count)
    tap.check_equal(len(plain), count, "requests without Kloak")
    return plain, command


def early_test(library, writes, suite, **options):
    @tap.test("%s, %d writes of early data, %s" % (library, writes, suite[1]))
    def arrives():
        with servers.EarlyNginx(suite) as server:
            plain, command = send_plain(library, server, early=writes, **options)
            result = kloak.run(command, SECRET, [kloak.grant(server)])
            tap.check(result.status == 0, str(result))
            sealed = server.requests(len(plain))
        tap.check_equal(len(sealed), len(plain), "requests; %s" % result)
        wrong = [target for target, key in sealed if key != SECRET["API_KEY"]]
        tap.check(not wrong, "requests without the secret: %s; %s" % (wrong, result))
        tap.check(sealed == plain, "the requests differ")
        tap.check_equal(len(result.verdicts("swapped")), len(plain), "swapped events; %s" % result)
        tap.check_equal(len(result.verdicts("refused")), 0, "refused events; %s" % result)


for the_library in CLIENTS:
    for the_suite in servers.SUITES[:3]:
        for the_writes in (1, 2, 5, 40):
            early_test(the_library, the_writes, the_suite, connections=4, requests=3)
    early_test(the_library, 1, servers.DEFAULT_SUITE, connections=20, requests=50, threads=4)


@tap.test("early data for a host that is not granted")
def not_granted():
    with servers.EarlyNginx() as server:
        plain, command = send_plain("OpenSSL", server, early=1, connections=3, requests=2)
        result = kloak.run(command, SECRET, [kloak.grant(server, host="other.test")])
        tap.check(result.status == 0, str(result))
        sealed = server.requests(len(plain))
    tap.check_equal(len(sealed), len(plain), "requests")
    tap.check(all(key.startswith(kloak.PREFIX.decode()) for _, key in sealed),
              "something else than the placeholder arrived")
    kloak.check_reason(result, "host", len(plain))


tap.main(__doc__)
