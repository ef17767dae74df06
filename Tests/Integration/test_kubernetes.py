# SPDX-License-Identifier: MIT
"""Servers in a real Kubernetes cluster: real pods, the official client, and what happens when things die."""

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
import requests

from harness import cluster
from harness.api import ControlPlane
from harness.api_proxy import APIProxy
from harness.clients import call, legacy_client, modern_client
from harness.cluster import Namespace, needs_cluster
from harness.gateway import Gateway
from harness.sessions import Session, session_on
from harness.waiting import until

pytestmark = needs_cluster


def gateway_in(namespace: Namespace, folder: Path, *flags: str, kubeconfig: str = cluster.KUBECONFIG) -> Gateway:
    settings = {
        "kubernetes.kubeconfig": kubeconfig, "kubernetes.namespace": namespace.name,
        "kubernetes.registry": "cluster.local",
        # A small node has to hold many of them.
        "kubernetes.requests.cpuMillicores": "20", "kubernetes.requests.memory": "64MiB",
    }
    options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return Gateway(folder, catalogue=None, flags=["--runtime", "kubernetes", *options, *flags])


@pytest.fixture(scope="module")
def image() -> str:
    return cluster.server_image()


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    with Namespace() as namespace:
        yield namespace


@pytest.fixture(scope="module")
def gateway(namespace: Namespace, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway_in(namespace, tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture
def own_namespace() -> Iterator[Namespace]:
    with Namespace() as namespace:
        yield namespace


@pytest.mark.anyio
async def test_a_hundred_sessions_keep_to_their_pods(gateway: Gateway, namespace: Namespace, image: str) -> None:
    api = ControlPlane(gateway)
    api.deploy("many", "podserver", image, replicaCount=3)
    pods: dict[int, str] = {}
    states: dict[int, str] = {}
    has_kept = anyio.Event()

    async def session(number: int) -> None:
        async with legacy_client(gateway.mcp("many")) as client:
            pods[number] = await call(client, "where")
            await call(client, "keep", value=f"state {number}")
            if len(pods) == 100:
                has_kept.set()
            # Only when all are open does each ask again.
            await has_kept.wait()
            assert await call(client, "where") == pods[number]
            states[number] = await call(client, "recall")

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(session, number)
    assert states == {number: f"state {number}" for number in range(100)}
    spread = Counter(pods.values())
    assert set(spread) == {"many-0", "many-1", "many-2"}
    assert max(spread.values()) - min(spread.values()) <= 10, spread
    async with modern_client(gateway.mcp("many")) as client:
        assert await call(client, "where") in spread
        assert await call(client, "user") == 1100
    api.delete("many")
    namespace.wait_until_empty()


def test_a_pod_that_is_deleted_ends_its_own_sessions_only(gateway: Gateway, namespace: Namespace, image: str) -> None:
    api = ControlPlane(gateway)
    api.deploy("deleted", "podserver", image, replicaCount=2)
    lost, kept = session_on(gateway, "deleted", "deleted-0"), session_on(gateway, "deleted", "deleted-1")
    kept.call(gateway, "keep", value="mine")
    namespace.kubectl("delete", "pod", "deleted-0", "--wait=false")
    until(lambda: lost.post(gateway, "where").status == 404 or None, "the session of the deleted pod is lost")
    assert kept.call(gateway, "recall") == "mine"
    api.wait_until_ready("deleted", 2)
    assert lost.post(gateway, "where").status == 404
    assert session_on(gateway, "deleted", "deleted-0").call(gateway, "recall") == ""
    assert kept.call(gateway, "recall") == "mine"
    api.delete("deleted")
    namespace.wait_until_empty()


def test_a_server_that_uses_too_much_memory_is_explained(gateway: Gateway, namespace: Namespace, image: str) -> None:
    api = ControlPlane(gateway)
    api.deploy("hungry", "podserver", image, replicaCount=2, resources={"memoryBytes": 192 << 20})
    lost, kept = session_on(gateway, "hungry", "hungry-0"), session_on(gateway, "hungry", "hungry-1")
    kept.call(gateway, "keep", value="mine")
    reasons: list[dict[str, str]] = []

    def is_explained() -> bool:
        instance = api.status("hungry")["instances"][0]
        reasons.append(instance.get("reason"))
        return instance["phase"] == "backingOff" and instance["reason"]["code"] == "outOfMemory"

    # Killed again right after it is back, it has to wait before it is started once more, which gives time to look.
    for restarts in range(2):

        def is_there() -> bool:
            instance = api.status("hungry")["instances"][0]
            return instance["phase"] == "ready" and instance["restarts"] == restarts

        until(is_there, "it is there", 60)
        victim = lost if restarts == 0 else session_on(gateway, "hungry", "hungry-0")
        answer = victim.post(gateway, "grow", mebibytes=400)
        assert answer.status in (0, 200, 502, 503, 504), answer
    until(is_explained, "the status says that it used too much memory", 30)
    assert "used more memory than it may" in reasons[-1]["message"]
    assert lost.post(gateway, "where").status == 404
    assert kept.call(gateway, "recall") == "mine"
    api.delete("hungry")
    namespace.wait_until_empty()


def test_an_image_that_can_not_be_had_is_explained(gateway: Gateway, namespace: Namespace) -> None:
    api = ControlPlane(gateway)
    api.create("nowhere", "no-such-image")

    def reason() -> dict[str, str] | None:
        [instance] = api.status("nowhere")["instances"] or [{}]
        return instance.get("reason")

    assert until(reason, "a reason is given", 60)["code"] == "imageNotFound"
    api.delete("nowhere")
    namespace.wait_until_empty()


@pytest.mark.anyio
async def test_a_server_on_standard_input_runs_behind_the_bridge(
    own_namespace: Namespace, image: str, tmp_path: Path
) -> None:
    flags = ["--set", f"kubernetes.bridgeImage={cluster.gateway_image()}"]
    with gateway_in(own_namespace, tmp_path, *flags) as gateway:
        api = ControlPlane(gateway)
        command, *arguments = cluster.SERVER_COMMAND
        api.deploy(
            "stdio", "podserver", image, transport="stdio", command=command, arguments=[*arguments, "--stdio"],
            environmentVariables={"GREETING": "$(HOSTNAME) costs $5"})
        async with legacy_client(gateway.mcp("stdio")) as one, legacy_client(gateway.mcp("stdio")) as two:
            await call(one, "keep", value="one")
            await call(two, "keep", value="two")
            assert [await call(one, "recall"), await call(two, "recall")] == ["one", "two"]
            assert await call(one, "where") == "stdio-0"
            assert await call(one, "user") == 1100
        api.delete("stdio")
        own_namespace.wait_until_empty()


def test_a_session_goes_on_through_another_gateway(own_namespace: Namespace, image: str, tmp_path: Path) -> None:
    keys = ["--set", f"session.keyFile={tmp_path / 'session-keys'}"]
    with gateway_in(own_namespace, tmp_path / "one", *keys) as one:
        body = {"name": "shared", "imageName": "podserver", "imageVersion": image, "replicaCount": 3}
        assert requests.post(f"{one.url}/adapters", json=body, timeout=15).status_code == 201
        ControlPlane(one).wait_until_ready("shared", 3)
        pods = {item["metadata"]["name"]: item["metadata"]["uid"] for item in own_namespace.get("pods")}
        with gateway_in(own_namespace, tmp_path / "two", *keys) as two:
            # What the other has made is no stray; asked for the same, this one finds it done.
            assert requests.post(f"{two.url}/adapters", json=body, timeout=15).status_code == 201
            ControlPlane(two).wait_until_ready("shared", 3)
            sessions = [Session(one, "shared") for _ in range(12)]
            for number, session in enumerate(sessions):
                session.call(one, "keep", value=str(number))
            one.signal(signal.SIGKILL)
            one.wait()
            assert [session.call(two, "recall") for session in sessions] == [str(number) for number in range(12)]
            assert {session.pod for session in sessions} == set(pods)
            assert {item["metadata"]["name"]: item["metadata"]["uid"] for item in own_namespace.get("pods")} == pods
            # And again through the first one, when it is back.
            one.start()
            ControlPlane(one).wait_until_ready("shared", 3)
            assert [session.call(one, "recall") for session in sessions] == [str(number) for number in range(12)]
            for gateway in (one, two):
                ControlPlane(gateway).delete("shared")
            own_namespace.wait_until_empty()


def test_two_gateways_that_create_at_once_make_one_workload(own_namespace: Namespace, image: str, tmp_path: Path) -> None:
    body = {"name": "race", "imageName": "podserver", "imageVersion": image, "replicaCount": 2}
    with gateway_in(own_namespace, tmp_path / "one") as one, gateway_in(own_namespace, tmp_path / "two") as two:
        created: list[int] = []
        begin = threading.Barrier(2)

        def create(gateway: Gateway) -> None:
            begin.wait()
            created.append(requests.post(f"{gateway.url}/adapters", json=body, timeout=15).status_code)

        threads = [threading.Thread(target=create, args=[gateway]) for gateway in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert created == [201, 201]
        for gateway in (one, two):
            status = ControlPlane(gateway).wait_until_ready("race", 2)
            assert "lastError" not in status
        assert sorted(own_namespace.names()) == sorted([
            "StatefulSet/race", "Service/race-service", "Pod/race-0", "Pod/race-1", "PodDisruptionBudget/race"])
        for item in own_namespace.get("pods"):
            assert item["status"]["containerStatuses"][0]["restartCount"] == 0
        for gateway in (one, two):
            ControlPlane(gateway).delete("race")
        own_namespace.wait_until_empty()


def test_what_is_not_ours_is_left_alone(gateway: Gateway, namespace: Namespace, image: str) -> None:
    api = ControlPlane(gateway)
    namespace.kubectl("create", "service", "clusterip", "taken-service", "--clusterip=None")
    api.create("taken", "podserver", image)
    error = until(lambda: api.status("taken").get("lastError"), "the conflict is told")
    assert error["code"] == "conflict" and "not the gateway's" in error["message"]
    api.delete("taken")
    until(lambda: api.request("GET", "/adapters/taken").status_code == 404 or None, "it is deleted")
    assert namespace.names() == ["Service/taken-service"]
    namespace.kubectl("delete", "service", "taken-service")


def check_that_traffic_goes_on(
    gateway: Gateway, namespace: Namespace, image: str, lose: Callable[[], None], regain: Callable[[], None]
) -> None:
    api = ControlPlane(gateway)
    api.deploy("away", "podserver", image, replicaCount=2)
    sessions = [session_on(gateway, "away", pod) for pod in ("away-0", "away-1")]
    for session in sessions:
        session.call(gateway, "keep", value=session.pod)
    later = {"name": "later", "imageName": "podserver", "imageVersion": image}
    lose()
    try:
        # Known once the watches have ended and could not begin again.
        phases = {"ready"}
        while phases != {"unknown"}:
            phases = {instance["phase"] for instance in api.status("away")["instances"]}
        for method, path, body in (("POST", "", later), ("PUT", "/away", later | {"name": "away"}), ("DELETE", "/away", None)):
            answer = requests.request(method, f"{gateway.url}/adapters{path}", json=body, timeout=15)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1"), answer.text
            assert answer.json()["code"] == "unavailable"
        for session in sessions:
            assert session.call(gateway, "recall") == session.pod
        # New ones are placed as before, and on both.
        assert {Session(gateway, "away").pod for _ in range(8)} == {"away-0", "away-1"}
        assert requests.get(f"{gateway.url}/readyz", timeout=15).status_code == 200
    finally:
        regain()
    api.wait_until_ready("away", 2)
    for session in sessions:
        assert session.call(gateway, "recall") == session.pod
    assert requests.post(f"{gateway.url}/adapters", json=later, timeout=15).status_code == 201
    api.wait_until_ready("later")
    api.delete("later")
    api.delete("away")
    namespace.wait_until_empty()


def test_traffic_goes_on_without_contact(own_namespace: Namespace, image: str, tmp_path: Path) -> None:
    with APIProxy(tmp_path) as proxy:
        kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig", proxy.url, proxy.authority)
        with gateway_in(own_namespace, tmp_path, kubeconfig=str(kubeconfig)) as gateway:
            check_that_traffic_goes_on(gateway, own_namespace, image, proxy.cut, proxy.restore)


@pytest.mark.skipif(not cluster.ClusterProcess.IS_OURS, reason="kills the API server, so the cluster must be the tests' own")
def test_traffic_goes_on_without_an_api_server(gateway: Gateway, namespace: Namespace, image: str) -> None:
    server = cluster.ClusterProcess("apiserver")
    check_that_traffic_goes_on(gateway, namespace, image, server.kill, server.start)


def test_a_gateway_that_starts_without_contact_takes_no_session_for_lost(
    own_namespace: Namespace, image: str, tmp_path: Path
) -> None:
    with APIProxy(tmp_path) as proxy:
        kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig", proxy.url, proxy.authority)
        with gateway_in(own_namespace, tmp_path, kubeconfig=str(kubeconfig)) as gateway:
            api = ControlPlane(gateway)
            api.deploy("early", "podserver", image)
            session = Session(gateway, "early")
            session.call(gateway, "keep", value="mine")
            gateway.stop()
            proxy.cut()
            gateway.start(seconds=30)
            assert requests.get(f"{gateway.url}/readyz", timeout=15).status_code == 503
            answer = session.post(gateway, "recall")
            assert (answer.status, answer.headers["retry-after"]) == (503, "1"), answer
            proxy.restore()
            api.wait_until_ready("early")
            assert session.call(gateway, "recall") == "mine"
            api.delete("early")
            own_namespace.wait_until_empty()
