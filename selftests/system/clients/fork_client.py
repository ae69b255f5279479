# SPDX-License-Identifier: GPL-2.0-only
"""argv: plan, requests before the fork. The child goes on with the connection, the parent waits."""
import os
import socket
import sys

import plan as plans


def exchange(tls, request):
    tls.sendall(request)
    answer = b""
    while not answer.endswith(b"ok"):
        answer += tls.recv(4096)


plan = plans.load()
before = int(sys.argv[2])
tls = plan.context().wrap_socket(socket.create_connection((plan.address, plan.port)),
                                 server_hostname=plan.name)
requests = list(plan.wire())
for request in requests[:before]:
    exchange(tls, request)
child = os.fork()
if child == 0:
    for request in requests[before:]:
        exchange(tls, request)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
