# SPDX-License-Identifier: GPL-2.0-only
"""argv: plan, when ("context", "handshake" or "request": what the parent has done before it forks).

A server that forks: its workers inherit the library and, except with "context", connections. Each
of the plan's workers makes the requests of its number.
"""
import os
import socket
import sys

import plan as plans


def connect(plan, context):
    return context.wrap_socket(socket.create_connection((plan.address, plan.port)),
                               server_hostname=plan.name)


def exchange(tls, request):
    tls.sendall(request)
    answer = b""
    while not answer.endswith(b"ok"):
        answer += tls.recv(4096)


def work(tls, requests):
    """In a child."""
    try:
        for request in requests:
            exchange(tls, request)
        os._exit(0)
    except BaseException as error:  # whatever it is, the child must not go on as its parent
        os.write(2, repr(error).encode())
        os._exit(1)


plan = plans.load()
when = sys.argv[2]
context = plan.context()
connections = [None if when == "context" else connect(plan, context) for _ in range(plan.workers)]
children = []
for number, tls in enumerate(connections):
    requests = list(plan.wire(number))
    if when == "request":
        exchange(tls, requests.pop(0))
    child = os.fork()
    if child == 0:
        work(tls or connect(plan, context), requests)
    children.append(child)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
