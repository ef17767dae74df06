# SPDX-License-Identifier: MIT
"""The sample server: two tools, one of which remembers, over whichever transport is asked for.

    example.py                     streamable HTTP on /mcp and HTTP+SSE on /sse, on $HOST and $PORT
    example.py --transport sse     HTTP+SSE (2024-11-05) alone
    example.py --transport stdio   JSON lines on standard input and output

`count` counts per session. Its answers show that a session stays on its instance: an instance that does not know
the session can only answer 1.
"""

import argparse
import os
from collections import Counter

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("mcp-example", version="1.0.0", instructions="Adds numbers and counts.")
counts: Counter[str] = Counter()


def session_of(context: Context) -> str | None:
    """What tells this request's session from others, or None where there are no sessions (2026-07-28)."""
    request = context.request_context.request
    if request is None:  # stdio: the process is the session, and only for clients that opened one
        return None if context.protocol_version == "2026-07-28" else "stdio"
    # Streamable HTTP names the session in a header, HTTP+SSE in the query of the POST.
    return request.headers.get("mcp-session-id") or request.query_params.get("session_id")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def count(context: Context) -> int:
    """Say how often this session has called this tool."""
    session = session_of(context)
    if session is None:
        raise ToolError("this request belongs to no session, so there is nothing to count by")
    counts[session] += 1
    return counts[session]


@server.tool()
def process() -> int:
    """Name the process that answers."""
    return os.getpid()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transport", choices=["http", "sse", "stdio"], default="http")
    parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8080")))
    arguments = parser.parse_args()

    if arguments.transport == "stdio":
        server.run("stdio")
        return
    if arguments.transport == "sse":
        app = server.sse_app(host=arguments.host)
    else:
        app = server.streamable_http_app(host=arguments.host)
        app.router.routes.extend(server.sse_app(host=arguments.host).routes)
    uvicorn.run(app, host=arguments.host, port=arguments.port, log_level="info")


if __name__ == "__main__":
    main()
