# SPDX-License-Identifier: MIT
"""What flows both ways: progress, questions of the server to the user, cancellation, large bodies, open streams."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from mcp_types import ElicitResult

from harness import raw
from harness.api import ControlPlane
from harness.clients import call, legacy_client, modern_client
from harness.gateway import Gateway
from harness.raw import head, rpc
from harness.waiting import until

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("adapter", ["http", "stdio"])
ERAS = pytest.mark.parametrize("connect", [legacy_client, modern_client])


@pytest.fixture(scope="module", autouse=True)
def adapters(api: ControlPlane) -> Iterator[None]:
    api.create("http", "tricks")
    api.create("stdio", "tricks-stdio")
    api.wait_until_ready("http")
    api.wait_until_ready("stdio")
    yield


@BOTH
@ERAS
async def test_progress_arrives_while_the_call_goes_on(gateway: Gateway, adapter: str, connect: Any) -> None:
    arrived: list[tuple[float, float]] = []

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        arrived.append((progress, time.monotonic()))

    async with connect(gateway.mcp(adapter)) as client:
        result = await client.call_tool("progress", {"steps": 5, "pause": 0.2}, progress_callback=progressed)
        assert not result.is_error
    assert [progress for progress, _ in arrived] == [1, 2, 3, 4, 5]
    # Buffered until the end they would all come together; 5 steps take 0.8 s from the first to the last.
    assert arrived[-1][1] - arrived[0][1] > 0.4


@BOTH
async def test_the_server_can_ask_the_user(gateway: Gateway, adapter: str) -> None:
    async def answer(context: Any, params: Any) -> ElicitResult:
        assert params.message == "Which colour?"
        return ElicitResult(action="accept", content={"colour": "green"})

    async with legacy_client(gateway.mcp(adapter), elicitation_callback=answer) as client:
        assert await call(client, "ask_colour") == "green"


@BOTH
@ERAS
@pytest.mark.parametrize("size", [1 << 10, 1 << 16, 3 << 20])
async def test_large_arguments_and_results_pass(gateway: Gateway, adapter: str, connect: Any, size: int) -> None:
    async with connect(gateway.mcp(adapter)) as client:
        text = "ü" * (size // 2)
        if size < 1 << 19:
            assert await call(client, "echo", text=text) == text
        else:  # the client takes no event over 1 MiB, and a result holds its text twice
            assert await call(client, "length", text=text) == len(text)
            assert len(await call(client, "fill", bytes=400_000)) == 400_000


@BOTH
async def test_calls_of_one_session_overlap(gateway: Gateway, adapter: str) -> None:
    async with legacy_client(gateway.mcp(adapter)) as client:
        began = time.monotonic()
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(client.call_tool, "wait", {"name": str(number), "seconds": 0.5})
        assert time.monotonic() - began < 5


def stream(gateway: Gateway, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> socket.socket:
    """A connection on which the head of an answer has begun to arrive."""
    connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=15)
    if body:
        headers = {**headers, "Content-Length": str(len(body))}
    connection.sendall(head(method, target, headers, host=f"127.0.0.1:{gateway.port}") + body)
    return connection


def read_until(connection: socket.socket, text: bytes, seconds: float = 10) -> bytes:
    data, deadline = b"", time.monotonic() + seconds
    while text not in data:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        chunk = connection.recv(65536)
        assert chunk, f"the stream ended before {text!r}: {data!r}"
        data += chunk
    return data


def was_cancelled(gateway: Gateway, target: str, name: str, headers: dict[str, str], meta: Any = None) -> bool:
    params: dict[str, Any] = {"name": "was_cancelled", "arguments": {"name": name}}
    if meta:
        params["_meta"] = meta
        headers = headers | {"Mcp-Method": "tools/call", "Mcp-Name": "was_cancelled"}
    answer = raw.send(gateway.port, "POST", target, rpc("tools/call", params), headers)
    return raw.message(answer)["result"]["content"][0]["text"] == "true"


META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
MODERN = {**raw.MCP_HEADERS, "MCP-Protocol-Version": "2026-07-28"}


@BOTH
def test_a_modern_client_that_hangs_up_cancels_its_call(gateway: Gateway, adapter: str) -> None:
    target, name = f"/adapters/{adapter}/mcp", f"modern-{adapter}"
    params = {"name": "wait", "arguments": {"name": name, "seconds": 600}, "_meta": META}
    headers = {**MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "wait"}
    connection = stream(gateway, "POST", target, headers, rpc("tools/call", params))
    time_of_arrival(gateway, adapter)
    connection.close()
    until(lambda: was_cancelled(gateway, target, name, MODERN, META), "the call is cancelled", seconds=10)


def time_of_arrival(gateway: Gateway, adapter: str) -> None:
    """Returns when requests that were sent before have reached the server: one more on its own way has been answered."""
    answer = raw.initialize(gateway.port, f"/adapters/{adapter}/mcp")[0]
    assert answer.status == 200


@BOTH
def test_a_session_that_hangs_up_cancels_nothing(gateway: Gateway, adapter: str) -> None:
    target, name = f"/adapters/{adapter}/mcp", f"legacy-{adapter}"
    _, session = raw.initialize(gateway.port, target)
    params = {"name": "wait", "arguments": {"name": name, "seconds": 1.5}}
    connection = stream(gateway, "POST", target, session, rpc("tools/call", params, id=70))
    time_of_arrival(gateway, adapter)
    connection.close()
    began = time.monotonic()
    while time.monotonic() - began < 2:
        assert not was_cancelled(gateway, target, name, session)
        time.sleep(0.25)


@BOTH
def test_a_session_cancels_with_a_notification(gateway: Gateway, adapter: str) -> None:
    target, name = f"/adapters/{adapter}/mcp", f"notified-{adapter}"
    _, session = raw.initialize(gateway.port, target)
    params = {"name": "wait", "arguments": {"name": name, "seconds": 600}}
    with stream(gateway, "POST", target, session, rpc("tools/call", params, id=71)):
        time_of_arrival(gateway, adapter)

        def cancelled() -> bool:
            notification = rpc("notifications/cancelled", {"requestId": 71}, id=None)
            answer = raw.send(gateway.port, "POST", target, notification, session)
            assert answer.status == 202 and not answer.body, answer
            return was_cancelled(gateway, target, name, session)

        until(cancelled, "the call is cancelled", seconds=10)


@BOTH
def test_a_get_stream_can_be_opened_again_at_once(gateway: Gateway, adapter: str) -> None:
    target = f"/adapters/{adapter}/mcp"
    _, session = raw.initialize(gateway.port, target)
    headers = {**session, "Accept": "text/event-stream"}

    def opens() -> bool:
        # A second stream beside an open one is refused with 409, so the last one has to be let go promptly.
        with stream(gateway, "GET", target, headers) as connection:
            begun = read_until(connection, b"\r\n\r\n")
            return begun.startswith(b"HTTP/1.1 200") and b"text/event-stream" in begun.lower()

    for _ in range(5):
        until(opens, "the server lets go of the last stream", seconds=3)


@BOTH
def test_streams_say_that_they_must_not_be_buffered(gateway: Gateway, adapter: str) -> None:
    target = f"/adapters/{adapter}/mcp"
    _, session = raw.initialize(gateway.port, target)
    with stream(gateway, "GET", target, {**session, "Accept": "text/event-stream"}) as connection:
        begun = read_until(connection, b"\r\n\r\n").lower()
    assert b"x-accel-buffering: no" in begun and b"cache-control: no-cache" in begun, begun


@BOTH
def test_a_notification_gets_202_without_a_body(gateway: Gateway, adapter: str) -> None:
    target = f"/adapters/{adapter}/mcp"
    _, session = raw.initialize(gateway.port, target)
    answer = raw.send(gateway.port, "POST", target, rpc("notifications/roots/list_changed", id=None), session)
    assert answer.status == 202 and answer.body == b"", answer


async def test_a_line_on_standard_output_that_is_no_message_harms_nothing(gateway: Gateway, api: ControlPlane) -> None:
    async with legacy_client(gateway.mcp("stdio")) as client:
        result = await client.call_tool("scribble", {"text": "this is no JSON"})
        assert not result.is_error
        assert await call(client, "echo", text="still here") == "still here"


async def test_standard_error_of_a_stdio_server_is_in_the_log(gateway: Gateway, api: ControlPlane) -> None:
    async with legacy_client(gateway.mcp("stdio")) as client:
        await call(client, "say", text="said to standard error")
    until(
        lambda: "said to standard error" in api.request("GET", "/adapters/stdio/logs?instance=0").text,
        "the line is in the log",
        seconds=5,
    )


def test_the_child_of_a_session_ends_with_it(gateway: Gateway) -> None:
    target = "/adapters/stdio/mcp"
    _, session = raw.initialize(gateway.port, target)
    called = raw.send(
        gateway.port, "POST", target, rpc("tools/call", {"name": "process", "arguments": {}}), session
    )
    child = int(raw.message(called)["result"]["content"][0]["text"])
    assert child in [process.pid for process in gateway.servers()]
    assert raw.send(gateway.port, "DELETE", target, headers=session).status in (200, 204)
    until(lambda: child not in [process.pid for process in gateway.servers()], "the child has ended", seconds=10)


def test_a_slow_reader_does_not_fill_the_gateway(gateway: Gateway) -> None:
    """Back pressure: what a client does not read stays with the server, apart from bounded buffers."""
    target = "/adapters/http/mcp"
    _, session = raw.initialize(gateway.port, target)
    before = resident(gateway)
    connections = []
    for number in range(20):
        call = rpc("tools/call", {"name": "fill", "arguments": {"bytes": 16 << 20}}, id=100 + number)
        connections.append(stream(gateway, "POST", target, session, call))
    for connection in connections:
        read_until(connection, b"HTTP/1.1 200", seconds=60)
    time.sleep(1)
    grown = resident(gateway) - before
    for connection in connections:
        connection.close()
    assert grown < 100 << 20, f"{grown >> 20} MiB more, of 640 MiB that nobody reads"


def resident(gateway: Gateway) -> int:
    return int(open(f"/proc/{gateway.pid}/statm").read().split()[1]) * 4096
