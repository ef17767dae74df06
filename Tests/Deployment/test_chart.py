# SPDX-License-Identifier: MIT
"""The chart of deployment/helm: Helm installs it in a real cluster, and it comes to what the manifests say."""

import asyncio
import base64
import gzip
import json
import shutil
import subprocess

import jsonschema
import pytest
import yaml

from conftest import Cluster
from rendering import KUBERNETES, ROOT, identity, render

CHART = ROOT / "deployment" / "helm" / "mcp-gateway"
try:
    import helm_sdkpy
except ImportError:
    helm_sdkpy = None


def values() -> dict:
    return yaml.safe_load((CHART / "values.yaml").read_text())


@pytest.fixture(scope="session")
def schema() -> jsonschema.Draft7Validator:
    text = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(text)
    return jsonschema.Draft7Validator(text)


class Helm:
    """Helm, as a program or as a library."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def install(self, **given) -> list[dict]:
        """The objects of a release with these values."""
        self.run("install", given)
        return self.manifest(1)

    def upgrade(self, **given) -> list[dict]:
        self.run("upgrade", given)
        return self.manifest(2)

    def run(self, action: str, given: dict) -> None:
        if shutil.which("helm"):
            done = subprocess.run(
                ["helm", "--kubeconfig", self.cluster.kubeconfig, "--namespace", self.namespace, action, "gateway", CHART, "--values", "-"],
                input=json.dumps(given), capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            return
        configuration = helm_sdkpy.Configuration(namespace=self.namespace, kubeconfig=self.cluster.kubeconfig)
        asyncio.run(getattr(helm_sdkpy, action.title())(configuration).run("gateway", str(CHART), values=given, wait=False))

    def manifest(self, revision: int) -> list[dict]:
        """As Helm keeps it in the cluster."""
        secret = self.cluster.get("secret", "--namespace", self.namespace, f"sh.helm.release.v1.gateway.v{revision}")
        release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
        return [document for document in yaml.safe_load_all(release["manifest"]) if document]


@pytest.fixture
def helm(cluster: Cluster, namespace: str) -> Helm:
    if not shutil.which("helm") and helm_sdkpy is None:
        pytest.skip("there is no helm, nor Python 3.12 for it as a library: the chart was not rendered")
    return Helm(cluster, namespace)


def plain(objects: list[dict], namespace: str, *kinds: str) -> dict[tuple, dict]:
    """Objects by identity, without what a chart adds: its labels, and versions for older clusters."""
    result = {}
    for thing in json.loads(json.dumps(objects)):
        if thing["kind"] in kinds:
            continue
        thing = json.loads(json.dumps(thing).replace('"app.kubernetes.io/instance": "gateway"', '"": ""').replace(f'"{namespace}"', '"adapter"'))
        thing["metadata"].pop("labels", None)
        thing["apiVersion"] = thing["apiVersion"].replace("v1beta1", "v1").replace("v2beta2", "v2")
        result[identity(thing)] = without_empty(thing)
    return result


def without_empty(value):
    if isinstance(value, dict):
        return {key: without_empty(item) for key, item in value.items() if key}
    return [without_empty(item) for item in value] if isinstance(value, list) else value


def test_standard_values_keep_to_the_schema(schema: jsonschema.Draft7Validator) -> None:
    schema.validate(values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"image": {"repository": ""}},
        {"replicas": -1},
        {"replica": 2},
        {"settings": {"listen.host": "::"}},
        {"settings": {"runtime": "process"}},
        {"settings": {"Log Level": "debug"}},
        {"workloadIdentity": {"clientId": "me"}},
        {"service": {"type": "ExternalName"}},
    ],
    ids=json.dumps,
)
def test_schema_refuses(schema: jsonschema.Draft7Validator, wrong: dict) -> None:
    assert not schema.is_valid({**values(), **wrong})


def test_chart_comes_to_what_the_manifests_say(helm: Helm) -> None:
    chart = plain(helm.install(image={"repository": "mcp-gateway", "tag": "dev"}), helm.namespace, "Secret")
    manifests = plain(render(KUBERNETES / "local"), "adapter", "Namespace", "CustomResourceDefinition")
    spread = [thing["spec"]["template"]["spec"] for things in (chart, manifests) for thing in things.values() if thing["kind"] == "Deployment"]
    assert len(spread) == 2
    for pod in spread:
        # The chart spreads over zones too, as the production overlay does.
        pod.pop("topologySpreadConstraints")
    assert chart == manifests


def test_autoscaler_is_that_of_the_production_overlay(helm: Helm) -> None:
    chart = plain(helm.install(autoscaling={"enabled": True}), helm.namespace)
    manifests = plain(render(KUBERNETES / "production"), "adapter")
    name = ("HorizontalPodAutoscaler", "adapter", "mcp-gateway")
    assert chart[name] == manifests[name]
    assert "replicas" not in chart["Deployment", "adapter", "mcp-gateway"]["spec"]


def test_session_keys_are_made_once(helm: Helm) -> None:
    """An upgrade with new ones would end every session."""
    name = ("Secret", "adapter", "mcp-gateway-session-keys")
    before = plain(helm.install(), helm.namespace)[name]["data"]["keys"]
    assert len(base64.b64decode(base64.b64decode(before))) == 32
    after = plain(helm.upgrade(replicas=1), helm.namespace)[name]["data"]["keys"]
    assert after == before


def test_settings_become_variables(helm: Helm) -> None:
    given = {"kubernetes.registry": "registry.internal/team", "log.level": "debug", "limits.headBytes": "64KiB", "timeouts.drain": "5s"}
    chart = plain(helm.install(settings=given), helm.namespace)
    [container] = chart["Deployment", "adapter", "mcp-gateway"]["spec"]["template"]["spec"]["containers"]
    names = [variable["name"] for variable in container["env"]]
    assert len(set(names)) == len(names)
    assert {"name": "MCP_GATEWAY_KUBERNETES_REGISTRY", "value": "registry.internal/team"} in container["env"]
    assert {"name": "MCP_GATEWAY_LIMITS_HEAD_BYTES", "value": "64KiB"} in container["env"]
    assert {"name": "MCP_GATEWAY_TIMEOUTS_DRAIN", "value": "5s"} in container["env"]


def test_with_an_issuer_nobody_is_let_in_without_a_token(helm: Helm) -> None:
    given = {"oidc.issuer": "https://id.example.com", "listen.publicUrl": "https://mcp.example.com"}
    chart = plain(helm.install(settings=given), helm.namespace)
    [container] = chart["Deployment", "adapter", "mcp-gateway"]["spec"]["template"]["spec"]["containers"]
    assert "MCP_GATEWAY_SECURITY_ALLOW_ANONYMOUS" not in {variable["name"] for variable in container["env"]}
    assert {"name": "MCP_GATEWAY_OIDC_ISSUER", "value": "https://id.example.com"} in container["env"]
    assert {"name": "MCP_GATEWAY_LISTEN_PUBLIC_URL", "value": "https://mcp.example.com"} in container["env"]


def test_helm_refuses_what_the_schema_refuses(helm: Helm) -> None:
    with pytest.raises(Exception, match="replica"):
        helm.install(replica=3)
