# SPDX-License-Identifier: GPL-2.0-only
"""The clients that are compared: started together, they take turns."""
import contextlib

from lib import actors, rig as rigs


class Cast:
    """
    base        not under Kloak, its libraries not probed
    again       the same once more: any difference between these two is noise
    outside     not under Kloak, but uses the libraries that Kloak has probed
    inside      under kloak run
    by-address  the same with a rule of an address, which needs no programs that watch
                name servers (those see every packet)
    to-outside  as base, but the server is one that uses the probed libraries
    floor-*     empty programs instead of Kloak's: a probe at SSL_write's site, a
                sockhash with sk_msg, both, both with each message redirected to
                its own socket; for handshakes probes on EVP_KDF_derive
    """

    def __init__(self, rig, exits):
        self.clients = {}
        self.rig, self.exits = rig, exits
        self.server = self._serve("base")
        probed_server = self._serve("kloak")
        probed = rig.libraries("probed")["libssl"]
        both = rig.libraries("both")["libssl"]
        derive = rig.libraries("derive")["libcrypto"]
        self._start("base", "base")
        self._start("again", "base")
        self._start("outside", "kloak")
        self._start("inside", "kloak", actors.kloak_prefix(self.server))
        self._start("by-address", "address", actors.kloak_prefix(self.server, "127.0.0.1"))
        self._start("to-outside", "base", server=probed_server)
        self._start("floor-probe", "probed", actors.floor_prefix("-e", probed))
        self._start("floor-message", "base", actors.floor_prefix("-m"))
        self._start("floor-both", "both", actors.floor_prefix("-e", both, "-m"))
        self._start("floor-redirect", "both", actors.floor_prefix("-d"))
        self._start("floor-derive", "derive", actors.floor_prefix("-r", derive))

    def _serve(self, libraries):
        server = actors.Server(self.rig, libraries)
        self.exits.callback(server.stop)
        return server

    def _start(self, name, libraries, prefix=(), server=None):
        client = actors.Client(self.rig, server or self.server, name, libraries, prefix)
        self.exits.callback(client.stop)
        self.clients[name] = client

    def __getitem__(self, name):
        return self.clients[name]

    def connect(self, suite):
        # Without Kloak the client holds the secret itself.
        for client in self.clients.values():
            client.connect(suite, "S")


@contextlib.contextmanager
def cast(rig):
    with contextlib.ExitStack() as exits:
        clients = Cast(rig, exits)
        yield clients
    # A placeholder that was not swapped would have been measured as one that was.
    errors = clients["inside"].stderr_text() + clients["by-address"].stderr_text()
    if "left unchanged" in errors:
        raise rigs.CannotMeasure(errors)
