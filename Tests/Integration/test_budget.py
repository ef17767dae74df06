# SPDX-License-Identifier: MIT
"""A budget for all servers together: who is not used makes room, and who finds none waits."""

import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from harness import raw
from harness.api import ControlPlane
from harness.clients import call, legacy_client, modern_client
from harness.gateway import Gateway
from harness.waiting import until

pytestmark = pytest.mark.anyio


def phase(api: ControlPlane, name: str) -> str:
    status = api.status(name)
    if not status["instances"]:
        return status["lastError"]["code"] if "lastError" in status else "unknown"
    return status["instances"][0]["phase"]


async def eventually(condition: Any, what: str, seconds: float = 30) -> Any:
    """Waits without stopping the clients' own tasks."""
    return await anyio.to_thread.run_sync(lambda: until(condition, what, seconds))


async def use(gateway: Gateway, name: str) -> int:
    """Which process answers."""
    async with modern_client(gateway.mcp(name)) as client:
        return await call(client, "process")


def budget(path: Path, *settings: str) -> Gateway:
    return Gateway(path / "gateway", flags=[word for setting in settings for word in ("--set", setting)])


async def test_the_least_recently_used_makes_room(tmp_path: Path) -> None:
    with budget(tmp_path, "budget.processes=2") as gateway:
        api = ControlPlane(gateway)
        api.deploy("first", "mcp-example")
        api.deploy("second", "mcp-example")
        api.create("third", "mcp-example")
        await eventually(lambda: phase(api, "third") == "overBudget", "there is no room for it")
        assert "a request for it starts it" in api.status("third")["lastError"]["message"]
        assert phase(api, "first") == phase(api, "second") == "ready"
        # What has a session was used last, whatever came meanwhile.
        async with legacy_client(gateway.mcp("first")) as client:
            await call(client, "process")
            await use(gateway, "third")
        assert [phase(api, name) for name in ("first", "second", "third")] == ["ready", "parked", "ready"]
        assert "lastError" not in api.status("third")
        async with legacy_client(gateway.mcp("third")) as client:
            await call(client, "process")
            await use(gateway, "second")
        assert [phase(api, name) for name in ("first", "second", "third")] == ["parked", "ready", "ready"]
        await eventually(lambda: len(gateway.servers()) == 2, "what was parked has ended")
        text = api.request("GET", "/metrics").text
        assert 'mcp_gateway_parks_total{cause="budget"} 2' in text, text


async def test_what_is_in_use_stays_and_others_are_told_why_they_wait(tmp_path: Path) -> None:
    with budget(tmp_path, "budget.processes=1", "timeouts.start=2s") as gateway:
        api = ControlPlane(gateway)
        api.deploy("held", "mcp-example")
        api.create("waits", "mcp-example")
        async with legacy_client(gateway.mcp("held")) as client:
            process = await call(client, "process")
            answer, _ = await anyio.to_thread.run_sync(raw.initialize, gateway.port, "/adapters/waits/mcp")
            assert answer.status == 503 and answer.headers["retry-after"] == "5", answer
            assert answer.json["error"]["data"] == {"gateway": "overBudget"}
            assert "others that are in use" in answer.json["error"]["message"]
            assert phase(api, "waits") == "overBudget" and await call(client, "process") == process
            assert "mcp_gateway_budget_waits_total 1" in api.request("GET", "/metrics").text
        await eventually(lambda: raw.initialize(gateway.port, "/adapters/waits/mcp")[0].status == 200, "the session has ended")
        assert phase(api, "held") == "parked"


async def test_a_request_that_waits_is_served_as_soon_as_there_is_room(tmp_path: Path) -> None:
    with budget(tmp_path, "budget.processes=1") as gateway:
        api = ControlPlane(gateway)
        api.deploy("held", "mcp-example")
        api.create("waits", "mcp-example")
        found: list[int] = []

        async def wait() -> None:
            found.append(await use(gateway, "waits"))

        async with anyio.create_task_group() as tasks:
            async with legacy_client(gateway.mcp("held")) as client:
                await call(client, "process")
                tasks.start_soon(wait)
                await eventually(lambda: "mcp_gateway_budget_waits_total 1" in api.request("GET", "/metrics").text, "it waits")
                assert not found
        assert found and phase(api, "held") == "parked"


async def test_memory_is_kept_to(tmp_path: Path) -> None:
    with budget(tmp_path, "budget.memory=150MiB") as gateway:
        api = ControlPlane(gateway)
        names = ["a", "b", "c", "d"]
        for name in names:
            api.create(name, "mcp-example")

        def resident() -> int:
            instances = [instance for name in names for instance in api.status(name)["instances"]]
            return sum(instance.get("usage", {}).get("residentBytes", 0) for instance in instances)

        for name in [*names, *names]:
            await use(gateway, name)
            await eventually(lambda: 0 < resident() <= 150 << 20, "as much runs as may")


@pytest.mark.skipif(
    os.environ.get("MCP_GATEWAY_TEST_LAUNCHER") == "systemd",
    reason="units survive the gateway, and may have sessions that it does not know: they make no room for a while")
async def test_a_start_begins_no_more_than_there_is_room_for(tmp_path: Path) -> None:
    with budget(tmp_path, "budget.processes=2") as gateway:
        api = ControlPlane(gateway)
        names = [f"server-{number}" for number in range(5)]
        for name in names:
            api.create(name, "mcp-example")
        async with legacy_client(gateway.mcp(names[0])) as client:
            await call(client, "process")
        answer, session = await anyio.to_thread.run_sync(raw.initialize, gateway.port, f"/adapters/{names[0]}/mcp")
        assert answer.status == 200
        gateway.kill()
        gateway.start()
        await eventually(lambda: sorted(phase(api, name) for name in names)[:3] == ["overBudget"] * 3, "there is room for two")
        assert len(gateway.servers()) <= 2
        for name in names:
            await use(gateway, name)
        # Its server ended with the gateway that was killed: it is told so, whether or not there was room for a new one.
        request = raw.rpc("tools/list")

        def is_told() -> bool:
            answer = raw.send(gateway.port, "POST", f"/adapters/{names[0]}/mcp", request, session)
            assert answer.status in (404, 503), answer
            return answer.status == 404

        await eventually(is_told, "the session is lost")
        for name in names:
            api.delete(name)


async def test_one_that_waits_can_be_turned_off_and_on_and_deleted(tmp_path: Path) -> None:
    with budget(tmp_path, "budget.processes=1") as gateway:
        api = ControlPlane(gateway)
        api.deploy("held", "mcp-example")
        async with legacy_client(gateway.mcp("held")) as client:
            await call(client, "process")
            for name in ("off", "gone"):
                api.create(name, "mcp-example")
                await eventually(lambda: phase(api, name) == "overBudget", "there is no room for it")
            body = {"imageName": "mcp-example", "imageVersion": "1.0.0", "replicaCount": 0}
            assert api.request("PUT", "/adapters/off", json=body).status_code == 200
            await eventually(lambda: api.status("off")["replicaStatus"] == "Healthy", "it needs no room")
            assert "lastError" not in api.status("off")
            api.delete("gone")
            assert api.names() == {"held", "off"} and len(gateway.servers()) == 1


async def test_a_deployment_does_not_end_what_was_used_a_moment_ago(tmp_path: Path) -> None:
    with budget(tmp_path, "budget.processes=1") as gateway:
        api = ControlPlane(gateway)
        api.deploy("used", "mcp-example")
        process = await use(gateway, "used")
        api.create("new", "mcp-example")
        await eventually(lambda: phase(api, "new") == "overBudget", "there is no room for it")
        assert await use(gateway, "used") == process
        # Room that comes free is taken without being asked for.
        api.delete("used")
        await eventually(lambda: phase(api, "new") == "ready", "there is room now")


async def test_servers_that_do_not_say_are_parked_after_the_time_of_the_gateway(tmp_path: Path) -> None:
    with budget(tmp_path, "session.parkAfter=1s") as gateway:
        api = ControlPlane(gateway)
        api.deploy("silent", "mcp-example")
        api.deploy("says", "mcp-example", session={"parkAfterSeconds": 3600})
        await eventually(lambda: phase(api, "silent") == "parked", "nobody uses it")
        assert phase(api, "says") == "ready"
        await use(gateway, "silent")
