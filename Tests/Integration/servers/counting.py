# SPDX-License-Identifier: MIT
"""counting.py PORT: a small, fast server of the older revisions that counts the calls of each session, in memory only."""

import asyncio
import json
import sys
import uuid

counts: dict[str, int] = {}


def answer(method: str, session: str | None, body: bytes) -> tuple[int, dict[str, str], bytes]:
    if method == "OPTIONS":
        return 405, {}, b""
    message = json.loads(body) if body else {}
    headers = {"Content-Type": "application/json"}
    if message.get("method") == "initialize":
        session = uuid.uuid4().hex
        counts[session] = 0
        headers["Mcp-Session-Id"] = session
    elif session not in counts:
        return 404, headers, b'{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}'
    else:
        counts[session] += 1
    result = {"session": session, "count": counts[session]}
    return 200, headers, json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": result}).encode()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = await reader.readexactly(int(fields.get("content-length", "0")))
            status, headers, content = answer(head[0].split()[0], fields.get("mcp-session-id"), body)
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            writer.write(f"HTTP/1.1 {status} X\r\n{lines}Content-Length: {len(content)}\r\n\r\n".encode() + content)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
