#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An upstream for the stream benchmark: every GET is an endless event stream; POST /event?n=K sends one event to each.

An event's data is the sender's monotonic clock in nanoseconds, so a reader on the same machine can tell its latency.
"""
import asyncio
import os
import resource
import secrets
import time


async def main():
    streams = set()

    async def client(reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.split(b"\r\n"):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                body = await reader.readexactly(length)
                if head.startswith(b"GET"):
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
                                 b"Transfer-Encoding: chunked\r\n\r\n6\r\n: hi\n\n\r\n")
                    streams.add(writer)
                elif b" /event" in head.split(b"\r\n")[0]:
                    for n, stream in enumerate(list(streams)):
                        data = b"data: %d\n\n" % time.monotonic_ns()
                        stream.write(b"%x\r\n%s\r\n" % (len(data), data))
                        if n % 100 == 99:
                            await asyncio.sleep(0)
                    writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
                else:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                 b"Mcp-Session-Id: %s\r\nContent-Length: 36\r\n\r\n"
                                 b'{"jsonrpc":"2.0","id":0,"result":{}}' % secrets.token_hex(16).encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            streams.discard(writer)
            writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", int(os.environ["PORT"]), backlog=8192)
    await server.serve_forever()


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
asyncio.run(main())
