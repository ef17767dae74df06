# SPDX-License-Identifier: MIT
"""Sessions that lose their server, of adapters that ask for `session.recovery: reinitialize`: the official client goes on."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest
from mcp.shared.exceptions import MCPError

from harness import processes, raw
from harness.api import ControlPlane
from harness.clients import call, legacy_client, tool_names
from harness.gateway import Gateway
from harness.waiting import until
from test_metrics import metrics

pytestmark = pytest.mark.anyio
RECOVERS = {"session": {"recovery": "reinitialize"}}


def kill(number: int) -> None:
    """Returns when it is gone: what is sent to a process that is dying may or may not be read by it."""
    os.kill(number, signal.SIGKILL)
    until(lambda: processes.process(number) is None, "it is gone", 5)


@pytest.fixture(params=["tricks", "tricks-stdio"])
def adapter(request: pytest.FixtureRequest, api: ControlPlane) -> Iterator[str]:
    """One for each test: a server that was killed often is started again after longer and longer pauses."""
    api.deploy(request.param, request.param, **RECOVERS)
    yield request.param
    api.delete(request.param)


async def test_the_client_of_a_killed_server_goes_on_without_an_error(gateway: Gateway, adapter: str) -> None:
    async with legacy_client(gateway.mcp(adapter)) as client:
        for _ in range(2):
            process = await call(client, "process")
            kill(process)
            assert await call(client, "echo", text="still here") == "still here"
            assert await call(client, "process") != process


async def test_a_call_under_way_is_done_again_if_its_tool_only_reads(gateway: Gateway, adapter: str) -> None:
    async with legacy_client(gateway.mcp(adapter)) as client:
        assert "look" in await tool_names(client)
        process = await call(client, "process")
        looking = asyncio.create_task(call(client, "look", seconds=2))
        await asyncio.sleep(0.5)
        os.kill(process, signal.SIGKILL)
        if adapter == "tricks":
            assert await asyncio.wait_for(looking, 30) != process
        else:
            # The bridge lives, and answers what its server was doing.
            with pytest.raises(MCPError, match="the server ended"):
                await asyncio.wait_for(looking, 30)


async def test_a_call_that_may_have_had_its_effect_is_an_error_that_says_so(gateway: Gateway, adapter: str) -> None:
    async with legacy_client(gateway.mcp(adapter)) as client:
        await tool_names(client)
        process = await call(client, "process")
        waiting = asyncio.create_task(client.call_tool("wait", {"name": "x", "seconds": 60}))
        await asyncio.sleep(0.5)
        os.kill(process, signal.SIGKILL)
        with pytest.raises(MCPError) as error:
            await asyncio.wait_for(waiting, 30)
        if adapter == "tricks":
            assert "unknown" in str(error.value)
        assert await call(client, "echo", text="and on") == "and on"


def test_what_was_recovered_is_counted(gateway: Gateway, api: ControlPlane, adapter: str) -> None:
    _, session = raw.initialize(gateway.port, f"/adapters/{adapter}/mcp")
    name = f'mcp_gateway_session_recoveries_total{{adapter="{adapter}",outcome="succeeded"}}'
    before = metrics(api)[name]
    target = f"/adapters/{adapter}/mcp"
    answer = raw.send(gateway.port, "POST", target, raw.rpc("tools/call", {"name": "process", "arguments": {}}), session)
    kill(int(raw.message(answer)["result"]["content"][0]["text"]))
    again = raw.send(gateway.port, "POST", target, raw.rpc("tools/list", id="again"), session)
    assert again.status == 200 and raw.message(again)["id"] == "again"
    assert again.headers.get("mcp-session-id", session["Mcp-Session-Id"]) == session["Mcp-Session-Id"]
    assert metrics(api)[name] == before + 1


def test_without_it_the_answer_is_404(gateway: Gateway, api: ControlPlane) -> None:
    api.deploy("plain", "tricks")
    _, session = raw.initialize(gateway.port, "/adapters/plain/mcp")
    answer = raw.send(
        gateway.port, "POST", "/adapters/plain/mcp", raw.rpc("tools/call", {"name": "process", "arguments": {}}), session
    )
    kill(int(raw.message(answer)["result"]["content"][0]["text"]))
    until(lambda: api.status("plain")["readyReplicas"] == 0, "the death is noticed", seconds=5)
    assert raw.send(gateway.port, "POST", "/adapters/plain/mcp", raw.rpc("tools/list"), session).status == 404
