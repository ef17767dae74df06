# SPDX-License-Identifier: MIT
"""An API server that answers badly, late or not at all: what the gateway does about it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from harness import cluster
from harness.api import ControlPlane
from harness.api_proxy import Answer, APIProxy, Seen
from harness.cluster import Namespace, needs_cluster
from harness.gateway import Gateway
from harness.waiting import until

pytestmark = needs_cluster


def status(code: int, reason: str, **more: object) -> bytes:
    """What the API server says of an error."""
    return json.dumps(
        {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason} | more
    ).encode()


class Faults:
    """Answers so many requests that fulfil a condition, and lets the others pass."""

    def __init__(self, answer: Answer | bool, count: int, method: str, part: str) -> None:
        self.answer, self.left, self.method, self.part = answer, count, method, part

    def __call__(self, seen: Seen) -> Answer | bool | None:
        if self.left > 0 and seen.method == self.method and self.part in seen.path:
            self.left -= 1
            return self.answer
        return None


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    with Namespace() as namespace:
        yield namespace


@pytest.fixture(scope="module")
def image() -> str:
    return cluster.server_image()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[APIProxy]:
    with APIProxy(tmp_path) as proxy:
        yield proxy


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("first\n")
    return path


@pytest.fixture
def gateway(namespace: Namespace, proxy: APIProxy, token: Path, tmp_path: Path) -> Iterator[Gateway]:
    # The proxy signs in by itself; the token is what the gateway shows.
    kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig", proxy.url, proxy.authority, token)
    settings = [
        f"kubernetes.kubeconfig={kubeconfig}", f"kubernetes.namespace={namespace.name}",
        "kubernetes.registry=cluster.local", "kubernetes.requests.cpuMillicores=20", "kubernetes.requests.memory=64MiB",
    ]
    flags = [word for setting in settings for word in ("--set", setting)]
    with Gateway(tmp_path, catalogue=None, flags=["--runtime", "kubernetes", *flags]) as gateway:
        yield gateway


def watches(proxy: APIProxy) -> int:
    return sum(seen.is_watch for seen in list(proxy.seen))


def run_steady(api: ControlPlane, image: str) -> None:
    """A server that outlives the gateways of the tests: each takes over what the one before has made."""
    api.deploy("steady", "podserver", image)


def write(api: ControlPlane, name: str, image: str) -> None:
    """Creates an adapter that wants no instances, and waits until the cluster has what it needs."""
    api.create(name, "podserver", image, replicaCount=0)
    wait_until_written(api, name)


def wait_until_written(api: ControlPlane, name: str) -> None:
    def is_written() -> bool:
        status = api.status(name)
        return status["observedGeneration"] == status["generation"] and "lastError" not in status

    until(is_written, f"{name} is written", 60)


def remove(gateway: Gateway, namespace: Namespace, name: str) -> None:
    ControlPlane(gateway).delete(name)
    until(lambda: f"StatefulSet/{name}" not in namespace.names() or None, f"nothing of {name} is left", 60)


@pytest.mark.parametrize("code, reason", [(429, "TooManyRequests"), (500, "InternalError"), (503, "ServiceUnavailable")])
def test_a_server_that_is_too_busy_is_asked_again(
    gateway: Gateway, namespace: Namespace, proxy: APIProxy, image: str, code: int, reason: str
) -> None:
    faults = proxy.fault = Faults(Answer(code, {"Retry-After": "1"}, status(code, reason)), 2, "POST", "/statefulsets")
    api = ControlPlane(gateway)
    # Nothing has to run to see what is written.
    write(api, "busy", image)
    until(lambda: len(proxy.requests("/statefulsets", "POST")) == 3 or None, "it is asked again until it answers", 20)
    assert faults.left == 0
    remove(gateway, namespace, "busy")


def test_a_write_that_somebody_else_was_faster_with_is_made_again(
    gateway: Gateway, namespace: Namespace, proxy: APIProxy, image: str
) -> None:
    proxy.fault = Faults(Answer(409, body=status(409, "Conflict")), 2, "POST", "/statefulsets")
    write(ControlPlane(gateway), "raced", image)
    until(lambda: len(proxy.requests("/statefulsets", "POST")) >= 3 or None, "it is made again", 20)
    remove(gateway, namespace, "raced")


def test_an_answer_that_never_comes_is_not_waited_for_for_ever(
    gateway: Gateway, namespace: Namespace, proxy: APIProxy, image: str
) -> None:
    proxy.fault = Faults(True, 1, "POST", "/statefulsets")
    api = ControlPlane(gateway)
    api.create("stalled", "podserver", image, replicaCount=0)
    error = until(lambda: api.status("stalled").get("lastError"), "the stall is told", 40)
    assert error["code"] == "timedOut"
    proxy.release()
    wait_until_written(api, "stalled")
    remove(gateway, namespace, "stalled")


def test_watches_that_are_dropped_begin_again_and_miss_nothing(
    gateway: Gateway, namespace: Namespace, proxy: APIProxy, image: str
) -> None:
    api = ControlPlane(gateway)
    run_steady(api, image)
    lists = len(proxy.requests("/pods?")) - watches(proxy)
    for _ in range(3):
        before = watches(proxy)
        proxy.drop()
        until(lambda: watches(proxy) >= before + 2 or None, "both watches are back")
        # A second break in a row may count as a loss of contact, until the watch is back; never as a loss of the pod.
        assert [instance["phase"] for instance in api.status("steady")["instances"]] in (["ready"], ["unknown"])
        api.wait_until_ready("steady")
    namespace.kubectl("delete", "pod", "steady-0", "--grace-period=1", "--wait=false")
    proxy.drop()
    until(lambda: api.status("steady")["readyReplicas"] == 0 or None, "the pod is seen to go")
    api.wait_until_ready("steady")
    # They went on from where they were: nothing had to be listed anew.
    assert len(proxy.requests("/pods?")) - watches(proxy) <= lists + len(proxy.requests("labelSelector", "DELETE")) + 3


@pytest.mark.parametrize("late", [False, True])
def test_a_version_that_is_too_old_has_everything_listed_again(
    gateway: Gateway, namespace: Namespace, proxy: APIProxy, image: str, late: bool
) -> None:
    """As an answer, and as an event of a watch that has begun."""
    api = ControlPlane(gateway)
    run_steady(api, image)
    gone = status(410, "Expired")
    event = json.dumps({"type": "ERROR", "object": json.loads(gone)}).encode() + b"\n"
    faults = Faults(Answer(200, body=event) if late else Answer(410, body=gone), 2, "GET", "watch=true")
    proxy.fault = faults
    before = len(proxy.seen)
    proxy.drop()
    until(lambda: faults.left == 0 or None, "both watches are told")
    phases = set()

    def is_listed() -> bool:
        phases.update(instance["phase"] for instance in api.status("steady")["instances"])
        seen = proxy.seen[before:]
        return sum("limit=500" in request.path for request in seen) >= 2 and sum(request.is_watch for request in seen) >= 4

    until(is_listed, "all is listed and watched again")
    # The gap never showed.
    assert phases <= {"ready", "unknown"}
    api.wait_until_ready("steady")


def test_a_token_that_was_replaced_is_read_again(
    gateway: Gateway, namespace: Namespace, proxy: APIProxy, token: Path, image: str
) -> None:
    api = ControlPlane(gateway)
    write(api, "before", image)
    assert {seen.authorization for seen in proxy.seen} == {"Bearer first"}
    token.write_text("second\n")

    def fault(seen: Seen) -> Answer | None:
        return None if seen.authorization == "Bearer second" else Answer(401, body=status(401, "Unauthorized"))

    proxy.fault = fault
    proxy.drop()
    write(api, "after", image)
    assert proxy.seen[-1].authorization == "Bearer second"
    api.delete("before")
    remove(gateway, namespace, "after")


def test_what_is_not_allowed_is_told(gateway: Gateway, namespace: Namespace, proxy: APIProxy, image: str) -> None:
    faults = proxy.fault = Faults(Answer(403, body=status(403, "Forbidden")), 1, "PATCH", "/services/")
    api = ControlPlane(gateway)
    api.create("refused", "podserver", image, replicaCount=0)
    error = until(lambda: api.status("refused").get("lastError"), "the refusal is told")
    assert (error["code"], error["message"]) == ("forbidden", "Forbidden")
    assert faults.left == 0
    # It is tried again when what is wanted changes.
    body = {"imageName": "podserver", "imageVersion": image, "description": "again", "replicaCount": 0}
    assert requests.put(f"{gateway.url}/adapters/refused", json=body, timeout=15).status_code == 200
    wait_until_written(api, "refused")
    remove(gateway, namespace, "refused")
