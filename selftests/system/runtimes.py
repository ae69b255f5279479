#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""This machine's own runtimes send the secret and nothing else, in each protocol and suite.

The small part of the runtime matrix (selftests/runtimes): no Debian suites.
"""
import os
import sys

from lib import tap

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../runtimes"))
from matrix import cells, programs, roots  # pylint: disable=wrong-import-position

_clients = {}


def client_of(program, root):
    if program not in _clients:
        _clients[program] = cells.Client(program, root)
    return _clients[program]


def offered(check, *arguments):
    try:
        check(*arguments)
    except cells.NotOffered as words:
        tap.skip("not offered by this client: %s" % words)


def cell_test(program, root, bench, suite):
    @tap.test("%s, TLS %s, %s" % (program.name, suite[0], suite[2]))
    def arrives():
        offered(client_of(program, root).check, bench.server(suite))


def once_tests(program, root, bench):
    @tap.test("%s: a host that was not granted" % program.name)
    def not_granted():
        offered(client_of(program, root).check_not_granted, bench.server(cells.SUITES[0]))

    @tap.test("%s: no secret in its memory" % program.name)
    def memory():
        offered(client_of(program, root).check_memory, bench.server(cells.SUITES[0]))


def main():
    roots.enter()
    root, bench = roots.Root("host"), cells.Bench()
    for program in programs.PROGRAMS:
        if "small" in program.traits and program.is_in(root):
            for suite in cells.SUITES:
                cell_test(program, root, bench, suite)
            once_tests(program, root, bench)
    tap.main(__doc__)


main()
