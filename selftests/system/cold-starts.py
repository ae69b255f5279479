#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The first request of a process that has just started.

A command, and what its arguments mention, has its probes before its first instruction: none of
its requests may be missed. Each runtime is started COLD_STARTS times (5; 500 were promised, and
take a while), each time in a new run.

A program that Kloak does not know until it is executed runs on while it is being probed: the
share of first requests that are missed then is printed, and is no failure.
"""
import os
import shlex
import shutil
import tempfile

from lib import build, clients, kloak, servers, tap

SECRET = {"API_KEY": kloak.new_secret()}
KEY = SECRET["API_KEY"].encode()
STARTS = int(os.environ.get("COLD_STARTS", "5"))


GO = build.Made(build.go_client, "plain")


def words(command):
    return " ".join(map(shlex.quote, command))


RUNTIMES = {
    "python": lambda server: clients.http_client(server, [clients.HEADER_REQUEST]),
    "node": lambda server: clients.node(server, [clients.HEADER_REQUEST]),
    "curl": lambda server: clients.curl(server, [clients.HEADER_REQUEST]),
    "go": lambda server: clients.contract([GO.get()], server),
}


def report(missed, allowed=0):
    """missed: one text for each."""
    print("# first requests missed: %d of %d" % (len(missed), STARTS))
    tap.check(len(missed) <= allowed * STARTS, "missed: %d of %d; %s" % (
        len(missed), STARTS, missed[:1]))


def take_requests(server, result, expected):
    tap.check_equal(result.status, 0, "exit status; %s" % result)
    requests = kloak.requests_seen(server, expected)
    tap.check_equal(len(requests), expected, "requests")
    return requests


def check_runs(server, command_of):
    missed = []
    for _ in range(STARTS):
        result = kloak.run(command_of(server), SECRET, [kloak.grant(server)])
        if KEY not in take_requests(server, result, 1)[0]:
            missed.append(str(result))
    report(missed)


def runtime_test(name, command_of):
    @tap.test("%s, each time in a new run" % name)
    def each_its_run():
        with servers.Nginx() as server:
            check_runs(server, command_of)

    @tap.test("%s, again and again in one run" % name)
    def in_one_run():
        with servers.Nginx() as server:
            loop = "for i in $(seq %d); do %s || exit 1; done" % (
                STARTS, words(command_of(server)))
            result = kloak.run(["sh", "-c", loop], SECRET, [kloak.grant(server)], timeout=tap.HANGS)
            requests = take_requests(server, result, STARTS)
            report([str(result) for request in requests if KEY not in request])


for item in RUNTIMES.items():
    runtime_test(*item)


# Nothing of the command line names the program: each time it is a file that nobody has seen.
UNKNOWN = """#!/bin/sh
for i in $(seq %(starts)d); do
	directory=$(mktemp -d %(scratch)s/cold.XXXXXX) || exit 1
	cp %(files)s "$directory" || exit 1
	%(command)s || exit 1
	rm -r "$directory"
done
"""


def unknown_test(name, files, command_of, allowed):
    """command_of: a text of sh in which $directory has the files. allowed: the share missed."""
    @tap.test("%s, a new file each time" % name)
    def unknown():
        with servers.Nginx() as server:
            script = tap.scratch("unknown-%s" % name.partition(",")[0])
            with open(script, "w") as file:
                file.write(UNKNOWN % {"starts": STARTS, "scratch": tap.scratch(),
                                      "files": words(files), "command": command_of(server)})
            os.chmod(script, 0o755)
            result = kloak.run([script], SECRET, [kloak.grant(server)], timeout=tap.HANGS)
            requests = take_requests(server, result, STARTS)
            report([str(result) for request in requests if KEY not in request], allowed)


def libraries():
    directory = "/usr/lib/%s-linux-gnu/" % os.uname().machine
    return [directory + "libssl.so.3", directory + "libcrypto.so.3"]


# Its own OpenSSL is not in it: the libraries are, and they are known.
unknown_test("python, only its executable is new", [os.path.realpath(clients.PYTHON)],
             lambda server: '"$directory"/' + os.path.basename(os.path.realpath(clients.PYTHON)) +
             " " + words(RUNTIMES["python"](server)[1:]), 0)
unknown_test("python, with an OpenSSL of its own", libraries(),
             lambda server: 'LD_LIBRARY_PATH="$directory" ' + words(RUNTIMES["python"](server)), 1)
unknown_test("node, with an OpenSSL of its own", libraries(),
             lambda server: 'LD_LIBRARY_PATH="$directory" ' + words(RUNTIMES["node"](server)), 1)
unknown_test("curl, with an OpenSSL of its own", libraries(),
             lambda server: 'LD_LIBRARY_PATH="$directory" ' + words(RUNTIMES["curl"](server)), 1)


@tap.test("a static program, each time in a new run")
def static():
    program = build.Made(build.musl_openssl_client).get()
    with servers.Nginx() as server:
        check_runs(server, lambda server: clients.contract([program], server))


@tap.test("a static program that a script names, a new file each time")
def named_by_script():
    program = build.Made(build.musl_openssl_client).get()

    def command(server):
        directory = tempfile.mkdtemp(dir=tap.scratch())
        os.chmod(directory, 0o755)
        shutil.copy(program, directory + "/service")
        with open(directory + "/start", "w") as file:
            file.write('#!/bin/sh\n# Starts the service.\nexec "$(dirname "$0")/service"\n')
        return clients.contract(["sh", directory + "/start"], server)
    with servers.Nginx() as server:
        check_runs(server, command)


# It has nothing to load: its handshake begins a millisecond after it was executed.
unknown_test("a static program", [build.Made(build.musl_openssl_client).path or "/nonexistent"],
             lambda server: words(clients.contract([], server)) +
             ' "$directory"/openssl_client-musl', 1)

tap.main(__doc__)
