# SPDX-License-Identifier: MIT
"""Adapters that stand for servers that somebody else runs."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness import processes, raw
from harness.api import ControlPlane
from harness.clients import legacy_client, modern_client
from harness.gateway import Gateway
from harness.places import SAMPLES_PYTHON, TESTS
from harness.raw import MCP_HEADERS, rpc, send
from harness.waiting import until

# Lets in who has the key.
GUARDED = """
import sys
from fastmcp import FastMCP
from fastmcp.server.auth.providers.jwt import StaticTokenVerifier
server = FastMCP("guarded", auth=StaticTokenVerifier({"the-servers-own-key": {"client_id": "gateway", "scopes": []}}))

@server.tool
def who() -> str:
    return sys.argv[1]

server.run(transport="http", host="127.0.0.1", port=int(sys.argv[2]), path=sys.argv[3], show_banner=False)
"""

SERVER = """
import sys
from fastmcp import FastMCP
server = FastMCP("away")

@server.tool
def who() -> str:
    return sys.argv[1]

server.run(transport="http", host="127.0.0.1", port=int(sys.argv[2]), path=sys.argv[3], show_banner=False)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(name: str, port: int, path: str = "/mcp", program: str = SERVER) -> Iterator[subprocess.Popen[bytes]]:
    """A fastmcp server, run by the test and not by the gateway."""
    process = subprocess.Popen([SAMPLES_PYTHON, "-c", program, name, str(port), path], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    processes.started_here(process.pid)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.anyio
async def test_clients_of_both_eras_use_servers_of_others(gateway: Gateway, api: ControlPlane) -> None:
    ports = [free_port(), free_port()]
    with server("first", ports[0], "/deep/mcp"), server("second", ports[1], "/deep/mcp"):
        urls = [f"http://127.0.0.1:{ports[0]}/deep/mcp", f"http://localhost:{ports[1]}/deep/mcp"]
        answer = api.request("POST", "/adapters", json={"name": "away", "url": urls})
        assert answer.status_code == 201, answer.text
        assert answer.json()["url"] == urls and answer.json()["replicaCount"] == 2
        until(lambda: api.status("away")["replicaStatus"] == "Healthy", "both servers answer", 30)
        status = api.status("away")
        assert [instance["endpoint"] for instance in status["instances"]] == [f"127.0.0.1:{port}" for port in ports]
        url = f"{gateway.url}/adapters/away/mcp"
        seen = set()
        for _ in range(6):
            async with legacy_client(url) as client:
                answers = {(await client.call_tool("who", {})).content[0].text for _ in range(5)}
                assert len(answers) == 1, "a session stays with its server"
                seen |= answers
            async with modern_client(url) as client:
                seen.add((await client.call_tool("who", {})).content[0].text)
        assert seen == {"first", "second"}
        assert api.request("GET", "/adapters/away/logs").status_code == 404
    assert api.request("DELETE", "/adapters/away").status_code == 204


def test_a_server_that_goes_away_is_seen_and_another_takes_its_place(gateway: Gateway, api: ControlPlane) -> None:
    ports = [free_port(), free_port()]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    target = "/adapters/apart/mcp"
    with server("first", ports[0]):
        api.request("POST", "/adapters", json={"name": "apart", "url": urls})
        with server("second", ports[1]) as second:
            until(lambda: api.status("apart")["replicaStatus"] == "Healthy", "both servers answer", 30)
            second.kill()
            second.wait()
            # Nothing was noticed yet, and no request is lost: another server gets it.
            for _ in range(8):
                assert raw.initialize(gateway.port, target)[0].status == 200
    answer = send(gateway.port, "POST", target, rpc("initialize"), MCP_HEADERS)
    assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1
    assert api.request("DELETE", "/adapters/apart").status_code == 204


@pytest.mark.parametrize(
    ("url", "words"),
    [("http://h/mcp?key=1", "query"), ("ftp://h", "http://"), (["http://h/a", "http://i/b"], "path")],
)
def test_an_address_that_can_not_be_used_is_422(api: ControlPlane, url: object, words: str) -> None:
    answer = api.request("POST", "/adapters", json={"name": "wrong", "url": url})
    assert answer.status_code == 422
    assert words in answer.text


def test_a_name_that_does_not_exist_is_told_in_the_status(api: ControlPlane) -> None:
    assert api.request("POST", "/adapters", json={"name": "nowhere", "url": "http://nothing.invalid/mcp"}).status_code == 201
    until(lambda: "no address" in str(api.status("nowhere")["instances"]), "the status says it", 30)
    answer = send(api.gateway.port, "POST", "/adapters/nowhere/mcp", rpc("initialize"), MCP_HEADERS, seconds=40)
    assert answer.status == 503
    assert api.request("DELETE", "/adapters/nowhere").status_code == 204


@contextmanager
def mirror(port: int) -> Iterator[None]:
    """A server that tells what reached it."""
    process = subprocess.Popen([SAMPLES_PYTHON, str(TESTS / "servers" / "mirror.py")], env={"PORT": str(port)})
    processes.started_here(process.pid)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.anyio
async def test_checklist_53_a_server_that_wants_credentials_gets_those_of_the_adapter(own_gateway: Gateway, own_api: ControlPlane) -> None:
    port = free_port()
    with server("guarded", port, program=GUARDED):
        secrets = {"Authorization": "Bearer the-servers-own-key"}
        body = {"name": "guarded", "url": f"http://127.0.0.1:{port}/mcp", "secretHeaders": secrets, "session": {"recovery": "reinitialize"}}
        created = own_api.request("POST", "/adapters", json=body)
        assert created.status_code == 201 and created.json()["secretHeaders"] == {"Authorization": None}
        until(lambda: own_api.status("guarded")["replicaStatus"] == "Healthy", "the server answers", 30)
        url = own_gateway.mcp("guarded")
        for client in (legacy_client(url), modern_client(url)):
            async with client:
                assert (await client.call_tool("who", {})).content[0].text == "guarded"
        own_gateway.restart()
        until(lambda: own_api.status("guarded")["replicaStatus"] == "Healthy", "the server answers", 30)
        async with legacy_client(own_gateway.mcp("guarded")) as client:
            assert (await client.call_tool("who", {})).content[0].text == "guarded"
        wrong = body | {"secretHeaders": {"Authorization": "Bearer another"}}
        assert own_api.request("PUT", "/adapters/guarded", json=wrong).status_code == 200
        answer = send(own_gateway.port, "POST", "/adapters/guarded/mcp", rpc("ping"), MCP_HEADERS)
        assert answer.status == 401, "what the server says of its own credentials passes"
    own_api.delete("guarded")
    assert "the-servers-own-key" not in own_gateway.log


def test_fields_of_the_adapter_take_the_place_of_the_clients(gateway: Gateway, api: ControlPlane) -> None:
    port = free_port()
    body = {"name": "fields", "url": f"http://127.0.0.1:{port}/mcp"}
    with mirror(port):
        assert api.request("POST", "/adapters", json=body | {"secretHeaders": {"X-Api-Key": "ours", "Authorization": "Key k"}}).status_code == 201
        until(lambda: api.status("fields")["replicaStatus"] == "Healthy", "the server answers", 30)

        def seen() -> list[tuple[str, str]]:
            headers = [("X-Api-Key", "theirs"), ("x-api-KEY", "again"), ("Authorization", "Bearer t"), ("X-Api-Keys", "kept"), *MCP_HEADERS.items()]
            answer = send(gateway.port, "POST", "/adapters/fields/mcp", rpc("ping"), headers)
            assert answer.status == 200
            found = [(name.lower(), value) for name, value in answer.json["result"]["headers"]]
            return sorted(line for line in found if line[0] in ("x-api-key", "authorization", "x-api-keys"))

        assert seen() == [("authorization", "Key k"), ("x-api-key", "ours"), ("x-api-keys", "kept")]
        # Written as it was read: what is not shown is kept.
        written = api.request("GET", "/adapters/fields").json() | {"description": "new"}
        assert written["secretHeaders"] == {"X-Api-Key": None, "Authorization": None}
        assert api.request("PUT", "/adapters/fields", json=written).status_code == 200
        assert seen() == [("authorization", "Key k"), ("x-api-key", "ours"), ("x-api-keys", "kept")]
        assert api.request("PUT", "/adapters/fields", json=body).status_code == 200
        until(lambda: seen() == [("x-api-key", "again"), ("x-api-key", "theirs"), ("x-api-keys", "kept")], "no field is ours", 10)
    api.delete("fields")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "x"}, {"content-length": "1"}, {"Mcp-Session-Id": "x"}, {"X-Forwarded-For": "x"}, {"Transfer-Encoding": "chunked"},
        {"A B": "x"}, {"": "x"}, {"A:": "x"}, {"A": ""}, {"A": "x\r\nHost: y"}, {"A": " x"}, {"A": "ä"}, {"A": 1}, {"A": "x", "a": "y"},
        {"A": None}, {"x" * 65: "x"}, [], "x",
    ],
    ids=str,
)  # fmt: skip
def test_fields_that_can_not_be_are_refused(api: ControlPlane, headers: object) -> None:
    answer = api.request("POST", "/adapters", json={"name": "refused", "url": "http://127.0.0.1:1/mcp", "secretHeaders": headers})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith("secretHeaders")


def test_fields_go_only_with_servers_of_others(api: ControlPlane) -> None:
    body = {"name": "refused", "imageName": "mirror", "imageVersion": "1.0.0", "secretHeaders": {"A": "x"}}
    answer = api.request("POST", "/adapters", json=body)
    assert answer.status_code == 422 and answer.json()["errors"] == [
        {"field": "secretHeaders", "code": "conflict", "message": "goes only with url"}
    ]
