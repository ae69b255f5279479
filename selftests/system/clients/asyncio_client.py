# SPDX-License-Identifier: GPL-2.0-only
"""Python's asyncio streams: TLS over memory buffers, non-blocking sockets, one task per worker."""
import asyncio
import socket

import plan as plans


class Worker:
    def __init__(self, plan, number, context):
        self.plan, self.number, self.context = plan, number, context
        self.reader = self.writer = None

    async def open(self):
        family = socket.AF_INET6 if ":" in self.plan.address else socket.AF_INET
        plain = socket.socket(family)
        if self.plan.send_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.plan.send_buffer)
        plain.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plain, (self.plan.address, self.plan.port))
        self.reader, self.writer = await asyncio.open_connection(
            sock=plain, ssl=self.context, server_hostname=self.plan.name or "")

    async def close(self):
        self.writer.close()
        await self.writer.wait_closed()

    async def exchange(self, request):
        self.writer.write(request)
        await self.writer.drain()
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        await self.reader.readexactly(2)

    async def run(self):
        await self.open()
        for count, request in enumerate(self.plan.wire(self.number)):
            if count and self.plan.fresh:
                await self.close()
                await self.open()
            await self.exchange(request)
        await self.close()


async def main():
    plan = plans.load()
    context = plan.context()
    await asyncio.gather(*(Worker(plan, n, context).run() for n in range(plan.workers)))
    plan.pause()


asyncio.run(main())
