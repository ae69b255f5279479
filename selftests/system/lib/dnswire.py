# SPDX-License-Identifier: GPL-2.0-only
"""DNS messages as bytes, right ones and wrong ones. Used by tests and by their applications."""
import ipaddress
import struct

A, NS, CNAME, SOA, AAAA, OPT = 1, 2, 5, 6, 28, 41
TYPES = {4: A, 6: AAAA}
QUERY, RESPONSE = 0x0100, 0x8180
TRUNCATED, SERVFAIL, NXDOMAIN = 0x0200, 2, 3
POINTER_TO_QUESTION = b"\xc0\x0c"


def name(text):
    """Labels, uncompressed; bytes are not changed."""
    if isinstance(text, bytes):
        return text
    labels = [label for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def question(host, kind=A):
    return name(host) + struct.pack(">HH", kind, 1)


def record(owner, kind, data, ttl=60):
    return name(owner) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def address(owner, text, ttl=60):
    value = ipaddress.ip_address(text)
    return record(owner, TYPES[value.version], value.packed, ttl)


def alias(owner, target, ttl=60):
    return record(owner, CNAME, name(target), ttl)


def message(number, flags, questions, answers=(), authority=(), additional=()):
    sections = (questions, answers, authority, additional)
    return struct.pack(">HHHHHH", number, flags, *map(len, sections)) + b"".join(
        item for section in sections for item in section)


def query(number, host, kind=A):
    return message(number, QUERY, [question(host, kind)])


class Query:
    """A query as it arrived: .number, .host in lower case, .kind, and .question, its bytes."""

    def __init__(self, data):
        self.data = data
        self.number = struct.unpack_from(">H", data)[0]
        labels, place = [], 12
        while data[place]:
            labels.append(data[place + 1:place + 1 + data[place]].decode(errors="replace"))
            place += 1 + data[place]
        self.host = ".".join(labels).lower()
        self.kind = struct.unpack_from(">H", data, place + 1)[0]
        self.question = data[12:place + 5]

    def answer(self, answers=(), authority=(), additional=(), flags=RESPONSE, number=None):
        return message(self.number if number is None else number, flags, [self.question],
                       answers, authority, additional)

    def addresses(self, *texts, ttl=60):
        """The answer with those of the addresses that are of the kind asked for."""
        return self.answer([address(POINTER_TO_QUESTION, text, ttl) for text in texts
                            if TYPES[ipaddress.ip_address(text).version] == self.kind])


def addresses_in(data):
    """All A and AAAA records of a whole answer."""
    counts = struct.unpack_from(">HHHH", data, 4)
    place, found = 12, []
    for _ in range(counts[0]):
        place = _skip_name(data, place) + 4
    for _ in range(sum(counts[1:])):
        place = _skip_name(data, place)
        kind, _, _, size = struct.unpack_from(">HHIH", data, place)
        place += 10
        if kind in (A, AAAA):
            found.append(str(ipaddress.ip_address(data[place:place + size])))
        place += size
    return found


def _skip_name(data, place):
    while data[place]:
        if data[place] >= 0xc0:
            return place + 2
        place += 1 + data[place]
    return place + 1
