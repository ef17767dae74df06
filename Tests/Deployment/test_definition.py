# SPDX-License-Identifier: MIT
"""The custom resource of the adapter: a real API server accepts and refuses what the API's own schema does."""

import json

import jsonschema
import pytest
import yaml

from conftest import Cluster
from rendering import KUBERNETES, ROOT

DEFINITION = KUBERNETES / "base" / "adapters.mcp-gateway.dev.yaml"
IMAGE = {"imageName": "mcp-example", "imageVersion": "1.0.0"}
GOOD = [
    {**IMAGE, "description": "test"},
    {**IMAGE, "replicaCount": 0},
    {**IMAGE, "replicaCount": None, "environmentVariables": {"A": "1", "B": ""}, "labels": {"team": "a"}},
    {**IMAGE, "path": "/mcp", "session": {"affinity": "header:X-User", "idleTimeoutSeconds": 60}},
    {**IMAGE, "resources": {"memoryBytes": 1 << 30, "cpuMillicores": 500}, "useWorkloadIdentity": True},
    {**IMAGE, "protocolVersions": ["2025-11-25", "2026-07-28"], "requiredRoles": ["reader"], "transport": "sse", "ssePath": "/events"},
    {"command": "uvx", "arguments": ["mcp-server-time"], "transport": "stdio"},
    {"url": "https://mcp.example.com/mcp"},
    {"url": ["http://one.example.com:8000/mcp", "http://two.example.com:8000/mcp"]},
]
BAD = [
    {},
    {"imageName": "mcp-example"},
    {**IMAGE, "imageName": "-x"},
    {**IMAGE, "imageVersion": "a b"},
    {**IMAGE, "replicaCount": -1},
    {**IMAGE, "replicaCount": 33},
    {**IMAGE, "replicaCount": "1"},
    {**IMAGE, "port": 65536},
    {**IMAGE, "path": "mcp"},
    {**IMAGE, "transport": "carrier-pigeon"},
    {**IMAGE, "session": {"affinity": "moon"}},
    {**IMAGE, "session": {"drainTimeoutSeconds": -1}},
    {**IMAGE, "resources": {"memoryBytes": 1}},
    {**IMAGE, "labels": {"team": "a b"}},
    {**IMAGE, "protocolVersions": ["latest"]},
    {**IMAGE, "requiredRoles": [""]},
    {**IMAGE, "description": "x" * 4097},
    {"url": "ftp://example.com/"},
    {"command": "../x"},
]


@pytest.fixture(scope="module")
def definition(cluster: Cluster) -> Cluster:
    cluster("apply", "--filename", str(DEFINITION))
    cluster("wait", "--for", "condition=established", "customresourcedefinition/adapters.mcp-gateway.dev", "--timeout=30s")
    return cluster


@pytest.fixture(scope="module")
def api() -> jsonschema.Draft202012Validator:
    document = yaml.safe_load((ROOT / "openapi" / "mcp-gateway.openapi.yaml").read_text())
    return jsonschema.Draft202012Validator({"$ref": "#/components/schemas/NewAdapter", "components": document["components"]})


def adapter(spec: dict, name: str = "mcp-example") -> str:
    return json.dumps({
        "apiVersion": "mcp-gateway.dev/v1alpha1", "kind": "Adapter", "metadata": {"name": name}, "spec": spec})


@pytest.mark.parametrize("spec", GOOD, ids=json.dumps)
def test_what_the_api_takes_the_cluster_takes(definition: Cluster, api, spec: dict) -> None:
    api.validate({"name": "mcp-example", **spec})
    definition("create", "--namespace", "default", "--dry-run=server", "--filename", "-", text=adapter(spec))


@pytest.mark.parametrize("spec", BAD, ids=lambda spec: json.dumps(spec)[:80])
def test_what_the_api_refuses_the_cluster_refuses(definition: Cluster, api, spec: dict) -> None:
    assert not api.is_valid({"name": "mcp-example", **spec})
    answer = definition.run("create", "--namespace", "default", "--dry-run=server", "--validate=false", "--filename", "-", text=adapter(spec))
    assert answer.returncode != 0 and "is invalid" in answer.stderr, (answer.stdout, answer.stderr)


@pytest.mark.parametrize("name", ["metrics", "mcp-gateway", "a" * 51, "a.b", "1a"])
def test_names_that_the_api_refuses_the_cluster_refuses(definition: Cluster, api, name: str) -> None:
    assert not api.is_valid({"name": name, **IMAGE})
    answer = definition.run("create", "--namespace", "default", "--dry-run=server", "--filename", "-", text=adapter(IMAGE, name))
    assert answer.returncode != 0 and "is invalid" in answer.stderr, (answer.stdout, answer.stderr)


def test_adapters_are_listed_with_what_matters(definition: Cluster, namespace: str) -> None:
    definition("apply", "--namespace", namespace, "--filename", "-", text=adapter(IMAGE))
    patch = {"status": {"image": "mcp-example:1.0.0", "ready": "1/1", "conditions": [{
        "type": "Ready", "status": "True", "reason": "Healthy", "message": "", "lastTransitionTime": "2026-07-28T09:30:00Z"}]}}
    # kubectl knows --subresource only since 1.24.
    proxy = f"/apis/mcp-gateway.dev/v1alpha1/namespaces/{namespace}/adapters/mcp-example/status"
    whole = json.loads(definition("get", "--raw", proxy)) | patch
    definition("replace", "--raw", proxy, "--filename", "-", text=json.dumps(whole))
    lines = definition("get", "mcpa", "--namespace", namespace).splitlines()
    assert lines[0].split() == ["NAME", "IMAGE", "READY", "AGE"]
    assert lines[1].split()[:3] == ["mcp-example", "mcp-example:1.0.0", "1/1"]
