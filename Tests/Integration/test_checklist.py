# SPDX-License-Identifier: MIT
"""docs/checklist.md, and rules of it that are proved nowhere else."""

import re
from pathlib import Path

from harness import raw
from harness.api import ControlPlane
from harness.gateway import Gateway
from harness.places import ROOT, TESTS
from harness.raw import rpc, send


def test_the_checklist_has_every_rule_and_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "checklist.md").read_text()
    rules: list[int] = []
    for first, last in re.findall(r"^\| (\d+)(?:–(\d+))? \|", text, re.MULTILINE):
        rules += range(int(first), int(last or first) + 1)
    assert rules == list(range(1, 61))
    swift = "".join(path.read_text() for path in (ROOT / "Tests").glob("*Tests/*.swift"))
    python = "".join(path.read_text() for path in TESTS.glob("*.py"))
    missing = [name for name in re.findall(r'"([^"|]+)"', text) if name.split("…")[0].strip() not in swift]
    missing += [name for name in re.findall(r"`(test_[a-z0-9_]+)`", text) if f"def {name}(" not in python]
    assert not missing


def test_checklist_57_logs_hold_no_token_no_session_and_no_argument(tmp_path: Path) -> None:
    secrets = ["tOkEn-5f0c", "ArGuMeNt-91b7", "CoOkIe-44aa"]
    with Gateway(tmp_path / "gateway", environment={"MCP_GATEWAY_LOG_LEVEL": "trace"}) as gateway:
        ControlPlane(gateway).deploy("quiet", "mirror")
        target = "/adapters/quiet/mcp"
        opened = send(gateway.port, "POST", target, rpc("initialize", {"session": "SeSsIoN-c3d2"}), raw.MCP_HEADERS)
        sealed = opened.headers["mcp-session-id"]
        headers = raw.MCP_HEADERS | {
            "Authorization": f"Bearer {secrets[0]}", "Cookie": f"a={secrets[2]}", "Mcp-Session-Id": sealed,
        }  # fmt: skip
        body = rpc("tools/call", {"name": "x", "arguments": {"text": secrets[1]}})
        assert send(gateway.port, "POST", target, body, headers).status == 200
        # What fails is what is told about: an unknown session, a body that is none, an adapter that is not there.
        send(gateway.port, "POST", target, body, headers | {"Mcp-Session-Id": sealed[:-2] + "AA"})
        send(gateway.port, "POST", target, body[:-1], headers)
        send(gateway.port, "POST", "/adapters/none/mcp", body, headers)
        send(gateway.port, "DELETE", target, headers=headers)
    found = [secret for secret in [*secrets, sealed, "SeSsIoN-c3d2"] if secret in gateway.log]
    assert not found
    assert gateway.log, "there is a log"
