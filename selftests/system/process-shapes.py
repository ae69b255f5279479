#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""However a process of the run was started, and whatever user it runs as, it is served, or refused
with a reason: forks, exec chains, daemons, other users, namespaces, many processes of one image."""
import os
import pwd
import shlex
import shutil
import subprocess
import time

from lib import bpf, build, clients, identity, kloak, libraries, servers, tap

SECRET = {"API_KEY": kloak.new_secret()}
KEY = SECRET["API_KEY"].encode()
WORKERS = 8
PROCESSES = 200
NUMBERED = clients.request("/{WORKER}/{COUNT}", headers=[("X-Api-Key", "{API_KEY}")])
SPAWN = ("import os, sys, subprocess; "
         "pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ); "
         "os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) and sys.exit(1); "
         "sys.exit(subprocess.run(sys.argv[1:], close_fds=False).returncode)")
# The last process has nobody above it but init, and ends long after the command's first one has.
DAEMON = ("import os, sys\n"
          "reader, writer = os.pipe()\n"
          "if os.fork() == 0:\n"
          "    os.close(reader)\n"
          "    os.setsid()\n"
          "    if os.fork(): os._exit(0)\n"
          "    os.chdir('/')\n"
          "    status = os.spawnvp(os.P_WAIT, sys.argv[1], sys.argv[1:])\n"
          "    os.write(writer, bytes([status]))\n"
          "    os._exit(0)\n"
          "os.close(writer)\n"
          "os.wait()\n"
          "sys.exit(os.read(reader, 1)[0])\n")


def request(server):
    return clients.http_client(server, [clients.HEADER_REQUEST])


def words(command):
    return " ".join(map(shlex.quote, command))


def write_script(name, interpreter, text):
    path = tap.scratch(name)
    with open(path, "w") as file:
        file.write("#!%s\n%s\n" % (interpreter, text))
    os.chmod(path, 0o755)
    return path


def served_test(name, command_of, expected=1, **options):
    """As many requests as expected, and each the same as without Kloak."""
    @tap.test(name)
    def served():
        with servers.Nginx() as server:
            kloak.check_same_as_plain(server, command_of(server), SECRET, [kloak.grant(server)],
                                      expected, **options)


# --- forks -------------------------------------------------------------


def prefork(when):
    return lambda server: [clients.PYTHON, clients.script("prefork_client.py"),
                           clients.write_plan(server, [NUMBERED], workers=WORKERS, repeat=5), when]


served_test("8 workers forked before they connect", prefork("context"), WORKERS * 5)
served_test("8 workers go on with connections of their parent, after the handshake",
            prefork("handshake"), WORKERS * 5)
served_test("8 workers go on with connections of their parent, after a request",
            prefork("request"), WORKERS * 5)


# --- exec chains -------------------------------------------------------


served_test("sh, env, sh, timeout, python", lambda server: [
    "sh", "-c", "env A=b sh -c %s; exit $?" % shlex.quote("timeout 60 " + words(request(server)))])
served_test("a script of a script of python", lambda server: [write_script(
    "outer", write_script("inner", clients.PYTHON, "import os, sys\n"
                          "os.execv(%r, %r)" % (clients.PYTHON, request(server))), "")])
served_test("posix_spawn, vfork", lambda server: [clients.PYTHON, "-c", SPAWN] + request(server), 2)
served_test("a daemon", lambda server: [clients.PYTHON, "-c", DAEMON] + request(server))


# --- one file ----------------------------------------------------------


@tap.test("a program of musl, with OpenSSL in its executable")
def musl():
    program = build.Made(build.musl_openssl_client).get()
    with servers.Nginx() as server:
        kloak.check_same_as_plain(server, clients.contract([program], server, 2, 3, 2), SECRET,
                                  [kloak.grant(server)], 6)


# --- other users, namespaces -------------------------------------------


for title, prefix in (
        ("setpriv to nobody", "setpriv --reuid 65534 --regid 65534 --clear-groups"),
        ("no_new_privs", "setpriv --no-new-privs"),
        ("no capabilities", "setpriv --bounding-set=-all --inh-caps=-all"),
        ("a user namespace", "unshare --user --map-root-user"),
        ("user, mount, pid, uts and ipc namespaces",
         "unshare --user --map-root-user --mount --pid --fork --uts --ipc --mount-proc"),
        ("a cgroup namespace", "unshare --user --map-root-user --cgroup")):
    served_test(title, lambda server, prefix=prefix: prefix.split() + request(server))


@tap.test("nobody by gosu")
def gosu():
    if not shutil.which("gosu"):
        tap.skip("no gosu")
    with servers.Nginx() as server:
        kloak.check_same_as_plain(server, ["gosu", "nobody"] + request(server), SECRET,
                                  [kloak.grant(server)], 1)


@tap.test("kloak run --user nobody")
def other_user():
    with servers.Nginx() as server:
        result = kloak.check_same_as_plain(server, identity.said(request(server)), SECRET,
                                           [kloak.grant(server)], 1, options=["--user", "nobody"])
    nobody = pwd.getpwnam("nobody")
    identity.check(result.output.decode(), nobody.pw_uid, nobody.pw_gid,
                   os.getgrouplist("nobody", nobody.pw_gid))


@tap.test("a network namespace of its own: refused, with the reason")
def netns():
    """The server is in it as well: nothing else can be reached from there."""
    with servers.Nginx() as server:
        program = write_script("netns", "/bin/sh", "ip link set lo up && nginx -p %(dir)s -c "
                               "%(dir)s/nginx.conf -e stderr & sleep 1; %(client)s; "
                               "status=$?; kill $!; exit $status" % {
                                   "dir": tap.scratch("nginx-%d" % server.port),
                                   "client": words(request(server))})
        command = ["unshare", "--user", "--map-root-user", "--net", program]
        result = kloak.run(command, SECRET, [kloak.grant(server)])
        tap.check_equal(result.status, 0, "exit status; %s" % result)
        requests = kloak.requests_seen(server, 1)
    tap.check_equal(len(requests), 1, "requests")
    tap.check(KEY not in requests[0], "it was swapped in another network namespace")
    kloak.check_reason(result, "netns", 1)


# --- from elsewhere ----------------------------------------------------


@tap.test("a process that is moved into the run, with a library of its own mapped before")
def moved():
    directory = libraries.private_copy("moved")
    with servers.Nginx() as server:
        run = kloak.Running(["sh", "-c", 'echo "$API_KEY"; read line'], SECRET,
                            [kloak.grant(server)])
        placeholder = run.read_line().decode().strip()
        with open("/proc/%d/cgroup" % run.descendants()[0]) as lines:
            path = [line.strip().partition("::")[2] for line in lines if line.startswith("0::")][0]
        stranger = libraries.Process(subprocess.Popen(
            libraries.client(server, directory), env=kloak.environment({"API_KEY": placeholder}),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        stranger.do("load", "private")
        requests = kloak.requests_seen(server, 1)
        tap.check(KEY not in requests[0], "it was served outside of the run")
        with open(bpf.cgroup_mount() + path + "/cgroup.procs", "w") as file:
            file.write(str(stranger.pid))
        stranger.do("settle", "private", "system")
        requests = kloak.requests_seen(server, 2)
        tap.check_equal(stranger.finish(), 0, "the process's exit status")
        result = run.finish(b"\n")
    tap.check_equal(len(requests), 2, "requests")
    tap.check_equal(sum(KEY in r for r in requests), 2, "served; %s" % result)


# --- many of one image -------------------------------------------------


def settled_links(pid):
    """When kloak has finished with what was mapped: for two seconds no link was added."""
    last, links = None, bpf.links_of(pid)
    while links != last:
        time.sleep(2)
        last, links = links, bpf.links_of(pid)
    return links


@tap.test("200 processes of one image: probed once, all served")
def many():
    """Waits for the first of them: the first moments of a file are another test's subject."""
    directory = libraries.plain_copy("image")
    with servers.Nginx() as server:
        plan = [clients.PYTHON] + request(server)[1:]
        script = write_script("many", "/bin/bash", "export LD_LIBRARY_PATH=%s\n%s || exit 1\n"
                              "echo first; read\n"
                              "for i in $(seq %d); do %s & [ $((i %% 10)) = 0 ] && wait; done\n"
                              "wait; echo rest; read" % (
                                  directory, words(plan), PROCESSES, words(plan)))
        run = kloak.Running([script], SECRET, [kloak.grant(server)])
        tap.check_equal(run.read_line(), b"first\n", "the first word")
        kloak.requests_seen(server, 1)
        few = settled_links(run.pid)
        run.process.stdin.write(b"\n")
        run.process.stdin.flush()
        tap.check_equal(run.read_line(), b"rest\n", "the second word")
        more = settled_links(run.pid)
        result = run.finish(b"\n")
        requests = kloak.requests_seen(server, PROCESSES)
    tap.check_equal(result.status, 0, "exit status; %s" % result)
    tap.check_equal(len(requests), PROCESSES, "requests; %s" % result)
    tap.check_equal(sum(KEY in r for r in requests), PROCESSES, "served; %s" % result)
    tap.check(few, "kloak has no links: the test proves nothing")
    tap.check_equal(more - few, set(), "links that came with later processes")


tap.main(__doc__)
