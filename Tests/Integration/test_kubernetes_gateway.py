# SPDX-License-Identifier: MIT
"""The gateway as deployment/kubernetes has it: two pods of a real cluster, serving real servers in pods beside them."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import anyio
import pytest
import requests

from harness import cluster
from harness.clients import call, legacy_client, modern_client
from harness.cluster import Namespace, needs_cluster
from harness.places import ROOT
from harness.waiting import until

sys.path.append(str(ROOT / "Tests" / "Deployment"))
from rendering import KUBERNETES, containers, render  # noqa: E402

pytestmark = needs_cluster
# The node's address in the network of the pods, which the API server's certificate names.
NODE = "10.88.0.1"


class Forwarder:
    """Lets pods reach the API server, which listens on the loopback interface: dev/cluster has no kube-proxy."""

    def __init__(self) -> None:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # IP_FREEBIND: the address is there from the first pod on.
        self._listener.setsockopt(socket.IPPROTO_IP, 15, 1)
        self._listener.bind((NODE, 0))
        self._listener.listen(64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", cluster.api_port()), timeout=5)
            except OSError:
                return
            server.settimeout(None)
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        self._listener.close()


def manifests(namespace: str, image: str, forwarder: Forwarder) -> list[dict]:
    """The local overlay, in another namespace, for a small old cluster without services."""
    objects = json.loads(json.dumps(render(KUBERNETES / "local")).replace('"adapter"', f'"{namespace}"').replace('"mcp-gateway:dev"', f'"{image}"'))
    found = []
    for thing in objects:
        if thing["kind"] in ("Namespace", "CustomResourceDefinition"):
            continue
        # Before Kubernetes 1.21.
        thing["apiVersion"] = thing["apiVersion"].replace("policy/v1", "policy/v1beta1")
        found.append(thing)
    for container in containers(found):
        container["env"] += [
            {"name": "KUBERNETES_SERVICE_HOST", "value": NODE}, {"name": "KUBERNETES_SERVICE_PORT", "value": str(forwarder.port)},
            {"name": "MCP_GATEWAY_KUBERNETES_REGISTRY", "value": "cluster.local"},
            {"name": "MCP_GATEWAY_KUBERNETES_REQUESTS_CPU_MILLICORES", "value": "20"},
            {"name": "MCP_GATEWAY_KUBERNETES_REQUESTS_MEMORY", "value": "64MiB"},
        ]
        container["resources"]["requests"] = {"cpu": "20m", "memory": "32Mi"}
    return found


class Deployed:
    """The gateway's pods."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace

    def urls(self) -> dict[str, str]:
        """Where the pods that are ready answer, by name."""
        pods = json.loads(self.namespace.kubectl("get", "pods", "-l", "app.kubernetes.io/name=mcp-gateway", "-o", "json"))["items"]
        return {
            pod["metadata"]["name"]: f"http://{pod['status']['podIP']}:8000"
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
            and any((item["type"], item["status"]) == ("Ready", "True") for item in pod["status"].get("conditions", []))
        }


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    definition = KUBERNETES / "base" / "adapters.mcp-gateway.dev.yaml"
    cluster.run("kubectl", "apply", "--filename", definition)
    file = tmp_path_factory.mktemp("manifests") / "all.json"
    forwarder = Forwarder()
    with Namespace() as namespace:
        subprocess.run(
            [KUBERNETES / "create-session-keys"], env={**os.environ, "NAMESPACE": namespace.name}, check=True, capture_output=True, timeout=60)
        items = manifests(namespace.name, cluster.gateway_image(), forwarder)
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        namespace.kubectl("apply", "--filename", str(file))
        found = Deployed(namespace)
        try:
            until(lambda: len(found.urls()) == 2 or None, "both gateways are ready", 90)
            yield found
        finally:
            for adapter in namespace.get("adapters"):
                namespace.kubectl("delete", "adapter", adapter["metadata"]["name"], "--ignore-not-found", "--timeout=110s")
            namespace.kubectl("delete", "--filename", str(file), "--wait=false")
    forwarder.close()


@pytest.fixture(scope="module")
def adapter(deployed: Deployed) -> str:
    """A server with two instances, deployed through one of the gateways."""
    body = {"name": "example", "imageName": "podserver", "imageVersion": cluster.server_image(), "replicaCount": 2}
    first, second = deployed.urls().values()
    assert requests.post(f"{first}/adapters", json=body, timeout=15).status_code == 201

    def is_healthy() -> bool | None:
        answer = requests.get(f"{second}/adapters/example/status", timeout=15)
        return answer.status_code == 200 and answer.json()["replicaStatus"] == "Healthy" or None

    until(is_healthy, "the server's pods are ready, as the other gateway sees it", 90)
    return "example"


def test_official_client_calls_tools_through_both(deployed: Deployed, adapter: str) -> None:
    async def main() -> None:
        for url in deployed.urls().values():
            for client in (legacy_client, modern_client):
                async with client(f"{url}/adapters/{adapter}/mcp") as session:
                    assert (await call(session, "where")).startswith("example-")
                    # Servers run as nobody in particular, as the gateway does.
                    assert await call(session, "user") == 1100

    anyio.run(main)


def test_servers_on_standard_input_run_with_the_gateways_image(deployed: Deployed) -> None:
    """The overlays tell the gateway its own image."""
    url = next(iter(deployed.urls().values()))
    command, *arguments = cluster.SERVER_COMMAND
    body = {
        "name": "stdio", "imageName": "podserver", "imageVersion": cluster.server_image(), "transport": "stdio",
        "command": command, "arguments": [*arguments, "--stdio"]}
    assert requests.post(f"{url}/adapters", json=body, timeout=15).status_code == 201
    deployed.namespace.kubectl("wait", "--for=condition=Ready", "adapter/stdio", "--timeout=90s")

    async def main() -> None:
        async with legacy_client(f"{url}/adapters/stdio/mcp") as session:
            assert await call(session, "where") == "stdio-0"

    anyio.run(main)
    assert requests.delete(f"{url}/adapters/stdio", timeout=15).status_code == 204


def post(url: str, adapter: str, body: dict, headers: dict[str, str]) -> requests.Response:
    accepted = {"Accept": "application/json, text/event-stream", **headers}
    return requests.post(f"{url}/adapters/{adapter}/mcp", json=body, headers=accepted, timeout=20)


def tool(url: str, adapter: str, headers: dict[str, str], name: str, **arguments: str) -> str:
    answer = post(url, adapter, {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": name, "arguments": arguments}}, headers)
    assert answer.status_code == 200, answer.text
    text = next(line[5:] for line in answer.text.splitlines() if line.startswith("data:")) if "event-stream" in answer.headers["Content-Type"] else answer.text
    return json.loads(text)["result"]["content"][0]["text"]


def test_session_survives_the_pod_of_its_gateway(deployed: Deployed, adapter: str) -> None:
    before = deployed.urls()
    (victim, first), (_, second) = before.items()
    client = {"name": "test", "version": "1"}
    opened = post(first, adapter, {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}}, {})
    headers = {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-11-25"}
    post(first, adapter, {"jsonrpc": "2.0", "method": "notifications/initialized"}, headers)
    tool(first, adapter, headers, "keep", value="mine")
    deployed.namespace.kubectl("delete", "pod", victim, "--grace-period=1", "--wait=false")
    assert tool(second, adapter, headers, "recall") == "mine"
    until(lambda: len(deployed.urls()) == 2 and victim not in deployed.urls() or None, "another gateway has taken its place", 90)
    for url in deployed.urls().values():
        assert tool(url, adapter, headers, "recall") == "mine"


def test_gateway_may_do_what_it_does_and_nothing_else(deployed: Deployed) -> None:
    name = deployed.namespace.name
    account = f"--as=system:serviceaccount:{name}:mcp-gateway"

    def may(*question: str) -> bool:
        done = subprocess.run(["kubectl", "auth", "can-i", *question, account], capture_output=True, text=True, timeout=60)
        return done.stdout.strip() == "yes"

    assert may("create", "statefulsets.apps", "--namespace", name)
    assert may("patch", "adapters.mcp-gateway.dev/status", "--namespace", name)
    for question in (("create", "pods"), ("create", "pods/exec"), ("get", "nodes"), ("create", "rolebindings"), ("list", "secrets")):
        assert not may(*question, "--namespace", name), question
    assert not may("get", "secrets", "--namespace", "kube-system")
    for pod in deployed.urls():
        logs = deployed.namespace.kubectl("logs", pod, "--tail=500")
        assert logs and "forbidden" not in logs.lower(), logs


def test_image_checks_itself_as_in_its_dockerfile(deployed: Deployed) -> None:
    pod = next(iter(deployed.urls()))
    deployed.namespace.kubectl("exec", pod, "--", "/usr/local/bin/mcp-gateway", "check")
