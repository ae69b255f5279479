# SPDX-License-Identifier: GPL-2.0-only
"""Records what arrives, byte for byte, after TLS has been removed, and answers it as HTTP.

A Stream is one connection. A request ends after its header and the
Content-Length bytes of its body; anything that does not look like HTTP stays in
Stream.raw and is never answered.
"""
import os
import re
import socket
import threading

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Stream:
    def __init__(self):
        self.raw = bytearray()
        self.requests = []
        self._start = 0

    def feed(self, data):
        """Returns how many requests became complete."""
        self.raw += data
        count = 0
        while self._take_request():
            count += 1
        return count

    def forget(self):
        self.raw = bytearray()
        self.requests = []
        self._start = 0

    def _take_request(self):
        head_end = self.raw.find(b"\r\n\r\n", self._start)
        if head_end < 0:
            return False
        length = _LENGTH.search(self.raw, self._start, head_end + 2)
        end = head_end + 4 + (int(length.group(1)) if length else 0)
        if len(self.raw) < end:
            return False
        self.requests.append(bytes(self.raw[self._start:end]))
        self._start = end
        return True


class Recorder:
    """All connections of one server. Threads append; tests read when the clients are done."""

    def __init__(self):
        self.streams = []
        self.answer = threading.Event()  # cleared: requests are recorded, answers are held back
        self.answer.set()
        self.read_slowly = False

    @property
    def requests(self):
        return [request for stream in self.streams for request in stream.requests]

    @property
    def raw(self):
        return b"".join(bytes(stream.raw) for stream in self.streams)

    def forget(self):
        """Returns the requests so far and forgets them; only while nothing is arriving."""
        requests = self.requests
        for stream in self.streams:
            stream.forget()
        return requests

    def serve(self, read, write):
        """Serves one connection until its end."""
        stream = Stream()
        self.streams.append(stream)
        while True:
            data = read()
            if not data:
                return
            for _ in range(stream.feed(data)):
                self.answer.wait()
                write(RESPONSE)

    def serve_socket(self, connection):
        with connection:
            try:
                self.serve(lambda: self._receive(connection), connection.sendall)
            except OSError:
                pass  # the peer went away: what it had sent is recorded

    def _receive(self, connection):
        if not self.read_slowly:
            return connection.recv(1 << 16)
        threading.Event().wait(0.002)
        return connection.recv(1500)

    def serve_pipe(self, reader, writer):
        def write(data):
            writer.write(data)
            writer.flush()
        try:
            self.serve(lambda: os.read(reader.fileno(), 1 << 16), write)
        except OSError:
            pass

    def listen(self, path):
        """Accepts connections on a unix socket, each in its own thread, until it is closed."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        os.chmod(path, 0o777)
        listener.listen(512)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener):
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve_socket, args=(connection,), daemon=True).start()
