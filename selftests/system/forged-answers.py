#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""False answers of name servers verify nothing, whoever sends them.

The application is the attacker, alone or with a helper on the network: it asks
whatever it likes, answers itself, and then connects to LIE under the right name.
The helper can put any source address on a packet.
"""
import subprocess
import threading
import time

from lib import dns, dnswire, namespace, tap, trial as trials
from lib.trial import Trial

TRUTH, LIE = "10.53.1.1", "10.53.1.66"
TRUTH6, LIE6 = "fd53:0:0:1::1", "fd53:0:0:1::66"
RESOLVER, RESOLVER6 = "10.53.2.53", "fd53:0:0:2::35"
UNTRUSTED, UNTRUSTED6, ZONE = "10.53.2.66", "fd53:0:0:2::66", "10.53.2.67"
HERE, HERE6 = namespace.HERE
LOCAL = "127.0.0.53"
RECORDS = [("api.test", TRUTH, 60), ("api.test", TRUTH6, 60), ("other.test", "10.53.1.2", 60)]
LIES = [("api.test", LIE, 60), ("api.test", LIE6, 60)]

trials.prepare(RESOLVER)
dns.Dnsmasq([RESOLVER, RESOLVER6], RECORDS, options=["server=/evil.test/" + ZONE])
dns.Dnsmasq([UNTRUSTED, UNTRUSTED6], LIES)
forger = dns.Forger()

COMMON = "".join("%s = %r\n" % (name, globals()[name]) for name in (
    "TRUTH", "TRUTH6", "LIE", "LIE6", "RESOLVER", "RESOLVER6", "UNTRUSTED", "UNTRUSTED6", "HERE",
    "HERE6", "LOCAL")) + '''
def lie_of(data, *addresses):
    return dnswire.Query(data).addresses(*(addresses or (LIE, LIE6)))

def serve(sock, count=1):
    """Answers queries with the lie."""
    def work():
        for _ in range(count):
            data, source = sock.recvfrom(4096)
            sock.sendto(lie_of(data), source)
    threading.Thread(target=work, daemon=True).start()

def bound(address, port, *options, kind=socket.SOCK_DGRAM):
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    for option in options:
        sock.setsockopt(*option)
    sock.bind((address, port))
    return sock

REUSE = (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
REUSE_PORT = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
FREEBIND = (socket.IPPROTO_IP, 15, 1)
FREEBIND6 = (socket.IPPROTO_IPV6, 78, 1)

def answers_lie(data, *lies):
    assert data and dnswire.addresses_in(data) == list(lies or (LIE,)), data
'''
# TCP connections to servers that are not trusted need not be read.
NOT_WATCHED = "address-not-verified resolver-not-trusted"
# The endpoint of the resolver has become the application's: which word is used is not promised.
TAKEN = "address-not-verified resolver-not-trusted query-not-matched"


def stays(title, reasons, program, count=1, rules=("api.test",), **options):
    @tap.test(title)
    def run():
        with Trial(*rules, **options) as trial:
            trial.run(COMMON + trials.dedent(program))
            trial.check_left(*reasons.split(), count=count)


# --- servers that are not trusted ------------------------------------------

stays("a resolver of the network that is not trusted", "resolver-not-trusted", """
    answers_lie(ask(UNTRUSTED, "api.test"))
    send(LIE, "api.test", PORT)""")
stays("a resolver of the network that is not trusted, IPv6", "resolver-not-trusted", """
    answers_lie(ask(UNTRUSTED6, "api.test", dnswire.AAAA), LIE6)
    send(LIE6, "api.test", PORT)""")
stays("a resolver of the network that is not trusted, by TCP", NOT_WATCHED, """
    answers_lie(ask_by_tcp(UNTRUSTED, "api.test"))
    send(LIE, "api.test", PORT)""")
stays("a resolver of /etc/resolv.conf, when others are named", "resolver-not-trusted", """
    answers_lie(ask(RESOLVER, "api.test"), TRUTH)
    send(TRUTH, "api.test", PORT)""", resolvers=[UNTRUSTED])
stays("a resolver in the application, 127.0.0.7", "resolver-not-trusted", """
    serve(bound("127.0.0.7", 53))
    answers_lie(ask("127.0.0.7", "api.test"))
    send(LIE, "api.test", PORT)""")
stays("a resolver in the application, at another port", "address-not-verified", """
    serve(bound("127.0.0.1", 5353))
    answers_lie(ask("127.0.0.1", "api.test", port=5353))
    send(LIE, "api.test", PORT)""")
stays("a resolver in a child of the application, by TCP", NOT_WATCHED, """
    listener = bound("127.0.0.7", 53, REUSE, kind=socket.SOCK_STREAM)
    listener.listen()
    if os.fork() == 0:
        with listener.accept()[0] as connection:
            data = connection.recv(4096)
            answer = lie_of(data[2:])
            connection.sendall(struct.pack(">H", len(answer)) + answer)
        os._exit(0)
    answers_lie(ask_by_tcp("127.0.0.7", "api.test"))
    send(LIE, "api.test", PORT)""")


@tap.test("the port of a trusted resolver counts")
def other_port_of_trusted():
    address = dns.new_address()
    with dns.Dnsmasq([address], RECORDS), \
            dns.Scripted(address, lambda query, reply: reply(query.addresses(LIE)), port=5353):
        with Trial("api.test", resolvers=[address]) as trial:
            trial.run(COMMON + """
answers_lie(ask("%s", "api.test", port=5353))
send(LIE, "api.test", PORT)""" % address)
            trial.check_left("address-not-verified")


# --- the application as the trusted resolver -------------------------------

def sent_by_application(name, resolver, here, asked):
    """Nobody has the resolver's address; its packets come over the loopback."""
    stays("the application sends from the trusted resolver's address and port, to " + name,
          TAKEN, """
        resolver = bound(%r, 53, FREEBIND6)
        mine = bound(%r, 0)
        mine.settimeout(5)
        query = dnswire.query(77, "api.test", dnswire.AAAA)
        try:
            mine.sendto(query, (%r, 53))
        except OSError:
            assert not %r
        resolver.sendto(lie_of(query), mine.getsockname()[:2])
        answers_lie(mine.recv(4096), LIE6)
        send(LIE6, "api.test", PORT)""" % (resolver, here, resolver, asked), resolvers=[resolver])


sent_by_application("its address on the network", "fd53:0:0:2::91", HERE6, True)
sent_by_application("its loopback address", "fd53:0:0:2::92", "::1", False)
stays("the application binds the trusted resolver's address and port, IPv4", TAKEN, """
    resolver = bound(RESOLVER, 53, FREEBIND)
    mine = bound(HERE, 7777)
    mine.sendto(dnswire.query(77, "api.test"), (RESOLVER, 53))
    try:
        resolver.sendto(lie_of(dnswire.query(77, "api.test")), (HERE, 7777))
    except OSError:
        pass
    send(LIE, "api.test", PORT)""")

LOCAL_RESOLVER = dns.Dnsmasq([LOCAL], RECORDS, where=namespace.here())


def beside(option):
    stays("the application binds the local resolver's port too, with " + option, TAKEN, """
        try:
            resolver = bound(LOCAL, 53, %s)
        except OSError as error:
            print("could not bind:", error)
            send(LIE, "api.test", PORT)
            sys.exit(0)
        mine = bound("127.0.0.1", 0)
        mine.settimeout(1)
        query = dnswire.query(77, "api.test")
        mine.sendto(query, (LOCAL, 53))
        resolver.sendto(lie_of(query), mine.getsockname())
        resolver.sendto(lie_of(query), mine.getsockname())
        answers = [dnswire.addresses_in(mine.recv(4096)) for _ in range(2)]
        assert [LIE] in answers, answers
        send(LIE, "api.test", PORT)""" % option, resolvers=[LOCAL])


beside("REUSE")
beside("REUSE, REUSE_PORT")


@tap.test("the application kills the local resolver and takes its place")
def in_place_of_resolver():
    address = "127.0.0.%d" % 99
    with dns.Dnsmasq([address], RECORDS, where=namespace.here()) as victim:
        with Trial("api.test", resolvers=[address]) as trial:
            trial.run(COMMON + """
os.kill(%d, 9)
time.sleep(0.3)
serve(bound("%s", 53))
answers_lie(ask("%s", "api.test"))
send(LIE, "api.test", PORT)""" % (victim.process.pid, address, address))
            trial.check_left(*TAKEN.split())


@tap.test("the application takes the place of the local resolver, by TCP")
def in_place_of_resolver_tcp():
    address = "127.0.0.%d" % 98
    with Trial("api.test", resolvers=[address]) as trial:
        trial.run(COMMON + """
listener = bound("%s", 53, REUSE, kind=socket.SOCK_STREAM)
listener.listen()
def work():
    with listener.accept()[0] as connection:
        answer = lie_of(connection.recv(4096)[2:])
        connection.sendall(struct.pack(">H", len(answer)) + answer)
threading.Thread(target=work, daemon=True).start()
answers_lie(ask_by_tcp("%s", "api.test"))
send(LIE, "api.test", PORT)""" % (address, address))
        trial.check_left(*TAKEN.split())


stays("asked by a socket that is bound to a device", "address-not-verified query-not-matched", """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"outside")
    answers_lie(ask(RESOLVER, "api.test", sock=sock), TRUTH)
    send(TRUTH, "api.test", PORT)""")


# --- forged answers from the network ---------------------------------------

def forged(title, reasons, forge, question="api.test", kind=dnswire.A, pause=0.0, ask=True,
           address=LIE, deaf=True, name="api.test"):
    """The application asks at its port 7777 + n, tells it, and waits until forge(...) has sent.

    forge(source, destination, query): source is the trusted resolver's address and port. The
    resolver does not answer (deaf), or has answered before."""
    @tap.test(title)
    def run():
        resolver = dns.new_address()

        def answer(query, reply):
            if not deaf:
                reply(query.addresses(TRUTH))
        with dns.Scripted(resolver, answer), \
                Trial("api.test", "other.test:1", resolvers=[resolver]) as trial:
            trial.start(COMMON + """
mine, other = bound(HERE, 0), bound(HERE, 0)
if %r:
    mine.sendto(dnswire.query(1000, %r, %r), (%r, 53))
    if not %r:
        mine.recv(4096)
print(mine.getsockname()[1], other.getsockname()[1], flush=True)
sys.stdin.readline()
for sock in mine, other:
    sock.settimeout(0.1)
    try:
        while True:
            print("received", dnswire.addresses_in(sock.recv(4096)), flush=True)
    except TimeoutError:
        pass
send(%r, %r, PORT)""" % (ask, question, kind, resolver, deaf, address, name))
            mine, other = (int(word) for word in trial.read_line().split())
            time.sleep(pause)
            query = dnswire.Query(dnswire.query(1000, question, kind))
            forge((resolver, 53), (HERE, mine), (HERE, other), query)
            trial.finish(b"\n")
            tap.check(b"received" in trial.result.output, "the forged answer did not arrive: %s"
                      % trial.describe())
            trial.check_left(*reasons.split())


forged("an answer to no query", "query-not-matched",
       lambda source, mine, other, query: forger.send(query.addresses(LIE), source, mine),
       ask=False)
forged("an answer with another id", "query-not-matched",
       lambda source, mine, other, query: [
           forger.send(query.answer([dnswire.address("api.test", LIE)], number=number), source, mine)
           for number in (0, 999, 1001, 65535)])
forged("an answer to another port of the application", "query-not-matched",
       lambda source, mine, other, query: forger.send(query.addresses(LIE), source, other))
forged("an answer from another port of the resolver", "address-not-verified",
       lambda source, mine, other, query: forger.send(
           query.addresses(LIE), (source[0], 5353), mine))
forged("an answer from another address", "resolver-not-trusted",
       lambda source, mine, other, query: forger.send(
           query.addresses(LIE), (UNTRUSTED, 53), mine))
forged("an answer to another question: name", "query-not-matched",
       lambda source, mine, other, query: forger.send(dnswire.Query(dnswire.query(
           1000, "api.test")).addresses(LIE), source, mine), question="other.test")
forged("an answer to another question: type", "query-not-matched",
       lambda source, mine, other, query: forger.send(dnswire.Query(dnswire.query(
           1000, "api.test")).addresses(LIE), source, mine), kind=dnswire.AAAA)
forged("an answer without the question", "query-not-matched address-not-verified",
       lambda source, mine, other, query: forger.send(dnswire.message(
           1000, dnswire.RESPONSE, [], [dnswire.address("api.test", LIE)]), source, mine))
forged("an answer that is marked as a query", "query-not-matched address-not-verified",
       lambda source, mine, other, query: forger.send(query.answer(
           [dnswire.address("api.test", LIE)], flags=dnswire.QUERY), source, mine))
forged("a second answer, when the right one has come", "query-not-matched",
       lambda source, mine, other, query: forger.send(query.addresses(LIE), source, mine),
       deaf=False)
forged("an answer more than 15 seconds late", "query-not-matched",
       lambda source, mine, other, query: forger.send(query.addresses(LIE), source, mine),
       pause=15.5)


# --- answers of a trusted resolver, of which parts are an attacker's -------

def poisoned(title, make, question="evil.test", target="api.test", rules=("api.test",),
             reasons="query-not-matched address-not-verified", address=LIE):
    """The trusted resolver passes on what make(query) returns. That must not verify the address."""
    @tap.test(title)
    def run():
        resolver = dns.new_address()
        with dns.Scripted(resolver, lambda query, reply: reply(make(query))), \
                Trial(*rules, resolvers=[resolver]) as trial:
            trial.run(COMMON + """
assert ask(%r, %r)
send(%r, %r, PORT)""" % (resolver, question, address, target))
            trial.check_left(*reasons.split())


API = dnswire.address("api.test", LIE)
OWN = dnswire.address("evil.test", "10.53.1.67")

poisoned("another name in the answer", lambda query: query.answer([OWN, API]))
poisoned("another name in the additional section", lambda query: query.answer([OWN], (), [API]))
poisoned("another name in the authority section", lambda query: query.answer([OWN], [API]))
poisoned("the name itself, but in the additional section",
         lambda query: query.answer([], [], [API]), question="api.test")
poisoned("the name itself, but in the authority section",
         lambda query: query.answer([], [API]), question="api.test")
poisoned("a wrong owner after an alias", lambda query: query.answer(
    [dnswire.alias("api.test", "x.test"), dnswire.address("y.test", LIE)]), question="api.test")
poisoned("an alias whose owner nobody asked for", lambda query: query.answer(
    [dnswire.alias("x.test", "y.test"), dnswire.address("y.test", LIE)]), question="api.test")
poisoned("an alias from the attacker's name to the right one", lambda query: query.answer(
    [dnswire.alias("evil.test", "api.test"), API]))
poisoned("the same, where the attacker's name has a rule too", lambda query: query.answer(
    [dnswire.alias("evil.test", "api.test"), API]), rules=("api.test:{PORT}", "evil.test:1"))
poisoned("a name that ends like the question", lambda query: query.answer(
    [dnswire.address("x.api.test", LIE)]), question="api.test")
poisoned("a name that is the end of the question", lambda query: query.answer(
    [dnswire.address("test", LIE)]), question="api.test")
# What is no host name must not become one when it is written as text.
poisoned("a name with a dot inside of a label", lambda query: query.answer(
    [dnswire.address(dnswire.POINTER_TO_QUESTION, LIE)]), question=b"\x08api.test\0")
poisoned("a name with a zero after the right one", lambda query: query.answer(
    [dnswire.address(dnswire.POINTER_TO_QUESTION, LIE)]), question=b"\x03api\x06test\0x\0")
poisoned("a name with a dot inside of a label, below a wildcard", lambda query: query.answer(
    [dnswire.address(dnswire.POINTER_TO_QUESTION, LIE)]), question=b"\x06x.wild\x04test\0",
         rules=("*.wild.test",), target="x.wild.test")
poisoned("a record of another class", lambda query: query.answer(
    [dnswire.name("api.test") + dnswire.struct.pack(">HHIH", dnswire.A, 3, 60, 4)
     + bytes(map(int, LIE.split(".")))]), question="api.test")
poisoned("a failure (SERVFAIL) with an address", lambda query: query.answer(
    [API], flags=dnswire.RESPONSE | dnswire.SERVFAIL), question="api.test")


@tap.test("the attacker's zone behind a real resolver")
def zone():
    with dns.Scripted(ZONE, lambda query, reply: reply(query.answer(
            [dnswire.alias(query.host, "api.test"), API], (), [API]))):
        with Trial("api.test:{PORT}", "*.evil.test:1") as trial:
            trial.run(COMMON + """
answer = ask(RESOLVER, "x.evil.test")
assert LIE in dnswire.addresses_in(answer), answer
send(LIE, "api.test", PORT)""")
            trial.check_left("query-not-matched", "address-not-verified")


def framed(data):
    return dnswire.struct.pack(">H", len(data)) + data


def smuggled(size):
    @tap.test("a record of %d bytes in an answer by TCP, full of forged answers" % size)
    def run():
        """Whoever loses count of the bytes takes one of them for a message. The question that
        they answer was asked before; the application chose its number."""
        resolver = dns.new_address()
        forged = framed(dnswire.Query(dnswire.query(77, "api.test")).addresses(LIE))

        def answer(query, reply):
            if query.host != "evil.test":
                return
            text = (forged * (size // len(forged) + 1))[:size]
            data = framed(query.answer([dnswire.record("evil.test", 16, text)]))
            for start in range(0, len(data), 1000):
                reply.connection.sendall(data[start:start + 1000])
                time.sleep(0.002)
        with dns.Scripted(resolver, answer, tcp=True), \
                Trial("api.test", resolvers=[resolver]) as trial:
            trial.run(COMMON + """
with socket.create_connection((%r, 53)) as resolver, resolver.makefile("rb") as stream:
    resolver.settimeout(10)
    for query in dnswire.query(77, "api.test"), dnswire.query(5, "evil.test", 16):
        resolver.sendall(struct.pack(">H", len(query)) + query)
    size = struct.unpack(">H", stream.read(2))[0]
    assert size > %d and len(stream.read(size)) == size
send(LIE, "api.test", PORT)""" % (resolver, size))
            trial.check_left("query-not-matched", "address-not-verified")


for the_size in (300, 4090, 5000, 60000):
    smuggled(the_size)

MALFORMED = {
    "a name that points at itself": lambda query: query.answer(
        [dnswire.address(b"\xc0" + bytes([12 + len(query.question)]), LIE)]),
    "names that point at each other": lambda query: query.answer(
        [dnswire.address(b"\xc0" + bytes([12 + len(query.question) + 16]), "10.53.1.9"),
         dnswire.address(b"\xc0" + bytes([12 + len(query.question)]), LIE)]),
    "more answers promised than there are": lambda query: query.addresses(LIE)[:6]
        + b"\xff\xff" + query.addresses(LIE)[8:10] + b"\0\0",
    "an answer cut off": lambda query: query.addresses(LIE)[:-1],
    "a length beyond the end": lambda query: query.answer(
        [dnswire.record("api.test", dnswire.A, b"\x0a\x35\x01\x42")[:-6] + b"\xff\xff\x0a\x35\x01\x42"]),
    "an address of another size": lambda query: query.answer(
        [dnswire.record("api.test", dnswire.A, b"\x0a\x35\x01\x42" * 4)]),
    "a label of 64 bytes": lambda query: query.answer(
        [dnswire.address(b"\x40" + b"a" * 64 + b"\0", LIE)]),
    "twelve bytes": lambda query: query.answer()[:12],
    "a loop of aliases": lambda query: query.answer(
        [dnswire.alias("api.test", "b.test"), dnswire.alias("b.test", "api.test")]),
}
for the_title, the_answer in MALFORMED.items():
    poisoned("malformed: " + the_title, the_answer, question="api.test")


# --- other sockets, other namespaces ---------------------------------------

INJECT = """
import subprocess

if len(sys.argv) > 1:  # in a network namespace of its own, where it is root
    port = int(sys.argv[1])
    for words in ("link set lo up", "address add %s/32 dev lo" % HERE):
        subprocess.run(["ip"] + words.split(), check=True)
    mine = bound(HERE, port)
    query = dnswire.query(77, "api.test")
    payload = lie_of(query)
    udp = struct.pack(">HHHH", 53, port, 8 + len(payload), 0) + payload
    source, target = socket.inet_aton(SERVER), socket.inet_aton(HERE)
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
    total = sum(struct.unpack(">10H", head + source + target))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    head = head[:10] + struct.pack(">H", ~total & 0xffff)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("lo", 0x0800))
        wire.send(b"\\0" * 12 + b"\\x08\\0" + head + source + target + udp)
    mine.settimeout(2)
    answers_lie(mine.recv(4096))
    sys.exit(0)
mine = bound(HERE, 0)
mine.sendto(dnswire.query(77, "api.test"), (SERVER, 53))
subprocess.run(["unshare", "-Urn", sys.executable, sys.argv[0], str(mine.getsockname()[1])],
               check=True)
send(LIE, "api.test", PORT)
"""


@tap.test("an answer injected in another network namespace, to a query of this one")
def injected():
    if subprocess.run(["unshare", "-Urn", "true"], stderr=subprocess.DEVNULL).returncode:
        tap.skip("this kernel gives no user namespace")
    resolver = dns.new_address()
    with dns.Scripted(resolver, lambda query, reply: None):
        with Trial("api.test", resolvers=[resolver]) as trial:
            trial.run(COMMON + "SERVER = %r\n" % resolver + INJECT)
            trial.check_left("address-not-verified", "query-not-matched")


def forged_lookup(title, forge):
    """The helper on the network sees kloak's own query, and is faster than the resolver. Kloak may
    turn to TCP then, where he can do nothing."""
    @tap.test("forged to kloak's own lookups (--resolve): " + title)
    def run():
        resolver = dns.new_address()

        def answer(query, reply):
            if hasattr(reply, "connection"):
                return reply(query.addresses(TRUTH))
            forge((resolver, 53), query.source, query)
            time.sleep(0.2)
            return reply(query.addresses(TRUTH))
        with dns.Scripted(resolver, answer, tcp=True), \
                Trial("api.test:{PORT}", "api.test:{PORT_1}", servers=2, resolvers=[resolver],
                      options=["--resolve"]) as trial:
            trial.run(COMMON + """
send(TRUTH, "api.test", PORT)
send(LIE, "api.test", PORT_1)""")
            trial.check_swapped()
            trial.check_left("address-not-verified", server=1)


forged_lookup("other ids", lambda source, kloak, query: [
    forger.send(query.answer([API], number=(query.number + step) % 65536), source, kloak)
    for step in (1, 256, 40000)])
forged_lookup("another name", lambda source, kloak, query: forger.send(
    dnswire.Query(dnswire.query(query.number, "ape.test", query.kind)).addresses(LIE, LIE6),
    source, kloak))
forged_lookup("another type", lambda source, kloak, query: forger.send(
    dnswire.Query(dnswire.query(query.number, "api.test", 29 - query.kind)).addresses(LIE, LIE6),
    source, kloak))
forged_lookup("marked as a query", lambda source, kloak, query: forger.send(
    query.answer([API], flags=dnswire.QUERY), source, kloak))
forged_lookup("another address", lambda source, kloak, query: forger.send(
    query.addresses(LIE), (UNTRUSTED, 53), kloak))
forged_lookup("another port", lambda source, kloak, query: forger.send(
    query.addresses(LIE), (source[0], 5353), kloak))
forged_lookup("to another port of kloak's", lambda source, kloak, query: [
    forger.send(query.addresses(LIE), source, (kloak[0], kloak[1] ^ bit)) for bit in (1, 2, 4)])
forged_lookup("late", lambda source, kloak, query: threading.Timer(
    0.4, forger.send, (query.addresses(LIE), source, kloak)).start())

tap.main(__doc__, workers=4)
