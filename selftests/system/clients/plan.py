# SPDX-License-Identifier: GPL-2.0-only
"""The plan that a client carries out: a JSON file, made by lib/clients.py.

{NAME} in a text of the plan stands for the environment variable NAME, which
under Kloak holds a placeholder; {WORKER} and {COUNT} tell requests apart.
"""
import json
import os
import re
import ssl
import sys

_VARIABLE = re.compile(r"\{([A-Z][A-Z0-9_]*)\}")


class Plan:
    def __init__(self, path):
        with open(path) as file:
            self.__dict__.update(json.load(file))

    def context(self):
        """A verifying TLS context; without a name to send there is no SNI and no name check."""
        context = ssl.create_default_context(cafile=self.ca)
        context.check_hostname = self.name is not None
        return context

    def wire(self, worker=0):
        """The bytes of every request of one worker."""
        for count in range(self.repeat):
            for request in self.requests:
                yield self._encode(request, {"WORKER": str(worker), "COUNT": str(count)})

    def parts(self, worker=0):
        """The same as (method, target, headers, body)."""
        for count in range(self.repeat):
            values = {"WORKER": str(worker), "COUNT": str(count)}
            for request in self.requests:
                yield (request["method"], self._fill(request["target"], values),
                       [(name, self._fill(value, values)) for name, value in request["headers"]],
                       self._fill(request["body"], values).encode())

    def _encode(self, request, values):
        body = self._fill(request["body"], values).encode()
        head = ["%s %s HTTP/1.1" % (self._fill(request["method"], values),
                                    self._fill(request["target"], values))]
        head += ["%s: %s" % (n, self._fill(v, values)) for n, v in request["headers"]]
        head.append("Content-Length: %d" % len(body))
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body

    @staticmethod
    def _fill(text, values):
        def value(match):
            name = match.group(1)
            return values[name] if name in values else os.environ[name]
        return _VARIABLE.sub(value, text)

    def pause(self):
        """Keeps the process unchanged until the test has looked at it."""
        if self.wait:
            print("ready", flush=True)
            sys.stdin.readline()


def load():
    return Plan(sys.argv[1])
