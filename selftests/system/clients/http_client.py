# SPDX-License-Identifier: GPL-2.0-only
"""Python's http.client: blocking sockets, one thread per worker."""
import http.client
import socket
import threading

import plan as plans


class Connection(http.client.HTTPSConnection):
    """Connects to the plan's address, and sends the plan's name."""

    def __init__(self, plan, context):
        super().__init__(plan.address, plan.port, timeout=60, context=context)
        self._plan = plan
        self._tls = context

    def connect(self):
        plain = socket.create_connection((self._plan.address, self._plan.port), timeout=60)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self._plan.name)


def send(connection, method, target, headers, body):
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    response.read()
    assert response.status == 200, response.status


def work(plan, worker, failures):
    try:
        context = plan.context()
        connection = Connection(plan, context)
        for request in plan.parts(worker):
            send(connection, *request)
            if plan.fresh:
                connection.close()
                connection = Connection(plan, context)
        connection.close()
    except Exception as error:  # reported by main
        failures.append("worker %d: %r" % (worker, error))


def main():
    plan = plans.load()
    failures = []
    threads = [threading.Thread(target=work, args=(plan, n, failures))
               for n in range(plan.workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    plan.pause()
    if failures:
        raise SystemExit("\n".join(failures))


main()
