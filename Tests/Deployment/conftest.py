# SPDX-License-Identifier: MIT
"""The cluster that the tests use: that of KUBECONFIG, or of dev/cluster if it is up."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(os.environ.get("MCP_GATEWAY_CLUSTER_HOME", Path.home() / ".cache/mcp-gateway/kubernetes"))


class Cluster:
    """kubectl, with a kubeconfig."""

    def __init__(self, kubeconfig: str) -> None:
        self.kubeconfig = kubeconfig

    def run(self, *arguments: str, text: str | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", "--kubeconfig", self.kubeconfig, *arguments], input=text, capture_output=True, text=True, timeout=timeout)

    def __call__(self, *arguments: str, text: str | None = None, timeout: float = 60) -> str:
        """What kubectl says; its failure is the test's."""
        done = self.run(*arguments, text=text, timeout=timeout)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def get(self, *arguments: str) -> dict:
        return json.loads(self("get", *arguments, "--output", "json"))

    def apply(self, things: dict | list[dict], *arguments: str) -> str:
        items = things if isinstance(things, list) else [things]
        return self("apply", *arguments, "--filename", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    @property
    def version(self) -> tuple[int, int]:
        server = json.loads(self("version", "--output", "json"))["serverVersion"]
        return int(server["major"]), int("".join(filter(str.isdigit, server["minor"])))


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    if not shutil.which("kubectl"):
        pytest.skip("there is no kubectl")
    kubeconfig = os.environ.get("KUBECONFIG") or str(HOME / "run" / "admin.kubeconfig")
    if not Path(kubeconfig).exists():
        pytest.skip("there is no cluster: set KUBECONFIG, or start one with dev/cluster up")
    found = Cluster(kubeconfig)
    answer = found.run("get", "--raw", "/readyz", timeout=15)
    if answer.returncode != 0:
        pytest.skip(f"the cluster of {kubeconfig} does not answer: {answer.stderr.strip()}")
    return found


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own; gone afterwards, with all that is in it."""
    name = f"deployment-{uuid.uuid4().hex[:8]}"
    cluster("create", "namespace", name)
    yield name
    cluster("delete", "namespace", name, "--wait=false")


