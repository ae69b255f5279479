# SPDX-License-Identifier: GPL-2.0-only
"""argv: plan, connections. On each new connection, writes until the peer resets it."""
import socket
import sys

import plan as plans

plan = plans.load()
context = plan.context()
resets = 0
for _ in range(int(sys.argv[2])):
    try:
        with context.wrap_socket(socket.create_connection((plan.address, plan.port)),
                                 server_hostname=plan.name) as tls:
            for _ in range(2000):  # more than all buffers hold
                for request in plan.wire():
                    tls.sendall(request)
    except OSError:
        resets += 1
print(resets)
