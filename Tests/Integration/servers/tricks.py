# SPDX-License-Identifier: MIT
"""A server with a tool for everything that is hard on a proxy: tricks.py [--transport http|stdio]"""

import argparse
import asyncio
import os
import sys

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import ToolAnnotations
from pydantic import BaseModel

server = MCPServer("tricks", version="1.0.0")
cancelled: list[str] = []


class Colour(BaseModel):
    colour: str


@server.tool()
def echo(text: str) -> str:
    """Give the text back."""
    return text


@server.tool()
def length(text: str) -> int:
    """Count the characters of a text."""
    return len(text)


@server.tool()
def fill(bytes: int) -> str:
    """Give a text of this size."""
    return "x" * bytes


@server.tool()
async def progress(steps: int, context: Context, pause: float = 0.0) -> int:
    """Report every step."""
    for step in range(steps):
        await context.report_progress(step + 1, steps, f"step {step + 1}")
        await asyncio.sleep(pause)
    return steps


@server.tool()
async def wait(name: str, seconds: float) -> str:
    """Wait, and remember under `name` if the call was cancelled."""
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        cancelled.append(name)
        raise
    return name


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
async def look(seconds: float) -> int:
    """Take some time to tell which process this is, and change nothing."""
    await asyncio.sleep(seconds)
    return os.getpid()


@server.tool()
def was_cancelled(name: str) -> bool:
    """Say whether the call with this name was cancelled."""
    return name in cancelled


@server.tool()
async def ask_colour(context: Context) -> str:
    """Ask the user of this session for a colour (elicitation)."""
    answer = await context.elicit("Which colour?", Colour)
    return answer.data.colour if answer.action == "accept" else answer.action


@server.tool()
def process() -> int:
    """Name the process that answers."""
    return os.getpid()


@server.tool()
def say(text: str) -> bool:
    """Write a line to standard error."""
    print(text, file=sys.stderr, flush=True)
    return True


@server.tool()
def scribble(text: str) -> bool:
    """Write a line that is no message to standard output."""
    print(text, flush=True)
    return True


@server.tool()
def die(code: int) -> None:
    """End the process in the middle of the call."""
    os._exit(code)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transport", choices=["http", "stdio"], default="http")
    if parser.parse_args().transport == "stdio":
        server.run("stdio")
        return
    host = os.environ.get("HOST", "127.0.0.1")
    uvicorn.run(server.streamable_http_app(host=host), host=host, port=int(os.environ["PORT"]), log_level="info")


main()
