# SPDX-License-Identifier: MIT
"""Kills whatever runs, at random, while sessions work, and looks afterwards at what is left."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import processes, raw
from harness.api import ControlPlane
from harness.callers import Answer, Caller
from harness.gateway import Gateway
from harness.places import TESTS
from harness.units import Scope, UnitGateway
from harness.waiting import until

COUNTING = [str(TESTS / "servers" / "counting.py")]
RECOVERS = {"recovery": "reinitialize"}
ADAPTERS = {
    "plain": {"arguments": [*COUNTING, "{port}", "daemon"], "replicaCount": 3},
    "recovers": {"arguments": [*COUNTING, "{port}"], "replicaCount": 2, "session": RECOVERS},
    "piped": {"arguments": [*COUNTING, "stdio", "daemon"], "transport": "stdio"},
}
# Of ten sessions, how many are on each; a session behind the bridge is a process of its own.
SHARES = {"plain": 6, "recovers": 3, "piped": 1}
SESSIONS_OF_A_WORKER = 10
DISK_BYTES = 16 << 20


@dataclass
class Report:
    """What a run was and what it found."""

    seed: int
    launcher: str
    seconds: float = 0
    kills: dict[str, int] = field(default_factory=dict)
    answered: int = 0
    failed: int = 0
    lost: int = 0
    moved: int = 0
    longest: float = 0
    slowest_notice: float = 0
    late: int = 0
    strays: int = 0
    zombies: int = 0
    lost_adapters: int = 0
    surviving: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def table(self) -> str:
        rows = {
            "launcher, seconds, seed": f"{self.launcher}, {self.seconds:.0f}, {self.seed}",
            "killed": ", ".join(f"{count} {kind}" for kind, count in sorted(self.kills.items())),
            "requests answered / failed as lost ones may": f"{self.answered} / {self.failed}",
            "sessions told of their loss by 404": self.lost,
            "sessions that went on on another instance": self.moved,
            "from kill -9 of a server to 404, longest": f"{self.slowest_notice * 1000:.0f} ms, {self.late} times over a second",
            "longest request": f"{self.longest:.2f} s",
            "sessions alive and intact at the end": self.surviving,
            "strays, zombies, lost adapters": f"{self.strays}, {self.zombies}, {self.lost_adapters}",
            "faults": len(self.faults),
        }
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def read(answer: Answer) -> dict[str, Any]:
    """The message that answers a request; none where a stream ends without it."""
    try:
        return raw.message(raw.Answer(*answer, 0))
    except StopIteration:
        return {}


class Worker(Caller):
    """Keeps some sessions on one adapter at work."""

    def __init__(self, chaos: "Chaos", adapter: str, number: int) -> None:
        super().__init__(lambda: [chaos.port], f"/adapters/{adapter}/mcp", chaos.seed + number, chaos.stop)
        self.chaos, self.adapter = chaos, adapter
        # sealed id → the server's id, its count, how many calls may have been counted unseen, the server that it began on
        self.sessions: dict[str, list] = {}
        self.moved = 0

    def work(self) -> None:
        if len(self.sessions) < SESSIONS_OF_A_WORKER:
            self.open()
        else:
            self.call(self.random.choice(list(self.sessions)))
        self.stop_event.wait(self.random.uniform(0, 0.01))

    def open(self) -> None:
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "chaos", "version": "1"}}
        answer = self.post(raw.rpc("initialize", params), None)
        if answer is None or answer[0] != 200:
            self.note(answer)
            self.stop_event.wait(0.1)
            return
        self.answered += 1
        message = read(answer)
        if "error" in message:
            return
        result = message["result"]
        # None where it has ended already; a session that is moved is lost with its gateway, which needs no other reason.
        server = processes.process(result["process"])
        self.sessions[answer[1]["mcp-session-id"]] = [result["session"], 0, 0, server]

    def call(self, sealed: str) -> None:
        state = self.sessions[sealed]
        answer = self.post(raw.rpc("tools/call", {"name": "count"}), sealed)
        if answer is not None and answer[0] == 404:
            self.lost += 1
            if state[3] and not gone(state[3]):
                self.faults.append(f"a session on {self.adapter} was lost though its server lives: {state[3]}")
            del self.sessions[sealed]
            return
        message = read(answer) if answer is not None and answer[0] == 200 else {}
        if "result" not in message:
            # An error in the stream, or a stream that broke off: as good as 502.
            self.note(None if answer is not None and answer[0] == 200 else answer)
            state[2] += 1
            return
        self.answered += 1
        result = message["result"]
        if result["session"] != state[0]:
            if self.adapter != "recovers":
                self.faults.append(f"misrouted: {state[0]} came to {result['session']}")
            self.moved += 1
            # The new server begins to count; what was lost on the way there may be counted.
            state[:2] = [result["session"], 0]
            if result["count"] > 1 + state[2]:
                self.faults.append(f"a session that was begun anew was called {result['count']} times")
        elif not state[1] + 1 <= result["count"] <= state[1] + 1 + state[2]:
            self.faults.append(f"{result['count']} calls after {state[1]}, with {state[2]} unseen")
        state[1:3] = [result["count"], 0]


class Chaos:
    """One gateway with three adapters, and what is done to them."""

    def __init__(self, directory: Path, seed: int, sessions: int = 200) -> None:
        self.seed, self.random = seed, random.Random(seed)
        self.scope = Scope.of_this_run()
        self.report = Report(seed, f"systemd ({self.scope.name})" if self.scope else "child processes")
        self.stop = threading.Event()
        self.disk = directory / "gateway"
        self.disk.mkdir(parents=True)
        # A full disk is part of it where this user may mount one.
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "chaos", str(self.disk)]
        self.has_disk = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
        if self.scope:
            self.scope.own(directory, self.disk)
        self.gateway = UnitGateway(self.disk, self.scope) if self.scope else Gateway(self.disk)
        self.gateway.log_file = directory / "gateway.log"
        self.api = ControlPlane(self.gateway)
        self.port = 0
        shares = [name for name, share in SHARES.items() for _ in range(share)]
        count = max(1, sessions // SESSIONS_OF_A_WORKER)
        self.workers = [Worker(self, shares[number % len(shares)], number) for number in range(count)]

    def run(self, seconds: float) -> Report:
        try:
            self.start()
            began = time.monotonic()
            while time.monotonic() < began + seconds and not self.faults:
                self.stop.wait(self.random.uniform(0.2, 1.0))
                self.harm()
            self.report.seconds = time.monotonic() - began
            self.settle()
        finally:
            self.stop.set()
            for worker in self.workers:
                if worker.is_alive():
                    worker.join(40)
            self.end()
        return self.report

    @property
    def faults(self) -> list[str]:
        return self.report.faults + [fault for worker in self.workers for fault in worker.faults]

    def start(self) -> None:
        self.gateway.start()
        self.port = self.gateway.port
        for name, fields in ADAPTERS.items():
            answer = self.api.request("POST", "/adapters", json={"name": name, "command": sys.executable} | fields)
            assert answer.status_code == 201, answer.text
        for name, fields in ADAPTERS.items():
            self.api.wait_until_ready(name, fields.get("replicaCount", 1))
        for worker in self.workers:
            worker.start()
        work = lambda: self.faults or all(worker.answered > SESSIONS_OF_A_WORKER for worker in self.workers)  # noqa: E731
        until(work, "all sessions work", 60)

    def harm(self) -> None:
        kinds = {"server": 8, "bridge": 2, "grandchild": 4, "gateway": 1, "disk": 1 if self.has_disk else 0}
        if self.scope:
            # What runs outlives a manager that is executed anew, and ends with one that is stopped.
            kinds |= {"manager": 1, "manager_with_all": 0.2 if self.scope.can_restart else 0}
        kind = self.random.choices(list(kinds), list(kinds.values()))[0]
        if getattr(self, f"harm_{kind}")():
            self.report.kills[kind] = self.report.kills.get(kind, 0) + 1

    def victims(self, text: str) -> list[processes.Process]:
        return [found for found in self.gateway.servers() if text in found.command]

    def kill(self, victims: list[processes.Process]) -> bool:
        if not victims:
            return False
        self.end_process(self.random.choice(victims).pid)
        return True

    def end_process(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)

    def harm_server(self) -> bool:
        if self.random.random() < 0.5:
            return self.watch_loss()
        return self.kill([found for found in self.victims("counting.py") if "bridge" not in found.command])

    def harm_bridge(self) -> bool:
        return self.kill(self.victims(" bridge "))

    def harm_grandchild(self) -> bool:
        return self.kill(self.victims("SIG_IGN"))

    def harm_gateway(self) -> bool:
        # What left its session outlives it, and is ended by the next start; units go on.
        self.gateway.signal(signal.SIGKILL)
        self.gateway.wait()
        self.gateway.start()
        self.port = self.gateway.port
        return True

    def harm_manager(self) -> bool:
        assert self.scope
        self.scope.systemctl("daemon-reexec")
        return True

    def harm_manager_with_all(self) -> bool:
        assert self.scope
        self.scope.restart()
        return True

    def harm_disk(self) -> bool:
        """The disk of the gateway is full for a while: it says so, carries on, and keeps what it has."""
        filler = self.disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(b"x" * 65536)
                file.flush()
        body = {"name": "late", "command": sys.executable, "arguments": [*COUNTING, "{port}"], "replicaCount": 0}
        answer = raw.send(self.port, "POST", "/adapters", json.dumps(body).encode(), {"Content-Type": "application/json"})
        if answer.status not in (201, 507):
            self.report.faults.append(f"with a full disk a new adapter is {answer}")
        self.stop.wait(self.random.uniform(0, 1))
        filler.unlink()
        if answer.status == 201:
            self.api.delete("late")
        return True

    def watch_loss(self) -> bool:
        """Kills the server of a session of its own, and sees how long it takes until that is told."""
        target = "/adapters/plain/mcp"
        answer, session = raw.initialize(self.port, target)
        if answer.status != 200:
            return False
        process = answer.json["result"]["process"]
        began = time.monotonic()
        self.end_process(process)
        while True:
            answer = raw.send(self.port, "POST", target, raw.rpc("tools/call", {"name": "count"}), session)
            seconds = time.monotonic() - began
            if answer.status == 404:
                self.report.slowest_notice = max(self.report.slowest_notice, seconds)
                self.report.late += seconds > 1
                return True
            if answer.status not in (200, 502, 503) or seconds > 20:
                self.report.faults.append(f"the session of a killed server is {answer}")
                return True
            self.stop.wait(0.01)

    def settle(self) -> None:
        """Nothing is harmed any more: all that is wanted is there, and every session is what it seems to be."""
        for name, fields in ADAPTERS.items():
            try:
                self.api.wait_until_ready(name, fields.get("replicaCount", 1), seconds=120)
            except AssertionError as error:
                self.report.lost_adapters += 1
                self.report.faults.append(str(error)[:300])
        named = {adapter["name"] for adapter in self.api.request("GET", "/adapters").json()}
        self.report.lost_adapters += len(set(ADAPTERS) - named)
        self.stop.set()
        for worker in self.workers:
            worker.join(40)
            if worker.is_alive():
                self.report.faults.append("a request hung")
                continue
            for sealed in list(worker.sessions):
                worker.call(sealed)
            self.report.surviving += len(worker.sessions)
        # A server that never waits for its own children is none of ours; all others are waited for by gateway and bridges.
        ours = {self.gateway.pid, *(found.pid for found in self.victims(" bridge "))}
        zombies = until_gone(ours)
        self.report.zombies = len(zombies)
        self.report.faults += [f"nobody waits for {zombie.pid}, a child of {zombie.parent}" for zombie in zombies]
        for name in ("answered", "failed", "lost", "moved"):
            setattr(self.report, name, sum(getattr(worker, name) for worker in self.workers))
        self.report.longest = max(worker.longest for worker in self.workers)

    def end(self) -> None:
        self.report.faults = self.faults
        if self.gateway._process is not None:
            try:
                self.gateway.stop()
            except AssertionError as error:
                self.report.strays = len(self.gateway.strays())
                self.report.faults.append(str(error)[:1000])
            if self.scope and (left := self.scope.units()):
                self.report.strays += len(left)
                self.report.faults.append(f"units that are left: {left}")
        if self.has_disk:
            subprocess.run(["umount", "--lazy", str(self.disk)], check=False)


def gone(server: processes.Process, seconds: float = 1) -> bool:
    """Whether it has ended, after some time at the latest."""
    end = time.monotonic() + seconds
    while processes.still_running([server]):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def until_gone(parents: set[int], seconds: float = 5) -> list[processes.Process]:
    """Processes below `parents` that have ended and that nobody has waited for, after some time."""
    end = time.monotonic() + seconds
    while True:
        found = [processes.process(int(entry)) for entry in os.listdir("/proc") if entry.isdigit()]
        zombies = [one for one in found if one and one.state == "Z" and one.parent in parents]
        if not zombies or time.monotonic() > end:
            return zombies
        time.sleep(0.1)
