#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""What `kloak doctor` says of this kernel is so: where it says that kloak works the secret
arrives, where it says not, not."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../system"))
from lib import clients, kloak, servers, tap

SECRET = {"API_KEY": kloak.new_secret(40)}
JIT = "/proc/sys/net/core/bpf_jit_enable"


def doctor(prefix):
    done = subprocess.run([*prefix, kloak.KLOAK, "doctor", "--json"], env=kloak.environment({}),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    said = json.loads(done.stdout)
    tap.check_equal(done.returncode == 0, said["ok"], "doctor's exit status and its verdict")
    return said


def arrives(prefix):
    """Whether, and what kloak says."""
    with servers.Nginx() as server:
        result = kloak.run(clients.curl(server, [clients.HEADER_REQUEST]), SECRET,
                           [kloak.grant(server)], prefix=prefix)
        seen = b"".join(server.recorder.forget())
    return result.status == 0 and SECRET["API_KEY"].encode() in seen, result


def check_agrees(prefix=()):
    said = doctor(prefix)
    works, result = arrives(prefix)
    faults = ["%(name)s: %(found)s; %(remedy)s" % check for check in said["checks"]
              if check["verdict"] != "ok"]
    tap.check_equal(said["ok"], works, "doctor's verdict, and whether a secret arrives; %s; %s"
                    % (faults, result))


@tap.test("doctor is right of this machine as it is")
def as_it_is():
    check_agrees()


@tap.test("doctor is right without CAP_NET_ADMIN")
def without_net_admin():
    check_agrees(["setpriv", "--bounding-set=-net_admin", "--"])


@tap.test("doctor is right without the JIT compiler")
def without_jit():
    with open(JIT) as file:
        old = file.read()
    try:
        with open(JIT, "w") as file:
            file.write("0")
    except OSError as error:
        tap.skip("net.core.bpf_jit_enable cannot be 0 here: %s" % error.strerror)
    try:
        check_agrees()
    finally:
        with open(JIT, "w") as file:
            file.write(old)


tap.main(__doc__)
