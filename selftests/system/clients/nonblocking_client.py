# SPDX-License-Identifier: GPL-2.0-only
"""Python's ssl on a plain non-blocking socket: SSL_write is repeated until all is sent."""
import select
import socket
import ssl

import plan as plans


waits = 0  # times that the kernel took only a part of what there was to send


def retry(sock, operation, *arguments):
    global waits
    while True:
        try:
            return operation(*arguments)
        except ssl.SSLWantReadError:
            select.select([sock], [], [])
        except ssl.SSLWantWriteError:
            waits += 1
            select.select([], [sock], [])


def connect(plan):
    family = socket.AF_INET6 if ":" in plan.address else socket.AF_INET
    plain = socket.socket(family)
    if plan.send_buffer:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, plan.send_buffer)
    plain.connect((plan.address, plan.port))
    plain.setblocking(False)
    tls = plan.context().wrap_socket(plain, server_hostname=plan.name,
                                     do_handshake_on_connect=False)
    retry(tls, tls.do_handshake)
    return tls


def main():
    plan = plans.load()
    tls = connect(plan)
    for request in plan.wire():
        sent = 0
        while sent < len(request):
            sent += retry(tls, tls.send, request[sent:])
        answer = b""
        while not answer.endswith(b"ok"):
            answer += retry(tls, tls.recv, 4096)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
    print(waits)
    plan.pause()


main()
