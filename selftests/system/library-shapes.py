#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Wherever a library comes from, and whatever becomes of its file, a process that has it mapped is
served, and nothing in it breaks: several libraries in one process, private copies, copies in
memory, files that are replaced, deleted or overwritten, files of a container's root.

late-libraries.py and cold-starts.py measure the first moments after a mapping: here a process
gives Kloak a second."""
import ctypes
import glob
import json
import os
import shlex
import shutil
import signal
import subprocess
import time

from lib import bpf, clients, fuse, kloak, libraries, servers, tap

SECRET = {"API_KEY": kloak.new_secret()}
KEY = SECRET["API_KEY"].encode()


class Application(libraries.Process):
    """library_client.py in a run."""

    def __init__(self, server, directory, requests=1, options=()):
        self.server, self.requests = server, requests
        self.run = kloak.Running(libraries.client(server, directory, requests), SECRET,
                                 [kloak.grant(server)], options=options)
        super().__init__(self.run.process)

    def check_served(self, *lines):
        self.do(*lines)
        requests = kloak.requests_seen(self.server, self.requests)
        tap.check_equal(len(requests), self.requests, "requests after %s" % (lines,))
        if not all(KEY in request for request in requests):
            raise tap.Failure("the placeholder was left after %s; %s" % (lines, self.run.finish()))

    def maps(self):
        """Of the process itself, the only child of kloak."""
        with open("/proc/%d/maps" % self.run.descendants()[0]) as file:
            return file.read()

    def check_end(self, swapped):
        result = self.run.finish()
        tap.check_equal(result.status, 0, "exit status; %s" % result)
        tap.check_equal((len(result.verdicts("swapped")), len(result.verdicts("refused"))),
                        (swapped, 0), "swapped and refused events; %s" % result)


@tap.test("two OpenSSLs in one process, in turn")
def two():
    directory = libraries.private_copy("two")
    with servers.Nginx() as server:
        application = Application(server, directory, 3)
        application.do("load", "settle")
        for _ in range(3):
            application.check_served("private")
            application.check_served("system")
        tap.check(application.maps().count("libssl.so.") > 1, "only one libssl was mapped")
        application.check_end(18)


# Python's own OpenSSL, then libcurl with GnuTLS, which the program loads when it runs already.
OPENSSL_AND_GNUTLS = """
import ctypes, os, sys
sys.path.insert(0, sys.argv[1])
sys.argv = sys.argv[1:]
import plan as plans, socket
plan = plans.load()
url = "https://%s:%d/" % (plan.name, plan.port)
for turn in range(2):
    with plan.context().wrap_socket(socket.create_connection((plan.address, plan.port)),
                                    server_hostname=plan.name) as tls:
        for data in plan.wire():
            tls.sendall(data)
            tls.recv(4096)
    curl = ctypes.CDLL("libcurl-gnutls.so.4")
    curl.curl_easy_init.restype = curl.curl_slist_append.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(curl.curl_easy_init())
    def lines(*texts):
        made = ctypes.c_void_p()
        for text in texts:
            made = ctypes.c_void_p(curl.curl_slist_append(made, text.encode()))
        return made
    for option, value in (
            (10002, url.encode()), (10065, plan.ca.encode()), (84, 2), (64, 1), (47, 1),
            (10015, b""),
            (10203, lines("%s:%d:%s" % (plan.name, plan.port, plan.address))),
            (10023, lines("X-Api-Key: " + os.environ["API_KEY"]))):
        value = ctypes.c_long(value) if isinstance(value, int) else value
        assert curl.curl_easy_setopt(handle, option, value) == 0, option
    status = curl.curl_easy_perform(handle)
    assert status == 0, status
"""


@tap.test("OpenSSL and GnuTLS in one process, in turn")
def openssl_and_gnutls():
    try:
        ctypes.CDLL("libcurl-gnutls.so.4")
    except OSError:
        tap.skip("no libcurl-gnutls")
    with servers.Nginx() as server:
        plan = clients.write_plan(server, [clients.HEADER_REQUEST])
        kloak.check_same_as_plain(server, [
            clients.PYTHON, "-c", OPENSSL_AND_GNUTLS, os.path.dirname(clients.script("plan.py")),
            plan], SECRET, [kloak.grant(server)], 4)


@tap.test("GnuTLS, which nothing has needed so far, is probed before it is loaded")
def waiting():
    """The command loads nothing: whatever is probed beyond OpenSSL's two files has waited."""
    if not glob.glob("/usr/lib/*/libgnutls.so.30"):
        tap.skip("no GnuTLS")
    with servers.Nginx() as server:
        run = kloak.Running([clients.PYTHON, "-c", "import time; time.sleep(3)"], SECRET,
                            [kloak.grant(server)])
        end = time.monotonic() + 2.5
        while time.monotonic() < end and not any("gnutls" in path for path in files_of(run.pid)):
            time.sleep(0.05)
        files = files_of(run.pid)
        result = run.finish()
    tap.check(any("gnutls" in path for path in files), "probed files: %s; %s" % (files, result))


def files_of(pid):
    """Those that kloak keeps open because probes are in them."""
    paths = []
    for descriptor in os.listdir("/proc/%d/fd" % pid):
        try:
            paths.append(os.readlink("/proc/%d/fd/%s" % (pid, descriptor)))
        except FileNotFoundError:
            pass
    return sorted(path for path in paths if ".so" in path)


@tap.test("libraries of memory, without a file")
def memory():
    directory = libraries.private_copy("memory")
    with servers.Nginx() as server:
        application = Application(server, directory)
        application.do("memory", "settle")
        tap.check("memfd:libssl" in application.maps(), "it was not loaded from memory")
        application.check_served("private")
        application.check_end(1)


@tap.test("libraries replaced by an upgrade: old processes and new ones")
def replaced():
    directory = libraries.private_copy("replaced")
    with servers.Nginx() as server:
        application = Application(server, directory)
        application.do("load", "settle")
        application.check_served("private")
        private = os.stat(directory + "/libssl.so.9").st_ino
        for name in ("libssl.so.", "libcrypto.so."):
            libraries.write_copy(directory, name + "3", name + "9")
        tap.check(os.stat(directory + "/libssl.so.9").st_ino != private, "it is the same file")
        tap.check("libssl.so.9 (deleted)" in application.maps(), "the old one is not mapped")
        application.check_served("private")
        application.check_served("spawn")
        application.check_served("private")
        application.check_served("spawn")
        application.check_end(5)


@tap.test("libraries deleted before they were seen, and after")
def deleted():
    directory = libraries.private_copy("deleted")
    with servers.Nginx() as server:
        application = Application(server, directory)
        application.do("settle")
        # The kernel's report waits for kloak, which is made to come too late for the name.
        os.kill(application.pid, signal.SIGSTOP)
        try:
            application.do("load")
            shutil.rmtree(directory)
        finally:
            os.kill(application.pid, signal.SIGCONT)
        application.do("settle")
        application.check_served("private")
        application.check_served("private")
        application.check_end(2)



# --- overwritten in place ----------------------------------------------

# Two libraries of which one has instructions where the other has one function after another. The
# probes in the first one would be in the middle of the second one's instructions.
BEFORE = """
	.text
	.p2align 12
	nop; nop; nop; nop
	.globl SSL_write
	.type SSL_write, @function
SSL_write:
	push %rbx
	pop %rbx
	xor %eax, %eax
	ret
	.size SSL_write, .-SSL_write
"""
AFTER = """
	.text
	.p2align 12
	.globl compute
	.type compute, @function
compute:
	movabs $0x1111111111111111, %rax
	movabs $0x2222222222222222, %rcx
	add %rcx, %rax
	ret
	.size compute, .-compute
"""
COMPUTED = 0x3333333333333333

# Calls a function in a new process, for each line that names one.
CALLER = """
import subprocess, sys
code = ("import ctypes, sys; f = getattr(ctypes.CDLL(sys.argv[1]), sys.argv[2]); "
        "f.restype = ctypes.c_uint64; print(f())")
for line in sys.stdin:
    done = subprocess.run([sys.executable, "-c", code, sys.argv[1], line.strip()],
                          stdout=subprocess.PIPE)
    print(done.stdout.decode().strip() or "status %d" % done.returncode, flush=True)
"""


def assembled(name, text):
    path = tap.scratch(name)
    subprocess.run(["gcc", "-shared", "-nostdlib", "-x", "assembler", "-", "-o", path],
                   input=text.encode(), check=True)
    return path


def overwrite(path, content):
    """Not even shorter for a moment: processes that have it mapped would get SIGBUS."""
    with open(path, "r+b") as file:
        file.write(content)
        file.truncate()


@tap.test("a library overwritten in place with another one, while it is probed")
def overwritten():
    if os.uname().machine != "x86_64":
        tap.skip("the libraries of this test are of x86-64")
    before, after = assembled("before.so", BEFORE), assembled("after.so", AFTER)
    with open(after, "rb") as file:
        content = file.read()
    copy = tap.scratch("overwritten.so")
    shutil.copy(before, copy)
    with servers.Nginx() as server:
        run = kloak.Running([clients.PYTHON, "-c", CALLER, copy], SECRET, [kloak.grant(server)])
        def call(name):
            run.process.stdin.write(name + b"\n")
            run.process.stdin.flush()
            return run.read_line()

        tap.check_equal(call(b"SSL_write"), b"0\n", "what the first library returns")
        time.sleep(0.5)
        held = len(bpf.links_of(run.pid))
        overwrite(copy, content)
        time.sleep(0.5)
        left = len(bpf.links_of(run.pid))
        answer = call(b"compute")
        result = run.finish()
    tap.check_equal(answer, b"%d\n" % COMPUTED, "what the new library computes; %s" % result)
    tap.check(left < held, "the probes are still there")
    tap.check_equal(result.status, 0, "exit status; %s" % result)


@tap.test("libraries overwritten in place with the same bytes: served as before")
def rewritten():
    directory = libraries.private_copy("rewritten")
    with servers.Nginx() as server:
        application = Application(server, directory)
        application.do("load", "settle")
        application.check_served("private")
        for path in glob.glob(directory + "/*"):
            with open(path, "rb") as file:
                content = file.read()
            overwrite(path, content)
        application.do("settle")
        application.check_served("private")
        application.check_served("spawn")
        application.check_end(3)



# --- a root of its own -------------------------------------------------


def copy_into(root, path):
    os.makedirs(root + os.path.dirname(path), exist_ok=True)
    shutil.copy(path, root + path)


def needed(program):
    """What ldd says, and curl's own configuration of OpenSSL, which it can do without."""
    lines = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return [word for line in lines.splitlines() for word in line.split() if word.startswith("/")]


def make_root(server, name):
    """curl, what it loads, and a shell, as the image of a container would have them."""
    root, curl = tap.scratch(name), shutil.which("curl")
    for path in [curl, server.authority.ca] + needed(curl):
        copy_into(root, path)
    for directory in ("bin", "proc", "dev", "tmp", "old"):
        os.makedirs(os.path.join(root, directory), exist_ok=True)
    shutil.copy(shutil.which("busybox"), root + "/bin/busybox")
    for applet in ("sh", "sleep", "umount", "cat"):
        os.symlink("busybox", root + "/bin/" + applet)
    return root


def in_root(server):
    """The second of two curls makes the request: the first has the libraries for a second."""
    request = clients.curl(server, [clients.HEADER_REQUEST])[2]
    return ["/bin/sh", "-c", "sleep 1 | curl -sK - file:///bin/busybox >/dev/null; " + request]


def in_namespaces(script, *arguments):
    """script: a text of sh, which goes on as its arguments, in a root of its own."""
    return ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "sh", "-ec",
            script, "sh", *arguments]


def check_in_root(server, command, **options):
    result = kloak.run(command, SECRET, [kloak.grant(server)], **options)
    requests = kloak.requests_seen(server, 1)
    tap.check_equal(result.status, 0, "exit status; %s" % result)
    tap.check_equal(len(requests), 1, "requests; %s" % result)
    tap.check(KEY in requests[0], "the placeholder was left; %s" % result)
    tap.check_equal((len(result.verdicts("swapped")), len(result.verdicts("refused"))), (1, 0),
                    "swapped and refused events; %s" % result)


@tap.test("a root of its own, by chroot")
def chroot():
    with servers.Nginx() as server:
        root = make_root(server, "chroot")
        check_in_root(server, in_namespaces('exec chroot "$@"', root, *in_root(server)))


@tap.test("a root of its own, by pivot_root, and the old one is gone")
def pivot():
    with servers.Nginx() as server:
        root = make_root(server, "pivot")
        check_in_root(server, in_namespaces(
            'mount --bind "$1" "$1"; cd "$1"; pivot_root . old; shift; '
            'umount -l /old; exec "$@"', root, *in_root(server)))


OVERLAY = ('mount -t tmpfs none "$1"; mkdir "$1/upper" "$1/work" "$1/merged"; '
           'mount -t overlay overlay -o '
           '"lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/merged"; ')


@tap.test("a root of its own, on overlayfs")
def overlay():
    with servers.Nginx() as server:
        root, mount = make_root(server, "lower"), tap.scratch("overlay")
        os.mkdir(mount)
        check_in_root(server, in_namespaces(
            OVERLAY + 'root=$1/merged; shift 2; exec chroot "$root" "$@"', mount, root,
            *in_root(server)))


@tap.test("two roots on overlayfs with the same files below: probed once")
def overlay_twice():
    with servers.Nginx() as server:
        root = make_root(server, "shared")
        commands = []
        for number in range(2):
            mount = tap.scratch("overlay-%d" % number)
            os.mkdir(mount)
            commands.append(" ".join(map(shlex.quote, in_namespaces(
                OVERLAY + 'root=$1/merged; shift 2; exec chroot "$root" "$@"', mount, root,
                *in_root(server)))))
        run = kloak.Running(["sh", "-c", "%s && echo first && read line && %s && echo second && "
                             "read line" % tuple(commands)], SECRET, [kloak.grant(server)])
        links = []
        for word in (b"first\n", b"second\n"):
            tap.check_equal(run.read_line(), b"ok" + word, "the server's answer, and the word")
            links.append(bpf.links_of(run.pid))
            requests = kloak.requests_seen(server, 1)
            tap.check_equal(len(requests), 1, "requests")
            tap.check(KEY in requests[0], "the placeholder was left by the " + word.decode())
            run.process.stdin.write(b"\n")
            run.process.stdin.flush()
        result = run.finish()
    tap.check_equal(result.status, 0, "exit status; %s" % result)
    tap.check(links[0], "kloak has no links: the test proves nothing")
    tap.check_equal(links[1] - links[0], set(), "links that came with the second root")


# In the run's cgroup, which is where a container has to be, and without a network of its own.
RUNC = """
set -e
cgroup=$(sed -n s/^0:://p /proc/self/cgroup)
sed "s,@CGROUP@,$cgroup/container," "$1/config.in" > "$1/config.json"
exec runc --root "$1/state" run -b "$1" kloak-test-$$
"""


@tap.test("a container of runc")
def container():
    if not shutil.which("runc"):
        tap.skip("no runc")
    with servers.Nginx() as server:
        bundle = tap.scratch("bundle")
        os.mkdir(bundle)
        os.rename(make_root(server, "image"), bundle + "/rootfs")
        subprocess.run(["runc", "spec", "--rootless"], cwd=bundle, check=True)
        with open(bundle + "/config.json") as file:
            config = json.load(file)
        config["process"].update(terminal=False, args=in_root(server))
        config["linux"]["cgroupsPath"] = "@CGROUP@"
        config["linux"]["namespaces"] = [item for item in config["linux"]["namespaces"]
                                         if item["type"] != "network"]
        config["mounts"] = [item for item in config["mounts"] if item["type"] in ("proc", "tmpfs")]
        config["process"]["env"] += ["API_KEY=@KEY@"]
        with open(bundle + "/config.in", "w") as file:
            json.dump(config, file)
        script = bundle + "/start"
        with open(script, "w") as file:
            file.write(RUNC)
        # runc passes nothing of its environment on: the placeholder is told to it by name.
        command = ["sh", "-ec", 'sed -i "s,@KEY@,$API_KEY," "$1/config.in"; exec sh "$2" "$1"',
                   "sh", bundle, script]
        check_in_root(server, command, options=["--keep-cap", "sys_admin"])


# --- what is no function, and files of all sizes ---------------------------------------

CHECKS_ITSELF = r"""
#include <stdio.h>
#include <unistd.h>
extern const char SSL_write[];
long SSL_write_ex2(long a) { return a + 1; }
static int changed(void)
{
	volatile const char *at = SSL_write;
	int count = 0;
	for (int i = 0; i < 31; i++)
		count += at[i] != 'U';
	return count;
}
int main(void)
{
	int before = changed(), i;
	printf("%ld ", SSL_write_ex2(1));
	for (i = 0; i < 20; i++, usleep(50000))
		before += changed();
	printf("%d bytes changed\n", before);
	return 0;
}
"""
DATA = """
	.section .rodata
	.globl SSL_write
SSL_write:
	.asciz "UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU"
	.section .note.GNU-stack,"",@progbits
"""
# Each prints "ran"; SSL_write is nothing that can be probed.
UNUSUAL = {
    "a variable": ("int (*SSL_write)(void);", []),
    "an IFUNC": ("static int real(void) { return 7; }\nstatic void *pick(void) { return real; }\n"
                 "int SSL_write(void) __attribute__((ifunc(\"pick\")));", []),
    "thread-local": ("__thread long SSL_write = 3;", []),
    "absolute": ("", ["-Wl,--defsym=SSL_write=0x1234"]),
}


def build_program(name, source, *more):
    path = tap.scratch(name)
    with open(path + ".c", "w") as file:
        file.write(source)
    subprocess.run(["gcc", "-O1", "-rdynamic", "-o", path, path + ".c", *more], check=True)
    return path


def data_test(layout):
    @tap.test("constant data with a function's name stays as it is, " + layout)
    def constant():
        with open(tap.scratch("data.S"), "w") as file:
            file.write(DATA)
        path = build_program("data-" + layout, CHECKS_ITSELF, tap.scratch("data.S"),
                             "-Wl,-z," + layout)
        for command in ([path], ["sh", "-c", 'exec "$(echo %s)"' % path]):
            result = kloak.run(command, SECRET, ["API_KEY@127.0.0.1"])
            tap.check_equal(result.output, b"2 0 bytes changed\n", str(result))


for the_layout in ("separate-code", "noseparate-code"):
    data_test(the_layout)


@tap.test("a name that cannot be probed does not stop the run")
def unusual():
    for what, (source, flags) in UNUSUAL.items():
        path = build_program("unusual", source + "\n#include <stdio.h>\nint SSL_write_ex2(void) { "
                             "return 1; }\nint main(void) { puts(\"ran\"); return 0; }\n", *flags)
        result = kloak.run([path], SECRET, ["API_KEY@127.0.0.1"])
        tap.check_equal((result.status, result.output), (0, b"ran\n"), "%s; %s" % (what, result))
        answer = json.loads(subprocess.run([kloak.KLOAK, "explain", "--json", path],
                                           capture_output=True).stdout)
        file = answer["files"][0]
        tap.check_equal([row["symbol"] for row in file["not_probed"]], ["SSL_write"], what)
        tap.check_equal([row["symbol"] for hook in file["hooks"] for row in hook["functions"]],
                        ["SSL_write_ex2"], what)


AWAY = 5 << 30


def move_away(path):
    """All but the headers of the library lies 5 GiB further on: see gABI, e_shoff and p_offset."""
    with open(path, "rb") as file:
        content = bytearray(file.read())
    headers = content[:4096]

    def add(data, offset):
        value = int.from_bytes(data[offset:offset + 8], "little") + AWAY
        data[offset:offset + 8] = value.to_bytes(8, "little")

    segments, sections = (int.from_bytes(content[at:at + 8], "little") for at in (32, 40))
    segment_count, section_count = (int.from_bytes(content[at:at + 2], "little")
                                    for at in (56, 60))
    for number in range(section_count):
        add(content, sections + number * 64 + 24)
    for number in range(segment_count):
        add(headers, segments + number * 56 + 8)
    add(headers, 40)
    with open(path, "wb") as file:
        file.write(headers)
        file.seek(AWAY)
        file.write(content)


@tap.test("libraries of more than 4 GiB, whose code lies beyond")
def huge():
    directory = libraries.private_copy("huge")
    for path in glob.glob(directory + "/lib*.so*"):
        move_away(path)
    with servers.Nginx() as server:
        application = Application(server, directory)
        application.do("load", "settle")
        application.check_served("private")
        application.check_end(1)


# --- files that only the user may read ------------------------------------------------


def only_for_nobody(name):
    """(directory as root sees it, mount point)."""
    directory, point = libraries.plain_copy(name), tap.scratch(name + "-mount")
    os.chmod(tap.scratch(), 0o755)
    shutil.copy(shutil.which("curl"), directory + "/curl")
    fuse.mount(directory, point)
    try:
        os.stat(point)
        raise tap.Failure("root may look at the file system: the test shows nothing")
    except PermissionError:
        return directory, point


# A probe there would let whoever serves the file stop all forks of the machine.
@tap.test("libraries in a FUSE file system of the user: not probed, which is said")
def foreign_later():
    directory = libraries.private_copy("fuse-later")
    point = tap.scratch("fuse-later-mount")
    os.chmod(tap.scratch(), 0o755)
    fuse.mount(directory, point)
    with servers.Nginx() as server:
        application = Application(server, point, options=["--user", "65534:65534"])
        application.do("load", "settle", "private")
        requests = kloak.requests_seen(server, 1)
        tap.check(not any(KEY in request for request in requests), "it was swapped there")
        result = application.run.finish()
    tap.check_equal(result.status, 0, str(result))
    tap.check(b"FUSE file systems of users" in result.errors, str(result))


@tap.test("a file system of the user that never answers holds nothing for long")
def foreign_lost():
    _, point = only_for_nobody("fuse-lost")
    path = ":".join("%s/lost%d" % (point, i) for i in range(9))  # 2 s for each name there
    environment = {"SUDO_UID": "65534", "SUDO_GID": "65534", "LD_LIBRARY_PATH": path}
    done = subprocess.run([kloak.KLOAK, "explain", "--json", shutil.which("curl")],
                          capture_output=True, env=kloak.environment(environment), timeout=60)
    tap.check_equal(json.loads(done.stdout)["state"], "would", str(done)[:500])


@tap.test("a program in a FUSE file system of the user is the command itself")
def foreign_command():
    _, point = only_for_nobody("fuse-command")
    result = kloak.run([point + "/curl", "--version"], SECRET, ["API_KEY@127.0.0.1"],
                       options=["--user", "65534:65534"])
    tap.check_equal(result.status, 0, str(result))
    tap.check(b"will not be hooked" not in result.errors, str(result))


@tap.test("a program in a FUSE file system of the user is explained, one that hangs is not waited for")
def foreign_explained():
    directory, _ = only_for_nobody("fuse-explain")
    shutil.copy(shutil.which("curl"), directory + "/hang")
    point = tap.scratch("fuse-hang")
    fuse.mount(directory, point)

    def ask(path, **environment):
        return subprocess.run([kloak.KLOAK, "explain", "--json", path], capture_output=True,
                              env=kloak.environment(environment), timeout=tap.HANGS)

    sudo = {"SUDO_UID": "65534", "SUDO_GID": "65534", "SUDO_USER": "nobody"}
    answer = json.loads(ask(point + "/curl", **sudo).stdout)
    tap.check_equal(answer["state"], "would", str(answer)[:500])
    done = ask(point + "/curl")
    tap.check(done.returncode == 125 and b"not even root" in done.stderr, str(done))
    done = ask(point + "/hang", **sudo)
    tap.check(done.returncode == 125 and b"does not answer" in done.stderr, str(done))


tap.main(__doc__)
