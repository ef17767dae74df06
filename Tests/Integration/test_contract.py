# SPDX-License-Identifier: MIT
"""The OpenAPI document is the contract: valid, the one in the repository, and kept whatever a fuzzer sends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import yaml

from harness import processes
from harness.api import ControlPlane
from harness.gateway import Gateway
from harness.places import OPENAPI, TEST_CATALOGUE


def test_the_document_that_is_served_is_the_one_in_the_repository(gateway: Gateway) -> None:
    served = requests.get(f"{gateway.url}/openapi.json", timeout=10).json()
    written = yaml.safe_load(OPENAPI.read_text())
    # The gateway may put its own address in.
    served.pop("servers", None)
    written.pop("servers", None)
    assert served == written
    assert served["openapi"].startswith("3.1")


def test_every_route_is_documented(api: ControlPlane) -> None:
    paths = api.contract.document["paths"]
    for path, methods in {
        "/adapters": ["get", "post"],
        "/adapters/{name}": ["get", "put", "delete"],
        "/adapters/{name}/status": ["get"],
        "/adapters/{name}/logs": ["get"],
        "/adapters/{name}/mcp": ["get", "post", "delete"],
        "/adapters/{name}/sse": ["get"],
        "/adapters/{name}/messages": ["post"],
        "/healthz": ["get"],
        "/readyz": ["get"],
        "/openapi.json": ["get"],
    }.items():
        for method in methods:
            assert method in paths.get(path, {}), f"{method} {path}"


def test_every_example_keeps_its_schema(api: ControlPlane) -> None:
    checked = 0
    for path, operations in api.contract.document["paths"].items():
        for method, operation in operations.items():
            if not isinstance(operation, dict):
                continue
            contents = [operation.get("requestBody", {}).get("content", {})]
            for response in operation.get("responses", {}).values():
                contents.append(api.contract._resolved(response).get("content", {}))
            for content in contents:
                for media in content.values():
                    examples = [example.get("value") for example in media.get("examples", {}).values() if "value" in example]
                    for example in [*examples, *([media["example"]] if "example" in media else [])]:
                        api.contract.validate(example, media["schema"], f"{method} {path}")
                        checked += 1
    assert checked >= 5, "the document has examples"


FUZZER = """
# A log that is followed never ends, which is no failure.
[[operations]]
include-path = "/adapters/{name}/logs"
parameters = { "query.follow" = "false" }

# The fuzzer's coverage phase takes 0 for an entity tag, which the schema does not allow. ETags have tests of their own.
[[operations]]
include-path = "/adapters/{name}"
parameters = { "header.If-Match" = "*", "header.If-None-Match" = '"other"' }

# A schema can't say everything: 422 is for an image that the catalogue does not have, for instance.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422"]
"""


@pytest.mark.timeout(240)
def test_a_fuzzer_finds_nothing(tmp_path: Path) -> None:
    # A PATH without programs: the fuzzer makes up commands as well, and they must not be found.
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "schemathesis.toml").write_text(FUZZER)
    with Gateway(tmp_path / "gateway", catalogue=TEST_CATALOGUE, environment={"PATH": str(empty)}) as gateway:
        ControlPlane(gateway).deploy("mcp-example", "mirror")
        command = [
            str(Path(sys.executable).parent / "schemathesis"), "run", f"{gateway.url}/openapi.json",
            "--checks", "all",
            "--phases", "examples,coverage,fuzzing,stateful",
            "--max-examples", os.environ.get("SCHEMATHESIS_MAX_EXAMPLES", "40"),
            "--seed", os.environ.get("SCHEMATHESIS_SEED", "1"),
            "--request-timeout", "10",
            "--max-failures", "20",
            "--workers", "1",
            "--exclude-path-regex", "/(mcp|sse|messages)$",
            "--generation-database", "none",
            "--suppress-health-check", "all",
            "--warnings", "off",
            "--no-color",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path)
        processes.started_here(process.pid)
        output, _ = process.communicate(timeout=230)
        print(output)
        assert process.returncode == 0, output[-12000:]
