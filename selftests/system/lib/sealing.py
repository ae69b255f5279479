# SPDX-License-Identifier: GPL-2.0-only
"""Looks for the secret in all that an application can read, during and after a request.

Each search also looks for a control value, which the application does hold and
which must be found.
"""
import time

from lib import kloak, memory, tap


def search(run, needle):
    """All processes below kloak; kloak itself is the business of hostile.py."""
    found = memory.Found()
    family = run.descendants()
    tap.check(family, "the application is gone")
    for pid in family:
        memory.search_process(pid, needle, found)
    return found


def check_sealed(run, secret, control, moment):
    held = search(run, memory.Needle(control.encode()))
    tap.check(held.hits, "%s: the control value was not found: %s" % (moment, held))
    found = search(run, memory.Needle(secret.encode()))
    tap.check(not found.hits, "%s: pieces of the secret: %s" % (moment, found))


def wait_for_request(server, run):
    end = time.monotonic() + tap.HAPPENS
    while not server.recorder.requests and time.monotonic() < end:
        if run.process.poll() is not None:
            raise tap.Failure("the client ended early; %s" % run.finish())
        time.sleep(0.01)
    time.sleep(0.1)  # the write that the server has seen returns in the client


def check_client(server, command, count):
    """The command sends one request with `count` placeholders, prints "ready" and waits for a line.
    Returns the secret."""
    values = {"API_KEY": kloak.new_secret(48)}
    control = kloak.new_secret(24)
    server.recorder.forget()
    server.recorder.answer.clear()
    run = kloak.Running(command, {**values, "CONTROL": control}, [kloak.grant(server)])
    try:
        wait_for_request(server, run)
        check_sealed(run, values["API_KEY"], control, "in flight")
    finally:
        server.recorder.answer.set()
    tap.check_equal(run.read_line(), b"ready\n", "the client's word")
    check_sealed(run, values["API_KEY"], control, "afterwards")
    result = run.finish(b"\n")
    tap.check(result.status == 0, str(result))
    request = server.recorder.forget()[0]
    tap.check_equal(request.count(values["API_KEY"].encode()), count,
                    "secrets that the server received; %s" % result)
    output = result.output + result.errors + repr(result.events).encode()
    tap.check(not memory.Needle(values["API_KEY"].encode()).count(output),
              "pieces of the secret in what kloak and the client print")
    return values["API_KEY"]
