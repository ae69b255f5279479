#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A secret goes only to an address that a trusted resolver gave for its host, to this run, in time.

Each server must get the placeholder, to the byte, and the event its reason. The
application may have looked up the right name as well: that must not help the wrong one.
"""
import subprocess

from lib import dns, servers, tap, trial as trials
from lib.trial import Trial

TRUTH, TRUTH6, LIE, LIE6 = "10.53.1.1", "fd53:0:0:1::1", "10.53.1.66", "fd53:0:0:1::66"
RESOLVER = "10.53.2.53"
RECORDS = [
    ("api.test", TRUTH, 60), ("api.test", TRUTH6, 60), ("evil.test", LIE, 60),
    ("evil.test", LIE6, 60), ("short.test", TRUTH, 1), ("only-v4.test", TRUTH, 60),
    ("wild.test", LIE, 60), ("evilwild.test", LIE, 60), ("a.wild.test", TRUTH, 60),
    ("b.wild.test", LIE, 60), ("wild.test.evil.test", LIE, 60), ("api.test.evil.test", LIE, 60)]

trials.prepare(RESOLVER)
dns.Dnsmasq([RESOLVER], RECORDS)
NAMES = "TRUTH, TRUTH6, LIE, LIE6, RESOLVER = %r\n" % ((TRUTH, TRUTH6, LIE, LIE6, RESOLVER),)


def stays(title, reasons, rules, program, count=1, before=(), **options):
    """All requests of the program, under kloak, must carry the placeholder."""
    @tap.test(title)
    def run():
        with Trial(*rules.split(), **options) as trial:
            trial.run(NAMES + trials.dedent(program), before=before)
            trial.check_left(*reasons.split(), count=count)


def in_own_mounts(text, path):
    """Words that run a command in a mount namespace with other text at a path."""
    source = tap.scratch("own-" + path.replace("/", "-"))
    with open(source, "w") as file:
        file.write(text)
    return ["unshare", "-Urm", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"',
            source, path]


def user_namespaces():
    return subprocess.run(["unshare", "-Urm", "true"], stderr=subprocess.DEVNULL).returncode == 0


# --- the right name, another address ---------------------------------------

stays("an address that nobody was asked about", "address-not-verified", "api.test", """
    send(LIE, "api.test", PORT)""")
stays("the right address, but nobody was asked", "address-not-verified", "api.test", """
    send(TRUTH, "api.test", PORT)""")
stays("the right name was asked for, the connection goes elsewhere", "address-not-verified",
      "api.test", """
    assert look_up("api.test") == [TRUTH]
    send(LIE, "api.test", PORT)""")
stays("the address of another name, under the right name", "address-not-verified", "api.test", """
    look_up("api.test")
    send(look_up("evil.test")[0], "api.test", PORT)
    send(look_up("evil.test", socket.AF_INET6)[0], "api.test", PORT)""", count=2)
stays("an address of the family that was not asked for", "address-not-verified", "api.test", """
    look_up("api.test", socket.AF_INET)
    send(TRUTH6, "api.test", PORT)""")
stays("a name without an address of the family", "address-not-verified", "only-v4.test", """
    try:
        look_up("only-v4.test", socket.AF_INET6)
    except socket.gaierror:
        pass
    send(TRUTH6, "only-v4.test", PORT)""")
stays("a name that does not exist", "address-not-verified", "no.such.test", """
    try:
        look_up("no.such.test")
    except socket.gaierror:
        pass
    send(LIE, "no.such.test", PORT)""")
stays("another address through an IPv6 socket", "address-not-verified", "api.test", """
    look_up("api.test")
    send("::ffff:" + LIE, "api.test", PORT)""")
stays("a name asked for by another name's end", "address-not-verified", "api.test", """
    look_up("api.test.evil.test")
    send(LIE, "api.test", PORT)""")


@tap.test("the application's own hosts file, in a mount namespace of its own")
def own_hosts():
    if not user_namespaces():
        tap.skip("this kernel gives no user namespace")
    before = in_own_mounts("%s api.test\n%s api.test\n" % (LIE, LIE6), "/etc/hosts")
    with Trial("api.test") as trial:
        trial.run(NAMES + """
assert look_up("api.test") == [LIE]
for address in look_up("api.test") + look_up("api.test", socket.AF_INET6):
    send(address, "api.test", PORT)""", before=before)
        trial.check_left("address-not-verified", count=2)


@tap.test("the application's own resolv.conf, in a mount namespace of its own")
def own_resolv_conf():
    if not user_namespaces():
        tap.skip("this kernel gives no user namespace")
    address = dns.new_address()
    before = in_own_mounts("nameserver %s\n" % address, "/etc/resolv.conf")
    with dns.Dnsmasq([address], [("api.test", LIE, 60)]), Trial("api.test") as trial:
        trial.run(NAMES + """
assert look_up("api.test") == [LIE]
send(LIE, "api.test", PORT)""", before=before)
        trial.check_left("resolver-not-trusted")


# --- the right address, another name ---------------------------------------

stays("another name at the right address", "host", "api.test", """
    send(look_up("api.test")[0], "evil.test", PORT)""")
stays("a name that has the right one in it", "host", "api.test", """
    address = look_up("api.test")[0]
    for name in "api.test.evil.test", "xapi.test", "x.api.test", "pi.test", "test":
        send(address, name, PORT)""", count=5)
stays("no name (SNI) at the right address", "no-sni", "api.test", """
    send(look_up("api.test")[0], None, PORT)""")
stays("a wildcard: the bare domain", "host", "*.wild.test", """
    send(look_up("wild.test")[0], "wild.test", PORT)""")
stays("a wildcard: a name that only ends like it", "host", "*.wild.test", """
    send(look_up("evilwild.test")[0], "evilwild.test", PORT)""")
stays("a wildcard: a name that only begins like it", "host", "*.wild.test", """
    send(look_up("wild.test.evil.test")[0], "wild.test.evil.test", PORT)""")
stays("a wildcard: the address of another name below it", "address-not-verified", "*.wild.test", """
    look_up("a.wild.test")
    send(look_up("b.wild.test")[0], "a.wild.test", PORT)""")
stays("a wildcard: a name below it that nobody asked for", "address-not-verified", "*.wild.test", """
    send(look_up("a.wild.test")[0], "c.wild.test", PORT)""")
stays("a port of another rule", "port", "api.test:1 *.wild.test:2", """
    send(look_up("api.test")[0], "api.test", PORT)
    send(look_up("a.wild.test")[0], "a.wild.test", PORT)""", count=2)
stays("a prefix: the first address after it", "host", "10.53.1.64/31", """
    send(LIE, "api.test", PORT)
    send("::ffff:" + LIE, "api.test", PORT)""", count=2)
stays("a prefix of the other family", "host", "[2000::]/3", """
    send(LIE, "api.test", PORT)""")


@tap.test("an encrypted ClientHello (the extension alone will do) at the right address")
def ech():
    with Trial("api.test") as trial:
        command = ["sh", "-c", r"""{ printf 'GET / HTTP/1.1\r\nHost: host\r\nX-Api-Key: %s\r\n\r\n' \
            "$API_KEY"; sleep 0.5; } | openssl s_client -quiet -no_ign_eof -CAfile "$CA" \
            -serverinfo 65037 -servername api.test -connect api.test:PORT
            """.replace("PORT", str(trial.port))]
        trial.run(command=command).check_left("ech")


# --- time, and other runs --------------------------------------------------

stays("an address whose TTL is over", "address-expired", "short.test", """
    address = look_up("short.test")[0]
    time.sleep(2.5)
    send(address, "short.test", PORT)
    send("::ffff:" + address, "short.test", PORT)""", count=2, options=["--min-ttl", "1"])


@tap.test("what was looked up outside of the run")
def outside():
    with Trial("api.test") as trial:
        trial.start(NAMES + """
sys.stdin.readline()
send(TRUTH, "api.test", PORT)""")
        subprocess.run(["getent", "ahosts", "api.test"], check=True, stdout=subprocess.DEVNULL)
        trial.finish(b"\n")
        trial.check_left("address-not-verified")


@tap.test("what another run looked up")
def other_run():
    with Trial("api.test") as first, Trial("api.test") as second:
        first.start(NAMES + """
send(look_up("api.test")[0], "api.test", PORT)
print("sent", flush=True)
sys.stdin.readline()
send(TRUTH, "api.test", PORT)""")
        tap.check_equal(first.read_line(), "sent", "the application's word")
        second.run(NAMES + 'send(TRUTH, "api.test", PORT)')
        first.finish(b"\n")
        first.check_swapped(2)
        second.check_left("address-not-verified")


@tap.test("what an earlier run looked up")
def earlier_run():
    with Trial("api.test") as first, Trial("api.test") as second:
        first.run('send(look_up("api.test")[0], "api.test", PORT)').check_swapped()
        second.run(NAMES + 'send(TRUTH, "api.test", PORT)').check_left("address-not-verified")


# --- other network namespaces ----------------------------------------------

OWN_NAMESPACE = """
import subprocess

def own_resolver(family, address):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((address, 53))
    return sock

def answer(sock, liar):
    data, source = sock.recvfrom(4096)
    query = dnswire.Query(data)
    sock.sendto(query.addresses(LIE, LIE6), source)

if len(sys.argv) > 1:  # the child, in its own network namespace, at the trusted address
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", RESOLVER + "/32", "dev", "lo"], check=True)
    subprocess.run(["ip", "address", "add", LIE + "/32", "dev", "lo"], check=True)
    sock = own_resolver(socket.AF_INET, RESOLVER)
    for name in "api.test", "api.test":
        threading.Thread(target=answer, args=(sock, LIE), daemon=True).start()
        answered = ask(RESOLVER, name)
        assert dnswire.addresses_in(answered) == [LIE], answered
    if sys.argv[1] == "connect":
        server = subprocess.Popen(
            ["openssl", "s_server", "-quiet", "-accept", "%s:%d" % (LIE, PORT), "-cert", CERT,
             "-key", KEY], stdin=subprocess.PIPE, stdout=open(RECEIVED, "wb"))
        time.sleep(0.4)
        with connect(LIE, "api.test", PORT) as tls:
            tls.sendall(request())
            time.sleep(0.3)
        server.kill()
    sys.exit(0)
subprocess.run(["unshare", "-Urn", sys.executable, sys.argv[0], MODE], check=True)
if MODE == "ask":
    send(LIE, "api.test", PORT)
"""


@tap.test("asked in another network namespace, where the application is the resolver")
def asked_elsewhere():
    if not user_namespaces():
        tap.skip("this kernel gives no user namespace")
    with Trial("api.test") as trial:
        trial.run(NAMES + 'MODE = "ask"\n' + OWN_NAMESPACE)
        trial.check_left("address-not-verified")


@tap.test("asked and connected in another network namespace")
def connected_elsewhere():
    if not user_namespaces():
        tap.skip("this kernel gives no user namespace")
    received = tap.scratch("received")
    authority = servers.Authority.get()
    with Trial("api.test") as trial:
        constants = {"MODE": "connect", "RECEIVED": received, "CERT": authority.certificate("rsa"),
                     "KEY": authority.key("rsa")}
        trial.run(NAMES + "".join("%s = %r\n" % item for item in constants.items()) + OWN_NAMESPACE)
        with open(received, "rb") as file:
            tap.check_equal(file.read(), trials.request(trial.placeholder),
                            "what the server got; %s" % trial.describe())
        trial.check_left("network-namespace", requests=0)

tap.main(__doc__, workers=4)
