# SPDX-License-Identifier: MIT
"""An upstream that tells what reached it, byte by byte as far as heads go, and answers what it is asked to.

Every request to /mcp is answered with 200 and a JSON description of itself, unless the body is a JSON object with the key
`answer`: {"status": 418, "headers": [["Name", "value"]], "body": "text", "chunks": ["a", "b"], "close": "early"}.
A body with the method `initialize` gets a session id: that of `session` in its params, or none if that is null.
"""

import json
import os
import socket
import socketserver
from typing import Any


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while self.one():
            pass

    def one(self) -> bool:
        line = self.rfile.readline()
        if not line:
            return False
        head = [line]
        while (line := self.rfile.readline()) not in (b"\r\n", b"\n", b""):
            head.append(line)
        lines = [entry.decode("latin-1").rstrip("\r\n") for entry in head]
        method, target, _ = lines[0].split(" ", 2)
        headers = [tuple(entry.split(": ", 1)) if ": " in entry else (entry.rstrip(":"), "") for entry in lines[1:]]
        lower = {name.lower(): value for name, value in headers}
        body = self.read_body(lower)
        try:
            message = json.loads(body) if body else {}
        except ValueError:
            message = {}
        wanted = message.get("answer", {}) if isinstance(message, dict) else {}
        if wanted.get("close") == "early":
            return False
        extra = list(wanted.get("headers", []))
        if isinstance(message, dict) and message.get("method") == "initialize":
            session = message.get("params", {}).get("session")
            if session is not None:
                extra.append(["Mcp-Session-Id", session])
            reply: Any = {
                "jsonrpc": "2.0",
                "id": message.get("id"),
                "result": {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "m", "version": "1"}},
            }
        else:
            reply = {
                "jsonrpc": "2.0",
                "id": message.get("id") if isinstance(message, dict) else None,
                "result": {
                    "method": method,
                    "target": target,
                    "headers": headers,
                    "bodyBytes": len(body),
                    "process": os.getpid(),
                },
            }
        self.answer(method, wanted, extra, json.dumps(reply))
        return lower.get("connection", "").lower() != "close" and wanted.get("close") is None

    def read_body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline() not in (b"\r\n", b"\n", b""):
                pass
            return b"".join(parts)
        return self.rfile.read(int(headers.get("content-length", 0)))

    def answer(self, method: str, wanted: dict[str, Any], extra: list[list[str]], reply: str) -> None:
        status = wanted.get("status", 200)
        text = wanted.get("body", reply).encode()
        chunks = wanted.get("chunks")
        lines = [f"HTTP/1.1 {status} {wanted.get('reason', 'Whatever')}"]
        if not any(name.lower() == "content-type" for name, _ in extra) and (text or chunks):
            lines.append("Content-Type: application/json")
        lines += [f"{name}: {value}" for name, value in extra]
        if chunks is not None:
            lines.append("Transfer-Encoding: chunked")
        elif status not in (204, 304):
            lines.append(f"Content-Length: {len(text)}")
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        if method == "HEAD" or status in (204, 304):
            return
        if chunks is None:
            if wanted.get("close") == "mid-body":
                self.wfile.write(text[: len(text) // 2])
                return
            self.wfile.write(text)
            return
        for chunk in chunks:
            data = chunk.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        if wanted.get("close") != "mid-body":
            self.wfile.write(b"0\r\n\r\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512


if __name__ == "__main__":
    with Server((os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"])), Handler) as server:
        server.serve_forever()
