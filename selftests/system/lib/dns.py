# SPDX-License-Identifier: GPL-2.0-only
"""Name servers, in the namespace `there` unless said otherwise.

Dnsmasq is the real one. Scripted answers whatever a test makes it answer, like a broken
resolver, or like the server of an attacker's zone that a resolver asks.
"""
import itertools
import os
import signal
import socket
import struct
import subprocess
import threading
import time

from lib import dnswire, namespace, tap

_numbers = itertools.count()
_hosts = itertools.count(100)


def new_address():
    """An address for a resolver that belongs to one test."""
    return namespace.RESOLVER % next(_hosts)


class Dnsmasq:
    """records: (name, address, TTL), aliases: (name, target, TTL). Changeable: what is in hosts,
    {name: (address, ...)}, which has the TTL local_ttl."""

    def __init__(self, addresses, records=(), aliases=(), hosts=None, local_ttl=1, options=(),
                 where=None):
        where = namespace.there() if where is None else where
        directory = tap.scratch("dnsmasq-%d" % next(_numbers))
        os.mkdir(directory)
        self.hosts_path = directory + "/hosts"
        self._write_hosts(hosts or {})
        lines = ["keep-in-foreground", "user=root", "group=root", "pid-file=", "no-resolv",
                 "no-hosts", "no-poll", "bind-interfaces", "local-ttl=%d" % local_ttl, "local=/test/",
                 "addn-hosts=" + self.hosts_path, "log-facility=" + directory + "/log"]
        lines += ["listen-address=" + address for address in addresses]
        lines += ["host-record=%s,%s,%d" % record for record in records]
        lines += ["cname=%s,%s,%d" % alias for alias in aliases]
        with open(directory + "/conf", "w") as file:
            file.write("\n".join(lines + list(options)) + "\n")
        self.process = subprocess.Popen([*where, "dnsmasq", "-C", directory + "/conf"],
                                        stdin=subprocess.DEVNULL)
        tap.cleanup(self.stop)
        self._wait(len(addresses))

    def _wait(self, count):
        """Waits until it listens; TCP comes after UDP."""
        end = time.monotonic() + tap.HAPPENS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError("dnsmasq did not start")
            listening = 0
            for table in ("tcp", "tcp6"):
                with open("/proc/%d/net/%s" % (self.process.pid, table)) as rows:
                    listening += sum(self._listens(row.split()) for row in rows)
            if listening >= count and self._holds_sockets(count):
                return
            time.sleep(0.01)
        raise RuntimeError("dnsmasq does not listen")

    @staticmethod
    def _listens(fields):
        return fields[1].endswith(":0035") and fields[3] == "0A"

    def _holds_sockets(self, count):
        """Others may be listening in the namespace too."""
        directory = "/proc/%d/fd" % self.process.pid
        try:
            names = [os.readlink(directory + "/" + name) for name in os.listdir(directory)]
        except FileNotFoundError:  # it has just closed one
            return False
        return sum(name.startswith("socket:") for name in names) >= 2 * count

    def _write_hosts(self, hosts):
        with open(self.hosts_path, "w") as file:
            for name, addresses in hosts.items():
                for address in addresses:
                    file.write("%s %s\n" % (address, name))

    def change(self, hosts):
        self._write_hosts(hosts)
        self.process.send_signal(signal.SIGHUP)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Scripted:
    """answer(query, reply) is called for each query, in a thread of its own; reply(bytes) sends
    an answer. UDP, and TCP where tcp=True. queries: those that arrived, as dnswire.Query."""

    def __init__(self, address, answer, port=53, tcp=False, here=False):
        self.answer, self.queries = answer, []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        make = socket.socket if here else namespace.socket_there
        self.udp = make(family, socket.SOCK_DGRAM)
        self.udp.bind((address, port))
        self.sockets = [self.udp]
        threading.Thread(target=self._serve_udp, daemon=True).start()
        if tcp:
            listener = make(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            listener.listen()
            self.sockets.append(listener)
            threading.Thread(target=self._serve_tcp, args=(listener,), daemon=True).start()
        tap.cleanup(self.stop)

    def _serve_udp(self):
        while True:
            try:
                data, source = self.udp.recvfrom(4096)
            except OSError:
                return
            self._take(data, source, lambda answer, peer=source: self.udp.sendto(answer, peer))

    def _serve_tcp(self, listener):
        while True:
            try:
                connection, source = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_stream, args=(connection, source),
                             daemon=True).start()

    def _serve_stream(self, connection, source):
        def reply(answer):
            connection.sendall(struct.pack(">H", len(answer)) + answer)
        reply.connection = connection
        with connection, connection.makefile("rb") as stream:
            while True:
                size = stream.read(2)
                if len(size) < 2:
                    return
                self._take(stream.read(struct.unpack(">H", size)[0]), source, reply, wait=True)

    def _take(self, data, source, reply, wait=False):
        if len(data) < 17:
            return  # no query; and how a blocked recv() ends when the socket is shut down
        query = dnswire.Query(data)
        query.source = source
        self.queries.append(query)
        thread = threading.Thread(target=self._answer, args=(query, reply), daemon=True)
        thread.start()
        if wait:
            thread.join()

    def _answer(self, query, reply):
        try:
            self.answer(query, reply)
        except OSError:
            pass  # stopped, or the other side has gone

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for item in self.sockets:
            try:
                item.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            item.close()


class Forger:
    """Sends datagrams from there with any source address and port."""

    def __init__(self):
        self.raw = namespace.socket_there(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.raw6 = namespace.socket_there(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def send(self, payload, source, destination):
        """source, destination: (address, port). The checksums are right: nobody else drops it."""
        family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
        sender, receiver = (socket.inet_pton(family, end[0]) for end in (source, destination))
        size = 8 + len(payload)
        udp = struct.pack(">HHHH", source[1], destination[1], size, 0)
        pseudo = sender + receiver + struct.pack(">II", size, socket.IPPROTO_UDP)
        checksum = _checksum(pseudo + udp + payload) or 0xffff
        udp = udp[:6] + struct.pack(">H", checksum) + payload
        if family == socket.AF_INET6:
            head = struct.pack(">IHBB", 6 << 28, size, socket.IPPROTO_UDP, 64) + sender + receiver
            self.raw6.sendto(head + udp, (destination[0], 0))
        else:
            head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + size, 0, 0, 64, socket.IPPROTO_UDP, 0)
            self.raw.sendto(head + sender + receiver + udp, (destination[0], 0))


def _checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def resolv_conf(*addresses, options=""):
    """Writes such a file and returns its path."""
    path = tap.scratch("resolv-%d.conf" % next(_numbers))
    with open(path, "w") as file:
        file.writelines("nameserver %s\n" % address for address in addresses)
        if options:
            file.write("options %s\n" % options)
    return path
