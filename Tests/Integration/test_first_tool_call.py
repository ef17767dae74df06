# SPDX-License-Identifier: MIT
"""The way of a new user: deploy a sample server with one POST, call its tools with the official client."""

from collections.abc import Iterator

import pytest
import requests

from harness import clients, raw
from harness.api import ControlPlane
from harness.clients import LEGACY, MODERN, call, legacy_client, modern_client, old_sse_client, tool_names
from harness.gateway import Gateway
from harness.places import SAMPLE_CATALOGUE

pytestmark = pytest.mark.anyio

# Byte for byte what the documentation tells people to send.
BODY = '{"name":"mcp-example","imageName":"mcp-example","imageVersion":"1.0.0","description":"test"}'
EXAMPLE_TOOLS = ["add", "count", "process"]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("samples"), catalogue=SAMPLE_CATALOGUE) as gateway:
        api = ControlPlane(gateway)
        answer = requests.post(
            f"{gateway.url}/adapters", data=BODY, headers={"Content-Type": "application/json"}, timeout=10
        )
        assert answer.status_code == 201, answer.text
        assert answer.headers["Location"].endswith("/adapters/mcp-example")
        # All start at once; each is waited for afterwards.
        api.create("old", "mcp-example-sse")
        api.create("piped", "mcp-example-stdio")
        api.create("time", "mcp-server-time", "2026.10.19")
        api.create("fast", "fastmcp-example")
        for name in ["mcp-example", "old", "piped", "time", "fast"]:
            api.wait_until_ready(name)
        yield gateway


def test_the_documented_body_makes_an_adapter_with_defaults(gateway: Gateway, api: ControlPlane) -> None:
    adapter = api.request("GET", "/adapters/mcp-example").json()
    assert adapter["id"] and adapter["createdBy"] and adapter["createdAt"] and adapter["lastUpdatedAt"]
    assert adapter["name"] == adapter["imageName"] == "mcp-example"
    assert adapter["imageVersion"] == "1.0.0"
    assert adapter["description"] == "test"
    assert adapter["replicaCount"] == 1
    status = api.status("mcp-example")
    assert status["readyReplicas"] == status["updatedReplicas"] == status["availableReplicas"] == 1
    assert status["image"] == "mcp-example:1.0.0"
    assert status["replicaStatus"] == "Healthy"


async def test_a_session_initializes_lists_and_calls(gateway: Gateway) -> None:
    async with legacy_client(gateway.mcp("mcp-example")) as client:
        assert client.protocol_version == LEGACY
        assert client.server_info is not None and client.server_info.name == "mcp-example"
        assert await tool_names(client) == EXAMPLE_TOOLS
        assert await call(client, "add", a=2, b=3) == 5
        assert [await call(client, "count") for _ in range(3)] == [1, 2, 3]


async def test_a_modern_client_gets_the_modern_revision(gateway: Gateway) -> None:
    async with modern_client(gateway.mcp("mcp-example")) as client:
        assert client.protocol_version == MODERN
        assert await tool_names(client) == EXAMPLE_TOOLS
        assert await call(client, "add", a=2, b=3) == 5
        result = await client.call_tool("count", {})
        assert result.is_error, "there is no session in this revision, so there is nothing to count by"


async def test_both_eras_share_one_url(gateway: Gateway) -> None:
    url = gateway.mcp("mcp-example")
    async with legacy_client(url) as old, modern_client(url) as new:
        for number in range(5):
            assert await call(old, "add", a=number, b=1) == number + 1
            assert await call(new, "add", a=number, b=2) == number + 2
            assert await call(old, "count") == number + 1


@pytest.mark.parametrize("adapter", ["old", "mcp-example"])
async def test_http_with_sse_initializes_lists_and_calls(gateway: Gateway, adapter: str) -> None:
    async with old_sse_client(gateway.sse(adapter)) as client, old_sse_client(gateway.sse(adapter)) as other:
        assert await tool_names(client) == EXAMPLE_TOOLS
        assert await call(client, "add", a=2, b=3) == 5
        assert [await call(client, "count") for _ in range(3)] == [1, 2, 3]
        assert await call(other, "count") == 1


@pytest.mark.parametrize("connect", [legacy_client, modern_client])
async def test_a_stdio_server_from_pypi_answers_behind_the_bridge(gateway: Gateway, connect: type) -> None:
    async with connect(gateway.mcp("time")) as client:
        assert client.protocol_version == (MODERN if connect is modern_client else LEGACY)
        assert await tool_names(client) == ["get_current_time", "convert_time"]
        time = await call(client, "get_current_time", timezone="Europe/Berlin")
        assert time["timezone"] == "Europe/Berlin"


async def test_sessions_with_a_stdio_server_have_processes_of_their_own(gateway: Gateway) -> None:
    url = gateway.mcp("piped")
    async with legacy_client(url) as one, legacy_client(url) as two:
        assert await call(one, "process") != await call(two, "process")
        assert [await call(one, "count") for _ in range(3)] == [1, 2, 3]
        assert await call(two, "count") == 1


@pytest.mark.parametrize("connect", [legacy_client, modern_client])
async def test_a_fastmcp_server_answers(gateway: Gateway, connect: type) -> None:
    async with connect(gateway.mcp("fast")) as client:
        assert await tool_names(client) == ["add", "letters"]
        assert await call(client, "add", a=2, b=3) == 5
        assert await call(client, "letters", text="a cab") == {"a": 2, "b": 1, "c": 1}


@pytest.mark.parametrize(
    ("transport", "adapter"), [("http", "mcp-example"), ("sse", "old"), ("http", "piped"), ("http", "fast")]
)
def test_the_older_line_of_the_sdk_works(gateway: Gateway, transport: str, adapter: str) -> None:
    url = gateway.sse(adapter) if transport == "sse" else gateway.mcp(adapter)
    got = clients.sdk_v1(transport, url, "add", {"a": 2, "b": 3})
    assert got["protocolVersion"] == "2025-11-25"
    assert "add" in got["tools"]
    assert not got["isError"]
    assert got["structured"] == {"result": 5}


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
@pytest.mark.parametrize("adapter", ["mcp-example", "piped"])
def test_every_older_revision_is_negotiated_as_asked(gateway: Gateway, adapter: str, version: str) -> None:
    target = f"/adapters/{adapter}/mcp"
    answer, session = raw.initialize(gateway.port, target, version)
    assert answer.status == 200, answer
    assert raw.message(answer)["result"]["protocolVersion"] == version
    sum = raw.rpc("tools/call", {"name": "add", "arguments": {"a": 2, "b": 3}}, id="a string")
    called = raw.message(raw.send(gateway.port, "POST", target, sum, session))
    assert called["id"] == "a string"
    assert called["result"]["content"][0]["text"] == "5"
    ended = raw.send(gateway.port, "DELETE", target, headers=session)
    assert ended.status in (200, 204), ended
    after = raw.send(gateway.port, "POST", target, sum, session)
    assert after.status == 404, after
    assert after.json["error"]
