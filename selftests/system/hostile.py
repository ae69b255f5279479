#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Code inside the workload, of any user including root, cannot read or redirect the secret."""
import os
import shlex
import shutil
import subprocess

from lib import bpf, clients, identity, kloak, memory, namespace, servers, tap

HOSTILE = clients.script("hostile.py")


def dump_path():
    path = tap.scratch("dump")
    with open(path, "wb"):
        os.chmod(path, 0o666)
    return path


def pieces_in(path, secret):
    found = memory.Found()
    memory.search_file(path, memory.Needle(secret.encode()), found)
    return found


@tap.test("the attempts do find a secret where nothing protects it")
def control():
    secret = kloak.new_secret(32)
    path = dump_path()
    victim = subprocess.Popen(["sleep", "60"], env={"API_KEY": secret})
    try:
        subprocess.run([clients.PYTHON, HOSTILE, path, str(victim.pid)], check=True,
                       stdout=subprocess.DEVNULL, cwd=tap.scratch(), timeout=tap.HANGS)
    finally:
        victim.kill()
        victim.wait()
    tap.check(pieces_in(path, secret).hits, "nothing found: the test proves nothing")


def attack(secret, who, extra=None, **options):
    """who: as for identity.check(). The attempts count only if it was this user that made them."""
    path = dump_path()
    result = kloak.run(identity.said([clients.PYTHON, HOSTILE, path]),
                       {"API_KEY": secret, **(extra or {})}, ["API_KEY@api.test"], **options)
    tap.check(result.output.count(b"\n") > 20, "the attempts ended early: %s" % result)
    identity.check(result.output.decode(), *who)
    found = pieces_in(path, secret)
    tap.check(not found.hits, "%s\n%s" % (found, result.output.decode()))
    tap.check(not memory.Needle(secret.encode()).count(result.output + result.errors),
              "pieces of the secret in the output")
    return result.output.decode()


def check_denied(output, *attempts):
    for name in attempts:
        lines = [line for line in output.splitlines() if name in line]
        tap.check(lines and not any("read" in line.split(": ")[1] for line in lines),
                  "not denied: %s" % lines)


DENIED = ("/mem:", "process_vm_readv", "ptrace attach", "ptrace seize", "pidfd_getfd",
          "bpf map ids", "bpf program ids", "bpf link ids", "AF_PACKET", "raw TCP")


def user_test(name, who, options=(), **extra):
    @tap.test("a child " + name)
    def denied():
        check_denied(attack(kloak.new_secret(32), who, extra, options=options), *DENIED)


NOBODY = (65534, 65534)
user_test("running as root", (0, 0, os.getgroups()))
user_test("of another user (--user)", NOBODY, ("--user", "65534:65534"))
user_test("of the user who called sudo, by sudo's variables", NOBODY,
          SUDO_UID="65534", SUDO_GID="65534", SUDO_USER="nobody")
user_test("of a user and a group that no file knows, by sudo's variables", (54321, 54322),
          SUDO_UID="54321", SUDO_GID="54322", SUDO_USER="kloak-nosuchuser")
user_test("of another user than the one who called sudo (--user)", (2, 3), ("--user", "2:3"),
          SUDO_UID="65534", SUDO_GID="65534", SUDO_USER="nobody")


def write(name, text, mode):
    path = tap.scratch(name)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def sudo():
    """Words in front of kloak: nobody, who is in a group more, calls sudo and may do so."""
    if not shutil.which("sudo"):
        tap.skip("no sudo")
    with open("/etc/group") as file:
        groups = file.read() + "kloak-test:x:54321:nobody\n"
    files = (write("sudoers", "nobody ALL=(root) NOPASSWD:SETENV: ALL\n", 0o440), "/etc/sudoers"), \
        (write("group", groups, 0o644), "/etc/group")
    return [*namespace.mounted(*files), "setpriv", "--reuid=65534", "--regid=65534",
            "--clear-groups", "sudo", "-n", "--preserve-env=API_KEY"]


@tap.test("a child of the user who called sudo")
def real_sudo():
    check_denied(attack(kloak.new_secret(32), (*NOBODY, [65534, 54321]), prefix=sudo()), *DENIED)


@tap.test("a child that makes kloak crash gets no core file")
def core():
    secret = kloak.new_secret(32)
    attack(secret, (0, 0, os.getgroups()), {"CORE": "1"})
    found = memory.Found()
    memory.search_tree(tap.scratch(), memory.Needle(secret.encode()), found)
    tap.check(not found.hits, "files: %s" % found)


@tap.test("the child has none of the capabilities that would undo the promises")
def capabilities():
    result = kloak.run(["cat", "/proc/self/status"], {"API_KEY": kloak.new_secret()},
                       ["API_KEY@api.test"])
    status = dict(line.split(":\t", 1) for line in result.output.decode().splitlines()
                  if ":\t" in line)
    taken = {"SYS_ADMIN": 21, "BPF": 39, "PERFMON": 38, "SYS_PTRACE": 19, "NET_RAW": 13,
             "NET_ADMIN": 12, "SYS_MODULE": 16, "SYS_RAWIO": 17, "MKNOD": 27}
    for name, bit in taken.items():
        for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            tap.check(not int(status[field], 16) >> bit & 1, "CAP_%s in %s" % (name, field))
    tap.check_equal(status["NoNewPrivs"].strip(), "1", "NoNewPrivs")


@tap.test("kloak's own memory holds no secret once the child runs")
def own_memory():
    secret = kloak.new_secret(48)
    run = kloak.Running(["sh", "-c", "echo; read line"], {"API_KEY": secret},
                        ["API_KEY@api.test"])
    run.read_line()
    found = memory.search_process(run.pid, memory.Needle(secret.encode()))
    run.finish(b"\n")
    tap.check(found.searched > 100000, "kloak's memory could not be read")
    tap.check(not found.hits, str(found))


def check_request_holds_placeholder(request, secret, result):
    tap.check(kloak.PREFIX in request, "no placeholder arrived: %r; %s" % (request, result))
    tap.check(not memory.Needle(secret.encode()).count(request), "the secret left")
    tap.check_equal(result.verdicts("swapped"), [], "swapped events")


@tap.test("the secret does not follow a process that leaves the cgroup")
def leave_cgroup():
    secret = kloak.new_secret()
    procs = bpf.cgroup_mount() + "/cgroup.procs"
    with servers.Nginx() as server:
        command = clients.http_client(server, [clients.HEADER_REQUEST])
        result = kloak.run(["sh", "-c", 'echo 0 >"$0" && exec "$@"', procs] + command,
                           {"API_KEY": secret}, [kloak.grant(server)])
        requests = kloak.requests_seen(server, 1)
    if b"cannot create" in result.errors or b"write error" in result.errors:
        return  # it could not even leave
    check_request_holds_placeholder(requests[0], secret, result)


@tap.test("a server of the child's own in a new network namespace gets the placeholder")
def own_namespace():
    if subprocess.run(["unshare", "-Urn", "true"], stderr=subprocess.DEVNULL).returncode:
        tap.skip("this kernel gives no user namespace")
    secret = kloak.new_secret()
    authority = servers.Authority.get()
    received = tap.scratch("received")

    class Own:  # as much of a server as a client needs to know
        port = servers.free_port()
    Own.authority = authority
    server = "sleep 9 | openssl s_server -quiet -accept 127.0.0.1:%d -cert %s -key %s >%s & sleep 0.5" % (
        Own.port, authority.certificate("rsa"), authority.key("rsa"), received)
    client = clients.s_client(Own, [clients.HEADER_REQUEST])
    script = "ip link set lo up && { %s; %s; kill $!; }" % (server, shlex.join(client))
    result = kloak.run(["unshare", "-Urn", "sh", "-c", script], {"API_KEY": secret},
                       [kloak.grant(Own)])
    with open(received, "rb") as file:
        check_request_holds_placeholder(file.read(), secret, result)
    kloak.check_reason(result, "netns", 1)


@tap.test("a fake resolver answer in the child's own files changes nothing")
def own_hosts():
    """HOSTALIASES and RES_OPTIONS speak to the child's resolver, not to kloak."""
    secret = kloak.new_secret()
    aliases, hosts = tap.scratch("aliases"), tap.scratch("hosts")
    with open(aliases, "w") as file:
        file.write("api.test localhost\n")
    with open(hosts, "w") as file:
        file.write("127.0.0.1 localhost\n")
    # kloak believes the hosts file, and the machine's own may have api.test.
    prefix = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts]
    with servers.Nginx() as server:
        command = clients.http_client(server, [clients.HEADER_REQUEST])
        result = kloak.run(["env", "HOSTALIASES=" + aliases] + command, {"API_KEY": secret},
                           [kloak.grant(server)], pins=(), prefix=prefix)
        requests = kloak.requests_seen(server, 1)
    check_request_holds_placeholder(requests[0], secret, result)


tap.main(__doc__)
