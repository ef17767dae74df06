#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Records which functions the gateway and the bridge run from their start to serving calls, hottest first.

The linker lays them out in this order (dev/environment.sh, build_release), so that what runs lies together: fewer pages
are in memory, fewer are missed in the caches. Functions that no longer exist are ignored, new ones lie where they would
have without the list: it may be older than the program, and is recorded again before a release.

Valgrind counts. It can't read the debugging information, so a stripped copy runs.
"""
import argparse
import collections
import glob
import http.client
import json
import os
import shlex
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from harness import Bench, ROOT, arguments, post

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {"text": "x"}}}
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
INITIALIZE = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "layout", "version": "1"}}}
# A server that speaks stdio and answers every request with an empty result.
STDIO_SERVER = """
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {"protocolVersion": "2025-11-25",
            "capabilities": {}, "serverInfo": {"name": "layout", "version": "1"}}}), flush=True)
"""


def functions(file, program):
    """The instructions that each function of `program` took by itself, of an output file of callgrind."""
    cost = collections.Counter()
    ours, name, inclusive = False, None, False
    for line in open(file, errors="replace"):
        if line.startswith("ob="):
            ours = line[3:].strip() == program
        elif line.startswith("fn="):
            name = line[3:].strip().split("'")[0]
        elif line.startswith("calls="):
            inclusive = True
        elif line[:1].isdigit() or line[:1] in "+-*":
            if ours and not inclusive:
                cost[name] += int(line.split()[1])
            inclusive = False
    return cost


def valgrind(directory, program, name):
    """A script that runs the program and counts."""
    path = f"{directory}/{name}"
    with open(path, "w") as f:
        f.write("#!/bin/sh\nexec valgrind --tool=callgrind --demangle=no --compress-strings=no --compress-pos=no "
                f"--callgrind-out-file={directory}/{name}.%p.calls {shlex.quote(program)} \"$@\"\n")
    os.chmod(path, 0o755)
    return path


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


def use_gateway(bench):
    bench.start_gateway()
    url, _, sealed, _ = bench.proxies["gateway"]
    sessions = open(f"{bench.directory}/{sealed}").read().split()
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    modern = dict(CALL, params=dict(CALL["params"], _meta=META))
    for n in range(200):
        post(url, json.dumps(CALL), {**headers, "MCP-Protocol-Version": "2025-11-25",
                                     "Mcp-Session-Id": sessions[n % len(sessions)]})
        post(url, json.dumps(modern), {**headers, "MCP-Protocol-Version": "2026-07-28",
                                       "Mcp-Method": "tools/call", "Mcp-Name": "echo"})


def use_bridge(bench, program):
    path = f"{bench.directory}/bridge.sock"
    bench.start(program, "bridge", "--socket", path, "--", sys.executable, "-c", STDIO_SERVER, cpu=bench.options.load_cpu)
    end = time.monotonic() + 60
    while not os.path.exists(path):
        if time.monotonic() > end:
            sys.exit("the bridge does not listen")
        time.sleep(0.05)
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    for n in range(50):
        connection = UnixConnection(path)
        connection.request("POST", "/mcp", json.dumps(CALL if n else INITIALIZE), headers)
        answer = connection.getresponse()
        answer.read()
        if n == 0:
            headers["Mcp-Session-Id"] = answer.headers["Mcp-Session-Id"]
        connection.close()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(p)
    p.add_argument("--output", default=f"{ROOT}/dev/release.order", help="default: dev/release.order")
    options = p.parse_args()
    options.sessions = 20
    bench = Bench(options, f"{ROOT}/Benchmarks/proxy/upstream", {"BODY_BYTES": "1024"})
    cost = collections.Counter()
    try:
        program = f"{bench.directory}/mcp-gateway"
        subprocess.run(["strip", "--strip-debug", "-o", program, options.gateway], check=True)
        options.gateway = valgrind(bench.directory, program, "gateway")
        use_gateway(bench)
        use_bridge(bench, valgrind(bench.directory, program, "bridge"))
        bench.end()
        for file in glob.glob(f"{bench.directory}/*.calls"):
            cost += functions(file, program)
    finally:
        bench.stop()
    if len(cost) < 1000:
        sys.exit(f"only {len(cost)} functions were seen; is the program static, and are its symbols there?")
    # By the order of magnitude only, so that one recording looks like the next.
    order = sorted(cost, key=lambda name: (-len(str(cost[name])), name))
    with open(options.output, "w") as f:
        f.write("".join(f"{name}\n" for name in order))
    print(f"{len(order)} functions in {options.output}")


if __name__ == "__main__":
    main()
