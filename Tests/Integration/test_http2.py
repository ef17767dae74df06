# SPDX-License-Identifier: MIT
"""HTTP/2: real clients, over TLS and in the clear, on the port that speaks HTTP/1.1 as well."""

import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import h2.config
import h2.connection
import h2.errors
import h2.events
import httpx2
import pytest
from test_tls import Authority

from harness.clients import call, client_over, tool_names
from harness.gateway import Gateway
from harness.raw import MCP_HEADERS, rpc
from harness.waiting import until

pytestmark = pytest.mark.anyio
MODES = pytest.mark.parametrize("mode", ["legacy", "auto"])
CURL = shutil.which("curl")
MODERN = MCP_HEADERS | {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call"}
CURL_SPEAKS_IT = CURL and "HTTP2" in subprocess.run([CURL, "--version"], capture_output=True, text=True).stdout


@dataclass
class Place:
    """A gateway, and how its clients reach it."""

    gateway: Gateway
    authority: Authority | None

    def client(self, **options: Any) -> httpx2.AsyncClient:
        """Speaks HTTP/2 only; in the clear it knows before that the gateway does."""
        verify = self.authority.context() if self.authority else True
        options = {"timeout": 60} | options
        return httpx2.AsyncClient(verify=verify, http1=self.authority is not None, http2=True, **options)

    def blocking(self, **options: Any) -> httpx2.Client:
        verify = self.authority.context() if self.authority else True
        options = {"timeout": 60} | options
        return httpx2.Client(verify=verify, http1=self.authority is not None, http2=True, **options)

    def deploy(self, name: str, image: str) -> None:
        with self.blocking() as client:
            body = {"name": name, "imageName": image, "imageVersion": "1.0.0"}
            answer = client.post(f"{self.gateway.url}/adapters", json=body)
            assert answer.status_code == 201 and answer.http_version == "HTTP/2", answer.text
            until(
                lambda: client.get(f"{self.gateway.url}/adapters/{name}/status").json()["readyReplicas"] == 1,
                "the server is ready", 60,
            )  # fmt: skip


    def frames(self) -> "Frames":
        return Frames(self.gateway.port, self.authority)


class Frames:
    """A connection whose streams are begun and reset as a test wants, which no client library lets it."""

    def __init__(self, port: int, authority: Authority | None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        if authority:
            context = authority.context()
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.state.initiate_connection()
        self.bodies: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.state.data_to_send())

    def request(self, method: str, path: str, headers: dict[str, str], body: bytes) -> int:
        stream = self.state.get_next_available_stream_id()
        fields = {":method": method, ":scheme": "http", ":path": path, ":authority": "127.0.0.1"} | headers
        self.state.send_headers(stream, [(name.lower(), value) for name, value in fields.items()])
        self.state.send_data(stream, body, end_stream=True)
        self.flush()
        return stream

    def reset(self, stream: int) -> None:
        self.state.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        self.flush()

    def body(self, stream: int) -> bytes:
        while stream not in self.ended:
            received = self.socket.recv(65536)
            assert received, "the connection ended"
            for event in self.state.receive_data(received):
                if isinstance(event, h2.events.DataReceived):
                    self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                    self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    self.ended.add(event.stream_id)
                elif isinstance(event, h2.events.StreamReset):
                    raise AssertionError(f"stream {event.stream_id} was reset: {event.error_code}")
            self.flush()
        return self.bodies.get(stream, b"")

    def ask(self, path: str, tool: str, name: str) -> str:
        """The text that a tool of a modern server gives."""
        body = self.body(self.request("POST", path, MODERN | {"Mcp-Name": tool}, modern(tool, name=name))).decode()
        data = next((line[5:] for line in body.splitlines() if line.startswith("data:")), body)
        return json.loads(data)["result"]["content"][0]["text"]

    def __enter__(self) -> "Frames":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def modern(tool: str, **arguments: Any) -> bytes:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return rpc("tools/call", {"name": tool, "arguments": arguments, "_meta": meta})


@pytest.fixture(scope="module", params=["tls", "clear"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    authority = Authority(tmp_path_factory.mktemp("authority")) if request.param == "tls" else None
    with Gateway(tmp_path_factory.mktemp("gateway"), flags=authority.flags if authority else []) as gateway:
        place = Place(gateway, authority)
        place.deploy("http", "tricks")
        place.deploy("stdio", "tricks-stdio")
        yield place


@MODES
@pytest.mark.parametrize("adapter", ["http", "stdio"])
async def test_the_real_client_works(place: Place, adapter: str, mode: str) -> None:
    versions: set[str] = set()

    async def note(response: httpx2.Response) -> None:
        versions.add(response.http_version)

    async with place.client(event_hooks={"response": [note]}) as http_client:
        async with client_over(place.gateway.mcp(adapter), http_client, mode) as client:
            assert "echo" in await tool_names(client)
            assert await call(client, "echo", text="grüße") == "grüße"
            text = "ü" * (3 << 19)
            assert await call(client, "length", text=text) == len(text)
            assert len(await call(client, "fill", bytes=400_000)) == 400_000
    assert versions == {"HTTP/2"}


@MODES
async def test_progress_arrives_while_the_call_goes_on(place: Place, mode: str) -> None:
    arrived: list[float] = []

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        arrived.append(time.monotonic())

    async with place.client() as http_client:
        async with client_over(place.gateway.mcp("http"), http_client, mode) as client:
            result = await client.call_tool("progress", {"steps": 5, "pause": 0.2}, progress_callback=progressed)
            assert not result.is_error
    assert len(arrived) == 5 and arrived[-1] - arrived[0] > 0.4


@MODES
async def test_calls_overlap_on_one_connection(place: Place, mode: str) -> None:
    async with place.client(limits=httpx2.Limits(max_connections=1)) as http_client:
        async with client_over(place.gateway.mcp("http"), http_client, mode) as client:
            began = time.monotonic()
            async with anyio.create_task_group() as tasks:
                for number in range(20):
                    tasks.start_soon(client.call_tool, "wait", {"name": f"h2-{number}", "seconds": 1})
            # One after the other they would take 20 s.
            assert time.monotonic() - began < 15


def test_a_modern_client_that_resets_its_stream_cancels_its_call(place: Place) -> None:
    name = f"reset-{place.authority is None}"
    path = "/adapters/http/mcp"
    with place.frames() as connection:
        waiting = connection.request("POST", path, MODERN | {"Mcp-Name": "wait"}, modern("wait", name=name, seconds=60))
        # One on its own way has been answered, so the first has reached the server too.
        assert connection.ask(path, "was_cancelled", name) == "false"
        connection.reset(waiting)
        until(lambda: connection.ask(path, "was_cancelled", name) == "true", "the call is cancelled", 10)


def test_both_versions_are_spoken_on_one_port(place: Place) -> None:
    verify = place.authority.context() if place.authority else True
    with httpx2.Client(verify=verify, http2=False) as old, place.blocking() as new:
        first, second = (client.get(f"{place.gateway.url}/adapters/http") for client in (old, new))
    assert (first.http_version, second.http_version) == ("HTTP/1.1", "HTTP/2")
    assert first.content == second.content and first.headers["etag"] == second.headers["etag"]


@pytest.mark.skipif(not CURL_SPEAKS_IT, reason="there is no curl that speaks HTTP/2")
def test_curl_speaks_it(place: Place, tmp_path: Path) -> None:
    flags = ["--http2", "--cacert", str(place.authority.root)] if place.authority else ["--http2-prior-knowledge"]
    upload = tmp_path / "large"
    upload.write_bytes(b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"x":"' + b"y" * (3 << 20) + b'"}}')

    def curl(*arguments: str) -> tuple[str, str]:
        written = subprocess.run(
            [str(CURL), "-sS", "--max-time", "30", *flags, "-w", "\n%{http_version} %{http_code}", *arguments],
            capture_output=True, text=True, check=True,
        ).stdout.rpartition("\n")  # fmt: skip
        return written[0], written[2]

    url = place.gateway.url
    assert curl(f"{url}/healthz")[1] == "2 200"
    assert curl("-I", f"{url}/adapters")[1] == "2 200"
    assert curl(f"{url}/adapters/absent/mcp")[1] == "2 404"
    large = curl(
        "-H", "Content-Type: application/json", "-H", "Accept: application/json, text/event-stream", "--data-binary",
        f"@{upload}", f"{url}/adapters/http/mcp",
    )  # fmt: skip
    assert large[1] in ("2 200", "2 400"), large
    # More than the control plane takes, told before and not: the answer comes all the same.
    for more in [[], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"]]:
        assert curl(*more, "--data-binary", f"@{upload}", f"{url}/adapters")[1] == "2 413"


def test_requests_under_way_are_finished_when_the_gateway_stops(place: Place, tmp_path: Path) -> None:
    flags = place.authority.flags if place.authority else []
    with Gateway(tmp_path, flags=flags) as gateway:
        other = Place(gateway, place.authority)
        other.deploy("http", "tricks")
        metric = 'mcp_gateway_requests_in_flight{adapter="http"} 1'
        path = "/adapters/http/mcp"
        with other.frames() as connection:
            call = connection.request("POST", path, MODERN | {"Mcp-Name": "wait"}, modern("wait", name="l", seconds=3))
            with other.blocking() as watcher:
                until(lambda: metric in watcher.get(f"{gateway.url}/metrics").text, "the call is under way", 10)
            gateway.signal(signal.SIGTERM)
            assert b"result" in connection.body(call)
        gateway.wait()


def test_json_is_what_comes_back(place: Place) -> None:
    with place.blocking() as client:
        answer = client.get(f"{place.gateway.url}/adapters/http/status")
        assert answer.http_version == "HTTP/2"
        assert json.loads(answer.content)["readyReplicas"] == 1
