# SPDX-License-Identifier: MIT
"""Servers that die: what the status says, who is harmed, who is not."""

import http.client
import os
import signal
import socket
import threading
import time

import pytest

from harness import raw
from harness.api import ControlPlane
from harness.gateway import Gateway
from harness.waiting import until


def server_process(gateway: Gateway, target: str, session: dict[str, str]) -> int:
    answer = raw.send(gateway.port, "POST", target, raw.rpc("tools/call", {"name": "process", "arguments": {}}), session)
    return int(raw.message(answer)["result"]["content"][0]["text"])


def sessions_by_process(gateway: Gateway, target: str, processes: int) -> dict[int, dict[str, str]]:
    """One session on each instance."""
    found: dict[int, dict[str, str]] = {}
    for _ in range(processes * 4):
        answer, session = raw.initialize(gateway.port, target)
        assert answer.status == 200, answer
        found[server_process(gateway, target, session)] = session
        if len(found) == processes:
            return found
    raise AssertionError(f"sessions were placed on {len(found)} of {processes} instances")


class Follower:
    """Reads a log stream in the background."""

    def __init__(self, gateway: Gateway, path: str) -> None:
        self.text = ""
        self.failure: Exception | None = None
        self._connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
        self._connection.request("GET", path)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        self.content_type = self._answer.headers["Content-Type"]
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while chunk := self._answer.read1(65536):
                self.text += chunk.decode(errors="replace")
        except Exception as error:  # noqa: BLE001 - shown by the test that needs the stream
            self.failure = error

    @property
    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    def hang_up(self) -> None:
        assert self.failure is None, self.failure
        if not self.has_ended:
            assert self._connection.sock is not None
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self._connection.close()


def test_a_killed_server_comes_back_and_only_its_sessions_end(gateway: Gateway, api: ControlPlane) -> None:
    api.deploy("three", "mcp-example", replicaCount=3)
    target = "/adapters/three/mcp"
    sessions = sessions_by_process(gateway, target, 3)
    victim, *others = sessions
    follower = Follower(gateway, "/adapters/three/logs?instance=0&follow=true")
    assert follower.content_type.startswith("text/plain")

    os.kill(victim, signal.SIGKILL)
    began = time.monotonic()

    # Its sessions get 404 within a second; until the death is noticed a request may fail as a lost one, never as 500.
    def gone() -> bool:
        answer = raw.send(gateway.port, "POST", target, raw.rpc("tools/list", id=5), sessions[victim])
        assert answer.status in (404, 502, 503), answer
        assert answer.json["error"] and answer.json["id"] == 5
        return answer.status == 404

    until(gone, "the sessions of a dead server answer 404", seconds=5)
    noticed = time.monotonic() - began
    degraded = until(
        lambda: (status := api.status("three"))["readyReplicas"] == 2 and status, "the status shows it", seconds=5
    )
    assert degraded["replicaStatus"] == "Degraded: 2/3 ready"
    hurt = [instance for instance in degraded["instances"] if instance["phase"] != "ready"]
    assert len(hurt) == 1 and hurt[0]["phase"] in ("backingOff", "starting")
    for process in others:
        assert server_process(gateway, target, sessions[process]) == process

    healed = api.wait_until_ready("three", 3)
    assert sum(instance["restarts"] for instance in healed["instances"]) == 1
    again = raw.send(gateway.port, "POST", target, raw.rpc("tools/list"), sessions[victim])
    assert again.status == 404, "the new process does not know the session"
    for process in others:
        assert server_process(gateway, target, sessions[process]) == process
    assert victim not in sessions_by_process(gateway, target, 3)

    raw.send(gateway.port, "POST", target, raw.rpc("tools/list"), sessions[others[0]])
    until(lambda: "Uvicorn running" in follower.text, "the followed log has what the server wrote")
    follower.hang_up()
    assert noticed < 2, f"it took {noticed:.1f} s"
    api.delete("three")


def test_a_followed_log_streams_across_the_death_of_the_server(gateway: Gateway, api: ControlPlane) -> None:
    api.deploy("solo", "tricks")
    target = "/adapters/solo/mcp"
    follower = Follower(gateway, "/adapters/solo/logs?follow=true")

    def say(text: str) -> None:
        _, session = raw.initialize(gateway.port, target)
        raw.send(gateway.port, "POST", target, raw.rpc("tools/call", {"name": "say", "arguments": {"text": text}}), session)

    say("line before the death")
    until(lambda: "line before the death" in follower.text, "a new line is streamed", seconds=5)
    _, session = raw.initialize(gateway.port, target)
    os.kill(server_process(gateway, target, session), signal.SIGKILL)
    until(lambda: api.status("solo")["readyReplicas"] == 0, "the death is noticed", seconds=5)
    api.wait_until_ready("solo")
    say("line after the death")
    if not follower.has_ended:
        until(lambda: "line after the death" in follower.text, "the stream goes on with the new process", seconds=5)
    assert "line after the death" in api.request("GET", "/adapters/solo/logs?instance=0").text
    follower.hang_up()
    api.delete("solo")


def test_a_request_under_way_gets_an_answer_when_its_server_dies(gateway: Gateway, api: ControlPlane) -> None:
    api.deploy("mortal", "tricks")
    target = "/adapters/mortal/mcp"
    _, session = raw.initialize(gateway.port, target)
    call = raw.rpc("tools/call", {"name": "die", "arguments": {"code": 7}}, id="last words")
    answer = raw.send(gateway.port, "POST", target, call, session, seconds=10)
    # The server has begun its stream or not; the client gets an error for its request either way.
    assert answer.status in (200, 502), answer
    failed = raw.message(answer)
    assert failed["id"] == "last words" and failed["error"]["code"] == -32603, answer
    status = until(
        lambda: (found := api.status("mortal"))["instances"][0]["restarts"] == 1 and found, "the restart is counted"
    )
    assert status
    api.wait_until_ready("mortal")
    api.delete("mortal")


def test_a_dead_stdio_server_ends_its_session_alone(gateway: Gateway, api: ControlPlane) -> None:
    api.deploy("pipes", "tricks-stdio")
    target = "/adapters/pipes/mcp"
    _, one = raw.initialize(gateway.port, target)
    _, two = raw.initialize(gateway.port, target)
    first, second = server_process(gateway, target, one), server_process(gateway, target, two)
    assert first != second
    call = raw.rpc("tools/call", {"name": "die", "arguments": {"code": 7}}, id="last words")
    answer = raw.send(gateway.port, "POST", target, call, one, seconds=10)
    failed = raw.message(answer)
    assert failed["id"] == "last words" and failed["error"]["code"] == -32603, answer
    until(
        lambda: raw.send(gateway.port, "POST", target, raw.rpc("tools/list"), one).status == 404,
        "the session of a dead child answers 404",
        seconds=5,
    )
    assert server_process(gateway, target, two) == second
    assert api.status("pipes")["instances"][0]["restarts"] == 0, "the bridge lives on"
    api.delete("pipes")


@pytest.mark.parametrize(
    ("image", "hint"),
    [("ends-at-once", "3"), ("does-not-exist", "/nonexistent/mcp-server")],
)
def test_the_status_says_why_a_server_does_not_start(gateway: Gateway, api: ControlPlane, image: str, hint: str) -> None:
    name = f"is-{image}"
    answer = api.request("POST", "/adapters", json={"name": name, "imageName": image, "imageVersion": "1.0.0"})
    if answer.status_code == 422:  # a command that is not there may be refused at once
        assert image == "does-not-exist" and hint in answer.text
        return
    assert answer.status_code == 201

    def explained() -> dict[str, object] | None:
        status = api.status(name)
        return status if hint in str(status) else None

    status = until(explained, "the status gives the reason", seconds=15)
    assert status["readyReplicas"] == 0
    assert str(status["replicaStatus"]).startswith("Degraded: 0/1 ready")
    initialize = raw.initialize(gateway.port, f"/adapters/{name}/mcp")[0]
    assert initialize.status == 503 and "retry-after" in initialize.headers, initialize
    assert initialize.json["error"]["code"] == -32603
    api.delete(name)


def test_the_log_of_a_server_that_ended_is_there(gateway: Gateway, api: ControlPlane) -> None:
    api.create("brief", "ends-at-once")
    until(
        lambda: "this is the reason" in api.request("GET", "/adapters/brief/logs?instance=0").text,
        "the log has what the program wrote before it ended",
    )
    until(
        lambda: api.status("brief")["instances"][0]["restarts"] >= 2, "it is started again and again", seconds=30
    )
    previous = api.request("GET", "/adapters/brief/logs?instance=0&previous=true")
    assert "this is the reason" in previous.text
    api.delete("brief")


def test_deleting_an_adapter_ends_a_server_that_ignores_sigterm(gateway: Gateway, api: ControlPlane) -> None:
    before = set(gateway.servers())
    api.deploy("stubborn", "stubborn")
    started = set(gateway.servers()) - before
    assert len(started) >= 2, "the server and its child"
    api.delete("stubborn")
    until(lambda: not (set(gateway.servers()) & started), "the whole process group is gone", seconds=20)
    assert api.request("GET", "/adapters/stubborn").status_code == 404
