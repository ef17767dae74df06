# SPDX-License-Identifier: MIT
"""Sessions over three instances and two gateways that share their keys, while both are killed at random.

`--seconds 600 --sessions 2000`, or MCP_GATEWAY_STRESS_SECONDS and MCP_GATEWAY_STRESS_SESSIONS, make it longer and larger;
MCP_GATEWAY_STRESS_SEED repeats the same choices.
"""

import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness import processes, raw
from harness.api import ControlPlane
from harness.callers import Caller
from harness.gateway import Gateway
from harness.places import TESTS
from harness.raw import rpc
from harness.waiting import until
from test_remote import free_port

SECONDS = float(os.environ.get("MCP_GATEWAY_STRESS_SECONDS", "20"))
SEED = int(os.environ.get("MCP_GATEWAY_STRESS_SEED", str(random.randrange(1 << 30))))
WORKERS = 12
SLACK_KIB = 4096
SESSIONS = -(-int(os.environ.get("MCP_GATEWAY_STRESS_SESSIONS", "240")) // WORKERS)  # of each worker
# A session that the other gateway has seen the end of is idle here.
SESSION = {"session": {"idleTimeoutSeconds": 15}}
TARGET = "/adapters/counting/mcp"


class Server:
    """An instance that is not the gateways' own, so that both can use it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.lives = 0
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(TESTS / "servers" / "counting.py"), str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        processes.started_here(self.process.pid)

    def kill(self) -> None:
        # Counted before, so that nobody can see the loss and not the reason.
        self.lives += 1
        self.process.kill()
        self.process.wait()


class World:
    def __init__(self, directory: Path) -> None:
        self.servers = [Server() for _ in range(3)]
        key = directory / "keys"
        self.gateways = [
            Gateway(directory / f"gateway{index}", environment={"MCP_GATEWAY_SESSION_KEY_FILE": str(key)})
            for index in range(2)
        ]
        self.ports = [0, 0]
        for index, gateway in enumerate(self.gateways):
            gateway.start()
            api = ControlPlane(gateway)
            urls = [f"http://127.0.0.1:{server.port}" for server in self.servers]
            created = api.request("POST", "/adapters", json={"name": "counting", "url": urls} | SESSION)
            assert created.status_code == 201, created.text
            api.wait_until_ready("counting", 3)
            self.ports[index] = gateway.port
        self.lives = lambda: tuple(server.lives for server in self.servers)

    def restart_gateway(self, index: int) -> None:
        self.gateways[index].kill()
        self.gateways[index].start()
        self.ports[index] = self.gateways[index].port


class Worker(Caller):
    """Opens sessions and calls in them, one request at a time, through whichever gateway."""

    def __init__(self, world: World, number: int, stop: threading.Event) -> None:
        super().__init__(lambda: world.ports, TARGET, SEED + number, stop)
        self.world = world
        # sealed id → the server's id, its count, how many requests may have been counted unseen, lives when it began
        self.sessions: dict[str, list] = {}

    def end_sessions(self) -> None:
        """Ends them all, once this thread has ended."""
        for sealed in self.sessions:
            until(lambda: self.end_session(sealed) in (200, 404), "a session can be ended", 30)

    def end_session(self, sealed: str) -> int:
        # 503 as long as a gateway leaves out a server that was killed just before.
        return raw.send(self.world.ports[0], "DELETE", TARGET, b"", {"Mcp-Session-Id": sealed}).status

    def work(self) -> None:
        sessions = self.sessions
        if len(sessions) < SESSIONS:
            lives = self.world.lives()
            answer = self.post(rpc("initialize"), None)
            if answer is None or answer[0] != 200:
                return self.note(answer)
            self.answered += 1
            result = json.loads(answer[2])["result"]
            sessions[answer[1]["mcp-session-id"]] = [result["session"], 0, 0, lives]
            return None
        sealed = self.random.choice(list(sessions))
        state = sessions[sealed]
        answer = self.post(rpc("tools/call", {"name": "count"}), sealed)
        if answer is not None and answer[0] == 404:
            self.lost += 1
            if self.world.lives() == state[3]:
                self.faults.append("a session was lost though no server was killed")
            del sessions[sealed]
        elif answer is None or answer[0] != 200:
            self.note(answer)
            state[2] += 1
        else:
            self.answered += 1
            result = json.loads(answer[2])["result"]
            if result["session"] != state[0]:
                self.faults.append(f"misrouted: {state[0]} came to {result['session']}")
            if not state[1] + 1 <= result["count"] <= state[1] + 1 + state[2]:
                self.faults.append(f"{result['count']} after {state[1]}, with {state[2]} unseen")
            state[1:3] = [result["count"], 0]
        return None


def memory_kib(gateway: Gateway) -> int:
    """What the process has for itself: neither the program nor its libraries."""
    lines = Path(f"/proc/{gateway.pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))


@pytest.mark.timeout(SECONDS + 240 + SESSIONS)
def test_no_request_is_misrouted_or_hangs_while_gateways_and_servers_are_killed(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    world = World(tmp_path)
    stop = threading.Event()
    workers = [Worker(world, number, stop) for number in range(WORKERS)]
    choice = random.Random(SEED)
    kills = {"server": 0, "gateway": 0}
    memory = [[memory_kib(gateway)] for gateway in world.gateways]
    try:
        for worker in workers:
            worker.start()
        until(lambda: all(worker.answered > SESSIONS for worker in workers), "all sessions are open", 60 + SESSIONS)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and not any(worker.faults for worker in workers):
            stop.wait(choice.uniform(0.2, 1.5))
            # Gateways live longer at last, so that their memory at the end has seen many losses.
            if choice.random() < 0.5 or end - time.monotonic() < SECONDS / 5:
                server = choice.choice(world.servers)
                server.kill()
                stop.wait(choice.uniform(0, 1))
                server.start()
                kills["server"] += 1
            else:
                world.restart_gateway(choice.randrange(2))
                kills["gateway"] += 1
        stop.set()
        for worker in workers:
            worker.join(40)
        for gateway, kib in zip(world.gateways, memory):
            kib.append(memory_kib(gateway))
        for worker in workers:
            worker.end_sessions()
        deadline = time.monotonic() + 90
        while any(memory_kib(gateway) > kib[0] + SLACK_KIB for gateway, kib in zip(world.gateways, memory)):
            if time.monotonic() > deadline:
                break
            time.sleep(1)
        for gateway, kib in zip(world.gateways, memory):
            kib.append(memory_kib(gateway))
    finally:
        stop.set()
        for worker in workers:
            worker.join(30)
        for gateway in world.gateways:
            gateway.stop()
        for server in world.servers:
            server.process.kill()
            server.process.wait()
    faults = [fault for worker in workers for fault in worker.faults]
    print(kills, {name: sum(getattr(worker, name) for worker in workers) for name in ("answered", "lost", "failed")},
          f"memory at the start, under load and at the end: {memory} KiB,",
          f"longest {max(worker.longest for worker in workers):.2f} s")  # fmt: skip
    assert not any(worker.is_alive() for worker in workers), "a request hung"
    assert not faults, f"seed {SEED}: {faults[:10]}"
    assert kills["server"] and kills["gateway"]
    for start, _, end in memory:
        assert end <= start + SLACK_KIB, f"memory is not back to its start: {memory} KiB"
