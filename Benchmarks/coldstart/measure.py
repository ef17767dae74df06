#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""From `POST /adapters`, or from being parked, to the first answer to `initialize`, beside starting the same server by hand.

measure.py --gateway PATH [--rounds 15]

Two servers: the Python sample on standard input and output (needs dev/.venv/samples, which dev/test makes), and nginx as a
compiled HTTP server. By hand means: start the process, ask until it answers. Woken means: the adapter is parked, and the request
starts it. A round does each once, in turn; medians are printed in milliseconds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from harness import ROOT, free_port  # noqa: E402

PARAMS = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "coldstart", "version": "1"}}
INITIALIZE = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": PARAMS}).encode()
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
STDIO = [f"{ROOT}/dev/.venv/samples/bin/python3", f"{ROOT}/dev/servers/example.py", "--transport", "stdio"]
HTTP = ["/bin/sh", f"{ROOT}/Benchmarks/proxy/upstream"]


def post(url, body):
    request = urllib.request.Request(url, body, HEADERS, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status, answer.read(), answer.headers.get("Mcp-Session-Id")


def stdio_by_hand():
    began = time.monotonic()
    server = subprocess.Popen(STDIO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    server.stdin.write(INITIALIZE + b"\n")
    server.stdin.flush()
    assert b'"result"' in server.stdout.readline()
    seconds = time.monotonic() - began
    server.kill()
    server.wait()
    return seconds


def http_by_hand():
    port = free_port()
    began = time.monotonic()
    environment = {**os.environ, "PORT": str(port), "BODY_BYTES": "256"}
    server = subprocess.Popen(HTTP, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            assert post(f"http://127.0.0.1:{port}/mcp", INITIALIZE)[0] == 200
            break
        except OSError:
            time.sleep(0.001)
    seconds = time.monotonic() - began
    server.terminate()
    server.wait()
    return seconds


def through_gateway(url, name, fields):
    began = time.monotonic()
    post(f"{url}/adapters", json.dumps({"name": name} | fields).encode())
    status, body, _ = post(f"{url}/adapters/{name}/mcp", INITIALIZE)
    seconds = time.monotonic() - began
    assert status == 200, body
    delete(f"{url}/adapters/{name}")
    return seconds


def delete(url, headers={}):
    request = urllib.request.Request(url, method="DELETE", headers=headers)
    urllib.request.urlopen(request, timeout=60).close()


def woken(url, name):
    deadline = time.monotonic() + 60
    while True:
        with urllib.request.urlopen(f"{url}/adapters/{name}/status", timeout=60) as answer:
            if [instance["phase"] for instance in json.load(answer)["instances"]] == ["parked"]:
                break
        assert time.monotonic() < deadline, f"{name} is not parked"
        time.sleep(0.05)
    # What was parked may take a moment to end.
    time.sleep(0.5)
    began = time.monotonic()
    status, body, session = post(f"{url}/adapters/{name}/mcp", INITIALIZE)
    seconds = time.monotonic() - began
    assert status == 200, body
    if session:
        delete(f"{url}/adapters/{name}/mcp", {"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25"})
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    servers = {
        "Python, standard input and output": (
            stdio_by_hand, {"command": STDIO[0], "arguments": STDIO[1:], "transport": "stdio"}),
        "nginx, HTTP": (
            http_by_hand, {"command": HTTP[0], "arguments": HTTP[1:], "environmentVariables": {"BODY_BYTES": "256"}}),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as directory:
        command = [options.gateway, "serve", "--port", "0", "--data-directory", directory, "--launcher", "child"]
        gateway = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            url = next(line.split()[-1] for line in gateway.stdout if line.startswith("listening on "))
            times = {name: ([], [], []) for name in servers}
            for index, (_, fields) in enumerate(servers.values()):
                body = {"name": f"parked-{index}", "session": {"parkAfterSeconds": 1}} | fields
                post(f"{url}/adapters", json.dumps(body).encode())
            for number in range(options.rounds):
                for index, (name, (by_hand, fields)) in enumerate(servers.items()):
                    times[name][0].append(by_hand())
                    times[name][1].append(through_gateway(url, f"cold-{index}-{number}", fields))
                    times[name][2].append(woken(url, f"parked-{index}"))
        finally:
            gateway.terminate()
            gateway.wait()
    print("| first answer to initialize, median ms | by hand | POST /adapters | more | woken | more |")
    print("|---|---|---|---|---|---|")
    for name, columns in times.items():
        hand, posted, wake = (statistics.median(column) * 1000 for column in columns)
        print(f"| {name} | {hand:.0f} | {posted:.0f} | {posted - hand:.0f} | {wake:.0f} | {wake - hand:.0f} |")


main()
