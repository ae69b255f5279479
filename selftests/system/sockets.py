#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The verdict belongs to the connection that carries the record, whatever socket that is.

The address is the right one and was verified, unless a test says otherwise: what is
wrong is how the socket was made, or that the process has others.
"""
import socket
import ssl
import subprocess
import threading
import time

from lib import build, dns, namespace, servers, tap, trial as trials
from lib.trial import Trial

TRUTH, TRUTH6, LIE = "10.53.1.1", "fd53:0:0:1::1", "10.53.1.66"
RESOLVER = "10.53.2.53"
HERE = namespace.HERE[0]
WRITES = 10000
RACES = 500
RACE = build.Made(build.race_library)

trials.prepare(RESOLVER)
dns.Dnsmasq([RESOLVER], [("api.test", TRUTH, 60), ("api.test", TRUTH6, 60)])
NAMES = "TRUTH, TRUTH6, LIE = %r\n" % ((TRUTH, TRUTH6, LIE),) + '''
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
assert look_up("api.test") == [TRUTH]
assert look_up("api.test", socket.AF_INET6) == [TRUTH6]
'''


def program(text, **constants):
    return ("".join("%s = %r\n" % item for item in constants.items()) + NAMES
            + trials.dedent(text))


# --- sockets from elsewhere ------------------------------------------------

@tap.test("connected before the run, and inherited")
def inherited():
    with Trial("api.test") as trial, socket.create_connection((TRUTH, trial.port)) as plain:
        trial.run(program("""
            plain = socket.socket(fileno=FD)
            with secure(plain, "api.test") as tls:
                exchange(tls)""", FD=plain.fileno()), pass_fds=(plain.fileno(),))
        trial.check_left("unseen")


@tap.test("connected before the run, passed in during it")
def passed_in():
    path = tap.scratch("passed-in")
    with Trial("api.test") as trial, socket.socket(socket.AF_UNIX) as listener, \
            socket.create_connection((TRUTH, trial.port)) as plain:
        listener.bind(path)
        listener.listen()
        trial.start(program("""
            channel = socket.socket(socket.AF_UNIX)
            channel.connect(PATH)
            descriptors = socket.recv_fds(channel, 10, 1)[1]
            with secure(socket.socket(fileno=descriptors[0]), "api.test") as tls:
                exchange(tls)""", PATH=path))
        with listener.accept()[0] as channel:
            socket.send_fds(channel, [b"x"], [plain.fileno()])
            trial.finish()
        trial.check_left("unseen")


GIVER = """
listener = socket.socket(socket.AF_UNIX)
listener.bind(PATH)
listener.listen()
print("listening", flush=True)
with connect_plain(TRUTH, PORT) as plain, listener.accept()[0] as channel:
    socket.send_fds(channel, [os.environ["API_KEY"].encode()], [plain.fileno()])
    channel.recv(1)
"""
TAKER = """
channel = socket.socket(socket.AF_UNIX)
channel.connect(PATH)
held, descriptors = socket.recv_fds(channel, 100, 1)[:2]
if FOREIGN:
    os.environ["API_KEY"] = held.decode()
with secure(socket.socket(fileno=descriptors[0]), "api.test") as tls:
    exchange(tls)
"""


def passed_between_runs(title, foreign, *reasons):
    @tap.test(title)
    def run():
        path = tap.scratch("passed-%s" % foreign)
        with Trial("api.test") as giver, Trial("api.test:{PORT}") as taker:
            taker.rules = ["api.test:%d" % giver.port]
            giver.start(program(GIVER, PATH=path))
            giver.read_line()
            taker.run(program(TAKER, PATH=path, FOREIGN=foreign))
            giver.finish()
            held = giver.placeholder if foreign else taker.placeholder
            tap.check_equal(giver.seen(1), [trials.request(held)], "what the server got; %s, %s" % (
                giver.describe(), taker.describe()))
            tap.check_equal([(e["verdict"], e["reason"] in reasons) for e in taker.result.events],
                            [("refused", True)], "events of the taker: %s" % taker.describe())
            tap.check_equal(giver.result.verdicts("swapped"), [], "swapped by the giver")


passed_between_runs("passed from one run to another, which holds a grant for it too", False,
                    "unseen", "other-workload")
passed_between_runs("passed from one run to another, with the placeholder of the first", True,
                    "unknown-placeholder", "unseen")


@tap.test("passed from process to process of a run: served")
def passed_within():
    path = tap.scratch("passed-within")
    with Trial("api.test") as trial:
        trial.run(program("""
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(PATH)
            listener.listen()
            if os.fork() == 0:
                channel = socket.socket(socket.AF_UNIX)
                channel.connect(PATH)
                with connect_plain(TRUTH, PORT) as plain:
                    socket.send_fds(channel, [b"x"], [plain.fileno()])
                os._exit(0)
            with listener.accept()[0] as channel:
                descriptors = socket.recv_fds(channel, 10, 1)[1]
            os.wait()
            with secure(socket.socket(fileno=descriptors[0]), "api.test") as tls:
                exchange(tls)""", PATH=path))
        trial.check_swapped()


@tap.test("accepted: the peer has the granted address and port")
def accepted():
    """Rule and address fit, but it was the peer that connected."""
    port, source = servers.free_port(), servers.free_port()
    authority = servers.Authority.get()
    context = ssl.create_default_context(cafile=authority.ca)
    with Trial("%s:%d" % (TRUTH, source), "api.test:%d" % source) as trial:
        trial.start(program("""
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(CERT, KEY)
            with socket.create_server((%r, LISTEN)) as listener:
                print("listening", flush=True)
                with tls.wrap_socket(listener.accept()[0], server_side=True) as connection:
                    connection.sendall(request())
                    connection.recv(1)""" % HERE, LISTEN=port,
                            CERT=authority.certificate("rsa"), KEY=authority.key("rsa")))
        trial.read_line()
        with namespace.socket_there() as peer:
            peer.bind((TRUTH, source))
            peer.connect((HERE, port))
            with context.wrap_socket(peer, server_hostname="api.test") as connection:
                got = connection.recv(1000)
        trial.finish()
        tap.check_equal(got, trials.request(trial.placeholder), "what the peer got")
        tap.check_equal([e.get("reason") for e in trial.result.events], ["unseen"], "events")


@tap.test("the verified address, in another network namespace")
def other_namespace():
    if subprocess.run(["unshare", "-Urn", "true"], stderr=subprocess.DEVNULL).returncode:
        tap.skip("this kernel gives no user namespace")
    received = tap.scratch("received")
    authority = servers.Authority.get()
    with Trial("api.test") as trial:
        trial.run("""
import subprocess
TRUTH = %r
if len(sys.argv) == 1:
    assert look_up("api.test") == [TRUTH]
    os.execvp("unshare", ["unshare", "-Urn", sys.executable, sys.argv[0], "there"])
for words in ("link set lo up", "address add %%s/32 dev lo" %% TRUTH):
    subprocess.run(["ip"] + words.split(), check=True)
server = subprocess.Popen(
    ["openssl", "s_server", "-quiet", "-accept", "%%s:%%d" %% (TRUTH, PORT), "-cert", %r,
     "-key", %r], stdin=subprocess.PIPE, stdout=open(%r, "wb"))
time.sleep(0.4)
with connect(TRUTH, "api.test", PORT) as tls:
    tls.sendall(request())
    time.sleep(0.3)
server.kill()
""" % (TRUTH, authority.certificate("rsa"), authority.key("rsa"), received))
        with open(received, "rb") as file:
            tap.check_equal(file.read(), trials.request(trial.placeholder),
                            "what the server got; %s" % trial.describe())
        trial.check_left("network-namespace", requests=0)


# --- connected again (AF_UNSPEC) -------------------------------------------

AGAIN = """
def disconnect(sock):
    assert libc.connect(sock.fileno(), ctypes.create_string_buffer(16), 16) == 0
    sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

def again(function, *arguments):
    # Kloak may refuse it. Then there is nothing more to try.
    try:
        return function(*arguments)
    except OSError as error:
        print("refused:", error)
        sys.exit(0)

def handshake():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(incoming, outgoing, server_hostname="api.test")
    plain = connect_plain(TRUTH, PORT)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            plain.sendall(outgoing.read())
            incoming.write(plain.recv(65536))
    return plain, tls, incoming, outgoing
"""


@tap.test("connected, then connected again to another address")
def connected_again():
    with Trial("api.test:{PORT}", "api.test:{PORT_1}", servers=2) as trial:
        trial.run(program(AGAIN + """
plain = connect_plain(TRUTH, PORT)
exchange(secure(plain.dup(), "api.test"))
disconnect(plain)
again(plain.connect, (LIE, PORT_1))
with secure(plain, "api.test") as tls:
    exchange(tls)"""))
        trial.check_swapped()
        if b"refused" not in trial.result.output:
            trial.check_left("address-not-verified", server=1)
        tap.check(trial.values["API_KEY"].encode() not in trial.servers[1].recorder.raw,
                  "the secret left")


class Bare:
    """A server at LIE, without TLS, which keeps what each connection sends."""

    def __init__(self):
        self.port, self.got = servers.free_port(), []
        self.listener = namespace.socket_there()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((LIE, self.port))
        self.listener.listen(512)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection = self.listener.accept()[0]
            connection.settimeout(10)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        got = bytearray()
        self.got.append(got)
        with connection:
            try:
                while data := connection.recv(65536):
                    got += data
            except OSError:
                pass


def key_of_first(title, *lines):
    """The application encrypts for the right host, with that one's keys, which it knows, and has
    the record leave on the same socket to another."""
    @tap.test("a record of the first connection, " + title)
    def run():
        bare = Bare()
        with Trial("api.test", "api.test:%d" % bare.port) as trial:
            trial.run(program(AGAIN + """
plain, tls, incoming, outgoing = handshake()
tls.write(request())
plain.sendall(outgoing.read())
answer = b""
while not answer.endswith(b"ok"):
    try:
        answer += tls.read(4096)
    except ssl.SSLWantReadError:
        incoming.write(plain.recv(65536))
disconnect(plain)
tls.write(request(target="/again"))
record = outgoing.read()
print(record.hex(), flush=True)
""" + "\n".join(lines) + """
time.sleep(0.2)
plain.close()""", LIAR=bare.port))
            tap.check_equal(trial.seen(1), [trials.request(trial.values["API_KEY"])], "the first")
            tap.check_equal([e["verdict"] for e in trial.result.events], ["swapped", "refused"],
                            "verdicts; %s" % trial.describe())
            tap.check(trial.result.events[1]["reason"] in ("no-key", "peer-changed", "unseen"),
                      trial.describe())
            words = trial.result.output.decode().split()
            got = wait_for(bare, 0 if "refused:" in words else len(words[0]) // 2)
            tap.check(got in (b"", bytes.fromhex(words[0])), "a changed record arrived")


def wait_for(bare, size):
    end = time.monotonic() + tap.HAPPENS
    while time.monotonic() < end:
        got = b"".join(map(bytes, bare.got))
        if len(got) >= size:
            return got
        time.sleep(0.01)
    raise tap.Failure("%d bytes arrived, not %d" % (len(got), size))


key_of_first("once it is connected again", "again(plain.connect, (LIE, LIAR))",
             "again(plain.sendall, record)")
key_of_first("while it connects again", "plain.setblocking(False)",
             "plain.connect_ex((LIE, LIAR))", "plain.setblocking(True)",
             "again(plain.sendall, record)")
key_of_first("in the SYN of the second (TCP_FASTOPEN_CONNECT)",
             "plain.setsockopt(socket.IPPROTO_TCP, 30, 1)",
             "again(plain.connect, (LIE, LIAR))", "again(plain.sendall, record)")
key_of_first("in the SYN of the second (MSG_FASTOPEN)",
             "again(plain.sendto, record, socket.MSG_FASTOPEN, (LIE, LIAR))")


@tap.test("a record on its way while the socket is connected again, %d times" % RACES)
def connected_meanwhile():
    """Between the verdict and TCP the socket is unlocked for a moment."""
    library, bare = RACE.get(), Bare()
    with Trial("api.test", "api.test:%d" % bare.port) as trial:
        trial.run(program(AGAIN + """
race = ctypes.CDLL(LIBRARY).race
race.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int,
                 ctypes.c_long]
for _ in range(RACES):
    plain, tls, incoming, outgoing = handshake()
    if outgoing.pending:
        plain.sendall(outgoing.read())
    tls.write(request())
    record = outgoing.read()
    print(record.hex(), flush=True)
    plain.settimeout(None)
    race(plain.fileno(), record, len(record), LIE.encode(), LIAR, random.randrange(60000))
    plain.close()
""", LIAR=bare.port, LIBRARY=library, RACES=RACES), timeout=tap.HANGS)
        records = {bytes.fromhex(word) for word in trial.result.output.decode().split()}
        time.sleep(0.2)
        changed = [got for got in map(bytes, bare.got)
                   if got and not any(record.startswith(got) for record in records)]
        tap.check(not changed, "%d changed records arrived elsewhere" % len(changed))


# --- packets led another way -----------------------------------------------

@tap.test("bound to a device before it connects")
def bound_to_device():
    with Trial("api.test") as trial:
        trial.run(program("""
            plain = socket.socket()
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"outside")
            plain.connect((TRUTH, PORT))
            with secure(plain, "api.test") as tls:
                exchange(tls)"""))
        trial.check_left("bound-device")


@tap.test("options that lead packets another way are refused: source routes, the device")
def led_elsewhere():
    with Trial("api.test") as trial:
        trial.run(program("""
            def refused(sock, level, option, value):
                try:
                    sock.setsockopt(level, option, value)
                except PermissionError:
                    return
                raise SystemExit("option %d of level %d was taken" % (option, level))

            plain = socket.socket()
            loose = bytes([131, 7, 4]) + socket.inet_aton(LIE) + bytes(1)
            refused(plain, socket.IPPROTO_IP, 4, loose)
            plain.connect((TRUTH, PORT))
            with secure(plain, "api.test") as tls:
                refused(tls, socket.IPPROTO_IP, 4, loose)
                refused(tls, socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
                exchange(tls)
            six = socket.socket(socket.AF_INET6)
            hop = socket.inet_pton(socket.AF_INET6, "fd53:0:0:1::66")
            route = struct.pack(">BBBBBBH", 0, 4, 4, 1, 1, 0, 0) + hop + hop
            refused(six, socket.IPPROTO_IPV6, 57, route)
            refused(six, socket.IPPROTO_IPV6, 5, route)
            six.connect((TRUTH6, PORT))
            with secure(six, "api.test") as tls:
                refused(tls, socket.IPPROTO_IPV6, 57, route)
                exchange(tls)"""))
        trial.check_swapped(2)


# --- what has left cannot be read back -------------------------------------

READ_BACK = """
def ask_for_stamps(sock):
    for option in 37, 65:  # SO_TIMESTAMPING, old and new; TX_SOFTWARE, SOFTWARE, TX_SCHED, TX_ACK
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, 2 | 16 | 256 | 512)
        except PermissionError:
            pass

incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context().wrap_bio(incoming, outgoing, server_hostname="api.test")
plain = socket.socket()
if EARLY:
    ask_for_stamps(plain)
plain.connect((TRUTH, PORT))
while True:
    try:
        tls.do_handshake()
        break
    except ssl.SSLWantReadError:
        plain.sendall(outgoing.read())
        incoming.write(plain.recv(65536))
if outgoing.pending:
    plain.sendall(outgoing.read())
ask_for_stamps(plain)
tls.write(request())
record = outgoing.read()
plain.sendmsg([record], [(socket.SOL_SOCKET, 37, struct.pack("=I", 2 | 256 | 512))])
time.sleep(0.3)
plain.setblocking(False)
try:
    while True:
        data = plain.recvmsg(65536, 1024, socket.MSG_ERRQUEUE)[0]
        at = data.find(record[:5])
        print("read back:", len(data), at >= 0 and data[at:at + len(record)] != record, flush=True)
except BlockingIOError:
    pass
"""


def read_back(title, early):
    @tap.test("a record as it left is not handed back " + title)
    def run():
        """The application has the keys, so it could read the secret in it."""
        with Trial("api.test") as trial:
            trial.run(program(READ_BACK, EARLY=early)).check_swapped()
            tap.check(b"True" not in trial.result.output, trial.describe())


read_back("with a timestamp (SO_TIMESTAMPING)", False)
read_back("with a timestamp that was asked for before it connected", True)


# --- no TCP connection, or one that begins otherwise -----------------------

def s_client_test(title, listen, connect, reason):
    """openssl s_client in the run and s_server there, over what is no TCP connection."""
    @tap.test(title)
    def run():
        port, authority = servers.free_port(), servers.Authority.get()
        values = {"path": tap.scratch("unix"), "port": port, "truth": TRUTH}
        server = subprocess.Popen(
            [*namespace.there(), "openssl", "s_server", "-quiet", "-cert",
             authority.certificate("rsa"), "-key", authority.key("rsa"),
             *(listen % values).split()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        tap.cleanup(server.kill)
        time.sleep(0.4)
        try:
            with Trial("api.test:%d" % port, TRUTH + ":%d" % port) as trial:
                trial.run(command=["sh", "-c", r"""getent ahosts api.test >&2
                    { printf 'GET / HTTP/1.1\r\nHost: host\r\nX-Api-Key: %s\r\n\r\n' "$API_KEY"
                    sleep 0.5; } | timeout 20 openssl s_client -quiet -no_ign_eof -CAfile "$CA" \
                    -servername api.test """ + connect % values])
                time.sleep(0.1)
                server.kill()
                got = server.communicate()[0]
                tap.check_equal(got, trials.request(trial.placeholder), "what the server got; %s"
                                % trial.describe())
                tap.check_equal([e.get("reason") for e in trial.result.events], [reason],
                                "events; %s" % trial.describe())
        finally:
            server.kill()
            server.wait()


s_client_test("UDP (DTLS)", "-dtls -accept %(truth)s:%(port)d -listen",
              "-dtls -connect %(truth)s:%(port)d", "unseen")
s_client_test("a unix socket", "-unix %(path)s", "-unix %(path)s", "unseen")


def fast_open(family, address):
    @tap.test("the ClientHello in the SYN (MSG_FASTOPEN), " + family)
    def run():
        with Trial("api.test") as trial:
            trial.run(program("""
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = context().wrap_bio(incoming, outgoing, server_hostname="api.test")
                plain = socket.socket(socket.%s)
                try:
                    tls.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                plain.sendto(outgoing.read(), socket.MSG_FASTOPEN, (%r, PORT))
                while True:
                    incoming.write(plain.recv(65536))
                    try:
                        tls.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        pass
                    finally:
                        if outgoing.pending:
                            plain.sendall(outgoing.read())
                info = plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
                assert info[5] & 32, "the ClientHello was not in the SYN"
                tls.write(request())
                plain.sendall(outgoing.read())
                time.sleep(0.3)""" % (family, address)))
            trial.check_left("no-client-hello")


@tap.test("the ClientHello in the SYN (TCP_FASTOPEN_CONNECT): curl --tcp-fastopen")
def fast_open_connect():
    with Trial("api.test") as trial:
        trial.run(command=["sh", "-c", """exec curl -sS --http1.1 --tcp-fastopen --cacert "$CA" \
            -H User-Agent: -H Accept: -H "Host: host" -H "X-Api-Key: $API_KEY" -4 \
            https://api.test:%d/""" % trial.port])
        trial.check_left("no-client-hello")


@tap.test("MPTCP")
def multipath():
    with Trial("api.test") as trial:
        try:
            socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).close()
        except OSError as error:
            tap.skip("no MPTCP: %s" % error)
        trial.run(program("""
            plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
            plain.connect((TRUTH, PORT))
            with secure(plain, "api.test") as tls:
                exchange(tls)"""))
        trial.check_left("unseen")


fast_open("AF_INET", TRUTH)
fast_open("AF_INET6", TRUTH6)


# --- two connections of one process ----------------------------------------

def interleaved(title, text):
    """On both the process writes the same placeholder, WRITES times, numbered."""
    @tap.test(title)
    def run():
        with Trial("api.test:{PORT}", "api.test:{PORT_1}", servers=2) as trial:
            trial.run(program("""
                good, bad = connect(TRUTH, "api.test", PORT), connect(LIE, "api.test", PORT_1)

                def line(number):
                    return b"%05d %s\\n" % (number, os.environ["API_KEY"].encode())
                """, WRITES=WRITES) + trials.dedent(text) + "\ngood.close()\nbad.close()\n",
                      timeout=tap.HANGS)
            for server, key in enumerate((trial.values["API_KEY"], trial.placeholder)):
                want = b"".join(b"%05d %s\n" % (n, key.encode()) for n in range(WRITES))
                got = received(trial.servers[server], len(want))
                tap.check_equal(got.count(trial.values["API_KEY"].encode()),
                                (WRITES, 0)[server], "secrets at server %d" % server)
                tap.check(got == want, "server %d got something else; %s" % (
                    server, trial.describe()))
            kinds = {(e["verdict"], e.get("reason"), e["address"], e["port"])
                     for e in trial.result.events}
            tap.check_equal(kinds, {
                ("swapped", None, TRUTH, trial.servers[0].port),
                ("refused", "address-not-verified", LIE, trial.servers[1].port)}, "events")


def received(server, size, seconds=tap.HAPPENS):
    end = time.monotonic() + seconds
    while len(server.recorder.raw) < size and time.monotonic() < end:
        time.sleep(0.02)
    return server.recorder.raw


interleaved("%d writes on both of two connections, two threads at a time" % WRITES, """
    together = threading.Barrier(2)

    def work(tls):
        for number in range(WRITES):
            together.wait()
            tls.sendall(line(number))
    threads = [threading.Thread(target=work, args=(tls,)) for tls in (good, bad)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    """)
interleaved("%d writes on both of two connections, one thread in turns" % WRITES, """
    for number in range(WRITES):
        for tls in (good, bad) if number % 2 else (bad, good):
            tls.sendall(line(number))
    """)

tap.main(__doc__, workers=3)
