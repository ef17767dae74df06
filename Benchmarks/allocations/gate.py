#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Allocations per proxied request, and whether they are within the limit: the part of speed that a noisy machine can't hide.

One connection sends requests of one session one after the other. The first ones warm up pools and caches; the
allocations of the next ones are counted by a library that is preloaded (count.c). Exits with 1 above the limit.
"""
import argparse
import os
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from harness import Bench, arguments

LIMITS = {"tools/call in a session": 8.0, "modern tools/call": 14.0}


def exchange(connection, request):
    connection.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        sys.exit(f"unexpected answer: {data!r}")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)


def allocations(process, file):
    before = os.path.getsize(file) if os.path.exists(file) else 0
    process.send_signal(signal.SIGUSR2)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        text = open(file).read() if os.path.exists(file) else ""
        if len(text) > before and text.endswith("\n"):
            return int(text.split()[-1])
        time.sleep(0.01)
    sys.exit("the gateway does not tell its allocations")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(p)
    p.add_argument("--requests", type=int, default=2000)
    options = p.parse_args()
    options.sessions = 1
    bench = Bench(options, f"{os.path.dirname(HERE)}/proxy/upstream", {"BODY_BYTES": "1024"})
    library, file = f"{bench.directory}/count.so", f"{bench.directory}/allocations"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, f"{HERE}/count.c"], check=True)
    failed = False
    try:
        bench.start_gateway({"LD_PRELOAD": library, "ALLOCATION_COUNT": file})
        url, process, sealed, _ = bench.proxies["gateway"]
        port = int(url.split(":")[2].split("/")[0])
        session = open(f"{bench.directory}/{sealed}").read().strip()
        call = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}%s}}'
        meta = (',"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
                '"io.modelcontextprotocol/clientCapabilities":{}}')
        kinds = {
            "tools/call in a session": (call % "", f"MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: {session}\r\n"),
            "modern tools/call": (
                call % meta, "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n"),
        }
        print("| | allocations per request | limit |\n|---|---|---|")
        for kind, (body, headers) in kinds.items():
            request = (
                f"POST /adapters/bench/mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
                f"Accept: application/json, text/event-stream\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}").encode()
            with socket.create_connection(("127.0.0.1", port), 10) as connection:
                for _ in range(200):
                    exchange(connection, request)
                before = allocations(process, file)
                for _ in range(options.requests):
                    exchange(connection, request)
                each = (allocations(process, file) - before) / options.requests
            failed |= each > LIMITS[kind]
            print(f"| {kind} | {each:.1f} | {LIMITS[kind]:.0f}{' EXCEEDED' if each > LIMITS[kind] else ''} |")
    finally:
        bench.stop()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
