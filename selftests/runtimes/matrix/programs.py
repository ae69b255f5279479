# SPDX-License-Identifier: GPL-2.0-only
"""The clients of the matrix, one row each. To add a runtime, add a row here and its packages
to `packages`.

In the shell texts {clients} is the directory of selftests/runtimes/clients, {built} the
one that `build` was run in, and {fetched} what `fetched` has printed.
"""
import glob
import os
import subprocess

from lib import tap
from matrix import RUNTIMES, roots


class Program:
    """name     as the table has it
    group    in `packages`
    needs    a file that a root has only if it has the runtime; may be a pattern
    version  shell text that prints "VERSION|TLS LIBRARY AND ITS VERSION"
    command  shell text that sends the requests which the environment asks for
    sources  in clients/, and build, the shell text that makes of them what is run
    fetched  words of a command of selftests/runtimes that prints the directory {fetched}; such
             a client is run on this machine as it is, not in the suites
    by_address  beginning of the TLS library's version with which the secret is granted to the
             server's address, not to its name
    traits   "threads": serves connections in threads or tasks; "small": is part of the smaller
             matrix of `make check`; "places": can send the secret in query and body too
    """

    def __init__(self, name, group, needs, version, command, sources=(), build=None, traits="",
                 fetched=(), by_address=None):
        self.name, self.group, self.needs, self.version = name, group, needs, version
        self.command, self.sources, self.build = command, sources, build
        self.traits, self.fetched, self.by_address = traits.split(), fetched, by_address

    def is_in(self, root):
        # glob() takes links as they are: those to alternatives lead somewhere in the root only.
        path = os.path.join(root.directory, self.needs.lstrip("/"))
        return bool(self.fetched) or bool(glob.glob(path))

    def prepare(self, root):
        """(command, version, library) in a root which has the runtime."""
        words = {"clients": tap.scratch("clients")}
        if self.fetched:
            words["fetched"] = self._fetch()
        if self.build:
            words["built"] = root.built(self.sources, self.build)
        done = root.run(_filled(self.version, words))
        text = done.stdout.decode(errors="replace").strip()
        if done.returncode != 0 or "|" not in text:
            raise tap.Failure("does not tell its version: " + roots.said(done))
        version, library = text.splitlines()[-1].split("|", 1)
        return _filled(self.command, words), version.strip(), library.strip()

    def _fetch(self):
        done = subprocess.run([os.path.join(RUNTIMES, self.fetched[0]), *self.fetched[1:]],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=300, check=False)
        if done.returncode != 0:
            tap.skip("cannot be fetched: " + roots.said(done))
        return done.stdout.decode().strip()


def _filled(text, words):
    """Not format(): shell texts have braces of their own."""
    for name, value in words.items():
        text = text.replace("{%s}" % name, value)
    return text


_PYTHON = """/usr/bin/python3 -c 'import platform, ssl
%s
print(%s + "Python %%s|%%s" %% (platform.python_version(), ssl.OPENSSL_VERSION))'"""


def _python(library, traits=""):
    module = "" if library == "http.client" else "import %s" % library
    label = '"%s %%s, " %% %s.__version__' % (library, library) if module else '""'
    path = "/usr/bin/python3" if not module else "/usr/lib/python3/dist-packages/" + library
    return Program("Python " + library, "python", path, _PYTHON % (module, label),
                   "/usr/bin/python3 {clients}/python_client.py " + library,
                   traits="threads places " + traits)


def _node(name, node, traits="", **options):
    return Program(name, "node", node, node + " -p '`${process.version}|"
                   "OpenSSL ${process.versions.openssl}`'", node + " {clients}/node_client.js",
                   traits="threads places " + traits, **options)


# The directory of each Go that Debian has had in the suites.
_GO = ("1.15", "1.19", "1.24", "1.26", "1.27")
_GO_BUILDS = (
    ("", "CGO_ENABLED=0", "", _GO, "threads small"),
    (", stripped", "CGO_ENABLED=0", "-ldflags='-s -w'", _GO, "threads"),
    (", PIE", "CGO_ENABLED=0", "-buildmode=pie", _GO, "threads"),
    (", cgo, external PIE, stripped", "CGO_ENABLED=1",
     "-buildmode=pie -ldflags='-linkmode=external -s -w'", _GO, "threads"),
    (", boringcrypto", "CGO_ENABLED=1 GOEXPERIMENT=boringcrypto", "", _GO[1:], "threads"),
    (", FIPS 140", "CGO_ENABLED=0 GOFIPS140=latest", "", _GO[2:], "threads"),
)


def _go(version, variant, environment, flags, traits):
    go = "/usr/lib/go-%s/bin/go" % version
    build = ("export GOCACHE=$HOME/go-cache GO111MODULE=off GOFLAGS= GOTOOLCHAIN=local "
             "GOPATH=$HOME/go %s; exec %s build %s -o client go_client.go" % (
                 environment, go, flags))
    return Program("Go net/http" + variant, "go", go,
                   go + " version | sed 's/go version go\\([^ ]*\\).*/\\1|crypto\\/tls \\1/'",
                   "{built}/client", ("go_client.go",), build, traits)


def _curl():
    return Program("curl", "curl", "/usr/bin/curl",
                   "curl --version | sed -n '1s/curl \\([^ ]*\\).* \\(OpenSSL\\)\\/\\([^ ]*\\).*"
                   "/\\1|\\2 \\3/p'",
                   "sh {clients}/urls.sh curl", traits="places small")


def _package(names, label):
    """The version of the first of these packages that is installed."""
    return ("dpkg-query -W -f '%s ${Version}\\n' %s 2>/dev/null | grep -m1 '[0-9]$'" % (label, names))


def _compiled(name, group, needs, library, source, flags, shared=(), traits="threads",
              by_address=None):
    """A client in C. library: a shell text that prints what the TLS library is."""
    return Program(name, group, needs, 'echo "-|$(%s)"' % library, "{built}/client",
                   (source, *shared), "gcc -O1 -w -o client %s %s -lpthread" % (source, flags),
                   traits, by_address=by_address)


_CRATES = "/usr/share/cargo/registry"


def _rust(crate, label, needs, library):
    """library: a shell text that prints what the crate has below it."""
    directory = crate.replace("-", "_") + "_client"
    return Program("Rust " + label, "rust", _CRATES + "/" + needs,
                   "echo \"Rust $(rustc --version | cut -d' ' -f2), $(%s)|$(%s)\"" % (
                       _crate(crate), library), "{built}/client", ("http.rs", directory),
                   "cd %s && cargo build -q --release --offline && "
                   "mv target/release/%s ../client && rm -rf target" % (directory, directory),
                   "threads")


def _crate(name):
    return "ls %s | sed -n 's/^\\(%s\\)-\\([0-9.]*\\)$/\\1 \\2/p'" % (_CRATES, name)


_INCLUDE, _LIB = "/usr/include", "/usr/lib/%s-linux-gnu" % os.uname().machine
_ANDROID = _LIB + "/android"
_OPENSSL_VERSION = "openssl version | cut -d' ' -f1,2"
# A small heap, since all of it is searched.
_JAVA = "java -Xmx128m -XX:+UseSerialGC --class-path '{built}:/usr/share/java/*' -Djava.library.path={built} NettyClient"

PROGRAMS = [
    _python("http.client", "small"),
    _python("requests"),
    _python("httpx"),
    _python("aiohttp"),
    _node("Node https", "/usr/bin/node", "small"),
    # Debian's is linked with libssl.so, those of nodejs.org have OpenSSL inside.
    *[_node("Node https, static build", "{fetched}/bin/node", fetched=("node-build", major))
      for major in ("12", "14", "16", "18", "20", "22", "24")],
    _curl(),
    Program("wget", "wget", "/usr/bin/wget",
            "echo \"$(wget --version | sed -n '1s/GNU Wget \\([^ ]*\\).*/\\1/p')|$(%s)\"" %
            _package("libgnutls30t64 libgnutls30", "GnuTLS"),
            "sh {clients}/urls.sh wget", traits="places small"),
    Program("gnutls-cli", "gnutls", "/usr/bin/gnutls-cli",
            "v=$(gnutls-cli --version | sed -n '1s/gnutls-cli //p'); echo \"$v|GnuTLS $v\"",
            "sh {clients}/piped.sh gnutls-cli --x509cafile \"$TEST_CA\" -p \"$TEST_PORT\" "
            "--sni-hostname \"$TEST_NAME\" --verify-hostname \"$TEST_NAME\" \"$TEST_ADDRESS\""),
    Program("openssl s_client", "openssl", "/usr/bin/openssl",
            "v=$(openssl version | cut -d' ' -f2); echo \"$v|OpenSSL $v\"",
            "sh {clients}/piped.sh openssl s_client -quiet -no_ign_eof -verify_return_error -verify_quiet "
            "-CAfile \"$TEST_CA\" -connect \"$TEST_ADDRESS:$TEST_PORT\" "
            "-servername \"$TEST_NAME\"", traits="small"),
    Program("Ruby net/http", "ruby", "/usr/bin/ruby",
            "ruby -ropenssl -e 'puts RUBY_VERSION + \"|\" + OpenSSL::OPENSSL_LIBRARY_VERSION'",
            "ruby {clients}/ruby_client.rb", traits="threads places"),
    Program("PHP curl", "php", "/usr/bin/php",
            "php -r 'echo PHP_VERSION, \"|\", strtr(curl_version()[\"ssl_version\"], \"/\", \" \");'",
            "php {clients}/php_client.php curl", traits="places"),
    Program("PHP streams", "php", "/usr/bin/php",
            "php -r 'echo PHP_VERSION, \"|\", OPENSSL_VERSION_TEXT;'",
            "php {clients}/php_client.php streams", traits="places"),
    _compiled("C, libssl", "openssl", _INCLUDE + "/openssl/ssl.h", _OPENSSL_VERSION,
              "openssl_client.c", "-lssl -lcrypto"),
    _compiled("C, libssl.a", "openssl", _LIB + "/libssl.a", _OPENSSL_VERSION,
              "openssl_client.c", "-Wl,-Bstatic -lssl -lcrypto -Wl,-Bdynamic,--as-needed "
              "-l:libz.so.1 -l:libzstd.so.1 -ldl"),
    _compiled("C, BoringSSL", "boringssl", _ANDROID + "/libssl.so",
              _package("android-libboringssl", "BoringSSL of Android"), "openssl_client.c",
              "-I/usr/include/android -L%s -Wl,-rpath,%s -lssl -lcrypto" % (_ANDROID, _ANDROID)),
    _compiled("C, libgnutls", "gnutls", _INCLUDE + "/gnutls/gnutls.h",
              _package("libgnutls30t64 libgnutls30", "GnuTLS"), "gnutls_client.c", "-lgnutls",
              ("tls_client.h",)),
    # The client is written for PSA, which 2.16 does not have.
    _compiled("C, mbedTLS", "mbedtls", _INCLUDE + "/psa/crypto.h",
              _package("libmbedtls-dev", "mbedTLS"), "mbedtls_client.c",
              "-lmbedtls -lmbedx509 -lmbedcrypto", ("tls_client.h",)),
    # With 4.6 (libwolfssl.so.24) the client aborts in the library, also without Kloak. 5.7 sends a
    # GREASE ECH which cannot be switched off, so that its name is not believed (limits.md).
    _compiled("C, wolfSSL", "wolfssl", _LIB + "/libwolfssl.so.[34]*",
              _package("libwolfssl-dev", "wolfSSL"), "wolfssl_client.c", "-lwolfssl",
              ("tls_client.h",), by_address="wolfSSL 5.7"),
    *[_go(version, *build[:3], build[4]) for build in _GO_BUILDS for version in build[3]],
    # What the clients are written for: Rust 1.74, rustls 0.23.
    _rust("native-tls", "native-tls", "native-tls-0.2.1[3-9]", _OPENSSL_VERSION),
    _rust("rustls", "rustls", "rustls-0.23.*", _crate("ring")),
    Program("Java, netty-tcnative", "java", "/usr/share/java/netty-tcnative.jar",
            _JAVA + " --version", _JAVA, ("NettyClient.java",),
            "cp %s/jni/libnetty-tcnative.so libnetty_tcnative.so && "
            "javac -cp '/usr/share/java/*' NettyClient.java" % _LIB, "threads"),
]

# In the place of all, where there is no root to run them in.
ALL = Program("all clients", "base", "/", "", "")
