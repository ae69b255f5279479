# SPDX-License-Identifier: GPL-2.0-only
"""Real TLS clients. client(request..., server=...) gives the command that sends the requests.

A request is made by request(); {NAME} in its texts is the environment
variable NAME, so the same command can run with the secret in the environment
(what the server must get) and under Kloak (where it holds the placeholder).
"""
import itertools
import json
import os
import re
import shlex
import shutil

from lib import tap

PYTHON = "/usr/bin/python3"
NODE = shutil.which("node") or "node"
_DIRECTORY = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "clients")
_VARIABLE = re.compile(r"\{([A-Z][A-Z0-9_]*)\}")
_numbers = itertools.count()


def request(target="/", headers=(), body="", method="POST"):
    return {"method": method, "target": target, "body": body,
            "headers": [["Host", "api.test"]] + [list(header) for header in headers]}


HEADER_REQUEST = request(headers=[("X-Api-Key", "{API_KEY}")])


def write_plan(server, requests, address="127.0.0.1", name="api.test", **options):
    """options: workers, repeat, fresh (a connection per request), wait, send_buffer."""
    plan = {"address": address, "port": server.port, "name": name, "ca": server.authority.ca,
            "requests": list(requests), "workers": 1, "repeat": 1, "fresh": False, "wait": False,
            "send_buffer": 0}
    unknown = set(options) - set(plan)
    assert not unknown, unknown
    plan.update(options)
    path = tap.scratch("plan-%d.json" % next(_numbers))
    with open(path, "w") as file:
        json.dump(plan, file)
    return path


def script(name):
    """A copy that any user can read: the tree may be below a directory of root's, as in /root."""
    directory = tap.scratch("clients")
    if not os.path.isdir(directory):
        shutil.copytree(_DIRECTORY, directory)
    return os.path.join(directory, name)


def _scripted(interpreter, name):
    def command(server, requests, **options):
        return [interpreter, script(name), write_plan(server, requests, **options)]
    return command


http_client = _scripted(PYTHON, "http_client.py")
asyncio_client = _scripted(PYTHON, "asyncio_client.py")
nonblocking_client = _scripted(PYTHON, "nonblocking_client.py")
node = _scripted(NODE, "node_client.js")


def _shell_text(text):
    """A word of sh in which {NAME} is replaced by the variable."""
    parts = _VARIABLE.split(text)  # text, name, text, name, ... text
    return "".join('"$%s"' % part if index % 2 else shlex.quote(part)
                   for index, part in enumerate(parts))


def curl(server, requests, address="127.0.0.1", name="api.test"):
    """All requests over one connection of one curl."""
    host = "[%s]" % address if ":" in address else address
    words = ["exec curl -sS --no-progress-meter --http1.1 --max-time 60"]
    for number, item in enumerate(requests):
        if number:
            words.append("--next -sS --http1.1")
        words.append("--cacert %s" % shlex.quote(server.authority.ca))
        words.append("--connect-to ::%s:%d" % (host, server.port))
        words.append("-X %s" % item["method"])
        for header in item["headers"] + [["Expect", ""]]:
            words.append("-H " + _shell_text(": ".join(header) if header[1] else header[0] + ":"))
        words.append("--data-binary " + _shell_text(item["body"]))
        words.append(_shell_text("https://%s:%d%s" % (name or address, server.port,
                                                      item["target"])))
    return ["sh", "-c", " ".join(words)]


def s_client(server, requests, address="127.0.0.1", name="api.test"):
    """The first request only: s_client ends when its input does."""
    item = requests[0]
    head = ["%s %s HTTP/1.1" % (item["method"], item["target"])]
    head += [": ".join(header) for header in item["headers"]]
    texts = [_shell_text(line) + r"'\r\n'" for line in head]
    body = _shell_text(item["body"])
    host = "[%s]" % address if ":" in address else address
    send = "body=%s; printf %%b %s; printf 'Content-Length: %%d\\r\\n\\r\\n%%s' ${#body} \"$body\"" % (
        body, "".join(texts))
    connect = "openssl s_client -quiet -no_ign_eof -CAfile %s -connect %s:%d %s" % (
        shlex.quote(server.authority.ca), host, server.port,
        "-servername " + name if name else "-noservername")
    return ["sh", "-c", "{ %s; sleep 0.3; } | %s" % (send, connect)]


def contract(program, server, connections=1, requests=1, threads=1, address="127.0.0.1",
             name="api.test", **options):
    """The command of a client of selftests/runtimes, which is configured by its environment."""
    orders = {"address": address, "port": server.port, "name": name, "ca": server.authority.ca,
              "connections": connections, "requests": requests, "threads": threads, **options}
    return ["env", *("TEST_%s=%s" % (key.upper(), value) for key, value in orders.items()),
            *program]


CLIENTS = {
    "curl": curl,
    "http.client": http_client,
    "asyncio": asyncio_client,
    "node": node,
    "s_client": s_client,
}
