#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""`kloak doctor` is right: it says that kloak works exactly where a secret then arrives, and what
a run that cannot work says is what doctor said before.

Each case starts both in the same conditions: fewer capabilities, other users, limits, missing
file systems, settings of the kernel. Where a remedy is something to be typed, it is typed.
"""
import contextlib
import json
import os
import re
import subprocess

from lib import bpf, clients, kloak, servers, tap

SECRET = {"API_KEY": kloak.new_secret(40)}
JIT = "/proc/sys/net/core/bpf_jit_enable"
PARANOID = "/proc/sys/kernel/perf_event_paranoid"
CGROUP = bpf.cgroup_mount() + "/kloak-test-doctor"
USER = 54321

MINIMUM = ("bpf", "perfmon", "net_admin", "setpcap")
ONLY_SOME = ("setuid", "setgid", "kill", "sys_ptrace")


def shell(script):
    """Words that run the script, which goes on with "$@"."""
    return ["sh", "-ec", script, "sh"]


def hidden(script):
    """The same in a mount namespace of its own."""
    return ["unshare", "--mount", "--propagation", "private", *shell(script)]


def root_without(*names):
    return ["setpriv", "--bounding-set=" + ",".join("-" + name for name in names), "--"]


def in_cgroup(path, user=0):
    """In a cgroup that the user owns."""
    if not os.path.isdir(path):
        os.mkdir(path)
        tap.cleanup(os.rmdir, path)
        for name in ("", "/cgroup.procs"):
            os.chown(path + name, user, user)
    return shell('echo $$ >"%s/cgroup.procs"; exec "$@"' % path)


def user_with(*names):
    """A user who has but these capabilities, in a cgroup of the user's own."""
    granted = "".join(",+" + name for name in names)
    return [*in_cgroup(CGROUP, USER), "setpriv", "--reuid=%d" % USER, "--regid=%d" % USER,
            "--clear-groups", "--inh-caps=-all" + granted, "--ambient-caps=-all" + granted, "--"]


@contextlib.contextmanager
def setting(path, value):
    """Of the kernel, put back afterwards."""
    with open(path) as file:
        old = file.read().strip()
    try:
        with open(path, "w") as file:
            file.write(value)
    except OSError as error:
        tap.skip("%s cannot be %s here: %s" % (path, value, error.strerror))
    try:
        yield
    finally:
        with open(path, "w") as file:
            file.write(old)


class Said:
    """What doctor says: ok, and the findings by their names."""

    def __init__(self, prefix):
        done = subprocess.run([*prefix, kloak.KLOAK, "doctor", "--json"], timeout=tap.HANGS,
                              env=kloak.environment({}), stdin=subprocess.DEVNULL,
                              capture_output=True, check=False)
        try:
            said = json.loads(done.stdout)
        except ValueError:
            raise tap.Failure("doctor: status %d, %r" % (done.returncode, done.stderr)) from None
        self.ok = said["ok"]
        self.findings = {check["name"]: check for check in said["checks"]}
        tap.check_equal(done.returncode, 0 if self.ok else 125, "doctor's status")

    def __str__(self):
        return "\n".join("%(verdict)s %(name)s: %(found)s; %(remedy)s" % check
                         for check in self.findings.values() if check["verdict"] != "ok")


def run(prefix):
    """Whether the secret arrives, and what kloak says."""
    with servers.Nginx() as server:
        result = kloak.run(clients.curl(server, [clients.HEADER_REQUEST]), SECRET,
                           [kloak.grant(server)], prefix=prefix, events=False)
        seen = b"".join(server.recorder.forget())
    return result.status == 0 and SECRET["API_KEY"].encode() in seen, result


def sentences(result, kind=""):
    """What kloak gave as its reasons, without its name."""
    return re.findall("^kloak: %s(.*)$" % kind, result.errors.decode(errors="replace"), re.MULTILINE)


def check_agrees(prefix=(), works=None):
    """works: what must come of it, where that is known."""
    said = Said(prefix)
    arrived, result = run(prefix)
    tap.check_equal((said.ok, works if works is not None else arrived), (arrived, arrived),
                    "doctor's verdict, and whether a secret arrives\n%s\n%s" % (said, result))
    if not arrived:
        last = sentences(result)[-1]
        remedies = [finding["remedy"] for finding in said.findings.values()
                    if finding["verdict"] == "fail"]
        tap.check(any(remedy and last.endswith(remedy) for remedy in remedies),
                  "doctor does not say %r, but\n%s" % (last, said))
    return said


def agrees(name, make_prefix, works=None, context=contextlib.nullcontext):
    @tap.test(name)
    def test():
        with context():
            check_agrees(make_prefix(), works)


def remedied(name, make_prefix, fault, typed, context=contextlib.nullcontext):
    """fault: shell text that makes it; typed: what the remedy has to be, as a regular expression."""
    @tap.test("the remedy of " + name)
    def test():
        with context():
            said = Said(make_prefix(fault + '; exec "$@"'))
            remedies = {match.group() for finding in said.findings.values()
                        if finding["verdict"] == "fail"
                        for match in re.finditer(typed, finding["remedy"])}
            tap.check_equal((said.ok, len(remedies)), (False, 1),
                            "doctor's verdict and remedies; %s\n%s" % (remedies, said))
            check_agrees(make_prefix('%s; { %s; } >/dev/null; exec "$@"' % (fault, *remedies)),
                         works=True)


@tap.test("as this machine is, and doctor leaves nothing")
def as_it_is():
    before = bpf.Inventory()
    Said([])
    tap.check_equal(before.left_since(), [], "left by doctor")
    check_agrees()


for the_name in MINIMUM:
    agrees("root without CAP_%s" % the_name.upper(), lambda name=the_name: root_without(name))
    agrees("root without CAP_%s and CAP_SYS_ADMIN" % the_name.upper(),
           lambda name=the_name: root_without(name, "sys_admin"))
    agrees("a user with the least but CAP_%s" % the_name.upper(),
           lambda name=the_name: user_with(*(set(MINIMUM) - {name})))
agrees("root without CAP_SYS_ADMIN", lambda: root_without("sys_admin"))
agrees("root without what only some runs need",
       lambda: root_without(*ONLY_SOME, "ipc_lock", "sys_resource"), works=True)
agrees("root without CAP_DAC_OVERRIDE, which may not write to the cgroup",
       lambda: root_without("dac_override"), works=False)
agrees("root without CAP_DAC_OVERRIDE, in a cgroup that it may write to",
       lambda: [*in_cgroup(CGROUP + "-root"), *root_without("dac_override")], works=True)
agrees("root without capabilities", lambda: root_without("all"), works=False)
agrees("a user without capabilities", user_with, works=False)
agrees("a user with the least capabilities", lambda: user_with(*MINIMUM))
agrees("a user with the least capabilities and CAP_SYS_ADMIN",
       lambda: user_with(*MINIMUM, "sys_admin"), works=True)
agrees("a user with the least capabilities and what only some runs need",
       lambda: user_with(*MINIMUM, *ONLY_SOME))
agrees("a user with CAP_SYS_ADMIN and CAP_SETPCAP", lambda: user_with("sys_admin", "setpcap"))

for the_limit, the_works in ((8, False), (64, False), (255, False), (256, True)):
    agrees("%d descriptors" % the_limit,
           lambda limit=the_limit: shell('ulimit -n %d; exec "$@"' % limit), the_works)
agrees("64 descriptors, and the right to more", lambda: shell('ulimit -Sn 64; exec "$@"'), works=True)
agrees("no locked memory", lambda: shell('ulimit -l 0; exec "$@"'), works=True)
agrees("no locked memory, a user",
       lambda: [*shell('ulimit -l 0; exec "$@"'), *user_with(*MINIMUM, *ONLY_SOME)])

NO_CGROUP2 = "awk '$3 == \"cgroup2\" {print $2}' /proc/self/mounts | xargs umount -l"
MOUNT = "mount -t .*none /sys/fs/cgroup"
agrees("no /sys, but a cgroup2", lambda: hidden(
    "umount -l /sys; mount -t tmpfs none /sys; mkdir -p /sys/fs/cgroup; "
    'mount -t cgroup2 none /sys/fs/cgroup; exec "$@"'))
agrees("no tracefs", lambda: hidden('umount -l /sys/kernel/tracing || :; exec "$@"'), works=True)
remedied("no /sys", hidden, "umount -l /sys", MOUNT)
remedied("no /proc", hidden, "umount -l /proc", "mount -t proc proc /proc")
remedied("no cgroup2", hidden, NO_CGROUP2, MOUNT)

agrees("without the JIT compiler", list, works=False, context=lambda: setting(JIT, "0"))
remedied("no JIT compiler", shell, ":", "sysctl -w .*", context=lambda: setting(JIT, "0"))
for the_level in ("-1", "2", "4"):
    agrees("perf_event_paranoid %s, a user with the least capabilities" % the_level,
           lambda: user_with(*MINIMUM), context=lambda level=the_level: setting(PARANOID, level))
agrees("perf_event_paranoid 4, root", list, works=True, context=lambda: setting(PARANOID, "4"))


@tap.test("the remedy of few descriptors")
def more_descriptors():
    allowed = subprocess.run(shell("ulimit -n 64; ulimit -n 1024"), check=False,
                             stderr=subprocess.DEVNULL).returncode == 0
    if not allowed:
        tap.skip("the limit of open files cannot be raised here, even by root")
    check_agrees(shell('ulimit -n 64; ulimit -n 1024; exec "$@"'), works=True)


tap.main(__doc__)
