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
ALL = MINIMUM + ("setuid", "setgid", "kill", "sys_ptrace", "checkpoint_restore")


def shell(script):
    """Words that run the script, which goes on with "$@"."""
    return ["sh", "-ec", script, "sh"]


def hidden(script):
    """The same in a mount namespace of its own."""
    return ["unshare", "--mount", "--propagation", "private", *shell(script)]


def root_without(*names):
    return ["setpriv", "--bounding-set=" + ",".join("-" + name for name in names), "--"]


def user_with(*names):
    """A user who has but these capabilities, in a cgroup of the user's own."""
    if not os.path.isdir(CGROUP):
        os.mkdir(CGROUP)
        tap.cleanup(os.rmdir, CGROUP)
        for name in ("", "/cgroup.procs", "/cgroup.subtree_control"):
            os.chown(CGROUP + name, USER, USER)
    granted = "".join(",+" + name for name in names)
    return [*shell('echo $$ >"%s/cgroup.procs"; exec "$@"' % CGROUP), "setpriv",
            "--reuid=%d" % USER, "--regid=%d" % USER, "--clear-groups",
            "--inh-caps=-all" + granted, "--ambient-caps=-all" + granted, "--"]


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
        done = subprocess.run([*prefix, kloak.KLOAK, "doctor", "--json"], timeout=60,
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


agrees("as this machine is", list)
for the_name in MINIMUM + ("setuid", "setgid", "kill", "sys_ptrace", "dac_override",
                           "dac_read_search", "sys_resource", "ipc_lock", "sys_chroot", "chown"):
    agrees("root without CAP_%s" % the_name.upper(), lambda name=the_name: root_without(name))
    if the_name in MINIMUM:
        agrees("root without CAP_%s and CAP_SYS_ADMIN" % the_name.upper(),
               lambda name=the_name: root_without(name, "sys_admin"))
agrees("root without capabilities", lambda: root_without("all"))
agrees("a user without capabilities", user_with)
agrees("a user with the least capabilities", lambda: user_with(*MINIMUM))
agrees("a user with all that doctor names", lambda: user_with(*ALL))
agrees("a user with CAP_SYS_ADMIN and CAP_SETPCAP", lambda: user_with("sys_admin", "setpcap"))
for the_name in MINIMUM:
    agrees("a user with the least but CAP_%s" % the_name.upper(),
           lambda name=the_name: user_with(*(set(MINIMUM) - {name})))
for the_limit in (8, 16, 24, 32, 40, 48, 64, 80, 96, 128, 256):
    agrees("%d descriptors" % the_limit,
           lambda limit=the_limit: shell('ulimit -n %d; exec "$@"' % limit))
agrees("no locked memory", lambda: shell('ulimit -l 0; exec "$@"'))
agrees("no locked memory, a user", lambda: [*shell('ulimit -l 0; exec "$@"'), *user_with(*ALL)])
agrees("no /sys", lambda: hidden('umount -l /sys; exec "$@"'), works=False)
agrees("no /sys, but a cgroup2", lambda: hidden(
    'umount -l /sys; mount -t tmpfs none /sys; mkdir -p /sys/fs/cgroup; '
    'mount -t cgroup2 none /sys/fs/cgroup; exec "$@"'))
agrees("no /proc", lambda: hidden('umount -l /proc; exec "$@"'), works=False)
agrees("no cgroup2", lambda: hidden(
    "awk '$3 == \"cgroup2\" {print $2}' /proc/self/mounts | xargs -r umount -l; exec \"$@\""),
       works=False)
agrees("no tracefs", lambda: hidden('umount -l /sys/kernel/tracing || :; exec "$@"'))
agrees("without the JIT compiler", list, context=lambda: setting(JIT, "0"))
for the_level in ("-1", "0", "1", "2", "3", "4"):
    for the_who, the_caps in (("the least capabilities", MINIMUM), ("all but CAP_SYS_ADMIN", ALL)):
        agrees("perf_event_paranoid %s, a user with %s" % (the_level, the_who),
               lambda caps=the_caps: user_with(*caps),
               context=lambda level=the_level: setting(PARANOID, level))
    agrees("perf_event_paranoid %s, root" % the_level, list,
           context=lambda level=the_level: setting(PARANOID, level))

tap.main(__doc__)
