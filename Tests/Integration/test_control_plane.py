# SPDX-License-Identifier: MIT
"""The adapters' life through the API. `ControlPlane.request` checks every answer against the OpenAPI document."""

from typing import Any

import pytest

from harness.api import ControlPlane
from harness.gateway import Gateway
from harness.waiting import until


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].split(";")[0] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status and body["code"] and body["title"]
    return body


@pytest.fixture
def one(api: ControlPlane) -> Any:
    """An adapter that runs nothing."""
    yield api.create("one", "mcp-example", replicaCount=0)
    if api.request("GET", "/adapters/one").status_code == 200:
        api.delete("one")


def test_an_adapter_is_created_read_replaced_and_deleted(api: ControlPlane) -> None:
    body = {
        "name": "whole",
        "imageName": "mcp-example",
        "imageVersion": "1.0.0",
        "environmentVariables": {"GREETING": "hello", "EMPTY": ""},
        "replicaCount": 0,
        "description": "Grüße 👋 \"quoted\" \\ and\nlines",
        "useWorkloadIdentity": False,
        "requiredRoles": ["reader", "writer"],
        "labels": {"team": "tools"},
    }
    created = api.request("POST", "/adapters", json=body)
    assert created.status_code == 201, created.text
    assert created.headers["Location"].endswith("/adapters/whole")
    for key, value in body.items():
        assert created.json()[key] == value, key
    read = api.request("GET", "/adapters/whole")
    assert read.json() == created.json()
    assert read.headers["ETag"] == created.headers["ETag"]
    replaced = api.request("PUT", "/adapters/whole", json=body | {"description": "new"})
    assert replaced.status_code == 200, replaced.text
    assert replaced.json()["description"] == "new"
    assert replaced.json()["createdAt"] == created.json()["createdAt"]
    assert replaced.json()["id"] == created.json()["id"]
    assert replaced.headers["ETag"] != created.headers["ETag"]
    api.delete("whole")
    problem(api.request("GET", "/adapters/whole"), 404)


def test_a_deleted_name_is_free_again(api: ControlPlane) -> None:
    first = api.deploy("again", "mcp-example")
    api.delete("again")
    second = until(
        lambda: (
            answer := api.request(
                "POST", "/adapters", json={"name": "again", "imageName": "mcp-example", "imageVersion": "1.0.0"}
            )
        ).status_code
        == 201
        and answer,
        "the name can be taken again",
    )
    assert second.json()["id"] != first["id"]
    api.wait_until_ready("again")
    api.delete("again")


def test_a_name_that_is_taken_is_a_conflict(api: ControlPlane, one: Any) -> None:
    body = {"name": "one", "imageName": "mcp-example", "imageVersion": "1.0.0"}
    problem(api.request("POST", "/adapters", json=body), 409)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/adapters/absent"),
        ("PUT", "/adapters/absent"),
        ("DELETE", "/adapters/absent"),
        ("GET", "/adapters/absent/status"),
        ("GET", "/adapters/absent/logs"),
    ],
)
def test_what_is_absent_is_404(api: ControlPlane, method: str, path: str) -> None:
    body = {"name": "absent", "imageName": "mcp-example", "imageVersion": "1.0.0"} if method == "PUT" else None
    problem(api.request(method, path, json=body), 404)


def test_etags_guard_against_lost_updates(api: ControlPlane, one: Any) -> None:
    body = {"name": "one", "imageName": "mcp-example", "imageVersion": "1.0.0", "replicaCount": 0}
    tag = api.request("GET", "/adapters/one").headers["ETag"]
    assert tag.startswith('"') and tag.endswith('"'), "a strong tag"
    mine = api.request("PUT", "/adapters/one", json=body | {"description": "mine"}, headers={"If-Match": tag})
    assert mine.status_code == 200, mine.text
    problem(api.request("PUT", "/adapters/one", json=body | {"description": "late"}, headers={"If-Match": tag}), 412)
    problem(api.request("DELETE", "/adapters/one", headers={"If-Match": tag}), 412)
    assert api.request("GET", "/adapters/one").json()["description"] == "mine"
    tag = mine.headers["ETag"]
    assert api.request("DELETE", "/adapters/one", headers={"If-Match": f'"other", {tag}'}).status_code == 204


def test_putting_the_same_again_restarts_nothing(gateway: Gateway, api: ControlPlane) -> None:
    body = {"name": "same", "imageName": "mcp-example", "imageVersion": "1.0.0"}
    api.deploy("same", "mcp-example")
    before = gateway.servers()
    assert api.request("PUT", "/adapters/same", json=body).status_code == 200
    api.wait_until_ready("same")
    assert set(gateway.servers()) == set(before)
    api.delete("same")


def test_replicas_follow_the_count(gateway: Gateway, api: ControlPlane) -> None:
    body = {"name": "scaled", "imageName": "mcp-example", "imageVersion": "1.0.0"}
    api.deploy("scaled", "mcp-example")
    survivors = set(gateway.servers())
    assert api.request("PUT", "/adapters/scaled", json=body | {"replicaCount": 3}).status_code == 200
    status = api.wait_until_ready("scaled", 3)
    assert sorted(instance["ordinal"] for instance in status["instances"]) == [0, 1, 2]
    assert survivors <= set(gateway.servers()), "scaling up leaves what runs alone"
    assert api.request("PUT", "/adapters/scaled", json=body | {"replicaCount": 0}).status_code == 200
    until(lambda: not set(gateway.servers()) & survivors, "all stop")
    stopped = until(lambda: (s := api.status("scaled"))["replicaStatus"] == "Healthy" and s, "none is what is wanted")
    assert stopped["readyReplicas"] == 0
    api.delete("scaled")


def test_a_changed_environment_reaches_the_server(gateway: Gateway, api: ControlPlane) -> None:
    body = {"name": "varied", "imageName": "mcp-example", "imageVersion": "1.0.0"}
    api.deploy("varied", "mcp-example", environmentVariables={"GREETING": "hello"})
    assert "hello" in [process.environment.get("GREETING") for process in gateway.servers()]
    api.request("PUT", "/adapters/varied", json=body | {"environmentVariables": {"GREETING": "good bye"}})
    until(
        lambda: [process.environment.get("GREETING") for process in gateway.servers()].count("good bye") == 1
        and "hello" not in [process.environment.get("GREETING") for process in gateway.servers()],
        "the server is replaced",
    )
    api.wait_until_ready("varied")
    api.delete("varied")


def test_secrets_are_written_and_never_read_back(gateway: Gateway, api: ControlPlane) -> None:
    created = api.deploy("secret", "mcp-example", secretEnvironmentVariables={"TOKEN": "c4f3-b4b3"})
    assert "c4f3-b4b3" in [process.environment.get("TOKEN") for process in gateway.servers()]
    for text in [str(created), api.request("GET", "/adapters/secret").text, api.request("GET", "/adapters").text]:
        assert "c4f3-b4b3" not in text
    assert "c4f3-b4b3" not in gateway.log
    api.delete("secret")


def test_pages_hold_every_adapter_once(api: ControlPlane) -> None:
    names = [f"page-{number:02}" for number in range(7)]
    for name in names:
        api.create(name, "mcp-example", replicaCount=0)
    seen, path = [], "/adapters?limit=3"
    pages = 0
    while path:
        answer = api.request("GET", path)
        page = answer.json()
        assert isinstance(page, list) and len(page) <= 3
        seen += [adapter["name"] for adapter in page]
        pages += 1
        following = answer.links.get("next", {}).get("url")
        path = following[following.index("/adapters") :] if following else None
    assert [name for name in seen if name.startswith("page-")] == names
    assert len(seen) == len(set(seen)) and pages == (len(seen) + 2) // 3
    for name in names:
        api.delete(name)


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=1&limit=2", "limit=99999999999999999999"])
def test_a_wrong_page_size_is_refused(api: ControlPlane, query: str) -> None:
    answer = api.request("GET", f"/adapters?{query}")
    assert answer.status_code in (400, 422), answer.text


def test_logs_can_be_cut(api: ControlPlane) -> None:
    api.deploy("talks", "mcp-example")
    whole = until(
        lambda: (text := api.request("GET", "/adapters/talks/logs").text).count("\n") >= 3 and text, "there are lines"
    )
    lines = whole.splitlines()
    assert any("Uvicorn running" in line for line in lines)
    tail = api.request("GET", "/adapters/talks/logs?instance=0&tailLines=2").text.splitlines()
    assert tail == lines[-2:]
    assert api.request("GET", "/adapters/talks/logs?tailLines=0").text == ""
    assert api.request("GET", "/adapters/talks/logs?sinceSeconds=3600").text.splitlines()[-1] == lines[-1]
    api.delete("talks")


@pytest.mark.parametrize(
    "query", ["instance=x", "instance=-1", "tailLines=-5", "tailLines=x", "sinceSeconds=x", "follow=maybe", "previous=2"]
)
def test_wrong_log_options_are_refused(api: ControlPlane, one: Any, query: str) -> None:
    answer = api.request("GET", f"/adapters/one/logs?{query}")
    assert answer.status_code in (400, 422), answer.text


def test_logs_of_an_instance_that_is_not_there_are_404(api: ControlPlane, one: Any) -> None:
    problem(api.request("GET", "/adapters/one/logs?instance=7"), 404)


def test_an_image_that_the_catalogue_does_not_know_is_explained(api: ControlPlane) -> None:
    body = {"name": "unknown", "imageName": "no-such-image", "imageVersion": "9"}
    answer = api.request("POST", "/adapters", json=body)
    if answer.status_code == 201:
        until(lambda: "no-such-image" in str(api.status("unknown")["instances"]) + api.status("unknown")["replicaStatus"]
              or "catalogue" in str(api.status("unknown")), "the status explains it", seconds=10)
        api.delete("unknown")
    else:
        assert problem(answer, 422) and "no-such-image" in answer.text


def test_every_wrong_field_is_named_at_once(api: ControlPlane) -> None:
    body = {"name": "Not_A_Label", "imageName": "", "imageVersion": "1.0.0", "replicaCount": -1, "transport": "pigeon"}
    found = problem(api.request("POST", "/adapters", json=body), 422)
    named = str(found)
    for field in ["name", "replicaCount", "transport"]:
        assert field in named, named


def test_a_command_of_ones_own_needs_no_catalogue(gateway: Gateway, api: ControlPlane) -> None:
    from harness import raw
    from harness.places import ROOT, SAMPLES_PYTHON

    body = {
        "name": "mine",
        "command": str(SAMPLES_PYTHON),
        "arguments": [str(ROOT / "dev" / "servers" / "example.py"), "--port", "{port}", "--host", "{host}"],
        "workingDirectory": "/",
    }
    created = api.request("POST", "/adapters", json=body)
    assert created.status_code == 201, created.text
    api.wait_until_ready("mine")
    assert raw.initialize(gateway.port, "/adapters/mine/mcp")[0].status == 200
    api.delete("mine")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_the_other_pages_answer(api: ControlPlane, path: str) -> None:
    assert api.request("GET", path).status_code == 200
