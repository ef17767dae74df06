# SPDX-License-Identifier: MIT
"""What stands between a gateway and the API server in tests of faults: answers for it, holds back, cuts, and counts."""

import http.client
import http.server
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
import yaml

from harness.cluster import KUBECONFIG


@dataclass
class Seen:
    """A request of the gateway."""

    method: str
    path: str
    authorization: str | None

    @property
    def is_watch(self) -> bool:
        return "watch=true" in self.path


@dataclass
class Answer:
    """What is answered in place of the API server."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"


class APIProxy:
    """`with APIProxy(folder) as proxy:` serves HTTPS on a free port, with a certificate of an authority of its own.

    `fault`, if set, is asked for each request: an answer is sent as it is, True holds the request back until
    `release` is called, None passes it on.
    """

    def __init__(self, folder: Path) -> None:
        self.seen: list[Seen] = []
        self.fault: Callable[[Seen], Answer | bool | None] | None = None
        self._released = threading.Event()
        self._open: set[Any] = set()
        self._lock = threading.Lock()
        self.is_cut = False
        authority = trustme.CA()
        self.authority = folder / "proxy-authority.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self._tls)
        document = yaml.safe_load(Path(KUBECONFIG).read_text())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self._port = int(cluster["server"].rpartition(":")[2])
        self._upstream = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._upstream.load_cert_chain(user["client-certificate"], user["client-key"])

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def cut(self) -> None:
        """Ends every connection, and each new one at once."""
        self.is_cut = True
        self.drop()

    def drop(self) -> None:
        """Ends every connection, once."""
        with self._lock:
            for connection in list(self._open):
                try:
                    connection.shutdown(2)
                except OSError:
                    pass

    def restore(self) -> None:
        self.is_cut = False

    def release(self) -> None:
        self._released.set()

    def requests(self, part: str, method: str | None = None) -> list[Seen]:
        return [seen for seen in list(self.seen) if part in seen.path and method in (None, seen.method)]

    def __enter__(self) -> "APIProxy":
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                self.request.settimeout(120)
                if proxy.is_cut:
                    self.request.close()
                    raise ConnectionResetError
                self.request = proxy._tls.wrap_socket(self.request, server_side=True)
                with proxy._lock:
                    proxy._open.add(self.request)
                super().setup()

            def finish(self) -> None:
                with proxy._lock:
                    proxy._open.discard(self.request)
                super().finish()

            def do_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else None
                seen = Seen(self.command, self.path, self.headers.get("Authorization"))
                proxy.seen.append(seen)
                fault = proxy.fault(seen) if proxy.fault else None
                if fault is True:
                    proxy._released.wait(60)
                elif isinstance(fault, Answer):
                    self.send_response(fault.status)
                    for name, value in fault.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(fault.body)))
                    self.end_headers()
                    self.wfile.write(fault.body)
                    return
                proxy._pass_on(self, body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_any

            def log_message(self, *_: Any) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # connections that were cut

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.release()
        self.cut()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _pass_on(self, handler: http.server.BaseHTTPRequestHandler, body: bytes | None) -> None:
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, context=self._upstream, timeout=300)
        headers = {
            name: value for name, value in handler.headers.items()
            if name.lower() not in ("host", "connection", "authorization", "content-length")
        }
        try:
            connection.request(handler.command, handler.path, body, headers)
            with self._lock:
                self._open.add(connection.sock)
            upstream = connection.sock
            answer = connection.getresponse()
            handler.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                    handler.send_header(name, value)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            while chunk := answer.read1(65536):
                handler.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                handler.wfile.flush()
            handler.wfile.write(b"0\r\n\r\n")
            with self._lock:
                self._open.discard(upstream)
        finally:
            connection.close()
