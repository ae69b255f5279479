# SPDX-License-Identifier: GPL-2.0-only
"""The results as a page: Documentation/runtimes.md."""
from matrix import cells

_HEAD = """# Runtimes

What `make check-runtimes` found, written by `make runtimes-table`: every client
in every Debian suite that has it, against nginx with exactly one protocol version
and one cipher suite. Versions are what the programs say of themselves. How it
works and how to add a runtime: [testing.md](testing.md).

*passed*: a request under Kloak, where the client has the placeholder, and one
without, where it has the secret, were the same bytes at the server.
*not offered*: the client's ClientHello does not have that version or suite; the
note is what the client says when the server refuses it, without Kloak.

The last column is for tests made once per row: 1,000 requests on 20 connections
by 8 threads or tasks without a wrong byte (*volume*, where the client has
threads); no 8 bytes of the secret in the client's memory while its request is
under way (*memory*); a host that the secret was not granted for gets the
placeholder (*not granted*).

wolfSSL 5.7 always sends a GREASE ECH, with which no name is believed
([limits.md](limits.md)): there the secret is granted to the address. Not in the
table: mbedTLS 2.16, without the PSA interface that the client is written for;
wolfSSL 4.6, in which the client aborts without Kloak; native-tls with a Rust before
1.74 and rustls before 0.23, which the clients do not compile with.

"""


class _Notes:
    def __init__(self):
        self.texts = []

    def mark(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return " [%d]" % (self.texts.index(text) + 1)


def _cell(outcome, notes):
    result, reason = outcome
    if result == cells.PASSED:
        return result
    if result == cells.FAILED:
        result = "**failed**"
    return result + notes.mark(" ".join(reason.split())[:300])


def _checks(checks, notes):
    good = [name for name, (result, _) in checks.items() if result == cells.PASSED]
    return ", ".join(good + ["%s: %s" % (name, _cell(outcome, notes))
                             for name, outcome in checks.items() if outcome[0] != cells.PASSED])


def page(records):
    """records: of the rows of `run`, in their order."""
    notes = _Notes()
    heads = ["client", "version", "TLS library", "from"]
    heads += ["%s %s" % (tls, name) for tls, _, name in cells.SUITES] + ["and"]
    lines = ["| %s |" % " | ".join(heads), "|---" * len(heads) + "|"]
    for record in records:
        words = [record[name] for name in ("client", "version", "library", "origin")]
        words += [_cell(outcome, notes) for outcome in record["cells"]]
        words.append(_checks(record["checks"], notes))
        lines.append("| %s |" % " | ".join(word.replace("|", "\\|") for word in words))
    text = _HEAD + "\n".join(lines) + "\n"
    if notes.texts:
        text += "\n" + "\n".join("[%d] %s  " % item for item in enumerate(notes.texts, 1)) + "\n"
    return text
