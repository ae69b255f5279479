#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Names are verified through the resolvers that programs really use: those of each libc and
language, with retries; daemons (nscd, systemd-resolved); and kloak's own lookups (--resolve).

Of a program whose TLS Kloak does not hook yet, only the lookup is tested: it hands
the address to a Python client of the same run.
"""
import os
import subprocess
import time

from lib import bpf, build, clients, dns, dnswire, kloak, namespace, servers, tap, trial as trials
from lib.trial import Trial

RESOLVER, RESOLVER6 = "10.53.2.53", "fd53:0:0:2::35"
TRUTH, TRUTH6, OTHER, LIE = "10.53.1.1", "fd53:0:0:1::1", "10.53.1.2", "10.53.1.66"
DEAD6 = "fd53:0:0:3::1"  # nobody answers, not even that there is nobody
MANY = [namespace.SERVER % n for n in range(100, 164)]
RECORDS = [("api.test", TRUTH, 60), ("api.test", TRUTH6, 60), ("end.elsewhere.test", OTHER, 60),
           ("end.elsewhere.test", "fd53:0:0:1::2", 60), ("half-dead.test", TRUTH, 60),
           ("half-dead.test", DEAD6, 60)]
RECORDS += [("many.test", address, 60) for address in MANY]
ALIASES = [("alias.test", "middle.elsewhere.test", 60),
           ("middle.elsewhere.test", "end.elsewhere.test", 60)]


LOOK_UPS = {
    "glibc": build.Made(lambda: [build.glibc_look_up()]),
    "musl": build.Made(lambda: [build.musl_look_up()]),
    "Go": build.Made(lambda: [build.go_look_up()]),
    "node, c-ares": build.Made(lambda: [clients.NODE, clients.script("look_up.js"), "c-ares"]),
    "node, getaddrinfo": build.Made(lambda: [clients.NODE, clients.script("look_up.js"), "getaddrinfo"]),
}
NSCD = build.Made(build.unpacked, "nscd")
RESOLVED = {name: build.Made(build.unpacked, name)
            for name in ("systemd-resolved", "libsystemd-shared", "libnss-resolve")}
LIBRARIES = "/usr/lib/x86_64-linux-gnu"

trials.prepare(RESOLVER)
dns.Dnsmasq([RESOLVER, RESOLVER6], RECORDS, ALIASES)

HAND_OVER = """
import subprocess
found = subprocess.run(%r + [%r], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
assert sorted(set(found)) == sorted(%r), found
for address in sorted(set(found)):
    send(address, %r, PORT)
"""


def look_up_test(way, name, *addresses, prefix=(), title=""):
    @tap.test("%s: %s%s" % (way, name, title))
    def run():
        with Trial(name, prefix=prefix) as trial:
            trial.run(HAND_OVER % (LOOK_UPS[way].get(), name, list(addresses), name))
            trial.check_swapped(len(addresses))


for the_way in LOOK_UPS:
    look_up_test(the_way, "api.test", TRUTH, TRUTH6)
    look_up_test(the_way, "alias.test", OTHER, "fd53:0:0:1::2")
    if the_way != "musl":  # that of Debian 12 does not ask by TCP when an answer is cut
        look_up_test(the_way, "many.test", *MANY)


# --- whole clients, which look up, connect and send ------------------------

def client_test(name, client):
    @tap.test("%s, on its own" % name)
    def run():
        with servers.Nginx(addresses=servers.ANY_ADDRESS, where=namespace.there()) as server:
            command = client(server, [clients.HEADER_REQUEST], address="api.test")
            kloak.check_same_as_plain(server, command, {"API_KEY": kloak.new_secret()},
                                      [kloak.grant(server)], 1, pins=())


for the_client in clients.CLIENTS.items():
    client_test(*the_client)

ASYNCIO = """
import asyncio

async def fetch(name):
    reader, writer = await asyncio.open_connection(
        name, PORT, ssl=context(), server_hostname=name, happy_eyeballs_delay=%r)
    writer.write(request())
    await writer.drain()
    await reader.readuntil(b"ok")
    peer = writer.get_extra_info("peername")[0]
    writer.close()
    return peer

async def main():
    for name in %r:
        peers = await asyncio.gather(*(fetch(name) for _ in range(3)))
        print(name, peers)
        assert ":" not in peers[0] or name != "half-dead.test"
asyncio.run(main())
"""


@tap.test("asyncio, both families at once (happy eyeballs)")
def happy_eyeballs():
    names = ["api.test", "half-dead.test"]
    with Trial(*names) as trial:
        trial.run(ASYNCIO % (0.1, names)).check_swapped(6)


# --- retries ---------------------------------------------------------------

def resolv_conf_test(title, make_servers, options, program, count=1):
    """make_servers() returns (address, answer) for each scripted server; "real" is dnsmasq."""
    @tap.test(title)
    def run():
        addresses, running = [], []
        for answer in make_servers:
            if answer == "real":
                addresses.append(RESOLVER)
            else:
                addresses.append(dns.new_address())
                running.append(dns.Scripted(addresses[-1], answer))
        path = dns.resolv_conf(*addresses, options=options)
        with Trial("api.test", prefix=namespace.mounted((path, "/etc/resolv.conf"))) as trial:
            trial.run(program).check_swapped(count)
        for server in running:
            tap.check(server.queries, "a scripted server was never asked")
            server.stop()


ONCE = 'send(look_up("api.test")[0], "api.test", PORT)'


def fails(query, reply):
    reply(query.answer(flags=dnswire.RESPONSE | dnswire.SERVFAIL))


def is_silent(query, reply):
    pass


def answers_second():
    """The first datagram of each kind is lost."""
    seen = set()

    def answer(query, reply):
        key = (query.host, query.kind)
        if key in seen:
            reply(query.addresses(TRUTH))
        seen.add(key)
    return answer


def answers_slowly(query, reply):
    time.sleep(1.4)
    reply(query.addresses(TRUTH))


resolv_conf_test("the first name server fails, the second answers", [fails, "real"], "", ONCE)
resolv_conf_test("the first name server is silent, the second answers", [is_silent, "real"],
                 "timeout:1", ONCE)
resolv_conf_test("a query is repeated", [answers_second()], "timeout:1 attempts:3", ONCE)
resolv_conf_test("the answer to the first try comes after the second", [answers_slowly],
                 "timeout:1 attempts:3", ONCE)
resolv_conf_test("both families from one socket and from two", ["real"], "", """
    for options in "", "single-request", "single-request-reopen", "use-vc", "edns0":
        os.environ["RES_OPTIONS"] = options
        import subprocess
        code = "import socket; print(*{a[4][0] for a in socket.getaddrinfo('api.test', 443)})"
        found = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE,
                               text=True).stdout.split()
        assert len(found) == 2, found
        for address in found:
            send(address, "api.test", PORT)""", count=10)


@tap.test("more addresses than there is room for: those from before stay, the rest is refused")
def many_names():
    address = dns.new_address()

    def answer(query, reply):
        reply(query.addresses(*(MANY if query.host[0] == "n" else [TRUTH])))
    with dns.Scripted(address, answer), \
            Trial("*.wild.test:{PORT}", "*.wild.test:{PORT_1}", servers=2,
                  resolvers=[address]) as trial:
        trial.run("""
            ask(%r, "first.wild.test")
            for number in range(200):
                assert ask(%r, "n%%d.wild.test" %% number)
            ask(%r, "last.wild.test")
            send(%r, "first.wild.test", PORT)
            send(%r, "last.wild.test", PORT_1)""" % (address, address, address, TRUTH, TRUTH))
        trial.check_swapped()
        trial.check_left("address-not-verified", server=1)
        tap.check(b"answers of name servers" in trial.result.errors, "no warning at the end")


# --- resolv.conf changes ---------------------------------------------------

@tap.test("the machine moves to another network: resolv.conf is followed")
def moved():
    """The command runs as a user who cannot write that file."""
    new, path = dns.new_address(), dns.resolv_conf(RESOLVER)
    os.chmod(path, 0o644)
    with dns.Dnsmasq([new], [("api.test", OTHER, 60)]):
        with Trial("api.test:{PORT}", "api.test:{PORT_1}", "api.test:{PORT_2}", servers=3,
                   options=["--user", "65534:65534"],
                   prefix=namespace.mounted((path, "/etc/resolv.conf"))) as trial:
            trial.start("""
                assert os.geteuid() == 65534
                send(look_up("api.test")[0], "api.test", PORT)
                print("sent", flush=True)
                sys.stdin.readline()
                answer = ask(%r, "api.test")
                send(dnswire.addresses_in(answer)[0], "api.test", PORT_1)
                answer = ask(%r, "api.test", dnswire.AAAA)
                send(dnswire.addresses_in(answer)[0], "api.test", PORT_2)""" % (new, RESOLVER))
            tap.check_equal(trial.read_line(), "sent", "the application's word")
            with open(path, "w") as file:
                file.write("nameserver %s\n" % new)
            time.sleep(4)
            trial.finish(b"\n")
            trial.check_swapped()
            trial.check_swapped(server=1, address=OTHER)
            trial.check_left("resolver-not-trusted", server=2)


@tap.test("the command, being root, writes resolv.conf: it is not followed")
def moved_by_command():
    new, path = dns.new_address(), dns.resolv_conf(RESOLVER)
    with dns.Dnsmasq([new], [("api.test", LIE, 60)]):
        with Trial("api.test", prefix=namespace.mounted((path, "/etc/resolv.conf"))) as trial:
            trial.run("""
                with open("/etc/resolv.conf", "w") as file:
                    file.write("nameserver %s\\n")
                time.sleep(4)
                assert look_up("api.test") == [%r]
                send(%r, "api.test", PORT)""" % (new, LIE, LIE))
            trial.check_left("resolver-not-trusted")


# --- kloak's own lookups ---------------------------------------------------

@tap.test("--resolve: the application asks nobody")
def resolve():
    with Trial("api.test", "alias.test", "*.unasked.test", options=["--resolve"]) as trial:
        trial.run("""
            send(%r, "api.test", PORT)
            send(%r, "api.test", PORT)
            send(%r, "alias.test", PORT)""" % (TRUTH, TRUTH6, OTHER))
        trial.check_swapped(3)


@tap.test("--resolve: by the resolver of --resolver")
def resolve_by_named():
    address = dns.new_address()
    with dns.Dnsmasq([address], [("api.test", OTHER, 60)]):
        with Trial("api.test:{PORT}", "api.test:{PORT_1}", servers=2, resolvers=[address],
                   options=["--resolve"]) as trial:
            trial.run("""
                send(%r, "api.test", PORT)
                send(%r, "api.test", PORT_1)""" % (OTHER, TRUTH))
            trial.check_swapped()
            trial.check_left("address-not-verified", server=1)


@tap.test("--resolve: an answer that is cut is asked for by TCP")
def resolve_by_tcp():
    with Trial("many.test", options=["--resolve"]) as trial:
        trial.run("""
            for address in %r:
                send(address, "many.test", PORT)""" % MANY)
        trial.check_swapped(len(MANY))


@tap.test("--resolve: the first name server is silent")
def resolve_second_server():
    first = dns.new_address()
    with dns.Scripted(first, is_silent):
        with Trial("api.test", resolvers=[first, RESOLVER], options=["--resolve"]) as trial:
            trial.run('send(%r, "api.test", PORT)' % TRUTH).check_swapped()


@tap.test("--resolve: looked up again when the TTL is over, and the answer has changed")
def resolve_again():
    address = dns.new_address()
    with dns.Dnsmasq([address], hosts={"api.test": [TRUTH]}, local_ttl=1) as server:
        with Trial("api.test:{PORT}", "api.test:{PORT_1}", "api.test:{PORT_2}", servers=3,
                   resolvers=[address], options=["--resolve", "--min-ttl", "1"]) as trial:
            trial.start("""
                send(%r, "api.test", PORT)
                print("sent", flush=True)
                sys.stdin.readline()
                send(%r, "api.test", PORT_1)
                send(%r, "api.test", PORT_2)""" % (TRUTH, OTHER, TRUTH))
            tap.check_equal(trial.read_line(), "sent", "the application's word")
            server.change({"api.test": [OTHER]})
            time.sleep(8)  # asked for again after 5 seconds at the least
            trial.finish(b"\n")
            trial.check_swapped()
            trial.check_swapped(server=1)
            trial.check_left("address-expired", server=2)


@tap.test("--resolve: kept up while the answer stays")
def resolve_kept_up():
    address = dns.new_address()
    with dns.Dnsmasq([address], hosts={"api.test": [TRUTH]}, local_ttl=1):
        with Trial("api.test", resolvers=[address],
                   options=["--resolve", "--min-ttl", "1"]) as trial:
            trial.run("""
                for _ in range(5):
                    send(%r, "api.test", PORT)
                    time.sleep(2)""" % TRUTH)
            trial.check_swapped(5)


@tap.test("--resolve: a name that cannot be resolved stays refused, the run goes on")
def resolve_nothing():
    with Trial("api.test:{PORT}", "no.such.test:{PORT_1}", servers=2,
               options=["--resolve"]) as trial:
        trial.run("""
            send(%r, "api.test", PORT)
            send(%r, "no.such.test", PORT_1)""" % (TRUTH, LIE))
        trial.check_swapped()
        trial.check_left("address-not-verified", server=1)


# --- a daemon that asks for others -----------------------------------------

# Kloak and the application have no name server, so that the daemon's is not trusted by itself.
NO_SERVER = (dns.resolv_conf("127.0.0.9"), "/etc/resolv.conf")
NSCD_CONF = """
enable-cache hosts yes
check-files hosts no
persistent hosts no
shared hosts no
enable-cache passwd no
enable-cache group no
enable-cache services no
enable-cache netgroup no
"""


class Cgroup:
    """name: below the mount; process: of a daemon in it."""

    process = None

    def __init__(self):
        self.name = "/kloak-test-%d-%d" % (os.getpid(), next(kloak.numbers))
        self.path = bpf.cgroup_mount() + self.name
        os.mkdir(self.path)
        tap.cleanup(self.stop)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, prefix, command):
        self.process = subprocess.Popen(
            [*prefix, "sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', self.path, *command],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        for _ in range(100):
            try:
                return os.rmdir(self.path)
            except FileNotFoundError:
                return None
            except OSError:  # the last process is about to go
                time.sleep(0.02)


class Nscd(Cgroup):
    """prefix, values: words and environment that make a command ask it."""

    values = {}

    def __init__(self):
        super().__init__()
        program = NSCD.get() + "/usr/sbin/nscd"
        directory = tap.scratch("nscd-%d" % next(kloak.numbers))
        os.mkdir(directory)
        os.makedirs("/run/nscd", exist_ok=True)
        with open(directory + "/conf", "w") as file:
            file.write(NSCD_CONF)
        os.mkdir(directory + "/run")
        mounts = [(directory + "/run", "/run/nscd")]
        self.prefix = namespace.mounted(*mounts, NO_SERVER)
        self.start(namespace.mounted(*mounts), [program, "-F", "-f", directory + "/conf"])
        end = time.monotonic() + tap.HAPPENS
        while not os.path.exists(directory + "/run/socket") and time.monotonic() < end:
            time.sleep(0.02)


RESOLVED_CONF = """[Resolve]
DNS=%s
LLMNR=no
MulticastDNS=no
DNSSEC=no
DNSStubListener=no
""" % RESOLVER


class Resolved(Cgroup):
    """systemd-resolved, without D-Bus: nss-resolve asks it over its Varlink socket."""

    def __init__(self):
        program = RESOLVED["systemd-resolved"].get() + "/lib/systemd/systemd-resolved"
        shared = RESOLVED["libsystemd-shared"].get() + LIBRARIES + "/systemd"
        self.values = {"LD_LIBRARY_PATH": RESOLVED["libnss-resolve"].get() + LIBRARIES}
        super().__init__()
        directory = tap.scratch("resolved-%d" % next(kloak.numbers))
        os.makedirs(directory + "/run/resolved.conf.d")
        with open("/etc/passwd") as file:
            passwd = file.read() + "systemd-resolve:x:995:995::/:/usr/sbin/nologin\n"
        for name, text in (("run/resolved.conf.d/test.conf", RESOLVED_CONF), ("passwd", passwd),
                           ("nsswitch.conf", "hosts: resolve [!UNAVAIL=return] dns\n")):
            with open(directory + "/" + name, "w") as file:
                file.write(text)
        os.makedirs("/run/systemd", exist_ok=True)
        mounts = [(directory + "/run", "/run/systemd"), (directory + "/passwd", "/etc/passwd"),
                  (directory + "/nsswitch.conf", "/etc/nsswitch.conf")]
        self.prefix = namespace.mounted(*mounts, NO_SERVER)
        self.start(namespace.mounted(*mounts), ["env", "LD_LIBRARY_PATH=" + shared, program])
        end = time.monotonic() + tap.HAPPENS
        while not os.path.exists(directory + "/run/resolve/io.systemd.Resolve") and \
                time.monotonic() < end:
            time.sleep(0.02)

ASK_DAEMON = """
assert look_up("api.test") == [%r]
send(%r, "api.test", PORT)
""" % (TRUTH, TRUTH)


def daemon_test(title, make, resolver, check):
    """resolver: of --resolver, with DAEMON and OTHER for cgroups."""
    @tap.test(title)
    def run():
        with Cgroup() as other, make() as daemon:
            resolvers = [word.replace("DAEMON", daemon.name).replace("OTHER", other.name)
                         for word in resolver]
            with Trial("api.test", prefix=daemon.prefix, resolvers=resolvers) as trial:
                trial.values.update(daemon.values)
                check(trial.run(ASK_DAEMON))


for the_name, the_daemon in (("nscd", Nscd), ("systemd-resolved (nss-resolve)", Resolved)):
    daemon_test(the_name + " asks, and is trusted by its cgroup", the_daemon, ["cgroup:DAEMON"],
                lambda trial: trial.check_swapped())
    daemon_test(the_name + " asks, and is trusted beside a name server", the_daemon,
                [RESOLVER, "cgroup:DAEMON"], lambda trial: trial.check_swapped())
    daemon_test(the_name + " asks, and is not named", the_daemon, [],
                lambda trial: trial.check_left("address-not-verified"))
    daemon_test(the_name + " asks, and another cgroup is named", the_daemon, ["cgroup:OTHER"],
                lambda trial: trial.check_left("address-not-verified"))


@tap.test("nscd asks for two runs at a time")
def daemon_two_runs():
    with Nscd() as daemon:
        options = {"prefix": daemon.prefix, "resolvers": ["cgroup:" + daemon.name]}
        with Trial("api.test", **options) as first, Trial("alias.test", **options) as second:
            for trial in first, second:
                trial.start("sys.stdin.readline()\n" + trials.dedent("""
                    for name in "api.test", "alias.test":
                        send(look_up(name)[0], name, PORT)
                    print("sent", flush=True)
                    sys.stdin.readline()"""))
            for trial in first, second:
                trial.running.process.stdin.write(b"\n")
                trial.running.process.stdin.flush()
            for trial in first, second:
                tap.check_equal(trial.read_line(), "sent", "the application's word")
            for trial in first, second:
                trial.finish(b"\n")
                requests = trial.seen(2)
                want = [trials.request(trial.placeholder),
                        trials.request(trial.values["API_KEY"])]
                tap.check_equal(sorted(requests) == sorted(want), True, trial.describe())


tap.main(__doc__, workers=4)
