# SPDX-License-Identifier: GPL-2.0-only
"""A TLS server: argv is port, certificate, key. Sends API_KEY to its first client."""
import os
import socket
import ssl
import sys

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    print("listening", flush=True)
    with context.wrap_socket(listener.accept()[0], server_side=True) as connection:
        connection.sendall(os.environ["API_KEY"].encode())
