#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The command does not have the keys of its caller's session: no way of keyctl(2) reads them."""
import os
import subprocess

from lib import clients, identity, kloak, memory, tap

KEYS = clients.script("keys.py")
NAME = "kloak-test-key"
SETPRIV = ["setpriv", "--reuid=65534", "--regid=65534", "--groups=65534"]


def attempts(prefix, keyring, who):
    """The lines of keys.py, run through prefix by a caller in a session keyring of this name."""
    payload = kloak.new_secret()
    values = {"API_KEY": kloak.new_secret(), "PAYLOAD": payload, "KEYRING": keyring}
    command = identity.said([clients.PYTHON, KEYS, NAME, "{ID}"])
    done = subprocess.run([clients.PYTHON, KEYS, NAME, "make", *prefix, *command],
                          env=kloak.environment(values), cwd=tap.scratch(), capture_output=True,
                          timeout=tap.HANGS, text=True)
    if "errno" not in done.stdout and "Error" in done.stderr:
        tap.skip("this kernel or container has no keys: " + done.stderr.splitlines()[-1])
    identity.check(done.stdout, *who)
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    tap.check_equal(lines.pop("a key of its own", None), "read own",
                    "a key of its own; " + done.stderr)
    tap.check_equal(len(lines), 9, "attempts: %s" % sorted(lines))
    return lines, memory.Needle(payload.encode()).count(done.stdout.encode())


def kloak_run(*options):
    return [kloak.KLOAK, "run", "-s", "API_KEY@api.test", *options, "--"]


ROOT = (0, 0, sorted(os.getgroups()))
for the_title, the_options, the_without, the_user, the_keyring in (
        ("another user", ("--user", "65534:65534"), SETPRIV, (65534, 65534), "kloak-test"),
        ("another user, keyring without a name", ("--user", "65534:65534"), SETPRIV,
         (65534, 65534), ""),
        ("root, keyring without a name", (), [], ROOT, "")):
    @tap.test("keys of the session, command of " + the_title)
    def keys(options=the_options, without=the_without, user=the_user, keyring=the_keyring):
        lines, found = attempts(without, keyring, user)
        tap.check(found, "nothing read without Kloak: the test proves nothing")
        lines, found = attempts(kloak_run(*options), keyring, user)
        ways = [way for way, result in lines.items() if "read" in result]
        tap.check(not found and not ways, "read: %s" % ways)


tap.main(__doc__)
