# SPDX-License-Identifier: MIT
"""Servers as units of systemd; runs in the machine that dev/test systemd makes, with either manager."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.api import ControlPlane
from harness.clients import call, legacy_client
from harness.gateway import Gateway
from harness.waiting import until

SCOPE = os.environ.get("MCP_GATEWAY_TEST_SYSTEMD", "")

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not SCOPE, reason="runs in a machine with a systemd of its own: dev/test systemd"),
]


def systemctl(*arguments: str) -> str:
    command = ["systemctl", f"--{SCOPE}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout


def units() -> list[str]:
    """The units of servers that run."""
    lines = systemctl("list-units", "--plain", "--no-legend", "--state=active", "mcp-gateway-*").splitlines()
    return [line.split()[0] for line in lines]


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


@pytest.fixture
def unit_gateway(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """A gateway whose servers are units; the same port at every start."""
    keep = getattr(request, "param", "no")
    flags = ["--launcher", "systemd", "--port", free_port(), "--set", f"keepServers={keep}"]
    gateway = Gateway(tmp_path, flags=flags)
    with gateway:
        yield gateway
        for unit in units():
            systemctl("stop", unit)


@pytest.mark.parametrize("image", ["mcp-example", "mcp-example-stdio"], ids=["http", "stdio"])
async def test_a_session_goes_on_when_the_gateway_is_killed(unit_gateway: Gateway, image: str) -> None:
    api = ControlPlane(unit_gateway)
    api.deploy("lasting", image)
    async with legacy_client(unit_gateway.mcp("lasting")) as client:
        process = await call(client, "process")
        assert [await call(client, "count") for _ in range(2)] == [1, 2]
        for expected in (3, 4):
            unit_gateway.signal(signal.SIGKILL)
            unit_gateway.wait()
            assert len(units()) == 1
            unit_gateway.start()
            assert await call(client, "count") == expected
        assert await call(client, "process") == process
    status = api.status("lasting")
    assert status["instances"][0]["restarts"] == 0
    assert unit_gateway.log.count("instance taken over") == 2


@pytest.mark.parametrize("unit_gateway", ["yes"], indirect=True)
async def test_kept_servers_outlive_an_orderly_stop(unit_gateway: Gateway) -> None:
    api = ControlPlane(unit_gateway)
    api.deploy("kept", "mcp-example", replicaCount=2)
    async with legacy_client(unit_gateway.mcp("kept")) as client:
        assert await call(client, "count") == 1
        unit_gateway.restart()
        assert await call(client, "count") == 2
    api.delete("kept")
    until(lambda: not units(), "a deleted adapter leaves no unit", seconds=15)


def test_an_orderly_stop_ends_the_servers(unit_gateway: Gateway) -> None:
    api = ControlPlane(unit_gateway)
    api.deploy("one", "mcp-example")
    api.deploy("two", "mcp-example-stdio")
    assert len(units()) == 2
    unit_gateway.stop()
    assert units() == []
    unit_gateway.start()


def test_what_was_deleted_is_gone_even_if_the_gateway_was_killed(unit_gateway: Gateway) -> None:
    api = ControlPlane(unit_gateway)
    api.deploy("gone", "mcp-example")
    api.deploy("stays", "mcp-example")
    api.delete("gone")
    unit_gateway.signal(signal.SIGKILL)
    unit_gateway.wait()
    unit_gateway.start()
    until(lambda: len(units()) == 1, "only what is wanted runs", seconds=20)
    api.wait_until_ready("stays")


def test_a_killed_server_starts_again_and_its_log_is_kept(unit_gateway: Gateway) -> None:
    api = ControlPlane(unit_gateway)
    api.deploy("mortal", "mcp-example")
    until(lambda: "Uvicorn running" in api.request("GET", "/adapters/mortal/logs").text, "the log is there", 10)
    before = api.status("mortal")["instances"][0]
    pid = int(systemctl("show", "--value", "-p", "MainPID", units()[0]))
    os.kill(pid, signal.SIGKILL)
    until(lambda: api.status("mortal")["instances"][0]["restarts"] == before["restarts"] + 1, "it is restarted", 10)
    api.wait_until_ready("mortal")
    assert "Uvicorn running" in api.request("GET", "/adapters/mortal/logs?previous=true").text
    assert len(api.request("GET", "/adapters/mortal/logs?tailLines=1").text.splitlines()) == 1


def test_a_followed_log_has_a_line_within_a_second(unit_gateway: Gateway) -> None:
    api = ControlPlane(unit_gateway)
    api.deploy("chatty", "tricks")
    command = ["curl", "-sN", f"{unit_gateway.url}/adapters/chatty/logs?follow=true"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as follower:
        assert follower.stdout is not None
        os.set_blocking(follower.stdout.fileno(), False)
        seen = b""

        def has(text: bytes) -> bool:
            nonlocal seen
            seen += follower.stdout.read() or b""
            return text in seen

        until(lambda: has(b"Uvicorn running"), "the beginning is there", seconds=10)
        # The server logs each request.
        from harness import raw

        raw.initialize(unit_gateway.port, "/adapters/chatty/mcp")
        began = time.monotonic()
        until(lambda: has(b"POST /mcp"), "a new line is there", seconds=5)
        assert time.monotonic() - began < 1
        follower.kill()


def test_limits_that_the_machine_cannot_enforce_are_said_to_be_so(unit_gateway: Gateway) -> None:
    api = ControlPlane(unit_gateway)
    controllers = Path("/sys/fs/cgroup/cgroup.controllers").read_text().split()
    api.create("limited", "mcp-example", resources={"memoryBytes": 1 << 30})
    unenforced = api.status("limited").get("unenforcedLimits", [])
    if "memory" not in controllers:
        assert unenforced == ["memory"]
