# SPDX-License-Identifier: GPL-2.0-only
"""Everything that must be there before a measurement: programs, certificates, payloads, libraries.

A process pays for a probe if it has mapped the file that the probe is in. So each
kind of client gets its own copy of libssl and libcrypto: the clients without
Kloak can take their turns while it runs, and another Kloak on this machine
does not disturb the measurement.
"""
import base64
import json
import os
import random
import re
import secrets
import shutil
import subprocess
import tempfile

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.path.join(TREE, os.environ.get("O", "build"))
KLOAK = os.path.join(BUILD, "kloak")
HOLE, HOLE_SIZE = 64, 32  # as in bench.h
REQUEST, JSON, BASE64, BINARY = range(4)  # payloads, in the order of payload_files()


class CannotMeasure(Exception):
    pass


def program(name):
    return os.path.join(BUILD, "tools/bench", name)


def build():
    done = subprocess.run(
        ["make", "-s", "--no-print-directory", "-f", "tools/bench/build.mk",
         "O=" + os.environ.get("O", "build"), "bench-programs"], cwd=TREE)
    if done.returncode:
        raise CannotMeasure("the programs of the benchmark cannot be built; install gcc, clang, "
                            "libssl-dev and linux-libc-dev")


def libraries_of(path):
    """Paths of libssl and libcrypto that a program would load."""
    text = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"lib(?:ssl|crypto)\.so\S* => (\S+)", text)
    if len(found) != 2:
        raise CannotMeasure("%s is not linked with a shared libssl and libcrypto" % path)
    return found


def payload_text():
    """One record of each kind, by its file name."""
    chance = random.Random(1)
    line = ("POST /v1/messages HTTP/1.1\r\nAuthorization: Bearer ".rjust(HOLE).encode()
            + b"-" * HOLE_SIZE + b"\r\n")
    request = (line + b"Host: bench.test\r\nContent-Length: 0\r\nAccept: */*\r\n"
               b"User-Agent: bench/1.0 (a request of 200 bytes)\r\n\r\n").ljust(200, b" ")
    items = [{"id": chance.randrange(10**6), "role": chance.choice(("user", "assistant")),
              "content": " ".join(chance.choice((
                  "the", "record", "leaves", "with", "a", "tag", "Mended", "in", "flight"))
                                  for _ in range(20)), "score": chance.random()}
             for _ in range(120)]
    noise = chance.randbytes(16384)
    fill = {"json": json.dumps(items).encode(), "base64": base64.b64encode(noise), "binary": noise}
    whole = {name: (line + text)[:16384] for name, text in fill.items()}
    return {"request": request[:200], **whole}


class Rig:
    """Files of one benchmark run, in a directory that is removed after it."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="bench-", dir=BUILD)
        os.chmod(self.directory, 0o755)
        self.secret = secrets.token_hex(HOLE_SIZE // 2)
        self.payloads = [self._write(name, text) for name, text in payload_text().items()]
        self.certificates = [self._certificate("ecdsa", "ec", "ec_paramgen_curve:prime256v1"),
                             self._certificate("rsa", "rsa", "rsa_keygen_bits:2048")]
        self.roots = self._write("roots.pem", b"".join(
            open(certificate, "rb").read() for certificate, _ in self.certificates))
        self.system_libraries = libraries_of(program("client"))

    def _write(self, name, data):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def _certificate(self, name, algorithm, parameter):
        certificate, key = (os.path.join(self.directory, name + end) for end in (".pem", ".key"))
        done = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", algorithm, "-pkeyopt", parameter, "-nodes",
             "-days", "2", "-subj", "/CN=bench.test", "-addext", "subjectAltName=DNS:bench.test",
             "-keyout", key, "-out", certificate], capture_output=True, text=True)
        if done.returncode:
            raise CannotMeasure("openssl makes no certificate: " + done.stderr[-200:])
        return certificate, key

    def libraries(self, name):
        """A directory with copies of libssl and libcrypto: {"directory", "libssl", "libcrypto"}."""
        directory = os.path.join(self.directory, "lib-" + name)
        if not os.path.isdir(directory):
            os.mkdir(directory)
            for path in self.system_libraries:
                shutil.copy(path, directory)
        found = {"directory": directory}
        for file in os.listdir(directory):
            found[file.split(".")[0]] = os.path.join(directory, file)
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory)
