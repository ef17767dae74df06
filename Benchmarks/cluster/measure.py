#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a thousand adapters of three pods each cost one gateway replica of a cluster: time, CPU and memory.

API server and etcd are real ones (`dev/cluster build` makes them); this program plays controllers, scheduler and kubelets, so no
pod really runs. All share the machine's cores. Prints a table.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.dirname(HERE))
from control_plane import NAMESPACE, ControlPlane, Controllers
from harness import ROOT, cpu_seconds, free_port, memory_kib, wait_for


class Gateway:
    """A replica."""

    def __init__(self, options, control_plane, folder):
        self.began, self.port = time.monotonic(), free_port()
        settings = [f"kubernetes.kubeconfig={control_plane.kubeconfig}", f"kubernetes.namespace={NAMESPACE}", "kubernetes.authority=cluster"]
        command = [options.gateway, "serve", "--port", str(self.port), "--data-directory", folder, "--log-level", "warning",
                   "--runtime", "kubernetes", *(word for setting in settings for word in ("--set", setting))]
        self.log = open(f"{folder}.log", "w")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        wait_for(self.port)

    @property
    def pid(self):
        return self.process.pid

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return answer.read()

    def post(self, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status

    def ready(self, name):
        return json.loads(self.get(f"/adapters/{name}/status"))["readyReplicas"]

    def wait_until_ready(self):
        while True:
            try:
                self.get("/readyz")
                return time.monotonic() - self.began
            except OSError:
                time.sleep(0.02)

    def cpu(self):
        return cpu_seconds([self.pid])

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


class Table:
    def __init__(self):
        self.begin()

    def begin(self):
        print("| | |\n|---|---|", flush=True)

    def add(self, what, value):
        print(f"| {what} | {value} |", flush=True)


def timed(function, count):
    times = []
    for number in range(count):
        began = time.monotonic()
        function(number)
        times.append((time.monotonic() - began) * 1000)
    times.sort()
    return f"{statistics.median(times):.1f} / {times[int(len(times) * 0.99)]:.1f} ms"


def until(condition, what, seconds=600):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"not within {seconds} s: {what}")
        time.sleep(0.01)


def measure(options, folder, control_plane):
    table = Table()
    names = [f"adapter-{number:04}" for number in range(options.adapters)]
    pods = options.adapters * options.replicas
    gateway = Gateway(options, control_plane, f"{folder}/one")
    gateway.wait_until_ready()
    table.add("anonymous memory, none yet", f"{memory_kib([gateway.pid], 'Anonymous') / 1024:.1f} MiB")
    controllers = Controllers(control_plane)
    try:
        began, cpu = time.monotonic(), gateway.cpu()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: gateway.post("/adapters", {
                "name": name, "imageName": "example", "imageVersion": "1", "replicaCount": options.replicas,
                "description": "one of many", "environmentVariables": {"MODE": "bench", "NUMBER": name}}), names))
        table.add(f"POST of {options.adapters} adapters, 8 at a time", f"{time.monotonic() - began:.1f} s")
        until(lambda: len(controllers.pods) == pods, "all pods are made")
        made = time.monotonic()
        table.add(f"until {pods} pods were made and ready (played)", f"{made - began:.1f} s")
        latest = {name.rpartition("-")[0] for name in controllers.pods[-30:]}
        until(lambda: all(gateway.ready(name) == options.replicas for name in latest), "the gateway shows the last pods as ready")
        table.add("from the last pod until the gateway showed the last 30 as ready", f"{time.monotonic() - made:.2f} s")

        def conditions():
            found = control_plane.call("GET", f"/apis/mcp-gateway.dev/v1alpha1/namespaces/{NAMESPACE}/adapters")["items"]
            return sum(item.get("status", {}).get("readyReplicas") == options.replicas for item in found) == options.adapters

        until(conditions, "the status of all resources is written")
        table.add("until the status of all resources said so too", f"{time.monotonic() - made:.1f} s")
        table.add("CPU of the gateway for all of that", f"{gateway.cpu() - cpu:.1f} s")
        table.add("anonymous memory then", f"{memory_kib([gateway.pid], 'Anonymous') / 1024:.1f} MiB")
        time.sleep(3)
        began, cpu = time.monotonic(), gateway.cpu()
        time.sleep(options.seconds)
        table.add("idle", f"{(gateway.cpu() - cpu) / (time.monotonic() - began) * 100:.2f} % of a core")
        size = len(gateway.get("/adapters"))
        table.add(f"GET /adapters ({size / 1024:.0f} KiB), median / p99", timed(lambda _: gateway.get("/adapters"), 50))
        table.add("GET /adapters/{name}/status, median / p99", timed(lambda n: gateway.ready(names[n % len(names)]), 300))

        def flip(number):
            name = names[number * 17 % len(names)]
            for is_ready, wanted in ((False, options.replicas - 1), (True, options.replicas)):
                controllers.set_ready(f"{name}-0", is_ready)
                until(lambda: gateway.ready(name) == wanted, "a change is shown")

        table.add("a pod loses readiness and gets it again, until shown, median / p99 of both", timed(flip, 50))
        # One event after the other, as fast as wanted, and what each costs.
        cpu, began, events = gateway.cpu(), time.monotonic(), 0
        while time.monotonic() - began < options.seconds:
            controllers.set_ready(f"{names[events // 2 * 7 % len(names)]}-1", events % 2 == 1)
            events += 1
            time.sleep(max(0, began + events / options.rate - time.monotonic()))
        passed, used = time.monotonic() - began, gateway.cpu() - cpu
        table.add(f"{events / passed:.0f} changes of pods a second", f"{used / passed * 100:.1f} % of a core, {used / events * 1000:.2f} ms each")
        table.add("anonymous memory at the end", f"{memory_kib([gateway.pid], 'Anonymous') / 1024:.1f} MiB")
        second = Gateway(options, control_plane, f"{folder}/two")
        try:
            table.add("start of another replica until it is ready", f"{second.wait_until_ready():.2f} s")
            until(lambda: second.ready(names[-1]) == options.replicas, "the other replica shows pods", 60)
            table.add("CPU, anonymous memory of that start", f"{second.cpu():.2f} s, {memory_kib([second.pid], 'Anonymous') / 1024:.1f} MiB")
        finally:
            second.stop()
    finally:
        controllers.stop()
        gateway.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gateway", default=f"{ROOT}/.build/release/mcp-gateway")
    parser.add_argument("--adapters", type=int, default=1000)
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of the measurements that go on for a time")
    parser.add_argument("--rate", type=float, default=100, help="changes of pods a second")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="gateway-bench-cluster-")
    control_plane = ControlPlane(folder)
    try:
        control_plane.start()
        measure(options, folder, control_plane)
    finally:
        control_plane.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
