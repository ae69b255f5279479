# SPDX-License-Identifier: GPL-2.0-only
"""What tests need besides installed packages, made once below the build directory."""
import os
import subprocess

from lib import tap

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
O = os.path.abspath(os.path.join(TREE, os.environ.get("O", "build")))
_CLIENTS = os.path.join(TREE, "selftests/system/clients")
_GO_CLIENT = os.path.join(TREE, "selftests/runtimes/clients/go_client.go")


def _directory(name):
    path = os.path.join(O, "selftests", name)
    os.makedirs(path, exist_ok=True)
    return path


def _made(source, target, command, flags=(), **environment):
    source = os.path.join(_CLIENTS, source)
    target = os.path.join(_directory("clients"), target)
    if not os.path.exists(target) or os.path.getmtime(target) < os.path.getmtime(source):
        subprocess.run([*command, "-o", target + ".new", source, *flags], check=True,
                       cwd=_CLIENTS, stdin=subprocess.DEVNULL, env={**os.environ, **environment})
        os.rename(target + ".new", target)
    return target


def musl_look_up():
    return _made("look_up.c", "look_up-musl", ["musl-gcc", "-static", "-O2", "-Wall", "-Werror"])


def glibc_look_up():
    return _made("look_up.c", "look_up-glibc", ["gcc", "-O2", "-Wall", "-Werror"])


def typing_client():
    return _made("typing.c", "typing", ["gcc", "-O2", "-Wall", "-Werror"])


def race_library():
    return _made("race.c", "race.so", ["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror"])


def _go_made(source, target, *arguments, **environment):
    return _made(source, target, ["go", "build", *arguments], **{
        "GOCACHE": _directory("go-cache"), "GO111MODULE": "off", "GOFLAGS": "",
        "GOTOOLCHAIN": "local", "GOPATH": _directory("go-path"), "CGO_ENABLED": "0",
        **environment})


def go_look_up():
    return _go_made("look_up.go", "look_up-go")


def go_client(name, *arguments, **environment):
    """A build of the Go client with these arguments of `go build`."""
    return _go_made(_GO_CLIENT, "go_client-" + name, *arguments, **environment)


def openssl_client(name, *flags):
    """The client of selftests/runtimes with the OpenSSL or BoringSSL that `flags` name."""
    return _made(os.path.join(TREE, "selftests/runtimes/clients/openssl_client.c"), name,
                 ["gcc", "-O2", "-Wall", "-Wextra", "-pthread"], flags=flags)


def musl_openssl_client():
    """As on Alpine: no glibc in it, and everything in one file. The OpenSSL is the system's."""
    machine = "/%s-linux-gnu" % os.uname().machine
    return _made(os.path.join(TREE, "selftests/runtimes/clients/openssl_client.c"),
                 "openssl_client-musl",
                 ["musl-gcc", "-static", "-O2", "-idirafter", "/usr/include",
                  "-idirafter", "/usr/include" + machine],
                 (os.path.join(_CLIENTS, "glibc_in_musl.c"), "/usr/lib" + machine + "/libssl.a",
                  "/usr/lib" + machine + "/libcrypto.a"))


def unpacked(package):
    """The directory of a Debian package that is not installed, since that would start services."""
    directory = os.path.join(O, "packages", package)
    if os.path.isdir(directory):
        return directory
    partial = directory + ".partial"
    subprocess.run(["rm", "-rf", partial], check=True)
    os.makedirs(partial)
    for words in (["apt-get", "-q", "download", package],
                  ["sh", "-c", "dpkg-deb -x ./*.deb . && rm -f ./*.deb"]):
        done = subprocess.run(words, cwd=partial, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode != 0:
            tap.skip("%s: %s" % (" ".join(words), done.stderr.decode()[-200:].strip()))
    os.rename(partial, directory)
    return directory


def boringssl_client():
    """The same with Android's BoringSSL, as Debian packages it."""
    libraries = os.path.join(unpacked("android-libboringssl"), "usr/lib/x86_64-linux-gnu/android")
    headers = os.path.join(unpacked("android-libboringssl-dev"), "usr/include/android")
    return openssl_client("openssl_client-boringssl", "-I" + headers, libraries + "/libssl.so.0",
                          libraries + "/libcrypto.so.0", "-Wl,-rpath," + libraries)


class Made:
    """What was made while there was still a network, or why it was not."""

    def __init__(self, make, *arguments):
        self.error = self.path = None
        try:
            self.path = make(*arguments)
        except (tap.Skip, OSError, subprocess.CalledProcessError) as error:
            self.error = error

    def get(self):
        if self.error:
            tap.skip(str(self.error))
        return self.path
