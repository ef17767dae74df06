#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds many idle event streams through the gateway, ends them, and again: the gateway's memory must come back.

Every stream has two connections. The first round warms up; what it leaves is the start that the later rounds are compared
with. Exits with 1 when a stream was lost, an event did not arrive, or more than --slack KiB stay after the last round.
"""
import argparse
import asyncio
import os
import resource
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from harness import Bench, arguments, cpu_seconds, memory_kib


def raise_limit(wanted):
    """Descriptors for this process and those it starts; more than the hard limit only root gets."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
    except (ValueError, OSError):
        sys.exit(f"{wanted} descriptors are needed, the hard limit is {hard}: raise it, or hold fewer --streams")


class Round:
    """One set of streams, from their first byte to their last."""

    def __init__(self, bench, url, pid, options, before):
        self.before = before
        host, self.path = url.removeprefix("http://").split("/", 1)
        self.port = int(host.split(":")[1])
        self.sessions = open(f"{bench.directory}/sealed").read().split()
        self.bench, self.pid, self.options = bench, pid, options
        self.open = self.lost = self.events = 0
        self.writers, self.tasks = [], []

    async def stream(self, number):
        # A loopback address of one's own for every 5,000 connections: the ports of one do not last for more than 28,000.
        source = (f"127.0.0.{2 + number // 5000}", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=4096, local_addr=source)
        self.writers.append(writer)
        session = self.sessions[number % len(self.sessions)]
        writer.write(f"GET /{self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAccept: text/event-stream\r\n"
                     f"MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: {session}\r\n\r\n".encode())
        if b" 200 " not in (status := await reader.readline()):
            raise OSError(f"stream {number}: {status + await reader.read()!r}")
        await reader.readuntil(b": hi")
        self.open += 1
        while line := await reader.readline():
            self.events += line.startswith(b"data: ")
        self.lost += 1

    async def multiplexed(self, number, count):
        """Streams of one connection of HTTP/2, which cost the gateway one descriptor each and not two."""
        import h2.connection, h2.events
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        connection = h2.connection.H2Connection()
        connection.initiate_connection()
        for index in range(number, number + count):
            session = self.sessions[index % len(self.sessions)]
            fields = {":method": "GET", ":scheme": "http", ":authority": f"127.0.0.1:{self.port}", ":path": f"/{self.path}",
                      "accept": "text/event-stream", "mcp-protocol-version": "2025-11-25", "mcp-session-id": session}
            connection.send_headers(connection.get_next_available_stream_id(), list(fields.items()), end_stream=True)
        begun = set()
        while True:
            writer.write(connection.data_to_send())
            if not (data := await reader.read(1 << 16)):
                break
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    self.events += sum(line.startswith(b"data: ") for line in event.data.split(b"\n"))
                    if event.stream_id not in begun and b": hi" in event.data:
                        begun.add(event.stream_id)
                        self.open += 1
                elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                    self.lost += 1
        self.lost += count

    async def run(self):
        began = time.monotonic()
        plain = self.options.streams - self.options.http2
        for number in range(plain, self.options.streams, 100):
            self.tasks.append(asyncio.create_task(self.multiplexed(number, min(100, self.options.streams - number))))
        while self.open < self.options.http2:
            await self.check()
        for number in range(plain):
            self.tasks.append(asyncio.create_task(self.stream(number)))
            while number + self.options.http2 - self.open > 200:
                await self.check()
        while self.open < self.options.streams:
            await self.check()
        opened = time.monotonic() - began
        used = cpu_seconds([self.pid])
        await asyncio.sleep(self.options.hold)
        used = cpu_seconds([self.pid]) - used
        held = memory_kib([self.pid], "Anonymous")
        reader, writer = await asyncio.open_connection("127.0.0.1", self.bench.upstream_port)
        writer.write(b"POST /event HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        end = time.monotonic() + 60
        while self.events < self.options.streams and time.monotonic() < end:
            await asyncio.sleep(0.05)
        for writer in self.writers:
            writer.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        # Both sides of all connections are gone when the gateway holds as few descriptors as before.
        end = time.monotonic() + 60
        while len(os.listdir(f"/proc/{self.pid}/fd")) > 100 and time.monotonic() < end:
            await asyncio.sleep(0.1)
        # What the allocator keeps is given back to the system after a quarter of a minute or so.
        end = time.monotonic() + self.options.settle
        while time.monotonic() < end and memory_kib([self.pid], "Anonymous") > self.before + self.options.slack:
            await asyncio.sleep(0.5)
        return {"open": opened, "held": held, "left": memory_kib([self.pid], "Anonymous"), "cpu": used / self.options.hold,
                "lost": self.lost, "events": self.events, "descriptors": len(os.listdir(f"/proc/{self.pid}/fd"))}

    async def check(self):
        for task in self.tasks:
            if task.done() and task.exception():
                sys.exit(str(task.exception()))
        await asyncio.sleep(0.01)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--http2", type=int, default=0, help="how many of them are streams of HTTP/2; needs the package h2")
    parser.add_argument("--hold", type=float, default=60, help="seconds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slack", type=int, default=2048, help="KiB that may stay after the last round")
    parser.add_argument("--settle", type=float, default=40, help="seconds that memory has to come back after a round")
    options = parser.parse_args()
    raise_limit(options.streams * 2 - options.http2 + 150)
    bench = Bench(options, f"{HERE}/../streams/upstream.py", {})
    failed = False
    try:
        bench.start_gateway()
        url, _, _, pid = bench.proxies["gateway"]
        before = memory_kib([pid], "Anonymous")
        print(f"{options.streams} streams held for {options.hold:g} s, {options.rounds} rounds; {before} KiB before\n")
        print("| round | s to open | KiB held | KiB per stream | KiB left | cores used while idle | events | lost | descriptors |")
        print("|---|---|---|---|---|---|---|---|---|")
        left = []
        for number in range(options.rounds):
            start = left[-1] if left else before
            result = asyncio.run(Round(bench, url, pid, options, before).run())
            left.append(result["left"])
            print(f"| {number + 1} | {result['open']:.1f} | {result['held']} | {(result['held'] - start) / options.streams:.2f} "
                  f"| {result['left']} | {result['cpu']:.3f} | {result['events']} | {result['lost']} | {result['descriptors']} |",
                  flush=True)
            failed |= result["lost"] > 0 or result["events"] != options.streams
        if len(left) > 1 and left[-1] - left[0] > options.slack:
            failed = True
            print(f"\n{left[-1] - left[0]} KiB more than after the first round", file=sys.stderr)
    finally:
        bench.stop()
    sys.exit(failed)


if __name__ == "__main__":
    main()
