# SPDX-License-Identifier: MIT
"""Clients that call all the time, in threads of their own, while something else goes wrong."""

import http.client
import random
import threading
import time
from collections.abc import Callable

from harness.raw import MCP_HEADERS

Answer = tuple[int, dict[str, str], bytes]


class Caller(threading.Thread):
    """Calls `work` until `stop` is set, and keeps what went wrong in `faults`."""

    def __init__(self, ports: Callable[[], list[int]], target: str, seed: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.ports, self.target, self.stop_event = ports, target, stop
        self.random = random.Random(seed)
        self.connections: dict[int, http.client.HTTPConnection] = {}
        self.faults: list[str] = []
        self.answered = self.lost = self.failed = 0
        self.longest = 0.0

    def work(self) -> None:
        """One request, or a few."""
        raise NotImplementedError

    def run(self) -> None:
        try:
            while not self.stop_event.is_set():
                self.work()
        except TimeoutError:
            self.faults.append("a request hung")
        except Exception as error:  # noqa: BLE001 - the test must hear of it
            self.faults.append(f"{type(error).__name__}: {error}")

    def post(self, body: bytes, session: str | None) -> Answer | None:
        """The answer, or None where the gateway died; a TimeoutError is a request that hung."""
        port = self.random.choice(self.ports())
        connection = self.connections.pop(port, None) or http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = MCP_HEADERS | ({"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25"} if session else {})
        began = time.monotonic()
        try:
            connection.request("POST", self.target, body, headers)
            response = connection.getresponse()
            answer = response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException):
            connection.close()
            return None
        self.longest = max(self.longest, time.monotonic() - began)
        self.connections[port] = connection
        return answer

    def note(self, answer: Answer | None) -> None:
        """Counts a request that failed; only as what was lost may it fail."""
        self.failed += 1
        if answer is not None and answer[0] not in (502, 503):
            self.faults.append(f"{answer[0]} {answer[2][:200]!r}")
        self.stop_event.wait(0.01)
