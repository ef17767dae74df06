#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Memory per idle event stream, latency and CPU per event of the gateway beside nginx, HAProxy and Envoy.

Each proxy in turn holds the streams of one upstream; then every stream gets events. Memory is the growth of the
process's own memory (Anonymous in smaps_rollup), both legs of a stream together; kernel buffers come on top for all.
"""
import argparse
import asyncio
import os
import resource
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from harness import Bench, arguments, cpu_seconds, memory_kib, start, tree


async def measure(bench, name, options):
    url, _, sessions, root = bench.proxies[name]
    host, path = url.removeprefix("http://").split("/", 1)
    port = int(host.split(":")[1])
    ids = open(f"{bench.directory}/{sessions}").read().split()
    pids = [root] if name == "gateway" else tree(root)
    before = memory_kib(pids, "Anonymous")
    latencies, readers, writers = [], [], []
    opened = 0

    async def one(n):
        nonlocal opened
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
        writers.append(writer)
        writer.write(f"GET /{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n"
                     f"MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: {ids[n % len(ids)]}\r\n\r\n".encode())
        await reader.readuntil(b": hi")
        opened += 1
        while True:
            line = await reader.readline()
            if not line:
                return
            if line.startswith(b"data: "):
                latencies.append(time.monotonic_ns() - int(line[6:]))

    for n in range(options.streams):
        readers.append(asyncio.create_task(one(n)))
        if n % 200 == 199:
            while opened < n - 100:
                await asyncio.sleep(0.01)
    while opened < options.streams:
        await asyncio.sleep(0.05)
    await asyncio.sleep(1)
    held = memory_kib(pids, "Anonymous")
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.upstream_port)
    start_cpu = cpu_seconds(pids)
    for n in range(options.events):
        writer.write(b"POST /event HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        while len(latencies) < (n + 1) * options.streams:
            await asyncio.sleep(0.01)
    used = cpu_seconds(pids) - start_cpu
    active = memory_kib(pids, "Anonymous")
    for w in writers:
        w.close()
    for r in readers:
        r.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    await asyncio.sleep(1)
    after = memory_kib(pids, "Anonymous")
    latencies.sort()
    return {"idle": (held - before) / options.streams, "active": (active - before) / options.streams,
            "left": after - before, "p50": latencies[len(latencies) // 2] / 1000,
            "p99": latencies[len(latencies) * 99 // 100] / 1000, "cpu": used / len(latencies) * 1e6}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(p)
    p.add_argument("--streams", type=int, default=2000)
    p.add_argument("--events", type=int, default=5)
    p.add_argument("--rounds", type=int, default=3)
    options = p.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.streams * 2 + 100 > hard:
        sys.exit(f"{options.streams} streams need {options.streams * 2 + 100} descriptors; the limit is {hard}")
    bench = Bench(options, f"{HERE}/upstream.py", {})
    try:
        start(bench)
        results = {name: [] for name in bench.proxies}
        for _ in range(options.rounds):
            for name in results:
                results[name].append(asyncio.run(measure(bench, name, options)))
        print(f"{options.streams} streams, {options.events} events each, {options.rounds} rounds, medians (memory: first round)\n")
        print("| | KiB per idle stream | after events | KiB left after all closed | event p50 µs | p99 µs | CPU µs per event |")
        print("|---|---|---|---|---|---|---|")
        for name, r in results.items():
            median = lambda key: statistics.median(x[key] for x in r)
            print(f"| {name} | {r[0]['idle']:.1f} | {r[0]['active']:.1f} | {r[0]['left']} | {median('p50'):.0f} | {median('p99'):.0f} | {median('cpu'):.1f} |")
    finally:
        bench.stop()


if __name__ == "__main__":
    main()
