# SPDX-License-Identifier: MIT
"""A client on the SDK's 1.x line: sdk_v1.py http|sse URL TOOL ARGUMENTS prints what it got as JSON."""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client


async def main(transport: str, url: str, tool: str, arguments: str) -> None:
    async with (sse_client if transport == "sse" else streamablehttp_client)(url) as streams:
        async with ClientSession(streams[0], streams[1]) as session:
            initialized = await session.initialize()
            tools = await session.list_tools()
            result = await session.call_tool(tool, json.loads(arguments))
    print(
        json.dumps(
            {
                "protocolVersion": initialized.protocolVersion,
                "tools": [listed.name for listed in tools.tools],
                "isError": result.isError,
                "structured": result.structuredContent,
            }
        )
    )


asyncio.run(main(*sys.argv[1:]))
