#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""kloak explain has the right answer: for programs and libraries of this machine, for
scripts, for files that are not programs, for processes, and for those of a run.

Programs that are not installed are listed and left out; at least 30 must be there. The table
of hooks says which libraries are hooked: a file of one of them must be hooked, and a file of
any other must be recognised.
"""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import time

from lib import identity, kloak, servers, tap

NOT_HOOKABLE, CONFIGURATION, FAILED = 1, 78, 125
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
LIB = "/usr/lib/x86_64-linux-gnu/"
CLOUD = "/usr/lib/google-cloud-sdk/"
TOOLCHAIN = "/root/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/bin/"
SECRET = {"API_KEY": kloak.new_secret()}


def hooked_titles():
    """The title of each hook in reports, by its name."""
    with open(os.path.join(kloak.TREE, "user/attach/hook_table.c")) as file:
        text = file.read()
    return dict(re.findall(r'\.name = "([^"]+)",\s*\.title = "([^"]+)"', text))


TITLES = hooked_titles()


def start(*arguments, prefix=(), **options):
    return subprocess.run([*prefix, options.pop("kloak", kloak.KLOAK), "explain", *arguments],
                          env=options.pop("env", kloak.environment({})), timeout=tap.HANGS,
                          stdin=subprocess.DEVNULL, capture_output=True, **options)


def explain(what, **options):
    """(exit status, the JSON object, the report for people)."""
    done = start(str(what), "--json", **options)
    tap.check(done.returncode in (0, NOT_HOOKABLE) and not done.stderr,
              "%s: status %d, %r" % (what, done.returncode, done.stderr[-500:]))
    people = start(str(what), **options)
    tap.check_equal(people.returncode, done.returncode, "status with and without --json")
    return done.returncode, json.loads(done.stdout), people.stdout.decode(errors="replace")


def functions(answer):
    """symbol: (path, function) of all that would be probed at the start."""
    return {f["symbol"]: (file["path"], f) for file in answer["files"]
            if file["role"] != "found for later"
            for hook in file["hooks"] for f in hook["functions"]}


def describe(answer):
    return "state %s, runtime %r, reason %r, functions %s" % (
        answer["state"], answer["runtime"], answer["reason"], sorted(functions(answer)))


# --- what is on the machine ----------------------------------------------------

class Expected:
    """hook: the name in the table; reason: the answer while the table does not have it."""

    def __init__(self, state="would", hook=None, reason="", symbols=(), inside=False):
        self.state, self.hook, self.reason = state, hook, reason
        self.symbols, self.inside = symbols, inside

    def check(self, path):
        status, answer, people = explain(path)
        got = "%s: %s" % (path, describe(answer))
        served = self.hook in TITLES
        state = self.state if served else "not-hooked"
        tap.check(answer["state"] == state, "state is not %s; %s" % (state, got))
        tap.check_equal(status, 0 if served else NOT_HOOKABLE, got)
        own = served and state == "would"
        tap.check_equal(answer["runtime"], TITLES[self.hook] if own else "", got)
        later = [row["runtime"] for row in answer["later"]]
        tap.check(state != "would-later" or TITLES[self.hook] in later, "later; " + got)
        tap.check(not own or TITLES[self.hook] not in later, "later and now; " + got)
        tap.check_equal(answer["reason"], "" if served else self.reason, got)
        tap.check(bool(answer["remedy"]) != served, "remedy; " + got)
        tap.check("would be hooked under" not in people or own, people)
        found = functions(answer)
        for symbol in self.symbols if served else ():
            tap.check(symbol in found, "%s is not hooked; %s" % (symbol, got))
            if self.inside:
                tap.check_equal(found[symbol][0], os.path.realpath(path), got)
        tap.check((TITLES[self.hook] if served else answer["text"]) in people, people)


def openssl(*symbols, **options):
    return Expected(hook="openssl", symbols=symbols, **options)


def not_hooked(reason):
    return Expected(reason=reason)


SHARED = openssl("SSL_write", "EVP_KDF_derive")
STATIC = openssl("SSL_write", "EVP_KDF_derive", inside=True)
LATER = Expected(state="would-later", hook="openssl")
GNUTLS = Expected(hook="gnutls", reason="gnutls-stripped")
GO = Expected(hook="go", reason="custom")
NSS = not_hooked("nss")
JSSE = not_hooked("jsse")
NO_TLS = not_hooked("no-tls")
EXPECTED = (
    ("/usr/bin/curl", SHARED),
    ("/usr/bin/openssl", SHARED),
    ("/usr/sbin/nginx", SHARED),
    ("/usr/lib/postgresql/*/bin/psql", SHARED),
    (LIB + "libpq.so.5", SHARED),
    (LIB + "libcurl.so.4", SHARED),
    (LIB + "libssl.so.3", SHARED),
    (LIB + "libcrypto.so.3", openssl("EVP_KDF_derive")),
    ("/usr/lib/python3*/lib-dynload/_ssl.cpython-*.so", SHARED),
    (shutil.which("node") or "/usr/bin/node", openssl("SSL_write", "EVP_KDF_derive")),
    (shutil.which("npm") or "/usr/bin/npm", openssl("SSL_write", "EVP_KDF_derive")),
    ("/usr/bin/python3", LATER),
    ("/usr/bin/perl", LATER),
    ("/usr/bin/ruby", LATER),
    ("/bin/bash", LATER),
    (TOOLCHAIN + "cargo", STATIC),
    ("/root/.cargo/bin/cargo", STATIC),
    (TOOLCHAIN + "rustc", NO_TLS),
    ("/usr/bin/wget", GNUTLS),
    ("/usr/bin/gnutls-cli", GNUTLS),
    ("/usr/lib/git-core/git-remote-https", GNUTLS),
    ("/usr/lib/apt/methods/https", GNUTLS),
    ("/usr/bin/qemu-system-x86_64", GNUTLS),
    ("/usr/bin/gdb", GNUTLS),
    (LIB + "libgnutls.so.30", GNUTLS),
    (LIB + "libcurl-gnutls.so.4", GNUTLS),
    (LIB + "libmbedtls.so.1*", Expected(hook="mbedtls", reason="custom")),
    (LIB + "libwolfssl.so.*", Expected(hook="wolfssl", reason="wolfssl-stripped")),
    ("/usr/bin/go", GO),
    ("/usr/local/bin/docker", GO),
    ("/usr/bin/dockerd", GO),
    ("/usr/bin/containerd", GO),
    ("/usr/local/bin/terraform", GO),
    ("/usr/bin/kubectl", GO),
    ("/usr/sbin/gosu", not_hooked("go-without-tls")),
    (LIB + "libnss3.so", NSS),
    (LIB + "libssl3.so", NSS),
    (LIB + "libsoftokn3.so", NSS),
    ("/usr/bin/java", JSSE),
    ("/usr/lib/jvm/*/lib/server/libjvm.so", JSSE),
    (CLOUD + "bin/cloud_spanner_emulator/emulator_main", not_hooked("boringssl-stripped")),
    (CLOUD + "platform/bundledpythonunix/lib/python3*/site-packages/grpc/_cython/cygrpc.*.so",
     not_hooked("boringssl-stripped")),
    (CLOUD + "platform/bundledpythonunix/bin/python3", not_hooked("openssl-stripped")),
    ("/usr/lib/chromium/chromium", not_hooked("boringssl-stripped")),
    ("/bin/busybox", not_hooked("custom")),
    ("/usr/bin/ssh", not_hooked("crypto-only")),
    ("/usr/libexec/valgrind/memcheck-x86-linux", not_hooked("32-bit")),
    (LIB + "crt1.o", not_hooked("not-a-program")),
    ("/bin/sh", NO_TLS),
    ("/bin/ls", NO_TLS),
    ("/usr/bin/git", NO_TLS),
    ("/usr/bin/gcc", NO_TLS),
    ("/usr/bin/dpkg", NO_TLS),
    (LIB + "libc.so.6", NO_TLS),
    ("/lib64/ld-linux-x86-64.so.2", NO_TLS),
    (kloak.KLOAK, NO_TLS),
)


@tap.test("programs and libraries of this machine")
def machine():
    wrong, seen, absent = [], 0, []
    for pattern, expected in EXPECTED:
        paths = sorted(glob.glob(pattern))
        if not paths:
            absent.append(pattern)
            continue
        seen += 1
        try:
            expected.check(paths[0])
        except tap.Failure as failure:
            wrong.append(str(failure))
    print("# %d files explained; not installed: %s" % (seen, ", ".join(absent) or "none"))
    tap.check(not wrong, "%d of %d wrong:\n%s" % (len(wrong), seen, "\n".join(wrong)))
    tap.check(seen >= 30, "only %d of the list are here" % seen)


SUITES = "/var/cache/kloak-suites"
IN_ROOT = """
import os, sys
kloak = os.open(sys.argv[1], os.O_RDONLY)
os.set_inheritable(kloak, True)
os.chroot(sys.argv[2])
os.chdir("/")
os.execve(kloak, ["kloak", "explain", "--json", sys.argv[3]], {"PATH": "/usr/bin:/bin"})
"""
OF_SUITES = {"bullseye": ("openssl11", "1.1.1"), "bookworm": ("openssl", "3.0."),
             "trixie": ("openssl", "3.5."), "sid": ("openssl", "3.")}


def explain_in(root, path):
    """Kloak is not in that root: it is opened beforehand."""
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", 'mount --rbind /proc "$2/proc"; exec python3 -c "$0" "$@"',
         IN_ROOT, kloak.KLOAK, root, path], capture_output=True, timeout=tap.HANGS)
    tap.check(done.returncode in (0, NOT_HOOKABLE), str(done))
    return json.loads(done.stdout)


def suite_test(name, hook, version):
    @tap.test("libraries of %s, in its root" % name)
    def in_suite():
        root = os.path.join(SUITES, name)
        if not os.path.exists(os.path.join(root, "usr/bin/curl")):
            tap.skip("%s is not there; make check-runtimes makes it" % root)
        answer = explain_in(root, "/usr/bin/curl")
        tap.check_equal(answer["runtime"], TITLES[hook], describe(answer))
        tap.check(answer["version"].startswith(version), answer["version"])
        tap.check_equal(explain_in(root, "/usr/bin/python3")["state"], "would-later", "python3")
        answer = explain_in(root, LIB + "android/libssl.so.0")
        tap.check_equal(answer["runtime"], TITLES["boringssl"], describe(answer))


for the_suite, the_expected in OF_SUITES.items():
    suite_test(the_suite, *the_expected)


@tap.test("versions and build-ids are those of the package and of file(1)'s source")
def versions():
    want = subprocess.run(["openssl", "version"], capture_output=True, check=True)
    _, answer, _ = explain("/usr/bin/curl")
    tap.check_equal(answer["version"], want.stdout.split()[1].decode(), "version of OpenSSL")
    want = subprocess.run(["go", "version"], capture_output=True, check=True).stdout.split()[2]
    tap.check_equal("go" + explain("go")[1]["version"], want.decode(), "version of Go")
    for file in answer["files"]:
        notes = subprocess.run(["readelf", "-n", file["path"]], capture_output=True, check=True)
        found = re.search(rb"Build ID: ([0-9a-f]+)", notes.stdout)
        tap.check_equal(file["build_id"], found.group(1).decode() if found else "", file["path"])


@tap.test("addresses and offsets are those of nm and of the segments")
def addresses():
    _, answer, _ = explain("/usr/bin/curl")
    found = functions(answer)
    for symbol in ("SSL_write", "EVP_KDF_derive"):
        path, function = found[symbol]
        listing = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True,
                                 check=True).stdout.decode()
        want = int(re.search(r"^([0-9a-f]+) T %s(@|$)" % symbol, listing, re.MULTILINE).group(1),
                   16)
        tap.check_equal(int(function["address"], 16), want, symbol)
        with open(path, "rb") as file:
            file.seek(int(function["offset"], 16))
            code = file.read(16)
        listing = subprocess.run(["objdump", "-s", "--start-address=%d" % want,
                                  "--stop-address=%d" % (want + 16), path], capture_output=True,
                                 check=True).stdout.decode()
        words = "".join(listing.splitlines()[-1].split()[1:5])
        tap.check_equal(code.hex(), words[:32], "bytes at the offset of " + symbol)
        tap.check(function["cost"] in ("emulated", "long nop", "single-stepped"), str(function))


@tap.test("nothing is needed: an ordinary user gets the same answer for a file")
def unprivileged_file():
    copy = copy_for_everyone()
    for path in ("/usr/bin/curl", "/usr/bin/python3", "/bin/ls"):
        done = start(path, "--json", prefix=NOBODY, kloak=copy)
        tap.check_equal(json.loads(done.stdout), explain(path)[1], path)


@tap.test("a second library in a program that is hooked for its first is noted")
def second_library():
    path = "/root/.cargo/bin/cargo"
    with open(path if os.path.exists(path) else os.devnull, "rb") as file:
        if b"AWS-LC 1." not in file.read():
            tap.skip("no rustup with AWS-LC besides OpenSSL here")
    answer = explain(path)[1]
    tap.check_equal(answer["runtime"], TITLES["openssl"], describe(answer))
    tap.check("aws-lc" in [note["name"] for note in answer["notes"]], str(answer["notes"]))


# --- scripts and names -----------------------------------------------------------

def write(name, data, mode=0o755):
    path = tap.scratch(name)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
    return path


def copy_for_everyone():
    """The build directory may be below one that only root may enter."""
    path = tap.scratch("kloak")
    if not os.path.exists(path):
        shutil.copy(kloak.KLOAK, path)
        os.chmod(path, 0o755)
    return path


def programs(answer):
    return [file["path"] for file in answer["files"] if file["role"] == "program"]


@tap.test("a script is explained by its interpreter")
def scripts():
    for text, want in ((b"#!/usr/bin/python3\n", ["python3"]),
                       (b"#!/usr/bin/env python3\n", ["env", "python3"]),
                       (b"#! /bin/sh -e\n", ["sh"]), (b"echo without a first line\n", ["sh"])):
        answer = explain(write("script", text))[1]
        got = [os.path.basename(path) for path in programs(answer)]
        want = [os.path.basename(os.path.realpath(shutil.which(
            name, path=kloak.environment({})["PATH"]))) for name in want]
        tap.check_equal(got, want, "programs of %r" % text)
    tap.check_equal(explain(tap.scratch("script"))[1]["state"], "not-hooked", "sh")
    tap.check_equal(explain(write("script", b"#!/usr/bin/python3\n"))[1]["state"], "would-later",
                    "python3")


@tap.test("a script without its interpreter")
def no_interpreter():
    answer = explain(write("script", b"#!/nonexistent/interpreter\n"))[1]
    tap.check_equal(answer["reason"], "no-interpreter", describe(answer))


@tap.test("a name without a slash is looked for in PATH")
def by_name():
    tap.check_equal(explain("curl")[1]["path"], shutil.which(
        "curl", path=kloak.environment({})["PATH"]), "path")
    write("curl-here", b"#!/bin/sh\n")
    tap.check_equal(explain("curl-here", cwd=tap.scratch())[1]["path"], "curl-here", "path")


@tap.test("a file whose name is a number")
def number_name():
    write("1", b"#!/bin/sh\n")
    answer = explain("./1", cwd=tap.scratch())[1]
    tap.check("pid" not in answer and answer["path"] == "./1", describe(answer))


# --- what is no program ------------------------------------------------------------

def check_message(done, status, *words):
    text = done.stderr.decode(errors="replace")
    tap.check_equal(done.returncode, status, text)
    tap.check(not done.stdout, "output: %r" % done.stdout)
    for word in words:
        tap.check(word in text, "%r is not in the message: %s" % (word, text))


def bad(name, status, words, *arguments):
    tap.test(name)(lambda: check_message(start(*arguments), status, *words))


bad("no argument", CONFIGURATION, ["usage", "PID"])
bad("two files", CONFIGURATION, ["usage", "/bin/ls"], "/bin/sh", "/bin/ls")
bad("an unknown option", CONFIGURATION, ["usage", "--what"], "--what")
bad("a file that does not exist", CONFIGURATION, ["/nonexistent/file"], "/nonexistent/file")
bad("an empty name", CONFIGURATION, ["No such file"], "")
bad("a name that is too long", CONFIGURATION, ["too long"], "x" * 5000)
bad("a directory", CONFIGURATION, ["/etc", "regular"], "/etc")
bad("a device without end", CONFIGURATION, ["/dev/zero", "regular"], "/dev/zero")
bad("a terminal", CONFIGURATION, ["/dev/tty"], "/dev/tty")
bad("a number that is no process", CONFIGURATION, ["no process", "4194305"], "4194305")
bad("process 0", CONFIGURATION, ["no process"], "0")
bad("a number beyond all bounds", CONFIGURATION, ["no process"], "9" * 40)


@tap.test("a FIFO does not block")
def fifo():
    path = tap.scratch("fifo")
    os.mkfifo(path)
    check_message(start(path), CONFIGURATION, "fifo", "regular")


@tap.test("a file that may not be read")
def unreadable():
    path = write("unreadable", b"#!/bin/sh\n", 0o700)
    done = start(path, prefix=NOBODY, kloak=copy_for_everyone())
    check_message(done, FAILED, "unreadable", "sudo")


@tap.test("data, empty, truncated, sparse and damaged files are no programs")
def no_programs():
    with open("/usr/bin/curl", "rb") as file:
        program = file.read()
    samples = {"empty": b"", "text": b"words\n", "zeros": bytes(4096), "png": b"\x89PNG\r\n\x1a\n",
               "magic": b"\x7fELF", "header": program[:40], "half-header": program[:63]}
    for name, data in samples.items():
        answer = explain(write(name, data, 0o644))[1]
        tap.check_equal(answer["reason"], "not-a-program", name)
    sparse = write("sparse", program[:4096])
    os.truncate(sparse, 1 << 42)
    tap.check_equal(explain(sparse)[1]["reason"], "no-tls", "sparse file of 4 TB")
    zeros = write("sparse-zeros", b"")
    os.truncate(zeros, 1 << 42)
    tap.check_equal(explain(zeros)[1]["reason"], "not-a-program", "4 TB of zeros")
    for size in (64, 100, 1000, 5000, len(program) // 2, len(program) - 100):
        explain(write("truncated", program[:size]))


NO_LIBRARY = "#include <%s>\nint main(int n, char **v) { return n > 9 ? %s : 0; }\n"


def build(name, source, *more):
    path = tap.scratch(name)
    with open(path + ".c", "w") as file:
        file.write(source)
    subprocess.run(["gcc", "-o", path, path + ".c", *more], check=True)
    return path


@tap.test("what the program has, and what it may load, are two things")
def own_and_later():
    loading = build("loading", NO_LIBRARY % ("dlfcn.h", "!dlopen(v[1], 1)"))
    answer = explain(loading)[1]
    tap.check_equal((answer["state"], answer["runtime"]), ("would-later", ""), describe(answer))
    tap.check_equal({row["state"] for row in answer["later"]}, {"would"}, str(answer["later"]))
    tap.check(TITLES["openssl"] in [row["runtime"] for row in answer["later"]], str(answer))
    text = start(loading).stdout.decode()
    tap.check("no TLS library of its own\n  later " in text, text)
    plain = build("plain", NO_LIBRARY % ("unistd.h", "execv(v[1], v)"))
    answer = explain(plain)[1]
    tap.check_equal((answer["state"], answer["reason"], answer["later"]),
                    ("not-hooked", "no-tls", []), describe(answer))


# Labels of TLS and the name of BoringSSL, as a stripped program has them.
BORINGSSL = ('const char *const labels[] = {"c ap traffic", "client finished", "boringssl"};\n'
             "long gnutls_free_all(void);\n"
             "int main(int n, char **v) { return n > 9 ? gnutls_free_all() + labels[n][0] : 0; }\n")


@tap.test("TLS inside that is not hooked, and a library that only another one needs")
def own_before_indirect():
    # As chromium, libcups and GnuTLS.
    build("libother.so", "long gnutls_record_get_max_size(void *);\nlong gnutls_free_all(void) {"
          " return gnutls_record_get_max_size(0); }\n", "-shared", "-fPIC", "-l:libgnutls.so.30")
    program = build("inside", BORINGSSL, "-L" + tap.scratch(), "-l:libother.so",
                    "-Wl,-rpath," + tap.scratch(), "-Wl,--allow-shlib-undefined")
    answer = explain(program)[1]
    tap.check_equal((answer["state"], answer["reason"], answer["runtime"]),
                    ("not-hooked", "boringssl-stripped", ""), describe(answer))
    direct = build("direct", BORINGSSL.replace("gnutls_free_all(void)", "gnutls_record_send()")
                   .replace("gnutls_free_all()", "gnutls_record_send()"), "-l:libgnutls.so.30")
    answer = explain(direct)[1]
    tap.check_equal((answer["state"], answer["runtime"]), ("would", TITLES["gnutls"]),
                    describe(answer))
    tap.check("boringssl-stripped" in [note["name"] for note in answer["notes"]], str(answer))


@tap.test("a program that was packed with UPX")
def packed():
    with open("/bin/ls", "rb") as file:
        program = bytearray(file.read())
    program[40:48] = bytes(8)  # e_shoff, and the number of sections: it has none
    program[60:64] = bytes(4)
    after = 64 + 56 * int.from_bytes(program[56:58], "little")
    program[after:after + 12] = bytes(4) + b"UPX!" + bytes(4)  # struct l_info
    answer = explain(write("packed", program))[1]
    tap.check_equal(answer["reason"], "packed", describe(answer))
    tap.check("upx -d" in answer["remedy"], answer["remedy"])


@tap.test("a program for another processor")
def other_machine():
    with open("/bin/ls", "rb") as file:
        program = bytearray(file.read())
    program[18:20] = (183).to_bytes(2, "little")  # EM_AARCH64
    tap.check_equal(explain(write("arm", program))[1]["reason"], "machine", "aarch64")


# --- processes -------------------------------------------------------------------------

HOLD = "import sys; print('ready', flush=True); sys.stdin.readline()"


class Process:
    """A process that has reported that it is ready, and ends with the test file."""

    def __init__(self, *command, **options):
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      **options)
        tap.cleanup(self.stop)
        self.line = self.child.stdout.readline()
        self.pid = self.child.pid

    def stop(self):
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()


@tap.test("a process with OpenSSL that no run started")
def process():
    held = Process("/usr/bin/python3", "-c", "import ssl; " + HOLD)
    status, answer, people = explain(held.pid)
    tap.check_equal((status, answer["state"], answer["pid"]), (0, "would", held.pid),
                    describe(answer))
    tap.check_equal(answer["process"]["workload"], "", "workload")
    tap.check("SSL_write" in functions(answer), describe(answer))
    tap.check("would be hooked under kloak run" in people, people)
    held.stop()


@tap.test("a process that has loaded no TLS library yet")
def process_without():
    held = Process("/usr/bin/python3", "-c", HOLD)
    status, answer, _ = explain(held.pid)
    tap.check_equal((status, answer["reason"]), (NOT_HOOKABLE, "no-tls-yet"), describe(answer))
    held.stop()


@tap.test("a thread is explained as its process")
def thread():
    held = Process("/usr/bin/python3", "-c", "import threading, time; threading.Thread("
                   "target=time.sleep, args=(60,), daemon=True).start(); import ssl; " + HOLD)
    others = [int(tid) for tid in os.listdir("/proc/%d/task" % held.pid) if int(tid) != held.pid]
    answer = explain(others[0])[1]
    tap.check_equal((answer["pid"], answer["state"]), (held.pid, "would"), describe(answer))
    held.stop()


@tap.test("kernel threads, ended processes, itself")
def special():
    with open("/proc/2/comm") as file:
        if file.read() == "kthreadd\n":
            tap.check_equal(explain(2)[1]["reason"], "kernel-thread", "pid 2")
    held = Process("/bin/echo", "x")
    time.sleep(0.2)
    tap.check_equal(explain(held.pid)[1]["reason"], "ended", "a zombie")
    held.stop()
    script = 'exec "$0" explain $$ --json'
    done = subprocess.run(["sh", "-c", script, kloak.KLOAK], capture_output=True, timeout=tap.HANGS)
    answer = json.loads(done.stdout)
    tap.check_equal((done.returncode, answer["reason"]), (NOT_HOOKABLE, "no-tls"), str(done))


@tap.test("another user's process: a sentence that says sudo")
def foreign():
    held = Process("/usr/bin/python3", "-c", HOLD)
    done = start(str(held.pid), prefix=NOBODY, kloak=copy_for_everyone())
    check_message(done, FAILED, str(held.pid), "sudo")
    held.stop()


@tap.test("one's own process without rights: files are explained, the kernel's part is not known")
def unprivileged_process():
    held = Process(*NOBODY, "/usr/bin/python3", "-c", "import ssl; " + HOLD)
    done = start(str(held.pid), "--json", prefix=NOBODY, kloak=copy_for_everyone())
    answer = json.loads(done.stdout)
    tap.check_equal((done.returncode, answer["state"]), (0, "would"), describe(answer))
    tap.check("sudo" in answer["process"]["unknown"], str(answer["process"]))
    held.stop()


def copied_library(name):
    directory = tap.scratch(name)
    os.mkdir(directory)
    os.chmod(directory, 0o755)
    for library in ("libcrypto.so.3", "libssl.so.3"):
        shutil.copy(LIB + library, directory)
    return directory


@tap.test("a library that was replaced on disk while it is mapped")
def replaced():
    directory = copied_library("replaced")
    held = Process("/usr/bin/python3", "-c", "import ssl; " + HOLD,
                   env={**os.environ, "LD_LIBRARY_PATH": directory})
    for library in ("libcrypto.so.3", "libssl.so.3"):
        path = os.path.join(directory, library)
        os.unlink(path)
        write("replaced/" + library, b"something else")
    status, answer, people = explain(held.pid)
    tap.check_equal((status, answer["state"]), (0, "would"), describe(answer))
    path, _ = functions(answer)["SSL_write"]
    tap.check_equal(path, os.path.join(directory, "libssl.so.3"), "path")
    tap.check_equal([f["deleted"] for f in answer["files"] if f["path"] == path], [True], path)
    tap.check("replaced" in [note["name"] for note in answer["notes"]], str(answer["notes"]))
    tap.check("replaced or deleted" in people, people)
    held.stop()


@tap.test("the same without rights: what was mapped cannot be had, and nothing else is taken for it")
def replaced_unprivileged():
    directory = copied_library("replaced-too")
    held = Process(*NOBODY, "/usr/bin/python3", "-c", "import ssl; " + HOLD,
                   env={**os.environ, "LD_LIBRARY_PATH": directory})
    path = os.path.join(directory, "libssl.so.3")
    os.rename(path, path + ".old")
    shutil.copy(LIB + "libssl.so.3", path)
    os.unlink(path + ".old")
    done = start(str(held.pid), "--json", prefix=NOBODY, kloak=copy_for_everyone())
    answer = json.loads(done.stdout)
    tap.check_equal((done.returncode, answer["reason"]), (NOT_HOOKABLE, "unreadable"),
                    describe(answer))
    held.stop()


@tap.test("a process whose code is in memory only")
def memory_file():
    code = ("import ctypes, mmap, os, sys; fd = os.memfd_create('jit'); os.truncate(fd, 4096); "
            "m = mmap.mmap(fd, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC); " + HOLD)
    held = Process("/usr/bin/python3", "-c", code)
    answer = explain(held.pid)[1]
    tap.check_equal(answer["reason"], "no-tls-yet", describe(answer))
    tap.check("/memfd:jit" in [file["path"] for file in answer["files"]], str(answer["files"]))
    held.stop()


@tap.test("a process in another root and mount namespace")
def other_root():
    root = tap.scratch("root")
    os.makedirs(root)
    script = ("mount -t tmpfs none %(root)s && mkdir -p %(root)s/hidden && "
              "for d in usr lib lib64 proc; do mkdir -p %(root)s/$d; "
              "mount --rbind /$d %(root)s/$d; done; ln -s usr/bin %(root)s/bin; "
              "cp %(lib)slibssl.so.3 %(lib)slibcrypto.so.3 %(root)s/hidden/; "
              "exec chroot %(root)s env LD_LIBRARY_PATH=/hidden /usr/bin/python3 -c \"$1\""
              % {"root": root, "lib": LIB})
    held = Process("unshare", "-m", "sh", "-c", script, "sh", "import ssl; " + HOLD)
    tap.check_equal(held.line, b"ready\n", "the process in the other root")
    answer = explain(held.pid)[1]
    tap.check_equal(answer["state"], "would", describe(answer))
    path = functions(answer)["SSL_write"][0]
    tap.check(path.endswith("/hidden/libssl.so.3"), path)
    tap.check(not os.path.exists(path), path + " can be seen from here, too")
    held.stop()


IO_URING_SETUP = 425


@tap.test("an io_uring descriptor is noted")
def io_uring():
    code = ("import ctypes, ssl, sys; libc = ctypes.CDLL(None); "
            "print(libc.syscall(%d, 1, ctypes.create_string_buffer(120)), flush=True); "
            "sys.stdin.readline()" % IO_URING_SETUP)
    held = Process("/usr/bin/python3", "-c", code)
    if int(held.line) < 0:
        tap.skip("io_uring is not allowed here")
    answer = explain(held.pid)[1]
    tap.check("io-uring" in [note["name"] for note in answer["notes"]], str(answer["notes"]))
    held.stop()


# --- runs ----------------------------------------------------------------------------

REQUESTS = """
import http.client, ssl, sys
def hold():
    print('ready', flush=True)
    sys.stdin.readline()
hold()
context = ssl._create_unverified_context()
%s
connection = http.client.HTTPSConnection('127.0.0.1', %d, context=context)
connection.request('GET', '/')
connection.getresponse().read()
hold()
"""


def run_held(server, setting=""):
    run = kloak.Running(["/usr/bin/python3", "-c", REQUESTS % (setting, server.port)], SECRET,
                        ["API_KEY@127.0.0.1:%d" % server.port])
    tap.check_equal(run.read_line(), b"ready\n", "the held client")
    return run, run.descendants()[0]


def go_on(run):
    run.process.stdin.write(b"\n")
    run.process.stdin.flush()
    return run.read_line()


@tap.test("a process of a run: hooked, then keys seen")
def hooked():
    with servers.Nginx() as server:
        run, pid = run_held(server)
        status, answer, people = explain(pid)
        tap.check_equal((status, answer["state"]), (0, "waiting"), describe(answer))
        tap.check("no TLS handshake seen yet" in people, people)
        tap.check(answer["process"]["workload"].startswith("kloak-run-%d-" % run.pid),
                  str(answer["process"]))
        tap.check_equal(answer["process"]["keys"], 0, "keys before the handshake")
        if answer["process"]["probes_known"]:
            for symbol in ("SSL_write", "EVP_KDF_derive"):
                tap.check(functions(answer)[symbol][1]["attached"], symbol + " is not attached")
        go_on(run)
        status, answer, people = explain(pid)
        tap.check_equal((status, answer["state"]), (0, "hooked"), describe(answer))
        tap.check("hooked and keys seen" in people, people)
        tap.check(answer["process"]["keys"] >= 2, str(answer["process"]))
        tap.check(SECRET["API_KEY"] not in people, "the report has the secret")
        outside = Process("/usr/bin/python3", "-c", "import ssl; " + HOLD)
        answer = explain(outside.pid)[1]
        tap.check_equal((answer["state"], answer["process"]["keys"]), ("would", 0),
                        "a process outside of the run: " + describe(answer))
        outside.stop()
        run.finish(b"\n")


@tap.test("a process of a run, asked by somebody without rights")
def hooked_unprivileged():
    with servers.Nginx() as server:
        run = kloak.Running(["/usr/bin/python3", "-c", REQUESTS % ("", server.port)], SECRET,
                            ["API_KEY@127.0.0.1:%d" % server.port], options=["--user", "65534"])
        tap.check_equal(run.read_line(), b"ready\n", "the held client")
        identity.check_process(run.descendants()[0], 65534, 65534)
        done = start(str(run.descendants()[0]), "--json", prefix=NOBODY,
                     kloak=copy_for_everyone())
        answer = json.loads(done.stdout)
        tap.check_equal(answer["state"], "unknown", describe(answer))
        tap.check("sudo" in answer["process"]["unknown"], str(answer["process"]))
        go_on(run)
        run.finish(b"\n")


@tap.test("a suite that is not served is noted")
def suite():
    with servers.OpensslServer((servers.TLS12, "ECDHE-RSA-AES256-SHA384")) as server:
        run, pid = run_held(server, "context.maximum_version = ssl.TLSVersion.TLSv1_2; "
                            "context.set_ciphers('ALL:@SECLEVEL=0')")
        go_on(run)
        answer = explain(pid)[1]
        tap.check_equal(answer["state"], "hooked", describe(answer))
        tap.check("cipher-suite" in [note["name"] for note in answer["notes"]], str(answer))
        run.finish(b"\n")


@tap.test("a process whose run has been killed")
def ended():
    with servers.Nginx() as server:
        run, pid = run_held(server)
        tap.cleanup(lambda: os.path.exists("/proc/%d" % pid) and os.kill(pid, signal.SIGKILL))
        os.kill(run.pid, signal.SIGKILL)
        run.process.wait()
        answer = explain(pid)[1]
        tap.check_equal(answer["reason"], "run-ended", describe(answer))
        os.kill(pid, signal.SIGKILL)


tap.main(__doc__)
