# SPDX-License-Identifier: MIT
"""HTTP as bytes on a socket, for what no client library would send. Every wait has a deadline."""

import http.client
import json
import socket
import time
from dataclasses import dataclass
from typing import Any

MCP_HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


@dataclass
class Answer:
    """One answer; `status` 0 means that the connection was closed without one."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    def __str__(self) -> str:
        return f"{self.status} {self.headers} {self.body[:300]!r} after {self.seconds:.2f} s"


class _Deadline:
    """A socket's reading side for http.client, with one deadline over all reads."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self.connection = connection
        self.end = time.monotonic() + seconds

    def makefile(self, *_: Any, **__: Any) -> Any:
        outer = self

        class Reader(socket.SocketIO):
            def readinto(self, buffer: Any) -> int | None:
                outer.connection.settimeout(max(0.001, outer.end - time.monotonic()))
                return super().readinto(buffer)

        import io

        return io.BufferedReader(Reader(self.connection, "r"))


def head(method: str, target: str, headers: dict[str, str] | list[tuple[str, str]], host: str = "127.0.0.1") -> bytes:
    """A request's head; `Host` is added unless it is given."""
    lines = list(headers.items()) if isinstance(headers, dict) else list(headers)
    if not any(name.lower() == "host" for name, _ in lines):
        lines.insert(0, ("Host", host))
    text = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + "\r\n"
    return text.encode("latin-1")


def exchange(port: int, data: bytes, *, method: str = "GET", seconds: float = 15.0, half_close: bool = False) -> Answer:
    """Sends `data` as it is, on a connection of its own, and reads one answer.

    A TimeoutError means that the peer hung; a peer that closes without an answer gives status 0.
    """
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        try:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may refuse a request before all of it was sent; its answer is still there to read
        return read_answer(connection, method=method, seconds=seconds, began=began)


def read_answer(connection: socket.socket, *, method: str, seconds: float, began: float | None = None) -> Answer:
    """Reads one whole answer."""
    began = time.monotonic() if began is None else began
    response = http.client.HTTPResponse(_Deadline(connection, seconds), method=method)  # type: ignore[arg-type]
    try:
        response.begin()
        body = response.read()
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return Answer(0, {}, b"", time.monotonic() - began)
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, body, time.monotonic() - began)


def send(
    port: int,
    method: str,
    target: str,
    body: bytes | None = None,
    headers: dict[str, str] | list[tuple[str, str]] | None = None,
    seconds: float = 15.0,
) -> Answer:
    """A request with `Content-Length`, on a connection of its own."""
    lines = list((headers or {}).items()) if not isinstance(headers, list) else list(headers)
    names = {name.lower() for name, _ in lines}
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        lines.append(("Content-Length", str(len(body))))
    if "connection" not in names:
        lines.append(("Connection", "close"))
    data = head(method, target, lines, host=f"127.0.0.1:{port}") + (body or b"")
    return exchange(port, data, method=method, seconds=seconds)


def rpc(method: str, params: dict[str, Any] | None = None, id: Any = 1) -> bytes:
    """A JSON-RPC request; a notification where `id` is None."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if id is not None:
        message["id"] = id
    if params is not None:
        message["params"] = params
    return json.dumps(message).encode()


def initialize(port: int, target: str, version: str = "2025-11-25") -> tuple[Answer, dict[str, str]]:
    """Opens a legacy session; returns the answer and the headers that requests of the session carry."""
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
    answer = send(port, "POST", target, rpc("initialize", params), MCP_HEADERS)
    session = {**MCP_HEADERS, "MCP-Protocol-Version": version}
    if "mcp-session-id" in answer.headers:
        session["Mcp-Session-Id"] = answer.headers["mcp-session-id"]
    if answer.status == 200:
        send(port, "POST", target, rpc("notifications/initialized", id=None), session)
    return answer, session


def events(body: bytes) -> list[dict[str, str]]:
    """The events of a whole SSE body."""
    found = []
    for block in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        event: dict[str, str] = {}
        for line in block.decode().split("\n"):
            name, _, value = line.partition(":")
            if name:
                event[name] = event[name] + "\n" + value[1:] if name in event and name == "data" else value.removeprefix(" ")
        if event:
            found.append(event)
    return found


def message(answer: Answer) -> Any:
    """The JSON-RPC response in an answer, whichever way it came."""
    if answer.content_type == "text/event-stream":
        messages = [json.loads(event["data"]) for event in events(answer.body) if event.get("data")]
        return next(found for found in reversed(messages) if "result" in found or "error" in found)
    return answer.json
