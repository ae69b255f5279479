#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The secret arrives, and nothing else in the request is changed.

Each request is sent twice: by the client without Kloak, holding the secret
itself, and under Kloak, holding the placeholder. The server must get
the same bytes both times.
"""
import json
import os
import random

from lib import clients, identity, kloak, servers, tap

SECRET = {"API_KEY": kloak.new_secret()}
PLACES = clients.request(
    "/v1/items?key={API_KEY}&n=1",
    [("X-Api-Key", "{API_KEY}"), ("Authorization", "Bearer {API_KEY}")],
    '{"name": "value", "key": "{API_KEY}", "last": 1}')


def matrix_test(client_name, client, make_server, suite):
    @tap.test("%s and %s, TLS %s, %s" % (client_name, make_server.name, *suite))
    def arrives():
        with make_server(suite) as server:
            kloak.check_same_as_plain(server, client(server, [PLACES]), SECRET,
                                      [kloak.grant(server)], 1, swaps=4)


for the_server in servers.SERVERS:
    for the_suite in servers.SUITES:
        for the_name, the_client in clients.CLIENTS.items():
            matrix_test(the_name, the_client, the_server, the_suite)

_default = []


def default_server():
    if not _default:
        _default.append(servers.Nginx())
    return _default[0]


def send(requests, values=None, client=clients.http_client, swaps=None, grants=None, run=None,
         **options):
    server = default_server()
    values = values or SECRET
    grants = grants or [kloak.grant(server, name) for name in values]
    return kloak.check_same_as_plain(server, client(server, requests, **options), values, grants,
                                     len(requests), swaps, **(run or {}))


def place_test(place, *requests, **options):
    @tap.test("placeholder in " + place)
    def arrives():
        send(requests, **options)


place_test("a header", clients.HEADER_REQUEST)
place_test("a bearer token", clients.request(headers=[("Authorization", "Bearer {API_KEY}")]))
place_test("the query string", clients.request("/?key={API_KEY}", method="GET"))
place_test("the path", clients.request("/bot{API_KEY}/send", method="GET"))
place_test("an urlencoded body", clients.request(
    headers=[("Content-Type", "application/x-www-form-urlencoded")],
    body="grant_type=client_credentials&client_secret={API_KEY}&scope=all"))
place_test("a JSON body", clients.request(
    headers=[("Content-Type", "application/json")], body='{"key":"{API_KEY}"}'))
place_test("the first bytes of a write", clients.request(method="{API_KEY}"),
           client=clients.asyncio_client)
place_test("the last bytes of a write", clients.request(body="the key is {API_KEY}"),
           client=clients.asyncio_client)
place_test("the only bytes of a write", clients.request(body="{API_KEY}"))
place_test("eight places of one write", clients.request(
    headers=[("X-Key-%d" % n, "{API_KEY}") for n in range(4)], body="{API_KEY}, " * 4),
           client=clients.asyncio_client, swaps=8)
place_test("places that touch", clients.request(body="{API_KEY}{API_KEY}"), swaps=2)
place_test("some of several requests of a connection",
           clients.HEADER_REQUEST, clients.request(headers=[("X-Api-Key", "none")]),
           clients.request(body="{API_KEY}"), clients.request(body="x" * 5000),
           clients.HEADER_REQUEST, swaps=3)


def length_test(size):
    @tap.test("a secret of %d bytes" % size)
    def arrives():
        request = clients.request("/?k={API_KEY}", [("X-Api-Key", "{API_KEY}")], "a={API_KEY}")
        send([request], {"API_KEY": kloak.new_secret(size)}, swaps=3)


for the_size in (8, 9, 16, 31, 32, 33, 64, 200, 511, 512):
    length_test(the_size)


@tap.test("a secret of punctuation")
def punctuation():
    send([clients.HEADER_REQUEST], {"API_KEY": "!#$%&'()*+,-./:;<=>?@[]^_`{|}~" + "\\"})


@tap.test("several secrets in one request")
def several_secrets():
    values = {"API_KEY": kloak.new_secret(), "TOKEN": kloak.new_secret(48),
              "PASSWORD": kloak.new_secret(12)}
    send([clients.request("/?t={TOKEN}", [("X-Api-Key", "{API_KEY}")],
                          "p={PASSWORD}&k={API_KEY}")], values, swaps=4)


@tap.test("64 secrets of one run")
def many_secrets():
    values = {"KEY_%d" % n: kloak.new_secret(24 + n % 20) for n in range(64)}
    requests = [clients.request(headers=[("X-Key", "{KEY_%d}" % n)]) for n in range(64)]
    send(requests, values)


def body_with_placeholders(size, positions):
    """Text of about size bytes; positions are where the placeholders start."""
    letters = random.Random(size)
    text = "".join(letters.choice("abcdefghijklmnop \n{}:0123456789") for _ in range(size))
    for position in positions:
        text = text[:position] + "{API_KEY}" + text[position + len(SECRET["API_KEY"]):]
    return text


def large_test(client_name, client, size, positions):
    @tap.test("%s, a body of %d bytes, placeholders at %s" % (
        client_name, size, ", ".join(map(str, positions))))
    def arrives():
        # Marked by {API_KEY} back to front, so that positions stay what they are.
        body = body_with_placeholders(size, sorted(positions, reverse=True))
        send([clients.request(body=body)], client=client, swaps=len(positions))


for the_name, the_client in (("http.client", clients.http_client),
                             ("asyncio", clients.asyncio_client),
                             ("non-blocking", clients.nonblocking_client),
                             ("node", clients.node)):
    large_test(the_name, the_client, 20000, [0, 8000, 18000])
    large_test(the_name, the_client, 1 << 20, [5000, 70000, 500000, 1040000])


@tap.test("IPv6")
def ipv6():
    send([clients.HEADER_REQUEST], address="::1")


@tap.test("a wildcard rule")
def wildcard():
    send([clients.HEADER_REQUEST], grants=["API_KEY@*.test:%d" % default_server().port])


@tap.test("the second host of a rule")
def second_host():
    port = default_server().port
    send([clients.HEADER_REQUEST], grants=["API_KEY@other.test:%d,api.test:%d" % (port, port)])


@tap.test("an address rule needs neither pin nor SNI")
def address_rule():
    server = default_server()
    send([clients.HEADER_REQUEST], name=None, run={"pins": ()},
         grants=["API_KEY@127.0.0.1:%d" % server.port])


@tap.test("a prefix rule")
def prefix_rule():
    send([clients.HEADER_REQUEST], run={"pins": ()},
         grants=["API_KEY@127.0.0.0/8:%d" % default_server().port])


@tap.test("the rule '*'")
def any_rule():
    send([clients.HEADER_REQUEST], run={"pins": ()},
         grants=["API_KEY@*:%d" % default_server().port])


@tap.test("a name from the hosts file")
def hosts_file():
    with open("/etc/hosts") as file:
        if not any("localhost" in line.split()[1:] and line.startswith("127.0.0.1")
                   for line in file):
            tap.skip("/etc/hosts does not say 127.0.0.1 localhost")
    send([clients.HEADER_REQUEST], name="localhost", run={"pins": ()},
         grants=["API_KEY@localhost:%d" % default_server().port])


@tap.test("the value from file:")
def from_file():
    path = tap.scratch("secret")
    with open(path, "w") as file:
        file.write(SECRET["API_KEY"] + "\n")
    os.chmod(path, 0o600)
    _from_elsewhere("file:" + path)


@tap.test("the value from fd:")
def from_descriptor():
    reader, writer = os.pipe()
    os.write(writer, SECRET["API_KEY"].encode())
    os.close(writer)
    try:
        _from_elsewhere("fd:%d" % reader, pass_fds=(reader,))
    finally:
        os.close(reader)


@tap.test("the value from cred:")
def from_credential():
    directory = tap.scratch("credentials")
    os.mkdir(directory, 0o700)
    with open(directory + "/api-key", "w") as file:
        file.write(SECRET["API_KEY"])
    _from_elsewhere("cred:api-key", extra={"CREDENTIALS_DIRECTORY": directory})


def _from_elsewhere(source, extra=None, **popen):
    server = default_server()
    command = clients.http_client(server, [clients.HEADER_REQUEST])
    kloak.run_plain(command, SECRET)
    plain = kloak.requests_seen(server, 1)
    result = kloak.run(command, extra or {}, ["API_KEY=%s@api.test:%d" % (source, server.port)],
                       popen=popen)
    tap.check_equal(kloak.requests_seen(server, 1), plain, "the request; %s" % result)


@tap.test("python behind a shell script, as pyenv makes it")
def shim():
    path = tap.scratch("python-shim")
    with open(path, "w") as file:
        file.write("#!/usr/bin/env bash\nset -e\nexec %s \"$@\"\n" % clients.PYTHON)
    os.chmod(path, 0o755)

    def through_shim(server, requests, **options):
        return [path] + clients.http_client(server, requests, **options)[1:]
    send([clients.HEADER_REQUEST], client=through_shim)


@tap.test("node behind a shell")
def shell_node():
    def through_shell(server, requests, **options):
        return ["sh", "-c", '"$@"; true', "sh"] + clients.node(server, requests, **options)
    send([clients.HEADER_REQUEST], client=through_shell)


@tap.test("another user (--user)")
def other_user():
    def who_says_so(server, requests):
        return identity.said(clients.http_client(server, requests))
    result = send([clients.HEADER_REQUEST], client=who_says_so,
                  run={"options": ("--user", "65534:65534")})
    identity.check(result.output.decode(), 65534, 65534)


@tap.test("a child of a child")
def grandchild():
    def through_shells(server, requests, **options):
        return ["sh", "-c", '(sh -c \'"$@"; true\' sh "$@"); true', "sh"] + clients.http_client(
            server, requests, **options)
    send([clients.HEADER_REQUEST], client=through_shells)


@tap.test("the swapped event says which, where and by whom")
def event():
    result = send([clients.HEADER_REQUEST])
    seen = result.verdicts("swapped")[0]
    want = {"secret": "API_KEY", "host": "api.test", "address": "127.0.0.1",
            "port": default_server().port, "verdict": "swapped"}
    tap.check_equal({key: seen.get(key) for key in want}, want, "the event")
    tap.check(seen["comm"].startswith("python3"), "comm is %r" % seen["comm"])
    for key in ("time", "workload", "pid"):
        tap.check(key in seen, "no %s in the event" % key)
    tap.check(SECRET["API_KEY"] not in json.dumps(result.events), "the secret is in the events")


tap.main(__doc__)
