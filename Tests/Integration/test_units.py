# SPDX-License-Identifier: MIT
"""Servers as units of systemd; runs in the machine that dev/test systemd makes, with either manager."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import raw
from harness.api import ControlPlane
from harness.clients import call, legacy_client
from harness.gateway import Gateway
from harness.places import BINARY, ROOT, SAMPLES_PYTHON, TESTS
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


@pytest.mark.parametrize("what", ["daemon-reload", "daemon-reexec"])
async def test_a_session_goes_on_when_the_manager_reads_its_units_anew_and_the_gateway_is_killed(
    unit_gateway: Gateway, what: str
) -> None:
    api = ControlPlane(unit_gateway)
    api.deploy("lasting", "mcp-example")
    async with legacy_client(unit_gateway.mcp("lasting")) as client:
        assert await call(client, "count") == 1
        systemctl(what)
        unit_gateway.signal(signal.SIGKILL)
        unit_gateway.wait()
        unit_gateway.start()
        assert await call(client, "count") == 2
    assert len(units()) == 1
    [unit] = units()
    assert systemctl("show", "--value", "-p", "LoadState", unit).strip() == "loaded"


async def test_a_rollout_goes_on_when_the_gateway_is_killed(unit_gateway: Gateway) -> None:
    api = ControlPlane(unit_gateway)
    api.deploy("rolling", "mcp-example")
    body = {"imageName": "mcp-example", "imageVersion": "1.0.0", "environmentVariables": {"GENERATION": "2"}}

    def phases() -> list[str]:
        return [instance["phase"] for instance in api.status("rolling")["instances"]]

    async with legacy_client(unit_gateway.mcp("rolling")) as old:
        assert await call(old, "count") == 1
        assert api.request("PUT", "/adapters/rolling", json=body).status_code == 200
        # In the middle of it, wherever that is; and then when the old server drains.
        for expected in (2, 3):
            unit_gateway.signal(signal.SIGKILL)
            unit_gateway.wait()
            unit_gateway.start()
            assert await call(old, "count") == expected
            until(lambda: phases() == ["ready", "draining"], "the new one takes over", 30)
        assert len(units()) == 2
        async with legacy_client(unit_gateway.mcp("rolling")) as new:
            assert await call(new, "process") != await call(old, "process")
    api.delete("rolling")
    until(lambda: not units(), "a deleted adapter leaves no unit", seconds=15)


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


def test_what_a_dead_server_leaves_behind_holds_up_nothing(unit_gateway: Gateway) -> None:
    api = ControlPlane(unit_gateway)
    counting = [str(TESTS / "servers" / "counting.py"), "{port}", "daemon"]
    body = {"name": "leaving", "command": sys.executable, "arguments": counting, "gracePeriodSeconds": 60}
    assert api.request("POST", "/adapters", json=body).status_code == 201
    api.wait_until_ready("leaving")
    answer, session = raw.initialize(unit_gateway.port, "/adapters/leaving/mcp")
    os.kill(answer.json["result"]["process"], signal.SIGKILL)

    def is_told() -> bool:
        count = raw.rpc("tools/call", {"name": "count"})
        return raw.send(unit_gateway.port, "POST", "/adapters/leaving/mcp", count, session).status == 404

    until(is_told, "the session is over, and not only when the grace period is", 30)
    api.wait_until_ready("leaving")


@pytest.mark.skipif(SCOPE != "system", reason="only root can stop the journal, which is the same with either manager")
def test_the_log_of_a_server_that_ended_before_the_journal_looked_is_there(unit_gateway: Gateway, tmp_path: Path) -> None:
    api = ControlPlane(unit_gateway)
    script = f"[ -e {tmp_path}/second ] && exec sleep 1000; touch {tmp_path}/second; echo no luck; exit 7"
    journal = int(systemctl("show", "--value", "-p", "MainPID", "systemd-journald"))
    os.kill(journal, signal.SIGSTOP)
    try:
        body = {"name": "hasty", "command": "/bin/sh", "arguments": ["-c", script]}
        assert api.request("POST", "/adapters", json=body).status_code == 201
        until(lambda: api.status("hasty")["instances"][0].get("restarts") == 1 and units(), "its second life began", 20)
    finally:
        os.kill(journal, signal.SIGCONT)
    until(lambda: "no luck" in api.request("GET", "/adapters/hasty/logs?previous=true").text, "its log is there", 20)
    assert "no luck" not in api.request("GET", "/adapters/hasty/logs").text
    api.delete("hasty")


def test_a_followed_log_goes_on_with_new_lines(unit_gateway: Gateway) -> None:
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
        raw.initialize(unit_gateway.port, "/adapters/chatty/mcp")
        until(lambda: has(b"POST /mcp"), "a new line is there", seconds=10)
        assert follower.poll() is None, "it follows on"
        follower.kill()


def test_limits_that_the_machine_cannot_enforce_are_said_to_be_so(unit_gateway: Gateway) -> None:
    api = ControlPlane(unit_gateway)
    controllers = Path("/sys/fs/cgroup/cgroup.controllers").read_text().split()
    api.create("limited", "mcp-example", resources={"memoryBytes": 1 << 30})
    unenforced = api.status("limited").get("unenforcedLimits", [])
    if "memory" not in controllers:
        assert unenforced == ["memory"]


@pytest.mark.parametrize("what", [["daemon-reexec"], ["restart", "dbus.service"]], ids=["manager", "bus"])
def test_a_manager_or_bus_that_was_restarted_is_found_again(unit_gateway: Gateway, what: list[str]) -> None:
    api = ControlPlane(unit_gateway)
    api.deploy("watched", "mcp-example")
    [unit] = units()
    before = systemctl("show", "--value", "-p", "InvocationID", unit)
    systemctl(*what)
    until(lambda: systemctl("show", "--value", "-p", "InvocationID", unit) == before, "the unit is still there", 10)
    os.kill(int(systemctl("show", "--value", "-p", "MainPID", unit)), signal.SIGKILL)
    until(lambda: api.status("watched")["instances"][0]["restarts"] == 1, "its death is noticed", seconds=15)
    api.wait_until_ready("watched")
    api.deploy("new", "mcp-example")
    assert len(units()) == 2


class Service:
    """The gateway as it is installed; a client's view of it."""

    url = "http://127.0.0.1:8000"
    port = 8000
    log = ""

    def mcp(self, adapter: str) -> str:
        return f"{self.url}/adapters/{adapter}/mcp"

    def property(self, name: str) -> str:
        return systemctl("show", "--value", "-p", name, "mcp-gateway.service").strip()


@pytest.fixture
def service() -> Iterator[Service]:
    command = [str(ROOT / "deployment" / "systemd" / "install"), *(["--user"] if SCOPE == "user" else []), str(BINARY)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    yield Service()
    systemctl("stop", "mcp-gateway.socket", "mcp-gateway.service")
    for unit in units():
        systemctl("stop", unit)


def deploy_example(service: Service, name: str) -> ControlPlane:
    api = ControlPlane(service)  # type: ignore[arg-type]
    body = {"name": name, "command": str(SAMPLES_PYTHON), "arguments": [str(ROOT / "dev" / "servers" / "example.py")]}
    answer = api.request("POST", "/adapters", json=body)
    assert answer.status_code in (201, 409), answer.text
    api.wait_until_ready(name)
    return api


async def test_the_service_is_restarted_and_nobody_notices(service: Service) -> None:
    assert service.property("ActiveState") == "active"
    assert service.property("StatusText") == f"listening on {service.url}"
    api = deploy_example(service, "through")
    async with legacy_client(service.mcp("through")) as client:
        first = await call(client, "count")
        systemctl("restart", "mcp-gateway.service")
        assert await call(client, "count") == first + 1
        os.kill(int(service.property("MainPID")), signal.SIGKILL)
        # The manager's socket listens on: the call waits for the next gateway.
        assert await call(client, "count") == first + 2
    assert service.property("NRestarts") == "1"
    api.delete("through")


def test_what_the_gateway_logs_has_fields_in_the_journal(service: Service) -> None:
    api = deploy_example(service, "logged")
    api.delete("logged")
    unit = "_SYSTEMD_UNIT" if SCOPE == "system" else "_SYSTEMD_USER_UNIT"
    matches = [f"{unit}=mcp-gateway.service", "MCP_GATEWAY_EVENT=workload applied", "MCP_GATEWAY_WORKLOAD=logged"]

    def entries() -> list[dict[str, str]]:
        command = ["journalctl", "-o", "json", *(["--user"] if SCOPE == "user" else []), *matches]
        lines = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.splitlines()
        return [json.loads(line) for line in lines]

    [entry, *_] = until(entries, "the entry is found by its fields", 15)
    assert entry["PRIORITY"] == "6" and entry["MCP_GATEWAY_GENERATION"] == "1"
    assert entry["SYSLOG_IDENTIFIER"] == "mcp-gateway" and entry["MCP_GATEWAY_LOGGER"] == "control"
    assert entry["MESSAGE"].startswith("workload applied ") and "workload=logged" in entry["MESSAGE"]


def test_a_gateway_that_hangs_is_replaced(service: Service) -> None:
    folder = Path("/run/systemd/system" if SCOPE == "system" else f"/run/user/{os.getuid()}/systemd/user")
    drop_in = folder / "mcp-gateway.service.d" / "watchdog.conf"
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text("[Service]\nWatchdogSec=1\n")
    systemctl("daemon-reload")
    systemctl("restart", "mcp-gateway.service")
    before = service.property("MainPID")
    # More than two times of the watchdog pass, by the manager's own clock, and it is told each time that the gateway lives.
    first = int(service.property("WatchdogTimestampMonotonic"))
    until(lambda: int(service.property("WatchdogTimestampMonotonic")) - first > 2_000_000, "it is told", seconds=30)
    assert service.property("MainPID") == before, "it lives as long as it answers"
    os.kill(int(before), signal.SIGSTOP)
    until(lambda: service.property("MainPID") not in ("0", before), "it is replaced", seconds=20)
    until(lambda: service.property("ActiveState") == "active", "the new one is ready", seconds=20)
    drop_in.unlink()
    systemctl("daemon-reload")
