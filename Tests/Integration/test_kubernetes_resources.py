# SPDX-License-Identifier: MIT
"""Adapters as custom resources: the API and kubectl are equal, on any of several gateways, whatever dies meanwhile."""

import base64
import concurrent.futures
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from harness import cluster, raw
from harness.api_proxy import APIProxy
from harness.cluster import Namespace, needs_cluster
from harness.gateway import Gateway
from harness.places import ROOT
from harness.sessions import Session
from harness.waiting import until

pytestmark = needs_cluster
DEFINITION = ROOT / "deployment" / "kubernetes" / "base" / "adapters.mcp-gateway.dev.yaml"


def gateway_in(namespace: Namespace, folder: Path, *, keys: Path, kubeconfig: str = cluster.KUBECONFIG) -> Gateway:
    settings = {
        "kubernetes.kubeconfig": kubeconfig, "kubernetes.namespace": namespace.name, "kubernetes.authority": "cluster",
        "kubernetes.registry": "cluster.local", "session.keyFile": str(keys),
        "kubernetes.requests.cpuMillicores": "20", "kubernetes.requests.memory": "64MiB",
    }
    options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return Gateway(folder, catalogue=None, flags=["--runtime", "kubernetes", *options])


@pytest.fixture(scope="module")
def image() -> dict[str, str]:
    cluster.run("kubectl", "apply", "--filename", DEFINITION)
    cluster.run("kubectl", "wait", "--for", "condition=established", "crd/adapters.mcp-gateway.dev", "--timeout=30s")
    return {"imageName": "podserver", "imageVersion": cluster.server_image()}


class Resources:
    """A namespace, and what kubectl says of the adapters in it."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace

    def apply(self, name: str, spec: dict, **metadata: object) -> None:
        resource = {
            "apiVersion": "mcp-gateway.dev/v1alpha1", "kind": "Adapter",
            "metadata": {"name": name, "namespace": self.namespace.name, **metadata}, "spec": spec}
        file = Path(self.folder) / f"{name}.json"
        file.write_text(json.dumps(resource))
        self.namespace.kubectl("apply", "--filename", str(file))

    folder: Path

    def get(self, name: str) -> dict:
        return json.loads(self.namespace.kubectl("get", "adapter", name, "--output", "json"))

    def names(self) -> list[str]:
        return [item["metadata"]["name"] for item in self.namespace.get("adapters")]

    def condition(self, name: str, kind: str) -> tuple[str, str]:
        for condition in self.get(name).get("status", {}).get("conditions", []):
            if condition["type"] == kind:
                return condition["status"], condition["reason"]
        return "", ""

    def wait_for_condition(self, name: str, kind: str, status: str, reason: str) -> None:
        until(lambda: self.condition(name, kind) == (status, reason) or None, f"{kind} is {status}, {reason}", 60)


@pytest.fixture
def resources(image: dict, tmp_path: Path) -> Iterator[Resources]:
    with Namespace() as namespace:
        resources = Resources(namespace)
        resources.folder = tmp_path
        yield resources
        # What the test has left, while there is still a gateway that removes it.


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text("00112233445566778899aabbccddeeff" * 2 + "\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def gateways(resources: Resources, keys: Path, tmp_path: Path) -> Iterator[list[Gateway]]:
    """Two gateways that know of each other through the cluster only."""
    with (
        gateway_in(resources.namespace, tmp_path / "one", keys=keys) as one,
        gateway_in(resources.namespace, tmp_path / "two", keys=keys) as two,
    ):
        yield [one, two]
        for name in resources.names():
            resources.namespace.kubectl("delete", "adapter", name, "--ignore-not-found", "--timeout=110s")


def show(gateway: Gateway, name: str) -> requests.Response:
    return requests.get(f"{gateway.url}/adapters/{name}", timeout=15)


def wait_for(gateway: Gateway, name: str, condition: Callable[[requests.Response], object]) -> requests.Response:
    # In a list, for answers that are errors count as false.
    return until(lambda: [answer] if condition(answer := show(gateway, name)) else [], f"{name} as expected", 15)[0]


def healthy(gateway: Gateway, name: str) -> None:
    def is_healthy() -> bool | None:
        answer = requests.get(f"{gateway.url}/adapters/{name}/status", timeout=15)
        return answer.status_code == 200 and answer.json()["replicaStatus"] == "Healthy" or None

    until(is_healthy, f"{name} is healthy", 60)


def test_what_is_posted_is_a_resource_and_known_to_all(gateways: list[Gateway], resources: Resources, image: dict) -> None:
    one, two = gateways
    posted = requests.post(f"{one.url}/adapters", json={"name": "posted", **image, "description": "ä 1"}, timeout=15)
    assert posted.status_code == 201, posted.text
    assert show(one, "posted").json() == posted.json()
    # At once: who is asked asks the cluster whether there is something newer.
    other = show(two, "posted")
    assert other.json() == posted.json() and other.headers["ETag"] == posted.headers["ETag"]
    resource = resources.get("posted")
    assert resource["spec"]["imageName"] == "podserver" and resource["spec"]["description"] == "ä 1"
    assert resource["metadata"]["annotations"]["mcp-gateway.dev/created-by"] == posted.json()["createdBy"]
    assert requests.post(f"{two.url}/adapters", json={"name": "posted", **image}, timeout=15).json()["code"] == "adapterExists"


def test_what_kubectl_applies_is_an_adapter(gateways: list[Gateway], resources: Resources, image: dict) -> None:
    one, two = gateways
    resources.apply("applied", {**image, "replicaCount": 2})
    for gateway in gateways:
        assert wait_for(gateway, "applied", lambda answer: answer.status_code == 200).json()["replicaCount"] == 2
        healthy(gateway, "applied")
    resources.wait_for_condition("applied", "Ready", "True", "Healthy")
    until(lambda: resources.get("applied")["status"]["ready"] == "2/2" or None, "the column Ready says 2/2")
    lines = resources.namespace.kubectl("get", "mcpa").splitlines()
    assert lines[1].split()[:3] == ["applied", f"podserver:{image['imageVersion']}", "2/2"]

    session = Session(one, "applied")
    session.call(one, "keep", value="something")
    assert session.call(two, "recall") == "something"

    changed = requests.put(f"{two.url}/adapters/applied", json={**image, "replicaCount": 1}, timeout=15)
    assert changed.status_code == 200 and changed.json()["generation"] == 2
    assert resources.get("applied")["spec"]["replicaCount"] == 1
    resources.wait_for_condition("applied", "Ready", "True", "Healthy")

    resources.namespace.kubectl("delete", "adapter", "applied", "--ignore-not-found", "--timeout=110s")
    resources.namespace.wait_until_empty()
    for gateway in gateways:
        wait_for(gateway, "applied", lambda answer: answer.status_code == 404)


def test_what_is_deleted_leaves_nothing(gateways: list[Gateway], resources: Resources, image: dict) -> None:
    body = {"name": "gone", **image, "secretEnvironmentVariables": {"TOKEN": "not-to-be-seen"}}
    assert requests.post(f"{gateways[0].url}/adapters", json=body, timeout=15).status_code == 201
    healthy(gateways[0], "gone")
    assert "not-to-be-seen" not in json.dumps(resources.get("gone"))
    assert requests.delete(f"{gateways[0].url}/adapters/gone", timeout=15).status_code == 204
    assert show(gateways[0], "gone").status_code == 404
    until(lambda: resources.names() == [] or None, "the resource is gone", 60)
    resources.namespace.wait_until_empty()
    # And the name can be taken again, by the other gateway.
    assert requests.post(f"{gateways[1].url}/adapters", json={"name": "gone", **image}, timeout=30).status_code == 201


def test_every_gateway_answers_with_what_was_written_last(gateways: list[Gateway], image: dict) -> None:
    requests.post(f"{gateways[0].url}/adapters", json={"name": "fresh", **image, "replicaCount": 0}, timeout=15)
    for number in range(40):
        body = {**image, "replicaCount": 0, "description": str(number)}
        written = requests.put(f"{gateways[number % 2].url}/adapters/fresh", json=body, timeout=15)
        assert show(gateways[1 - number % 2], "fresh").headers["ETag"] == written.headers["ETag"], number
    assert requests.delete(f"{gateways[0].url}/adapters/fresh", timeout=15).status_code == 204
    assert show(gateways[1], "fresh").status_code == 404


def test_of_two_changes_at_once_one_is_refused(gateways: list[Gateway], image: dict) -> None:
    created = requests.post(f"{gateways[0].url}/adapters", json={"name": "twice", **image, "replicaCount": 0}, timeout=15)
    wait_for(gateways[1], "twice", lambda answer: answer.status_code == 200)
    for round in range(5):
        etag = show(gateways[0], "twice").headers["ETag"]
        wait_for(gateways[1], "twice", lambda answer: answer.headers["ETag"] == etag)

        def change(gateway: Gateway) -> int:
            body = {**image, "replicaCount": 0, "description": f"{round} {gateway.port}"}
            return requests.put(f"{gateway.url}/adapters/twice", json=body, headers={"If-Match": etag}, timeout=15).status_code

        with concurrent.futures.ThreadPoolExecutor() as pool:
            assert sorted(pool.map(change, gateways)) == [200, 412]
    assert show(gateways[0], "twice").json()["generation"] == created.json()["generation"] + 5


def test_no_change_is_lost_when_all_write_at_once(gateways: list[Gateway], image: dict) -> None:
    requests.post(f"{gateways[0].url}/adapters", json={"name": "many", **image, "replicaCount": 0}, timeout=15)
    wait_for(gateways[1], "many", lambda answer: answer.status_code == 200)

    def change(number: int) -> int:
        body = {**image, "replicaCount": 0, "description": str(number)}
        return requests.put(f"{gateways[number % 2].url}/adapters/many", json=body, timeout=15).status_code

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(change, range(24)))
    assert set(statuses) <= {200, 503} and statuses.count(200) >= 8
    assert show(gateways[0], "many").json()["generation"] == 1 + statuses.count(200)


def test_names_that_are_taken_at_once_are_given_once(gateways: list[Gateway], resources: Resources, image: dict) -> None:
    def create(number: int) -> int:
        body = {"name": f"race-{number // 2}", **image, "replicaCount": 0}
        return requests.post(f"{gateways[number % 2].url}/adapters", json=body, timeout=15).status_code

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(create, range(20)))
    assert sorted(statuses) == [201] * 10 + [409] * 10
    assert len(resources.names()) == 10


def test_why_a_server_does_not_start_is_in_the_conditions(gateways: list[Gateway], resources: Resources, image: dict) -> None:
    resources.apply("wrong", {**image, "imageVersion": "no-such-version"})
    resources.wait_for_condition("wrong", "Degraded", "True", "ImageNotFound")
    assert resources.condition("wrong", "Ready") == ("False", "NotReady")


def test_what_no_gateway_can_take_up_says_so(gateways: list[Gateway], resources: Resources, image: dict) -> None:
    resources.apply("wrong", {**image, "environmentVariables": {"not a name": "1"}})
    resources.wait_for_condition("wrong", "Degraded", "True", "InvalidSpec")
    messages = [item["message"] for item in resources.get("wrong")["status"]["conditions"]]
    assert [message for message in messages if message.startswith("environmentVariables.not a name")]
    assert show(gateways[0], "wrong").status_code == 404
    assert requests.post(f"{gateways[0].url}/adapters", json={"name": "wrong", **image}, timeout=15).status_code == 422
    resources.apply("wrong", {**image, "environmentVariables": {"NAME": "1"}})
    resources.wait_for_condition("wrong", "Degraded", "False", "AsWanted")
    # Also one that is never mended goes when it is deleted.
    resources.apply("worse", {**image, "environmentVariables": {"": "1"}})
    resources.wait_for_condition("worse", "Degraded", "True", "InvalidSpec")
    resources.namespace.kubectl("delete", "adapter", "worse", "--ignore-not-found", "--timeout=110s")


def test_secrets_are_in_secrets(gateways: list[Gateway], resources: Resources, image: dict) -> None:
    one, two = gateways
    body = {"name": "keeper", **image, "secretEnvironmentVariables": {"TOKEN": "first", "OTHER": "stays"}}
    assert requests.post(f"{one.url}/adapters", json=body, timeout=15).json()["secretEnvironmentVariables"] == {"TOKEN": None, "OTHER": None}
    wait_for(two, "keeper", lambda answer: answer.status_code == 200)
    before = resources.get("keeper")["spec"]["secretEnvironment"]["secretName"]
    # Through the gateway that has never seen the values in a request.
    kept = {**image, "secretEnvironmentVariables": {"TOKEN": "second", "OTHER": None}}
    changed = requests.put(f"{two.url}/adapters/keeper", json=kept, timeout=15)
    assert changed.status_code == 200 and changed.json()["generation"] == 2
    after = resources.get("keeper")["spec"]["secretEnvironment"]["secretName"]
    secrets = {item["metadata"]["name"]: item for item in resources.namespace.get("secrets")}
    assert before != after and before not in secrets
    assert {key: base64.b64decode(value).decode() for key, value in secrets[after]["data"].items()} == {"TOKEN": "second", "OTHER": "stays"}
    owner = secrets[after]["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("Adapter", "keeper")


def test_kubectl_brings_its_own_secret(gateways: list[Gateway], resources: Resources, image: dict) -> None:
    resources.apply("own", {**image, "secretEnvironment": {"secretName": "mine"}})
    resources.wait_for_condition("own", "Degraded", "True", "InvalidSpec")
    resources.namespace.kubectl("create", "secret", "generic", "mine", "--from-literal=TOKEN=value")
    assert wait_for(gateways[0], "own", lambda answer: answer.status_code == 200).json()["secretEnvironmentVariables"] == {"TOKEN": None}
    resources.namespace.kubectl("delete", "adapter", "own", "--ignore-not-found", "--timeout=110s")
    assert "mine" in [item["metadata"]["name"] for item in resources.namespace.get("secrets")]


def test_credentials_for_servers_of_others_are_in_secrets(gateways: list[Gateway], resources: Resources) -> None:
    one, two = gateways
    body = {"name": "away", "url": "http://127.0.0.1:9/mcp", "secretHeaders": {"Authorization": "Bearer first", "X-Key": "stays"}}
    created = requests.post(f"{one.url}/adapters", json=body, timeout=15)
    assert created.status_code == 201 and created.json()["secretHeaders"] == {"Authorization": None, "X-Key": None}
    wait_for(two, "away", lambda answer: answer.status_code == 200)
    kept = body | {"secretHeaders": {"Authorization": "Bearer second", "X-Key": None}}
    assert requests.put(f"{two.url}/adapters/away", json=kept, timeout=15).json()["generation"] == 2
    spec = resources.get("away")["spec"]
    secrets = {item["metadata"]["name"]: item for item in resources.namespace.get("secrets")}
    data = secrets[spec["secretHeaders"]["secretName"]]["data"]
    assert {key: base64.b64decode(value).decode() for key, value in data.items()} == {"Authorization": "Bearer second", "X-Key": "stays"}
    # And by kubectl, checked as the API checks.
    resources.namespace.kubectl("create", "secret", "generic", "theirs", "--from-literal=X-Key=value")
    resources.namespace.kubectl("create", "secret", "generic", "wrong", "--from-literal=Host=value")
    resources.apply("afar", {"url": "http://127.0.0.1:9/mcp", "secretHeaders": {"secretName": "theirs"}})
    assert wait_for(one, "afar", lambda answer: answer.status_code == 200).json()["secretHeaders"] == {"X-Key": None}
    resources.apply("afar", {"url": "http://127.0.0.1:9/mcp", "secretHeaders": {"secretName": "wrong"}})
    resources.wait_for_condition("afar", "Degraded", "True", "InvalidSpec")


def test_sessions_go_on_when_their_gateway_is_killed(gateways: list[Gateway], image: dict) -> None:
    one, two = gateways
    assert requests.post(f"{one.url}/adapters", json={"name": "lasting", **image}, timeout=15).status_code == 201
    healthy(one, "lasting")
    healthy(two, "lasting")
    session = Session(one, "lasting")
    session.call(one, "keep", value="mine")
    one.kill()
    assert session.call(two, "recall") == "mine"
    one.start()
    wait_for(one, "lasting", lambda answer: answer.status_code == 200)
    assert session.call(one, "recall") == "mine"


def test_what_happened_while_a_gateway_was_away_is_made_up_for(gateways: list[Gateway], resources: Resources, image: dict) -> None:
    one, two = gateways
    for name in ("removed", "replaced"):
        assert requests.post(f"{one.url}/adapters", json={"name": name, **image, "replicaCount": 0}, timeout=15).status_code == 201
    wait_for(two, "replaced", lambda answer: answer.status_code == 200)
    before = show(one, "replaced").json()["id"]
    one.kill()
    for name in ("removed", "replaced"):
        resources.namespace.kubectl("delete", "adapter", name, "--ignore-not-found", "--timeout=110s")
    resources.apply("replaced", {**image, "replicaCount": 0, "description": "another"})
    resources.apply("added", {**image, "replicaCount": 0})
    one.start()
    until(lambda: requests.get(f"{one.url}/readyz", timeout=5).status_code == 200 or None, "it is ready", 20)
    # At once: it is not ready before it knows.
    assert show(one, "removed").status_code == 404
    assert show(one, "added").status_code == 200
    assert show(one, "replaced").json()["description"] == "another" and show(one, "replaced").json()["id"] != before


def test_reads_go_on_without_the_api_server(resources: Resources, keys: Path, image: dict, tmp_path: Path) -> None:
    with APIProxy(tmp_path) as proxy:
        kubeconfig = str(cluster.kubeconfig(tmp_path / "kubeconfig", proxy.url, proxy.authority))
        with gateway_in(resources.namespace, tmp_path / "gateway", keys=keys, kubeconfig=kubeconfig) as gateway:
            assert requests.post(f"{gateway.url}/adapters", json={"name": "here", **image}, timeout=15).status_code == 201
            healthy(gateway, "here")
            session = Session(gateway, "here")
            session.call(gateway, "keep", value="still")
            proxy.cut()
            refused = requests.put(f"{gateway.url}/adapters/here", json={**image, "description": "never"}, timeout=30)
            assert refused.status_code == 503 and int(refused.headers["Retry-After"]) >= 1
            assert requests.post(f"{gateway.url}/adapters", json={"name": "new", **image}, timeout=30).status_code == 503
            assert show(gateway, "here").status_code == 200
            assert session.call(gateway, "recall") == "still"
            assert Session(gateway, "here").call(gateway, "recall") == ""
            resources.apply("here", {**image, "description": "changed meanwhile"})
            proxy.restore()
            wait_for(gateway, "here", lambda answer: answer.json()["description"] == "changed meanwhile")
            until(
                lambda: requests.post(f"{gateway.url}/adapters", json={"name": "new", **image, "replicaCount": 0}, timeout=30).status_code == 201 or None,
                "writes are taken again", 30)
            for name in resources.names():
                resources.namespace.kubectl("delete", "adapter", name, "--ignore-not-found", "--timeout=110s")


@pytest.mark.skipif(not cluster.ClusterProcess.IS_OURS, reason="kills the API server, so the cluster must be the tests' own")
def test_all_gateways_agree_again_after_the_api_server_was_away(gateways: list[Gateway], resources: Resources, image: dict) -> None:
    one, two = gateways
    assert requests.post(f"{one.url}/adapters", json={"name": "lasting", **image, "replicaCount": 2}, timeout=15).status_code == 201
    for gateway in gateways:
        healthy(gateway, "lasting")
    session = Session(one, "lasting")
    session.call(two, "keep", value="mine")
    server = cluster.ClusterProcess("apiserver")
    server.kill()
    try:
        for gateway in gateways:
            for method, path, body in (
                ("POST", "", {"name": "never", **image}), ("PUT", "/lasting", {**image, "description": "never"}), ("DELETE", "/lasting", None),
            ):
                refused = requests.request(method, f"{gateway.url}/adapters{path}", json=body, timeout=30)
                assert refused.status_code == 503 and int(refused.headers["Retry-After"]) >= 1, refused.text
            assert session.call(gateway, "recall") == "mine"
            assert Session(gateway, "lasting").call(gateway, "recall") == ""
            assert show(gateway, "lasting").json()["description"] == ""
    finally:
        server.start()

    def is_taken(number: int) -> bool:
        body = {**image, "replicaCount": 2, "description": str(number)}
        return requests.put(f"{gateways[number].url}/adapters/lasting", json=body, timeout=30).status_code == 200

    # Each takes writes again, and knows of the other's.
    for number in range(2):
        until(lambda: is_taken(number) or None, "a write is taken again", 30)
        other = gateways[1 - number]
        wait_for(other, "lasting", lambda answer: answer.status_code == 200 and answer.json()["description"] == str(number))
    for gateway in gateways:
        assert show(gateway, "never").status_code == 404
        healthy(gateway, "lasting")
        assert session.call(gateway, "recall") == "mine"
    resources.wait_for_condition("lasting", "Ready", "True", "Healthy")
    assert resources.names() == ["lasting"]


def test_gateway_is_not_ready_before_it_has_seen_the_cluster(resources: Resources, keys: Path, image: dict, tmp_path: Path) -> None:
    resources.apply("early", {**image, "replicaCount": 0})
    with APIProxy(tmp_path) as proxy:
        kubeconfig = str(cluster.kubeconfig(tmp_path / "kubeconfig", proxy.url, proxy.authority))
        proxy.cut()
        with gateway_in(resources.namespace, tmp_path / "gateway", keys=keys, kubeconfig=kubeconfig) as gateway:
            answer = requests.get(f"{gateway.url}/readyz", timeout=5)
            assert answer.status_code == 503 and "the adapters of the cluster are not known yet" in answer.json()["detail"]
            assert requests.get(f"{gateway.url}/healthz", timeout=5).status_code == 200
            proxy.restore()
            until(lambda: requests.get(f"{gateway.url}/readyz", timeout=5).status_code == 200 or None, "it is ready", 20)
            assert show(gateway, "early").status_code == 200
            resources.namespace.kubectl("delete", "adapter", "early", "--ignore-not-found", "--timeout=110s")


def test_a_roll_out_waits_for_the_sessions_of_every_gateway_and_outlives_the_one_that_leads_it(
    gateways: list[Gateway], resources: Resources, image: dict
) -> None:
    def end(session: Session, gateway: Gateway) -> None:
        raw.send(gateway.port, "DELETE", session.target, None, session.headers)

    def where_sessions_begin(gateway: Gateway) -> str:
        session = Session(gateway, "shared")
        end(session, gateway)
        return session.pod

    one, two = gateways
    body = {"name": "shared", **image}
    assert requests.post(f"{one.url}/adapters", json=body, timeout=15).status_code == 201
    for gateway in gateways:
        healthy(gateway, "shared")
    kept = Session(two, "shared")
    assert kept.pod == "shared-0"
    changed = body | {"environmentVariables": {"GENERATION": "2"}}
    assert requests.put(f"{one.url}/adapters/shared", json=changed, timeout=15).status_code == 200
    for gateway in gateways:
        until(lambda: where_sessions_begin(gateway) == "shared-r2-0" or None, "new sessions go to the new pod", 60)

    def said_to_be_idle() -> int:
        """How many gateways say that they have no session on a pod that drains."""
        leases = resources.namespace.get("leases.coordination.k8s.io")
        return sum(bool(lease["metadata"].get("annotations", {}).get("mcp-gateway.dev/idle")) for lease in leases)

    until(lambda: said_to_be_idle() == 1 or None, "the gateway that has no session there says so", 20)
    # Of the gateway that leads, or of the other one: both count.
    assert kept.call(two, "where") == "shared-0" and said_to_be_idle() == 1
    end(kept, two)

    def pods() -> list[str]:
        return sorted(name for name in resources.namespace.names() if name.startswith("Pod/shared"))

    until(lambda: pods() == ["Pod/shared-r2-0"] or None, "the old pod ends with its last session", 60)
    last = Session(two, "shared")
    one.kill()
    again = changed | {"environmentVariables": {"GENERATION": "3"}}
    assert requests.put(f"{two.url}/adapters/shared", json=again, timeout=15).status_code == 200
    until(lambda: where_sessions_begin(two) == "shared-r3-0" or None, "the gateway that is left goes on", 60)
    assert last.call(two, "where") == "shared-r2-0"
