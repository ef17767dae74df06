# SPDX-License-Identifier: MIT
"""What the overlays of deployment/kubernetes use of kustomize, and nothing else: an unknown field is an error.

Debian's kubectl has a kustomize that is too old for them. Where a newer one is installed, test_manifests.py compares both.
"""

import shutil
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deployment" / "kubernetes"
# What tells the elements of lists apart; new ones come first.
NAMED = {"containers": "name", "env": "name", "volumes": "name", "topologySpreadConstraints": "topologyKey"}
KNOWN = {"apiVersion", "kind", "resources", "images", "patches", "replacements"}


def load(path: Path) -> list[dict]:
    """The objects of a file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def identity(thing: dict) -> tuple[str, str, str]:
    return thing["kind"], thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def merge(target, patch):
    """A strategic merge: members one by one, lists of named things by name, `null` removes."""
    if not isinstance(target, dict) or not isinstance(patch, dict):
        return patch
    result = dict(target)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif key in NAMED:
            old = {item[NAMED[key]]: item for item in result.get(key, [])}
            new = {item[NAMED[key]]: merge(old.pop(item[NAMED[key]], {}), item) for item in value}
            result[key] = [*new.values(), *old.values()]
        else:
            result[key] = merge(result.get(key), value)
    return result


def render(folder: Path) -> list[dict]:
    """The objects of an overlay."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    unknown = set(kustomization) - KNOWN
    assert not unknown, f"{folder}/kustomization.yaml: {unknown} is not known here"
    found: list[dict] = []
    for resource in kustomization.get("resources", []):
        path = folder / resource
        found += render(path) if path.is_dir() else load(path)
    for patch in kustomization.get("patches", []):
        assert set(patch) == {"path"}, patch
        for change in load(folder / patch["path"]):
            matches = [index for index, thing in enumerate(found) if identity(thing) == identity(change)]
            assert len(matches) == 1, f"{patch['path']} changes {identity(change)}, of which there are {len(matches)}"
            found[matches[0]] = merge(found[matches[0]], change)
    for image in kustomization.get("images", []):
        for container in containers(found):
            if container["image"].split(":")[0] == image["name"]:
                container["image"] = f"{image.get('newName', image['name'])}:{image['newTag']}"
    for replacement in kustomization.get("replacements", []):
        source = replacement["source"]
        holder, key = place(selected(found, source), source["fieldPath"])
        for target in replacement["targets"]:
            for path in target["fieldPaths"]:
                other, name = place(selected(found, target["select"]), path)
                other[name] = holder[key]
    return found


def selected(objects: list[dict], selector: dict) -> dict:
    [thing] = [thing for thing in objects if (thing["kind"], thing["metadata"]["name"]) == (selector["kind"], selector["name"])]
    return thing


def place(thing, path: str) -> tuple[dict, str]:
    """What holds the field at the end of a path such as `spec.containers.[name=gateway].image`, and the field's name."""
    *way, last = path.split(".")
    for step in way:
        if step.startswith("["):
            key, value = step.strip("[]").split("=")
            [thing] = [item for item in thing if item[key] == value]
        else:
            thing = thing[step]
    assert last in thing, path
    return thing, last


def pods(objects: list[dict]) -> list[dict]:
    """The specs of the pods that the objects make."""
    return [thing["spec"]["template"]["spec"] for thing in objects if "template" in thing.get("spec", {})]


def containers(objects: list[dict]) -> list[dict]:
    return [item for pod in pods(objects) for key in ("initContainers", "containers") for item in pod.get(key, [])]


def ordered(objects: list[dict]) -> list[dict]:
    return sorted(objects, key=identity)


def kustomize(folder: Path) -> list[dict] | None:
    """What the real kustomize makes of it; `None` where there is none that is new enough."""
    for command in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if not shutil.which(command[0]):
            continue
        done = subprocess.run([*command, folder], capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            return [document for document in yaml.safe_load_all(done.stdout) if document]
        assert "must be a file" in done.stderr, done.stderr
    return None
