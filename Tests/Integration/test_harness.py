# SPDX-License-Identifier: MIT
"""The harness itself: that it sees what it is there to see."""

import os
import signal
import subprocess

import pytest

from harness import processes
from harness.contract import Contract
from harness.waiting import until

DOCUMENT = {
    "openapi": "3.1.0",
    "paths": {
        "/things/{name}": {
            "get": {
                "responses": {
                    "200": {
                        "headers": {"ETag": {"required": True, "schema": {"type": "string"}}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                    },
                    "404": {"$ref": "#/components/responses/Absent"},
                }
            },
            "delete": {"responses": {"204": {"description": "gone"}}},
        },
    },
    "components": {
        "schemas": {"Thing": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}},
        "responses": {"Absent": {"content": {"application/problem+json": {"schema": {"type": "object"}}}}},
    },
}
JSON = {"content-type": "application/json; charset=utf-8", "etag": '"1"'}


@pytest.mark.parametrize(
    ("method", "path", "status", "headers", "body", "fault"),
    [
        ("GET", "/things/a", 200, JSON, b'{"name":"a"}', None),
        ("GET", "/things/a", 404, {"Content-Type": "application/problem+json"}, b"{}", None),
        ("DELETE", "/things/a", 204, {}, b"", None),
        ("GET", "/things/a", 200, JSON, b'{"name":1}', "breaks its schema"),
        ("GET", "/things/a", 200, JSON, b"{}", "breaks its schema"),
        ("GET", "/things/a", 200, {"content-type": "application/json"}, b'{"name":"a"}', "ETag is missing"),
        ("GET", "/things/a", 200, JSON | {"content-type": "text/html"}, b"x", "content type"),
        ("GET", "/things/a", 500, JSON, b"{}", "not documented"),
        ("DELETE", "/things/a", 204, {}, b"x", "a body where none"),
        ("PUT", "/things/a", 200, JSON, b"{}", "not documented"),
        ("GET", "/things/a/b", 200, JSON, b"{}", "not in the OpenAPI document"),
    ],
)
def test_answers_that_break_the_contract_are_found(
    method: str, path: str, status: int, headers: dict[str, str], body: bytes, fault: str | None
) -> None:
    contract = Contract(DOCUMENT)
    if fault is None:
        contract.check(method, path, status, headers, body)
    else:
        with pytest.raises(AssertionError, match=fault):
            contract.check(method, path, status, headers, body)


def test_a_stray_in_a_session_of_its_own_is_found() -> None:
    before = processes.adopted()
    process = subprocess.Popen(["sh", "-c", "setsid sleep 600 & exit 0"])
    processes.started_here(process.pid)
    process.wait()
    found = until(
        lambda: [child for child in processes.adopted() if child not in before and child.command == "sleep 600"],
        "the orphan is adopted",
    )
    assert len(found) == 1
    os.kill(found[0].pid, signal.SIGKILL)
    until(lambda: not processes.still_running(found), "it has ended")
    processes.reap_adopted()
    assert processes.process(found[0].pid) is None
