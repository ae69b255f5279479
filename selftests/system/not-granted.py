#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Without a grant the placeholder leaves unchanged, and an event says why.

The server must get exactly the bytes that the same client sends without Kloak
when its environment holds that placeholder.
"""
import socket
import ssl

from lib import clients, kloak, servers, tap

VALUES = {"API_KEY": kloak.new_secret()}
SAVE = ["sh", "-c", 'printenv API_KEY >"$0"; exec "$@"', tap.scratch("placeholder")]

_default = []


def default_server():
    if not _default:
        _default.append(servers.Nginx())
    return _default[0]


def placeholder():
    with open(tap.scratch("placeholder")) as file:
        return file.read().strip()


def check_refused(reason, grants, server=None, values=None, count=1, client=clients.http_client,
                  requests=(clients.HEADER_REQUEST,), run=None, **options):
    """count: refused events wanted. Returns the result and the requests under Kloak."""
    server = server or default_server()
    values = values or VALUES
    command = client(server, requests, **options)
    server.recorder.forget()
    result = kloak.run(SAVE + command, values, grants, **(run or {}))
    sealed = kloak.requests_seen(server, len(requests))
    kloak.run_plain(command, {**values, "API_KEY": placeholder()})
    tap.check(result.status == 0, "the client failed under Kloak: %s" % result)
    tap.check_equal(sealed, kloak.requests_seen(server, len(requests)), "requests; %s" % result)
    tap.check(not any(values["API_KEY"].encode() in request for request in sealed),
              "the secret left")
    tap.check_equal(result.verdicts("swapped"), [], "swapped events")
    kloak.check_reason(result, reason, count)
    return result


def refused_test(title, reason, grants, **options):
    @tap.test(title)
    def refused():
        port = default_server().port
        check_refused(reason, [grant.replace("PORT", str(port)) for grant in grants], **options)


refused_test("a host that no rule names", "host", ["API_KEY@other.test:PORT"])
refused_test("a host that the rule only ends like", "host", ["API_KEY@pi.test:PORT"])
refused_test("a wildcard does not cover the name itself", "host", ["API_KEY@*.api.test:PORT"])
refused_test("a port that no rule names", "port", ["API_KEY@api.test"])
refused_test("another SNI at the right address", "host", ["API_KEY@api.test:PORT"],
             name="evil.test")
refused_test("the right SNI at another address", "not verified", ["API_KEY@api.test:PORT"],
             address="127.0.0.2", run={"pins": ("api.test=127.0.0.1",)})
refused_test("the right SNI at an address of the other family", "not verified",
             ["API_KEY@api.test:PORT"], address="::1", run={"pins": ("api.test=127.0.0.1",)})
refused_test("a name without pin", "not verified", ["API_KEY@api.test:PORT"], run={"pins": ()})
refused_test("a pin of another name", "not verified", ["API_KEY@api.test:PORT"],
             run={"pins": ("other.test=127.0.0.1",)})
refused_test("no SNI", "no SNI", ["API_KEY@api.test:PORT"], name=None)
refused_test("another address than the rule's", "host", ["API_KEY@127.0.0.2:PORT"],
             run={"pins": ()})
refused_test("node, another SNI at the right address", "host", ["API_KEY@api.test:PORT"],
             client=clients.node, name="evil.test")
refused_test("asyncio, the right SNI at another address", "not verified",
             ["API_KEY@api.test:PORT"], client=clients.asyncio_client, address="127.0.0.2",
             run={"pins": ("api.test=127.0.0.1",)})
refused_test("every request of a kept connection", "host", ["API_KEY@other.test:PORT"],
             requests=[clients.HEADER_REQUEST] * 20, count=20)


def suite_test(suite):
    @tap.test("a suite that is not served: TLS %s, %s" % suite)
    def refused():
        with servers.Nginx(suite) as server:
            check_refused("suite", [kloak.grant(server)], server)


suite_test((servers.TLS12, "ECDHE-RSA-AES128-SHA256"))


@tap.test("a placeholder cut by a record boundary")
def split():
    server = default_server()
    before = clients.request(body="x" * 16500)
    command = clients.asyncio_client(server, [before])
    server.recorder.forget()
    kloak.run_plain(command, VALUES)
    head = len(kloak.requests_seen(server, 1)[0]) - 16500
    body = "x" * (16384 - head - 10) + "{API_KEY}" + "x" * (16500 - 16384 + head + 10 - 32)
    check_refused("split", [kloak.grant(server)], client=clients.asyncio_client,
                  requests=[clients.request(body=body)])


@tap.test("of two secrets only the granted one is swapped")
def mixed():
    values = {"API_KEY": VALUES["API_KEY"], "TOKEN": kloak.new_secret(40)}
    server = default_server()
    request = clients.request(headers=[("X-Api-Key", "{API_KEY}")], body="{TOKEN}")
    command = clients.http_client(server, [request])
    server.recorder.forget()
    result = kloak.run(SAVE + command, values, [kloak.grant(server, host="other.test"),
                                                kloak.grant(server, "TOKEN")])
    sealed = kloak.requests_seen(server, 1)
    kloak.run_plain(command, {"API_KEY": placeholder(), "TOKEN": values["TOKEN"]})
    tap.check_equal(sealed, kloak.requests_seen(server, 1), "the request; %s" % result)
    tap.check_equal([event["secret"] for event in result.verdicts("swapped")], ["TOKEN"],
                    "swapped")
    tap.check_equal([event["secret"] for event in result.verdicts("refused")], ["API_KEY"],
                    "refused")


@tap.test("one server is granted, another is not, in one process")
def two_servers():
    granted, other = default_server(), servers.Nginx()
    with other:
        plans = [clients.write_plan(server, [clients.HEADER_REQUEST] * 5)
                 for server in (granted, other)]
        command = ["sh", "-c", '"$0" "$1" "$2" & "$0" "$1" "$3"; wait', clients.PYTHON,
                   clients.script("http_client.py")] + plans
        granted.recorder.forget()
        result = kloak.run(SAVE + command, VALUES, [kloak.grant(granted)])
        good = kloak.requests_seen(granted, 5)
        bad = kloak.requests_seen(other, 5)
    secret, held = VALUES["API_KEY"].encode(), placeholder().encode()
    tap.check_equal((len(good), sum(secret in request for request in good)), (5, 5),
                    "requests with the secret at the granted server; %s" % result)
    tap.check_equal((len(bad), sum(held in request for request in bad)), (5, 5),
                    "requests with the placeholder at the other; %s" % result)


@tap.test("a process outside of the workload")
def outside():
    server = default_server()
    command = clients.http_client(server, [clients.HEADER_REQUEST])
    server.recorder.forget()
    run = kloak.Running(SAVE + ["sh", "-c", "echo; read line"], VALUES, [kloak.grant(server)])
    run.read_line()
    held = placeholder()
    kloak.run_plain(command, {"API_KEY": held})
    request = kloak.requests_seen(server, 1)[0]
    result = run.finish(b"\n")
    tap.check(held.encode() in request, "the placeholder did not arrive: %r" % request)
    tap.check_equal(result.verdicts("swapped"), [], "swapped events")


@tap.test("another workload")
def other_workload():
    server = default_server()
    owner = kloak.Running(SAVE + ["sh", "-c", "echo; read line"], VALUES, [kloak.grant(server)])
    owner.read_line()
    held = placeholder()
    command = clients.http_client(server, [
        clients.request(headers=[("X-Api-Key", "{STOLEN}"), ("X-Own", "{TOKEN}")])])
    server.recorder.forget()
    token = kloak.new_secret(36)
    result = kloak.run(command, {"STOLEN": held, "TOKEN": token}, [kloak.grant(server, "TOKEN")])
    owner.finish(b"\n")
    request = kloak.requests_seen(server, 1)[0]
    tap.check(held.encode() in request, "the foreign placeholder did not arrive: %r" % request)
    tap.check(token.encode() in request, "the own secret did not arrive: %s" % result)
    kloak.check_reason(result, "unknown placeholder", 1)


@tap.test("a TLS server of the application itself gets nothing")
def own_server():
    """The accepting side of a connection is not a client of the granted host."""
    server = default_server()
    context = ssl.create_default_context(cafile=server.authority.ca)
    port = servers.free_port()
    run = kloak.Running([clients.PYTHON, clients.script("tls_echo.py"), str(port), server.authority.certificate("rsa"),
                         server.authority.key("rsa")], VALUES, ["API_KEY@*:%d" % server.port])
    tap.check_equal(run.read_line(), b"listening\n", "the application's word")
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port)),
                             server_hostname="api.test") as connection:
        answer = connection.recv(100)
    result = run.finish()
    tap.check(answer.startswith(kloak.PREFIX), "the application's server sent %r; %s" % (
        answer[:8], result))


@tap.test("without --events a line at the end sums up what was refused")
def summary():
    server = default_server()
    result = kloak.run(clients.http_client(server, [clients.HEADER_REQUEST] * 3), VALUES,
                       [kloak.grant(server, host="other.test")], events=False,
                       pins=("other.test=127.0.0.1",))
    text = kloak.without_root_warning(result.errors).decode()
    tap.check_equal(text.count("\n"), 1, "lines on stderr: %r" % text)
    tap.check("3" in text and "API_KEY" in text and "api.test" in text, "the line: %r" % text)
    tap.check(VALUES["API_KEY"] not in text, "the secret is in it")


tap.main(__doc__)
