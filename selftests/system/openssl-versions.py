#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The secret arrives with the OpenSSL of other Debian suites: 1.1.1 (bullseye), 3.5 (trixie), 3.6
or later (sid).

Their curl and libraries are unpacked below $O/chroots, once. Those that are newer than this
machine run with their own loader and libc; OpenSSL 1.1.1 is given to a program of this machine.
"""
import os
import subprocess

from lib import build, clients, kloak, sealing, servers, tap

O = os.environ.get("O", "build")
SECRET = {"API_KEY": kloak.new_secret(40)}
LIBRARIES = "usr/lib/x86_64-linux-gnu"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = {"bullseye": "libssl1.1,libssl-dev", "trixie": "curl,libssl3t64,libssl-dev",
            "sid": "curl,libssl3t64,libssl-dev"}


def unpacked(suite):
    """The directory with the suite's OpenSSL, made if it is not there yet."""
    directory = os.path.abspath(os.path.join(O, "chroots", suite))
    if not os.path.exists(os.path.join(directory, "usr/include/openssl/ssl.h")):
        partial = directory + ".partial"
        subprocess.run(["rm", "-rf", partial, directory], check=True)
        os.makedirs(os.path.dirname(directory), exist_ok=True)
        source = "deb [check-valid-until=no] %s %s main" % (MIRROR, suite)
        try:
            made = subprocess.run(["mmdebstrap", "--variant=extract", "--include=" + PACKAGES[suite],
                                   "--aptopt=Acquire::Check-Valid-Until \"false\"",
                                   suite, partial, source],
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=tap.HANGS)
        except (FileNotFoundError, subprocess.TimeoutExpired) as error:
            tap.skip("mmdebstrap of %s: %s" % (suite, error))
        if made.returncode != 0:
            tap.skip("mmdebstrap of %s: %s" % (suite, made.stderr.decode()[-200:].strip()))
        os.rename(partial, directory)
    return directory


def curl(directory, server):
    """curl expands its variables itself: no shell of that suite is involved."""
    return [os.path.join(directory, LIBRARIES, "ld-linux-x86-64.so.2"),
            os.path.join(directory, "usr/bin/curl"), "-sS", "--http1.1", "--max-time", "60",
            "--cacert", server.authority.ca, "--connect-to", "::127.0.0.1:%d" % server.port,
            "--variable", "%API_KEY", "--expand-header", "X-Api-Key: {{API_KEY}}",
            "--expand-data", "body={{API_KEY}}", "https://api.test:%d/" % server.port]


def only_openssl(directory):
    """A directory that has libssl and libcrypto of that suite, and not its libc."""
    path = os.path.join(directory, "openssl")
    os.makedirs(path, exist_ok=True)
    for name in ("libssl.so.1.1", "libcrypto.so.1.1"):
        if not os.path.lexists(os.path.join(path, name)):
            os.symlink(os.path.join(directory, LIBRARIES, name), os.path.join(path, name))
    return path


def client(suite):
    """The client of selftests/runtimes with the suite's OpenSSL."""
    directory = unpacked(suite)
    headers = os.path.join(directory, "usr/include")
    libraries = os.path.join(directory, LIBRARIES)
    flags = ["-I" + headers, "-I" + headers + "/x86_64-linux-gnu", libraries + "/libssl.so",
             libraries + "/libcrypto.so", "-Wl,--unresolved-symbols=ignore-in-shared-libs"]
    if suite == "bullseye":
        flags += ["-Wl,-rpath," + only_openssl(directory)]
    else:
        flags += ["-Wl,--disable-new-dtags,-rpath," + libraries,
                  "-Wl,--dynamic-linker=" + libraries + "/ld-linux-x86-64.so.2"]
    return [build.openssl_client("openssl_client-" + suite, *flags)]


def linked(suite):
    """The client with OpenSSL linked into it: this machine's, or that of bullseye."""
    if suite is None:
        return build.openssl_client("openssl_client-linked", "-l:libssl.a", "-l:libcrypto.a")
    directory = unpacked(suite)
    headers = os.path.join(directory, "usr/include")
    return build.openssl_client(
        "openssl_client-linked-" + suite, "-I" + headers, "-I" + headers + "/x86_64-linux-gnu",
        *(os.path.join(directory, LIBRARIES, name) for name in ("libssl.a", "libcrypto.a")))


for the_suite in (None, "bullseye"):
    for the_cipher in servers.MAIN_SUITES:
        @tap.test("linked into the program, %s, TLS %s, %s" % (
            the_suite or "this machine", *the_cipher))
        def arrives_linked(suite=the_suite, cipher=the_cipher):
            with servers.Nginx(cipher) as server:
                command = clients.contract([linked(suite)], server, connections=4, requests=5,
                                           threads=2)
                kloak.check_same_as_plain(server, command, SECRET, [kloak.grant(server)], 20)

for the_suite in ("trixie", "sid"):
    for the_cipher in servers.MAIN_SUITES:
        @tap.test("curl of %s, TLS %s, %s" % (the_suite, *the_cipher))
        def arrives(suite=the_suite, cipher=the_cipher):
            directory = unpacked(suite)
            values = {**SECRET, "LD_LIBRARY_PATH": os.path.join(directory, LIBRARIES)}
            with servers.Nginx(cipher) as server:
                kloak.check_same_as_plain(server, curl(directory, server), values,
                                          [kloak.grant(server)], 1, 2)

# The runtime matrix has the other suites.
for the_suite in PACKAGES:
    for the_cipher in servers.MAIN_SUITES[::3]:
        @tap.test("%s, TLS %s, %s: 1000 requests, 20 connections, 8 threads" % (
            the_suite, *the_cipher))
        def volume(suite=the_suite, cipher=the_cipher):
            with servers.Nginx(cipher) as server:
                kloak.check_same_as_plain(
                    server, clients.contract(client(suite), server, connections=20, requests=50,
                                             threads=8),
                    SECRET, [kloak.grant(server)], 1000)

    @tap.test("%s: early data" % the_suite)
    def early(suite=the_suite):
        with servers.EarlyNginx() as server:
            result = kloak.run(clients.contract(client(suite), server, connections=3, requests=2,
                                                early=5), SECRET, [kloak.grant(server)])
            tap.check(result.status == 0, str(result))
            keys = [key for _, key in server.requests(6)]
        tap.check_equal(keys.count(SECRET["API_KEY"]), 6, "secrets at the server; %s" % result)

    @tap.test("%s: memory" % the_suite)
    def sealed(suite=the_suite):
        for cipher in servers.SUITES[1:4]:
            with servers.Nginx(cipher) as server:
                sealing.check_client(server, clients.contract(client(suite), server, wait=1), 1)

    @tap.test("%s: a host that is not granted gets the placeholder" % the_suite)
    def not_granted(suite=the_suite):
        with servers.Nginx() as server:
            result = kloak.run(clients.contract(client(suite), server), SECRET,
                               [kloak.grant(server, host="other.test")])
            request = kloak.requests_seen(server, 1)[0]
        tap.check(SECRET["API_KEY"].encode() not in request, "the secret went to another host")
        tap.check(kloak.PREFIX in request, "no placeholder in the request; %s" % result)
        kloak.check_reason(result, "host", 1)

tap.main(__doc__)
