# SPDX-License-Identifier: MIT
"""The official Python SDK as the client, once for each way to speak."""

import json
import subprocess
from typing import Any

from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from harness import processes
from harness.places import SDK_V1_PYTHON, TESTS

LEGACY = "2025-11-25"
MODERN = "2026-07-28"


def legacy_client(url: str, **options: Any) -> Client:
    """Opens a session with `initialize`."""
    return Client(url, mode="legacy", **options)


def modern_client(url: str, **options: Any) -> Client:
    """Finds out by itself what the server speaks, and takes 2026-07-28 where it can."""
    return Client(url, mode="auto", **options)


def old_sse_client(url: str, **options: Any) -> Client:
    """HTTP+SSE, revision 2024-11-05."""
    return Client(sse_client(url), mode="legacy", **options)


def client_over(url: str, http_client: Any, mode: str, **options: Any) -> Client:
    """A client whose HTTP client is given: to share connections or to see the traffic."""
    return Client(streamable_http_client(url, http_client=http_client), mode=mode, **options)


async def tool_names(client: Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """The tool's result; fails if the tool does."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    structured = result.structured_content
    if isinstance(structured, dict) and set(structured) == {"result"}:
        return structured["result"]
    return structured


def sdk_v1(transport: str, url: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What the client of the SDK's 1.x line gets: the revision, the tools' names and the result of one call."""
    process = subprocess.Popen(
        [str(SDK_V1_PYTHON), str(TESTS / "clients" / "sdk_v1.py"), transport, url, tool, json.dumps(arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    processes.started_here(process.pid)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()
    return json.loads(output)
