#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Mistakes end with a sentence that names the thing and the remedy, and the documented status.

What could be a secret in the wrong place, such as an unknown word, is not repeated.
"""
import os
import subprocess

from lib import kloak, memory, tap

SECRET = kloak.new_secret()
CONFIGURATION, FAILED, NOT_EXECUTABLE, NOT_FOUND = 78, 125, 126, 127
GRANT = ("-s", "API_KEY@api.test")
END = ("--", "true")


def check_message(done, status, *words):
    text = (done.stderr + done.stdout).decode(errors="replace")
    tap.check_equal(done.returncode, status, "exit status; it said %r" % text)
    tap.check(text.startswith("kloak"), "the message does not say whose it is: %r" % text)
    tap.check(len(text) > 20 and text.endswith("\n") and text.count("\n") <= 6,
              "no sentence: %r" % text)
    for word in words:
        tap.check(word in text, "no %r in %r" % (word, text))
    tap.check(not memory.Needle(SECRET.encode()).count(done.stderr + done.stdout),
              "pieces of the secret in the message")


def start(arguments, values=None, prefix=()):
    values = {"API_KEY": SECRET} if values is None else values
    return subprocess.run(list(prefix) + [kloak.KLOAK] + list(arguments), timeout=tap.HANGS,
                          env=kloak.environment(values), stdin=subprocess.DEVNULL,
                          capture_output=True, cwd=tap.scratch())


def bad_test(name, status, words, arguments, **options):
    @tap.test(name)
    def said():
        check_message(start(arguments, **options), status, *words)


bad_test("an unknown subcommand", CONFIGURATION, ["unknown command", "run"], ["frobnicate"])
bad_test("an unknown option", CONFIGURATION, ["unknown option", "--help"],
         ["run", "--frobnicate", *GRANT, *END])
bad_test("an option without its value", CONFIGURATION, ["-s"], ["run", "-s"])
bad_test("no secret", CONFIGURATION, ["-s"], ["run", *END])
bad_test("no command", CONFIGURATION, ["COMMAND"], ["run", *GRANT])
bad_test("no host", CONFIGURATION, ["API_KEY"], ["run", "-s", "API_KEY", *END])
bad_test("an empty host", CONFIGURATION, ["API_KEY"], ["run", "-s", "API_KEY@", *END])
bad_test("a host that is no name", CONFIGURATION, ["a b"], ["run", "-s", "API_KEY@a b", *END])
bad_test("a port that is none", CONFIGURATION, ["99999"],
         ["run", "-s", "API_KEY@api.test:99999", *END])
bad_test("a name that is none", CONFIGURATION, ["variable", "NAME@HOST"], ["run", "-s", "9KEY@api.test", *END],
         values={"9KEY": SECRET})
bad_test("the same name twice", CONFIGURATION, ["API_KEY"], ["run", *GRANT, *GRANT, *END])
bad_test("a variable that is not set", CONFIGURATION, ["API_KEY"], ["run", *GRANT, *END], values={})
bad_test("an empty secret", CONFIGURATION, ["API_KEY"], ["run", *GRANT, *END],
         values={"API_KEY": ""})
bad_test("a secret of 7 bytes", CONFIGURATION, ["API_KEY", "8"], ["run", *GRANT, *END],
         values={"API_KEY": SECRET[:7]})
bad_test("a secret of 513 bytes", CONFIGURATION, ["API_KEY", "512"], ["run", *GRANT, *END],
         values={"API_KEY": "x" * 513})
bad_test("a missing file", CONFIGURATION, ["/nonexistent/secret"],
         ["run", "-s", "API_KEY=file:/nonexistent/secret@api.test", *END])
bad_test("a directory as file", CONFIGURATION, ["/etc"],
         ["run", "-s", "API_KEY=file:/etc@api.test", *END])
bad_test("a descriptor that is not open", CONFIGURATION, ["77"],
         ["run", "-s", "API_KEY=fd:77@api.test", *END])
bad_test("a credential without directory", CONFIGURATION, ["CREDENTIALS_DIRECTORY"],
         ["run", "-s", "API_KEY=cred:key@api.test", *END])
bad_test("a credential outside of the directory", CONFIGURATION, ["cred"],
         ["run", "-s", "API_KEY=cred:../secret@api.test", *END],
         values={"CREDENTIALS_DIRECTORY": "/tmp"})
bad_test("a pin without address", CONFIGURATION, ["api.test"],
         ["run", *GRANT, "--pin", "api.test", *END])
bad_test("a pin with a wrong address", CONFIGURATION, ["1.2.3"],
         ["run", *GRANT, "--pin", "api.test=1.2.3", *END])
bad_test("a resolver that is a name", CONFIGURATION, ["--resolver", "dns.test", "192.0.2.53"],
         ["run", *GRANT, "--resolver", "dns.test", *END])
bad_test("a resolver over HTTPS", CONFIGURATION, ["--resolver", "HTTPS", "UDP or TCP"],
         ["run", *GRANT, "--resolver", "https://dns.test/dns-query", *END])
bad_test("a resolver with a port that is none", CONFIGURATION, ["192.0.2.53:0", "65535"],
         ["run", *GRANT, "--resolver", "192.0.2.53:0", *END])
bad_test("a resolver with a zone", CONFIGURATION, ["fe80::1%lo", "zone", "global"],
         ["run", *GRANT, "--resolver", "fe80::1%lo", *END])
bad_test("a resolver that is nobody", CONFIGURATION, ["0.0.0.0", "own"],
         ["run", *GRANT, "--resolver", "0.0.0.0", *END])
bad_test("a resolver that is everybody", CONFIGURATION, ["224.0.0.251", "multicast"],
         ["run", *GRANT, "--resolver", "224.0.0.251", *END])
bad_test("a resolver's cgroup with ..", CONFIGURATION, ["/system.slice/../x", "without"],
         ["run", *GRANT, "--resolver", "cgroup:/system.slice/../x", *END])
bad_test("a resolver's cgroup that is not absolute", CONFIGURATION, ["system.slice", "'/'"],
         ["run", *GRANT, "--resolver", "cgroup:system.slice", *END])
bad_test("too many resolvers", CONFIGURATION, ["16"],
         ["run", *GRANT, *[word for number in range(1, 18)
                           for word in ("--resolver", "192.0.2.%d" % number)], *END])
bad_test("a resolver without value", CONFIGURATION, ["--resolver", "--help"],
         ["run", *GRANT, "--resolver"])
bad_test("a time that is none", CONFIGURATION, ["--min-ttl", "5m", "seconds"],
         ["run", *GRANT, "--min-ttl", "5m", *END])
bad_test("a negative time", CONFIGURATION, ["--min-ttl", "-1", "86400"],
         ["run", *GRANT, "--min-ttl", "-1", *END])
bad_test("a time of more than a day", CONFIGURATION, ["--min-ttl", "86401", "86400"],
         ["run", *GRANT, "--min-ttl", "86401", *END])
bad_test("a port without a host", CONFIGURATION, ["8443", "HOST:PORT"],
         ["run", "-s", "API_KEY@8443", *END])
bad_test("a port after a host without one", CONFIGURATION, ["8443", "HOST:443,8443"],
         ["run", "-s", "API_KEY@api.test,8443", *END])
bad_test("a second port that is none", CONFIGURATION, ["70000", "65535"],
         ["run", "-s", "API_KEY@api.test:443,70000", *END])
bad_test("a host with umlauts", CONFIGURATION, ["xn--"],
         ["run", "-s", "API_KEY@b\u00fccher.test", *END])
bad_test("an unknown user", CONFIGURATION, ["nosuchuser"],
         ["run", *GRANT, "--user", "nosuchuser", *END])
bad_test("an events file that cannot be made", CONFIGURATION, ["/nonexistent/events"],
         ["run", *GRANT, "--events", "/nonexistent/events", *END])
bad_test("a command that does not exist", NOT_FOUND, ["nosuchcommand"],
         ["run", *GRANT, "--", "nosuchcommand"])
bad_test("a file that is not executable", NOT_EXECUTABLE, ["/etc/passwd"],
         ["run", *GRANT, "--", "/etc/passwd"])
bad_test("a directory as command", NOT_EXECUTABLE, ["/etc"], ["run", *GRANT, "--", "/etc"])


NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def copy_for_everyone():
    """The build directory may be below one that only root may enter."""
    path = tap.scratch("kloak")
    if not os.path.exists(path):
        subprocess.run(["cp", kloak.KLOAK, path], check=True)
        os.chmod(path, 0o755)
    return path


@tap.test("not root")
def not_root():
    done = subprocess.run([*NOBODY, copy_for_everyone(), "run", *GRANT, *END], timeout=tap.HANGS,
                          env=kloak.environment({"API_KEY": SECRET}), capture_output=True)
    check_message(done, FAILED, "root")


@tap.test("no cgroup2 file system")
def no_cgroup2():
    script = ("awk '$3 == \"cgroup2\" {print $2}' /proc/self/mounts | xargs -r umount -l && "
              'exec "$@"')
    prefix = ("unshare", "-m", "sh", "-c", script, "sh")
    check_message(start(["run", *GRANT, *END], prefix=prefix), FAILED, "cgroup2", "mount")


@tap.test("doctor says the same without cgroup2")
def doctor_without():
    script = ("awk '$3 == \"cgroup2\" {print $2}' /proc/self/mounts | xargs -r umount -l && "
              'exec "$@"')
    done = start(["doctor"], prefix=("unshare", "-m", "sh", "-c", script, "sh"))
    tap.check(done.returncode != 0, "doctor exits 0")
    tap.check(b"cgroup2" in done.stdout + done.stderr, "doctor does not name it")


@tap.test("doctor finds this machine good")
def doctor():
    for arguments in (["doctor"], ["doctor", "--json"]):
        done = start(arguments)
        tap.check_equal(done.returncode, 0, "%s: %r" % (arguments, done.stdout[-1500:]))


@tap.test("doctor --json is JSON, also where something is missing")
def doctor_json():
    import json
    done = start(["doctor", "--json"])
    json.loads(done.stdout)
    done = subprocess.run([*NOBODY, copy_for_everyone(), "doctor", "--json"], timeout=tap.HANGS,
                          capture_output=True, env=kloak.environment({}))
    json.loads(done.stdout)
    tap.check(done.returncode != 0, "doctor finds a user without rights good")


@tap.test("help and version")
def usage():
    for arguments in (["--help"], ["run", "--help"], ["--version"]):
        done = start(arguments)
        tap.check_equal(done.returncode, 0, "%s: %r" % (arguments, done.stderr))
        tap.check(done.stdout and not done.stderr, "%s goes to stdout" % arguments)


@tap.test("a secret never appears among the arguments of a process")
def arguments_of_processes():
    run = kloak.Running(["sh", "-c", "echo; read line"], {"API_KEY": SECRET}, ["API_KEY@api.test"])
    run.read_line()
    found = memory.Found()
    for pid in [run.pid] + run.descendants():
        for name in ("cmdline", "environ"):
            memory.search_file("/proc/%d/%s" % (pid, name), memory.Needle(SECRET.encode()), found)
    run.finish(b"\n")
    tap.check(not found.hits, str(found))


tap.main(__doc__)
