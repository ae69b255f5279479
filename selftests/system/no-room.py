#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Where the kernel has no room for what Kloak keeps of a socket, the run says so, and nothing is
swapped for want of it.

The room that a socket's storage may take is a setting of the network namespace: enough for a
TLS connection here, too little for one to a resolver.
"""
import re

from lib import dns, tap, trial as trials

RESOLVER = "10.53.2.53"
OPTMEM = "/proc/sys/net/core/optmem_max"
ROOM = "10000"

trials.prepare(RESOLVER)
dns.Dnsmasq([RESOLVER], [("exact.test", "10.53.1.1", 60)])


def write_optmem(value):
    try:
        with open(OPTMEM, "w") as file:
            file.write(value)
    except FileNotFoundError:
        tap.skip("before Linux 6.8 net.core.optmem_max is for all namespaces")


def program(ask):
    return """
        answer = %s("%s", "exact.test")
        send(dnswire.addresses_in(answer)[0], "exact.test", PORT)""" % (ask, RESOLVER)


@tap.test("a look-up by TCP whose state has no room: counted, said, and the placeholder leaves")
def no_room():
    write_optmem(ROOM)
    with trials.Trial("exact.test") as trial:
        trial.run(program("ask_by_tcp"))
        trial.check_left("address-not-verified")
        tap.check(b"the kernel had no room to watch 1 socket for answers of name servers"
                  in trial.result.errors, "not said: %s" % trial.describe())
        trial.run(program("ask"))
        trial.check_swapped()
        tap.check(b"no room" not in trial.result.errors, "said: %s" % trial.describe())


@tap.test("no room for a TLS connection either: no run starts, and what it names helps")
def no_storage():
    write_optmem("2000")
    with trials.Trial("exact.test") as trial:
        try:
            trial.run(program("ask"))
        except tap.Failure:
            pass
        result = trial.result
        tap.check_equal(result.status, 125, "exit status")
        remedy = re.search(rb"sysctl -w (net\.core\.optmem_max)=(\d+)", result.errors)
        tap.check(remedy, "no remedy: %r" % result.errors)
        write_optmem(remedy[2].decode())
        trial.run(program("ask"))
        trial.check_swapped()


tap.main(__doc__)
