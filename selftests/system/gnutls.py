#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The secret arrives through GnuTLS, and only at the granted host, in all ways to write, and from
programs that use it: wget, gnutls-cli, a libcurl that was built with it, apt."""
from lib import build, clients, contract, kloak, servers, tap

CLIENT = build.Made(contract.compile_c, "gnutls_client", "-lgnutls")
SUITES = {servers.TLS13: (servers.TLS13, "TLS_AES_128_GCM_SHA256"),
          servers.TLS12: (servers.TLS12, "ECDHE-RSA-AES128-GCM-SHA256")}
SECRET = {"API_KEY": kloak.new_secret(40)}
RECORD = 16384

contract.register_tests(CLIENT, servers.MAIN_SUITES)


# ---- the ways to write ----

def mode_test(mode, tls, body, slow=False):
    @tap.test("mode %s, body of %d bytes%s, TLS %s" % (mode, body, " to a slow server" * slow, tls))
    def arrives():
        with servers.Nginx(SUITES[tls], slow=slow) as server:
            command = clients.contract([CLIENT.get()], server, mode=mode, body=body, requests=3)
            kloak.check_same_as_plain(server, command, SECRET, [kloak.grant(server)], 3, 12)


for the_tls in sorted(SUITES):
    for the_mode in ("cork", "file", "resume", "trickle", "small"):
        mode_test(the_mode, the_tls, 5000)
        mode_test(the_mode, the_tls, 300000)
    mode_test("abandon", the_tls, 5000)
    mode_test("resume", the_tls, 100000, slow=True)
    mode_test("trickle", the_tls, 100000, slow=True)
for the_mode in ("pad", "range"):
    mode_test(the_mode, servers.TLS13, 300)
    mode_test(the_mode, servers.TLS13, 300000)


@tap.test("early data")
def early_data():
    with servers.EarlyNginx() as server:
        command = clients.contract([CLIENT.get()], server, mode="early", connections=4, requests=3)
        kloak.run_plain(command, SECRET)
        plain = server.requests(12)
        result = kloak.run(command, SECRET, [kloak.grant(server)])
        sealed = server.requests(12)
    tap.check(result.status == 0, str(result))
    tap.check_equal(len(plain), 12, "requests without Kloak")
    tap.check(sealed == plain, "the requests differ; %s" % result)
    tap.check_equal([event["verdict"] for event in result.events], ["swapped"] * 12, "events")


def head_size(server):
    """Bytes before a body whose size has five digits."""
    server.recorder.forget()
    kloak.run_plain(clients.contract([CLIENT.get()], server, body=10000), SECRET)
    return len(kloak.requests_seen(server, 1)[0]) - 10000


def cut_test(mode, tls):
    @tap.test("a placeholder cut by the end of a record, mode %s, TLS %s" % (mode, tls))
    def refused():
        with servers.Nginx(SUITES[tls]) as server:
            # The one in the middle of the body begins 20 bytes before the record's end.
            body = 2 * (RECORD - 20 - head_size(server))
            result = kloak.run(clients.contract([CLIENT.get()], server, mode=mode, body=body),
                               SECRET, [kloak.grant(server)])
            request = kloak.requests_seen(server, 1)[0]
        tap.check(result.status == 0, str(result))
        tap.check_equal((request.count(SECRET["API_KEY"].encode()), request.count(kloak.PREFIX)),
                        (3, 1), "secrets and placeholders at the server; %s" % result)
        tap.check_equal(len(result.verdicts("swapped")), 3, "swapped events")
        kloak.check_reason(result, "split", 1)


for the_tls in sorted(SUITES):
    cut_test("send", the_tls)
    cut_test("cork", the_tls)


@tap.test("corked and not granted")
def corked_not_granted():
    with servers.Nginx() as server:
        result = kloak.run(clients.contract([CLIENT.get()], server, mode="cork", body=5000), SECRET,
                           [kloak.grant(server, host="other.test")])
        request = kloak.requests_seen(server, 1)[0]
    tap.check_equal((request.count(SECRET["API_KEY"].encode()), request.count(kloak.PREFIX)),
                    (0, 4), "secrets and placeholders at the server; %s" % result)
    kloak.check_reason(result, "host", 4)


# ---- programs ----

def wget(server):
    return ["sh", "-c", 'exec wget -q -O /dev/null --no-config --ca-certificate="$1" '
            '--header="X-Api-Key: $API_KEY" --post-data="key=$API_KEY&n=1" "$0"',
            "https://localhost:%d/" % server.port, server.authority.ca]


def gnutls_cli(server):
    return ["sh", "-c", r'{ printf "GET / HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: %s\r\n'
            r'X-Again: %s\r\n\r\n" "$API_KEY" "$API_KEY"; sleep 0.5; } | '
            'gnutls-cli --logfile=/dev/null --x509cafile="$0" --port="$1" localhost',
            server.authority.ca, str(server.port)]


def pycurl(server):
    return [clients.PYTHON, clients.script("pycurl_client.py"),
            "https://localhost:%d/" % server.port, server.authority.ca]


def apt(server):
    """Its method runs as another user, in a process of its own."""
    return ["sh", "-c", '/usr/lib/apt/apt-helper -o Acquire::https::CaInfo="$1" '
            '-o Acquire::https::User-Agent="$API_KEY" -o Acquire::Retries=0 '
            'download-file "$0/$API_KEY" "$2" && rm -f "$2"',
            "https://localhost:%d" % server.port, server.authority.ca, tap.scratch("download")]


def program_test(name, command, tls):
    @tap.test("%s, TLS %s" % (name, tls))
    def arrives():
        with servers.Nginx(SUITES[tls]) as server:
            kloak.check_same_as_plain(
                server, command(server), SECRET, [kloak.grant(server, host="localhost")], 1, 2,
                pins=("localhost=127.0.0.1", "localhost=::1"))


for the_name, the_command in (("wget", wget), ("gnutls-cli", gnutls_cli),
                              ("libcurl in Python", pycurl), ("apt", apt)):
    for the_tls in sorted(SUITES):
        program_test(the_name, the_command, the_tls)

tap.main(__doc__)
