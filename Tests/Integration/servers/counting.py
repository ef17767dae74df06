# SPDX-License-Identifier: MIT
"""counting.py PORT|stdio [daemon]: a small, fast server of the older revisions that counts the calls of each session.

It keeps everything in memory. With `daemon` it has a child that leaves its session and ignores polite requests to end.
"""

import asyncio
import json
import os
import subprocess
import sys
import uuid

counts: dict[str, int] = {}
STAY = "import signal, time\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\ntime.sleep(3600)"


def result(session: str) -> dict[str, object]:
    return {"session": session, "count": counts[session], "process": os.getpid()}


def answer(method: str, session: str | None, body: bytes) -> tuple[int, dict[str, str], bytes]:
    if method == "OPTIONS":
        return 405, {}, b""
    if method == "GET":
        return 405, {"Allow": "POST"}, b""
    message = json.loads(body) if body else {}
    headers = {"Content-Type": "application/json"}
    terms: dict[str, object] = {}
    if message.get("method") == "initialize":
        session = uuid.uuid4().hex
        counts[session] = 0
        headers["Mcp-Session-Id"] = session
        terms = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}
    elif session not in counts:
        return 404, headers, b'{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}'
    else:
        counts[session] += 1
    return 200, headers, json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": terms | result(session)}).encode()


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


def speak() -> None:
    """One session, on standard input and output."""
    session = ""
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "id" not in message:
            continue
        if message["method"] == "server/discover":
            unknown = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "Method not found"}}
            print(json.dumps(unknown), flush=True)
            continue
        _, headers, content = answer("POST", session, line)
        session = headers.get("Mcp-Session-Id", session)
        print(content.decode(), flush=True)


if "daemon" in sys.argv:
    null = subprocess.DEVNULL
    subprocess.Popen([sys.executable, "-I", "-S", "-c", STAY], start_new_session=True, stdin=null, stdout=null, stderr=null)
if sys.argv[1] == "stdio":
    speak()
else:
    asyncio.run(main())
