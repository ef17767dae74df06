# SPDX-License-Identifier: MIT
"""Changes of a server while clients use it: nothing is cut that need not be."""

import threading
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
from mcp.client.client import Client

from harness import raw
from harness.api import ControlPlane
from harness.clients import call, legacy_client, old_sse_client
from harness.gateway import Gateway
from harness.waiting import until

pytestmark = pytest.mark.anyio

SESSIONS = 50


def put(api: ControlPlane, name: str, image: str, **fields: Any) -> None:
    answer = api.request("PUT", f"/adapters/{name}", json={"imageName": image, "imageVersion": "1.0.0"} | fields)
    assert answer.status_code == 200, answer.text


def phases(api: ControlPlane, name: str) -> list[tuple[int, str]]:
    return [(instance["ordinal"], instance["phase"]) for instance in api.status(name)["instances"]]


async def eventually(condition: Any, what: str, seconds: float = 30) -> Any:
    """Waits without stopping the clients' own tasks."""
    with anyio.fail_after(seconds + 5):
        return await anyio.to_thread.run_sync(lambda: until(condition, what, seconds))


async def at_once(calls: list[Any]) -> list[Any]:
    results: list[Any] = [None] * len(calls)

    async def one(index: int) -> None:
        results[index] = await calls[index]

    async with anyio.create_task_group() as tasks:
        for index in range(len(calls)):
            tasks.start_soon(one, index)
    return results


async def open_sessions(stack: AsyncExitStack, url: str, count: int) -> list[Client]:
    return [await stack.enter_async_context(legacy_client(url)) for _ in range(count)]


@pytest.mark.parametrize("image", ["mcp-example", "mcp-example-stdio"])
async def test_sessions_go_on_with_the_old_servers_and_new_ones_begin_on_the_new(gateway: Gateway, api: ControlPlane, image: str) -> None:
    name = f"rolled-{image}"
    sessions = SESSIONS if image == "mcp-example" else 8
    api.deploy(name, image, replicaCount=2)
    async with AsyncExitStack() as stack:
        clients = await open_sessions(stack, gateway.mcp(name), sessions)
        assert await at_once([call(client, "count") for client in clients]) == [1] * sessions
        before = await at_once([call(client, "process") for client in clients])
        put(api, name, image, replicaCount=2, environmentVariables={"GENERATION": "2"})
        # Requests go on through the whole of it.
        steps = 1
        while phases(api, name) != [(0, "ready"), (0, "draining"), (1, "ready"), (1, "draining")]:
            steps += 1
            assert await at_once([call(client, "count") for client in clients]) == [steps] * sessions
        status = api.status(name)
        assert status["replicaStatus"] == "Healthy"
        assert [instance["generation"] for instance in status["instances"]] == [2, 1, 2, 1]
        async with legacy_client(gateway.mcp(name)) as late:
            assert await call(late, "process") not in before
            assert await call(late, "count") == 1
            assert await at_once([call(client, "count") for client in clients]) == [steps + 1] * sessions
            assert await at_once([call(client, "process") for client in clients]) == before
    # The last session has ended, and so do the old servers, long before their time.
    await eventually(lambda: phases(api, name) == [(0, "ready"), (1, "ready")], "the old servers end")
    api.delete(name)


async def test_an_open_stream_is_a_session(gateway: Gateway, api: ControlPlane) -> None:
    api.deploy("streamed", "mcp-example")
    async with old_sse_client(gateway.sse("streamed")) as client:
        assert await call(client, "count") == 1
        put(api, "streamed", "mcp-example", environmentVariables={"GENERATION": "2"})
        await eventually(lambda: phases(api, "streamed") == [(0, "ready"), (0, "draining")], "the new one is ready")
        assert await call(client, "count") == 2
    await eventually(lambda: phases(api, "streamed") == [(0, "ready")], "the old one ends with the stream")
    api.delete("streamed")


async def test_a_change_that_breaks_the_server_is_taken_back(gateway: Gateway, api: ControlPlane) -> None:
    api.deploy("broken", "mcp-example", replicaCount=2)
    async with AsyncExitStack() as stack:
        clients = await open_sessions(stack, gateway.mcp("broken"), 6)
        before = await at_once([call(client, "process") for client in clients])
        body = {"command": "/bin/sh", "arguments": ["-c", "echo no luck; exit 7"], "replicaCount": 2}
        assert api.request("PUT", "/adapters/broken", json=body).status_code == 200
        steps = 0
        # Taken back, and the last of what was tried has ended.
        while (status := api.status("broken")).get("reason", {}).get("code") != "rolledBack" or status["updatedReplicas"]:
            steps += 1
            assert await at_once([call(client, "count") for client in clients]) == [steps] * 6
            async with legacy_client(gateway.mcp("broken")) as other:
                assert await call(other, "process") in before
        message = status["reason"]["message"]
        assert "generation 2" in message and "exit code 7" in message and "generation 1 goes on" in message
        assert status["replicaStatus"] == "Degraded: 2/2 ready"
        assert await at_once([call(client, "process") for client in clients]) == before
        # What it said before it ended is there.
        failed = message.partition("instance ")[2][0]
        log = api.request("GET", f"/adapters/broken/logs?instance={failed}&previous=true").text
        assert "no luck" in log
        put(api, "broken", "mcp-example", replicaCount=2, environmentVariables={"GENERATION": "3"})
        await eventually(lambda: api.status("broken")["replicaStatus"] == "Healthy", "the next one is taken")
        assert "reason" not in api.status("broken")
        assert await at_once([call(client, "count") for client in clients]) == [steps + 1] * 6
    api.delete("broken")


async def test_fewer_replicas_end_with_their_sessions(gateway: Gateway, api: ControlPlane) -> None:
    api.deploy("shrunk", "mcp-example", replicaCount=5)
    async with AsyncExitStack() as stack:
        clients = await open_sessions(stack, gateway.mcp("shrunk"), 10)
        before = await at_once([call(client, "process") for client in clients])
        assert len(set(before)) == 5
        put(api, "shrunk", "mcp-example", replicaCount=2)
        expected = [(0, "ready"), (1, "ready"), (2, "draining"), (3, "draining"), (4, "draining")]
        await eventually(lambda: phases(api, "shrunk") == expected, "three drain")
        assert await at_once([call(client, "count") for client in clients]) == [1] * 10
        assert await at_once([call(client, "process") for client in clients]) == before
        async with AsyncExitStack() as more:
            late = await open_sessions(more, gateway.mcp("shrunk"), 6)
            placed = await at_once([call(client, "process") for client in late])
        assert len(set(placed)) == 2 and set(placed) < set(before)
        # Nothing that a process can see: nothing is restarted.
        put(api, "shrunk", "mcp-example", replicaCount=2, session={"drainTimeoutSeconds": 200}, labels={"team": "a"})
        assert await at_once([call(client, "count") for client in clients]) == [2] * 10
    await eventually(lambda: phases(api, "shrunk") == [(0, "ready"), (1, "ready")], "they end")
    api.delete("shrunk")


def test_requests_without_sessions_never_fail_while_servers_are_replaced(gateway: Gateway, api: ControlPlane) -> None:
    name, target = "restless", "/adapters/restless/mcp"
    api.deploy(name, "mcp-example", replicaCount=2)
    statuses: list[int] = []
    is_over = threading.Event()

    def knock() -> None:
        # Begins sessions and ends them: each goes where new sessions go at that moment.
        while not is_over.is_set():
            answer, session = raw.initialize(gateway.port, target)
            statuses.append(answer.status)
            statuses.append(raw.send(gateway.port, "POST", target, raw.rpc("tools/list"), session).status)
            statuses.append(raw.send(gateway.port, "DELETE", target, None, session).status)

    threads = [threading.Thread(target=knock) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for generation in ("2", "3"):
            put(api, name, "mcp-example", replicaCount=2, environmentVariables={"GENERATION": generation})

            def is_replaced(wanted: int = int(generation)) -> bool:
                instances = api.status(name)["instances"]
                return [(i["phase"], i["generation"]) for i in instances] == [("ready", wanted)] * 2

            until(is_replaced, f"generation {generation} serves alone", 60)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert len(statuses) > 50 and set(statuses) == {200}, {status: statuses.count(status) for status in set(statuses)}
    api.delete(name)


def test_what_drains_ends_when_its_time_is_over(gateway: Gateway, api: ControlPlane) -> None:
    rules = {"drainTimeoutSeconds": 1}
    api.deploy("hasty", "mcp-example", session=rules)
    target = "/adapters/hasty/mcp"
    _, session = raw.initialize(gateway.port, target)
    put(api, "hasty", "mcp-example", session=rules, environmentVariables={"GENERATION": "2"})
    until(lambda: phases(api, "hasty") == [(0, "ready"), (0, "draining")], "the new one is ready")
    until(lambda: phases(api, "hasty") == [(0, "ready")], "the old one is ended")
    answer = raw.send(gateway.port, "POST", target, raw.rpc("ping"), session)
    assert answer.status == 404, "told so at once"
    api.delete("hasty")


def test_times_and_bounds_are_checked(api: ControlPlane) -> None:
    for field, body in [
        ("session.drainTimeoutSeconds", {"session": {"drainTimeoutSeconds": -1}}),
        ("session.drainTimeoutSeconds", {"session": {"drainTimeoutSeconds": 604_801}}),
        ("gracePeriodSeconds", {"gracePeriodSeconds": 3601}),
    ]:
        answer = api.request("POST", "/adapters", json={"name": "x", "imageName": "i", "imageVersion": "1"} | body)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
