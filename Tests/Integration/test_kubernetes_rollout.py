# SPDX-License-Identifier: MIT
"""Changes of servers in a real cluster while clients use them."""

from collections.abc import Awaitable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
from mcp.client.client import Client

from harness import cluster
from harness.api import ControlPlane
from harness.clients import call, legacy_client
from harness.cluster import Namespace, needs_cluster
from harness.gateway import Gateway
from harness.sessions import session_on
from harness.waiting import until

pytestmark = needs_cluster
SESSIONS = 50


@pytest.fixture(scope="module")
def image() -> str:
    return cluster.server_image()


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    with Namespace() as namespace:
        yield namespace


@pytest.fixture(scope="module")
def gateway(namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = [
        f"kubernetes.kubeconfig={cluster.KUBECONFIG}", f"kubernetes.namespace={namespace.name}",
        "kubernetes.registry=cluster.local", "kubernetes.requests.cpuMillicores=20", "kubernetes.requests.memory=64MiB",
    ]
    flags = [word for setting in settings for word in ("--set", setting)]
    with Gateway(tmp_path_factory.mktemp("gateway"), catalogue=None, flags=["--runtime", "kubernetes", *flags]) as gateway:
        yield gateway


def put(api: ControlPlane, name: str, image: str, **fields: Any) -> None:
    body = {"imageName": "podserver", "imageVersion": image} | fields
    answer = api.request("PUT", f"/adapters/{name}", json=body)
    assert answer.status_code == 200, answer.text


def uids(namespace: Namespace, name: str) -> dict[str, str]:
    found = namespace.get("pods")
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in found if pod["metadata"]["name"].startswith(f"{name}-")}


async def in_thread(condition: Any, what: str, seconds: float = 60) -> Any:
    """Waits without stopping the clients' own tasks."""
    with anyio.fail_after(seconds + 5):
        return await anyio.to_thread.run_sync(lambda: until(condition, what, seconds))


async def at_once(calls: list[Awaitable[Any]]) -> list[Any]:
    results: list[Any] = [None] * len(calls)

    async def one(index: int) -> None:
        results[index] = await calls[index]

    async with anyio.create_task_group() as tasks:
        for index in range(len(calls)):
            tasks.start_soon(one, index)
    return results


async def open_sessions(stack: AsyncExitStack, gateway: Gateway, name: str, count: int) -> list[Client]:
    clients = [await stack.enter_async_context(legacy_client(gateway.mcp(name))) for _ in range(count)]
    await at_once([call(client, "keep", value=f"state {number}") for number, client in enumerate(clients)])
    return clients


async def recall(clients: list[Client]) -> list[str]:
    return await at_once([call(client, "recall") for client in clients])


@pytest.mark.anyio
async def test_sessions_end_on_their_pods_and_new_ones_begin_on_new_pods(
    gateway: Gateway, namespace: Namespace, image: str
) -> None:
    api, name = ControlPlane(gateway), "rolled"
    api.deploy(name, "podserver", image, replicaCount=2)
    old = uids(namespace, name)
    states = [f"state {number}" for number in range(SESSIONS)]
    async with AsyncExitStack() as stack:
        clients = await open_sessions(stack, gateway, name, SESSIONS)
        put(api, name, image, replicaCount=2, environmentVariables={"GENERATION": "2"})
        expected = ["ready", "draining", "ready", "draining"]
        await in_thread(lambda: [i["phase"] for i in api.status(name)["instances"]] == expected, "the old pods drain beside the new ones")
        assert await recall(clients) == states
        assert set(uids(namespace, name).values()) > set(old.values()), "no pod ends while it has sessions"
        new = {(await call(client, "where")) for client in await open_sessions(stack, gateway, name, 8)}
        assert new == {f"{name}-r2-0", f"{name}-r2-1"}, "new sessions begin on the new pods"
        assert await recall(clients) == states
        assert {await call(client, "where") for client in clients} == {f"{name}-0", f"{name}-1"}
    await in_thread(lambda: set(uids(namespace, name)) == {f"{name}-r2-0", f"{name}-r2-1"}, "the old pods are gone")
    assert [s["metadata"]["name"] for s in namespace.get("statefulsets")] == [f"{name}-r2"]
    api.delete(name)
    await anyio.to_thread.run_sync(namespace.wait_until_empty)


@pytest.mark.anyio
async def test_fewer_replicas_end_with_their_sessions(gateway: Gateway, namespace: Namespace, image: str) -> None:
    api, name = ControlPlane(gateway), "shrunk"
    api.deploy(name, "podserver", image, replicaCount=5)
    async with AsyncExitStack() as stack:
        clients = await open_sessions(stack, gateway, name, SESSIONS)
        put(api, name, image, replicaCount=2)
        expected = ["ready", "ready", "draining", "draining", "draining"]
        await in_thread(lambda: [i["phase"] for i in api.status(name)["instances"]] == expected, "three drain")
        assert await recall(clients) == [f"state {number}" for number in range(SESSIONS)]
    await in_thread(lambda: set(uids(namespace, name)) == {f"{name}-0", f"{name}-1"}, "three are gone")
    api.delete(name)
    await anyio.to_thread.run_sync(namespace.wait_until_empty)


@pytest.mark.anyio
async def test_what_outlasts_its_drain_time_is_told_so(gateway: Gateway, namespace: Namespace, image: str) -> None:
    api, name = ControlPlane(gateway), "impatient"
    session = {"drainTimeoutSeconds": 4}
    api.deploy(name, "podserver", image, session=session)
    lost = await anyio.to_thread.run_sync(lambda: session_on(gateway, name, f"{name}-0"))
    put(api, name, image, session=session, environmentVariables={"GENERATION": "2"})
    await in_thread(lambda: set(uids(namespace, name)) == {f"{name}-r2-0"}, "the old pod is gone")
    assert await anyio.to_thread.run_sync(lambda: lost.is_lost(gateway))
    api.delete(name)
    await anyio.to_thread.run_sync(namespace.wait_until_empty)


def test_a_change_that_breaks_the_server_is_taken_back(gateway: Gateway, namespace: Namespace, image: str) -> None:
    api, name = ControlPlane(gateway), "broken"
    api.deploy(name, "podserver", image, replicaCount=2)
    before = uids(namespace, name)
    kept = session_on(gateway, name, f"{name}-0")
    kept.call(gateway, "keep", value="mine")
    put(api, name, image, replicaCount=2, command=cluster.SERVER_COMMAND[0], arguments=["-c", "raise SystemExit(3)"])
    until(lambda: (api.status(name).get("reason") or {}).get("code") == "rolledBack", "the status says that it was taken back", 120)
    until(lambda: uids(namespace, name) == before, "the pods that failed are gone, and the old ones never went", 90)
    assert kept.call(gateway, "recall") == "mine"
    assert api.status(name)["availableReplicas"] == 2
    api.delete(name)
    namespace.wait_until_empty()
