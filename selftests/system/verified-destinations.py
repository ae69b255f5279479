#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The secret arrives at names whose addresses a trusted resolver gave, with no pin.

Dnsmasq is the resolver of /etc/resolv.conf; kloak, the applications and the
resolver are in network namespaces of this test file.
"""
import socket
import struct
import time

from lib import dns, dnswire, namespace, tap, trial as trials
from lib.trial import Trial

MANY = [namespace.SERVER % n for n in range(100, 164)]
CHAIN = 9  # aliases that dnsmasq follows
RECORDS = [
    ("exact.test", "10.53.1.1", 60), ("exact.test", "fd53:0:0:1::1", 60),
    ("a.wild.test", "10.53.1.2", 60), ("b.c.d.wild.test", "10.53.1.3", 60),
    ("end.elsewhere.test", "10.53.1.4", 60), ("end.elsewhere.test", "fd53:0:0:1::4", 60),
    ("short.test", "10.53.1.5", 1), ("zero.test", "10.53.1.5", 0),
    ("one.test", "10.53.1.6", 60), ("two.test", "10.53.1.6", 60),
    ("xn--bcher-kva.test", "10.53.1.7", 60), ("local.test", "127.0.0.1", 60),
    ("local.test", "::1", 60)]
RECORDS += [("several.test", namespace.SERVER % n, 60) for n in range(20, 25)]
RECORDS += [("several.test", namespace.SERVER6 % n, 60) for n in range(20, 25)]
RECORDS += [("many.test", address, 60) for address in MANY]
ALIASES = [("alias.test", "end.elsewhere.test", 60), ("alias.wild.test", "end.elsewhere.test", 60),
           ("brief-alias.test", "end.elsewhere.test", 1)]
ALIASES += [("chain-%d.test" % n, "chain-%d.test" % (n - 1), 60) for n in range(2, CHAIN + 1)]
ALIASES += [("chain-1.test", "end.elsewhere.test", 60)]
RESOLVER, RESOLVER6, OTHER = "10.53.2.53", "fd53:0:0:2::35", "10.53.2.54"

trials.prepare(RESOLVER)
dns.Dnsmasq([RESOLVER, RESOLVER6], RECORDS, ALIASES)
dns.Dnsmasq([OTHER], [("elsewhere.test", "10.53.1.8", 60)])
dns.Dnsmasq(["127.0.0.53", "::1"], RECORDS, ALIASES, where=namespace.here())


def arrives(title, rules, program, count=1, host=None, address=None, **options):
    """The program's lines run under kloak, and all their requests must carry the secret."""
    @tap.test(title)
    def run():
        with Trial(*rules.split(), **options) as trial:
            trial.run(program).check_swapped(count, host=host, address=address)


# --- names -----------------------------------------------------------------

arrives("a name, IPv4", "exact.test", """
    send(look_up("exact.test")[0], "exact.test", PORT)""", host="exact.test", address="10.53.1.1")
arrives("a name, IPv6", "exact.test", """
    send(look_up("exact.test", socket.AF_INET6)[0], "exact.test", PORT)""",
        address="fd53:0:0:1::1")
arrives("a wildcard, one label", "*.wild.test", """
    send(look_up("a.wild.test")[0], "a.wild.test", PORT)""", host="a.wild.test")
arrives("a wildcard, three labels", "*.wild.test", """
    send(look_up("b.c.d.wild.test")[0], "b.c.d.wild.test", PORT)""")
arrives("an alias (CNAME)", "alias.test", """
    send(look_up("alias.test")[0], "alias.test", PORT)
    send(look_up("alias.test", socket.AF_INET6)[0], "alias.test", PORT)""", count=2)
arrives("an alias below a wildcard", "*.wild.test", """
    send(look_up("alias.wild.test")[0], "alias.wild.test", PORT)""")
arrives("a chain of %d aliases" % CHAIN, "chain-%d.test" % CHAIN, """
    send(look_up("chain-%d.test")[0], "chain-%d.test", PORT)""" % (CHAIN, CHAIN))
arrives("upper and lower case in rule, query and ClientHello", "eXaCt.TEST", """
    send(look_up("EXACT.test")[0], "exacT.tesT", PORT)""")
arrives("a trailing dot in the query", "exact.test", """
    send(look_up("exact.test.")[0], "exact.test", PORT)""")
arrives("a trailing dot in the rule", "exact.test.", """
    send(look_up("exact.test")[0], "exact.test", PORT)""")
arrives("a trailing dot in the ClientHello", "exact.test", """
    send(look_up("exact.test")[0], "exact.test.", PORT)""")
arrives("a name of other letters, as A-label", "xn--bcher-kva.test", """
    send(look_up("b\u00fccher.test")[0], "b\u00fccher.test", PORT)""", host="xn--bcher-kva.test")
arrives("two rules of a secret", "one.test exact.test", """
    for name in "exact.test", "one.test":
        send(look_up(name)[0], name, PORT)""", count=2)
arrives("two names of one address", "one.test two.test", """
    (one,), (two,) = look_up("one.test"), look_up("two.test")
    assert one == two
    send(one, "one.test", PORT)
    send(two, "two.test", PORT)""", count=2)


@tap.test("a list of ports")
def port_list():
    with Trial("exact.test:{PORT_0},{PORT_1}", servers=3) as trial:
        trial.run("""
            address = look_up("exact.test")[0]
            for port in PORT_0, PORT_1, PORT_2:
                send(address, "exact.test", port)""")
        trial.check_swapped(server=0)
        trial.check_swapped(server=1)
        trial.check_left("port", server=2)


# --- addresses of a name ---------------------------------------------------

arrives("every address of a name with several, both families", "several.test", """
    addresses = look_up("several.test") + look_up("several.test", socket.AF_INET6)
    assert len(set(addresses)) == 10, addresses
    for address in addresses:
        send(address, "several.test", PORT)""", count=10)
arrives("64 addresses: truncated, then by TCP", "many.test", """
    addresses = look_up("many.test")
    assert len(set(addresses)) == 64, addresses
    for address in addresses:
        send(address, "many.test", PORT)""", count=64)
arrives("64 addresses in one datagram (EDNS)", "many.test", """
    query = dnswire.message(77, dnswire.QUERY, [dnswire.question("many.test")], additional=[
        b"\\0" + struct.pack(">HHIH", dnswire.OPT, 4096, 0, 0)])
    answer = ask(%r, None, data=query)
    addresses = dnswire.addresses_in(answer)
    assert len(set(addresses)) == 64 and len(answer) > 1000, addresses
    for address in addresses:
        send(address, "many.test", PORT)""" % RESOLVER, count=64)
arrives("an IPv4 address through an IPv6 socket", "exact.test", """
    send("::ffff:" + look_up("exact.test")[0], "exact.test", PORT)""")


# --- answers on their way --------------------------------------------------

SEND_ALL = """
for address in dnswire.addresses_in(answer):
    send(address, "api.test", PORT)
"""


def scripted(title, answer, look_up, tcp=False, count=1):
    """The trusted resolver answers what answer(query, reply) makes it answer."""
    @tap.test(title)
    def run():
        address = dns.new_address()
        with dns.Scripted(address, answer, tcp=tcp):
            with Trial("api.test", resolvers=[address]) as trial:
                trial.run("RESOLVER = %r\n%s\n%s" % (address, look_up, SEND_ALL))
                trial.check_swapped(count)


def chain(query, reply):
    names = ["api.test"] + ["link-%d.elsewhere.test" % n for n in range(16)]
    answers = [dnswire.alias(*pair) for pair in zip(names, names[1:])]
    reply(query.answer(answers + [dnswire.address(names[-1], "10.53.1.1")]))


def large(query, reply):
    """No compression, so that IP has to cut the datagram into fragments."""
    owner = "a-name-that-is-long-enough-for-a-large-datagram.test"
    answer = query.answer([dnswire.alias("api.test", owner)] + [
        dnswire.address(owner, address) for address in MANY[:54]])
    assert 3500 < len(answer) <= 4096, len(answer)
    reply(answer)


def in_pieces(query, reply):
    """TCP segments that end anywhere."""
    answer = query.addresses(*MANY[:20])
    framed = struct.pack(">H", len(answer)) + answer
    reply.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for start, end in ((0, 1), (1, 2), (2, 14), (14, 33), (33, 200), (200, len(framed))):
        reply.connection.sendall(framed[start:end])
        time.sleep(0.02)


def in_other_letters(query, reply):
    reply(query.answer([dnswire.address("API.TEST", "10.53.1.1")]))


scripted("a chain of 16 aliases", chain, 'answer = ask(RESOLVER, "api.test")')
scripted("an answer of almost 4,096 bytes, in fragments", large,
         'answer = ask(RESOLVER, "api.test")', count=54)
scripted("an answer by TCP, cut into segments anywhere", in_pieces,
         'answer = ask_by_tcp(RESOLVER, "api.test", pieces=5)', tcp=True, count=20)
scripted("a query in mixed case (0x20)", in_other_letters,
         'answer = ask(RESOLVER, "aPi.TesT")')

arrives("an answer by TCP, IPv4", "exact.test", """
    answer = ask_by_tcp("%s", "exact.test")
    send(dnswire.addresses_in(answer)[0], "exact.test", PORT)""" % RESOLVER)
arrives("an answer by TCP, IPv6", "exact.test", """
    answer = ask_by_tcp("%s", "exact.test", dnswire.AAAA)
    send(dnswire.addresses_in(answer)[0], "exact.test", PORT)""" % RESOLVER6,
        resolvers=[RESOLVER6])
arrives("several queries of one TCP connection", "exact.test several.test", """
    with socket.create_connection(("%s", 53)) as resolver, resolver.makefile("rb") as stream:
        names = ["exact.test", "nowhere.test", "several.test"]
        for number, name in enumerate(names):
            query = dnswire.query(number, name)
            resolver.sendall(struct.pack(">H", len(query)) + query)
        for _ in names:
            answer = stream.read(struct.unpack(">H", stream.read(2))[0])
            name = names[struct.unpack_from(">H", answer)[0]]
            for address in dnswire.addresses_in(answer):
                send(address, name, PORT)""" % RESOLVER, count=6)
arrives("a query to an IPv4 server through an IPv6 socket", "exact.test", """
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    answer = ask("::ffff:%s", "exact.test", sock=sock)
    send(dnswire.addresses_in(answer)[0], "exact.test", PORT)""" % RESOLVER)
arrives("a resolver with an IPv6 address", "exact.test", """
    answer = ask("%s", "exact.test")
    send(dnswire.addresses_in(answer)[0], "exact.test", PORT)""" % RESOLVER6,
        resolvers=[RESOLVER6])
arrives("a resolver that --resolver names", "elsewhere.test", """
    answer = ask("%s", "elsewhere.test")
    send(dnswire.addresses_in(answer)[0], "elsewhere.test", PORT)""" % OTHER, resolvers=[OTHER])
arrives("two --resolver", "exact.test elsewhere.test", """
    for resolver, name in ("%s", "exact.test"), ("%s", "elsewhere.test"):
        send(dnswire.addresses_in(ask(resolver, name))[0], name, PORT)""" % (RESOLVER, OTHER),
        resolvers=[RESOLVER, OTHER], count=2)


@tap.test("a resolver at another port")
def resolver_port():
    address = dns.new_address()

    def answer(query, reply):
        reply(query.addresses("10.53.1.1"))
    with dns.Scripted(address, answer, port=5353):
        with Trial("api.test", resolvers=[address + ":5353"]) as trial:
            trial.run("""
                answer = ask("%s", "api.test", port=5353)
                send(dnswire.addresses_in(answer)[0], "api.test", PORT)""" % address)
            trial.check_swapped()


def on_loopback(resolver, family):
    arrives("resolver and server on the loopback, " + resolver, "local.test", """
        kind = {"AF_INET": dnswire.A, "AF_INET6": dnswire.AAAA}["%s"]
        answer = ask("%s", "local.test", kind)
        send(dnswire.addresses_in(answer)[0], "local.test", PORT)""" % (family, resolver),
            resolvers=[resolver], loopback=True)


on_loopback("127.0.0.53", "AF_INET")
on_loopback("::1", "AF_INET6")


# --- time ------------------------------------------------------------------

@tap.test("a connection keeps its verdict when the TTL is over, a new one does not get it")
def pooled():
    with Trial("short.test:{PORT_0},{PORT_1}", servers=2,
               options=["--min-ttl", "1"]) as trial:
        trial.run("""
            address = look_up("short.test")[0]
            with connect(address, "short.test", PORT) as kept:
                exchange(kept)
                time.sleep(2.5)
                exchange(kept)
                send(address, "short.test", PORT_1)
                exchange(kept)""")
        trial.check_swapped(3)
        trial.check_left("address-expired", server=1)


arrives("a name looked up again after its TTL", "short.test", """
    for pause in 0, 2.5:
        time.sleep(pause)
        send(look_up("short.test")[0], "short.test", PORT)""", count=2,
        options=["--min-ttl", "1"])
arrives("a TTL below the floor is the floor", "short.test", """
    address = look_up("short.test")[0]
    time.sleep(2.5)
    send(address, "short.test", PORT)""")
arrives("a TTL of 0", "zero.test", """
    send(look_up("zero.test")[0], "zero.test", PORT)""")


# --- who looks up, who connects --------------------------------------------

arrives("a connect that does not block", "exact.test", """
    plain = socket.socket()
    plain.setblocking(False)
    plain.connect_ex((look_up("exact.test")[0], PORT))
    select.select([], [plain], [])
    assert plain.connect_ex((look_up("exact.test")[0], PORT)) in (0, 106)  # EISCONN
    plain.setblocking(True)
    with secure(plain, "exact.test") as tls:
        exchange(tls)""")
arrives("a forked child connects", "exact.test", """
    address = look_up("exact.test")[0]
    child = os.fork()
    if child == 0:
        send(address, "exact.test", PORT)
        os._exit(0)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))""")
arrives("one process looks up, another connects", "exact.test", """
    import subprocess
    code = "import socket; print(socket.gethostbyname('exact.test'))"
    address = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE,
                             text=True).stdout.strip()
    send(address, "exact.test", PORT)""")
arrives("twenty threads look up and connect at a time", "exact.test several.test *.wild.test", """
    def work(number):
        name = ("exact.test", "several.test", "a.wild.test", "alias.wild.test")[number % 4]
        send(look_up(name)[0], name, PORT)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()""", count=20)


arrives("a command of another user", "exact.test", """
    assert os.geteuid() == 65534
    send(look_up("exact.test")[0], "exact.test", PORT)""", options=["--user", "65534:65534"])


@tap.test("two runs at a time, each with its own rule")
def two_runs():
    program = """
        for name, port in ("one.test", PORT_0), ("exact.test", PORT_1):
            send(look_up(name)[0], name, port)
        print("sent", flush=True)
        sys.stdin.readline()"""
    with Trial("one.test", servers=2) as first, Trial("exact.test:{PORT_1}", servers=2) as second:
        for trial in first, second:
            trial.start(program)
        for trial in first, second:  # both are still there when both have sent
            tap.check_equal(trial.read_line(), "sent", "the application's word")
        for trial in first, second:
            trial.finish(b"\n")
        first.check_swapped(server=0)
        first.check_left("host", "port", server=1)
        second.check_left("host", "port", server=0)
        second.check_swapped(server=1)


# --- statements of the machine ---------------------------------------------

@tap.test("the hosts file that kloak sees: nobody is asked")
def hosts_file():
    path = tap.scratch("hosts")
    with open(path, "w") as file:
        file.write("10.53.1.9 stated.test\nfd53:0:0:1::9 stated.test\n")
    prefix = namespace.mounted((path, "/etc/hosts"), (dns.resolv_conf("127.0.0.9"),
                                                      "/etc/resolv.conf"))
    with Trial("stated.test", prefix=prefix) as trial:
        trial.run("""
            for family in socket.AF_INET, socket.AF_INET6:
                send(look_up("stated.test", family)[0], "stated.test", PORT)""")
        trial.check_swapped(2)


# --- rules of addresses, which ask no resolver -----------------------------

arrives("an IPv4 prefix", "10.53.1.0/24", """
    send("10.53.1.200", "whatever.test", PORT)
    send("10.53.1.201", None, PORT)""", count=2)
arrives("an IPv6 prefix", "[fd53:0:0:1::]/64", """
    send("fd53:0:0:1::77", "whatever.test", PORT)""")
arrives("an IPv4 address, through an IPv6 socket", "10.53.1.200", """
    send("::ffff:10.53.1.200", "whatever.test", PORT)""")
arrives("an IPv4 prefix, through an IPv6 socket", "10.53.1.128/25", """
    send("::ffff:10.53.1.200", None, PORT)""")

tap.main(__doc__, workers=4)
