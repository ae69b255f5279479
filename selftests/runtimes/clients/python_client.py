# SPDX-License-Identifier: GPL-2.0-only
"""Python's HTTP libraries as clients: python_client.py http.client|requests|httpx|aiohttp

Environment: the contract of selftests/runtimes (Documentation/testing.md). Runs with
Python 3.9 and later.
"""
import asyncio
import http.client
import os
import socket
import ssl
import sys
import threading

ADDRESS, NAME = os.environ["TEST_ADDRESS"], os.environ["TEST_NAME"]
PORT = int(os.environ["TEST_PORT"])
CA = os.environ["TEST_CA"]
KEY = os.environ["API_KEY"]
REQUESTS = int(os.environ.get("TEST_REQUESTS", 1))
CONNECTIONS = int(os.environ.get("TEST_CONNECTIONS", 1))
THREADS = int(os.environ.get("TEST_THREADS", 1))
EVERYWHERE = os.environ.get("TEST_PLACES") == "all"
BASE = "https://%s:%d" % (NAME, PORT)
HEADERS = {"X-Api-Key": KEY}

_getaddrinfo = socket.getaddrinfo


def getaddrinfo(host, *arguments, **options):
    """The libraries are told the name only; this is where it leads."""
    return _getaddrinfo(ADDRESS if host == NAME else host, *arguments, **options)


def ask(connection, number):
    """Method, target and body of a request."""
    target = "/%d/%d" % (connection, number)
    if EVERYWHERE:
        return "POST", "%s?key=%s" % (target, KEY), '{"key": "%s"}' % KEY
    return "GET", target, None


def check(status):
    if status != 200:
        raise SystemExit("status %d" % status)


def with_http_client(connection):
    peer = http.client.HTTPSConnection(NAME, PORT, timeout=60,
                                       context=ssl.create_default_context(cafile=CA))
    for number in range(REQUESTS):
        method, target, body = ask(connection, number)
        peer.request(method, target, body, HEADERS)
        response = peer.getresponse()
        response.read()
        check(response.status)
    peer.close()


def with_requests(connection):
    import requests
    with requests.Session() as session:
        session.trust_env = False
        session.verify = CA
        for number in range(REQUESTS):
            method, target, body = ask(connection, number)
            check(session.request(method, BASE + target, data=body, headers=HEADERS,
                                  timeout=60).status_code)


def with_httpx(connection):
    import httpx
    with httpx.Client(verify=ssl.create_default_context(cafile=CA), trust_env=False,
                      timeout=60) as client:
        for number in range(REQUESTS):
            method, target, body = ask(connection, number)
            content = {} if body is None else {"data": body.encode()}
            check(client.request(method, BASE + target, headers=HEADERS, **content).status_code)


async def with_aiohttp():
    import aiohttp

    async def task(first):
        for connection in range(first, CONNECTIONS, THREADS):
            connector = aiohttp.TCPConnector(limit=1, ssl=ssl.create_default_context(cafile=CA))
            async with aiohttp.ClientSession(connector=connector) as session:
                for number in range(REQUESTS):
                    method, target, body = ask(connection, number)
                    async with session.request(method, BASE + target, data=body,
                                               headers=HEADERS) as response:
                        await response.read()
                        check(response.status)
    await asyncio.gather(*[task(first) for first in range(THREADS)])


def in_threads(serve):
    failures = []

    def work(first):
        try:
            for connection in range(first, CONNECTIONS, THREADS):
                serve(connection)
        except BaseException as error:  # the main thread tells it
            failures.append(error)
    threads = [threading.Thread(target=work, args=(first,)) for first in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def main():
    socket.getaddrinfo = getaddrinfo
    library = sys.argv[1]
    if library == "aiohttp":
        asyncio.run(with_aiohttp())
    else:
        in_threads({"http.client": with_http_client, "requests": with_requests,
                    "httpx": with_httpx}[library])


try:
    main()
except Exception as failure:
    sys.exit("%s: %s" % (type(failure).__name__, failure))
