# SPDX-License-Identifier: GPL-2.0-only
"""Real TLS servers on the loopback addresses, with certificates that are made for this run.

Nginx terminates TLS and hands the bare stream to a Recorder over a unix
socket; OpensslServer is `openssl s_server`, one connection at a time. Both
have .port, .recorder and .stop(), and are stopped at the end of the test file.
"""
import os
import shutil
import socket
import subprocess
import threading
import time

from lib import tap
from lib.recorder import Recorder

NAMES = ("api.test", "other.test", "evil.test", "localhost")
ADDRESSES = ("127.0.0.1", "127.0.0.2", "::1")
ANY_ADDRESS = ("0.0.0.0", "::")

TLS12 = "1.2"
TLS13 = "1.3"
SUITES = (
    (TLS13, "TLS_AES_128_GCM_SHA256"),
    (TLS13, "TLS_AES_256_GCM_SHA384"),
    (TLS13, "TLS_CHACHA20_POLY1305_SHA256"),
    (TLS12, "ECDHE-RSA-AES128-GCM-SHA256"),
    (TLS12, "ECDHE-RSA-AES256-GCM-SHA384"),
    (TLS12, "ECDHE-RSA-CHACHA20-POLY1305"),
    (TLS12, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (TLS12, "ECDHE-ECDSA-AES256-GCM-SHA384"),
)
MAIN_SUITES = SUITES[:6]  # one for each way to protect records
DEFAULT_SUITE = SUITES[0]


def _openssl(*arguments):
    subprocess.run(("openssl",) + arguments, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _new_key(kind):
    if kind == "ecdsa":
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    return ("-newkey", "rsa:2048")


class Authority:
    """A CA of this test run and one certificate per key type, good for all NAMES and ADDRESSES.

    TEST_AUTHORITY: the scratch directory of a test run that has made one, where that takes long.
    """

    _the_one = None

    def __init__(self):
        self.ca = tap.scratch("ca.pem")
        made = os.environ.get("TEST_AUTHORITY")
        if made:
            shutil.copytree(made, tap.scratch(), dirs_exist_ok=True)
        else:
            self._make()

    def _make(self):
        _openssl("req", "-x509", *_new_key("ecdsa"), "-nodes", "-days", "2", "-subj",
                 "/CN=kloak selftest CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                 "-keyout", tap.scratch("ca.key"), "-out", self.ca)
        for kind in ("rsa", "ecdsa"):
            self._issue(kind)

    @classmethod
    def get(cls):
        if cls._the_one is None:
            cls._the_one = cls()
        return cls._the_one

    def _issue(self, kind):
        alternatives = ["DNS:" + n for n in NAMES] + ["IP:" + a for a in ADDRESSES]
        extensions = tap.scratch("san.cnf")
        with open(extensions, "w") as file:
            # Python 3.13 and later want the identifier.
            file.write("subjectAltName=%s\nauthorityKeyIdentifier=keyid\n"
                       % ",".join(alternatives))
        request = tap.scratch(kind + ".csr")
        _openssl("req", *_new_key(kind), "-nodes", "-subj", "/CN=api.test",
                 "-keyout", self.key(kind), "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", tap.scratch("ca.key"),
                 "-CAcreateserial", "-days", "2", "-extfile", extensions,
                 "-out", self.certificate(kind))

    @staticmethod
    def certificate(kind):
        return tap.scratch(kind + ".pem")

    @staticmethod
    def key(kind):
        return tap.scratch(kind + ".key")


def _key_kind(suite):
    return "ecdsa" if "ECDSA" in suite else "rsa"


_used_ports = set()


def free_port():
    """A port that is free on both loopback families right now, and new to this process."""
    while True:
        port = _free_port()
        if port not in _used_ports:
            _used_ports.add(port)
            return port


def _free_port():
    with socket.socket(socket.AF_INET6) as probe:
        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        probe.bind(("::", 0))
        return probe.getsockname()[1]


class _Server:
    """where: words in front of the server's command, as of namespace.there()."""

    def __init__(self, suite, where=()):
        self.where = list(where)
        self.tls, self.suite = suite
        self.kind = _key_kind(self.suite)
        self.authority = Authority.get()
        self.port = free_port()
        self.recorder = Recorder()
        self.process = None

    def _launch(self, command, **streams):
        self.log = tap.scratch("server-%d.log" % self.port)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.where + list(command), stderr=log, **streams)
        tap.cleanup(self.stop)

    def _wait_until_listening(self):
        port = "%04X" % self.port
        end = time.monotonic() + tap.HAPPENS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            for table in ("tcp", "tcp6"):
                with open("/proc/%d/net/%s" % (self.process.pid, table)) as rows:
                    if any(row.split()[1].endswith(":" + port) and row.split()[3] == "0A"
                           for row in rows if ":" in row):
                        return
            time.sleep(0.01)
        with open(self.log) as log:
            raise RuntimeError("server did not start: " + log.read()[-500:])

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


NGINX = """
daemon off; worker_processes 1; master_process off; pid %(dir)s/pid;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
error_log stderr %(level)s;
events { worker_connections 2048; }
stream {
    server {
        %(listen)s
        ssl_certificate %(certificate)s;
        ssl_certificate_key %(key)s;
        ssl_protocols TLSv%(tls)s;
        %(suites)s
        proxy_pass unix:%(dir)s/recorder;
        proxy_buffer_size %(buffer)s;
        proxy_timeout 60s;
    }
}
"""


class Nginx(_Server):
    """slow: takes the stream from the client in small pieces, with a small receive buffer;
    log_level: at "info", log_since() tells why handshakes failed."""

    name = "nginx"

    def __init__(self, suite=DEFAULT_SUITE, slow=False, addresses=ADDRESSES, where=(),
                 log_level="warn"):
        super().__init__(suite, where)
        directory = tap.scratch("nginx-%d" % self.port)
        os.mkdir(directory)
        if self.tls == TLS13:
            suites = "ssl_conf_command Ciphersuites %s;" % self.suite
        else:
            suites = "ssl_ciphers %s;" % self.suite
        listen = "".join("listen %s:%d ssl backlog=2048%s; " % (
            "[%s]" % address if ":" in address else address, self.port,
            " rcvbuf=4096" if slow else "") for address in addresses)
        with open(directory + "/nginx.conf", "w") as file:
            file.write(NGINX % {
                "dir": directory, "port": self.port, "tls": self.tls, "suites": suites,
                "level": log_level,
                "listen": listen, "buffer": "2k" if slow else "64k",
                "certificate": self.authority.certificate(self.kind),
                "key": self.authority.key(self.kind)})
        self.recorder.read_slowly = slow
        self.listener = self.recorder.listen(directory + "/recorder")
        self._launch(("nginx", "-p", directory, "-c", directory + "/nginx.conf", "-e", "stderr"))
        self._wait_until_listening()

    def log_size(self):
        return os.path.getsize(self.log)

    def log_since(self, size):
        with open(self.log, errors="replace") as log:
            log.seek(size)
            return log.read()

    def stop(self):
        super().stop()
        self.listener.close()


class OpensslServer(_Server):
    name = "s_server"

    def __init__(self, suite=DEFAULT_SUITE):
        super().__init__(suite)
        option = "-ciphersuites" if self.tls == TLS13 else "-cipher"
        self._launch(("openssl", "s_server", "-quiet", "-accept", "127.0.0.1:%d" % self.port,
                      "-cert", self.authority.certificate(self.kind),
                      "-key", self.authority.key(self.kind),
                      "-tls" + self.tls.replace(".", "_"), option, self.suite),
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self.recorder.serve_pipe, daemon=True,
                         args=(self.process.stdout, self.process.stdin)).start()
        self._wait_until_listening()

    def stop(self):
        process = self.process
        super().stop()
        if process is not None:
            process.stdin.close()


EARLY_NGINX = """
daemon off; worker_processes 1; master_process off; pid %(dir)s/pid;
error_log stderr warn;
events { worker_connections 256; }
http {
    log_format requests '$request_uri $http_x_api_key';
    access_log %(dir)s/requests requests;
    server {
        listen 127.0.0.1:%(port)d ssl;
        ssl_certificate %(certificate)s;
        ssl_certificate_key %(key)s;
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites %(suite)s;
        ssl_early_data on;
        ssl_session_cache shared:sessions:1m;
        keepalive_requests 10000;
        location / { return 200 ok; }
    }
}
"""


class EarlyNginx(_Server):
    """Accepts early data. Of its requests it knows only the target and X-Api-Key."""

    def __init__(self, suite=DEFAULT_SUITE):
        super().__init__(suite)
        self.directory = tap.scratch("nginx-%d" % self.port)
        os.mkdir(self.directory)
        with open(self.directory + "/nginx.conf", "w") as file:
            file.write(EARLY_NGINX % {
                "dir": self.directory, "port": self.port, "suite": self.suite,
                "certificate": self.authority.certificate(self.kind),
                "key": self.authority.key(self.kind)})
        self._launch(("nginx", "-p", self.directory, "-c", self.directory + "/nginx.conf",
                      "-e", "stderr"))
        self._wait_until_listening()

    def requests(self, count, seconds=tap.HAPPENS):
        """Waits for so many; returns them, sorted, as (target, key), and forgets them."""
        end = time.monotonic() + seconds
        path = self.directory + "/requests"
        while True:
            with open(path) as file:
                lines = file.read().splitlines()
            if len(lines) >= count or time.monotonic() > end:
                break
            time.sleep(0.01)
        os.truncate(path, 0)
        return sorted(tuple(line.split()) for line in lines)


SERVERS = (Nginx, OpensslServer)
