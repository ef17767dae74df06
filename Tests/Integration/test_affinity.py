# SPDX-License-Identifier: MIT
"""A session stays on its instance, whatever else happens."""

import contextlib
import random
from collections import Counter

import anyio
import httpx2
import pytest

from harness import raw
from harness.api import ControlPlane
from harness.clients import call, client_over, legacy_client, old_sse_client
from harness.gateway import Gateway

pytestmark = pytest.mark.anyio

SESSIONS = 300
CALLS = 4


@pytest.fixture(scope="module")
def three(api: ControlPlane) -> str:
    """An adapter with three instances that count per session."""
    api.deploy("three", "mcp-example", replicaCount=3)
    return "three"


async def test_300_sessions_on_3_instances_each_see_their_own_count(gateway: Gateway, three: str) -> None:
    url = gateway.mcp(three)
    limits = httpx2.Limits(max_connections=SESSIONS + 64, max_keepalive_connections=SESSIONS + 64)
    async with httpx2.AsyncClient(limits=limits, timeout=60) as http, contextlib.AsyncExitStack() as stack:
        sessions = [client_over(url, http, "legacy") for _ in range(SESSIONS)]
        for client in sessions:
            await stack.enter_async_context(client)

        seen: dict[int, list[int]] = {index: [] for index in range(SESSIONS)}
        instances: dict[int, set[int]] = {index: set() for index in range(SESSIONS)}
        order = [index for index in range(SESSIONS) for _ in range(CALLS)]
        random.Random(7).shuffle(order)
        # Of one session a call follows the other; those of different sessions overlap in random order.
        busy = {index: anyio.Lock() for index in range(SESSIONS)}
        slots = anyio.Semaphore(64)

        async def step(index: int) -> None:
            async with busy[index], slots:
                seen[index].append(await call(sessions[index], "count"))
                if len(seen[index]) in (1, CALLS):
                    instances[index].add(await call(sessions[index], "process"))

        async with anyio.create_task_group() as tasks:
            for index in order:
                tasks.start_soon(step, index)

    wrong = {index: counts for index, counts in seen.items() if counts != list(range(1, CALLS + 1))}
    assert not wrong, f"{len(wrong)} sessions did not see their own count: {dict(list(wrong.items())[:5])}"
    assert all(len(processes) == 1 for processes in instances.values())
    spread = Counter(next(iter(processes)) for processes in instances.values())
    assert len(spread) == 3, spread
    # Placement goes by fewest sessions, so the instances have about equally many.
    assert max(spread.values()) - min(spread.values()) <= SESSIONS // 10, spread


async def test_sse_sessions_on_3_instances_each_see_their_own_count(gateway: Gateway, three: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(old_sse_client(gateway.sse(three))) for _ in range(24)]
        order = [index for index in range(len(sessions)) for _ in range(CALLS)]
        random.Random(7).shuffle(order)
        seen: dict[int, list[int]] = {index: [] for index in range(len(sessions))}
        for index in order:
            seen[index].append(await call(sessions[index], "count"))
        assert all(counts == list(range(1, CALLS + 1)) for counts in seen.values()), seen
        assert len({await call(client, "process") for client in sessions}) == 3


def test_a_session_id_works_on_no_other_adapter(gateway: Gateway, api: ControlPlane, three: str) -> None:
    api.deploy("other", "mcp-example")
    _, session = raw.initialize(gateway.port, f"/adapters/{three}/mcp")
    ping = raw.rpc("ping", id=7)
    assert raw.send(gateway.port, "POST", f"/adapters/{three}/mcp", ping, session).status == 200
    foreign = raw.send(gateway.port, "POST", "/adapters/other/mcp", ping, session)
    unknown = raw.send(gateway.port, "POST", "/adapters/other/mcp", ping, {**session, "Mcp-Session-Id": "x" * 40})
    assert foreign.status == unknown.status == 404
    assert foreign.body == unknown.body, "a foreign session must not be told from an unknown one"
    assert foreign.json["id"] == 7
    api.delete("other")


def test_ids_of_sessions_say_nothing_about_instances(gateway: Gateway, three: str) -> None:
    ids = [raw.initialize(gateway.port, f"/adapters/{three}/mcp")[1]["Mcp-Session-Id"] for _ in range(6)]
    assert len(set(ids)) == 6
    for id in ids:
        assert all(0x21 <= ord(character) <= 0x7E for character in id)
        assert "127.0.0.1" not in id and three not in id


async def test_sessions_end_with_404_when_the_gateway_has_been_restarted(own_gateway: Gateway) -> None:
    api = ControlPlane(own_gateway)
    api.deploy("three", "mcp-example", replicaCount=3)
    target = "/adapters/three/mcp"
    sessions = [raw.initialize(own_gateway.port, target)[1] for _ in range(12)]
    own_gateway.restart()
    api.wait_until_ready("three", 3)
    for index, session in enumerate(sessions):
        for method, body in [("POST", raw.rpc("tools/list", id=index)), ("GET", None), ("DELETE", None)]:
            headers = session if method == "POST" else {**session, "Accept": "text/event-stream"}
            answer = raw.send(own_gateway.port, method, target, body, headers)
            assert answer.status == 404, f"{method}: {answer}"
            assert answer.content_type == "application/json"
            assert answer.json["jsonrpc"] == "2.0" and answer.json["error"]["message"]
            assert answer.json["id"] == (index if method == "POST" else None)
    async with legacy_client(own_gateway.mcp("three")) as client:
        assert await call(client, "count") == 1


def test_sessions_are_404_and_never_500_while_the_servers_come_back(own_gateway: Gateway) -> None:
    api = ControlPlane(own_gateway)
    api.deploy("three", "mcp-example", replicaCount=3)
    target = "/adapters/three/mcp"
    sessions = [raw.initialize(own_gateway.port, target)[1] for _ in range(6)]
    own_gateway.restart()
    seen = set()
    while api.status("three")["readyReplicas"] < 3:
        for session in sessions:
            answer = raw.send(own_gateway.port, "POST", target, raw.rpc("tools/list"), session)
            seen.add(answer.status)
            assert answer.json["error"]
    # 503 with Retry-After would also tell a client to try again, but these sessions are gone for good.
    assert seen <= {404}, seen
