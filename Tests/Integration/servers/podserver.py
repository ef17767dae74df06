# SPDX-License-Identifier: MIT
"""A server for pods: says which pod it is, keeps what it is told, and grows as it is told. HTTP, or stdio with --stdio."""

import os
import signal
import socket
import sys

import uvicorn
from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("podserver", version="1.0.0")
kept: dict[str, str] = {}
grown: list[bytearray] = []


def session_of(context: Context) -> str:
    request = context.request_context.request
    return "stdio" if request is None else request.headers["mcp-session-id"]


@server.tool()
def where() -> str:
    """Name the pod."""
    return socket.gethostname()


@server.tool()
def user() -> int:
    """Say as whom it runs."""
    return os.getuid()


@server.tool()
def keep(value: str, context: Context) -> str:
    """Keep a value for this session."""
    kept[session_of(context)] = value
    return value


@server.tool()
def recall(context: Context) -> str:
    """Say what this session has kept."""
    return kept.get(session_of(context), "")


@server.tool()
def grow(mebibytes: int) -> int:
    """Use memory."""
    for _ in range(mebibytes):
        grown.append(bytearray(os.urandom(4096) * 256))
    return len(grown)


def main() -> None:
    if "--stdio" in sys.argv:
        server.run("stdio")
        return
    # The first process of a container has no default actions.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    host, port = os.environ["HOST"], int(os.environ["PORT"])
    uvicorn.run(server.streamable_http_app(host=host), host=host, port=port, log_level="info", timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main()
