#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The secret arrives through wolfSSL, and only at the granted host."""
from lib import build, contract, servers, tap

CLIENT = build.Made(contract.compile_c, "wolfssl_client", "-lwolfssl")

contract.register_tests(CLIENT)


@tap.test("written by wolfSSL_send()")
def send():
    contract.check_arrives(CLIENT.get(), servers.DEFAULT_SUITE, requests=3, write="send")


tap.main(__doc__)
