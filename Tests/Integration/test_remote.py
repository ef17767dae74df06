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
from harness.places import SAMPLES_PYTHON
from harness.raw import MCP_HEADERS, rpc, send
from harness.waiting import until

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
def server(name: str, port: int, path: str = "/mcp") -> Iterator[subprocess.Popen[bytes]]:
    """A fastmcp server, run by the test and not by the gateway."""
    process = subprocess.Popen([SAMPLES_PYTHON, "-c", SERVER, name, str(port), path], stdout=subprocess.DEVNULL,
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
