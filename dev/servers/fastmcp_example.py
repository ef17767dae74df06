# SPDX-License-Identifier: MIT
"""A server written with fastmcp: streamable HTTP on /mcp, on $HOST and $PORT."""

import os
from collections import Counter

from fastmcp import FastMCP

server = FastMCP("fastmcp-example")


@server.tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool
def letters(text: str) -> dict[str, int]:
    """Count the letters of a text."""
    return dict(sorted(Counter(text.lower().replace(" ", "")).items()))


if __name__ == "__main__":
    server.run(
        transport="http",
        host=os.environ.get("HOST", "127.0.0.1"),
        port=int(os.environ.get("PORT", "8080")),
        show_banner=False,
    )
