# SPDX-License-Identifier: MIT
"""A real Kubernetes cluster, as `dev/cluster up` starts it; tests that need it are skipped where there is none."""

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import processes
from harness.places import BINARY, ROOT, SAMPLES_PYTHON, TESTS
from harness.waiting import until

HOME = Path(
    os.environ.get("MCP_GATEWAY_CLUSTER_HOME")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mcp-gateway" / "kubernetes"
)
KUBECONFIG = os.environ.get("KUBECONFIG", "")
IS_HERE = KUBECONFIG.startswith(f"{HOME}/") and Path(KUBECONFIG).exists()
needs_cluster = pytest.mark.skipif(
    not IS_HERE, reason="needs a cluster of dev/cluster: run 'dev/cluster up' and set KUBECONFIG as it says"
)
SERVER = "cluster.local/podserver"
BRIDGE = "cluster.local/mcp-gateway"
# Where it is on this machine, so that it finds its library.
PYTHON_IN_IMAGE = os.path.realpath(SAMPLES_PYTHON)
SERVER_COMMAND = [PYTHON_IN_IMAGE, "/opt/podserver.py"]


def run(*command: str | Path, seconds: float = 120) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr}"
    return done.stdout


def has_image(name: str) -> bool:
    return name in run("ctr", "--address", HOME / "containerd" / "containerd.sock", "-n", "k8s.io", "images", "list", "-q")


def load_image(folder: Path, name: str, *command: str) -> None:
    run(ROOT / "dev" / "cluster", "load-image", folder, name, *command, seconds=300)


def fingerprint(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def python_root(folder: Path) -> None:
    """Makes a root directory of this machine's Python and what the sample servers need."""
    # From outside the virtual environment, whose paths mean nothing in the image.
    program = PYTHON_IN_IMAGE
    paths = "import json, sysconfig; print(json.dumps([sysconfig.get_path(name) for name in ('stdlib', 'purelib')]))"
    standard, packages = json.loads(run(SAMPLES_PYTHON, "-c", paths))
    unwanted = shutil.ignore_patterns("site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "ensurepip", "pip")

    def into(path: str) -> Path:
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    shutil.copytree(standard, into(standard), ignore=unwanted)
    shutil.copytree(packages, into("/opt/packages"), ignore=shutil.ignore_patterns("pip", "setuptools", "ty", "bin"))
    shutil.copy2(program, into(program))
    for linked in [Path(program), *folder.rglob("*.so*")]:
        listing = subprocess.run(["ldd", linked], capture_output=True, text=True).stdout
        for library in re.findall(r"(?:=> |^\t)(/\S+) \(", listing, re.MULTILINE):
            if not into(library).exists():
                shutil.copy2(library, into(library))
    (folder / "tmp").mkdir()
    # The names of users, which some libraries ask for.
    into("/etc/passwd").write_text("root:x:0:0::/:/bin/false\nserver:x:1100:1100::/tmp:/bin/false\n")
    run("chmod", "-R", "a+rX", folder)


def server_image() -> str:
    """The image of servers/podserver.py; made and loaded where it is not there yet. Returns its tag."""
    source = TESTS / "servers" / "podserver.py"
    tag = fingerprint(source, Path(__file__), ROOT / "dev" / "requirements.txt")
    if not has_image(f"{SERVER}:{tag}"):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            python_root(folder)
            # An image has no environment of its own here: Python is told where the packages are.
            (folder / "opt" / "podserver.py").write_text(
                source.read_text().replace("import os\n", "import sys; sys.path.append('/opt/packages'); import os\n", 1))
            load_image(folder, f"{SERVER}:{tag}", *SERVER_COMMAND)
    return tag


def gateway_image() -> str:
    """The gateway's own image, from the same root directory as the Dockerfile's. Returns its full name."""
    name = f"{BRIDGE}:{fingerprint(BINARY, ROOT / 'deployment' / 'container' / 'make-root')}"
    if not has_image(name):
        with tempfile.TemporaryDirectory() as folder:
            run(ROOT / "deployment" / "container" / "make-root", folder, BINARY)
            load_image(Path(folder), name, "/usr/local/bin/mcp-gateway")
    return name


class Namespace:
    """A namespace of its own, and `kubectl` in it; all of it is deleted at the end."""

    def __init__(self) -> None:
        self.name = f"test-{secrets.token_hex(4)}"

    def __enter__(self) -> "Namespace":
        run("kubectl", "create", "namespace", self.name)
        return self

    def __exit__(self, *_: Any) -> None:
        kinds = "statefulsets,services,secrets,poddisruptionbudgets,configmaps"
        subprocess.run(["kubectl", "-n", self.name, "delete", kinds, "--all", "--wait=false"], capture_output=True)
        subprocess.run(
            ["kubectl", "-n", self.name, "delete", "pods", "--all", "--grace-period=1"], capture_output=True, timeout=240)
        run("kubectl", "delete", "namespace", self.name, "--wait=false")

    def kubectl(self, *arguments: str) -> str:
        return run("kubectl", "-n", self.name, *arguments)

    def get(self, kind: str) -> list[dict[str, Any]]:
        return json.loads(self.kubectl("get", kind, "-o", "json"))["items"]

    def names(self) -> list[str]:
        """Everything that a gateway makes."""
        kinds = "statefulsets,services,pods,poddisruptionbudgets,secrets"
        return [
            f"{item['kind']}/{item['metadata']['name']}"
            for item in self.get(kinds)
            if item.get("type") != "kubernetes.io/service-account-token"
        ]

    def wait_until_empty(self, seconds: float = 180) -> None:
        """A kubelet may keep a pod whose container was started more than once for a minute, until it clears away dead ones."""
        left: list[str] = []

        def is_empty() -> bool:
            # The cluster itself keeps what templates there were, and not for ever.
            left[:] = self.names() + [item["metadata"]["name"] for item in self.get("controllerrevisions")]
            return not left

        try:
            until(is_empty, "nothing is left in the namespace", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; left: {left}") from None


def kubeconfig(path: Path, server: str, authority: Path | None = None, token_file: Path | None = None) -> Path:
    """A copy of the cluster's kubeconfig that leads to another address."""
    document = yaml.safe_load(Path(KUBECONFIG).read_text())
    document["clusters"][0]["cluster"]["server"] = server
    if authority is not None:
        document["clusters"][0]["cluster"] |= {"certificate-authority": str(authority)}
        document["clusters"][0]["cluster"].pop("certificate-authority-data", None)
    if token_file is not None:
        document["users"][0]["user"] = {"tokenFile": str(token_file)}
    path.write_text(yaml.safe_dump(document))
    return path


def api_port() -> int:
    return int(yaml.safe_load(Path(KUBECONFIG).read_text())["clusters"][0]["cluster"]["server"].rpartition(":")[2])


class ClusterProcess:
    """A process of the cluster, to be killed and started again; only where the tests have the cluster for themselves."""

    IS_OURS = os.environ.get("MCP_GATEWAY_TEST_CLUSTER_IS_OURS") == "1"

    def __init__(self, name: str) -> None:
        self.name = name

    def kill(self) -> None:
        run(ROOT / "dev" / "cluster", "kill", self.name)

    def start(self) -> None:
        run(ROOT / "dev" / "cluster", "start", self.name)
        # It ends with the cluster, not with the test.
        processes.started_here(int((HOME / "run" / f"{self.name}.pid").read_text()))


def server_process(pod: dict[str, Any]) -> int:
    """The id of the process that is the first one of a pod's container."""
    container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    for line in run("ctr", "--address", HOME / "containerd" / "containerd.sock", "-n", "k8s.io", "tasks", "list").splitlines():
        if line.startswith(container):
            return int(line.split()[1])
    raise AssertionError(f"the container {container} does not run")
