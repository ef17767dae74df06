#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""CPU per request, throughput and latency of the gateway beside nginx, HAProxy and Envoy.

All proxies stand in front of the same upstream, each pinned to one core with one worker; load generator and upstream
share the other core. Rounds are interleaved, ratios are taken round by round, medians are reported. CPU time is the
kernel's (/proc/PID/task/*/schedstat), summed over the proxy's processes.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from harness import Bench, arguments, cpu_seconds, memory_kib, start, tree


def round_of(bench, name, connections, seconds):
    url, _, sessions, root = bench.proxies[name]
    pids = tree(root)
    if name == "gateway":
        pids = [root]  # its descendants are the upstream
    before = cpu_seconds(pids)
    out = subprocess.run(
        ["taskset", "-c", str(bench.options.load_cpu), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
         "-s", f"{HERE}/request.lua", url],
        capture_output=True, text=True, timeout=seconds + 60,
        env={**os.environ, "SESSIONS": f"{bench.directory}/{sessions}", "REQUEST_BYTES": str(bench.options.request_bytes),
             "MESSAGE": bench.options.message, "THINK_MS": str(bench.options.think_ms)}).stdout
    used = cpu_seconds(pids) - before
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    if "Non-2xx" in out or "Socket errors" in out:
        print(f"{name}: {out}", file=sys.stderr)
    latency = dict(re.findall(r"(p[\d.]+)=(\d+)", out))
    return {"rate": requests / seconds, "cpu": used / requests * 1e6, **{key: int(value) for key, value in latency.items()}}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(p)
    p.add_argument("--connections", default="1,64,512")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=int, default=3)
    p.add_argument("--message", choices=["tools/call", "initialize"], default="tools/call",
                   help="initialize: every request begins a session, whose id the gateway seals")
    p.add_argument("--think-ms", type=int, default=0,
                   help="what each connection waits between requests, on average; 0 drives every proxy to its limit")
    p.add_argument("--request-bytes", type=int, default=1024)
    p.add_argument("--response-bytes", type=int, default=1024)
    options = p.parse_args()
    bench = Bench(options, f"{HERE}/upstream", {
        "BODY_BYTES": str(options.response_bytes), "READS_BODY": "1" if options.request_bytes > 8 << 10 else "0"})
    try:
        start(bench)
        names = list(bench.proxies)
        print(f"{options.message}, request {options.request_bytes} B, response {options.response_bytes} B, {options.threads} worker(s), "
              f"{options.think_ms} ms between requests, "
              f"{options.rounds} rounds of {options.seconds} s, medians; CPU in µs per request")
        for connections in map(int, options.connections.split(",")):
            results = {name: [] for name in names}
            for name in names:
                round_of(bench, name, connections, 1)
            for n in range(options.rounds):
                for name in names[n % len(names):] + names[:n % len(names)]:
                    results[name].append(round_of(bench, name, connections, options.seconds))
            print(f"\n| {connections} connections | req/s | CPU µs (min) | CPU, gateway's as a multiple | p50 µs | p99 µs | p99.9 µs | anonymous KiB |")
            print("|---|---|---|---|---|---|---|---|")
            for name in names:
                r = results[name]
                ratio = statistics.median(g["cpu"] / o["cpu"] for g, o in zip(results["gateway"], r))
                median = lambda key: statistics.median(x[key] for x in r)
                root = bench.proxies[name][3]
                pids = [root] if name == "gateway" else tree(root)
                print(f"| {name} | {median('rate'):.0f} | {median('cpu'):.1f} ({min(x['cpu'] for x in r):.1f}) | {ratio:.2f} | "
                      f"{median('p50'):.0f} | {median('p99'):.0f} | {median('p99.9'):.0f} | {memory_kib(pids, 'Anonymous')} |")
            sys.stdout.flush()
    finally:
        bench.stop()


if __name__ == "__main__":
    main()
