# SPDX-License-Identifier: MIT
"""Servers that nobody uses are stopped, and started again for the next request."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from harness import raw
from harness.api import ControlPlane
from harness.clients import call, legacy_client, modern_client
from harness.gateway import Gateway
from harness.waiting import until

pytestmark = pytest.mark.anyio

IMAGES = pytest.mark.parametrize("image", ["mcp-example", "mcp-example-stdio"], ids=["http", "stdio"])


def deploy(api: ControlPlane, name: str, image: str, **fields: Any) -> None:
    session = {"parkAfterSeconds": 1} | fields.pop("session", {})
    api.deploy(name, image, session=session, **fields)


def phases(api: ControlPlane, name: str) -> list[str]:
    return [instance["phase"] for instance in api.status(name)["instances"]]


async def eventually(condition: Any, what: str, seconds: float = 30) -> Any:
    """Waits without stopping the clients' own tasks."""
    return await anyio.to_thread.run_sync(lambda: until(condition, what, seconds))


def metric(api: ControlPlane, name: str) -> float:
    lines = api.request("GET", "/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"mcp_gateway_{name}"))


@IMAGES
async def test_a_server_that_nobody_uses_is_parked_and_woken_by_the_next_call(gateway: Gateway, api: ControlPlane, image: str) -> None:
    name = f"idle-{image}"
    before = len(gateway.servers())
    deploy(api, name, image, replicaCount=2)
    parks, wakes = metric(api, "parks_total"), metric(api, "wakes_total")
    await eventually(lambda: phases(api, name) == ["parked"] * 2, "nobody uses it")
    await eventually(lambda: len(gateway.servers()) == before, "nothing of it runs")
    status = api.status(name)
    assert status["replicaStatus"] == "Healthy" and status["readyReplicas"] == 0
    assert {instance["reason"]["code"] for instance in status["instances"]} == {"parked"}
    for client_of in (legacy_client, modern_client):
        await eventually(lambda: phases(api, name) == ["parked"] * 2, "it is parked again")
        async with client_of(gateway.mcp(name)) as client:
            assert await call(client, "add", a=2, b=3) == 5
    assert metric(api, "parks_total") >= parks + 4 and metric(api, "wakes_total") >= wakes + 4
    assert [instance["restarts"] for instance in api.status(name)["instances"]] == [0, 0]
    api.delete(name)
    await eventually(lambda: len(gateway.servers()) == before, "nothing of it is left")


async def test_a_session_keeps_its_server_running(gateway: Gateway, api: ControlPlane) -> None:
    deploy(api, "held", "mcp-example")
    deploy(api, "free", "mcp-example")
    async with legacy_client(gateway.mcp("held")) as client:
        process = await call(client, "process")
        # The other one shows that it would have been parked by now.
        await eventually(lambda: phases(api, "free") == ["parked"], "nobody uses the other one")
        assert phases(api, "held") == ["ready"]
        assert await call(client, "process") == process
    await eventually(lambda: phases(api, "held") == ["parked"], "the session has ended")
    api.delete("held")
    api.delete("free")


@IMAGES
async def test_a_client_whose_session_can_be_begun_anew_does_not_notice(
    gateway: Gateway, api: ControlPlane, image: str
) -> None:
    name = f"resumed-{image}"
    deploy(api, name, image, session={"recovery": "reinitialize"})
    # A client without a stream of its own: one that has, uses the server.
    answer, headers = raw.initialize(gateway.port, f"/adapters/{name}/mcp")
    assert answer.status == 200

    def ask(tool: str) -> Any:
        body = raw.rpc("tools/call", {"name": tool, "arguments": {}})
        answer = raw.send(gateway.port, "POST", f"/adapters/{name}/mcp", headers=headers, body=body, seconds=30)
        assert answer.status == 200, answer
        return raw.message(answer)["result"]["structuredContent"]["result"]

    lives = [await anyio.to_thread.run_sync(ask, "process")]
    for _ in range(2):
        await eventually(lambda: phases(api, name) == ["parked"], "nobody uses it")
        lives.append(await anyio.to_thread.run_sync(ask, "process"))
    assert len(set(lives)) == 3
    api.delete(name)


async def test_a_session_that_can_not_be_begun_anew_keeps_its_server(gateway: Gateway, api: ControlPlane) -> None:
    deploy(api, "unforgettable", "mcp-example", session={"recovery": "reinitialize"})
    deploy(api, "forgettable", "mcp-example", session={"recovery": "reinitialize"})
    target = "/adapters/unforgettable/mcp"
    # More than is remembered of a handshake.
    client = {"name": "raw", "version": "1", "title": "x" * 70_000}
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
    answer = raw.send(gateway.port, "POST", target, raw.rpc("initialize", params), raw.MCP_HEADERS)
    assert answer.status == 200, answer
    session = raw.MCP_HEADERS | {"Mcp-Session-Id": answer.headers["mcp-session-id"]}
    raw.send(gateway.port, "POST", target, raw.rpc("notifications/initialized", id=None), session)
    await eventually(lambda: phases(api, "forgettable") == ["parked"], "nobody uses the other one")
    assert phases(api, "unforgettable") == ["ready"]
    assert raw.send(gateway.port, "POST", target, raw.rpc("tools/list"), session).status == 200
    for name in ("unforgettable", "forgettable"):
        api.delete(name)


SLOW_TO_BEGIN = """
import http.server, json, os, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(405)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        result = {"life": os.getpid()}
        if message["method"] == "initialize":
            time.sleep(2.5)
            result = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
        body = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": result}).encode()
        if "id" not in message:
            body = b""
        self.send_response(200 if body else 202)
        if message["method"] == "initialize":
            self.send_header("Mcp-Session-Id", "s%d" % os.getpid())
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


async def test_a_session_that_is_begun_anew_slowly_is_not_parked_meanwhile(
    gateway: Gateway, api: ControlPlane, tmp_path: Path
) -> None:
    (tmp_path / "slow.py").write_text(SLOW_TO_BEGIN)
    rules = {"parkAfterSeconds": 1, "recovery": "reinitialize"}
    body = {"name": "slow", "command": "python3", "arguments": [str(tmp_path / "slow.py")], "session": rules}
    assert api.request("POST", "/adapters", json=body).status_code == 201
    answer, session = raw.initialize(gateway.port, "/adapters/slow/mcp")
    assert answer.status == 200, answer
    await eventually(lambda: phases(api, "slow") == ["parked"], "nobody uses it")
    parks = metric(api, "parks_total")
    request = raw.rpc("tools/list")
    answer = await anyio.to_thread.run_sync(
        lambda: raw.send(gateway.port, "POST", "/adapters/slow/mcp", request, session, seconds=30)
    )
    assert answer.status == 200 and metric(api, "parks_total") == parks, answer
    api.delete("slow")


async def test_a_request_too_large_to_wait_wakes_it_for_the_next_attempt(gateway: Gateway, api: ControlPlane) -> None:
    deploy(api, "bulky", "mcp-example")
    await eventually(lambda: phases(api, "bulky") == ["parked"], "nobody uses it")
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
        "example.com/padding": "z" * (400 << 10),
    }
    request = raw.rpc("tools/call", {"_meta": meta, "name": "add", "arguments": {"a": 2, "b": 3}})
    headers = raw.MCP_HEADERS | {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "add"}

    def attempt() -> bool:
        answer = raw.send(gateway.port, "POST", "/adapters/bulky/mcp", request, headers)
        assert answer.status in (200, 503), answer
        return answer.status == 200

    await eventually(attempt, "an attempt is answered")
    api.delete("bulky")


async def test_many_first_calls_at_once_wake_it_once(gateway: Gateway, api: ControlPlane) -> None:
    deploy(api, "crowded", "mcp-example")
    await eventually(lambda: phases(api, "crowded") == ["parked"], "nobody uses it")
    wakes = metric(api, "wakes_total")
    found: list[Any] = []

    async def one() -> None:
        async with legacy_client(gateway.mcp("crowded")) as client:
            found.append(await call(client, "process"))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(one)
    assert len(found) == 20 and len(set(found)) == 1
    assert metric(api, "wakes_total") == wakes + 1
    api.delete("crowded")


async def test_calls_that_come_while_it_is_parked_are_never_cut_off(gateway: Gateway, api: ControlPlane) -> None:
    deploy(api, "edge", "mcp-example")
    # As long after each other as makes it park: some meet it at that very moment.
    async with modern_client(gateway.mcp("edge")) as client:
        for number in range(12):
            assert await call(client, "add", a=number, b=1) == number + 1
            await anyio.sleep(0.95 + number * 0.03)
    api.delete("edge")


def test_a_server_that_can_not_be_woken_is_told_of(tmp_path: Path) -> None:
    flag = tmp_path / "broken"
    script = f"[ -e {flag} ] && exit 7; exec python3 -m http.server $PORT --bind 127.0.0.1"
    body = {"name": "broken", "command": "/bin/sh", "arguments": ["-c", script], "session": {"parkAfterSeconds": 1}}
    with Gateway(tmp_path / "gateway", flags=["--set", "timeouts.start=3s"]) as gateway:
        api = ControlPlane(gateway)
        assert api.request("POST", "/adapters", json=body).status_code == 201
        until(lambda: phases(api, "broken") == ["parked"], "nobody uses it", 30)
        flag.touch()
        answer, _ = raw.initialize(gateway.port, "/adapters/broken/mcp")
        assert answer.status == 503 and "retry-after" in answer.headers
        [instance] = api.status("broken")["instances"]
        assert "exit code 7" in instance["reason"]["message"]


def test_a_parked_server_leaves_nothing_when_the_gateway_is_killed(own_gateway: Gateway) -> None:
    api = ControlPlane(own_gateway)
    deploy(api, "parked", "mcp-example-stdio")
    until(lambda: phases(api, "parked") == ["parked"], "nobody uses it", 30)
    own_gateway.kill()
    own_gateway.start()
    # What was parked is not remembered: it is started, and parked again.
    until(lambda: phases(api, "parked") == ["parked"], "nobody uses it", 30)


def test_times_are_checked(api: ControlPlane) -> None:
    body = {"name": "x", "imageName": "mcp-example", "imageVersion": "1.0.0"}
    for wrong in (0, -1, 604_801, "1"):
        answer = api.request("POST", "/adapters", json=body | {"session": {"parkAfterSeconds": wrong}})
        assert answer.status_code == 422
        assert [fault["field"] for fault in answer.json()["errors"]] == ["session.parkAfterSeconds"]
