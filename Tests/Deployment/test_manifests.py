# SPDX-License-Identifier: MIT
"""The manifests of deployment/kubernetes: what they come to, that they are valid, and what they may do."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from rendering import KUBERNETES, ROOT, containers, kustomize, ordered, pods, render

GOLDEN = Path(__file__).parent / "golden"
OVERLAYS = ["local", "production"]
# The oldest that has all the objects, and the newest that is known.
VERSIONS = ["1.25", "1.36"]


class Plain(yaml.SafeDumper):
    def ignore_aliases(self, data) -> bool:
        return True


def as_text(objects: list[dict]) -> str:
    return yaml.dump_all(ordered(objects), Dumper=Plain, width=120)


def without_definitions(objects: list[dict]) -> list[dict]:
    """The custom resource is a file that is written by a program and checked by its own test."""
    return [thing for thing in objects if thing["kind"] != "CustomResourceDefinition"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlay_comes_to_what_is_written_down(overlay: str) -> None:
    """A change of a manifest shows in the review of its golden file; UPDATE_GOLDEN=1 writes that anew."""
    text = as_text(without_definitions(render(KUBERNETES / overlay)))
    golden = GOLDEN / f"{overlay}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("overlay", [*OVERLAYS, "monitoring"])
def test_kustomize_comes_to_the_same(overlay: str) -> None:
    real = kustomize(KUBERNETES / overlay)
    if real is None:
        pytest.skip("there is no kustomize, and no kubectl from 1.21 on: only our own rendering was checked")
    assert ordered(real) == ordered(render(KUBERNETES / overlay))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_is_valid(overlay: str, version: str) -> None:
    for thing in without_definitions(render(KUBERNETES / overlay)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kubernetes_validate.validate(thing, version, strict=True)


def test_definition_of_the_adapter_is_what_its_generator_writes() -> None:
    done = subprocess.run([sys.executable, ROOT / "dev" / "generate-crd", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_everything_is_in_the_namespace(overlay: str) -> None:
    for thing in render(KUBERNETES / overlay):
        if thing["kind"] not in ("Namespace", "CustomResourceDefinition"):
            assert thing["metadata"]["namespace"] == "adapter", thing["metadata"]


def test_gateway_may_do_nothing_outside_of_its_namespace_and_nothing_unnamed() -> None:
    objects = render(KUBERNETES / "production")
    assert not [thing for thing in objects if thing["kind"].startswith("ClusterRole")]
    [role] = [thing for thing in objects if thing["kind"] == "Role"]
    for rule in role["rules"]:
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"], rule
    granted = {resource for rule in role["rules"] for resource in rule["resources"]}
    assert not granted & {"roles", "rolebindings", "serviceaccounts", "serviceaccounts/token", "pods/exec", "nodes"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_keep_to_the_restricted_profile(overlay: str) -> None:
    """What the Pod Security admission of newer clusters asks for."""
    objects = render(KUBERNETES / overlay)
    for pod in pods(objects):
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True and security["runAsUser"] == 1100
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert all(set(volume) - {"name"} <= {"emptyDir", "secret", "configMap"} for volume in pod["volumes"])
    for container in containers(objects):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_gateways_pods_are_not_taken_for_those_of_servers(overlay: str) -> None:
    """The gateway watches pods by this label, and the policy of servers selects by it."""
    for thing in render(KUBERNETES / overlay):
        labels = thing.get("spec", {}).get("template", {}).get("metadata", {}).get("labels", {})
        assert "app.kubernetes.io/managed-by" not in labels


def test_nothing_is_left_to_fill_in() -> None:
    for path in KUBERNETES.rglob("*.yaml"):
        text = path.read_text()
        assert not [word for word in ("CHANGEME", "TODO", "example.com", "your-") if word in text], path
