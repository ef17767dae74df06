# SPDX-License-Identifier: MIT
"""Many sessions in pods of a real cluster, and what those hear of that lose theirs: nobody else hears anything."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import cluster, raw
from harness.api import ControlPlane
from harness.cluster import ClusterProcess, Namespace, needs_cluster
from harness.gateway import Gateway
from harness.sessions import Session
from harness.waiting import until

pytestmark = needs_cluster
takes_the_node = pytest.mark.skipif(
    not ClusterProcess.IS_OURS or os.environ.get("MCP_GATEWAY_TEST_NODE") != "1",
    reason="takes the node away for a minute or two: set MCP_GATEWAY_TEST_NODE=1, and MCP_GATEWAY_TEST_CLUSTER_IS_OURS=1 where that is so",
)


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


class Sessions:
    """Sessions, each with a state of its own."""

    def __init__(self, gateway: Gateway, adapter: str, count: int) -> None:
        self.gateway = gateway

        def open_one(number: int) -> Session:
            session = Session(gateway, adapter)
            session.call(gateway, "keep", value=f"state {number}")
            return session

        with ThreadPoolExecutor(8) as pool:
            self.all = dict(enumerate(pool.map(open_one, range(count))))

    def on(self, pod: str) -> list[Session]:
        return [session for session in self.all.values() if session.pod == pod]

    def drop(self, pod: str) -> None:
        self.all = {number: session for number, session in self.all.items() if session.pod != pod}

    def check(self) -> None:
        """Every one is where it was, and has what it had."""

        def check(item: tuple[int, Session]) -> None:
            number, session = item
            assert session.call(self.gateway, "recall") == f"state {number}"
            assert session.call(self.gateway, "where") == session.pod

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(check, self.all.items()))

    def lose(self, pod: str) -> None:
        """Waits until all of a pod are told that they are lost; from then on they are not counted."""
        for session in self.on(pod):
            until(lambda: session.is_lost(self.gateway) or None, f"a session of {pod} is told of its loss", 60)
        self.drop(pod)


def test_of_a_hundred_sessions_only_those_of_a_lost_pod_are_lost(gateway: Gateway, namespace: Namespace) -> None:
    api = ControlPlane(gateway)
    api.deploy("hundred", "podserver", cluster.server_image(), replicaCount=3, resources={"memoryBytes": 256 << 20})
    sessions = Sessions(gateway, "hundred", 100)
    assert all(len(sessions.on(f"hundred-{ordinal}")) >= 20 for ordinal in range(3))
    sessions.check()

    namespace.kubectl("delete", "pod", "hundred-0", "--grace-period=1", "--wait=false")
    sessions.lose("hundred-0")
    sessions.check()

    victim = sessions.on("hundred-1")[0]
    assert victim.post(gateway, "grow", mebibytes=500).status in (0, 200, 502, 503, 504)
    sessions.lose("hundred-1")
    sessions.check()
    assert len(sessions.all) >= 20

    status = api.wait_until_ready("hundred", 3)
    assert [instance["restarts"] for instance in status["instances"]] == [0, 1, 0]
    # Those that begin anew find room where it was made.
    assert {Session(gateway, "hundred").pod for _ in range(20)} >= {"hundred-0", "hundred-1"}
    sessions.check()
    api.delete("hundred")
    namespace.wait_until_empty()


@takes_the_node
def test_a_node_that_is_away_takes_no_session_along(gateway: Gateway, namespace: Namespace) -> None:
    """What runs there goes on; what ended meanwhile is told when the node is back."""
    api = ControlPlane(gateway)
    api.deploy("away", "podserver", cluster.server_image(), replicaCount=2)
    sessions = Sessions(gateway, "away", 20)
    pods = {pod["metadata"]["name"]: pod for pod in namespace.get("pods")}
    ending = cluster.server_process(pods["away-0"])
    node = ClusterProcess("kubelet")
    node.kill()
    try:

        def reasons() -> list[dict[str, str]]:
            sessions.check()
            found = [instance.get("reason") or {} for instance in api.status("away")["instances"]]
            return found if all(reason.get("code") == "contactLost" for reason in found) else []

        for reason in until(reasons, "the node's absence is told", 180):
            assert reason["message"] == "the node that the pod runs on does not answer"
        # New ones are not put where nobody knows what happens.
        answer, _ = raw.initialize(gateway.port, "/adapters/away/mcp")
        assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1, answer
        os.kill(ending, signal.SIGKILL)
        lost = sessions.on("away-0")
        until(lambda: lost[0].post(gateway, "where").status != 200 or None, "the server has ended")
        assert lost[0].post(gateway, "where").status in (502, 503)
    finally:
        node.start()
    sessions.lose("away-0")
    sessions.check()
    status = api.wait_until_ready("away", 2, 120)
    assert [instance["restarts"] for instance in status["instances"]] == [1, 0]
    sessions.check()
    api.delete("away")
    namespace.wait_until_empty()
