#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Time from start to listening, resident memory when idle, and the size of the gateway's binary.

Every start is a new process with a data directory of its own; the time ends when a connection is accepted and
/healthz is answered. Resident memory is read a second after that.
"""
import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from harness import ROOT, free_port


def healthy(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as s:
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return s.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def start(gateway):
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="gateway-footprint-") as directory:
        began = time.monotonic()
        process = subprocess.Popen(
            [gateway, "serve", "--port", str(port), "--data-directory", directory, "--log-level", "warning"],
            stdout=subprocess.DEVNULL)
        try:
            while not healthy(port):
                if process.poll() is not None:
                    sys.exit(f"the gateway ended with {process.returncode}")
                time.sleep(0.0005)
            took = (time.monotonic() - began) * 1000
            time.sleep(1)
            status = dict(line.split(":", 1) for line in open(f"/proc/{process.pid}/status") if ":" in line)
            read = lambda key: int(status[key].split()[0]) / 1024
            return took, read("VmRSS"), read("RssAnon")
        finally:
            process.terminate()
            process.wait(20)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--gateway", default=f"{ROOT}/.build/release/mcp-gateway")
    p.add_argument("--starts", type=int, default=11)
    options = p.parse_args()
    runs = [start(options.gateway) for _ in range(options.starts)]
    took, resident, anonymous = zip(*runs)
    print("| start to /healthz, ms: median (min ... max) | resident, MB | of it anonymous, MB | binary, MB |")
    print("|---|---|---|---|")
    print(f"| {statistics.median(took):.1f} ({min(took):.1f} ... {max(took):.1f}) | {statistics.median(resident):.1f} | "
          f"{statistics.median(anonymous):.1f} | {os.path.getsize(options.gateway) / 1e6:.1f} |")


if __name__ == "__main__":
    main()
