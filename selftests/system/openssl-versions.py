#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The secret arrives with the OpenSSL of other Debian suites: 3.5 (trixie), 3.6 or later (sid).

Their curl and libraries are unpacked below $O/chroots, once, and run by their own loader.
"""
import os
import subprocess

from lib import kloak, servers, tap

O = os.environ.get("O", "build")
SECRET = {"API_KEY": kloak.new_secret(40)}
LIBRARIES = "usr/lib/x86_64-linux-gnu"
MIRROR = "http://deb.debian.org/debian"


def unpacked(suite):
    """The directory with the suite's curl, made if it is not there yet."""
    directory = os.path.abspath(os.path.join(O, "chroots", suite))
    if not os.path.exists(os.path.join(directory, "usr/bin/curl")):
        partial = directory + ".partial"
        subprocess.run(["rm", "-rf", partial], check=True)
        os.makedirs(os.path.dirname(directory), exist_ok=True)
        source = "deb [check-valid-until=no] %s %s main" % (MIRROR, suite)
        try:
            made = subprocess.run(["mmdebstrap", "--variant=extract", "--include=curl,libssl3t64",
                                   "--aptopt=Acquire::Check-Valid-Until \"false\"",
                                   suite, partial, source],
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=240)
        except (FileNotFoundError, subprocess.TimeoutExpired) as error:
            tap.skip("mmdebstrap of %s: %s" % (suite, error))
        if made.returncode != 0:
            tap.skip("mmdebstrap of %s: %s" % (suite, made.stderr.decode()[-200:].strip()))
        os.rename(partial, directory)
    return directory


def command(directory, server):
    """curl expands its variables itself: there is no shell of that suite in between."""
    return [os.path.join(directory, LIBRARIES, "ld-linux-x86-64.so.2"),
            os.path.join(directory, "usr/bin/curl"), "-sS", "--http1.1", "--max-time", "60",
            "--cacert", server.authority.ca, "--connect-to", "::127.0.0.1:%d" % server.port,
            "--variable", "%API_KEY", "--expand-header", "X-Api-Key: {{API_KEY}}",
            "--expand-data", "body={{API_KEY}}", "https://api.test:%d/" % server.port]


for the_suite in ("trixie", "sid"):
    for the_cipher in servers.MAIN_SUITES:
        @tap.test("%s, TLS %s, %s" % (the_suite, *the_cipher))
        def arrives(suite=the_suite, cipher=the_cipher):
            directory = unpacked(suite)
            values = {**SECRET, "LD_LIBRARY_PATH": os.path.join(directory, LIBRARIES)}
            with servers.Nginx(cipher) as server:
                kloak.check_same_as_plain(server, command(directory, server), values,
                                          [kloak.grant(server)], 1, 2)

tap.main(__doc__)
