#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The secret arrives through mbedTLS, and only at the granted host."""
from lib import build, contract, tap

CLIENT = build.Made(contract.compile_c, "mbedtls_client", "-lmbedtls", "-lmbedx509", "-lmbedcrypto")

contract.register_tests(CLIENT, contract.SUITES12)  # 2.28, Debian 12's, has no TLS 1.3

tap.main(__doc__)
